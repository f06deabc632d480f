"""The tally against a second implementation, and against what theory promises of each method."""

from __future__ import annotations

import itertools
import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tally_oracle as oracle
from orkestra_shim import profilejson, tally

CONDORCET = ("copeland", "minimax", "schulze", "ranked-pairs")
RANKED = ("plurality", "borda", "irv", *CONDORCET)
MONOTONIC = ("plurality", "borda", *CONDORCET)
MAJORITY = ("plurality", "irv", *CONDORCET)

Rows = list[dict[str, Any]]
fixed = settings(derandomize=True, max_examples=80)


def count(options: list[str], rows: Rows, method: str, **more: Any) -> dict[str, Any]:
    profile = {"candidates": options, "ballots": rows, **more}
    return tally.tally(profilejson.read(json.dumps(profile), "a profile"), method)


def winners(options: list[str], rows: Rows, method: str, **more: Any) -> set[str]:
    return set(count(options, rows, method, **more)["winners"])


@st.composite
def elections(draw: st.DrawFn, most: int = 4) -> tuple[list[str], Rows]:
    """Options, and grouped ballots with ties and truncation."""
    options = list("ABCDEF"[: draw(st.integers(2, most))])
    places = st.lists(
        st.one_of(st.none(), st.integers(0, len(options) - 1)), min_size=len(options), max_size=len(options)
    )
    rows = []
    for given_places in draw(st.lists(places, min_size=1, max_size=7)):
        tiers: dict[int, list[str]] = {}
        for option, place in zip(options, given_places, strict=True):
            if place is not None:
                tiers.setdefault(place, []).append(option)
        rows.append({"ranking": [tiers[at] for at in sorted(tiers)], "count": draw(st.integers(1, 3))})
    return options, rows


@st.composite
def scored(draw: st.DrawFn) -> tuple[list[str], Rows]:
    options = list("ABCD"[: draw(st.integers(2, 4))])
    given_scores = st.dictionaries(st.sampled_from(options), st.integers(-1, 3))
    rows = [
        {"scores": one, "count": draw(st.integers(1, 3))}
        for one in draw(st.lists(given_scores, min_size=1, max_size=6))
    ]
    return options, rows


def voters(rows: Rows) -> list[oracle.Ballot]:
    return [[set(tier) for tier in row["ranking"]] for row in rows for _ in range(row["count"])]


# --- a second implementation --------------------------------------------------------------------------------


@fixed
@given(elections())
@pytest.mark.parametrize("method", ["copeland", "minimax", "schulze", "irv"])
def test_as_by_the_definition(method: str, election: tuple[list[str], Rows]) -> None:
    options, rows = election
    assert winners(options, rows, method) == getattr(oracle, method)(voters(rows), options)


def test_irv_remembers_how_it_came_to_a_round() -> None:
    """A then D, or D then A, leave the same; B and C are equal at last, and the rounds before differ."""
    rankings = [(1, "AC"), (2, "E"), (1, "DB"), (2, "CAE"), (2, "BD")]
    rows: Rows = [{"ranking": [[x] for x in ranking], "count": times} for times, ranking in rankings]
    assert oracle.irv(voters(rows), list("ABCDE")) == {"B", "C"}
    assert winners(list("ABCDE"), rows, "irv") == {"B", "C"}


@fixed
@given(elections())
def test_ranked_pairs_as_by_every_order(election: tuple[list[str], Rows]) -> None:
    options, rows = election
    pairs = oracle.preferred(voters(rows), options)
    strengths = [oracle.strength(pairs, a, b) for a, b in pairs]
    # The oracle tries every order of equal defeats.
    assume(
        max(strengths.count(one) for one in strengths if one != (0, 0)) <= 5
        if any(any(s) for s in strengths)
        else True
    )
    assert winners(options, rows, "ranked-pairs") == oracle.ranked_pairs(voters(rows), options)


@fixed
@given(elections(most=6))
def test_schulze_is_debians_dropping_of_the_weakest(election: tuple[list[str], Rows]) -> None:
    options, rows = election
    assert winners(options, rows, "schulze") == oracle.debian(voters(rows), options)


@fixed
@given(elections())
def test_borda_and_pairs_number_by_number(election: tuple[list[str], Rows]) -> None:
    options, rows = election
    said = count(options, rows, "borda")
    assert {option: Fraction(n) for option, n in said["scores"].items()} == oracle.borda(
        voters(rows), options
    )
    assert {(a, b): n for a, row in said["pairwise"].items() for b, n in row.items()} == oracle.preferred(
        voters(rows), options
    )


@fixed
@given(elections())
def test_plurality_shares_a_ballot_among_its_highest(election: tuple[list[str], Rows]) -> None:
    options, rows = election
    said = count(options, rows, "plurality")
    expected = oracle.shares(voters(rows), set(options), options)
    assert {option: Fraction(n) for option, n in said["scores"].items()} == expected
    assert set(said["winners"]) == oracle.best(expected)


@fixed
@given(scored())
def test_star_and_score(election: tuple[list[str], Rows]) -> None:
    options, rows = election
    flat = [row["scores"] for row in rows for _ in range(row["count"])]
    assert winners(options, rows, "star") == oracle.star(flat, options)
    sums = {option: sum(one.get(option, 0) for one in flat) for option in options}
    assert count(options, rows, "score")["scores"] == sums
    assert winners(options, rows, "score") == oracle.best(sums)


@fixed
@given(st.lists(st.tuples(st.sets(st.sampled_from("ABC")), st.integers(1, 3)), min_size=1, max_size=6))
def test_approval(rows: list[tuple[set[str], int]]) -> None:
    ballots = [{"approve": sorted(approved), "count": times} for approved, times in rows]
    expected = {option: sum(times for approved, times in rows if option in approved) for option in "ABC"}
    assert count(list("ABC"), ballots, "approval")["scores"] == expected
    assert winners(list("ABC"), ballots, "approval") == oracle.best(expected)


