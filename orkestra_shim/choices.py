"""The record of a choice: which of several changes for one task becomes part of the project, or none of them.

Members rank the changes without knowing whose they are; `none of these` is the default option (polls). What
a member says of its own change counts in no pair, unless nobody else sits. Where a member of another family
than the author's sits, one of those must prefer the change to none, as in a review; so it is always where a
gate marked it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from . import polls, records
from .journal import now

Record = dict[str, Any]

KIND = "choose"
NONE = "none of these"
DERIVED = (*polls.DERIVED, "barred")


def option(attempt: int) -> str:
    """What a record calls a candidate; no member sees it."""
    return f"attempt {attempt}"


def open_choice(
    name: str,
    task: str,
    title: str,
    electorate: Sequence[Mapping[str, Any]],
    subject: Mapping[str, str],
    candidates: Sequence[Record],
    out: Sequence[Record],
) -> Record:
    """The record as the vote opens.

    subject: base and tree of the branch as its members see it; candidates: {"option", "attempt", "author",
    "subject", "evidence", "gates"} of each; out: {"attempt", "author", "why"} of those that may not be.
    """
    return polls.open_poll(
        name,
        KIND,
        task,
        f"Which of these changes for the task {title!r} shall become part of the project?",
        electorate,
        {one: one for one in (*(entry["option"] for entry in candidates), NONE)},
        method=polls.SCHULZE,
        default=NONE,
        left_out=left_out(electorate, candidates),
        subject=dict(subject),
        evidence=[],
        gates=[],
        candidates=list(candidates),
        out=list(out),
    )


def left_out(electorate: Sequence[Mapping[str, Any]], candidates: Sequence[Record]) -> dict[str, list[str]]:
    """{member: its own candidates, on which its ballot says nothing}."""
    found = {
        one["member"]: [entry["option"] for entry in candidates if entry["author"]["member"] == one["member"]]
        for one in electorate
    }
    return {member: own for member, own in found.items() if own and len(electorate) > 1}


def _evidence(candidates: Sequence[Record]) -> dict[str, int]:
    """By candidate: the fewer gates mark it, the better; all have passed the same check."""
    return {entry["option"]: -sum(gate["marked"] is True for gate in entry["gates"]) for entry in candidates}


def of_program(judged: Mapping[str, str]) -> list[list[str]]:
    """The ranking of a program that said approve, revise, reject or abstain of each candidate."""
    tiers: dict[str, list[str]] = {"approve": [], "abstain": [NONE], "revise": [], "reject": []}
    for name, choice in judged.items():
        tiers[choice].append(name)
    return [sorted(tier) for tier in tiers.values() if tier]


# --- what its ballots give ----------------------------------------------------------------------------------


def close_choice(vote: Record, ballots: list[Record], absent: list[dict[str, str]]) -> Record:
    """The finished record."""
    closed = {**vote, "ballots": ballots, "absent": absent, "closed_at": now()}
    return closed | decide(closed)


def decide(vote: Record) -> Record:
    """What DERIVED names, as the ballots give it; the decision is an option, NONE or polls.NO_QUORUM."""
    with records.reading(str(vote.get("id"))):
        barred = _barred(vote)
        told = polls.decide(_without(vote, barred))
        chosen = next((one for one in vote["candidates"] if one["option"] == told["decision"]), None)
        why, count = told["why"], len(vote["candidates"])
        if told["decision"] != polls.NO_QUORUM:
            what = f"chosen among {count}" if chosen else f"none of {count}"
            why = f"{what} candidate{'s' * (count != 1)} {why}"
            why += "".join(f"; no member of another family prefers {one} to none" for one in barred)
        return {
            "tally": told["tally"],
            "barred": barred,
            "decision": told["decision"],
            "why": why,
            "reviewed_by": _reviewed_by(vote, [chosen] if chosen else vote["candidates"]),
        }


def recount(vote: Record) -> Record:
    """What the ballots of a record give, whatever the record says that they do."""
    return decide({key: value for key, value in vote.items() if key not in DERIVED})


def accepted(vote: Record) -> list[Record]:
    """The change that may land by it."""
    return [one["subject"] for one in vote["candidates"] if one["option"] == vote["decision"]]


def winner(vote: Record) -> Record | None:
    """The candidate that was chosen."""
    return next((one for one in vote["candidates"] if one["option"] == vote["decision"]), None)


def stance(vote: Record, ballot: Record) -> str:
    """What a ballot says of the candidate that was chosen, in the words of a review; '' where none was."""
    chosen = winner(vote)
    if chosen is None:
        return ""
    places = {name: at for at, tier in enumerate(ballot["ranking"]) for name in tier}
    mine, none = (places.get(name, len(places)) for name in (chosen["option"], NONE))
    if chosen["option"] in vote["left_out"].get(ballot["member"], ()) or mine == none:
        return "abstain"
    return "approve" if mine < none else "reject"


def _judges(vote: Record, entry: Record) -> list[str]:
    """Members of another family than the author's, who say something of the candidate."""
    own = vote["left_out"]
    return [
        one["member"]
        for one in vote["electorate"]
        if one["kind"] != "program"
        and one["family"] != entry["author"]["family"]
        and entry["option"] not in own.get(one["member"], ())
    ]


