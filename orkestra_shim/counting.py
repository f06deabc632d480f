"""Counting ballots: the exact numbers by which the methods in SCRIPTS/COMMITTEE/tally decide."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from fractions import Fraction

from .profiles import Ballot

Matrix = list[list[int]]


def pairwise(ballots: Iterable[Ballot], count: int) -> Matrix:
    """How much prefers a to b, for each two of `count` options; an unranked one is below all that are."""
    matrix = [[0] * count for _ in range(count)]
    for ballot in ballots:
        below = set(range(count)) - ballot.left_out
        for tier in ballot.tiers:
            below.difference_update(tier)
            for option in tier:
                row = matrix[option]
                for other in below:
                    row[other] += ballot.weight
    return matrix


def heads_above(ballots: Iterable[Ballot], count: int, default: int) -> list[int]:
    """For each option, how many voters (not weights) prefer it to the default."""
    found = [0] * count
    for ballot in ballots:
        if default in ballot.left_out:
            continue
        for tier in ballot.tiers:
            if default in tier:
                break
            for option in tier:
                found[option] += ballot.heads
    return found


def firsts(ballots: Iterable[Ballot], continuing: Collection[int], count: int) -> list[Fraction]:
    """What each continuing option has of the ballots on which it is the highest; equal ones share a ballot.

    A ballot that ranks none of them counts for nobody. A last tier of all the others says no more than a
    ballot that stops before it, and counts no more.
    """
    alone = [0] * count
    shared: dict[int, list[int]] = {}
    for ballot in ballots:
        left = count
        for tier in ballot.tiers:
            left -= len(tier)
            if left == 0 and len(tier) > 1:
                break
            top = [option for option in tier if option in continuing]
            if top:
                counts = alone if len(top) == 1 else shared.setdefault(len(top), [0] * count)
                for option in top:
                    counts[option] += ballot.weight
                break
    return [
        alone[option] + sum((Fraction(counts[option], size) for size, counts in shared.items()), Fraction())
        for option in range(count)
    ]


def approvals(ballots: Iterable[Ballot], count: int) -> list[int]:
    """What approves each option."""
    found = [0] * count
    for ballot in ballots:
        for option in ballot.tiers[0] if ballot.tiers else ():
            found[option] += ballot.weight
    return found


def scores(ballots: Iterable[Ballot], count: int) -> list[int]:
    """The weighted sum of each option's scores; an option without one has 0 from that ballot."""
    found = [0] * count
    for ballot in ballots:
        for option, score in ballot.scores:
            found[option] += score * ballot.weight
    return found


def lots(seed: str, candidates: Sequence[str]) -> list[int]:
    """The place of each option in the draw, 0 first: by SHA-256 of seed and name, whatever their order."""
    import hashlib

    drawn = sorted(
        candidates, key=lambda name: hashlib.sha256(f"orkestra.lot/1\n{seed}\0{name}".encode()).digest()
    )
    return [drawn.index(name) for name in candidates]
