"""What was spent so far, for `orkestra status`: today by all projects, and for this one in all.

What was decided is in the records, which every clone has; the rest is in this machine's spending.jsonl.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import budgets, spending
from .board import Board
from .budgets import DAY, UNITS, Limit
from .session import Session
from .spending import Total


def told(now: Session, seen: Board) -> dict[str, dict[str, int]]:
    """For programs."""
    today, ours = _sums(now, seen)
    return {"today": today.told(), "project": ours.told()}


def lines(now: Session, seen: Board) -> Iterator[str]:
    """For people: nothing where nothing was spent and no budget is set."""
    today, ours = _sums(now, seen)
    parts = [f"today {text} (all projects)"] if (text := today.words()) else []
    parts += [f"this project {text}"] if (text := ours.words()) else []
    if parts:
        yield f"spent          {'; '.join(parts)}"
    for limit in _limits(now, seen, today, ours):
        yield f"budget         {limit.words()}"


def _sums(now: Session, seen: Board) -> tuple[Total, Total]:
    today, ours = Total(), Total()
    for outcome in seen.branch.outcomes.values():
        if isinstance(cost := outcome.get("cost"), dict):
            ours.add_cost(cost)
    since = spending.midnight()
    for line in spending.of_project(now.home.config, seen.project.id, since):
        if line["at"] >= since:
            today.add_line(line)
        decided = seen.branch.by_task.get(str(line.get("task")))
        is_decided = decided is not None and line["at"] <= str(decided.get("recorded_at"))
        if line.get("project") == seen.project.id and not is_decided:
            ours.add_line(line)
    return today, ours


def _limits(now: Session, seen: Board, today: Total, ours: Total) -> Iterator[Limit]:
    declared = budgets.amounts(seen.project.data.get("budget"))
    for scope, total in (("project", ours), ("day", today)):
        spent: dict[str, Any] = {"usd": total.usd_micros, "tokens": total.tokens, "seconds": total.seconds}
        for unit in UNITS:
            most = declared.get(unit) if scope == "project" else _of_day(now, unit)
            if most is not None:
                yield Limit(scope, unit, most, spent[unit])


def _of_day(now: Session, unit: str) -> int | None:
    text = now.values[DAY[unit]].text
    return budgets.micros(text) if text and unit == "usd" else int(text) if text else None