def _barred(vote: Record) -> list[str]:
    ballots = {one["member"]: one["ranking"] for one in vote["ballots"]}
    found = []
    for entry in vote["candidates"]:
        judges = _judges(vote, entry)
        if not judges and not any(gate["marked"] for gate in entry["gates"]):
            continue
        if not any(_prefers(ballots.get(name, []), entry["option"]) for name in judges):
            found.append(entry["option"])
    return found


def _prefers(ranking: list[list[str]], name: str) -> bool:
    """Whether a ballot puts a candidate above none of them; who is not named stands below all that are."""
    places = {one: at for at, tier in enumerate(ranking) for one in tier}
    return places.get(name, len(ranking)) < places.get(NONE, len(ranking))


def _without(vote: Record, barred: list[str]) -> Record:
    """The same vote on fewer candidates."""

    def rest(names: Sequence[str]) -> list[str]:
        return [name for name in names if name not in barred]

    ballots = [
        {**one, "ranking": [left for tier in one["ranking"] if (left := rest(tier))]}
        for one in vote["ballots"]
    ]
    return {
        **vote,
        "options": rest(vote["options"]),
        "ballots": ballots,
        "left_out": {member: rest(names) for member, names in vote["left_out"].items()},
        "evidence": _evidence([one for one in vote["candidates"] if one["option"] not in barred]),
    }


def _reviewed_by(vote: Record, candidates: Sequence[Record]) -> str:
    """The strongest kind of those who voted, on each of these candidates."""
    voted = {one["member"] for one in vote["ballots"]}
    kinds = {one["kind"] for one in vote["electorate"] if one["member"] in voted}
    if not kinds - {"program"}:
        return "programs" if kinds else "none"
    foreign = all(voted & set(_judges(vote, entry)) for entry in candidates)
    return "other family" if foreign else "same family"


# --- what has to hold ---------------------------------------------------------------------------------------


def ballot_problem(vote: Record, ballot: Record) -> str:
    """Why a ballot of a record is none, '' when it is."""
    named = [one for tier in ballot["ranking"] for one in tier]
    there = set(vote["options"]) - set(vote["left_out"].get(ballot["member"], ()))
    if not all(ballot["ranking"]) or len(set(named)) != len(named) or not set(named) <= there:
        return "its ranking is not one of the options that it was asked about"
    if type(ballot["confidence"]) is not int or not 0 <= ballot["confidence"] <= 100:
        return "its confidence is not a whole number from 0 to 100"
    kinds = {one["member"]: one["kind"] for one in vote["electorate"]}
    if kinds.get(ballot["member"]) != "program" and not ballot["reason"].strip():
        return "it gives no reason"
    return ""


def check(vote: Record, _: Mapping[str, Record]) -> Iterator[str]:
    """What of a record does not hold beside its count."""
    candidates = vote["candidates"]
    if vote["options"] != [*(one["option"] for one in candidates), NONE] or not candidates:
        yield "its options are not its candidates and none of them"
    if (vote["method"], vote["default"]) != (polls.SCHULZE, NONE):
        yield "it is not counted as a choice is"
    if vote["left_out"] != left_out(vote["electorate"], candidates):
        yield "what its ballots leave out is not exactly each member's own"
    for one in candidates:
        if any(item["exit"] != 0 or item["tree"] != one["subject"]["tree"] for item in one["evidence"]):
            yield f"{one['option']} has not passed the check"
        if not one["gates"] or any(gate["passed"] is not True for gate in one["gates"]):
            yield f"{one['option']} has not passed the gates"
