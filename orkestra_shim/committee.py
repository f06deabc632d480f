"""The committee of a review: who votes, what a ballot is, and the vote record.

Who votes and what the ballots decide are .jq programs (SCRIPTS/COMMITTEE), so that a run and
`orkestra verify` count by the same code.
"""

from __future__ import annotations

import functools
import json
import secrets
from pathlib import Path
from typing import Any

from . import jq, records
from .home import framework_root, scripts_folder
from .journal import now

PROGRAMS = ("lint", "size", "tidy")
OPTIONS = ("approve", "revise", "reject")
CHOICES = (*OPTIONS, "abstain")
COUNTED = ("electorate", "weights", "rule", "of", "quorum", "round", "author", "tie")  # and ballots, marks
DERIVED = ("tally", "decision", "why", "reviewed_by")  # what a vote record says that its ballots give
BALLOT_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["choice", "reason", "confidence"],
    "properties": {
        "choice": {"type": "string", "enum": list(CHOICES)},
        "reason": {"type": "string"},
        "confidence": {"type": "integer", "minimum": 0, "maximum": 100},
    },
}


def program(name: str) -> Path:
    """The jq program of that name."""
    return scripts_folder(framework_root()) / "COMMITTEE" / name


def electorate(question: dict[str, Any]) -> dict[str, Any]:
    """Members, recused, quorum and weights; input and output as electorate.jq says."""
    result: dict[str, Any] = jq.run(program("electorate.jq"), question)
    return result


def stand_in(question: dict[str, Any]) -> dict[str, Any] | None:
    """The member that is called into a vote that goes on; input and output as stand-in.jq says."""
    result: dict[str, Any] | None = jq.run(program("stand-in.jq"), question)
    return result


def seat(vote: dict[str, Any], entry: dict[str, Any]) -> None:
    """Call one more member into an open vote."""
    vote["electorate"] = [*vote["electorate"], entry]
    vote["weights"] = {**vote["weights"], entry["member"]: 1000}
    _set_quorum(vote)


def unseat(vote: dict[str, Any], member: str, why: str, by: str = "") -> None:
    """A member that gave no ballot leaves an open vote, which goes on without it or with `by`."""
    vote["electorate"] = [entry for entry in vote["electorate"] if entry["member"] != member]
    vote["weights"] = {name: weight for name, weight in vote["weights"].items() if name != member}
    vote["replaced"] = [*vote.get("replaced", []), {"member": member, "why": why, "by": by or None}]
    _set_quorum(vote)


def _set_quorum(vote: dict[str, Any]) -> None:
    heads = [entry for entry in vote["electorate"] if entry["kind"] != "program"] or vote["electorate"]
    vote["quorum"] = max(1, -(-len(heads) * 6 // 10))


def decide(vote: dict[str, Any]) -> dict[str, Any]:
    """Tally, decision, why and reviewed_by of a vote record, as review.jq counts what counts of it."""
    counted = {key: vote[key] for key in COUNTED if key in vote}
    with records.reading(str(vote.get("id"))):
        counted["ballots"] = [{"member": one["member"], "choice": one["choice"]} for one in vote["ballots"]]
        counted["gates"] = [{"marked": one.get("marked")} for one in vote.get("gates") or []]
    result: dict[str, Any] = json.loads(_decided(json.dumps(counted, sort_keys=True)))
    return result


@functools.lru_cache(maxsize=256)
def _decided(counted: str) -> str:
    """As JSON: most votes of a project are one like the other."""
    return json.dumps(jq.run(program("review.jq"), json.loads(counted)))


def is_decided(vote: dict[str, Any]) -> bool:
    """Whether those who were there decided over the change, and not that others were missing."""
    against = [ballot for ballot in vote["ballots"] if ballot["choice"] in ("revise", "reject")]
    return vote["decision"] == "approve" or (vote["decision"] in ("revise", "reject") and bool(against))


def recount(vote: dict[str, Any]) -> dict[str, Any]:
    """What the ballots of a record give, whatever the record says that they do."""
    return decide({key: value for key, value in vote.items() if key not in DERIVED})


def changed_lines(diff: bytes) -> int:
    """Added and removed lines of a diff (file headers left out)."""
    return sum(line[:1] in (b"+", b"-") and line[:4] not in (b"+++ ", b"--- ") for line in diff.split(b"\n"))


def open_vote(
    number_id: str,
    task: str,
    title: str,
    chosen: dict[str, Any],
    author: dict[str, str],
    round_number: int,
    rule: str,
    subject: dict[str, str],
    evidence: list[dict[str, Any]],
    gates: list[dict[str, Any]],
) -> dict[str, Any]:
    """A vote record as it opens: everything that the ballots are bound to is fixed here."""
    return {
        "format": "orkestra.vote/1",
        "id": number_id,
        "kind": "review",
        "task": task,
        "question": f"Shall this change for the task {title!r} be accepted?",
        "options": list(OPTIONS),
        "rule": rule,
        "of": "cast",
        "quorum": chosen["quorum"],
        "seed": secrets.token_hex(16),
        "weights": chosen["weights"],
        "electorate": chosen["electorate"],
        "recused": chosen["recused"],
        "author": author,
        "round": round_number,
        "subject": subject,
        "evidence": evidence,
        "gates": gates,
        "opened_at": now(),
    }


def close_vote(
    vote: dict[str, Any], ballots: list[dict[str, Any]], absent: list[dict[str, str]]
) -> dict[str, Any]:
    """The finished record: ballots, absent, tally and decision are added."""
    closed = {**vote, "ballots": ballots, "absent": absent, "closed_at": now()}
    result = decide(closed)
    return {
        **closed,
        "tally": result["tally"],
        "decision": result["decision"],
        "why": result["why"],
        "reviewed_by": result["reviewed_by"],
    }


def valid_ballot(ballot: object) -> dict[str, Any] | str:
    """The three fields of a ballot, or why it is none."""
    if not isinstance(ballot, dict):
        return "its ballot is not an object"
    choice, reason, confidence = ballot.get("choice"), ballot.get("reason"), ballot.get("confidence")
    if choice not in CHOICES:
        return f"its choice is not one of {', '.join(CHOICES)}"
    if not isinstance(reason, str) or not reason.strip():
        return "its ballot gives no reason"
    if type(confidence) is not int or not 0 <= confidence <= 100:
        return "its confidence is not a whole number from 0 to 100"
    return {"choice": choice, "reason": reason.strip(), "confidence": confidence}
