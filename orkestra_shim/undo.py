"""Taking a landed change back: what there is to reverse, what built on it, and the record of it.

    python -m orkestra_shim.undo plan    FOLDER HEAD TASK [OUTCOME]
    python -m orkestra_shim.undo blocked FOLDER              (the paths in conflict on stdin)
    python -m orkestra_shim.undo message FOLDER TREE
    python -m orkestra_shim.undo record  FOLDER TREE CHANGE PATCH-ID FILES CHECK-EXIT
    python -m orkestra_shim.undo said    FOLDER
    python -m orkestra_shim.undo unpushed FOLDER EXIT

The steps of SCRIPTS/CORE/undo.sh that read or write records. FOLDER keeps what one tells the next
(plan.json) and the logs. From `message` on the caller holds the landing lock.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import (
    canonical,
    changes,
    files,
    journal,
    keys,
    project,
    queue,
    records,
    reversal,
    shares,
    tickets,
    wire,
)
from .errors import EX_DATA, EX_INTERNAL, EX_USAGE, OrkestraError
from .findings import Report
from .landed import Landed
from .ledger import Ledger, numbers_in
from .said import Said
from .surroundings import Surroundings
from .taskstate import TaskState, proposal_reason
from .text import word
from .work import Place

_KEPT = (records.VOTES, records.OUTCOMES, str(queue.FILE), str(project.FILE))


class Undo:
    """One landed outcome that is to be taken back, as the branch at `head` knows it."""

    def __init__(self, folder: Path) -> None:
        self.here = Surroundings()
        keys.learn(self.here.secrets_file, self.here.secret_values())
        self.folder = folder
        self.plan: dict[str, Any] = {}

    def load(self) -> None:
        """What `plan` has written down."""
        self.plan = json.loads((self.folder / "plan.json").read_text(encoding="utf-8"))

    # --- what there is to undo -----------------------------------------------------------------------------

    def make(self, head: str, task: str, wanted: str) -> str:
        """Finds the outcome and its change; the reply is `AFTER-TREE BEFORE-TREE`."""
        settings = project.parse(self.here.project, *self.here.checkout.read(str(project.FILE)))
        branch = records.read_branch(self.here.git, head)
        if settings.land == "pr":
            raise self._by_pull_request(branch, task, settings)
        outcome = reversal.wanted(branch, task, wanted)
        landed = Landed(
            self.here.git, head, {str(one["id"]): one for one in branch.outcomes.values()}, Report()
        )
        pair = landed.trees(outcome["id"], outcome["change"])
        if pair is None:
            raise OrkestraError(
                EX_DATA,
                f"the change of {outcome['id']} cannot be found any more",
                "it was rebased with other content, or squashed: git revert takes back what it has become",
            )
        before, after = pair
        paths = changes.paths(self.here.git, before, after)
        kept = [path for path in paths if any(path == one or path.startswith(f"{one}/") for one in _KEPT)]
        if kept:
            raise OrkestraError(
                EX_DATA,
                f"the change of {outcome['id']} holds more than a task's work: {kept[0]}",
                "orkestra verify says what is wrong with it",
            )
        self.plan = {
            "head": head,
            "before": before,
            "after": after,
            "outcome": outcome,
            "remote": settings.remote,
            "built_on": reversal.built_on(self.here, branch, landed, outcome, set(paths)),
        }
        files.write_plain(self.folder / "plan.json", json.dumps(self.plan))
        place = Place(self.folder, self.here.workspaces / "undo", self.here.project)
        files.write_plain(self.folder / "push-to", settings.remote if settings.push else "")
        files.write_plain(self.folder / "check", settings.check)
        files.write_plain(self.folder / "check-timeout", str(settings.check_timeout))
        files.write_plain(self.folder / "setup", settings.setup)
        files.write_plain(self.folder / "binds", tickets.nul(shares.triples(place, settings.share)))
        return f"{after} {before}"

    def _by_pull_request(self, branch: records.Branch, task: str, settings: project.Project) -> OrkestraError:
        """Where the branch is the host's, so is its undoing: what to do there, or before it is merged."""
        state = TaskState()
        url = ""
        for event in journal.replay(self.here.project / journal.FILE, about=task):
            state.apply(event)
            url = str(event["url"]) if event["event"] == "pr-opened" else url
        if state.proposal and branch.by_task.get(task, {}).get("id") != state.proposal["outcome"]:
            return OrkestraError(
                EX_USAGE,
                f"nothing of {task} has landed: {proposal_reason(state.proposal)}",
                f"orkestra task cancel {task} gives it up",
            )
        commit = reversal.wanted(branch, task, "")["change"]["commit"]
        return OrkestraError(
            EX_USAGE,
            f"this project lands by pull requests: {settings.branch} changes where they are merged",
            f"revert {url or 'its pull request'} at the host; or propose the reverse: "
            f"git switch -c undo-{task} && git revert {commit} && git push {settings.remote} undo-{task}",
        )

    def unpushed(self, code: int) -> str:
        """Why it is not pushed; and how to do it by hand."""
        remote, branch = self.plan["remote"], self.here.branch
        why = Said(self.folder / "remote", keys.Keys(self.here.secret_values())).why(code, remote, "git push")
        folder = word(self.here.project)
        pull = f"git -C {folder} pull --no-rebase {remote} {branch}, then " if "not here" in why else ""
        return (
            f"it is undone, and {branch} is not pushed to {remote}: {why}\n"
            f"the next run pushes it; by hand: {pull}git -C {folder} push {remote} {branch}"
        )

    # --- a conflict ----------------------------------------------------------------------------------------

    def blocked(self, paths: Sequence[str]) -> str:
        """What is in the way of the reverse: the files, and the outcomes that touched them since."""
        git, outcome = self.here.git, self.plan["outcome"]
        branch = records.read_branch(git, self.plan["head"])
        landed = Landed(git, self.plan["head"], {}, Report())
        later = reversal.later(branch, landed, outcome)
        lines = []
        for path in paths:
            by = sorted(name for name, touched in later.items() if path in touched)
            lines.append(f"  {path}: " + (f"changed since by {', '.join(by)}" if by else "changed since"))
        return "\n".join(lines)

    # --- the record ----------------------------------------------------------------------------------------

    def message(self, tree: str) -> str:
        """Writes the message of the change; the reply is `OUTCOME-ID MESSAGE-FILE`."""
        plan, outcome = self.plan, self.plan["outcome"]
        head_tree = self.here.objects.tree_of(plan["head"])
        if changes.reversed_tree(self.here.git, plan["before"], plan["after"], head_tree) != tree:
            raise OrkestraError(EX_INTERNAL, f"{tree} is not what the reverse of {outcome['id']} gives")
        name = self._draw()[0]
        text = (
            f'Undo "{_plain(outcome["title"])}"\n\nThis reverts commit {outcome["change"]["commit"]}.\n\n'
            f"Orkestra-Task: {outcome['task']}\nOrkestra-Undoes: {outcome['id']}\nOrkestra-Outcome: {name}\n"
        )
        files.write_plain(self.folder / "message", text)
        return f"{name} {self.folder / 'message'}"

    def _draw(self) -> tuple[str, Ledger, str]:
        """The next outcome's id, by what the branch holds and the execution log has seen.

        Third: the commit that it names as its place where others may come onto the branch after it.
        """
        apart: set[int] = set()
        ledger = Ledger(records.read_branch(self.here.git, self.plan["head"]))
        for event in journal.replay(self.here.project / journal.FILE):
            for number in numbers_in(event):
                ledger.saw("outcome", number)
                apart |= {number} if event["event"] == "proposed" else set()
        open_ends = len(ledger.branch.ends) > 1 or apart - ledger.branch.outcomes.keys()
        return ledger.next_outcome(), ledger, self.plan["head"] if open_ends else ""

    def record(self, tree: str, change: str, patch_id: str, count: str, code: int) -> str:
        """The record on the change; the reply is `TREE MESSAGE-FILE` of its commit."""
        plan, outcome, objects = self.plan, self.plan["outcome"], self.here.objects
        name, ledger, base = self._draw()
        diff = (self.folder / "diff.patch").read_bytes()
        redact = keys.Keys(self.here.secret_values())
        check = (self.folder / "check").read_text(encoding="utf-8")
        log = files.read_bounded(self.folder / "check.log", 64 << 20) or b""
        told = {"check": redact(check), "exit": code, "log_sha256": canonical.sha256(log), "tree": tree}
        draft = {
            "task": outcome["task"],
            "title": outcome["title"],
            "attempt": outcome["attempt"],
            "decision": "undone",
            "undoes": outcome["id"],
            "by": {"name": self.here.author[0], "email": self.here.author[1]},
            "why": redact(self._why(code)),
            "agent": "person",
            "reviewed_by": "person",
            "evidence": [told] if check.strip() else [],
            "gates": [],
            "votes": [],
            "cost": {"usd_micros": 0, "tokens": 0, "seconds": 0},
            "change": {
                "commit": wire.object_id(change),
                "base": plan["head"],
                "tree": wire.object_id(tree),
                "diff_sha256": canonical.sha256(diff),
                "patch_id": patch_id[:80],
                "files": wire.number(count),
            },
        }
        if code != 0:
            draft["anyway"] = True
        added = ledger.batch(name, [draft], {}, base)
        new = objects.with_files(objects.tree_of(change), added)
        objects.flush()
        text = f"orkestra: record {name} ({outcome['task']})\n\nOrkestra-Task: {outcome['task']}\n"
        files.write_plain(self.folder / "record-message", f"{text}Orkestra-Outcome: {name}\n")
        return f"{new} {self.folder / 'record-message'}"

    def _why(self, code: int) -> str:
        outcome = self.plan["outcome"]
        why = f"{outcome['id']} was undone by {self.here.author[0]}"
        built = ", ".join(f"{one['task']} ({one['outcome']})" for one in self.plan["built_on"])
        why += f"; built on it, and left as they are: {built}" if built else ""
        return why + ("; the check fails without it, and it was undone anyway" if code else "")

    def said(self) -> str:
        """What built on it, a line for each."""
        built = self.plan["built_on"]
        lines = [f"  {one['task']} ({one['outcome']}) {one['why']}" for one in built]
        return "\n".join(["built on it, and left as they are:", *lines]) if lines else ""


