"""What waits for accounts that are limited: tasks that no agent may do, and changes that none may review."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from . import polls, questions, queue
from .cooldowns import Limit
from .evidence import Result
from .journal import at
from .tasks import Task
from .taskstate import TaskState

if TYPE_CHECKING:
    from .run import Run


class Resting:
    """Over a run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._reviews: set[str] = set()  # tasks whose change waits for its reviewers

    def met(self, agent: str, result: Result, why: str, task: str) -> tuple[int, str]:
        """A tool says that it is limited: every run knows it from now on. (epoch second, words for people)"""
        until = self.run.agents.limit(agent, result.retry_at, why, result.of_model)
        limit = self.run.agents.limited(agent)
        self.run.journal.append(
            "limited", agent=agent, limited=limit.name if limit else agent, until=until, why=why, task=task
        )
        return until, words(limit) if limit else why

    # --- reviews -------------------------------------------------------------------------------------------

    def rests(self, reviewer: str) -> float:
        """Seconds until it may be asked for a ballot; without end for one that a person has paused."""
        paused = reviewer in self.run.pauses.now.agents
        return math.inf if paused else self.run.agents.rests(reviewer)

    def why(self, reviewer: str) -> str:
        """Why it may not be asked for a ballot now; '' when it may."""
        if reviewer in self.run.pauses.now.agents:
            return f"{reviewer} is paused"
        limit = self.run.agents.limited(reviewer)
        return words(limit) if limit else ""

    def put_off(self, task: Task) -> None:
        """Its change waits for reviewers, as its state says: no agent gets it meanwhile."""
        self._reviews.add(task.id)
        self.run.queue.hold(task, queue.REVIEW)

    def waiting(self) -> Iterator[tuple[Task, TaskState]]:
        """The changes that wait, and nothing but their reviewers is in their way."""
        for name in sorted(self._reviews):
            task, state = self.run.queue.get(name), self.run.state(name)
            # Of candidates more may be wanted by now than there are to choose from.
            unfinished = task is not None and not state.kept and not task.full
            if not state.reviewers or unfinished:
                self._reviews.discard(name)
                if task is not None:
                    self.run.queue.hold(task, queue.REVIEW, False)
            elif task is not None and (task.status, task.busy, task.waiting) == ("pending", queue.REVIEW, 0):
                yield task, state

    def _rests(self, state: TaskState) -> float:
        """Seconds until so many of its reviewers as are missing may be asked."""
        rests = sorted(map(self.rests, state.reviewers))
        return rests[min(state.missing, len(rests)) - 1]

    def reviewable(self) -> tuple[Task, str] | None:
        """The first task whose change can be reviewed now, and who made it."""
        found = [(task, state.author) for task, state in self.waiting() if not self._rests(state)]
        return min(found, key=lambda one: one[0].key(), default=None)

    # --- all of it -----------------------------------------------------------------------------------------

    def left(self) -> float | None:
        """Seconds until the first of what waits for a limit alone can be given out, or None."""
        run = self.run
        if run.pauses.now.everything or not run.agents.limits_hold():
            return None
        times = [self._rests(state) for _, state in self.waiting()]
        for heap in list(run.queue.heaps):
            if run.queue.first(heap) is not None:
                times += self._times(heap)
        return min((time for time in times if time < math.inf), default=None)

    def _times(self, heap: str) -> list[float]:
        """For each agent that could do the tasks of a heap, the seconds that it rests.

        Of a question those until so many of its members may be asked as it needs.
        """
        rests = sorted(self.run.agents.rests(name) for name in self._able(heap))
        if not questions.is_heap(heap):
            return rests
        needed = polls.quorum(len(questions.voters(self.run, heap)))
        return rests[needed - 1 : needed]

    def _able(self, heap: str) -> list[str]:
        """Who could do the tasks of a heap if it were not limited."""
        run = self.run
        return [name for name in run.assignment.allowed(heap) if not run.agents.get(name).problem]

    def limits(self) -> dict[Limit, list[str]]:
        """What limits what is ready: by limit the tasks whose review it holds up."""
        run = self.run
        found: dict[Limit, list[str]] = {}
        for heap in list(run.queue.heaps):
            if run.queue.first(heap) is not None:
                for name in self._able(heap):
                    if limit := run.agents.limited(name):
                        found.setdefault(limit, [])
        for task, state in self.waiting():
            for name in state.reviewers:
                if limit := run.agents.limited(name):
                    found.setdefault(limit, []).append(task.id)
        return found

    def lines(self) -> list[str]:
        """A line for each of these, for people."""
        return [
            f"{_words(limit, reviews)} (next_run_at {at(limit.until)})"
            for limit, reviews in self.limits().items()
        ]

    def paused(self) -> list[str]:
        """A line for each change whose review waits for a reviewer that a person has paused."""
        return [
            f"{task.id} waits for its review: {', '.join(names)} paused"
            for task, state in self.waiting()
            if (names := [name for name in state.reviewers if name in self.run.pauses.now.agents])
        ]

    def told(self) -> str:
        """The same in one line, with when the run goes on."""
        limits = self.limits()
        if not limits:
            return ""
        first = min(one.until for one in limits)
        return f"waiting until {_local(first)}: {'; '.join(_words(*one) for one in limits.items())}"


def _local(epoch: float) -> str:
    """For people, the minute in which it has come."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(epoch + 59))


def words(limit: Limit) -> str:
    """What is limited, until when and why."""
    return f"{limit.name} is limited until {_local(limit.until)}: {limit.why}"


def _words(limit: Limit, reviews: list[str]) -> str:
    some = ", ".join(reviews[:5]) + (" ..." if len(reviews) > 5 else "")
    waits = f"; its review of {some} waits" if reviews else ""
    return f"{limit.name} is limited: {limit.why}{waits}"
