"""What reviewers have to show: counted from records, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from orkestra_shim import judging
from orkestra_shim.errors import OrkestraError


def vote(number: int, task: str, patch: str, absent: str = "", **choices: str) -> dict[str, Any]:
    ballots = [{"member": member, "choice": choice} for member, choice in choices.items()]
    away = [{"member": absent, "why": "limited"}] if absent else []
    return {
        "id": f"vote-{number:03d}",
        "task": task,
        "subject": {"patch_id": patch},
        "ballots": ballots,
        "absent": away,
    }


def outcome(number: int, task: str, decision: str = "landed", patch: str = "", **more: Any) -> dict[str, Any]:
    change = {"change": {"patch_id": patch}} if patch else {}
    return {"id": f"outcome-{number:03d}", "task": task, "decision": decision, **change, **more}


def test_who_was_right() -> None:
    votes = [
        vote(1, "a", "p1", codex="revise", claude="approve"),  # a revision followed: nobody can say
        vote(2, "a", "p2", codex="approve", claude="reject", absent="gemini"),
        vote(3, "b", "p3", codex="approve", claude="abstain"),
        vote(4, "c", "p4", codex="approve", claude="reject"),
        vote(5, "d", "p5", codex="reject", claude="reject"),
    ]
    outcomes = [
        outcome(1, "a", patch="p2"),  # held
        outcome(2, "b", patch="p3"),  # undone
        outcome(3, "c", patch="p4"),  # put to work again
        outcome(4, "b", "undone", patch="p9", undoes="outcome-002"),
        outcome(5, "c", "failed"),
        outcome(6, "d", "failed"),
    ]
    found = judging.by_member(votes, reversed(outcomes))
    codex, claude = found["codex"], found["claude"]
    assert (codex.approve, codex.revise, codex.reject, codex.right, codex.wrong) == (3, 1, 1, 1, 2)
    assert (claude.approve, claude.reject, claude.abstain, claude.right, claude.wrong) == (1, 3, 1, 1, 1)
    assert codex.words() == "5 ballots, approves 60 %, 1 of 3 were right"
    assert found["gemini"].absent == 1 and found["gemini"].words() == ""


def test_one_that_always_approves_is_named() -> None:
    votes = [vote(number, f"t{number}", "p", codex="approve") for number in range(1, 11)]
    (codex,) = judging.by_member(votes[:9], []).values()
    assert not codex.approves_all and codex.words() == "9 ballots, approves 100 %"
    (codex,) = judging.by_member(votes, []).values()
    assert codex.approves_all and codex.words().endswith("approves 100 %: it has never said no")
    (codex,) = judging.by_member([*votes, vote(11, "t", "p", codex="revise")], []).values()
    assert not codex.approves_all and codex.told()["approve"] == 10


@pytest.mark.parametrize("broken", [{"ballots": [{}]}, {"ballots": 7}, {"subject": None}])
def test_a_broken_record(broken: dict[str, Any]) -> None:
    with pytest.raises(OrkestraError) as error:
        judging.by_member([vote(1, "a", "p", codex="approve") | broken], [])
    assert error.value.code == 65 and "vote-001" in error.value.message


def test_a_choice_that_is_none() -> None:
    with pytest.raises(OrkestraError):
        judging.by_member([vote(1, "a", "p", codex="right")], [])
