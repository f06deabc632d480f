"""Votes that are no review: on several options, or a motion. Their record, and what its ballots decide.

Ballots name options as `options` does; the record has their texts where those say more. They are counted by
`tally`, as every vote is, when the vote closes and whenever somebody recounts it.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from . import profilejson, ranking, records, tally
from .journal import now

Record = dict[str, Any]

_ONE = 1000  # the weight of one vote
SCHULZE, APPROVAL = "schulze", "approval"
# Methods that need no scores.
METHODS = tuple(name for name, forms in tally.METHODS.items() if forms & {"ranking", "approve"})
NO_QUORUM = "no-quorum"
DERIVED = ("tally", "decision", "why", "reviewed_by")  # what a record says that its ballots give
_PROFILE = ("quorum", "seed", "weights", "default", "majority", "default_quorum", "evidence")


def is_poll(vote: Mapping[str, Any]) -> bool:
    """Whether a record is one of these."""
    return vote.get("kind") not in ("review", "calibration")


def form(method: str) -> str:
    """The form of the ballots that a method counts; '' is a motion."""
    return ranking.CHOICE if not method else ranking.APPROVE if method == APPROVAL else ranking.RANKING


def quorum(heads: int) -> int:
    """The smallest number of heads that is six tenths of the members, at least one."""
    return max(1, -(-heads * 6 // 10))


def open_poll(
    name: str,
    kind: str,
    task: str,
    question: str,
    electorate: Sequence[Mapping[str, Any]],
    options: Mapping[str, str],
    *,
    method: str = "",
    default: str = "",
    recused: Sequence[str] = (),
    weights: Mapping[str, int] | None = None,
    **more: Any,
) -> Record:
    """A record as the vote opens: all that ballots are bound to is fixed here.

    options: {name: what the members read}, none for a motion; method: of METHODS, '' for a motion; default:
    the option that others must beat (Debian's rule), '' for none. `more` goes into the record.
    """
    opened: Record = {
        "format": "orkestra.vote/1",
        "id": name,
        "kind": kind,
        "task": task,
        "question": question,
        "options": list(options) if method else list(ranking.MOTION[:2]),
        "quorum": quorum(len(electorate)),
        "seed": secrets.token_hex(16),
        "weights": {one["member"]: _ONE for one in electorate} | dict(weights or {}),
        "electorate": [dict(one) for one in electorate],
        "recused": list(recused),
        "round": 1,
        **more,
        "opened_at": now(),
    }
    opened |= {"method": method} if method else {"rule": "majority", "of": "cast"}
    opened |= {"default": default} if default else {}
    return opened | with_texts(options)


def with_texts(options: Mapping[str, str]) -> Record:
    """{"texts"}: what members read of the options whose name does not say it."""
    texts = {option: text for option, text in options.items() if text != option}
    return {"texts": texts} if texts else {}


def paper(vote: Mapping[str, Any], member: str) -> ranking.Paper:
    """The ballot paper of one member; what the vote says is `left_out` of its ballot is not on it."""
    method = str(vote.get("method", ""))
    without = set((vote.get("left_out") or {}).get(member, ()))
    options = [option for option in vote["options"] if method and option not in without]
    return ranking.Paper(form(method), options, vote["seed"], member)


def texts(vote: Mapping[str, Any]) -> dict[str, str]:
    """{option: what the members read}."""
    return {option: (vote.get("texts") or {}).get(option, option) for option in vote["options"]}


def close_poll(vote: Record, ballots: list[Record], absent: list[dict[str, str]]) -> Record:
    """The finished record: ballots, absent, tally and decision are added."""
    closed = {**vote, "ballots": ballots, "absent": absent, "closed_at": now()}
    return closed | decide(closed)


def decide(vote: Record) -> Record:
    """{"tally", "decision", "why", "reviewed_by"} of a record, as its ballots give them.

    The decision is an option; of a motion "yes" or "no"; without a quorum NO_QUORUM. Raises OrkestraError 65
    for a record that cannot be counted.
    """
    with records.reading(str(vote.get("id"))):
        counted = tally.tally(profilejson.of(_profile(vote)))
        voters = [one["member"] for one in vote["ballots"]]
        kinds = {one["kind"] for one in vote["electorate"] if one["member"] in voters}
        decision, why = _words(vote, counted)
        return {"tally": counted, "decision": decision, "why": why, "reviewed_by": _by(kinds)}


def problem(vote: Record, ballot: Record) -> str:
    """Why what a record has as a ballot is none, '' when it is one."""
    paper_of = paper(vote, ballot["member"])
    found = paper_of.read({**ballot, paper_of.form: paper_of.written(ballot.get(paper_of.form))})
    return found if isinstance(found, str) else ""


def problems(vote: Record) -> Iterator[str]:
    """What of the rounds of a record does not hold."""
    if "default" in vote and vote["default"] not in vote["options"]:
        yield "its default option is none of its options"
    if "before" not in vote:
        return
    before, after = ({one["member"]: one for one in vote[key]} for key in ("before", "ballots"))
    if list(before) != list(after):
        yield "the ballots before the discussion are not those of the members that voted"
    for one in vote["before"]:
        if wrong := problem(vote, one):
            yield f"the first ballot of {one['member']}: {wrong}"
    for one in vote["unchanged"]:
        if before.get(one["member"]) != after.get(one["member"]):
            yield f"the ballot of {one['member']}, which gave no second one, is not its first"


def recount(vote: Record) -> Record:
    """What the ballots of a record give, whatever the record says that they do."""
    return decide({key: value for key, value in vote.items() if key not in DERIVED})


def _profile(vote: Record) -> Record:
    method = vote.get("method", "")
    wanted = form(method)
    left_out = vote.get("left_out") or {}
    rows = []
    for ballot in vote["ballots"]:
        row = {"member": ballot["member"], wanted: ballot[wanted]}
        if without := left_out.get(ballot["member"]):
            row["left_out"] = without
        rows.append(row)
    found = {key: vote[key] for key in _PROFILE if vote.get(key)}
    if all(weight == _ONE for weight in vote["weights"].values()):
        del found["weights"]  # then the numbers are votes
    found |= {"members": [one["member"] for one in vote["electorate"]], "ballots": rows}
    if method:
        return found | {"candidates": vote["options"], "method": method}
    return {key: value for key, value in found.items() if key != "seed"} | {
        "rule": vote["rule"],
        "of": vote["of"],
    }


def _words(vote: Record, counted: Record) -> tuple[str, str]:
    present, members = counted["present"], counted["members"]
    if counted["outcome"] == NO_QUORUM:
        return NO_QUORUM, f"no quorum: {present} of {members} members voted, {counted['quorum']} are needed"
    heads = f"{present} of {members} members voted"
    if not vote.get("method"):
        yes, no = (sum(one["choice"] == word for one in vote["ballots"]) for word in ("yes", "no"))
        return "yes" if counted["adopted"] else "no", f"{yes} yes, {no} no ({heads})"
    if (tie := counted["tie_break"]) is not None:
        among = ", ".join(tie["among"])
        return counted["elected"], f"by {vote['method']} equal to others ({among}); by {tie['by']} ({heads})"
    return counted["elected"], f"by {vote['method']} ({heads})"


def _by(kinds: set[str]) -> str:
    if "person" in kinds:
        return "person"
    return "members" if kinds - {"program"} else "programs" if kinds else "none"
