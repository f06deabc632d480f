"""What reviewers have to show, from the records alone: how they voted, and what later held of it.

A change held when it landed, was not undone, and its task was not put to work again. Who approved one that
held was right, and so was who asked for a revision or rejected one that did not. Of what never landed nobody
can say who was right.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from . import records

ENOUGH = 10  # ballots from which on it says something that none was a no

Record = dict[str, Any]


@dataclass
class Reviewer:
    """Ballots of a member, and how many of them were right and wrong as far as that is known."""

    approve: int = 0
    revise: int = 0
    reject: int = 0
    abstain: int = 0
    absent: int = 0
    right: int = 0
    wrong: int = 0

    @property
    def decided(self) -> int:
        """Ballots that said yes or no."""
        return self.approve + self.revise + self.reject

    @property
    def approves_all(self) -> bool:
        """It has said yes each time, and often enough for that to mean something."""
        return self.approve == self.decided >= ENOUGH

    def told(self) -> dict[str, int | bool]:
        """For programs."""
        return {**vars(self), "approves_all": self.approves_all}

    def words(self) -> str:
        """For people; '' where it has not voted."""
        if not self.decided:
            return ""
        text = f"{self.decided} ballots, approves {100 * self.approve // self.decided} %"
        if self.right + self.wrong:
            text += f", {self.right} of {self.right + self.wrong} were right"
        return text + (": it has never said no" if self.approves_all else "")


def by_member(votes: Iterable[Record], outcomes: Iterable[Record]) -> dict[str, Reviewer]:
    """Every member that a vote names. Raises 65 for a record whose fields are not what they should be."""
    in_order = sorted(outcomes, key=lambda one: records.parse_id(one["id"])[1])
    landed = _landed(in_order)
    found: dict[str, Reviewer] = {}
    for vote in votes:
        with records.reading(str(vote.get("id"))):
            held = landed.get((vote["task"], vote["subject"]["patch_id"]))
            for ballot in vote["ballots"]:
                if "from" in ballot:  # it is counted where it was cast
                    continue
                _count(found.setdefault(ballot["member"], Reviewer()), ballot["choice"], held)
            for entry in vote["absent"]:
                found.setdefault(entry["member"], Reviewer()).absent += 1
    return found


def _landed(outcomes: list[Record]) -> dict[tuple[str, str], bool]:
    """By task and patch, of what landed: whether it held."""
    undone = {str(one["undoes"]) for one in outcomes if "undoes" in one}
    last = {str(one.get("task")): str(one["id"]) for one in outcomes if one.get("decision") != "undone"}
    return {
        (str(one["task"]), str(one["change"]["patch_id"])): one["id"] not in undone
        and last[str(one["task"])] == one["id"]
        for one in outcomes
        if one.get("decision") == "landed" and isinstance(one.get("change"), dict)
    }


def _count(one: Reviewer, choice: str, held: bool | None) -> None:
    if choice not in ("approve", "revise", "reject", "abstain"):
        raise ValueError(f"{choice!r} is no choice")
    setattr(one, choice, getattr(one, choice) + 1)
    if held is None or choice == "abstain":
        return
    if held == (choice == "approve"):
        one.right += 1
    else:
        one.wrong += 1
