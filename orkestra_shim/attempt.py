"""An attempt's way through its stages: what a worker reports, and what follows from it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from . import candidates, canonical, casting, evidence, files, followups, queue, resuming, tickets, wire
from .agents import COMMITTEE, login_hint
from .candidates import Rounds
from .endings import Endings
from .errors import EX_DATA, EX_LIMITED, EX_LOGIN, EX_TIMEOUT, EX_UNAVAILABLE, OrkestraError
from .evidence import Result
from .review import Review
from .run import Run
from .tasks import DEFAULT_TIMEOUT, Task
from .text import clean
from .work import Place, Reply, Work

QUICK = 1  # seconds: a check that takes no longer may be run while nothing else lands
_ATTEMPTS = "refs/orkestra/attempts/"
_SAID = 600  # characters of what an agent says that are kept


class Attempts:
    """The worker's verbs over a run, from the claim to the vote."""

    def __init__(self, run: Run, review: Review, rounds: Rounds, endings: Endings) -> None:
        self.run = run
        self.review = review
        self.rounds = rounds
        self.endings = endings
        self._renewed: set[str] = set()  # tasks that were put back since their login was another one by then
        self._know_kept()
        self._longest: dict[str, int] = {}  # seconds that a check took at most, by its command

    def _know_kept(self) -> None:
        """What is kept has a number, also where the log tells nothing of it: in a mirror, by `doctor`."""
        names = self.run.here.git.run("for-each-ref", "--format=%(refname:lstrip=3)", _ATTEMPTS)
        for name in names.decode("utf-8", "replace").splitlines():
            task, _, number = name.partition("/")
            if re.fullmatch("[0-9]{1,6}", number):
                state = self.run.state(task)
                state.tries = max(state.tries, int(number))

    def begin(self, worker: str, task: Task, agent: str, why: str) -> tuple[Work, Reply]:
        """Give a task to a worker, for an agent that was chosen: its ticket and folder, the reply."""
        run, here = self.run, self.run.here
        state = run.state(task.id)
        submitted = int(task.raw.get("submitted", 0))
        ballot = dict(task.raw.get("ballot") or {})
        given = submitted if not ballot else int(ballot["attempt"])
        own = f"refs/orkestra/attempts/{task.id}/{given}" if given else ""
        kept = here.git.commit(state.kept or own) if state.kept or own else None
        asks = task.asks or (agent == COMMITTEE and not task.full)  # also who is to do it
        start = 0 if asks or kept or state.previous else int(task.raw.get("from_attempt", 0))
        mode = "ask" if asks else "resume" if kept else candidates.mode(task, state) or "fresh"
        number = submitted if submitted and submitted >= state.tries else state.tries + 1
        place = Place(here.runtime / worker, here.workspaces / worker, here.project)
        work = Work(task, number, agent, run.try_folder(task.id, number), place, first=number, start=start)
        work.ballot, work.mode = ballot, mode
        try:
            (tickets.for_question if asks else tickets.for_task)(run, work)
        except OrkestraError:
            run.queue.hold(task, queue.IN_HAND)
            raise
        run.queue.hold(task, queue.REVIEW, False)
        if ballot and not kept:
            work.mode = "from"
        elif work.start:
            work.mode, kept = "from", here.git.commit(f"refs/orkestra/attempts/{task.id}/{work.start}")
        told: dict[str, Any] = {"agent": agent, "worker": worker, "mode": work.mode, "chosen": why}
        run.event("claimed", task.id, number, **told, **run.purse.fields(task.id, number))
        run.works[task.id] = [*run.in_hand(task.id), work]
        run.queue.hold(task, queue.IN_HAND)
        run.queue.set_status(task, "in_progress")
        return work, ("task", task.id, str(number), agent, work.mode, kept or "", run.agents.get(agent).kind)

    def base(self, work: Work, commit: str) -> Reply:
        """The workspace is prepared on this commit; its tree."""
        tree = self.run.here.objects.tree_of(wire.object_id(commit))
        self.run.event("based", work.task.id, work.number, base=commit)
        return (tree,)

    def unmergeable(self, work: Work, paths: str) -> Reply:
        """The kept work to begin from is in conflict with the branch: the agent gets its patch."""
        run = self.run
        run.event("unmergeable", work.task.id, work.number, attempt=work.start, paths=clean(paths)[:_SAID])
        work.start, work.handed = 0, work.start
        tickets.for_task(run, work)
        return ()

    # --- the agent's work ----------------------------------------------------------------------------------

    def worked(self, work: Work, code_text: str, seconds: str, exchange: str = "", limit: str = "") -> Reply:
        """The agent ended. The verdict comes from its exit and its own output together.

        One that was ended because it took too much (limit says of what) failed, whatever it says itself.
        """
        run, code = self.run, wire.number(code_text)
        run.losses = 0
        folders = [work.folder, *([Path(exchange)] if exchange else [])]
        result = evidence.read_result(folders, run.agents.get(work.agent).extract, code)
        code = code if limit else result.exit_over(code)
        if work.session and not limit and _did_not_begin(result, code):
            return self._afresh(work, run.redact(clean(result.error or result.problem).strip())[:_SAID])
        run.event(
            "worked",
            work.task.id,
            work.number,
            agent=work.agent,
            exit=code,
            seconds=wire.number(seconds),
            **run.meter.work(work, result, code, wire.number(seconds)),
            **followups.look(run, work),
        )
        if limit:
            work.verdict = f"the agent {clean(limit).strip()[:_SAID]}"
            return "failed", work.verdict
        said = run.redact(clean(result.error or result.problem).strip())[:_SAID]
        if code == EX_LIMITED:
            return self._limited(work, result, said or "limited")
        self.run.agents.answered(work.agent)
        if code in (EX_UNAVAILABLE, EX_LOGIN):
            return self._unavailable(work, code, said)
        work.verdict = _fault(work, code, said)
        return ("failed", work.verdict) if work.verdict else ("done",)

    def _afresh(self, work: Work, why: str) -> Reply:
        """Its session cannot be gone on with: the same try once more, without it."""
        run = self.run
        run.event("session-dropped", work.task.id, work.number, why=why)
        resuming.forget(run.here.git.git_dir, work.task.id)
        tickets.for_task(run, work)
        return ("afresh",)

    def _limited(self, work: Work, result: Result, why: str) -> Reply:
        until, told = self.run.resting.met(work.agent, result, why, task=work.task.id)
        self.endings.put_back(work)
        return "limited", str(until), told

    def _unavailable(self, work: Work, code: int, said: str) -> Reply:
        why = said or evidence.tail(work.folder / "output.log", _SAID)
        why = why or ("not logged in" if code == EX_LOGIN else "not available")
        agent = self.run.agents.get(work.agent)
        if code == EX_LOGIN and work.task.id not in self._renewed and tickets.login_is_new(self.run, work):
            # What was refused was the old one, which another agent's tool has refreshed since.
            self._renewed.add(work.task.id)
            self.run.event("login-renewed", work.task.id, work.number, agent=work.agent)
            self.endings.put_back(work)
            return "unavailable", f"{why} (its login has been refreshed meanwhile: it is tried with that)"
        if code == EX_LOGIN:
            why += f" ({login_hint(agent)})"
        self.run.agents.cannot(agent, why, whole_account=code == EX_LOGIN)
        self.run.journal.append("unavailable", agent=work.agent, why=why)
        self.endings.put_back(work)
        return "unavailable", why

    # --- what it changed -----------------------------------------------------------------------------------

    def taken(self, work: Work, tree: str, count: str) -> Reply:
        """The workspace's tree was taken; count is how many files the change touches."""
        wire.object_id(tree)
        if wire.number(count) > 0 and work.mode == candidates.CANDIDATE:
            return ("changed",)  # it has no turn to land
        if wire.number(count) > 0:
            return ("changed", "quick") if self._is_quick(work) else ("changed",)
        if work.task.raw.get("allow_empty"):
            return ("empty-allowed",)
        work.verdict = "the agent changed nothing"
        return "failed", work.verdict

    def _is_quick(self, work: Work) -> bool:
        """Whether judging takes a moment, as far as this run knows: a fast check, programs that vote."""
        command = tickets.check_of(self.run, work)
        # A check that this run has not seen is taken for one like the others.
        others = max(self._longest.values(), default=QUICK + 1)
        seconds = self._longest.get(command, others) if command.strip() else 0
        return seconds <= QUICK and self.review.programs_alone

    def checked(self, work: Work, code_text: str, seconds: str, tree: str) -> Reply:
        """The check ended; its log is the evidence for exactly this tree."""
        command = (files.read_bounded(work.place.folder / "check", 1 << 20) or b"").decode("utf-8", "replace")
        self.run.losses = 0
        log = files.read_bounded(work.folder / "check.log", 64 << 20) or b""
        told = {
            "check": self.run.redact(command),
            "exit": wire.number(code_text),
            "log_sha256": canonical.sha256(log),
            "tree": wire.object_id(tree),
        }
        known = tickets.check_of(self.run, work)
        self._longest[known] = max(wire.number(seconds), self._longest.get(known, 0))
        work.evidence = [told] if command.strip() else []
        self.run.event("checked", work.task.id, work.number, exit=told["exit"], seconds=wire.number(seconds))
        return ()

    def gated(self, work: Work, code_text: str = "0") -> Reply:
        """The gates ran; a gate that broke is a refusal."""
        work.gates = evidence.read_gates(work.folder / "gates.tsv")
        for gate in work.gates:
            gate["evidence"] = self.run.redact(gate["evidence"])
        refused = [f"{gate['gate']}: {gate['evidence']}" for gate in work.gates if not gate["passed"]]
        if refused or wire.number(code_text) != 0 or not work.gates:
            work.verdict = f"a gate refused it: {'; '.join(refused) or 'a gate could not decide'}"
            self.run.event("gates-refused", work.task.id, work.number, why=work.verdict)
            return "refused", work.verdict
        marked = [gate["evidence"] or gate["gate"] for gate in work.gates if gate["marked"]]
        if marked and not work.ballot and not self.review.electors.can_pass_marked(work):
            why = (
                f"it changes what judges it, and no reviewer here may pass that: {'; '.join(marked)} "
                "(if it is meant, name it in the task's allow_paths and retry)"
            )
            if work.mode == candidates.CANDIDATE:
                return self.endings.set_aside(work, why)
            return self.endings.person(work, why, casting.ASKS)
        return ("pass", self.rounds.judges(work)) if work.mode == candidates.CANDIDATE else ("pass",)


def _did_not_begin(result: Result, code: int) -> bool:
    """Whether it failed before a model was asked for anything."""
    known = (EX_LIMITED, EX_UNAVAILABLE, EX_LOGIN, EX_TIMEOUT)
    failed = (code != 0 or bool(result.error)) and code not in known
    return failed and not (result.usage and result.usage.total) and not result.usd_micros


def _timeout(task: Task) -> int:
    return int(task.raw.get("timeout", DEFAULT_TIMEOUT))


def _fault(work: Work, code: int, said: str) -> str:
    """Why the agent's work is not taken, '' when it is."""
    because = f": {said}" if said else ""
    if code == EX_TIMEOUT:
        why = f"the agent timed out after {work.seconds} seconds"
        return f"{why}, all that its budget left it" if work.seconds < _timeout(work.task) else why
    if code == EX_DATA:
        return f"the agent's output cannot be read{because}"
    if code != 0:
        last = said or evidence.last_words(work.folder / "output.log")
        return f"the agent failed: {last}" if last else f"the agent failed (exit {code})"
    return f"the agent reports an error{because}" if said else ""
