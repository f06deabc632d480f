"""The project's remote: what the courier of a run has to do there next, and what follows from how it went.

A push never holds up a landing, is never forced, and its failure never takes a landing back: it is said
once, tried again with the next landing and at the end, and then the summary says what is not pushed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from . import files, wire
from .text import clean, printable, word
from .work import Reply

if TYPE_CHECKING:
    from .run import Run

COURIER = "courier"  # the client that goes there
_SAID = 500  # characters of what a remote says that are shown
_TIMED_OUT = (124, 137)


class Remote:
    """The errands of one run. Nothing is asked of any remote unless the project's settings say so."""

    def __init__(self, run: Run) -> None:
        self.run = run
        project, git = run.project, run.here.git
        self.name = project.remote
        self.pushes = project.push and project.land == "branch"
        self.wanted = self.pushes
        self.folder = files.make_below(run.here.runtime, "remote", mode=0o700)
        # What the remote had when it was last seen; git push keeps this.
        tracking = f"refs/remotes/{self.name}/{project.branch}"
        self.pushed = git.commit(tracking) if self.pushes else None
        self.failed = ""  # the head that could not be pushed: not tried again before there is another
        self.problem = ""  # and why
        self._phase = "over"
        self._errand: Reply | None = None

    # --- the courier's verbs -------------------------------------------------------------------------------

    def begin(self, phase: str) -> None:
        """A courier comes: for the `run`, where it waits for errands, or for what is due before or after."""
        self._phase, self._errand = phase, None
        if phase != "run":
            self.failed = ""

    def end(self) -> None:
        """The courier is to leave when its errand is done."""
        self._phase = "over"

    def lost(self) -> None:
        """It is gone, and what it was at may have happened or not."""
        self._errand = None

    def next(self) -> Reply | None:
        """The next errand, `stop`, or None to wait for one."""
        if self._phase != "over":
            self._errand = self._push()
        if self._errand is None and self._phase != "run":
            return ("stop",)
        return self._errand

    def back(self, code_text: str) -> Reply:
        """How the errand ended: a line for people, or nothing."""
        errand, self._errand = self._errand, None
        if errand is None:
            return ()
        return self._after_push(errand[2], wire.number(code_text))

    # --- pushing -------------------------------------------------------------------------------------------

    def _push(self) -> Reply | None:
        if self._phase != "run":
            self.run.sync()
        head = self.run.branch.head
        if not self.pushes or self._phase == "start" or head in (self.pushed, self.failed):
            return None
        return "push", self.name, head, f"refs/heads/{self.run.project.branch}"

    def _after_push(self, head: str, code: int) -> Reply:
        before = self.problem
        if code == 0:
            self.pushed, self.problem = head, ""
            self.run.journal.append("pushed", head=head, remote=self.name)
            return ("say", f"pushed to {self.name} again") if before else ()
        self.failed, self.problem = head, self._why(code)
        self.run.journal.append("push-failed", head=head, remote=self.name, why=self.problem)
        if before == self.problem:
            return ()
        return "warn", f"{self.run.project.branch} cannot be pushed: {self.problem}; the work goes on"

    def lines(self) -> list[str]:
        """For the end of a run: what is not pushed, why, and how to do it by hand."""
        head, project = self.run.branch.head, self.run.project
        if not self.pushes or head == self.pushed:
            return []
        folder = word(self.run.here.project)
        hint = f"git -C {folder} push {self.name} {project.branch}"
        if "not here" in self.problem:
            hint = f"git -C {folder} pull --no-rebase {self.name} {project.branch}, then {hint}"
        why = self.problem or "the run ended before it was"
        return [f"{project.branch} is not pushed to {self.name}: {why}; by hand: {hint}"]

    # --- what the other side said --------------------------------------------------------------------------

    def _why(self, code: int) -> str:
        if code in _TIMED_OUT:
            return f"{self.name} did not answer in time (ORKESTRA_REMOTE_TIMEOUT)"
        out = (files.read_bounded(self.folder / "out", 1 << 16) or b"").decode("utf-8", "replace")
        said = self._words()
        # A line of `git push --porcelain`: flag, refs, [reason].
        if re.search(r"^!\t.*\t\[rejected\] \((fetch first|non-fast-forward)\)", out, re.MULTILINE):
            return f"{self.name} has commits that are not here"
        refused = re.search(r"^!\t.*\t\[remote rejected\] \((.*)\)", out, re.MULTILINE)
        if refused:
            said = "; ".join(part for part in (said, self._shown(refused.group(1))) if part)
            return f"{self.name} refuses it: {said}"
        return said or f"git push ended with {code}"

    def _words(self) -> str:
        """The remote's and Git's own words, in one line: no key in it, and nothing that moves a cursor."""
        text = (files.read_bounded(self.folder / "err", 1 << 16) or b"").decode("utf-8", "replace")
        found = []
        for line in clean(text).splitlines():
            line = re.sub(r"^(remote: *|fatal: |error: )+", "", line.strip()).strip()
            if line and not line.startswith(("hint:", "failed to push some refs", "To ", "warning:")):
                found.append(line)
        return self._shown("; ".join(dict.fromkeys(found)))

    def _shown(self, text: str) -> str:
        text = re.sub(r"(\w://)[^/@\s]+@", r"\1", text)  # a name and key in an address
        return printable(self.run.redact(text))[:_SAID]
