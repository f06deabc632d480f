"""What a run's agents spend, as it becomes known: told to the execution log and to the home's own file.

Most tools say what they used when they end, so one that is cut off leaves its cost unknown.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from . import agentname, ballots, evidence, prices, spending, tickets, votes
from .budgets import Amount
from .errors import EX_LIMITED, EX_LOGIN, EX_UNAVAILABLE
from .journal import now
from .spending import Cost, Total

if TYPE_CHECKING:
    from .agents import Agent
    from .evidence import Result
    from .run import Run
    from .work import Work

_TURNED_AWAY = (EX_LIMITED, EX_UNAVAILABLE, EX_LOGIN)


class Meter:
    """Nothing here is for the agent `shell`, which costs nothing."""

    def __init__(self, run: Run) -> None:
        """Raises 78 for a table of prices that cannot be read."""
        self.run = run
        self._prices = prices.load(run.here.config)

    def work(self, work: Work, result: Result, code: int, seconds: int) -> dict[str, Any]:
        """What an attempt cost, for its event in the log; no basis where nothing can have been spent."""
        agent = self.run.agents.get(work.agent)
        if agent.kind != "ai" or _was_turned_away(result, code):
            return {"tokens": 0, "usd_micros": 0}
        cost = self._cost(agent, result)
        told = cost.told() | self._beyond(work, cost, seconds)
        if charged := self.run.purse.charged(work.task.id, work.number, cost, False):
            told["charged"] = charged
        self._keep(work.task.id, work.number, agent, cost, charged, seconds=seconds)
        return told

    def _beyond(self, work: Work, cost: Cost, seconds: int) -> dict[str, Any]:
        """The limits that an attempt passed: most tools say only at their end what they used."""
        took = {"usd": cost.billed, "tokens": cost.tokens, "seconds": seconds}
        most = {unit: self.run.purse.most(work.task.id, work.number, unit) for unit in took}
        beyond = {
            unit: most[unit] for unit, amount in took.items() if amount and _is_more(amount, most[unit])
        }
        return {"beyond": beyond} if beyond else {}

    def cut_off(self, task: str, number: int, name: str, judges: bool = False) -> dict[str, Any]:
        """The same of one that ended without a word, if the agent was at work."""
        agent = self.run.agents.get(name) if name else None
        if agent is None or agent.kind != "ai":
            return {"agent": name} if judges else {}
        cost = Cost(basis="subscription" if self.by_subscription(agent) else "unknown", model=agent.model)
        told: dict[str, Any] = {"agent": name, "basis": cost.basis}
        if charged := self.run.purse.charged(task, number, cost, judges, cut_off=not judges):
            told["charged"] = charged
        self._keep(task, number, agent, cost, charged, kind="ballot" if judges else "work")
        return told

    def ballots(self, work: Work) -> None:
        """What the ballots of the open vote cost: an event for each, and their sum in the vote's record."""
        if work.vote is None:
            return
        run, folder, sum_up = self.run, work.folder / votes.FOLDER / work.vote["id"], Total()
        sum_up.add_cost(work.vote.get("cost", {}))
        asked = [entry["member"] for entry in work.vote["electorate"] if entry["kind"] == "ai"]
        asked = [member for member in asked if member in work.asked]
        exits = ballots.exits(folder) if asked else {}
        for member in asked:
            place, agent = folder / agentname.folder(member), run.agents.get(member)
            if not (place / "out").is_dir():
                continue
            code = exits.get(member, 0)
            result = evidence.read_result([place / "out", place], agent.extract, code)
            if _was_turned_away(result, result.exit_over(code)):
                continue
            cost = self._cost(agent, result)
            told = {"vote": work.vote["id"], "agent": member, **cost.told()}
            if charged := run.purse.charged(work.task.id, work.number, cost, True):
                told["charged"] = charged
            self._keep(work.task.id, work.number, agent, cost, charged, kind="ballot")
            run.event("balloted", work.task.id, work.number, **told)
            sum_up.add_cost(told)
        if asked:
            work.vote["cost"] = {key: value for key, value in sum_up.told().items() if key != "seconds"}

    def _cost(self, agent: Agent, result: Result) -> Cost:
        return spending.cost(result, self._prices, agent.model, self.by_subscription(agent))

    def by_subscription(self, agent: Agent) -> bool:
        """Whether nobody bills what this agent does."""
        given = self.run.agents.environment(agent)
        keys = [name for name in agent.keys if name in given]
        prefers_key = os.environ.get("ORKESTRA_PREFER_KEY") == "1"
        return spending.is_subscription(tickets.logins(self.run, agent), keys, prefers_key)

    def _keep(
        self,
        task: str,
        number: int,
        agent: Agent,
        cost: Cost,
        charged: Amount,
        kind: str = "work",
        seconds: int | None = None,
    ) -> None:
        line = {
            "at": now(),
            "project": self.run.project.id,
            "task": task,
            "try": number,
            "agent": agent.name,
            "account_id": agent.account_id,
            "kind": kind,
            "seconds": seconds,
            "tokens": cost.usage.told() if cost.usage else None,
            "usd_micros": cost.usd_micros,
            "basis": cost.basis,
            "model": cost.model,
            **({"charged": charged} if charged else {}),
        }
        with spending.locked(self.run.here.config) as folder:
            spending.append(folder, self.run.redact.deep(line))


def _is_more(amount: int, most: int | None) -> bool:
    return most is not None and amount > most


def _was_turned_away(result: Result, code: int) -> bool:
    """A limit, a login that does not hold: nothing was spent unless the tool says so."""
    return code in _TURNED_AWAY and result.usage is None and not result.usd_micros
