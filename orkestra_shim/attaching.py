"""`orkestra attach TASK`: a person in the sandboxed workspace of a task; on leaving it goes on as an attempt.

What is left becomes kept work of a new attempt, and the queue says that this is a person's and goes to the
check as it stands (`submitted`): the next worker takes it from there. Until then the task is in this person's
`hands`, and no run gives it out. When all of this is killed its workspace stays for the next `attach`.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import (
    board,
    context,
    editing,
    files,
    keyring,
    keys,
    onetask,
    resuming,
    roster,
    scripts,
    shares,
    terminal,
    tickets,
    unlanded,
)
from .agents import Agent, Agents
from .errors import EX_DATA, EX_HELD, EX_USAGE, EX_WITHHELD, OrkestraError
from .hands import Hands
from .place import Place
from .tasks import DEFAULT_TIMEOUT
from .work import Place as Where

_PATIENCE = 5.0  # seconds: what a session that was killed had begun is gone by then
_OPEN = ("pending", "needs_human", "failed", "cancelled")


@dataclass
class Begun:
    """What a person found in the workspace: the commit it is on, the tree, and in words how that came."""

    base: str
    tree: str
    said: str


@dataclass
class _Learner:
    """What a run would know as a key, this one's or that of a run that goes on, is known from now on."""

    file: Path

    def learn_login(self, path: Path) -> None:
        """The tokens of a login file that a tool is given."""
        keys.learn(self.file, keys.of_login(files.read_bounded(path.resolve(), 1 << 18) or b""))


