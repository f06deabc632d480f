"""What agents have to show: outcomes on the project's branch that landed, and that failed, by domain.

A share is shrunk: an agent's own towards that of all agents, its own in a domain towards its own in all. So
one success is no proof, one failure no verdict, and who has done nothing yet stands where all stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

WEIGHT = 4  # outcomes that the wider share counts for
_GOOD = ("landed", "answered")
_Tally = tuple[int, int]  # good ones, and all


def domain_of(raw: dict[str, Any]) -> str:
    """A task's domain as domains are compared; '' for none."""
    return plain(str(raw.get("domain") or ""))


def plain(domain: str) -> str:
    """A domain without what people write differently."""
    return " ".join(domain.split()).casefold()


class Merits:
    """Counts outcomes as they come; an outcome counts for the domain that its task has then."""

    def __init__(self, domain: Callable[[str], str], outcomes: Iterable[dict[str, Any]] = ()) -> None:
        """domain: that of a task by its id."""
        self._domain = domain
        self._counts: dict[tuple[str, str], _Tally] = {}  # by agent and domain
        self._sums: dict[str, _Tally] = {}  # by agent
        self._landed: dict[str, tuple[str, str]] = {}  # agent and domain of what may be taken back
        for outcome in outcomes:
            self.take(outcome)

    def take(self, outcome: dict[str, Any]) -> None:
        """One more outcome. What decides nothing about an agent's work is passed over."""
        decision, agent = outcome.get("decision"), outcome.get("agent")
        if decision == "undone" and (found := self._landed.pop(str(outcome.get("undoes")), None)):
            self._add(*found, -1, 0)
        if not isinstance(agent, str) or decision not in (*_GOOD, "failed"):
            return
        domain = self._domain(str(outcome.get("task")))
        self._add(agent, domain, int(decision in _GOOD), 1)
        if decision == "landed":
            self._landed[str(outcome.get("id"))] = agent, domain

    def _add(self, agent: str, domain: str, good: int, count: int) -> None:
        before, own = self._sums.get(agent, (0, 0)), self._counts.get((agent, domain), (0, 0))
        self._sums[agent] = before[0] + good, before[1] + count
        self._counts[agent, domain] = own[0] + good, own[1] + count

    def share(self, agent: str, domain: str, among: Iterable[str]) -> int:
        """Per thousand that may be expected of an agent in a domain; `among`: all that are compared."""
        sums = [self._sums.get(name, (0, 0)) for name in among]
        expected = (sum(good for good, _ in sums) + 1) / (sum(count for _, count in sums) + 2)
        own = [self._sums.get(agent, (0, 0)), self._counts.get((agent, domain), (0, 0))]
        for good, count in own if domain else own[:1]:
            expected = (good + WEIGHT * expected) / (count + WEIGHT)
        return round(1000 * expected)

    def words(self, agent: str, domain: str) -> str:
        """The same for people, not shrunk."""
        good, count = self._counts.get((agent, domain), (0, 0)) if domain else (0, 0)
        where = f" in {domain}" if count else ""
        if not count:
            good, count = self._sums.get(agent, (0, 0))
        return f"{good} of {count} landed{where}" if count else "no record yet"
