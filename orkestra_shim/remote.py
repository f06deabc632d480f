"""The project's remote: what the courier of a run has to do there next, and what follows from how it went.

A push never holds up a landing, is never forced, and its failure never takes a landing back: it is said
once, tried again with the next landing and at the end, and then the summary says what is not pushed.
Pull requests, where changes land through them, are `proposals`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import files, wire
from .proposals import Proposals
from .said import Said
from .text import word
from .work import Reply

if TYPE_CHECKING:
    from .run import Run

COURIER = "courier"  # the client that goes there


class Remote:
    """The errands of one run. Nothing is asked of any remote unless the project's settings say so."""

    def __init__(self, run: Run) -> None:
        """Raises OrkestraError 78 for pull requests without a remote."""
        self.run = run
        self.said = Said(files.make_below(run.here.runtime, "remote", mode=0o700), run.redact)
        self.pushing = Pushing(run, self.said) if run.project.push and run.project.land == "branch" else None
        self.proposals = Proposals(run, self.said) if run.project.land == "pr" else None
        self._phase = "over"
        self._errand: Reply | None = None

    @property
    def wanted(self) -> bool:
        """Whether the run needs a courier at all."""
        return self.pushing is not None or self.proposals is not None

    def begin(self, phase: str) -> None:
        """A courier comes: for the `run`, where it waits for errands, or for what is due before or after."""
        self._phase, self._errand = phase, None
        if phase != "run":
            self.run.sync()
        for part in (self.pushing, self.proposals):
            if part is not None:
                part.begin(phase)

    def end(self) -> None:
        """The courier is to leave when its errand is done."""
        self._phase = "over"

    def lost(self) -> None:
        """It is gone, and what it was at may have happened or not."""
        self._errand = None

    def next(self) -> Reply | None:
        """The next errand, `stop`, or None to wait for one."""
        for part in (self.proposals, self.pushing):
            if part is not None and self._phase != "over" and self._errand is None:
                self._errand = part.next()
        if self._errand is None and self._phase != "run":
            return ("stop",)
        return self._errand

    def due(self) -> float | None:
        """Seconds until `next` may have something though nothing has happened here; None: never."""
        if self._phase != "run" or self._errand is not None or self.proposals is None:
            return None
        return self.proposals.due()

    def back(self, code_text: str) -> Reply:
        """How the errand ended: a line for people, or nothing."""
        errand, self._errand = self._errand, None
        if errand is None:
            return ()
        code = wire.number(code_text)
        if self.proposals is not None:
            return self.proposals.back(errand, code)
        return self.pushing.back(errand, code) if self.pushing is not None else ()

    def lines(self) -> list[str]:
        """For the end of a run: what is not as it should be over there, and how to mend it by hand."""
        return [line for part in (self.pushing, self.proposals) if part is not None for line in part.lines()]


class Pushing:
    """The branch goes to the remote; a newer head takes the place of one that waits."""

    def __init__(self, run: Run, said: Said) -> None:
        self.run, self.said = run, said
        self.remote, self.branch = run.project.remote, run.project.branch
        # What the remote had when it was last seen; git push keeps this.
        self.pushed = run.here.git.commit(f"refs/remotes/{self.remote}/{self.branch}")
        self.failed = ""  # the head that could not be pushed: not tried again before there is another
        self.problem = ""  # and why
        self._now = False

    def begin(self, phase: str) -> None:
        """In the beginning nothing is pushed; at the end what failed is tried once more."""
        self._now = phase != "start"
        if phase != "run":
            self.failed = ""

    def next(self) -> Reply | None:
        """A push, when there is something to push."""
        head = self.run.branch.head
        if not self._now or head in (self.pushed, self.failed):
            return None
        return "push", self.remote, head, f"refs/heads/{self.branch}"

    def back(self, errand: Reply, code: int) -> Reply:
        """How it went; said where it is news."""
        before, head = self.problem, errand[2]
        if code == 0:
            self.pushed, self.problem = head, ""
            self.run.journal.append("pushed", head=head, remote=self.remote)
            return ("say", f"pushed to {self.remote} again") if before else ()
        self.failed, self.problem = head, self.said.why(code, self.remote, "git push")
        self.run.journal.append("push-failed", head=head, remote=self.remote, why=self.problem)
        if before == self.problem:
            return ()
        return "warn", f"{self.branch} cannot be pushed: {self.problem}; the work goes on"

    def lines(self) -> list[str]:
        """What is not pushed, why, and how to do it by hand."""
        if self.run.branch.head == self.pushed:
            return []
        folder = word(self.run.here.project)
        hint = f"git -C {folder} push {self.remote} {self.branch}"
        if "not here" in self.problem:
            hint = f"git -C {folder} pull --no-rebase {self.remote} {self.branch}, then {hint}"
        why = self.problem or "the run ended before it was"
        return [f"{self.branch} is not pushed to {self.remote}: {why}; by hand: {hint}"]
