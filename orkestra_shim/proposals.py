"""Changes that land through pull requests: opened once, looked at now and then, done when merged.

Each is a commit (the change, its records on top) that is pushed as a branch of its own. What has been
done is in the execution log, and what the host has done is asked of it: so a run that was killed between
two steps goes on with the next, and never opens a second pull request.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from . import calibration, canonical, files, prompts, records, repo
from .errors import EX_CONFIG, OrkestraError
from .said import Said
from .taskstate import TaskState, proposal_reason
from .text import clean, subject, word
from .work import Reply

if TYPE_CHECKING:
    from .run import Run

EVERY = 60.0  # seconds between two looks at the remote
_URL = re.compile(r"https?://[!-~]{1,400}\Z")
_NAMES = re.compile(r"^Orkestra-Outcome: (outcome-[0-9]{3,12})\s*$", re.MULTILINE)
_BRINGS = 3  # somebody commits just then: looked at anew, so often


def branch_name(task: str, before: int) -> str:
    """orkestra/TASK; with a number where it has had pull requests before. No task's id holds a `+`."""
    return f"orkestra/{task}" + (f"+{before + 1}" if before else "")


class Proposals:
    """The courier's errands for pull requests."""

    def __init__(self, run: Run, said: Said) -> None:
        """Raises OrkestraError 78 when the project has no such remote."""
        self.run, self.said = run, said
        self.remote, self.branch = run.project.remote, run.project.branch
        self.folder = run.here.runtime / "remote"
        key = f"remote.{self.remote}.url"
        if not repo.config(run.here.project, key):
            raise OrkestraError(
                EX_CONFIG,
                f'"land" is "pr" in config/project.json, and the repository has no remote {self.remote!r}',
                f'git -C {word(run.here.project)} remote add {self.remote} URL; or name another in "remote"',
            )
        self.problem = ""  # why the branch could not be brought along
        self._failed: set[str] = set()  # tasks with which this round is through
        self._step: dict[str, str] = {}  # by task: what to do next for its pull request
        self._looks: set[str] = set()  # tasks whose pull requests are to be looked at
        self._task = ""  # whose errand goes on
        self._fetch = self._stopped = False
        self._bring: Reply | None = None
        self._brings = 0
        self._looked = 0.0

    def begin(self, phase: str) -> None:
        """Before and after the work the remote is asked; in between when it is time. Stopped: no more."""
        self._fetch, self._bring, self._stopped = False, None, phase == "stop"
        self._failed.clear()
        self._step.clear()
        self._looks.clear()
        if phase in ("start", "end"):
            self._look_round()

    def _look_round(self) -> None:
        self._fetch, self._brings, self._looked = True, 0, time.monotonic()
        self._failed.clear()
        self._step.clear()

    def due(self) -> float | None:
        """Seconds until the next look; None while no pull request waits."""
        if not any(state.proposal and not state.proposal.get("closed") for state in self._open().values()):
            return None
        return max(0.0, EVERY - (time.monotonic() - self._looked))

    def _open(self) -> dict[str, TaskState]:
        """What waits; of a cancelled task only what is at the host already: it may still be merged."""
        return {name: state for name, state in self.run.proposed().items() if not self._given_up(name, state)}

    def _given_up(self, name: str, state: TaskState) -> bool:
        task = self.run.queue.get(name)
        opened = state.proposal and state.proposal.get("url")
        return task is not None and task.status == "cancelled" and not opened

    # --- what to do ----------------------------------------------------------------------------------------

    def next(self) -> Reply | None:
        """The next errand, None when there is none."""
        if self._stopped:
            return None
        if self.due() == 0.0:
            self._look_round()
        self._task = ""
        if self._fetch:
            return "fetch", self.remote, self.branch
        if self._bring:
            return self._bring
        for task, state in self._open().items():
            errand = self._for(task, state.proposal or {})
            if errand:
                self._task = task
                return errand
        return None

    def _for(self, task: str, proposal: dict[str, Any]) -> Reply | None:
        if proposal.get("closed"):
            return None
        if proposal.get("url"):
            return ("look", proposal["url"]) if task in self._looks else None
        if task in self._failed:
            return None
        step = self._step.get(task, "push")
        if step == "push":
            return "push", self.remote, proposal["commit"], f"refs/heads/{proposal['branch']}"
        if step == "find":
            return "find", self.remote, proposal["branch"]
        title, body = self._text(proposal)
        files.write_plain(self.folder / "title", title)
        files.write_plain(self.folder / "body", body)
        return "open", self.remote, proposal["branch"], self.branch

    def _compare(self) -> None:
        """The branch follows the remote's where that is only ahead of it; whatever else is said."""
        git, here = self.run.here.git, self.run.branch.head
        folder = word(self.run.here.project)
        self.problem, self._bring = "", None
        there = git.commit(f"refs/remotes/{self.remote}/{self.branch}")
        if there is None or there == here:
            pass
        elif git.attempt("merge-base", "--is-ancestor", here, there)[0] == 0:
            self._bring = "bring", here, there
        elif git.attempt("merge-base", "--is-ancestor", there, here)[0] == 0:
            count = git.run("rev-list", "--count", f"{there}..{here}").decode().strip()
            self.problem = (
                f"{self.branch} has {count} commits that {self.remote} does not have, and pull requests "
                f"carry them; by hand: git -C {folder} push {self.remote} {self.branch}"
            )
        else:
            self.problem = (
                f"{self.branch} and that of {self.remote} have gone different ways, and nothing merged "
                f"arrives; by hand: git -C {folder} pull --rebase {self.remote} {self.branch}"
            )
        self._looks = {task for task, state in self._open().items() if (state.proposal or {}).get("url")}

    # --- what came of it -----------------------------------------------------------------------------------

    def back(self, errand: Reply, code: int) -> Reply:
        """How an errand ended: a line for people, or nothing."""
        verb = errand[0]
        if verb in ("fetch", "bring"):
            before = self.problem
            (self._fetched if verb == "fetch" else self._brought)(errand, code)
            return ("warn", self.problem) if self.problem not in ("", before) else ()
        state = self.run.states.get(self._task)
        if state is None or not state.proposal:
            return ()  # merged, or put back to work, meanwhile
        return {"push": self._pushed, "find": self._found, "open": self._opened, "look": self._looked_at}[
            verb
        ](self._task, state.proposal, code)

    def _fetched(self, _: Reply, code: int) -> None:
        self._fetch = False
        if code != 0:
            self.problem = f"{self.remote} cannot be asked: {self.said.why(code, self.remote, 'git fetch')}"
            return
        self.run.sync()
        self._compare()
        # Numbers that another clone of the project has drawn.
        prefix = f"refs/remotes/{self.remote}/orkestra/"
        for name in _NAMES.findall(
            self.run.here.git.run("for-each-ref", "--format=%(contents)", prefix).decode("utf-8", "replace")
        ):
            self.run.ledger.saw("outcome", records.parse_id(name)[1])

    def _brought(self, errand: Reply, code: int) -> None:
        self._brings += 1
        if code == 0:
            self.run.refresh(errand[2])
            self._compare()
        elif code == 20 and self._brings < _BRINGS:
            self.run.sync()
            self._compare()
        else:
            self._bring = None
            paths = ", ".join(clean(self.said.output()).split("\n")[:5]).strip(", ")
            self.problem = f"{self.branch} cannot follow {self.remote}: " + (
                f"commit or stash your edits in {self.said.shown(paths)}"
                if code == 21
                else f"the landing ended with {code}"
            )

    def _pushed(self, task: str, proposal: dict[str, Any], code: int) -> Reply:
        if code == 0:
            self._step[task] = "find"
            return ()
        if self.said.is_taken():
            name = branch_name(task, self.run.state(task).proposals)
            self.run.event("pr-renamed", task, durable=True, branch=name)
            return ()
        return self._fail(task, self.said.why(code, self.remote, "git push"))

    def _found(self, task: str, proposal: dict[str, Any], code: int) -> Reply:
        listed = self.said.json()
        if code != 0 or not isinstance(listed, list):
            return self._fail(task, self.said.why(code, self.remote, "gh"))
        for entry in listed:
            if isinstance(entry, dict) and entry.get("headRefOid") == proposal["commit"]:
                return self._note(task, str(entry.get("url")))
        self._step[task] = "open"
        return ()

    def _opened(self, task: str, _: dict[str, Any], code: int) -> Reply:
        lines = self.said.output().split()
        if code != 0 or not lines:
            return self._fail(task, self.said.why(code, self.remote, "gh"))
        return self._note(task, lines[-1])

    def _note(self, task: str, url: str) -> Reply:
        if not _URL.match(url):
            return self._fail(task, f"gh gave no address of a pull request: {self.said.shown(url)}")
        self.run.event("pr-opened", task, durable=True, url=url)
        self._looks.add(task)  # one that was found may be closed already
        self._tell(task)
        return "say", f"{task}: {url}"

    def _looked_at(self, task: str, proposal: dict[str, Any], code: int) -> Reply:
        self._looks.discard(task)
        found = self.said.json()
        state = found.get("state") if isinstance(found, dict) else None
        if code != 0 or state not in ("OPEN", "CLOSED", "MERGED"):
            return self._fail(task, self.said.why(code, self.remote, "gh"))
        if state == "CLOSED":
            self.run.event("pr-closed", task, durable=True, url=proposal["url"])
        elif state == "MERGED":
            # It came between the fetch and the look, or not onto this branch, or without its records.
            odd = f"{proposal['url']} is merged, but {self.branch} does not hold {proposal['outcome']}"
            return self._fail(task, f"{odd} here ({self.problem})" if self.problem else odd)
        elif proposal.get("problem"):
            self.run.event("pr-problem", task, why="")
        self._tell(task)
        return ("warn", f"{task}: {proposal_reason(proposal)}") if state == "CLOSED" else ()

    def _fail(self, task: str, why: str) -> Reply:
        """Nothing more for this task in this round."""
        self._failed.add(task)
        state = self.run.state(task)
        if state.proposal is None or state.proposal.get("problem") == why:
            return ()
        self.run.event("pr-problem", task, why=why)
        self._tell(task)
        return "warn", f"{task}: {why}"

    def _tell(self, task: str) -> None:
        """The task's reason, as a person sees it."""
        queued, state = self.run.queue.get(task), self.run.states.get(task)
        if queued is None or state is None or not state.proposal or queued.status != "needs_human":
            return
        self.run.queue.set_status(queued, "needs_human", proposal_reason(state.proposal))

    def lines(self) -> list[str]:
        """For the end of a run."""
        return [self.problem] if self.problem else []

    # --- what a pull request says --------------------------------------------------------------------------

    def _text(self, proposal: dict[str, Any]) -> tuple[str, str]:
        """(title, body), from the records in its own commit."""
        git, commit = self.run.here.git, proposal["commit"]

        def record(name: str) -> Any:
            return canonical.parse(git.blob(f"{commit}:{records.path_of(name)}") or b"null", 16 << 20)

        outcome = record(proposal["outcome"])
        held = [record(entry["id"]) for entry in outcome["votes"]]
        held = [vote for vote in held if vote["kind"] != calibration.KIND]  # of a copy that is not proposed
        task = self.run.queue.get(outcome["task"])
        body = prompts.for_pull_request(
            outcome, held, str(task.raw.get("description") or "") if task else "", proposal["riders"] or []
        )
        title = " ".join(clean(str(outcome["title"])).split())[:200] or outcome["task"]
        title = subject(title)
        return self.run.redact(title), self.run.redact(body)
