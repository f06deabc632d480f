"""orkestra vote tally: published elections, bad ballots, ties, the default option, motions, hostile names."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from orkestra_shim.cli import main

Capture = pytest.CaptureFixture[str]
Result = dict[str, Any]

RANKED = ("plurality", "borda", "irv", "copeland", "minimax", "schulze", "ranked-pairs")


def ballots(text: str) -> list[Result]:
    """Each line: how many, then their ranking, `>` between tiers and `=` within one."""
    rows = []
    for line in text.strip().splitlines():
        count, _, ranking = line.strip().partition(" ")
        tiers = [tier.split("=") for tier in ranking.replace(" ", "").split(">") if tier]
        rows.append({"ranking": tiers, "count": int(count)})
    return rows


def letters(text: str) -> list[Result]:
    """`5 ACBED, 2 CBADE`: options of one letter, strictly ranked."""
    pairs = (part.split() for part in text.split(","))
    return [{"ranking": list(ranking), "count": int(count)} for count, ranking in pairs]


@pytest.fixture
def tally(place: Path, capsys: Capture) -> Any:
    """tally(profile, *options): the JSON that the command prints for a profile (or a text as it stands)."""

    def count(profile: Result | str, *options: str) -> Any:
        Path("profile").write_text(profile if isinstance(profile, str) else json.dumps(profile), "utf-8")
        code = main(["vote", "tally", "profile", "--json", *options])
        said = capsys.readouterr()
        assert (code, said.err) == (0, "")
        return json.loads(said.out)

    return count


# --- published elections ------------------------------------------------------------------------------------

# The capital of Tennessee, the example of Wikipedia's articles on each of these methods.
CITIES = ["Memphis", "Nashville", "Chattanooga", "Knoxville"]
TENNESSEE = {
    "candidates": CITIES,
    "ballots": ballots("""
        42 Memphis > Nashville > Chattanooga > Knoxville
        26 Nashville > Chattanooga > Knoxville > Memphis
        15 Chattanooga > Knoxville > Nashville > Memphis
        17 Knoxville > Chattanooga > Nashville > Memphis"""),
}


@pytest.mark.parametrize(
    ("method", "winner", "scores"),
    [
        ("plurality", "Memphis", [42, 26, 15, 17]),
        ("borda", "Nashville", [126, 194, 173, 107]),
        ("irv", "Knoxville", None),
        ("copeland", "Nashville", [-3, 3, 1, -1]),
        ("minimax", "Nashville", [58, 0, 68, 83]),
        ("schulze", "Nashville", None),
        ("ranked-pairs", "Nashville", None),
    ],
)
def test_the_capital_of_tennessee(tally: Any, method: str, winner: str, scores: list[int] | None) -> None:
    said = tally(TENNESSEE, "--method", method)
    assert (said["winners"], said["elected"], said["outcome"]) == ([winner], winner, "elected")
    assert said["scores"] == (scores and dict(zip(CITIES, scores, strict=True)))
    assert said["tie_break"] is None
    assert said["pairwise"]["Nashville"] == {"Memphis": 58, "Chattanooga": 68, "Knoxville": 68}


def test_the_rounds_of_tennessee(tally: Any) -> None:
    said = tally(TENNESSEE, "--method", "irv")
    assert [one["dropped"] for one in said["rounds"]] == [["Chattanooga"], ["Nashville"], []]
    assert said["rounds"][-1]["counts"] == {"Memphis": 42, "Knoxville": 58}
    assert said["ranking"] == [["Knoxville"], ["Memphis"], ["Nashville"], ["Chattanooga"]]


# M. Schulze, A new monotonic, clone-independent, reversal symmetric, and Condorcet-consistent single-winner
# election method (2011), and the examples that went from its drafts into Wikipedia's article.
SCHULZE_45 = {
    "candidates": list("ABCDE"),
    "ballots": letters("5 ACBED, 5 ADECB, 8 BEDAC, 3 CABED, 7 CAEBD, 2 CBADE, 7 DCEBA, 8 EBADC"),
}


def test_schulzes_45_voters(tally: Any) -> None:
    said = tally(SCHULZE_45)
    assert said["method"] == "schulze"
    assert said["winners"] == ["E"]
    assert said["ranking"] == [["E"], ["A"], ["C"], ["B"], ["D"]]
    assert [list(row.values()) for row in said["pairwise"].values()] == [
        [20, 26, 30, 22],
        [25, 16, 33, 18],
        [19, 29, 17, 24],
        [15, 12, 28, 14],
        [23, 27, 21, 31],
    ]
    assert [list(row.values()) for row in said["beatpaths"].values()] == [
        [28, 28, 30, 24],
        [25, 28, 33, 24],
        [25, 29, 29, 24],
        [25, 28, 28, 24],
        [25, 28, 28, 31],
    ]


@pytest.mark.parametrize(
    ("options", "rows", "winners"),
    [
        ("ABCD", "5 ACBD, 2 ACDB, 3 ADCB, 4 BACD, 3 CBDA, 3 CDBA, 1 DACB, 5 DBAC, 4 DCBA", "D"),
        (
            "ABCDE",
            "3 ABDEC, 5 ADEBC, 1 ADECB, 2 BADEC, 2 BDECA, 4 CABDE, 6 CBADE, 2 DBECA, 5 DECAB",
            "B",
        ),
        ("ABCD", "3 ABCD, 2 DABC, 2 DBCA, 2 CBDA", "BD"),
    ],
)
def test_schulzes_other_examples(tally: Any, options: str, rows: str, winners: str) -> None:
    assert tally({"candidates": list(options), "ballots": letters(rows)})["winners"] == list(winners)


def test_condorcets_60_voters(tally: Any) -> None:
    """Condorcet 1785, as H. P. Young, Condorcet's theory of voting (1988), counts it: B wins from a cycle.

    Plurality elects A; the cycle is A over B 33, B over C 42, C over A 35.
    """
    profile = {"candidates": list("ABC"), "ballots": letters("23 ABC, 17 BCA, 2 BAC, 10 CAB, 8 CBA")}
    for method in ("schulze", "ranked-pairs", "minimax"):
        assert tally(profile, "--method", method)["winners"] == ["B"]
    said = tally(profile, "--method", "ranked-pairs")
    assert (said["locked"], said["skipped"]) == ([["B", "C"], ["C", "A"]], [["A", "B"]])
    assert tally(profile, "--method", "plurality")["winners"] == ["A"]
    assert tally(profile, "--method", "copeland")["winners"] == ["A", "B", "C"]


def test_burlington_2009(tally: Any) -> None:
    """The three who mattered for mayor of Burlington, Vermont, 2009 (Gierzynski, Hamilton and Smith, 2009).

    Montroll beats both others (4067 to 3477, 4597 to 3668); irv drops him and elects Kiss, 4314 to 4064.
    """
    profile = {
        "candidates": ["Kiss", "Montroll", "Wright"],
        "ballots": ballots("""
            1332 Montroll > Kiss > Wright
             767 Montroll > Wright > Kiss
             455 Montroll
            2043 Kiss > Montroll > Wright
             371 Kiss > Wright > Montroll
             568 Kiss
            1513 Wright > Montroll > Kiss
             495 Wright > Kiss > Montroll
            1289 Wright"""),
    }
    said = tally(profile, "--method", "irv")
    assert said["winners"] == ["Kiss"]
    assert [one["counts"] for one in said["rounds"]] == [
        {"Kiss": 2982, "Montroll": 2554, "Wright": 3297},
        {"Kiss": 4314, "Wright": 4064},
    ]
    assert said["rounds"][1]["exhausted"] == 455
    assert said["pairwise"]["Montroll"] == {"Kiss": 4067, "Wright": 4597}
    assert said["pairwise"]["Kiss"]["Montroll"] == 3477
    assert tally(profile, "--method", "schulze")["winners"] == ["Montroll"]
    assert tally(profile, "--method", "plurality")["winners"] == ["Wright"]


def test_copeland_without_a_condorcet_winner(tally: Any) -> None:
    """Wikipedia's example for Copeland's method: A wins three and loses one."""
    rows = ballots("""
        31 A > E > C > D > B
        30 B > A > E
        29 C > D > B
        10 D > A > E""")
    said = tally({"candidates": list("ABCDE"), "ballots": rows}, "--method", "copeland")
    assert said["winners"] == ["A"]
    assert said["scores"] == {"A": 2, "B": 0, "C": 0, "D": -2, "E": 0}


def test_equally_strong_defeats_in_every_order(tally: Any) -> None:
    """Election-methods list, December 2002: A over B, D over A and C over D are all 8 to 5.

    D over A locked first makes B win, either of the others makes A win.
    """
    profile = {"candidates": list("ABCD"), "ballots": letters("5 ABCD, 4 BDAC, 3 CDAB, 1 DBCA")}
    assert tally(profile, "--method", "ranked-pairs")["winners"] == ["A", "B"]


def test_star_and_score_of_tennessee(tally: Any) -> None:
    """Cities by distance: the highest sums are Nashville and Chattanooga, and 68 of 100 prefer Nashville."""
    rows = [
        {"scores": dict(zip(CITIES, scores, strict=True)), "count": count}
        for count, scores in ((42, (5, 2, 1, 0)), (26, (0, 5, 2, 1)), (15, (0, 3, 5, 4)), (17, (0, 2, 4, 5)))
    ]
    said = tally({"candidates": CITIES, "ballots": rows}, "--method", "star")
    assert said["scores"] == {"Memphis": 210, "Nashville": 293, "Chattanooga": 237, "Knoxville": 171}
    assert said["runoffs"] == [{"Nashville": 68, "Chattanooga": 32}]
    assert said["winners"] == ["Nashville"]
    assert tally({"candidates": CITIES, "ballots": rows})["method"] == "score"


def test_star_elects_another_than_score(tally: Any) -> None:
    rows = [{"scores": {"A": 5, "B": 4}, "count": 3}, {"scores": {"B": 5, "C": 1}, "count": 2}]
    profile = {"candidates": list("ABC"), "ballots": rows}
    assert tally(profile, "--method", "score")["winners"] == ["B"]
    assert tally(profile, "--method", "star")["winners"] == ["A"]


# --- ballots ------------------------------------------------------------------------------------------------


def test_borda_is_symmetric(tally: Any) -> None:
    rows = [{"ranking": [["A"]]}, {"ranking": [["B", "C"], ["A"]]}]
    said = tally({"candidates": list("ABC"), "ballots": rows}, "--method", "borda")
    assert said["scores"] == {"A": 2, "B": 2, "C": 2}
    said = tally({"candidates": list("ABC"), "ballots": rows[1:]}, "--method", "borda")
    assert said["scores"] == {"A": 0, "B": "3/2", "C": "3/2"}


def test_equal_options_share_a_ballot_and_the_last_tier_is_no_choice(tally: Any) -> None:
    rows = ballots("1 A=B=C > D\n1 D > A=B=C")
    said = tally({"candidates": list("ABCD"), "ballots": rows}, "--method", "irv", "--seed", "x")
    assert said["rounds"][0]["counts"] == {"A": "1/3", "B": "1/3", "C": "1/3", "D": 1}
    stops = {"candidates": list("ABCD"), "ballots": ballots("2 A\n1 B\n2 C")}
    goes_on = {"candidates": list("ABCD"), "ballots": ballots("2 A > B=C=D\n1 B > A=C=D\n2 C > A=B=D")}
    for method in RANKED:
        assert tally(stops, "--method", method) == tally(goes_on, "--method", method)


def test_left_out_pair_by_pair(tally: Any) -> None:
    """Who made B says nothing of B: neither that it is better nor that it is worse."""
    rows = [{"ranking": ["A", "C"], "left_out": ["B"]}]
    said = tally({"candidates": list("ABC"), "ballots": rows})
    assert said["pairwise"] == {"A": {"B": 0, "C": 1}, "B": {"A": 0, "C": 0}, "C": {"A": 0, "B": 0}}


def test_the_method_follows_the_ballots(tally: Any) -> None:
    for ballot, method in (
        ({"ranking": ["A"]}, "schulze"),
        ({"approve": ["A"]}, "approval"),
        ({"scores": {"A": 1}}, "score"),
        ({"choice": "A"}, "plurality"),
    ):
        said = tally({"candidates": ["A", "B"], "ballots": [ballot, {"choice": "abstain"}]})
        assert (said["method"], said["winners"], said["present"]) == (method, ["A"], 2)


@pytest.mark.parametrize("method", [*RANKED, "approval"])
def test_nobody_or_nothing_to_choose(tally: Any, method: str) -> None:
    blank = {"choice": "abstain", "count": 3}
    nobody = tally({"candidates": ["A", "B"], "ballots": []}, "--method", method)
    assert (nobody["outcome"], nobody["winners"], nobody["elected"]) == ("no-quorum", [], None)
    abstained = tally({"candidates": ["A", "B"], "ballots": [blank]}, "--method", method)
    assert (abstained["outcome"], abstained["winners"]) == ("tie", ["A", "B"])
    alone = tally({"candidates": ["A"], "ballots": [blank]}, "--method", method)
    assert (alone["outcome"], alone["elected"]) == ("elected", "A")


def test_one_option_and_the_methods_of_scores(tally: Any) -> None:
    for method in ("score", "star"):
        assert tally({"candidates": ["A"], "ballots": [{"scores": {}}]}, "--method", method)["winners"] == [
            "A"
        ]


def test_weights(tally: Any) -> None:
    profile = {
        "candidates": ["A", "B"],
        "members": ["x", "y", "z"],
        "weights": {"x": 2000, "y": 500, "z": 0},
        "ballots": [
            {"choice": "A", "member": "x"},
            {"choice": "B", "member": "y"},
            {"choice": "B", "member": "z"},
        ],
    }
    said = tally(profile)
    assert (said["winners"], said["scores"], said["unit"]) == (["A"], {"A": 2000, "B": 500}, 1000)
    assert (said["present"], said["quorum"]) == (3, 2)  # heads, whatever they weigh
    weightless = {"candidates": ["A", "B"], "ballots": [{"choice": "A", "weight": 0}]}
    assert tally(weightless)["winners"] == ["A", "B"]


def test_numbers_up_to_the_limit_are_exact(tally: Any, place: Path, capsys: Capture) -> None:
    half = 2**50
    rows = [{"choice": "A", "count": half}, {"choice": "B", "count": half - 1}]
    said = tally({"candidates": ["A", "B"], "ballots": rows})
    assert (said["winners"], said["scores"]) == (["A"], {"A": half, "B": half - 1})
    for count in (2**51, 2**53 + 1, 10**400):
        profile = {"candidates": ["A", "B"], "ballots": [{"choice": "A", "count": count}]}
        Path("profile").write_text(json.dumps(profile))
        assert main(["vote", "tally", "profile"]) == 65
        assert "too large to be counted exactly" in capsys.readouterr().err


# --- ties ---------------------------------------------------------------------------------------------------

TIED: Result = {"candidates": list("ABC"), "ballots": [{"choice": option} for option in "ABC"]}


def test_a_tie_is_told_and_then_broken_by_what_was_declared(tally: Any) -> None:
    said = tally(TIED)
    assert (said["winners"], said["elected"], said["outcome"]) == (["A", "B", "C"], None, "tie")
    said = tally({**TIED, "evidence": {"B": 2, "C": 1}, "person": "C", "seed": "s"})
    assert said["tie_break"] == {"among": ["A", "B", "C"], "by": "evidence", "elected": "B"}
    said = tally({**TIED, "evidence": {"B": 2, "C": 2}, "person": "C", "seed": "s"})
    assert said["tie_break"] == {"among": ["A", "B", "C"], "by": "person", "elected": "C"}
    said = tally({**TIED, "evidence": {"B": 2, "C": 2}, "person": "A", "seed": "s"})
    assert said["tie_break"]["by"] == "seed" and said["elected"] in ("B", "C")
    assert said["winners"] == ["A", "B", "C"]


def test_every_option_has_its_lot(tally: Any) -> None:
    elected = [tally(TIED, "--seed", str(number))["elected"] for number in range(60)]
    assert set(elected) == {"A", "B", "C"}
    again = [
        tally({**TIED, "candidates": list("CBA"), "seed": str(number)})["elected"] for number in range(60)
    ]
    assert elected == again


def test_irv_looks_back_before_it_draws(tally: Any) -> None:
    """C and D are equal in the second round, D was lower in the first: it goes, and whatever the seed."""
    rows = ballots("5 A\n4 B\n3 C\n2 D\n1 E > D")
    for seed in "abcdef":
        said = tally({"candidates": list("ABCDE"), "ballots": rows}, "--method", "irv", "--seed", seed)
        assert said["rounds"][1]["tie"] == {"among": ["C", "D"], "by": "earlier rounds"}
        assert said["rounds"][1]["dropped"] == ["D"]
    # X was lower in the first round and Y in the second; both have 7 in the third.
    rows = ballots("8 A\n5 X\n6 Y\n1 F > Y\n3 F > A\n2 E > X\n1 E")
    said = tally({"candidates": list("AXYFE"), "ballots": rows}, "--method", "irv")
    assert [one["dropped"] for one in said["rounds"][:3]] == [["E"], ["F"], ["Y"]]
    drawn = {
        tally({"candidates": list("ABC"), "ballots": ballots("2 A\n1 B > C\n1 C > B")}, "--method", "irv",
              "--seed", seed)["rounds"][0]["dropped"][0]
        for seed in "abcdef"
    }  # fmt: skip
    assert drawn == {"B", "C"}


# --- the default option -------------------------------------------------------------------------------------


def debian(*rows: str, **more: Any) -> Result:
    return {"candidates": ["A", "B", "wait"], "ballots": ballots("\n".join(rows)), "default": "wait", **more}


def test_the_default_option_by_debians_rule(tally: Any) -> None:
    said = tally(debian("3 A > wait > B", "2 B > wait > A"))
    assert said["winners"] == ["A"]
    assert said["default"]["dropped"] == [{"option": "B", "for": 2, "against": 3, "why": "majority"}]

    even = tally(debian("2 A > wait", "2 wait > A"))  # 1:1 wants more, not as many
    assert even["winners"] == ["wait"]

    three_to_one = {"majority": {"A": "3:1"}}
    assert tally(debian("3 A > wait", "1 wait", **three_to_one))["winners"] == ["A"]
    assert tally(debian("5 A > wait", "2 wait", **three_to_one))["winners"] == ["wait"]
    assert tally(debian("5 A > wait", "2 wait", majority={"A": "5/2"}))["winners"] == ["A"]

    assert tally(debian("3 A > wait", "1 wait > A", default_quorum=3))["winners"] == ["A"]
    said = tally(debian("3 A > wait", "1 wait > A", default_quorum=4))
    assert said["winners"] == ["wait"]
    assert {"option": "A", "for": 3, "against": 4, "why": "quorum"} in said["default"]["dropped"]


def test_the_default_quorum_is_of_voters_and_its_majority_of_weights(tally: Any) -> None:
    rows = [
        {"ranking": ["A", "wait"], "weight": 9000},
        {"ranking": ["wait", "A"], "weight": 1000},
        {"ranking": ["wait", "A"], "weight": 1000},
    ]
    profile = {"candidates": ["A", "wait"], "ballots": rows, "default": "wait"}
    assert tally(profile)["winners"] == ["A"]
    assert tally({**profile, "default_quorum": 2})["winners"] == ["wait"]


# --- motions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("votes", "rule", "of", "members", "outcome"),
    [
        ((3, 2, 0), "majority", "cast", None, "adopted"),
        ((2, 2, 0), "majority", "cast", None, "rejected"),
        ((3, 2, 1), "majority", "present", None, "rejected"),
        ((3, 2, 0), "majority", "members", 6, "rejected"),
        ((4, 2, 0), "majority", "members", 7, "adopted"),
        ((2, 1, 0), "supermajority 2/3", "cast", None, "adopted"),
        ((199, 100, 0), "supermajority 2/3", "cast", None, "rejected"),
        ((2, 2, 0), "supermajority 1/2", "cast", None, "rejected"),
        ((4, 2, 0), "supermajority 2/3", "members", 6, "adopted"),
        ((1, 0, 9), "unanimity", "cast", None, "adopted"),
        ((9, 1, 0), "unanimity", "cast", None, "rejected"),
        ((5, 0, 0), "unanimity", "members", 6, "rejected"),
        ((6, 0, 0), "unanimity", "members", 6, "adopted"),
        ((0, 0, 3), "majority", "cast", None, "rejected"),
        ((0, 0, 3), "unanimity", "cast", None, "rejected"),
        ((0, 0, 3), "supermajority 2/3", "cast", None, "rejected"),
        ((0, 0, 0), "majority", "cast", None, "no-quorum"),
        ((2, 0, 0), "majority", "cast", 4, "no-quorum"),
        ((3, 0, 0), "majority", "cast", 5, "adopted"),
        ((2, 0, 0), "majority", "cast", 5, "no-quorum"),
        ((0, 0, 3), "majority", "cast", 5, "rejected"),
    ],
)
def test_motions(
    tally: Any, votes: tuple[int, int, int], rule: str, of: str, members: int | None, outcome: str
) -> None:
    words = ("yes", "no", "abstain")
    rows = [{"choice": word, "count": count} for word, count in zip(words, votes, strict=True)]
    said = tally({"ballots": rows, "members": members}, "--rule", rule, "--of", of)
    assert (said["outcome"], said["adopted"]) == (outcome, outcome == "adopted")
    assert tally({"ballots": rows, "members": members, "rule": rule, "of": of}) == said


def test_a_motions_weights_do_not_make_its_quorum(tally: Any) -> None:
    profile = {
        "members": list("vwxyz"),
        "weights": {"v": 9000},
        "ballots": [{"choice": "approve", "member": "v"}, {"choice": "reject", "member": "w"}],
    }
    said = tally(profile)
    assert (said["yes"], said["no"], said["outcome"]) == (9000, 1000, "no-quorum")
    said = tally({**profile, "quorum": 2}, "--of", "members")
    assert (said["base"], said["outcome"]) == (13000, "adopted")


# --- other forms of profiles --------------------------------------------------------------------------------

PREFLIB = """# FILE NAME: 00000-00000001.toc
# TITLE: The capital
# DATA TYPE: toc
# NUMBER ALTERNATIVES: 4
# NUMBER VOTERS: 100
# ALTERNATIVE NAME 1: Memphis
# ALTERNATIVE NAME 2: Nashville
# ALTERNATIVE NAME 3: Chattanooga
# ALTERNATIVE NAME 4: Knoxville
42: 1,2,3,4
26: 2,3,4,1
17: 4,3,{2,1}
15: 3, 4, {2, 1}
"""
OLD_PREFLIB = """4
1,Memphis
2,Nashville
3,Chattanooga
4,Knoxville
100,100,4
42,1,2,3,4
26,2,3,4,1
17,4,3,{2,1}
15,3,4,{2,1}
"""
BLT = """4 1 # the capital
-1
42 1 2 3 4 0
26 2 3 4 1 0
(17) 17 4 3 2=1 0
15 3 4 - 2=1 0
0
"Memphis"
"Nashville"
"Chattanooga"
Knoxville
"The \\"capital\\""
"""


def test_preflib_old_and_new(tally: Any) -> None:
    for method, winner in (("irv", "Knoxville"), ("schulze", "Nashville"), ("plurality", "Memphis")):
        said = tally(PREFLIB, "--method", method)
        assert said["winners"] == [winner]
        assert tally(OLD_PREFLIB, "--method", method) == said
    assert said["pairwise"]["Nashville"]["Memphis"] == 26


def test_blt_with_a_withdrawn_option(tally: Any) -> None:
    said = tally(BLT, "--method", "plurality")
    assert said["scores"] == {"Nashville": 68, "Chattanooga": 15, "Knoxville": 17}
    assert tally(" ".join(BLT.replace(" # the capital", "").split("\n")), "--method", "plurality") == said


def test_stdin_and_the_script(framework: Path, place: Path) -> None:
    text = json.dumps(TENNESSEE)
    said = [
        subprocess.run(
            [str(framework / command), *words, "-", "--json"], input=text, capture_output=True, text=True
        )
        for command, words in (("bin/orkestra", ["vote", "tally"]), ("SCRIPTS/COMMITTEE/tally.sh", []))
    ]
    assert [one.stderr for one in said] == ["", ""]
    assert json.loads(said[0].stdout)["winners"] == ["Nashville"]
    assert said[0].stdout == said[1].stdout


# --- what cannot be counted ---------------------------------------------------------------------------------


def bad(ballot: object, **more: object) -> str:
    return json.dumps({"candidates": ["A", "B"], "ballots": [{"choice": "A"}, ballot], **more})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (bad({"ranking": ["A", "Z"]}), 'ballot 2: "Z" is no option'),
        (bad({"ranking": ["A", ["B", "A"]]}), 'ballot 2: "A" stands there twice'),
        (bad({"approve": ["A", "A"]}), "stands there twice"),
        (bad({"approve": "A"}), "must be a list"),
        (bad({"ranking": [[]]}), "a tier must be a list of options"),
        (bad({"ranking": ["A"], "count": -1}), 'ballot 2: "count" must be at least 0, not -1'),
        (bad({"ranking": ["A"], "count": 1.5}), "must be a whole number, not 1.5"),
        (bad({"ranking": ["A"], "count": "3"}), 'must be a whole number, not "3"'),
        (bad({"ranking": ["A"], "count": True}), "must be a whole number, not true"),
        (bad({"ranking": ["A"], "weight": -1}), "must be at least 0"),
        (bad({"scores": {"A": 0.5}}), 'the score of "A" must be a whole number'),
        (bad({"scores": {"Z": 1}}), '"Z" is no option'),
        (bad({"choice": "Z"}), '"Z" is no option'),
        (bad({"choice": ["A"]}), "is no option"),
        (bad({}), "it has none"),
        (bad({"choice": "A", "approve": ["A"]}), "it has approve and choice"),
        (bad("A"), "ballot 2 must be an object"),
        (bad({"ranking": ["A"], "left_out": ["A"]}), "ranks an option that it leaves out"),
        (bad({"approve": ["A"], "left_out": ["B"]}), "only a ranking"),
        (bad({"choice": "A"}, default="Z"), '"default": "Z" is no option'),
        (bad({"choice": "A"}, majority={"A": "3:1"}), 'no "default"'),
        (bad({"choice": "A"}, default="B", majority={"A": "1:2"}), "a ratio of at least 1"),
        (bad({"choice": "A"}, quorum="many"), '"quorum" must be a whole number'),
        (bad({"choice": "A"}, members=1), "2 voted, and there are 1 members"),
        (bad({"choice": "A"}, members=["x", "y"]), 'must name its "member"'),
        (bad({"choice": "A", "member": "x", "count": 2}), "counts once"),
        (
            '{"ballots": [{"choice": "yes", "member": "x"}, {"choice": "no", "member": "x"}]}',
            'ballot 2: "x" has voted already',
        ),
        (bad({"choice": "A", "member": "z"}, members=["x", "y"]), '"z" is no member'),
        (bad({"choice": "A"}, method="lottery"), '"lottery" is no method'),
        (bad({"choice": "A"}, seed=7), '"seed" must be a text'),
        ('{"candidates": ["A", "A"], "ballots": []}', '"A" is named twice'),
        ('{"candidates": [], "ballots": []}', "names no option"),
        ('{"candidates": ["A", " "], "ballots": []}', "must have a name"),
        ('{"candidates": ["A", "\\ud800"], "ballots": []}', "not Unicode"),
        (json.dumps({"candidates": [str(n) for n in range(101)], "ballots": []}), "101 options are too many"),
        ('{"candidates": ["A"]}', '"ballots" must be a list'),
        ("{}", '"ballots" must be a list'),
        ('{"ballots": [{"choice": "maybe"}]}', '"maybe" is none of yes'),
        ('{"ballots": [{"ranking": ["A"]}]}', 'needs "candidates"'),
        ('{"ballots": [], "rule": "most"}', '"most" is no rule'),
        ('{"ballots": [], "rule": "supermajority 3/2"}', "is no rule"),
        ('{"ballots": [], "of": "members"}', 'needs "members"'),
        ('{"ballots": [], "of": "all"}', "is no base"),
        ('{"ballots": [], "method": "irv"}', "has no candidates"),
        ('{"candidates": ["A"], "ballots": [{"scores": {"A": 1, "A": 2}}]}', 'the key "A" stands twice'),
        ('{"format": "orkestra.vote/1", "ballots": []}', "is a record"),
        ('{"ballots": [}', "profile:1:14: not valid JSON"),
        ("[]", "expected a JSON object"),
        ("", "not valid JSON"),
        ("1 2 3", "an election for 2 seats"),
        (PREFLIB.replace("42: 1,2", "42: 1,9"), 'profile:10: "9" is the number of no option'),
        (PREFLIB.replace("42: 1,2", "42: 1,1"), "an option stands there twice"),
        (PREFLIB.replace("42: ", "-42: "), "profile:10: expected a count"),
        (PREFLIB.replace("TYPE: toc", "TYPE: cat"), "holds no rankings"),
        (PREFLIB.replace("Nashville", "Memphis"), "named twice"),
        (BLT.replace("4 1 #", "4 2 #"), "an election for 2 seats"),
        (BLT.replace("42 1", "42 7"), "is the number of no option"),
        (BLT.replace("42 1", "x 1"), "expected a count"),
        (BLT.split('"Memphis"')[0], "names for 0 of them"),
    ],
)
def test_what_cannot_be_counted_is_said(place: Path, capsys: Capture, text: str, says: str) -> None:
    Path("profile").write_text(text, "utf-8")
    code = main(["vote", "tally", "profile"])
    said = capsys.readouterr()
    assert (code, said.out) == (65, ""), said.err
    assert says in said.err
    assert len(said.err.splitlines()) <= 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 64),
        (["profile", "more"], 64),
        (["profile", "--method", "lottery"], 64),
        (["profile", "--rule", "majority"], 64),
        (["motion", "--method", "irv"], 64),
        (["motion", "--rule", "most"], 64),
        (["motion", "--of", "all"], 64),
        (["profile", "--method", "approval"], 65),
        (["none-such"], 65),
        (["."], 65),
    ],
)
def test_wrong_usage(place: Path, capsys: Capture, arguments: list[str], code: int) -> None:
    Path("profile").write_text(json.dumps(TENNESSEE))
    Path("motion").write_text('{"ballots": [{"choice": "yes"}]}')
    assert main(["vote", "tally", *arguments]) == code
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("orkestra: ") and len(said.err.splitlines()) <= 2


def test_too_many_equal_defeats_are_refused_not_guessed(tally: Any, capsys: Capture) -> None:
    draw = random.Random(1)
    options = [f"o{number}" for number in range(30)]
    profile = {"candidates": options, "ballots": [{"ranking": draw.sample(options, 30)} for _ in range(5)]}
    assert len(tally(profile)["winners"]) == 7
    assert main(["vote", "tally", "profile", "--method", "ranked-pairs"]) == 65
    assert "equally strong" in capsys.readouterr().err


# --- what people see ----------------------------------------------------------------------------------------


def test_hostile_names_are_only_read(place: Path, capsys: Capture) -> None:
    names = [
        "\x1b[31mred\x1b]0;title\x07",
        "A",
        "\u0410",
        "x\u202egnp.exe",
        "z\u200bw",
        "zw",
        "n" * 5000,
        "a\nb\tc",
    ]
    profile = {"candidates": names, "ballots": [{"choice": name} for name in names], "default": names[0]}
    Path("profile").write_text(json.dumps(profile))
    for method in ("schulze", "irv", "plurality", "minimax", "borda", "ranked-pairs"):
        assert main(["vote", "tally", "profile", "--method", method]) == 0
        said = capsys.readouterr().out
        assert all(char == "\n" or char.isprintable() for char in said)
        assert max(map(len, said.splitlines())) < 1000
        assert "look alike: A ('A', 1 characters); \u0410 ('\\u0410', 1 characters)" in said
        assert "look alike: z\\u200bw" in said
    profile["ballots"] = [{"choice": "\x1b[2J"}]
    Path("profile").write_text(json.dumps(profile))
    assert main(["vote", "tally", "profile"]) == 65
    assert "\x1b" not in capsys.readouterr().err


def said_of(profile: Result, capsys: Capture, *options: str) -> list[str]:
    Path("profile").write_text(json.dumps(profile))
    assert main(["vote", "tally", "profile", *options]) == 0
    return capsys.readouterr().out.splitlines()


def test_what_is_said_of_rounds_ties_and_the_default(place: Path, capsys: Capture) -> None:
    rows = ballots("2 A\n1 B > C\n1 C > B")
    assert said_of({"candidates": list("ABC"), "ballots": rows}, capsys, "--method", "irv")[:6] == [
        "irv: A is elected",
        "4 voters",
        "round 1: A 2, B 1, C 1; exhausted 0",
        "  dropped: B (equally low: B, C; without a seed any may be it)",
        "round 2: A 2, C 2; exhausted 0",
        "  dropped: C (equally low: A, C; by earlier rounds)",
    ]
    assert said_of(debian("3 A > wait > B", "2 B > wait > A", members=8), capsys)[:4] == [
        "schulze: A is elected",
        "5 voters of 8 members, quorum 5",
        "dropped: B: 2 to 3 over wait, and 1:1 is needed",
        "  1  A",
    ]
    assert said_of({"ballots": [{"choice": "yes", "weight": 500}, {"choice": "abstain"}]}, capsys) == [
        "adopted: majority of cast (500)",
        "yes 500, no 0, abstain 1000",
        "2 voters; numbers are thousandths of a vote",
    ]
    assert said_of(TIED, capsys)[0] == "plurality: a tie between A, B, C (a seed would break it by lot)"
    assert said_of(TIED, capsys, "--seed", "s")[0].endswith("of the winners A, B, C, by the seed")


def test_the_guide_tells_the_truth(framework: Path, place: Path, capsys: Capture) -> None:
    guide = (framework / "docs" / "committee.md").read_text("utf-8")
    section = guide.split("\n## Counting votes\n")[1].split("\n## ")[0]
    profile, shown = re.findall(r"```(?:json|console)\n(.*?)```", section, re.DOTALL)
    Path("capital.json").write_text(profile)
    command, *expected = shown.splitlines()
    assert command.split()[:2] == ["$", "bin/orkestra"]
    assert main(command.split()[2:]) == 0
    assert capsys.readouterr().out.splitlines() == expected


def test_a_real_elections_size(tally: Any) -> None:
    """Ten thousand different ballots on thirty options; the bound is ten times what it takes."""
    draw = random.Random(2026)
    options = [f"option {number}" for number in range(30)]
    rows = []
    for _ in range(10_000):
        liked = sorted(options, key=lambda option: int(option.split()[1]) + draw.random() * 40)
        rows.append({"ranking": liked})
    before = os.times()
    said = tally({"candidates": options, "ballots": rows})
    after = os.times()
    assert said["winners"] == [max(options, key=lambda a: sum(said["pairwise"][a].values()))]
    assert (after.user + after.system) - (before.user + before.system) < 60
