"""Who votes, which ballots count, and what they decide."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orkestra_shim import ballots, committee

CLAUDE = {"member": "claude", "family": "anthropic", "kind": "ai"}
HAIKU = {"member": "haiku", "family": "anthropic", "kind": "ai"}
CODEX = {"member": "codex", "family": "openai", "kind": "ai"}
GEMINI = {"member": "gemini", "family": "google", "kind": "ai"}


def ask(author: str, family: str, agents: list[dict[str, str]], **more: Any) -> dict[str, Any]:
    question = {
        "author": {"member": author, "family": family},
        "reviewers": "auto",
        "agents": agents,
        "programs": ["lint", "size", "tidy"],
        "changed_lines": 10,
        "marked": False,
        **more,
    }
    return committee.electorate(question)


def names(chosen: dict[str, Any]) -> list[str]:
    return [entry["member"] for entry in chosen["electorate"]]


@pytest.mark.parametrize(
    ("author", "family", "agents", "more", "electorate"),
    [
        ("shell", "none", [], {}, ["lint", "size", "tidy"]),
        ("claude", "anthropic", [CLAUDE], {}, ["claude"]),
        ("claude", "anthropic", [CLAUDE, HAIKU], {}, ["haiku"]),
        ("shell", "none", [CLAUDE], {}, ["claude"]),
        ("claude", "anthropic", [CLAUDE, CODEX, GEMINI], {}, ["codex"]),
        ("claude", "anthropic", [CLAUDE, CODEX, GEMINI], {"changed_lines": 401}, ["codex", "gemini"]),
        ("claude", "anthropic", [CLAUDE, HAIKU, CODEX], {"marked": True}, ["codex", "haiku"]),
        (
            "claude",
            "anthropic",
            [CLAUDE, CODEX],
            {"reviewers": ["claude", "codex", "lint"]},
            ["codex", "lint"],
        ),
        ("shell", "none", [], {"reviewers": []}, []),
    ],
)
def test_the_table_of_electorates(
    author: str, family: str, agents: list[dict[str, str]], more: dict[str, Any], electorate: list[str]
) -> None:
    assert names(ask(author, family, agents, **more)) == electorate


@given(st.integers(0, 30))
def test_quorum_is_the_smallest_integer_of_six_tenths(count: int) -> None:
    programs = [f"p{n}" for n in range(count)]
    assert ask("shell", "none", [], programs=programs)["quorum"] == max(1, -(-6 * count // 10))


def vote(chosen: dict[str, Any], author: str, family: str, **more: Any) -> dict[str, Any]:
    opened = committee.open_vote(
        "vote-001", "t", "T", chosen, {"member": author, "family": family}, 2, "majority", {}, [], []
    )
    return {**opened, **more}


def count(opened: dict[str, Any], *choices: tuple[str, str]) -> dict[str, Any]:
    ballots = [{"member": member, "choice": choice} for member, choice in choices]
    return committee.close_vote(opened, ballots, [])


PROGRAMS = ask("shell", "none", [])


@pytest.mark.parametrize(
    ("choices", "decision"),
    [
        ("aaa", "approve"),
        ("aar", "approve"),
        ("arr", "reject"),
        ("a-v", "reject"),
        ("aax", "approve"),
        ("ax", "approve"),
        ("xxx", "reject"),
        ("a", "no-quorum"),
        ("", "no-quorum"),
        ("ar", "reject"),
    ],
)
def test_a_majority_of_those_cast_with_a_quorum(choices: str, decision: str) -> None:
    words = {"a": "approve", "r": "reject", "v": "revise", "x": "abstain", "-": "abstain"}
    cast = list(zip(["lint", "size", "tidy"], (words[letter] for letter in choices), strict=False))
    assert count(vote(PROGRAMS, "shell", "none"), *cast)["decision"] == decision


def test_a_revise_in_the_first_round_sends_it_back() -> None:
    opened = vote(PROGRAMS, "shell", "none", round=1)
    cast = (("lint", "approve"), ("size", "approve"), ("tidy", "revise"))
    assert count(opened, *cast)["decision"] == "revise"


def test_programs_neither_make_a_quorum_nor_stand_for_another_family() -> None:
    chosen = ask("claude", "anthropic", [CLAUDE, HAIKU, CODEX], reviewers=["haiku", "codex", "lint", "size"])
    opened = vote(chosen, "claude", "anthropic")
    assert count(opened, ("lint", "approve"), ("size", "approve"))["decision"] == "no-quorum"
    cast = (("lint", "approve"), ("size", "approve"), ("haiku", "approve"), ("codex", "reject"))
    assert count(opened, *cast)["decision"] == "reject"
    cast = (("haiku", "approve"), ("codex", "approve"))
    assert count(opened, *cast)["reviewed_by"] == "other family"


def test_a_mark_needs_another_family() -> None:
    opened = vote(PROGRAMS, "shell", "none", gates=[{"gate": "protected", "passed": True, "marked": True}])
    cast = (("lint", "approve"), ("size", "approve"), ("tidy", "approve"))
    assert count(opened, *cast)["decision"] == "needs-person"


@pytest.mark.parametrize(
    ("rule", "choices", "decision"),
    [
        ("supermajority 2/3", "aar", "approve"),
        ("supermajority 2/3", "ar", "reject"),
        ("unanimity", "aax", "approve"),
        ("unanimity", "aar", "reject"),
        ("supermajority 1/1", "aaa", "approve"),
    ],
)
def test_other_rules(rule: str, choices: str, decision: str) -> None:
    words = {"a": "approve", "r": "reject", "x": "abstain"}
    cast = list(zip(["lint", "size", "tidy"], (words[letter] for letter in choices), strict=False))
    assert count(vote(PROGRAMS, "shell", "none", rule=rule), *cast)["decision"] == decision


@given(st.lists(st.sampled_from(["approve", "revise", "reject", "abstain"]), max_size=9))
def test_the_tally_is_that_of_the_rule(choices: list[str]) -> None:
    programs = [f"p{n}" for n in range(9)]
    opened = vote(ask("shell", "none", [], programs=programs), "shell", "none")
    closed = count(opened, *zip(programs, choices, strict=False))
    yes, cast = choices.count("approve"), len(choices) - choices.count("abstain")
    expected = "no-quorum" if len(choices) < 6 else "approve" if 2 * yes > cast else "reject"
    assert closed["decision"] == expected
    assert closed["tally"]["yes"] == 1000 * yes and closed["tally"]["base"] == 1000 * cast


GOOD = {"choice": "approve", "reason": "good", "confidence": 80}


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (GOOD, ""),
        ({"ballot": GOOD}, ""),
        ({"text": json.dumps(GOOD)}, ""),
        ("{", "not readable"),
        ([], "not an object"),
        (None, "left no ballot"),
        ({"text": "I approve"}, "not JSON"),
        ({**GOOD, "choice": "yes"}, "choice"),
        ({**GOOD, "reason": " "}, "no reason"),
        ({**GOOD, "confidence": 101}, "confidence"),
        ({**GOOD, "confidence": True}, "confidence"),
        ({"error": "overloaded"}, "overloaded"),
    ],
)
def test_an_agents_ballot_is_exactly_one_or_it_is_absent(place: Path, result: object, why: str) -> None:
    opened = vote(ask("shell", "none", [CLAUDE]), "shell", "none")
    (place / "claude").mkdir()
    (place / "ballots.tsv").write_text("claude\t0\t\nstranger\t0\tapprove\n")
    if result is not None:
        (place / "claude/result.json").write_text(result if isinstance(result, str) else json.dumps(result))
    cast, absent = ballots.read(place, opened, str, {})
    assert len(cast) + len(absent) == 1
    assert (cast[0]["choice"] == "approve") if not why else why in absent[0]["why"]


@given(st.binary(max_size=300))
def test_any_table_of_ballots_gives_ballots_and_absent_members(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.mktemp("vote")
    (folder / "ballots.tsv").write_bytes(data)
    cast, absent = ballots.read(folder, vote(PROGRAMS, "shell", "none"), str, {})
    assert sorted(one["member"] for one in [*cast, *absent]) == ["lint", "size", "tidy"]
