"""Which agent gets a task, and why: by rule, so that the same state always gives the same answer.

A task that names an agent waits for it; `fallback` in project.json may name others that stand in where it
cannot work. An `auto` task goes to the best of the project's `agents` that can work now. Who has begun it
goes on with it, in the tool's own session where there is one, until it has failed twice. Else in this order:
who has not failed at this task; whose specialty its domain is; whose record is best, where each task in hand
counts against it; who is named first.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from . import candidates, questions, queue
from .agents import COMMITTEE, PERSON
from .merits import Merits, domain_of, plain
from .queue import SUBMITTED, Queue

if TYPE_CHECKING:
    from .run import Run
    from .tasks import Task

LOAD = 100  # per thousand of the record that a task in hand counts against an agent
FAILURES = 2  # of an agent at a task, after which another one is tried
_WHY = 80  # characters of what is wrong with an agent
_AUTO = ("auto", "auto+command")


class Assignment:
    """Asked for each claim; what it costs depends on how many agents there are, and on nothing else."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._special = {
            name: frozenset(map(plain, domains)) for name, domains in run.project.specialties.items()
        }
        self.merits = Merits(self._domain, (one for _, one in sorted(run.branch.outcomes.items())))

    def _domain(self, name: str) -> str:
        task = self._run.queue.get(name)
        return "" if task is None else domain_of(task.raw)

    # --- who may -------------------------------------------------------------------------------------------

    def candidates(self, heap: str) -> list[str]:
        """Names of the agents that may do the tasks of a heap, whether or not they can now."""
        run = self._run
        if questions.is_heap(heap):
            return questions.named(run, heap)
        if heap not in _AUTO:
            return list(dict.fromkeys([heap, *run.project.fallback.get(heap, [])]))
        named = [name for name in run.project.agents if "work" in run.agents.get(name).can]
        if heap == "auto+command" and all(run.agents.get(name).problem for name in named):
            return ["shell"]
        return named

    def allowed(self, heap: str) -> list[str]:
        """Those of them that nobody has paused. Nobody stands in for an agent that a person has paused."""
        paused = self._run.pauses.now.agents
        return [] if heap in paused else [name for name in self.candidates(heap) if name not in paused]

    def usable(self, heap: str) -> list[str]:
        """Those of them that can work now; for what a person has done nobody has to."""
        if heap == SUBMITTED:
            return [PERSON]
        if questions.is_heap(heap):
            return [COMMITTEE] if questions.has_quorum(self._run, heap) else []
        return [name for name in self.allowed(heap) if self._run.agents.can_work(name)]

    # --- who does ------------------------------------------------------------------------------------------

    def pick(self, task: Task, usable: list[str]) -> tuple[str, str]:
        """(agent, why) of those that can work now, of whom there is at least one."""
        state = self._run.states.get(task.id)
        if task.full:
            return COMMITTEE, "the committee is to choose among its candidates"
        if usable == [PERSON] and "ballot" in task.raw:
            return str(task.raw["ballot"]["agent"]), "a person has voted on its work"
        if usable == [PERSON]:
            return PERSON, "a person has done it"
        if usable == [COMMITTEE]:
            return COMMITTEE, "its members are asked"
        if state and state.kept and state.author:
            # Who made it does not vote on it, whoever could go on with the task now.
            return state.author, "its own finished work is judged again"
        if task.agent != "auto":
            return usable[0], self._instead(task.agent, usable[0])
        if usable == ["shell"]:
            return "shell", "the task has a command, and no other agent is there"
        return self._by_vote(task, usable) or self.by_rule(task, usable)

    def _by_vote(self, task: Task, usable: list[str]) -> tuple[str, str] | None:
        """The agent for which members voted, or that they are to vote; None where the rule decides."""
        run, state = self._run, self._run.states.get(task.id)
        if not run.project.assigns_by_vote or candidates.mode(task, state) == candidates.CANDIDATE:
            return None
        if state and state.assigned:
            agent, vote = state.assigned
            fit = agent in usable and state.failed_by.count(agent) < FAILURES
            return (agent, f"the members voted for it ({vote})") if fit else None
        if len(usable) < 2 or (state and state.author) or not questions.has_quorum(run, questions.ASKED):
            return None
        return COMMITTEE, "its members vote on who does it"

    def by_rule(self, task: Task, usable: list[str]) -> tuple[str, str]:
        """The same without a vote."""
        run, state = self._run, self._run.states.get(task.id)
        failed = Counter(state.failed_by if state else ())
        rivals = candidates.mode(task, state) == candidates.CANDIDATE
        if not rivals and state and state.author in usable and failed[state.author] < FAILURES:
            return state.author, "it has begun this task"
        load = self._loads()
        domain = domain_of(task.raw)
        order = {name: at for at, name in enumerate(usable)}

        used = candidates.used(run, task, state) if rivals else Counter[str]()

        def key(name: str) -> tuple[int, int, bool, int, int]:
            points = self.merits.share(name, domain, run.project.agents) - LOAD * load[self._account(name)]
            return used[name], failed[name], domain not in self._special.get(name, ()), -points, order[name]

        best = min(usable, key=key)
        if rivals:
            there = sum(used.values()) + 1
            return best, f"candidate {there} of {task.candidates}, {used[best] or 'none'} by the same agent"
        return best, self._words(best, domain, load[self._account(best)], len(usable), bool(failed))

    def affordable(self, task: Task, agent: str, why: str) -> tuple[Task, str, str] | None:
        """The same, or another agent for whom the budgets have enough left; None: the task is held back."""
        run, heap, over = self._run, Queue.heap_name(task), set()
        finished = task.full or (run.states[task.id].kept if task.id in run.states else "")
        while run.purse.refuses(task, agent):
            over.add(agent)
            others = (
                []
                if finished or agent == COMMITTEE
                else [name for name in self.usable(heap) if name not in over]
            )
            if not others:
                return None
            run.queue.hold(task, queue.SPENT, False)
            agent, why = self.pick(task, others)
        return task, agent, why

    def _instead(self, named: str, agent: str) -> str:
        if agent == named:
            return "the task names it"
        problem = " ".join(self._run.agents.get(named).problem.split())[:_WHY]
        if not problem:
            problem = "limited" if self._run.agents.rests(named) else "a budget has not enough left for it"
        return f"in place of {named}: {problem}"

    def _words(self, name: str, domain: str, load: int, count: int, failed: bool) -> str:
        parts = ["another has failed at it"] if failed else []
        if domain and domain in self._special.get(name, ()):
            parts.append(f"for {domain}")
        parts += [self.merits.words(name, domain), f"{load or 'none'} in hand"]
        return (
            f"{', '.join(parts)}; of {count} that can work now"
            if count > 1
            else "the only one that can work now"
        )

    def _account(self, name: str) -> str:
        return self._run.agents.get(name).account_id

    def _loads(self) -> Counter[str]:
        """How many tasks each account has in hand."""
        works = self._run.works.values()
        return Counter(self._account(one.agent) for some in works for one in some if not one.done)
