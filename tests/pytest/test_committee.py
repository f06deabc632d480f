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
QWEN = {"member": "qwen", "family": "alibaba", "kind": "ai"}
OPUS = {"member": "claude:opus", "family": "anthropic", "kind": "ai", "model": "opus"}
WORK = {"member": "claude@work", "family": "anthropic", "kind": "ai"}


def rests(agent: dict[str, Any]) -> dict[str, Any]:
    return {**agent, "limited": True}


def ask(
    author: str, family: str, agents: list[dict[str, Any]], model: str = "", **more: Any
) -> dict[str, Any]:
    question = {
        "author": {"member": author, "family": family, "model": model},
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


BIG: dict[str, Any] = {"changed_lines": 401}
MARKED: dict[str, Any] = {"marked": True}


@pytest.mark.parametrize(
    ("agents", "more", "electorate", "waits"),
    [
        # Two vendors or more: another one of another family stands in.
        ([CLAUDE, rests(CODEX), GEMINI], {}, ["gemini"], None),
        ([CLAUDE, HAIKU, rests(CODEX)], {}, None, (["codex"], 1)),
        ([CLAUDE, HAIKU, rests(CODEX), rests(GEMINI)], {}, None, (["codex", "gemini"], 1)),
        ([rests(CLAUDE), CODEX], {}, ["codex"], None),
        # More than 400 lines, or marked: two, of which the limit takes none away.
        ([CLAUDE, CODEX, rests(GEMINI), QWEN], BIG, ["codex", "qwen"], None),
        ([CLAUDE, CODEX, rests(GEMINI), QWEN], MARKED, ["codex", "qwen"], None),
        ([CLAUDE, HAIKU, CODEX, rests(GEMINI)], BIG, None, (["gemini"], 1)),
        ([CLAUDE, HAIKU, WORK, rests(CODEX)], MARKED, None, (["codex"], 1)),
        ([CLAUDE, rests(HAIKU), rests(CODEX)], BIG, None, (["codex", "haiku"], 2)),
        ([CLAUDE, rests(HAIKU), WORK, CODEX], BIG, ["codex", "claude@work"], None),
        ([CLAUDE, rests(CODEX), rests(GEMINI), rests(QWEN)], BIG, None, (["codex", "gemini", "qwen"], 2)),
        # One vendor.
        ([CLAUDE, rests(HAIKU), WORK], {}, ["claude@work"], None),
        ([CLAUDE, rests(HAIKU)], {}, None, (["haiku"], 1)),
        ([rests(CLAUDE)], {}, None, (["claude"], 1)),
        # Named ones: nobody else is asked.
        ([CLAUDE, rests(CODEX), GEMINI], {"reviewers": ["codex"]}, None, (["codex"], 1)),
        ([CLAUDE, rests(CODEX), GEMINI], {"reviewers": ["codex", "gemini"]}, None, (["codex"], 1)),
        ([CLAUDE, rests(CODEX)], {"reviewers": ["codex", "lint"]}, None, (["codex"], 1)),
        ([CLAUDE, rests(CODEX)], {"reviewers": ["lint"]}, ["lint"], None),
        (
            [CLAUDE, rests(CODEX), GEMINI, QWEN],
            {"reviewers": ["codex", "gemini", "qwen"]},
            ["codex", "gemini", "qwen"],
            None,
        ),
        (
            [CLAUDE, HAIKU, WORK, rests(CODEX)],
            {"reviewers": ["haiku", "claude@work", "codex"]},
            None,
            (["codex"], 1),
        ),
    ],
)
def test_a_limit_lowers_no_bar(
    agents: list[dict[str, Any]],
    more: dict[str, Any],
    electorate: list[str] | None,
    waits: tuple[list[str], int] | None,
) -> None:
    chosen = ask("claude", "anthropic", agents, **more)
    assert chosen["waiting"] == (None if waits is None else {"for": waits[0], "missing": waits[1]})
    if electorate is not None:
        assert names(chosen) == electorate
        assert not any("limited" in entry for entry in chosen["electorate"])


def test_without_an_ai_no_limit_holds_a_review_up() -> None:
    assert names(ask("shell", "none", [])) == ["lint", "size", "tidy"]
    assert ask("shell", "none", [])["waiting"] is None


def test_one_vendor_reviews_by_another_model_where_it_has_one() -> None:
    assert names(ask("claude", "anthropic", [CLAUDE, WORK, OPUS])) == ["claude:opus"]
    assert names(ask("claude:opus", "anthropic", [OPUS, CLAUDE, WORK], "opus")) == ["claude"]


AGENTS = [CLAUDE, HAIKU, CODEX, GEMINI, QWEN]


@pytest.mark.parametrize(
    ("agents", "asked", "instead_of", "who"),
    [
        (AGENTS, ["codex"], None, "gemini"),
        (AGENTS, ["codex"], CODEX, "gemini"),
        (AGENTS, ["codex", "gemini", "qwen"], None, None),
        (AGENTS, ["haiku"], HAIKU, "codex"),
        ([CLAUDE, CODEX, {**CODEX, "member": "codex:x"}, GEMINI], ["codex"], None, "gemini"),
        ([CLAUDE, CODEX, {**CODEX, "member": "codex:x"}], ["codex"], None, "codex:x"),
        ([CLAUDE, CODEX, rests(GEMINI), QWEN], ["codex"], None, "qwen"),
        ([CLAUDE, HAIKU, CODEX], ["codex"], None, None),
        ([CLAUDE, HAIKU, CODEX], ["codex"], CODEX, None),
        ([CLAUDE, HAIKU, WORK], ["haiku"], HAIKU, "claude@work"),
        ([CLAUDE, HAIKU], ["haiku"], HAIKU, None),
    ],
)
def test_who_is_called_into_a_vote_that_goes_on(
    agents: list[dict[str, Any]], asked: list[str], instead_of: dict[str, Any] | None, who: str | None
) -> None:
    known = {one["member"]: one["family"] for one in agents}
    found = committee.stand_in(
        {
            "author": {"member": "claude", "family": "anthropic"},
            "agents": agents,
            "asked": asked,
            "families": [known[name] for name in asked if instead_of is None],
            "instead_of": instead_of,
        }
    )
    assert (found["member"] if found else None) == who and "limited" not in (found or {})


@pytest.mark.parametrize(
    ("agents", "reviewed_by"),
    [([], "programs"), ([CLAUDE], "same family"), ([CLAUDE, HAIKU], "same family"), (AGENTS, "other family")],
)
def test_the_record_says_by_whom_a_change_was_reviewed(
    agents: list[dict[str, Any]], reviewed_by: str
) -> None:
    chosen = ask("claude", "anthropic", agents)
    closed = count(
        vote(chosen, "claude", "anthropic"), *((one["member"], "approve") for one in chosen["electorate"])
    )
    assert (closed["decision"], closed["reviewed_by"]) == ("approve", reviewed_by)


def test_a_tie_between_the_two_who_were_asked_after_a_reject_is_for_a_person() -> None:
    opened = vote(ask("claude", "anthropic", [CLAUDE, CODEX]), "claude", "anthropic")
    committee.seat(opened, GEMINI)
    assert opened["quorum"] == 2 and set(opened["weights"]) == {"codex", "gemini"}
    choices = [("codex", "reject"), ("gemini", "approve")]
    assert count(opened, *choices)["decision"] == "reject"
    assert count({**opened, "tie": "person"}, *choices)["decision"] == "needs-person"
    for gemini in (900, 1900):  # the one who weighs more does not decide alone over the other
        weighed = {**opened, "tie": "person", "weights": {"codex": 1000, "gemini": gemini}}
        assert count(weighed, *choices)["decision"] == "needs-person"
    both = [("codex", "reject"), ("gemini", "reject")]
    assert count({**opened, "tie": "person"}, *both)["decision"] == "reject"
    committee.unseat(opened, "gemini", "timed out")
    assert opened["quorum"] == 1 and count(opened, ("codex", "reject"))["decision"] == "reject"
    assert opened["replaced"] == [{"member": "gemini", "why": "timed out", "by": None}]


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


def test_no_number_of_programs_outvotes_an_ai() -> None:
    """Of the author's own family too, where no rule about families is in the way."""
    chosen = ask("claude", "anthropic", [CLAUDE, HAIKU], reviewers=["haiku", "lint", "size", "tidy"])
    opened = vote(chosen, "claude", "anthropic")
    programs = [(name, "approve") for name in ("lint", "size", "tidy")]
    for said in ("reject", "abstain"):
        assert count(opened, *programs, ("haiku", said))["decision"] == "reject"
    assert count(opened, *programs, ("haiku", "approve"))["decision"] == "approve"
    refused = [(name, "reject") for name in ("lint", "size")]
    assert count(opened, *refused, ("haiku", "approve"))["decision"] == "reject"
    chosen = ask("shell", "none", [HAIKU, CODEX], reviewers=["haiku", "codex", "lint", "size", "tidy"])
    told = count(vote(chosen, "shell", "none"), *programs, ("haiku", "approve"), ("codex", "reject"))
    assert told["decision"] == "reject" and "the programs accepted it" in told["why"]


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
        (
            {
                "ballot": [
                    {"a": 1},
                    {**GOOD, "reason": "a draft"},
                    GOOD,
                    {**GOOD, "choice": "approve | reject"},
                ]
            },
            "",
        ),
        (
            {"ballot": [GOOD, {**GOOD, "choice": "reject"}]},
            "contradicts itself: it gave several ballots (approve, reject)",
        ),
        ({"ballot": [{"a": 1}, {"b": 2}]}, "choice"),
        ({"ballot": []}, "left no ballot"),
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
    asked = ballots.read(place, opened["electorate"], str, {})
    cast, absent = asked.cast, asked.absent
    assert len(cast) + len(absent) == 1
    assert (cast[0]["choice"] == "approve") if not why else why in absent[0]["why"]


@given(st.binary(max_size=300))
def test_any_table_of_ballots_gives_ballots_and_absent_members(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    folder = tmp_path_factory.mktemp("vote")
    (folder / "ballots.tsv").write_bytes(data)
    asked = ballots.read(folder, PROGRAMS["electorate"], str, {})
    assert sorted(one["member"] for one in [*asked.cast, *asked.absent]) == ["lint", "size", "tidy"]
