"""What reviewers have to show, from the records alone: how they voted, and what later held of it.

A change held when it landed (its check green on the tree that landed), was not undone, and its task was not
put to work again. Who approved one that held was right, and so was who asked for a revision or rejected one
that did not. Of what never landed nobody can say who was right. A calibration is no such ballot: of it is
counted whether its planted defect was found.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import records
from .text import counted

ENOUGH = 10  # ballots from which on it says something that none was a no
ONE = 1000  # the weight of one vote
MOST = 2 * ONE
PRIOR = 10  # ballots that were right, and as many that were wrong, that everybody begins with

Record = dict[str, Any]
_Key = tuple[str, str]  # task and patch


def weight(right: int, wrong: int) -> int:
    """Of a member's vote by its verified record, in thousandths of a vote: a whole number from 1 to MOST.

    The odds that a ballot of its is right, with PRIOR added to both sides (a symmetric prior): one success
    is no proof, and who has nothing to show weighs 1. Rounded down. The weights by which a majority is right
    most often are the logarithms of these odds (Nitzan and Paroush, "Optimal Decision Rules in Uncertain
    Dichotomous Choice Situations", 1982; Shapley and Grofman, "Optimizing Group Judgmental Accuracy in the
    Presence of Interdependencies", 1984); but they are no whole numbers, and leave a newcomer no voice.
    """
    return max(1, min(MOST, ONE * (right + PRIOR) // (wrong + PRIOR)))


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
    caught: int = 0  # planted defects
    missed: int = 0

    @property
    def decided(self) -> int:
        """Ballots that said yes or no."""
        return self.approve + self.revise + self.reject

    @property
    def approves_all(self) -> bool:
        """It has said yes each time, and often enough for that to mean something."""
        return self.approve == self.decided >= ENOUGH

    @property
    def weight(self) -> int:
        """Of its vote by its verified record."""
        return weight(self.right, self.wrong)

    def told(self) -> dict[str, int | bool]:
        """For programs."""
        return {**vars(self), "approves_all": self.approves_all}

    def words(self) -> str:
        """For people; '' where it has not voted."""
        parts = []
        if self.decided:
            parts += [counted(self.decided, "ballot"), f"approves {100 * self.approve // self.decided} %"]
        if self.right + self.wrong:
            parts.append(f"{self.right} of {self.right + self.wrong} were right")
        if self.caught + self.missed:
            parts.append(f"found {self.caught} of {self.caught + self.missed} planted defects")
        return ", ".join(parts) + (": it has never said no" if self.approves_all else "")


@dataclass
class Judging:
    """Counts the outcomes of a branch with their votes, as they come in the order of their numbers."""

    members: dict[str, Reviewer] = field(default_factory=dict)
    _ballots: dict[_Key, list[tuple[str, bool]]] = field(default_factory=dict)  # member, whether it said yes
    _held: dict[_Key, bool] = field(default_factory=dict)  # of what has landed
    _landed: dict[str, _Key] = field(default_factory=dict)  # by outcome
    _last: dict[str, _Key] = field(default_factory=dict)  # by task, while its last outcome is a landing

    def vote(self, vote: Record) -> None:
        """One more vote. Raises 65 where its fields are not what they should be."""
        with records.reading(str(vote.get("id"))):
            kind = vote.get("kind", "review")
            if kind == "calibration":
                self._calibration(vote)
            elif kind == "review":
                self._review(vote, (vote["task"], vote["subject"]["patch_id"]))

    def _review(self, vote: Record, key: _Key) -> None:
        for ballot in vote["ballots"]:
            if "from" in ballot:  # it is counted where it was cast
                continue
            choice, one = ballot["choice"], self._member(ballot["member"])
            if choice not in ("approve", "revise", "reject", "abstain"):
                raise ValueError(f"{choice!r} is no choice")
            setattr(one, choice, getattr(one, choice) + 1)
            if choice != "abstain":
                self._ballots.setdefault(key, []).append((ballot["member"], choice == "approve"))
                if key in self._held:
                    self._count(ballot["member"], (choice == "approve") == self._held[key], 1)
        for entry in vote["absent"]:
            self._member(entry["member"]).absent += 1

    def _calibration(self, vote: Record) -> None:
        for ballot in vote["ballots"]:
            one = self._member(ballot["member"])
            one.caught += vote["decision"] == "caught"
            one.missed += vote["decision"] == "missed"

    def outcome(self, outcome: Record) -> None:
        """One more outcome, after its votes. Raises 65 where its fields are not what they should be."""
        with records.reading(str(outcome.get("id"))):
            decision, task = outcome.get("decision"), str(outcome.get("task"))
            if decision == "undone":
                undone = self._landed.get(str(outcome.get("undoes")))
                if undone is not None:
                    self._holds(undone, False)
                return
            if before := self._last.pop(task, None):
                self._holds(before, False)
            if decision == "landed" and isinstance(outcome.get("change"), dict):
                key = (task, str(outcome["change"]["patch_id"]))
                self._landed[str(outcome["id"])] = self._last[task] = key
                self._holds(key, True)

    def _holds(self, key: _Key, now: bool) -> None:
        before = self._held.get(key)
        self._held[key] = now
        for member, approved in self._ballots.get(key, ()):
            if before is not None:
                self._count(member, approved == before, -1)
            self._count(member, approved == now, 1)

    def _count(self, member: str, is_right: bool, by: int) -> None:
        one = self._member(member)
        one.right += by if is_right else 0
        one.wrong += 0 if is_right else by

    def _member(self, name: str) -> Reviewer:
        return self.members.setdefault(name, Reviewer())

    def take(self, outcome: Record, votes: Mapping[str, Record]) -> None:
        """An outcome with the votes that it names; `votes`: records by id."""
        with records.reading(str(outcome.get("id"))):
            named = [str(entry["id"]) for entry in outcome["votes"]]
        for name in named:
            if name in votes:
                self.vote(votes[name])
        self.outcome(outcome)


def by_member(votes: Iterable[Record], outcomes: Iterable[Record]) -> dict[str, Reviewer]:
    """Every member that a vote names. Raises 65 for a record whose fields are not what they should be."""
    found = Judging()
    for vote in votes:
        found.vote(vote)
    for outcome in sorted(outcomes, key=lambda one: records.parse_id(one["id"])[1]):
        found.outcome(outcome)
    return found.members