def _plain(text: object) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in str(text))


def _run(verb: str, words: list[str]) -> str:
    undo = Undo(Path(words[0]))
    if verb == "plan":
        return undo.make(words[1], words[2], words[3] if len(words) > 3 else "")
    undo.load()
    if verb == "blocked":
        return undo.blocked([os.fsdecode(line) for line in sys.stdin.buffer.read().split(b"\n") if line])
    if verb == "message":
        return undo.message(words[1])
    if verb == "record":
        return undo.record(words[1], words[2], words[3], words[4], wire.number(words[5]))
    if verb == "unpushed":
        return undo.unpushed(wire.number(words[1]))
    return undo.said()


_VERBS = {
    "plan": (3, 4),
    "blocked": (1, 1),
    "message": (2, 2),
    "record": (6, 6),
    "said": (1, 1),
    "unpushed": (2, 2),
}


def main(words: list[str]) -> int:
    """Prints the reply; errors are one or two lines on stderr."""
    from .text import printable

    low, high = _VERBS.get(words[0] if words else "", (0, -1))
    if not low <= len(words) - 1 <= high:
        print("orkestra: usage: python -m orkestra_shim.undo VERB FOLDER ..., see its head", file=sys.stderr)
        return EX_USAGE
    try:
        reply = _run(words[0], words[1:])
    except OrkestraError as error:
        print(error.lines(), file=sys.stderr)
        return error.code
    with contextlib.suppress(BrokenPipeError):
        print(
            "\n".join(map(printable, reply.split("\n")))
            if words[0] in ("blocked", "said", "unpushed")
            else reply
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
