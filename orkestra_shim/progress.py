"""What the execution log says of how long things take, and of what waits."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import files
from .journal import FILE, seconds_of

ENOUGH = 5  # attempts from which a span is told
_TAIL = 4 << 20  # bytes of the log that are looked at while a run goes on
_GLANCE = 256 << 10  # and without one: only what waits is wanted then
_GLANCED = (b'"event":"held"', b'"event":"claimed"', b'"event":"landed"', b'"event":"review-put-off"')
_RIVALS = ("candidate", "candidate-out")
_ENDS = (
    *("landed", "attempt-failed", "revision", "conflict", "outcome-drafted", "held", "review-put-off"),
    *_RIVALS,
)
_NO_ATTEMPT = ("released", "interrupted")


@dataclass
class Past:
    """What the tail of a log tells. Times are epoch seconds, lengths seconds."""

    lengths: dict[str, list[int]] = field(default_factory=dict)  # by agent, of attempts that ended
    begun: dict[str, tuple[int, str, float]] = field(default_factory=dict)  # open ones: try, agent, since
    held: dict[str, str] = field(default_factory=dict)  # task to the files a person has edits in
    put_off: dict[str, list[str]] = field(default_factory=dict)  # task to reviewers that its change waits for
    settled: int = 0  # tasks that came to an end

    def of(self, agent: str) -> list[int]:
        """Lengths of past attempts by an agent; of `auto`, by all."""
        if agent != "auto":
            return self.lengths.get(agent, [])
        return [one for lengths in self.lengths.values() for one in lengths]


def read(project: Path, whole: bool) -> Past:
    """From the log of a project on this machine; `whole`: also how long things took."""
    raw = files.read_tail(project / FILE, _TAIL if whole else _GLANCE) or b""
    lines = raw.splitlines()
    if not whole:
        lines = [line for line in lines if any(word in line for word in _GLANCED)]
    return told(_events(lines), whole)


def _events(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue  # half a line: the tail begins anywhere
        if isinstance(event, dict):
            yield event


def told(events: Iterable[dict[str, Any]], timed: bool = True) -> Past:
    """The same from events in their order; what is no event of ours is passed over."""
    past = Past()
    for event in events:
        kind, task = event.get("event"), event.get("task")
        at = seconds_of(event.get("at")) if timed else 0.0
        if isinstance(task, str) and at is not None:
            _take(past, str(kind), task, at, event)
    return past


def _take(past: Past, kind: str, task: str, at: float, event: dict[str, Any]) -> None:
    past.put_off.pop(task, None)
    if kind == "review-put-off" and isinstance(names := event.get("reviewers"), list):
        past.put_off[task] = [str(name) for name in names]
    if kind == "claimed":
        past.held.pop(task, None)
        past.begun.pop(task, None)
        if event.get("mode") != "resume" and isinstance(event.get("try"), int):
            past.begun[task] = (event["try"], str(event.get("agent")), at)
        return
    if kind in ("landed", "outcome-drafted"):
        past.settled += 1
    if kind == "held":
        past.held[task] = str(event.get("paths", ""))
    elif kind == "landed":
        past.held.pop(task, None)
    if kind in _RIVALS and past.begun.get(task, (0,))[0] != event.get("try"):
        return  # another candidate of it was begun after this one
    if kind in _ENDS and task in past.begun:
        _, agent, since = past.begun.pop(task)
        if at >= since:  # a clock that was set back tells nothing
            past.lengths.setdefault(agent, []).append(int(at - since))
    elif kind in _NO_ATTEMPT:
        past.begun.pop(task, None)


# --- what is to be expected ---------------------------------------------------------------------------------


def median(lengths: list[int]) -> int | None:
    """The middle one, None when there is none."""
    return _quantile(lengths, 0.5) if lengths else None


def _quantile(lengths: list[int], part: float) -> int:
    ordered = sorted(lengths)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def span(rows: dict[str, dict[str, Any]], past: Past, workers: int) -> tuple[int, int] | None:
    """Seconds, from and to, until all that can be done is done; None when nobody can know.

    From: all quarter-quantile lengths, side by side or along the longest chain. To: what list scheduling
    takes at most (Graham 1966: sum / workers + chain) of three-quarter-quantile lengths, as often as a task
    was tried so far.
    """
    todo = {name: row for name, row in rows.items() if is_open(row)}
    lengths = {agent: past.of(agent) for agent in {str(row["agent"]) for row in todo.values()}}
    if not todo or workers < 1 or any(len(one) < ENOUGH for one in lengths.values()):
        return None
    tried = max(1.0, sum(map(len, past.lengths.values())) / max(1, past.settled))
    gone = {name: time.time() - row["since"] if "since" in row else 0.0 for name, row in todo.items()}
    low = {name: max(0.0, _quantile(lengths[row["agent"]], 0.25) - gone[name]) for name, row in todo.items()}
    high = {
        name: max(0.0, _quantile(lengths[row["agent"]], 0.75) * tried - gone[name])
        for name, row in todo.items()
    }
    least = max(sum(low.values()) / workers, _chain(todo, low))
    return int(least), int(sum(high.values()) / workers + _chain(todo, high)) + 1


def is_open(row: dict[str, Any]) -> bool:
    """Whether a run will still do it as things stand."""
    return row["state"] in ("in_progress", "ready", "waiting") and not row.get("blocked_by")


def _chain(todo: dict[str, dict[str, Any]], lengths: dict[str, float]) -> float:
    """The longest way through dependencies."""
    ends: dict[str, float] = {}
    for start in todo:
        stack = [start]
        while stack:
            name = stack[-1]
            before = [one for one in todo[name]["depends_on"] if one in todo]
            missing = [one for one in before if one not in ends]
            if name in ends or not missing:
                stack.pop()
                ends.setdefault(name, lengths[name] + max((ends[one] for one in before), default=0.0))
            else:
                stack += missing
    return max(ends.values(), default=0.0)