# --- what holds for every method ----------------------------------------------------------------------------


@settings(fixed, max_examples=40)
@given(elections(), st.randoms(use_true_random=False))
@pytest.mark.parametrize("method", RANKED)
def test_names_order_and_grouping_make_no_difference(method: str, election: Any, random: Any) -> None:
    options, rows = election
    renamed = dict(zip(options, random.sample(options, len(options)), strict=True))
    single = [{"ranking": row["ranking"]} for row in rows for _ in range(row["count"])]
    random.shuffle(single)
    other = [{"ranking": [[renamed[x] for x in tier] for tier in row["ranking"]]} for row in single]
    expected = winners(options, rows, method)
    assert winners(options, single, method) == expected
    assert winners(options, other, method) == {renamed[x] for x in expected}


@settings(fixed, max_examples=40)
@given(scored(), st.randoms(use_true_random=False))
@pytest.mark.parametrize("method", ["score", "star"])
def test_names_order_and_grouping_make_no_difference_to_scores(
    method: str, election: Any, random: Any
) -> None:
    options, rows = election
    renamed = dict(zip(options, random.sample(options, len(options)), strict=True))
    single = [row["scores"] for row in rows for _ in range(row["count"])]
    random.shuffle(single)
    other = [{"scores": {renamed[x]: n for x, n in one.items()}} for one in single]
    assert winners(options, other, method) == {renamed[x] for x in winners(options, rows, method)}


@settings(fixed, max_examples=40)
@given(elections(), st.integers(0, 3))
@pytest.mark.parametrize("method", MAJORITY)
def test_a_majority_elects(method: str, election: Any, more: int) -> None:
    options, rows = election
    heads = sum(row["count"] for row in rows)
    rows = [*rows, {"ranking": [["A"]], "count": heads + 1 + more}]
    assert winners(options, rows, method) == {"A"}


@fixed
@given(elections(most=5))
def test_a_condorcet_winner_is_elected_alone(election: Any) -> None:
    options, rows = election
    v = oracle.preferred(voters(rows), options)
    beats_all = [a for a in options if all(v[a, b] > v[b, a] for b in options if a != b)]
    assume(beats_all)
    for method in CONDORCET:
        assert winners(options, rows, method) == set(beats_all)


@fixed
@given(elections(most=5))
def test_winners_come_from_the_smith_set(election: Any) -> None:
    options, rows = election
    v = oracle.preferred(voters(rows), options)
    smith = next(
        set(chosen)
        for size in range(1, len(options) + 1)
        for chosen in itertools.combinations(options, size)
        if all(v[a, b] > v[b, a] for a in chosen for b in options if b not in chosen)
    )
    for method in ("copeland", "schulze", "ranked-pairs"):
        assert winners(options, rows, method) <= smith


@settings(fixed, max_examples=60)
@given(elections(), st.data())
@pytest.mark.parametrize("method", MONOTONIC)
def test_who_is_raised_does_not_lose(method: str, election: Any, data: st.DataObject) -> None:
    options, rows = election
    winner = data.draw(st.sampled_from(sorted(winners(options, rows, method))))
    at = data.draw(st.integers(0, len(rows) - 1))
    ranking = rows[at]["ranking"]
    place = oracle.level([set(tier) for tier in ranking], winner)
    above = data.draw(st.integers(0, place))
    raised = [[x for x in tier if x != winner] for tier in ranking]
    raised = [tier for tier in [*raised[:above], [winner], *raised[above:]] if tier]
    better = [*rows[:at], {**rows[at], "ranking": raised}, *rows[at + 1 :]]
    assert winner in winners(options, better, method)


def test_irv_is_not_monotonic() -> None:
    """39 ABC, 35 BCA, 26 CAB: A wins 65 to 35; raised by ten of the BCA voters, A loses to C, 49 to 51."""
    options = list("ABC")
    before = [
        {"ranking": ["A", "B", "C"], "count": 39},
        {"ranking": ["B", "C", "A"], "count": 35},
        {"ranking": ["C", "A", "B"], "count": 26},
    ]
    after = [
        {"ranking": ["A", "B", "C"], "count": 49},
        {"ranking": ["B", "C", "A"], "count": 25},
        {"ranking": ["C", "A", "B"], "count": 26},
    ]
    assert winners(options, before, "irv") == {"A"}
    assert winners(options, after, "irv") == {"C"}


def test_borda_may_pass_over_a_majority() -> None:
    rows = [{"ranking": ["A", "B", "C"], "count": 3}, {"ranking": ["B", "C", "A"], "count": 2}]
    assert winners(list("ABC"), rows, "borda") == {"B"}


# --- weights and lots ---------------------------------------------------------------------------------------


@settings(fixed, max_examples=40)
@given(elections())
@pytest.mark.parametrize("method", RANKED)
def test_a_weight_is_so_many_votes(method: str, election: Any) -> None:
    options, rows = election
    weighed = [{"ranking": row["ranking"], "weight": row["count"] * 1000} for row in rows]
    assert winners(options, weighed, method) == winners(options, rows, method)


@settings(fixed, max_examples=40)
@given(elections(), st.text(max_size=8))
@pytest.mark.parametrize("method", RANKED)
def test_a_seed_elects_one_of_the_winners(method: str, election: Any, seed: str) -> None:
    options, rows = election
    said = count(options, rows, method, seed=seed)
    assert said["elected"] in winners(options, rows, method)
    assert count(options[::-1], rows[::-1], method, seed=seed)["elected"] == said["elected"]
