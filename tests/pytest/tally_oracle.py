"""The rules of the tally a second time: from their definitions, ballot by ballot, every order tried, slow.

Nothing here is shared with what it is held against. A ballot is a list of tiers (sets of options), a profile
a list of them, one for each voter.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction

Ballot = list[set[str]]
Pairs = dict[tuple[str, str], int]


def level(ballot: Ballot, option: str) -> int:
    for at, tier in enumerate(ballot):
        if option in tier:
            return at
    return len(ballot)


def preferred(ballots: list[Ballot], options: list[str]) -> Pairs:
    return {
        (a, b): sum(level(ballot, a) < level(ballot, b) for ballot in ballots)
        for a in options
        for b in options
        if a != b
    }


def best(scores: dict[str, Fraction] | dict[str, int]) -> set[str]:
    return {option for option, score in scores.items() if score == max(scores.values())}


def strength(v: Pairs, a: str, b: str) -> tuple[int, int]:
    """Of a defeat, by the Debian constitution's "weaker"; (0, 0) for none."""
    return (v[a, b], -v[b, a]) if v[a, b] > v[b, a] else (0, 0)


# --- one by one ---------------------------------------------------------------------------------------------


def borda(ballots: list[Ballot], options: list[str]) -> dict[str, Fraction]:
    points = dict.fromkeys(options, Fraction())
    for ballot in ballots:
        for a in options:
            for b in options:
                if a != b:
                    difference = level(ballot, b) - level(ballot, a)
                    points[a] += Fraction(1 if difference > 0 else 0 if difference < 0 else Fraction(1, 2))
    return points


def copeland(ballots: list[Ballot], options: list[str]) -> set[str]:
    v = preferred(ballots, options)
    others = {a: [b for b in options if b != a] for a in options}
    return best({a: sum((v[a, b] > v[b, a]) - (v[a, b] < v[b, a]) for b in others[a]) for a in options})


def minimax(ballots: list[Ballot], options: list[str]) -> set[str]:
    v = preferred(ballots, options)
    return best({a: -max([0, *(strength(v, b, a)[0] for b in options if b != a)]) for a in options})


def schulze(ballots: list[Ballot], options: list[str]) -> set[str]:
    """Every simple path looked at."""
    v = preferred(ballots, options)

    def strongest(a: str, b: str) -> tuple[int, int]:
        found = []
        rest = [option for option in options if option not in (a, b)]
        for length in range(len(rest) + 1):
            for between in itertools.permutations(rest, length):
                path = [a, *between, b]
                found.append(min(strength(v, x, y) for x, y in itertools.pairwise(path)))
        return max(found)

    return {a for a in options if all(strongest(a, b) >= strongest(b, a) for b in options if b != a)}


def debian(ballots: list[Ballot], options: list[str]) -> set[str]:
    """Schwartz sequential dropping, as the Debian constitution has it (A.5, steps 4 to 8)."""
    v = preferred(ballots, options)
    left = set(options)
    defeats = {(a, b) for a in options for b in options if a != b and v[a, b] > v[b, a]}
    while True:
        reaches = {(a, b) for a, b in defeats if a in left and b in left}
        for via in options:
            reaches |= {(a, b) for a in left for b in left if (a, via) in reaches and (via, b) in reaches}
        left = {a for a in left if all((a, b) in reaches for b in left if (b, a) in reaches)}
        defeats = {(a, b) for a, b in defeats if a in left and b in left}
        if not defeats:
            return left
        weakest = min(strength(v, a, b) for a, b in defeats)
        defeats = {(a, b) for a, b in defeats if strength(v, a, b) > weakest}


def ranked_pairs(ballots: list[Ballot], options: list[str]) -> set[str]:
    """Every order of the defeats in which none comes before a stronger one."""
    v = preferred(ballots, options)
    defeats = [(a, b) for a in options for b in options if a != b and v[a, b] > v[b, a]]
    groups: dict[tuple[int, int], list[tuple[str, str]]] = {}
    for a, b in defeats:
        groups.setdefault(strength(v, a, b), []).append((a, b))
    orders = [list(itertools.permutations(groups[key])) for key in sorted(groups, reverse=True)]
    return {
        winner
        for order in itertools.product(*orders)
        for winner in _locked_top([pair for group in order for pair in group], options)
    }


def _locked_top(order: list[tuple[str, str]], options: list[str]) -> set[str]:
    locked: set[tuple[str, str]] = set()

    def leads(a: str, b: str) -> bool:
        return a == b or any(leads(y, b) for x, y in locked if x == a)

    for a, b in order:
        if not leads(b, a):
            locked.add((a, b))
    return set(options) - {b for _, b in locked}


# --- rounds -------------------------------------------------------------------------------------------------


def shares(ballots: list[Ballot], continuing: set[str], options: list[str]) -> dict[str, Fraction]:
    counts = dict.fromkeys(sorted(continuing), Fraction())
    for ballot in ballots:
        ranked = [tier for tier in ballot if len(tier) == 1 or level(ballot, min(tier)) < len(ballot) - 1]
        if sum(map(len, ballot)) < len(options):
            ranked = ballot
        top = next((tier & continuing for tier in ranked if tier & continuing), set())
        for option in top:
            counts[option] += Fraction(1, len(top))
    return counts


def irv(ballots: list[Ballot], options: list[str]) -> set[str]:
    """Every order in which equally low options may go."""
    return set(_instant(ballots, options, set(options), []))


def _instant(
    ballots: list[Ballot], options: list[str], continuing: set[str], earlier: list[dict[str, Fraction]]
) -> Iterator[str]:
    counts = shares(ballots, continuing, options)
    total = sum(counts.values())
    winner = [option for option in continuing if counts[option] > total / 2]
    if winner or len(continuing) == 1 or not total:
        yield from winner or continuing
        return
    lowest = set(continuing)
    for row in [counts, *reversed(earlier)]:
        least = min(row[option] for option in lowest)
        lowest = {option for option in lowest if row[option] == least}
    for option in lowest:
        yield from _instant(ballots, options, continuing - {option}, [*earlier, counts])


def star(scored: list[dict[str, int]], options: list[str]) -> set[str]:
    """Every order of the options in which none comes before one with a higher sum."""
    sums = {option: sum(one.get(option, 0) for one in scored) for option in options}
    winners = set()
    for order in itertools.permutations(options):
        if list(order) == sorted(order, key=lambda option: -sums[option]):
            a, b = order[:2]
            lead = sum((one.get(a, 0) > one.get(b, 0)) - (one.get(a, 0) < one.get(b, 0)) for one in scored)
            winners |= {a} if lead > 0 else {b} if lead < 0 else {a, b}
    return winners
