"""The kinds of votes: how the record of each is counted again, and which changes it lets land.

A new kind is one more entry in KINDS: `orkestra verify` and `orkestra vote show` take everything from there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import calibration, casting, choices, committee, planning, polls
from .errors import OrkestraError
from .judging import ONE
from .weighing import WEIGHED

Vote = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """Functions over the record of a closed vote; a field that is not as it should be raises what it will."""

    count: Callable[[Vote], Vote]  # what its ballots give, whatever the record says that they do
    derived: tuple[str, ...]  # the fields that this gives
    ballot: Callable[[Vote, Vote], str]  # (vote, ballot): why it is none, '' when it is
    accepted: Callable[[Vote], list[Vote]]  # the subjects (tree, diff_sha256, patch_id) that may land by it
    check: Callable[[Vote, Mapping[str, Vote]], Iterable[str]]  # (vote, all of them): what else does not hold


def of(vote: Vote) -> Kind | None:
    """The kind of a vote; None for one that this Orkestra does not know."""
    return KINDS.get(str(vote.get("kind")))


def accepted(vote: Vote) -> list[Vote]:
    """The changes that may land by this vote."""
    kind = of(vote)
    return kind.accepted(vote) if kind else []


def problems(vote: Vote, votes: Mapping[str, Vote]) -> Iterator[str]:
    """What of a record does not hold by itself, and against `votes`: all records by id."""
    kind = of(vote)
    if kind is None:
        yield f"its kind {vote.get('kind')!r} is none that there is"
        return
    yield from _electorate(vote)
    for ballot in vote["ballots"]:
        if problem := kind.ballot(vote, ballot):
            yield f"the ballot of {ballot['member']}: {problem}"
    yield from kind.check(vote, votes)
    counted = kind.count(vote)
    for key in kind.derived:
        if vote[key] != counted[key]:
            shown = (
                "not its ballots" if key == "tally" else f"{vote[key]!r}, its ballots give {counted[key]!r}"
            )
            yield f"its {key} is {shown}"


def differs(vote: Vote) -> list[str]:
    """What the record says otherwise than its ballots give: nothing of it, when all is well."""
    kind = of(vote)
    if kind is None:
        return ["its kind is not known"]
    try:
        counted = kind.count(vote)
    except OrkestraError as error:
        return [f"it cannot be counted: {error.message}"]
    return [key for key in kind.derived if vote.get(key) != counted[key]]


def _electorate(vote: Vote) -> Iterator[str]:
    """Of every kind: who may vote has voted or is absent, with whole weights and a quorum."""
    members = [entry["member"] for entry in vote["electorate"]]
    voted = [ballot["member"] for ballot in vote["ballots"]]
    absent = [entry["member"] for entry in vote["absent"]]
    if len(set(members)) != len(members) or sorted(voted + absent) != sorted(members):
        yield "ballots and absent members are not exactly the electorate"
    if set(vote["recused"]) & set(members):
        yield "a recused member is in the electorate"
    if not set(vote["weights"]) <= set(members) or any(
        type(weight) is not int or weight < 0 for weight in vote["weights"].values()
    ):
        yield "its weights are not whole numbers of its members"
    elif vote["kind"] not in WEIGHED and any(weight != ONE for weight in vote["weights"].values()):
        yield "its weights are not one vote each"
    heads = [entry for entry in vote["electorate"] if entry["kind"] != "program"] or vote["electorate"]
    if type(vote["quorum"]) is not int or vote["quorum"] < max(1, -(-len(heads) * 6 // 10)):
        yield "its quorum is below six tenths of the electorate"


# --- reviews ------------------------------------------------------------------------------------------------


def _choice(_: Vote, ballot: Vote) -> str:
    # The reason of a program may be empty.
    found = committee.valid_ballot({**ballot, "reason": ballot["reason"] or "-"})
    return found if isinstance(found, str) else ""


def _approved(vote: Vote) -> list[Vote]:
    return [vote["subject"]] if vote["decision"] == "approve" else []


def _overruled(vote: Vote, votes: Mapping[str, Vote]) -> Iterator[str]:
    """A person decides alone, and says whom that went against."""
    if "overrules" not in vote and all(one["kind"] != "person" for one in vote["electorate"]):
        return
    if [one["kind"] for one in vote["electorate"]] != ["person"] or vote["quorum"] != 1:
        yield "a person did not vote alone in it"
    elif vote["overrules"] != casting.overruled(vote, vote["ballots"][0]["choice"], votes.values()):
        yield "what it overrules is not what stood against it"


def _stands(vote: Vote, votes: Mapping[str, Vote]) -> Iterator[str]:
    """A ballot from an earlier vote was cast there, on the same patch."""
    for ballot in vote["ballots"]:
        if "from" not in ballot:
            continue
        other = votes.get(str(ballot["from"]))
        cast = {key: value for key, value in ballot.items() if key != "from"}
        if (
            other is None
            or other["task"] != vote["task"]
            or other["subject"]["patch_id"] != vote["subject"]["patch_id"]
            or cast not in other["ballots"]
        ):
            yield f"the ballot of {ballot['member']} was not cast in {ballot['from']}"


def _review(vote: Vote, votes: Mapping[str, Vote]) -> Iterator[str]:
    yield from _overruled(vote, votes)
    yield from _stands(vote, votes)


# --- questions ----------------------------------------------------------------------------------------------


def _rounds(vote: Vote, _: Mapping[str, Vote]) -> Iterator[str]:
    yield from polls.problems(vote)


def _lists(vote: Vote, votes: Mapping[str, Vote]) -> Iterator[str]:
    """Of a plan: what was voted on is what was proposed."""
    yield from _rounds(vote, votes)
    lists = planning.ballot((one["member"], one["tasks"]) for one in vote["proposals"])
    if vote["lists"] != [{key: one[key] for key in ("option", "members", "sha256")} for one in lists]:
        yield "its lists are not those that were proposed"
    options = [one["option"] for one in lists]
    if vote["options"] != [*options, planning.NONE]:
        yield "its options are not its lists"


KINDS: dict[str, Kind] = {
    "review": Kind(committee.recount, committee.DERIVED, _choice, _approved, _review),
    "ask": Kind(polls.recount, polls.DERIVED, polls.problem, lambda _: [], _rounds),
    "assign": Kind(polls.recount, polls.DERIVED, polls.problem, lambda _: [], _rounds),
    choices.KIND: Kind(
        choices.recount, choices.DERIVED, choices.ballot_problem, choices.accepted, choices.check
    ),
    "plan": Kind(polls.recount, polls.DERIVED, polls.problem, lambda _: [], _lists),
    calibration.KIND: Kind(calibration.count, committee.DERIVED, _choice, lambda _: [], calibration.check),
}
