"""Budgets in a run: before an agent starts its likely cost is reserved, afterwards that is settled.

What would overrun is not started: the task stays pending, and the run says which budget it is and how to
raise it. The store is one process, so two workers cannot reserve the same dollar; a day's budget belongs to
the runs of all projects, so it is looked at under the lock of what was spent.

Reserved is the 90th percentile of such work so far; without any the declared maximum of an attempt; without
that whatever is left, so that one attempt goes on at a time until there is something to go by. Work of
unknown cost counts as what was reserved for it. Money is what is billed: a subscription counts in tokens and
seconds. Commands (`shell`) cost nothing and are bounded by their timeout alone.

The file is long so that what is reserved, refused and settled is read beside each other.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import allowances, budgets, moments, queue, reservations, spending
from .allowances import Allowances
from .budgets import REVIEW_PART, UNITS, Amount, Limit
from .committee import PROGRAMS
from .estimates import Estimates
from .tasks import DEFAULT_TIMEOUT, Task

if TYPE_CHECKING:
    from .run import Run
    from .spending import Cost
    from .work import Work

RETRY = 60.0  # seconds after which a run that stays asks again for what others had reserved
NEAR = 0.8  # the part of a budget from which on it is said
_TURNED_AWAY = (69, 75, 77)
_ENDS = (
    *("attempt-failed", "outcome-drafted", "landed", "proposed", "held", "released", "interrupted"),
    *("lost", "conflict", "recorded", "reopened", "review-put-off", "candidate", "candidate-out", "assigned"),
)


@dataclass
class Held:
    """What is reserved for a task in a worker's hands, by unit, and what its agent may take at most."""

    work: Amount = field(default_factory=dict)
    review: Amount = field(default_factory=dict)
    most: Amount = field(default_factory=dict)
    ballots: int = 1  # among how many the review's part is divided


