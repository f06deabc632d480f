"""irv: the rounds, of which irv-round.jq decides each.

Without lots every order is followed in which equally low options may be dropped; the rounds told are those of
the first order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from . import counting
from .deciding import decide, scaled
from .profiles import Ballot, wrong

_ROUNDS = 1500  # on small profiles; as much work on large ones, and always one order
_ROUND = 1000  # ballots looked at in the time that a round takes without any


@dataclass(frozen=True)
class Round:
    """One count: who has what, and what follows."""

    counts: dict[int, Fraction]  # of the continuing options
    elected: list[int]
    dropped: list[int]
    among: list[int]  # that were equally low, where there were several
    by: str | None  # what told them apart


@dataclass(frozen=True)
class _State:
    continuing: list[int]
    earlier: list[list[Fraction]]  # counts of the rounds before
    rounds: list[Round]

    def key(self) -> tuple[Any, ...]:
        """All that what follows depends on."""
        return tuple(self.continuing), *(
            tuple(row[option] for option in self.continuing) for row in self.earlier
        )


def count(ballots: Sequence[Ballot], options: int, lots: list[int] | None) -> tuple[list[Round], list[int]]:
    """(rounds, winners). Raises OrkestraError 65 when there are too many orders to follow."""
    winners: set[int] = set()
    told: list[Round] = []
    seen: set[tuple[Any, ...]] = set()
    work = _ROUND + len(ballots)
    left = max(_ROUNDS * _ROUND, options * work)
    todo = [_State(list(range(options)), [], [])]
    while todo:
        state = todo.pop()
        if state.key() in seen:
            continue
        seen.add(state.key())
        left -= work
        if left < 0:
            raise wrong("irv: too many options are equally low to follow every order", "give a seed: --seed")
        counts = counting.firsts(ballots, frozenset(state.continuing), options)
        said = _decided(state, counts, options, lots)
        here = Round(
            {option: counts[option] for option in state.continuing},
            said["elected"],
            [],
            said["among"],
            said["by"],
        )
        if here.elected:
            winners.update(here.elected)
            told = told or [*state.rounds, here]
        for option in reversed(said["drop"]):
            others = [other for other in state.continuing if other != option]
            rounds = [*state.rounds, replace(here, dropped=[option])]
            todo.append(_State(others, [*state.earlier, counts], rounds))
    return told, sorted(winners)


def _decided(state: _State, counts: list[Fraction], options: int, lots: list[int] | None) -> dict[str, Any]:
    numbers, _ = scaled([*counts, *(number for row in state.earlier for number in row)])
    value = {
        "continuing": state.continuing,
        "counts": numbers[:options],
        "earlier": [numbers[at : at + options] for at in range(options, len(numbers), options)],
        "lots": lots,
    }
    said: dict[str, Any] = decide("irv-round", value)
    return said


def ranking(rounds: Sequence[Round]) -> list[list[int]] | None:
    """The elected, who was left, then the dropped, the last first; None where it could be another order."""
    if any(one.among and one.by in (None, "no votes") for one in rounds) or len(rounds[-1].elected) > 1:
        return None
    last = rounds[-1]
    others = set(last.counts) - set(last.elected)
    beside = [
        sorted(option for option in others if last.counts[option] == votes)
        for votes in sorted({last.counts[option] for option in others}, reverse=True)
    ]
    return [last.elected, *beside, *(one.dropped for one in reversed(rounds[:-1]))]
