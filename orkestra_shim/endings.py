"""How an attempt ends without landing, and the outcome that is written when it is the last.

Attempts are counted here (agent failed or timed out, nothing changed, check, gate or committee said
no). An interruption, a lost job, a limit, the first revision and a conflict are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from . import assigning, calibration, candidates, evidence, kinds, queue, resuming, votes, wire
from .agents import PERSON
from .run import Run
from .tasks import DEFAULT_ATTEMPTS
from .text import clean
from .work import Reply, Work

LOSSES = 5  # jobs of a task that began and were lost one after the other, then a person is asked
CONFLICTS = 3  # the agent mends a conflict so often, then a person is asked
_WHY = 2000  # characters of a reason that are kept


class Endings:
    """Each method takes a task out of a worker's hands."""

    def __init__(self, run: Run) -> None:
        self.run = run

    # --- the task goes on ----------------------------------------------------------------------------------

    def put_back(self, work: Work, hold: bool = False) -> None:
        """The task is pending again; `hold`: but not given out before something changed.

        Not while other workers have candidates of it.
        """
        work.done = True
        if self.run.in_hand(work.task.id):
            return
        status, reason = work.dropped or ("pending", "")
        self.run.queue.set_status(work.task, status, reason)
        self.run.queue.hold(work.task, queue.FOR_PERSON, hold)
        self.run.queue.hold(work.task, queue.IN_HAND, False)

    def fail(self, work: Work, why: str) -> Reply:
        """Count this attempt; the next one gets the reason, or the task is given up."""
        run, state = self.run, self.run.state(work.task.id)
        why = self._reason(work.verdict or why) or "no reason was given"
        detail = run.redact(work.detail or _log_tail(work))
        if work.mode == candidates.CANDIDATE:
            return self._out(work, why, detail)
        if work.agent == PERSON:
            self.person(work, f"{why}; orkestra attach {work.task.id} goes on with it")
            return ("needs a person",)
        if work.ballot:
            return self._voted(work, why)
        if not _is_to_be_mended(work):
            resuming.forget(run.here.git.git_dir, work.task.id)
        run.event("attempt-failed", work.task.id, work.number, durable=True, why=why, detail=detail)
        most = work.task.raw.get("max_attempts", DEFAULT_ATTEMPTS)
        if state.failures >= most:
            self.draft(work, "failed", f"{why} (attempt {state.failures} of {most})")
            return ("failed",)
        run.retry_later(work.task, state.failures)
        self.put_back(work)
        return ("again",)

    def set_aside(self, work: Work, why: str) -> Reply:
        """A candidate that only a person may pass; others may be chosen."""
        self._out(work, self._reason(why), "", person=True)
        return "person", why

    def _out(self, work: Work, why: str, detail: str, **more: bool) -> Reply:
        """The committee does not get to see this candidate; others may pass."""
        told = {"agent": work.agent, "why": why, "detail": detail, **more}
        self.run.event("candidate-out", work.task.id, work.number, durable=True, **told)
        self.put_back(work)
        return ("out",)

    def _voted(self, work: Work, why: str) -> Reply:
        """Work that a person voted on goes no further: by that vote, or though it was for it."""
        if work.rejected:
            self.draft(work, "failed", why)
            return ("failed",)
        self.person(work, f"{why}; no vote passes that (orkestra task retry {work.task.id})")
        return ("needs a person",)

    def conflict(self, work: Work, why: str, *_: str) -> Reply:
        """What landed meanwhile does not go with this; not an attempt, but not for ever either."""
        run, state = self.run, self.run.state(work.task.id)
        why = self._reason(why)
        resuming.forget(run.here.git.git_dir, work.task.id)
        resumed = work.mode == "resume" and state.chosen > 0
        of: dict[str, Any] = {"previous": state.chosen} if resumed else {}
        run.event("conflict", work.task.id, work.number, why=why, detail=run.redact(_log_tail(work)), **of)
        if work.agent == PERSON:
            return self.person(work, f"{why}; orkestra attach {work.task.id} shows where")
        if work.ballot:
            return self.person(work, f"{why} (orkestra task retry {work.task.id} does it again)")
        if state.conflicts >= CONFLICTS:
            return self.person(work, f"{state.conflicts} times {why}")
        self.put_back(work)
        return ("again",)

    def released(self, work: Work, why: str) -> Reply:
        """The worker gives the task back; not an attempt."""
        self.run.event("released", work.task.id, work.number, why=self.run.redact(why)[:600])
        self.put_back(work)
        return ()

    def lost(self, work: Work, begun: str, why: str, commit: str) -> Reply:
        """A job on another machine left no word of its end; what it was to judge is kept as `commit`.

        Not an attempt. A task with which jobs are lost again and again once they have begun (a cluster's own
        time limit ends them so) is for a person; one whose jobs do not begin waits for the cluster.
        """
        run, state, why = self.run, self.run.state(work.task.id), self._reason(why)
        kept = wire.object_id(commit) if commit and work.mode != candidates.CANDIDATE else ""
        told = self._unpaid(work) if begun == "1" else {}
        run.event("lost", work.task.id, work.number, why=why, begun=begun == "1", commit=kept, **told)
        run.losses += 1
        if state.died >= LOSSES:
            person = f"{state.died} jobs of it were lost one after the other: {why}"
            if work.mode == candidates.CANDIDATE:
                return self._out(work, person, "")
            return self.person(work, f"{person} (see whether the launcher's limits are enough for it)")
        delay = run.lost_again(work.task, state.losses)
        self.put_back(work)
        return (f"again in {delay:.0f} s" if delay else "again",)

    def held(self, work: Work, commit: str, paths: str) -> Reply:
        """A person's uncommitted edit is in the way: the finished work waits."""
        run = self.run
        shown = ", ".join(part for part in clean(paths).split("\n") if part)
        run.ledger.give_up(work.outcome, work.task.id)
        run.event("held", work.task.id, work.number, commit=wire.object_id(commit), paths=shown)
        self.put_back(work, hold=True)
        return ()

    def interrupted(self, work: Work) -> None:
        """The worker is gone. What it had landed counts, the rest is put back."""
        if work.recording:
            self.run.ledger.give_up(work.outcome, work.task.id)
            work.done = True
            if not self.run.ledger.open:  # what another one lands just now is told by that one
                self.run.sync()
        if work.task.status == "in_progress":
            why = f"{work.dropped[0]} by a person" if work.dropped else "its worker is gone"
            self.run.meter.ballots(work)
            self.run.event("interrupted", work.task.id, work.number, why=why, **self._unpaid(work))
            self.put_back(work)

    def _unpaid(self, work: Work) -> dict[str, Any]:
        """What is to be said of the cost of an agent that did not come to its end."""
        at_work = self.run.state(work.task.id).at_work
        return self.run.meter.cut_off(work.task.id, work.number, at_work.get(work.number, ""))

    def _reason(self, why: str) -> str:
        return self.run.redact(clean(why).strip())[:_WHY]

    # --- the task is decided -------------------------------------------------------------------------------

    def person(self, work: Work, why: str, asks: str = "") -> Reply:
        """Nobody here may decide it: it waits for a person; `asks` says what for, where it is a vote."""
        why = self.run.redact(why)[:_WHY]
        self.draft(work, "needs_human", why, {"asks": asks} if asks else {})
        return "person", why

    def settled(self, work: Work) -> Reply:
        """Nothing had to change, and that is allowed."""
        self.draft(work, "answered", "nothing had to change")
        return ()

    def draft(
        self, work: Work, decision: str, why: str, more: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        """An outcome without a change: it becomes a record with the next landing or at the end."""
        run = self.run
        work.done = True
        draft = {**self.outcome(work, decision, why), **more}
        if run.project.land == "pr":  # it may be long before a record holds it: it has its name from now on
            draft["id"] = run.ledger.take_outcome()
        retried = {"retried": int(work.task.raw.get("retried", 0))}
        run.event("outcome-drafted", work.task.id, work.number, durable=True, draft=draft, **retried)
        status = {"answered": "completed", "planned": "completed"}.get(decision, decision)
        if status == "completed":
            resuming.forget(run.here.git.git_dir, work.task.id)
        run.queue.set_status(work.task, status, "" if status == "completed" else why)
        run.queue.hold(work.task, queue.FOR_PERSON, False)
        run.queue.hold(work.task, queue.IN_HAND, False)

    def outcome(
        self, work: Work, decision: str, why: str, change: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """The body of an outcome record; number, chain and hashes come with the landing."""
        held = votes.of_task(self.run, work.task.id)
        vote = _deciding(held, change)
        body = {
            "task": work.task.id,
            "title": work.task.title,
            "attempt": work.number,
            "decision": decision,
            "why": vote["why"] if change and vote else why,
            "agent": work.agent,
            "reviewed_by": vote["reviewed_by"] if vote else "none",
            "evidence": work.evidence,
            "gates": work.gates,
            "votes": list(held),
            "cost": dict(self.run.state(work.task.id).cost),
        }
        told: dict[str, Any] = self.run.redact.deep(body)
        return {**told, "change": change} if change else told


def _deciding(held: dict[str, dict[str, Any]], change: dict[str, Any] | None) -> dict[str, Any] | None:
    """The vote that an outcome tells of: the last approval of what landed, else the last of all."""
    for vote in reversed(held.values()) if change else ():
        if change and any(one["patch_id"] == change["patch_id"] for one in kinds.accepted(vote)):
            return vote
    beside = (calibration.KIND, assigning.KIND)  # which say nothing of the work
    told = [name for name, vote in held.items() if vote["kind"] not in beside]
    return held[max(told, key=lambda name: int(name.split("-")[1]))] if told else None


def _is_to_be_mended(work: Work) -> bool:
    """Whether the agent did its work and that was found wanting by the check or a gate."""
    return any(item["exit"] != 0 for item in work.evidence) or any(not gate["passed"] for gate in work.gates)


def _log_tail(work: Work) -> str:
    if any(item["exit"] != 0 for item in work.evidence):
        return evidence.tail(work.folder / "check.log")
    return "" if work.evidence or work.gates else evidence.tail(work.folder / "output.log")
