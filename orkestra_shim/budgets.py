"""Budgets as people declare them: of a task, of a project, of a day over all projects, of one run.

A budget is {"usd": dollars, "tokens", "seconds" of agents' work}, each of them optional. That of a project
may also have "task" and "attempt", that of a task "attempt": what one task, or one attempt, may take. Inside,
amounts are whole numbers by unit: micro-dollars, tokens, seconds.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any

from .errors import EX_CONFIG, EX_USAGE, OrkestraError
from .spending import dollars
from .text import printable

UNITS = ("usd", "tokens", "seconds")
PARTS = {"project": ("task", "attempt"), "task": ("attempt",), "attempt": ()}
DAY = {"usd": "ORKESTRA_DAY_USD", "tokens": "ORKESTRA_DAY_TOKENS", "seconds": "ORKESTRA_DAY_SECONDS"}
REVIEW_PART = 5  # reviews take at most a fifth of a task's budget
Amount = dict[str, int]
_MOST = 10**15
_DOLLARS = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6})?\Z")
RULE = 'an object with "usd" (dollars, six decimals at most), "tokens" and "seconds" (whole), each optional'


def problem(value: object, what: str = "task") -> str:
    """Why `value` cannot be the budget of a project, a task or an attempt (`what`); '' when it can."""
    if not isinstance(value, dict):
        return f"must be {RULE}"
    for key, amount in value.items():
        if key in PARTS[what]:
            if problem(amount, "attempt"):
                return f"{key} {problem(amount, 'attempt')}"
        elif key not in UNITS or _whole(key, amount) is None:
            return f"must be {RULE}" + "".join(f', and "{part}" (the same)' for part in PARTS[what])
    return ""


def _whole(unit: str, value: object) -> int | None:
    """An amount in its whole unit; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if unit != "usd":
        return value if isinstance(value, int) and 0 <= value <= _MOST else None
    text = f"{value:.6f}"
    return micros(text) if _DOLLARS.match(text) and float(text) == value else None


def micros(text: str) -> int:
    """Micro-dollars of an amount in dollars as it is written. ValueError for what is none."""
    if not _DOLLARS.match(text):
        raise ValueError("dollars, with six decimals at most")
    whole, _, broken = text.partition(".")
    return int(whole) * 1_000_000 + int(broken.ljust(6, "0"))


def amounts(value: Any, part: str = "") -> Amount:
    """What a sound budget, or its part of that name, says of each unit."""
    found = (value or {}).get(part) if part else value
    told = {unit: _whole(unit, (found or {}).get(unit)) for unit in UNITS}
    return {unit: amount for unit, amount in told.items() if amount is not None}


def of_attempt(project: Any, task: Any) -> Amount:
    """What one attempt at a task may take, as declared."""
    return {**amounts(project, "attempt"), **amounts(task, "attempt")}


def of_task(project: Any, task: Any) -> Amount:
    """What a task may take in all, as declared."""
    return {**amounts(project, "task"), **amounts(task)}


def of_day() -> Amount:
    """What all projects together may take in a day, by the settings in the environment. Raises 78."""
    found: Amount = {}
    for unit, name in DAY.items():
        text = os.environ.get(name, "")
        try:
            if text:
                found[unit] = micros(text) if unit == "usd" else int(text)
        except ValueError:
            raise OrkestraError(
                EX_CONFIG, f"{name} is {printable(text)!s}, which is no amount", "such as 12.50"
            ) from None
    return found


def max_cost(text: str) -> Amount:
    """What a run may take, by `start --max-cost`: '' for no limit. Raises 64."""
    try:
        return {"usd": micros(text)} if text else {}
    except ValueError:
        raise OrkestraError(
            EX_USAGE, f"--max-cost: {printable(text[:80])!r} is no amount of dollars", "such as 5 or 0.50"
        ) from None


def words(unit: str, amount: int) -> str:
    """An amount for people."""
    if unit == "usd":
        return dollars(amount)
    return f"{amount:,} {unit}"


@dataclass
class Limit:
    """One budget in one unit, and where it stands."""

    scope: str  # task, project, day, run
    unit: str
    most: int
    spent: int = 0
    charged: int = 0  # of what is spent: taken as reserved, since nobody knows what it cost
    reserved: int = 0  # by work that goes on
    reviewed: int = 0  # of what is spent: by ballots

    @property
    def left(self) -> int:
        """What nobody has spent or reserved; below 0 where an attempt took more than was foreseen."""
        return self.most - self.spent - self.reserved

    def words(self) -> str:
        """For people: what it is and where it stands."""
        name = {"day": "the budget of a day", "run": "--max-cost"}.get(
            self.scope, f"the budget of the {self.scope}"
        )
        text = f"{name} is {words(self.unit, self.most)}, {words(self.unit, self.spent)} are spent"
        if self.charged:
            text += f" ({words(self.unit, self.charged)} of it reserved for work of unknown cost)"
        return text + (f", {words(self.unit, self.reserved)} are reserved" if self.reserved else "")

    def hint(self, task: str) -> str:
        """How to raise it."""
        if self.scope == "task":
            return f'raise "{self.unit}" in the "budget" of {task}: orkestra task edit {task}'
        if self.scope == "project":
            return f'raise "{self.unit}" in the "budget" of config/project.json, then start again'
        if self.scope == "day":
            return f"raise {DAY[self.unit]} (orkestra config), or start again tomorrow"
        return "start again with a higher --max-cost"
