"""Who did what when: the stages of every attempt, from the execution log, else roughly from the records."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .journal import seconds_of

STAGES = ("waiting", "working", "checking", "voting", "landing")
_NEXT = {"worked": "checking", "checked": "voting", "vote-closed": "landing", "revision": "working"}
_ENDS = {
    "landed": "landed",
    "recorded": "landed",
    "proposed": "proposed",
    "outcome-drafted": "decided",
    "attempt-failed": "failed",
    "candidate": "a candidate",
    "candidate-out": "out",
    "conflict": "met a conflict",
    "released": "given back",
    "interrupted": "interrupted",
    "lost": "lost",
    "held": "waits for a person's edits",
}


@dataclass
class Stage:
    """A part of an attempt; times are epoch seconds, to the second."""

    kind: str
    start: float
    end: float


@dataclass
class Attempt:
    """A try of a task; `end` says in a word what became of it, '' where nobody knows."""

    task: str
    number: int
    agent: str
    worker: str
    stages: list[Stage] = field(default_factory=list)
    end: str = ""

    @property
    def start(self) -> float:
        """When it, or its waiting, began."""
        return self.stages[0].start

    def seconds(self, kind: str) -> int:
        """How long it was at a stage."""
        return int(sum(one.end - one.start for one in self.stages if one.kind == kind))


class _Reader:
    """Attempts out of events in their order."""

    def __init__(self, before: dict[str, list[str]]) -> None:
        self._before = before
        self._free: dict[str, float] = {}  # when a task's last attempt ended
        # By task, then by try: with the stage that it is at, and since when.
        self._open: dict[str, dict[int, tuple[Attempt, str, float]]] = {}
        self._first: float | None = None
        self.attempts: list[Attempt] = []

    def take(self, event: dict[str, Any]) -> None:
        """One event; what is none of ours is passed over."""
        kind, task, at = event.get("event"), event.get("task"), seconds_of(event.get("at"))
        if not isinstance(task, str) or at is None:
            return
        self._first = at if self._first is None else self._first
        if kind == "claimed":
            self._claimed(task, at, event)
        elif task in self._open and kind in _NEXT:
            self._step(task, at, str(kind), event)
        elif kind in _ENDS:
            self._ended(task, at, _ENDS[str(kind)], event.get("try"))

    def _claimed(self, task: str, at: float, event: dict[str, Any]) -> None:
        for open_one in list(self._open.get(task, ())) if event.get("mode") != "candidate" else ():
            self._ended(task, at, "", open_one)
        number = event.get("try")
        attempt = Attempt(
            task,
            number if isinstance(number, int) else 0,
            str(event.get("agent") or ""),
            str(event.get("worker") or ""),
        )
        known = [self._free[name] for name in [task, *self._before.get(task, [])] if name in self._free]
        since = max(known, default=self._first or at)
        if since < at:
            attempt.stages.append(Stage("waiting", since, at))
        self._begin(attempt, at)

    def _begin(self, attempt: Attempt, at: float) -> None:
        self.attempts.append(attempt)
        self._open.setdefault(attempt.task, {})[attempt.number] = (attempt, "working", at)

    def _take_out(self, task: str, number: object) -> tuple[Attempt, str, float] | None:
        """What is open of that try; where nothing is, the last that is of the task."""
        there = self._open.get(task, {})
        if not there:
            return None
        known = isinstance(number, int) and number in there
        found = there.pop(number if isinstance(number, int) and known else next(reversed(there)))
        if not there:
            del self._open[task]
        return found

    def _step(self, task: str, at: float, kind: str, event: dict[str, Any]) -> None:
        found = self._take_out(task, event.get("try"))
        assert found is not None
        attempt, stage, since = found
        _add(attempt, stage, since, at)
        if kind == "revision":
            attempt.end = "sent back"
            number = event.get("try")
            again = Attempt(task, number if isinstance(number, int) else 0, attempt.agent, attempt.worker)
            self._begin(again, at)
        else:
            self._open.setdefault(task, {})[attempt.number] = (attempt, _NEXT[kind], at)

    def _ended(self, task: str, at: float, how: str, number: object) -> None:
        self._free[task] = at
        if (found := self._take_out(task, number)) is not None:
            attempt, stage, since = found
            if how:
                _add(attempt, stage, since, at)
            attempt.end = how


def _add(attempt: Attempt, kind: str, since: float, at: float) -> None:
    """A stage that took no second is left out, but for an attempt's first."""
    if at > since or all(one.kind == "waiting" for one in attempt.stages):
        attempt.stages.append(Stage(kind, since, max(since, at)))


def read(events: Iterable[dict[str, Any]], before: dict[str, list[str]]) -> list[Attempt]:
    """Every attempt that a log tells of, in the order of their beginnings.

    `before` maps a task to those that it depends on: it waits from when the last of them was done.
    """
    reader = _Reader(before)
    for event in events:
        reader.take(event)
    return [attempt for attempt in reader.attempts if attempt.stages]


def from_records(outcomes: Iterable[dict[str, Any]], votes: dict[str, dict[str, Any]]) -> list[Attempt]:
    """The same, less exactly, in a clone without a log: the time at work is put before the last vote."""
    attempts = []
    for outcome in outcomes:
        recorded = seconds_of(outcome.get("recorded_at"))
        cost = outcome.get("cost") or {}
        named = [votes[one["id"]] for one in outcome.get("votes") or [] if one.get("id") in votes]
        opened = seconds_of(named[-1].get("opened_at")) if named else recorded
        closed = seconds_of(named[-1].get("closed_at")) if named else recorded
        if recorded is None or opened is None or closed is None:
            continue
        seconds = cost.get("seconds")
        worked = seconds if isinstance(seconds, int) else 0
        one = Attempt(
            str(outcome.get("task")), int(outcome.get("attempt") or 0), str(outcome.get("agent")), ""
        )
        one.stages = [Stage("working", opened - worked, opened)]
        one.stages += [Stage("voting", opened, closed), Stage("landing", closed, recorded)] if named else []
        one.end = str(outcome.get("decision"))
        attempts.append(one)
    return sorted(attempts, key=lambda one: one.start)