class Attachment:
    """One person, one task. `agents` and `redact` are what tickets ask for."""

    def __init__(self, place: Place, seen: board.Board, name: str) -> None:
        """Takes the task into its hands. Raises 16 where somebody has it, 64 where there is nothing to do."""
        self.place, self.name, self.seen = place, name, seen
        self.raw = seen.document.tasks[seen.document.positions[name]].raw
        self.hands = Hands(place.git_dir)
        if not self.hands.take(name, _PATIENCE):
            raise OrkestraError(
                EX_HELD,
                f"{name} is being worked on, by a run or by somebody who is attached to it",
                f"wait for that, or take it away: orkestra task cancel {name}",
            )
        status = onetask.decided(seen, name)
        if status not in _OPEN:
            hint = f"orkestra undo {name} takes its change back" if status == "completed" else ""
            raise OrkestraError(EX_USAGE, f"{name} is {status}: there is nothing to do", hint)
        self.agents: Agents = roster.known(place.session)
        self.workspace = place.workspaces / f"{unlanded.ATTACHED}{name}"
        # Not where a run that ends looks for what its agents have left.
        self.private = place.workspaces.with_name(f"{place.project.id}.attached") / name
        variables = context.variables(place.session.home, place.session.values, place.project)
        self.redact = _Learner(Path(variables["ORKESTRA_SECRETS_FILE"]))
        keys.learn(self.redact.file, keyring.read(place.session.home.config).secret_values())

    # --- the workspace -------------------------------------------------------------------------------------

    def open(self) -> Begun:
        """What was left when this was killed, else the last kept work on the branch, else the branch."""
        files.make_folder(self.workspace)
        files.make_folder(self.private, 0o700)
        self._write_binds()
        left = unlanded.owner_of(self.workspace)
        began = (files.read_bounded(self.workspace / "began", 128) or b"").decode("ascii", "replace").strip()
        if left and began:
            return Begun(left[2], began, "as you left it when it was killed")
        head = self.place.git.commit(f"refs/heads/{self.place.project.branch}") or ""
        self._run("CORE/workspace.sh", "prepare", str(self.workspace), head)
        self._furnish(head)
        begun = self._with_kept_work(head)
        files.write_plain(self.workspace / "began", begun.tree + "\n")
        files.write_plain(
            self.workspace / "owner",
            f"{self.name}\t{unlanded.next_try(self.place, self.name)}\t{begun.base}\n",
            0o644,
        )
        return begun

    def _with_kept_work(self, head: str) -> Begun:
        kept = onetask.kept_attempts(self.place.project, self.name)
        if not kept:
            return Begun(head, self._tree_of(head), f"{self.place.project.branch} as it is")
        git, ref = self.place.git, f"refs/orkestra/attempts/{self.name}/{kept[-1]}"
        base, tree = git.run("rev-parse", f"{ref}^1").decode().strip(), self._tree_of(ref)
        where = str(self.workspace)
        code, said, why = self._script("CORE/workspace.sh", "merge", where, base, tree, head)
        if code == 0:
            return Begun(head, said.strip(), f"with the work of attempt {kept[-1]}")
        if code != 1:
            raise OrkestraError(code, why)
        merged = (files.read_bounded(self.workspace / "merge", 1 << 20) or b"").split(b"\0")[0].decode()
        self._run("CORE/workspace.sh", "show", where, merged)
        paths = ", ".join(said.split("\n")[:10]).strip(", ")
        return Begun(head, merged, f"with the work of attempt {kept[-1]}, in conflict: {paths}")

    def _furnish(self, head: str) -> None:
        command = self.private / "setup"
        files.write_plain(command, self.place.project.setup)
        seconds = str(self.place.project.check_timeout)
        log = self.private / "setup.log"
        self._run("SAFETY/furnish.sh", str(self.workspace), head, str(command), str(log), seconds)

    def _write_binds(self) -> None:
        binds = self.private / "binds"
        files.write_plain(binds, tickets.nul(self._binds()))
        os.environ["ORKESTRA_BINDS"] = str(binds)

    def _binds(self) -> list[str]:
        where = Where(self.private, self.workspace, self.place.project.path)
        return shares.triples(where, self.place.project.share)

    def _tree_of(self, what: str) -> str:
        return self.place.git.run("rev-parse", "--verify", f"{what}^{{tree}}").decode().strip()

    # --- the person ----------------------------------------------------------------------------------------

    def session(self) -> tuple[Agent, str]:
        """The agent whose tool opens, and its session; `shell` and '' where there is none to open."""
        kept = resuming.folder(self.place.git_dir, self.name)
        name, number = resuming.read(kept / "agent").strip(), resuming.read(kept / "try").strip()
        if name and number.isdigit():
            agent = self.agents.get(name)
            if not agent.problem and "attach" in agent.can and agent.sessions:
                folder = self.place.project.path / "logs/execution/attempts" / self.name / number
                if found := resuming.session_of(folder, agent):
                    return agent, found
        return self.agents.get("shell"), ""

    def let_in(self, agent: Agent, session: str) -> None:
        """The person is there until the program ends. Raises terminal.Gone."""
        kept = resuming.folder(self.place.git_dir, self.name)
        plain = {
            "task": self.name,
            "try": resuming.read(kept / "try").strip() or "0",
            "timeout": str(DEFAULT_TIMEOUT),
            "session": session,
            "session-stamp": resuming.read(kept / "stamp"),
        }
        lists = {"binds": self._binds(), "sessions": agent.sessions if session else []}
        where = Where(self.private / "ticket", self.workspace, self.place.project.path)
        tickets.write(self, where, agent, plain, lists, {"task.json": ""})
        home, values = self.place.session.home, self.place.session.values
        env = scripts.environment(home, values) | context.variables(home, values, self.place.project)
        command = [
            str(scripts.find(home, "AGENTS/spawn.sh")),
            "attach",
            str(self.workspace),
            str(where.folder),
            str(self.private),
        ]
        try:
            terminal.lend(command, env, home.folder, [self.hands.descriptor])
        finally:
            (where.folder / "env").unlink(missing_ok=True)  # the agent's key

    # --- what becomes of it --------------------------------------------------------------------------------

    def hand_over(self, begun: Begun) -> int:
        """The number of the attempt that goes to the check; 0 where nothing has changed. Raises 65, 73."""
        number = unlanded.next_try(self.place, self.name)
        folder = files.make_below(
            self.place.project.path, "logs", "execution", "attempts", self.name, str(number)
        )
        words = ("take", str(self.workspace), str(folder), begun.base)
        code, out, why = self._script("CORE/workspace.sh", *words)
        if code == EX_WITHHELD:
            raise OrkestraError(
                EX_DATA, f"it holds a key: {why}", f"take it out: orkestra attach {self.name}"
            )
        fields = out.split()
        if code != 0 or len(fields) != 4:
            raise OrkestraError(
                code or EX_DATA, why, f"what you did is where it was: orkestra attach {self.name}"
            )
        tree, own = fields[0], fields[3]
        if tree != begun.tree:
            self._run(
                "CORE/workspace.sh",
                "keep",
                str(self.workspace),
                self.name,
                str(number),
                begun.base,
                tree,
                own,
            )
            editing.submit(self.place.project, self.name, self._outcome(), number)
            self.hands.stir()
        else:
            shutil.rmtree(folder, ignore_errors=True)
        (self.workspace / "owner").unlink(missing_ok=True)
        self._run("CORE/workspace.sh", "remove", str(self.workspace))
        self._run("CORE/workspace.sh", "remove", str(self.private))
        self.place.git.run("update-ref", "-d", f"refs/orkestra/workspaces/{self.workspace.name}")
        return number if tree != begun.tree else 0

    def _outcome(self) -> dict[str, Any] | None:
        outcome, row = self.seen.branch.by_task.get(self.name), self.seen.rows[self.name]
        if row["outcome"] and (outcome is None or outcome["id"] != row["outcome"]):
            return {"id": row["outcome"]}  # of a pull request that is not merged
        return outcome

    def waits_for(self) -> list[str]:
        """What has to be completed before a worker takes it."""
        return list(self.seen.rows[self.name].get("waits_for", []))

    # --- scripts -------------------------------------------------------------------------------------------

    def _script(self, *words: str) -> tuple[int, str, str]:
        return self.place.script(*words, locks=(self.hands.descriptor,))

    def _run(self, *words: str) -> None:
        code, _, why = self._script(*words)
        if code != 0:
            raise OrkestraError(code, why)
