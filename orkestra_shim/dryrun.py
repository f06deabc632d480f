"""`orkestra start --dry-run`: in which order who would do what, in how many attempts, at what cost.

Nothing is done: adapters are asked what they are and whether they can work, no model is asked anything, and
no file is written. The order is that of claims as if each task were completed, one after the other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

from . import allowances, board, budgets, candidates, journal, keyring, queue, spending
from .agents import COMMITTEE, Agents
from .allowances import Allowances
from .assignment import Assignment
from .budgets import Limit
from .committee import PROGRAMS
from .errors import EX_DATA, OrkestraError
from .estimates import Estimates
from .home import scripts_folder
from .project import Project
from .session import Session
from .tasks import DEFAULT_ATTEMPTS, Task
from .taskstate import TaskState
from .text import counted, printable

_UNITS = ("usd", "tokens")
_NAMED = 6


@dataclass
class Step:
    """One task: least and most, of attempts and by unit; None where nobody knows what it takes."""

    task: Task
    agent: str
    why: str
    attempts: tuple[int, int]
    cost: dict[str, tuple[int, int] | None]


class Plan:
    """What a run of now would do. It stands for the run where the rules for one are asked."""

    def __init__(self, now: Session, found: Project, only: Sequence[str], max_cost: str) -> None:
        """Raises 64, 65 or 78 for what would keep a run from starting."""
        for name in budgets.DAY.values():
            os.environ[name] = now.values[name].text
        seen = board.read(now, found)
        config = now.home.config
        keyring.need_private(config)
        self.project, self.branch = found, seen.branch
        self.pauses = SimpleNamespace(now=seen.pauses)
        self.here = SimpleNamespace(max_cost=max_cost, config=config)
        self.agents = Agents(scripts_folder(now.home.root), config, keyring.read(config), keeps=False)
        self.states: dict[str, TaskState] = {}
        self.works: dict[str, Any] = {}
        self.estimates = Estimates(lambda: spending.read(config))
        self.allowances = Allowances(cast(Any, self))
        self._replay()
        self.queue = queue.Queue(seen.document, lambda task: _status(seen.rows[task.id]))
        self.assignment = Assignment(cast(Any, self))
        self._hold(only)
        self.steps = list(self._steps())

    def _replay(self) -> None:
        for event in journal.replay(self.project.path / journal.FILE):
            name = event.get("task")
            if not isinstance(name, str):
                continue
            self.states.setdefault(name, TaskState()).apply(event)
            if "basis" in event:
                known, is_ballot = allowances.of_event(event), event["event"] == "balloted"
                self.estimates.note(str(event.get("agent")), "ballot" if is_ballot else "work", known)
                self.allowances.settle(
                    name, known, allowances.sound(event.get("charged")), is_ballot, live=False
                )
        self.allowances.take_records()
        self.allowances.look_at_day(self.here.config / "RUNTIME")

    def _hold(self, only: Sequence[str]) -> None:
        wanted, todo = set(), list(only)
        while todo:
            name = todo.pop()
            task = self.queue.get(name)
            if task is None:
                raise OrkestraError(EX_DATA, f"no task is called {name!r}", "orkestra task list shows them")
            if name not in wanted:
                wanted.add(name)
                todo += task.raw.get("depends_on") or []
        for task in self.queue.tasks:
            self.queue.hold(task, queue.NOT_NAMED, bool(wanted) and task.id not in wanted)
            self.queue.hold(task, queue.PAUSED, task.id in self.pauses.now.tasks)

    def in_hand(self, _: str) -> list[Any]:
        """What workers have of a task: nobody works here."""
        return []

    # --- what would be done ---------------------------------------------------------------------------------

    def _steps(self) -> Iterator[Step]:
        if self.pauses.now.everything:
            return
        while True:
            ready = [heap for heap in list(self.queue.heaps) if self.queue.first(heap) is not None]
            able = {heap: usable for heap in ready if (usable := self.assignment.usable(heap))}
            task = self.queue.best(able)
            if task is None:
                return
            agent, why = self.assignment.pick(task, able[queue.Queue.heap_name(task)])
            if agent == COMMITTEE and not task.asks and not task.full:
                agent, rule = self.assignment.by_rule(task, able[queue.Queue.heap_name(task)])
                why = f"{why}; by rule: {rule}"
            yield self._step(task, agent, why)
            self.queue.set_status(task, "completed")

    def _step(self, task: Task, agent: str, why: str) -> Step:
        state = self.states.get(task.id, TaskState())
        rivals = candidates.mode(task, state) == candidates.CANDIDATE
        count = task.candidates if rivals else 1
        most = max(1, int(task.raw.get("max_attempts", DEFAULT_ATTEMPTS)) - state.failures)
        least = 0 if state.kept or "submitted" in task.raw or "ballot" in task.raw else 1
        cost = {unit: self._cost(task, agent, unit, (least, most), count) for unit in _UNITS}
        if count > 1:
            why = f"{count} candidates of each attempt, by as many agents as there are; {why}"
        tried = len(state.passed) + len(state.out)
        tries = max(0, least * count - tried), max(0, most * count - tried)
        return Step(task, agent, why, tries, cost)

    def _cost(
        self, task: Task, agent: str, unit: str, attempts: tuple[int, int], count: int
    ) -> tuple[int, int] | None:
        """`count`: of the candidates that each attempt has."""
        works = [(agent, "work")] * count if self.agents.get(agent).kind == "ai" else []
        reviews = self._reviews(agent if count == 1 else "")  # who made a candidate votes on the others
        spans = [self._span(task, *one, unit) for one in (*works, *reviews)]
        if None in spans:
            return None
        low = [span[0] for span in spans if span]
        high = [span[1] for span in spans if span]
        least = sum(low) if attempts[0] else sum(low[len(works) :])
        most = sum(high) * attempts[1]
        if unit in (of_task := self.allowances.of_task(task)):
            most = min(most, max(least, of_task[unit]))
        return least, most

    def _span(self, task: Task, agent: str, kind: str, unit: str) -> tuple[int, int] | None:
        known = self.estimates.span(agent, kind, unit)
        declared = self.allowances.of_attempt(task).get(unit)
        return (0, declared) if known is None and declared is not None and kind == "work" else known

    def _reviews(self, author: str) -> list[tuple[str, str]]:
        project = self.project
        named = project.agents if isinstance(project.reviewers, str) else project.reviewers
        agents = [self.agents.get(one) for one in named if one not in (author, *PROGRAMS)]
        return [
            (one.name, "ballot")
            for one in agents
            if one.kind == "ai" and not one.problem and "ballot" in one.can
        ]

    # --- for people -----------------------------------------------------------------------------------------

    def lines(self) -> Iterator[str]:
        """The order, what is left, sums, and where the budgets stand."""
        width = max((len(step.task.id) for step in self.steps), default=0)
        for number, step in enumerate(self.steps, 1):
            attempts = _span_words(step.attempts, "attempt")
            told = f"{number:>4}  {step.task.id:<{width}}  {step.agent}: {attempts}, {_cost_words(step.cost)}"
            yield printable(f"{told} ({step.why})")
        yield from self._left()
        yield self._sum() if self.steps else "nothing would be done"
        for limit in self._limits():
            yield limit.words()
        yield "nothing was done, and no model was asked: this was a dry run"

    def _sum(self) -> str:
        least, most = (sum(step.attempts[at] for step in self.steps) for at in (0, 1))
        spans = {unit: [step.cost[unit] for step in self.steps] for unit in _UNITS}
        known = {
            unit: (sum(span[0] for span in found if span), sum(span[1] for span in found if span))
            for unit, found in spans.items()
        }
        attempts = _span_words((least, most), "attempt")
        text = f"in all: {counted(len(self.steps), 'task')}, {attempts}, {_cost_words(known)}"
        unknown = sum(span is None for span in spans["usd"])
        return f"{text}, and {unknown} of unknown cost" if unknown else text

    def _limits(self) -> Iterator[Limit]:
        """The budgets that are not of one task alone."""
        if self.steps:
            limits = self.allowances.limits(self.steps[0].task, {}, {})
            yield from (limit for limit in limits if limit.scope != "task")

    def _left(self) -> Iterator[str]:
        """What no agent can do now, and what is behind something else."""
        if self.pauses.now.everything:
            yield "the project is paused (orkestra resume)"
        groups: dict[str, list[str]] = {}
        for task in self.queue.tasks:
            if task.status == "pending" and not task.busy & queue.NOT_NAMED:
                groups.setdefault(self._why_not(task), []).append(task.id)
        for why, names in groups.items():
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            yield printable(f"not now: {', '.join(names[:_NAMED])}{more}: {why}")

    def _why_not(self, task: Task) -> str:
        if task.waiting:
            return "waits for what is not done here"
        if task.busy & queue.PAUSED or self.pauses.now.everything:
            return "paused"
        names = self.assignment.allowed(queue.Queue.heap_name(task))
        problems = [f"{name}: {self.agents.get(name).problem or 'limited'}" for name in names]
        return f"no agent can work: {'; '.join(problems) or 'none is named, or they are paused'}"


def _status(row: dict[str, Any]) -> tuple[str, str]:
    """What a run has in hand is taken for done."""
    status = "completed" if row["status"] == "in_progress" else row["status"]
    return status, row["reason"]


def _span_words(span: tuple[int, int], what: str) -> str:
    least, most = span
    return f"{most} {what}{'s' * (most != 1)}" if least == most else f"{least} to {most} {what}s"


def _cost_words(cost: Any) -> str:
    parts = []
    for unit, span in cost.items():
        if span is None:
            parts.append("cost unknown" if unit == "usd" else "")
        elif span[1]:
            low, high = (budgets.words(unit, amount) for amount in span)
            parts.append(low if low == high else f"{low} to {high}")
    return ", ".join(filter(None, parts)) or "no cost"
