"""What work of an agent is likely to take, by what such work took so far."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from . import allowances

_KEPT = 100  # of the last pieces of work of an agent
_ENOUGH = 5  # of this project; with fewer those of all projects count


class Estimates:
    """Of this project's work, from the events of its log, and of all projects'."""

    def __init__(self, everywhere: Callable[[], Iterable[dict[str, Any]]]) -> None:
        """everywhere: gives the lines of spending.jsonl; asked once, when they are wanted."""
        self._read = everywhere
        self._here: dict[tuple[str, str, str], deque[int]] = {}
        self._all: dict[tuple[str, str, str], deque[int]] | None = None

    def note(self, agent: str, kind: str, found: Mapping[str, int | None]) -> None:
        """A piece of work (`work` or `ballot`) came to its end; what is None is not known."""
        _note(self._here, agent, kind, found)

    def likely(self, agent: str, kind: str, unit: str) -> int | None:
        """The 90th percentile, None where nothing is known."""
        return _quantile(self._of(agent, kind, unit), 90)

    def span(self, agent: str, kind: str, unit: str) -> tuple[int, int] | None:
        """The 10th and the 90th percentile."""
        past = self._of(agent, kind, unit)
        low, high = _quantile(past, 10), _quantile(past, 90)
        return None if low is None or high is None else (low, high)

    def count(self, agent: str, kind: str, unit: str) -> int:
        """How many pieces of work these are taken from."""
        return len(self._of(agent, kind, unit))

    def _of(self, agent: str, kind: str, unit: str) -> Collection[int]:
        here = self._here.get((agent, kind, unit), ())
        if len(here) >= _ENOUGH:
            return here
        if self._all is None:
            self._all = {}
            for line in self._read():
                _note(self._all, str(line.get("agent")), str(line.get("kind")), allowances.of_line(line))
        everywhere = self._all.get((agent, kind, unit), ())
        return everywhere if len(everywhere) > len(here) else here


def _note(
    kept: dict[tuple[str, str, str], deque[int]], agent: str, kind: str, found: Mapping[str, int | None]
) -> None:
    for unit, amount in found.items():
        if type(amount) is int:
            kept.setdefault((agent, kind, unit), deque(maxlen=_KEPT)).append(amount)


def _quantile(past: Iterable[int], percent: int) -> int | None:
    """Nearest rank."""
    ordered = sorted(past)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else None