class Purse:
    """What is reserved, and who may not start. Attempts tell it of their events as they tell the log."""

    def __init__(self, run: Run) -> None:
        """Raises 64 or 78 for a budget that is none."""
        self.run = run
        self.allowances = Allowances(run)
        self.estimates = Estimates(lambda: spending.read(run.here.config))
        self._open: dict[str, dict[int, Held]] = {}  # by task, then by try; 0 until it has its number
        self._refused: dict[str, tuple[Limit, str]] = {}
        self._again = 0.0  # by time that passes, when what was refused is asked for again
        self._live = False
        self._near: set[tuple[str, str, str]] = set()

    # --- what happens ---------------------------------------------------------------------------------------

    def apply(self, task: str, event: dict[str, Any]) -> None:
        """Take in an event of the execution log, at the start those of before."""
        kind, number = event["event"], int(event.get("try", 0))
        if kind == "claimed" and not self._live and "reserved" in event:
            reserved, review = map(allowances.sound, (event["reserved"], event.get("review")))
            self._open.setdefault(task, {})[number] = Held(reserved, review)
        elif kind == "claimed" and 0 in (mine := self._open.get(task, {})):
            mine[number] = mine.pop(0)
        elif kind == "asked" and not self._live and (held := self._held(task, number)):
            held.ballots = max(1, len(event.get("members") or []))
        elif "basis" in event:
            known, is_ballot = allowances.of_event(event), kind == "balloted"
            charged = allowances.sound(event.get("charged"))
            self.estimates.note(str(event.get("agent")), "ballot" if is_ballot else "work", known)
            self.allowances.settle(task, known, charged, is_ballot, self._live)
            self._look_how_near(task)
        if kind in _ENDS or (kind == "worked" and event.get("exit") in _TURNED_AWAY):
            mine = self._open.get(task, {})
            if mine:
                if len(mine) == 1 or number not in mine:
                    self._open.pop(task)
                mine.pop(number, None)
                self._changed()
        elif kind == "worked" and (held := self._held(task, number)):
            held.work = {}
            self._changed()

    def _held(self, task: str, number: int) -> Held | None:
        """What is reserved for a try. One that was sent back goes on under another number."""
        mine = self._open.get(task, {})
        return mine.get(number) or mine.get(0) or (next(iter(mine.values())) if len(mine) == 1 else None)

    def _look_how_near(self, name: str) -> None:
        """Of a budget most of which is spent the log says so, once a run."""
        task = self.run.queue.get(name) if self._live else None
        for limit in self.allowances.limits(task, {}, {}) if task else ():
            key = (limit.scope, limit.unit, name if limit.scope == "task" else "")
            if key not in self._near and limit.spent >= NEAR * limit.most:
                self._near.add(key)
                self.run.journal.append("budget-near", why=limit.words())

    def go_live(self) -> None:
        """The log is read: from now on it is this run that spends."""
        self._open.clear()
        self.allowances.take_records()
        self._live = True

    # --- before an agent starts -----------------------------------------------------------------------------

    def refuses(self, task: Task, name: str, again: bool = False) -> str:
        """Why an attempt may not start, '' when it may: then it is reserved. Who may not is held back.

        again: it is one in a worker's hands that goes on, not one beside those.
        """
        if again or not self.run.in_hand(task.id):
            self._open.pop(task.id, None)
        if not self.allowances.hold(task) or "ballot" in task.raw:  # a person has voted: nobody is asked
            return ""
        if not self.allowances.day:
            return self._refuses(task, name)
        with spending.locked(self.run.here.config) as folder:
            self.allowances.look_at_day(folder)
            why = self._refuses(task, name)
            reservations.put(folder, self.run.project.id, self._reserved())
        return why

    def _refuses(self, task: Task, name: str) -> str:
        reviewers = self._reviewers(name)
        # Finished work, a person's too, is only judged.
        finished = task.full or self.run.state(task.id).kept or "submitted" in task.raw
        works = self.run.agents.get(name).kind == "ai" and not finished
        if not works and not reviewers:
            return ""
        held, declared = Held(ballots=max(1, len(reviewers))), self.allowances.of_attempt(task)
        beside = _sum(self._open.get(task.id, {}).values())
        limits = list(self.allowances.limits(task, self._reserved(), beside))
        for unit in UNITS:
            mine = [limit for limit in limits if limit.unit == unit]
            if not mine and unit not in declared:
                continue
            paid = [
                one for one in reviewers if unit == "tokens" or (unit == "usd" and not self._is_free(one))
            ]
            review = self._review(task, unit, paid, mine)
            likely = 0 if unit == "usd" and self._is_free(name) else self.estimates.likely(name, "work", unit)
            need = declared.get(unit) if likely is None else likely
            rooms = [(_room(limit, review, works, bool(paid)), limit) for limit in mine]
            for room, limit in rooms:
                if room < 0 or (works and (room < (need or 0) or (need is None and room == 0))):
                    return self._hold(task, limit, self._why(name, unit, need, likely, review))
            most = min([room for room, _ in rooms] + ([declared[unit]] if unit in declared else []))
            if unit == "seconds":
                most = min(most, int(task.raw.get("timeout", DEFAULT_TIMEOUT)))
            held.most[unit], held.review[unit] = most, review
            held.work[unit] = (most if need is None else need) if works else 0
        self._open.setdefault(task.id, {})[0] = held
        return ""

    def _why(self, name: str, unit: str, need: int | None, likely: int | None, review: int) -> str:
        if need is None:
            return "nothing is left"
        what = f"the next attempt by {name} may take {budgets.words(unit, need)}"
        if likely is not None:
            what += f" (90th percentile of {self.estimates.count(name, 'work', unit)})"
        return what + (f" and its review {budgets.words(unit, review)}" if review else "")

    def _hold(self, task: Task, limit: Limit, why: str) -> str:
        self.run.queue.hold(task, queue.SPENT)
        self._refused[task.id] = (limit, why)
        return f"{limit.words()}, {why}"

    def _is_free(self, name: str) -> bool:
        return self.run.meter.by_subscription(self.run.agents.get(name))

    def _reviewers(self, author: str) -> list[str]:
        """The agents that are likely to be asked for a ballot; one of them twice where that is drawn."""
        project = self.run.project
        named = project.agents if isinstance(project.reviewers, str) else project.reviewers
        agents = [self.run.agents.get(one) for one in named if one not in (author, *PROGRAMS)]
        able = [one.name for one in agents if one.kind == "ai" and not one.problem and "ballot" in one.can]
        return able + able[: min(1, project.calibrate)]

    def _review(self, task: Task, unit: str, paid: list[str], limits: list[Limit]) -> int:
        """What the ballots on a change are likely to take; without any so far, the part that they may."""
        if not paid:
            return 0
        likely = [self.estimates.likely(one, "ballot", unit) for one in paid]
        if None not in likely:
            return sum(one for one in likely if one is not None)
        of_task = next((limit for limit in limits if limit.scope == "task"), None)
        if of_task:
            return max(0, of_task.most // REVIEW_PART - of_task.reviewed)
        return self.allowances.of_attempt(task).get(unit, 0) // (REVIEW_PART - 1)

    def _reserved(self) -> Amount:
        return _sum(held for mine in self._open.values() for held in mine.values())

    # --- while it works -------------------------------------------------------------------------------------

    def fields(self, task: str, number: int) -> dict[str, Any]:
        """For the event of a claim: what is reserved."""
        held = self._held(task, number)
        return {"reserved": held.work, "review": held.review} if held else {}

    def most(self, task: str, number: int, unit: str) -> int | None:
        """What the agent that starts now may take; None for no limit."""
        held = self._held(task, number)
        return held.most.get(unit) if held else None

    def attempt_usd(self, task: str, number: int, agent: str) -> int | None:
        """What an attempt may cost, in micro-dollars; None for no limit, as by a subscription."""
        most = self.most(task, number, "usd")
        return most if most and not self._is_free(agent) else None

    def ballot_usd(self, task: Task, number: int, agent: str) -> int | None:
        """The same of a ballot."""
        of_task, held = self.allowances.of_task(task), self._held(task.id, number)
        if "usd" not in of_task or held is None or self._is_free(agent):
            return None
        left = of_task["usd"] // REVIEW_PART - self.allowances.reviewed(task.id, "usd")
        return max(0, left) // held.ballots

    def charged(self, task: str, number: int, cost: Cost, is_ballot: bool, cut_off: bool = False) -> Amount:
        """What stands for the part of a cost that nobody knows: what was reserved for it."""
        held = self._held(task, number)
        if held is None:
            return {}
        unknown = [] if cost.usage else ["tokens"]
        unknown += ["usd"] if cost.basis == "unknown" else []
        unknown += ["seconds"] if cut_off else []
        amounts, part = (held.review, held.ballots) if is_ballot else (held.work, 1)
        return {unit: amounts[unit] // part for unit in unknown if amounts.get(unit)}

    def refuses_review(self, work: Work, members: list[str]) -> str:
        """Why no agent may be asked for a ballot, '' when one may: a fifth of the task's budget is theirs."""
        for unit, most in self.allowances.of_task(work.task).items():
            paid = [one for one in members if unit != "usd" or not self._is_free(one)]
            if unit == "seconds" or not paid:
                continue
            spent, part = self.allowances.reviewed(work.task.id, unit), most // REVIEW_PART
            need = sum(self.estimates.likely(one, "ballot", unit) or 1 for one in paid)
            if spent + need > part:
                return (
                    f"its review may take {budgets.words(unit, need)} after {budgets.words(unit, spent)}, "
                    f"and a fifth of its budget is {budgets.words(unit, part)}: raise that, then "
                    f"orkestra task retry {work.task.id} --from-attempt {work.number}"
                )
        return ""

    # --- what was refused -----------------------------------------------------------------------------------

    def _changed(self) -> None:
        """Something was settled or freed: what was refused is asked for again."""
        if not self._live:
            return
        if self.allowances.day:
            with spending.locked(self.run.here.config) as folder:
                reservations.put(folder, self.run.project.id, self._reserved())
        self.release()

    def release(self) -> None:
        """Let what was refused be asked for again."""
        for name in self._refused:
            if (task := self.run.queue.get(name)) is not None:
                self.run.queue.hold(task, queue.SPENT, False)
        self._refused.clear()
        self._again = 0.0

    def next_time(self) -> float | None:
        """Seconds until a run that stays asks again: another project may be done, or the day over."""
        if not self._refused or not self.run.here.stay:
            return None
        self._again = self._again or moments.passed() + RETRY
        return max(0.0, self._again - moments.passed())

    def look_at_time(self) -> None:
        """What that time brings."""
        if self._again and self._again <= moments.passed():
            self.release()

    def lines(self) -> list[str]:
        """For the summary: which budget kept which tasks from being started, and how to raise it."""
        groups: dict[tuple[str, str], list[str]] = {}
        for name, (limit, _) in self._refused.items():
            task = self.run.queue.get(name)
            if task is not None and task.status == "pending":
                groups.setdefault((name if limit.scope == "task" else limit.scope, limit.unit), []).append(
                    name
                )
        return [self._line(names) for names in groups.values()]

    def _line(self, names: list[str]) -> str:
        limit, why = self._refused[names[0]]
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        text = f"not started: {', '.join(names[:5])}{more}: {limit.words()}, {why}: {limit.hint(names[0])}"
        if limit.scope == "day":
            moment = time.gmtime(spending.next_midnight())
            text += f" (next_run_at {time.strftime('%Y-%m-%dT%H:%M:%SZ', moment)})"
        return text


def _sum(held: Iterable[Held]) -> Amount:
    found = list(held)
    return {unit: sum(one.work.get(unit, 0) + one.review.get(unit, 0) for one in found) for unit in UNITS}


def _room(limit: Limit, review: int, works: bool, is_paid: bool) -> int:
    """What of a budget an attempt may take, below 0 for nothing. Of a task's a fifth is for its reviews."""
    room = limit.left - review
    if limit.scope == "task" and is_paid:
        part = limit.most // REVIEW_PART
        if limit.reviewed >= part or review > part - limit.reviewed:
            return -1
        if works:
            room = min(room, limit.most - part - (limit.spent - limit.reviewed) - limit.reserved)
    return room
