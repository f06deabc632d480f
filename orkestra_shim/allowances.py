"""What was spent of each budget that a run is held by: its project's, its tasks', the day's, its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from . import budgets, reservations, spending
from .budgets import UNITS, Amount, Limit
from .tasks import Task

if TYPE_CHECKING:
    from pathlib import Path

    from .run import Run

Known = dict[str, int | None]  # by unit, None for what nobody knows


class Allowances:
    """Work is settled here as events of the execution log come in, at the start those of before."""

    def __init__(self, run: Run) -> None:
        """Raises 64 or 78 for a budget that is none."""
        self.run = run
        self.declared = run.project.data.get("budget")
        self.day = budgets.of_day()
        self._most = {"project": budgets.amounts(self.declared), "run": budgets.max_cost(run.here.max_cost)}
        self._spent: dict[str, Amount] = {"project": {}, "run": {}}
        self._charged: dict[str, Amount] = {"project": {}, "run": {}}
        self._tasks: dict[str, Amount] = {}
        self._reviews: dict[str, Amount] = {}
        self._today = Today(run.here.config)
        self._others: Amount = {}

    def hold(self, task: Task) -> bool:
        """Whether any budget holds work on this task."""
        return bool(self.declared or self.day or self._most["run"] or task.raw.get("budget"))

    def of_task(self, task: Task) -> Amount:
        """What the task may take in all."""
        return budgets.of_task(self.declared, task.raw.get("budget"))

    def of_attempt(self, task: Task) -> Amount:
        """What is declared for one attempt at it."""
        return budgets.of_attempt(self.declared, task.raw.get("budget"))

    def reviewed(self, task: str, unit: str) -> int:
        """What the ballots on a task's changes took."""
        return self._reviews.get(task, {}).get(unit, 0)

    def settle(self, task: str, known: Known, charged: Amount, is_ballot: bool, live: bool) -> None:
        """A piece of work came to its end. `charged` stands for what nobody knows; live: by this run."""
        scopes = ["project", "run"] if live else ["project"]
        places = [self._spent[scope] for scope in scopes]
        places.append(self._tasks.setdefault(task, {}))
        if is_ballot:
            places.append(self._reviews.setdefault(task, {}))
        for place in places:
            _take(place, known, charged)
        for scope in scopes:
            _take(self._charged[scope], _only_unknown(known), charged)

    def take_records(self) -> None:
        """What tasks took that this machine's log knows nothing of is in their records."""
        if not self._most["project"]:
            return
        for outcome in self.run.branch.outcomes.values():
            cost, task = outcome.get("cost"), str(outcome.get("task"))
            if isinstance(cost, dict) and task not in self.run.states:
                keys = {"usd": "usd_micros", "tokens": "tokens", "seconds": "seconds"}
                known = {unit: value for unit, key in keys.items() if type(value := cost.get(key)) is int}
                self.settle(task, {**known}, {}, False, False)

    def look_at_day(self, folder: Path) -> None:
        """What other projects have spent and reserved; whoever calls holds the lock."""
        self._today.look()
        self._others = reservations.of_others(folder, self.run.project.id)

    def limits(self, task: Task, reserved: Amount, mine: Amount) -> Iterator[Limit]:
        """Every budget that an attempt at a task is held by.

        `reserved`: by the tasks in workers' hands; `mine`: by this one, whose candidates may be several.
        """
        of_task = self.of_task(task)
        for unit in UNITS:
            if unit in of_task:
                spent = self._tasks.get(task.id, {}).get(unit, 0)
                reviewed, held = self.reviewed(task.id, unit), mine.get(unit, 0)
                yield Limit("task", unit, of_task[unit], spent, reserved=held, reviewed=reviewed)
            for scope, most in self._most.items():
                if unit in most:
                    spent, charged = self._spent[scope].get(unit, 0), self._charged[scope].get(unit, 0)
                    yield Limit(scope, unit, most[unit], spent, charged, reserved.get(unit, 0))
            if unit in self.day:
                spent, charged = self._today.spent.get(unit, 0), self._today.charged.get(unit, 0)
                in_all = reserved.get(unit, 0) + self._others.get(unit, 0)
                yield Limit("day", unit, self.day[unit], spent, charged, in_all)


class Today:
    """What all projects spent since midnight."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._since = ""
        self._book = spending.Book(config)
        self.spent: Amount = {}
        self.charged: Amount = {}

    def look(self) -> None:
        """Take in what is new."""
        lines = self._book.new() if self._since == spending.midnight() else None
        if lines is None:
            self._book, self._since = spending.Book(self._config), spending.midnight()
            self.spent, self.charged = {}, {}
            lines = self._book.new() or []
        for line in lines:
            if line["at"] >= self._since:
                known, charged = of_line(line), sound(line.get("charged"))
                _take(self.spent, known, charged)
                _take(self.charged, _only_unknown(known), charged)


def of_line(line: dict[str, Any]) -> Known:
    """What a line of spending.jsonl says was spent."""
    by_basis = {"unknown": None, "subscription": 0}
    known = {
        "usd": by_basis.get(line["basis"], line.get("usd_micros")),
        "tokens": spending.tokens_of(line),
        "seconds": line.get("seconds"),
    }
    return {unit: value if type(value) is int else None for unit, value in known.items()}


def of_event(event: dict[str, Any]) -> Known:
    """The same of an event of the execution log."""
    known = {
        "usd": None if event["basis"] == "unknown" else event.get("usd_micros"),
        "tokens": event.get("tokens") or None,
        "seconds": event.get("seconds"),
    }
    return {unit: value if type(value) is int else None for unit, value in known.items()}


def sound(found: object) -> Amount:
    """Amounts from a line of a log, which is not evidence."""
    if not isinstance(found, dict):
        return {}
    return {unit: found[unit] for unit in UNITS if type(found.get(unit)) is int and found[unit] >= 0}


def _only_unknown(known: Known) -> Known:
    return {unit: None if known.get(unit) is None else 0 for unit in UNITS}


def _take(place: Amount, known: Known, charged: Amount) -> None:
    for unit in UNITS:
        amount = known.get(unit)
        place[unit] = place.get(unit, 0) + (charged.get(unit, 0) if amount is None else amount)
