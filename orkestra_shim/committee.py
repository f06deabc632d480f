"""The committee of a review: who votes, which ballots are valid, and the vote record.

Who votes and what the ballots decide are .jq programs (SCRIPTS/COMMITTEE), so that a run and
`orkestra verify` count by the same code.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import canonical, evidence, files, jq, wire
from .journal import now

PROGRAMS = ("lint", "size", "tidy")
OPTIONS = ("approve", "revise", "reject")
CHOICES = (*OPTIONS, "abstain")
PROGRAM_EXITS = {0: "approve", 10: "revise", 11: "reject", 12: "abstain"}
RULE = re.compile(r"majority\Z|unanimity\Z|supermajority [1-9][0-9]{0,2}/[1-9][0-9]{0,2}\Z")
REASON_LIMIT = 4000
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


def _program(name: str) -> Path:
    return jq.scripts_folder() / "COMMITTEE" / name


def electorate(question: dict[str, Any]) -> dict[str, Any]:
    """Members, recused, quorum and weights; input and output as electorate.jq says."""
    result: dict[str, Any] = jq.run(_program("electorate.jq"), question)
    return result


def decide(vote: dict[str, Any]) -> dict[str, Any]:
    """Tally, decision, why and reviewed_by of a vote record, as review.jq counts."""
    result: dict[str, Any] = jq.run(_program("review.jq"), vote)
    return result


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


def read_ballots(
    folder: Path, vote: dict[str, Any], redact: Callable[[str], str], extracts: dict[str, Path | None]
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """(ballots, absent) from folder/ballots.tsv and, for agents, what they left in folder/MEMBER.

    Whatever is not exactly a ballot makes its member absent, with the reason; nothing is guessed.
    """
    rows = _rows(files.read_bounded(folder / "ballots.tsv", 4 << 20) or b"")
    ballots: list[dict[str, Any]] = []
    absent: list[dict[str, str]] = []
    for entry in vote["electorate"]:
        member = entry["member"]
        if member not in rows:
            absent.append({"member": member, "why": "gave no ballot"})
            continue
        code, text = rows[member]
        if entry["kind"] == "program":
            ballot = _program_ballot(code, text)
        else:
            ballot = _agent_ballot(folder / member, code, text, extracts.get(member))
        if isinstance(ballot, str):
            absent.append({"member": member, "why": redact(ballot)[:REASON_LIMIT]})
        else:
            ballot["reason"] = redact(ballot["reason"])[:REASON_LIMIT]
            ballots.append({"member": member, **ballot, "cast_at": now()})
    return ballots, absent


def _rows(data: bytes) -> dict[str, tuple[int, str]]:
    rows = {}
    for line in data.decode("utf-8", "replace").split("\n"):
        parts = line.split("\t")
        if len(parts) >= 2 and re.match(r"[0-9]{1,3}\Z", parts[1]):
            try:
                rows[parts[0]] = (int(parts[1]), wire.unescape(parts[2]) if len(parts) > 2 else "")
            except wire.WireError:
                rows[parts[0]] = (int(parts[1]), parts[2])
    return rows


def _program_ballot(code: int, text: str) -> dict[str, Any] | str:
    choice = PROGRAM_EXITS.get(code)
    if choice is None:
        return f"exit {code}: {text.strip()[:300]}" if text.strip() else f"exit {code}"
    return {"choice": choice, "reason": text.strip(), "confidence": 100}


def _agent_ballot(folder: Path, code: int, text: str, extract: Path | None) -> dict[str, Any] | str:
    result = evidence.read_result([folder / "out", folder], extract, code)
    if result.exit is not None and code in (0, 1, 65):
        code = result.exit
    if code != 0:
        names = {65: "bad output", 69: "not available", 75: "limited", 77: "not logged in", 124: "timed out"}
        return f"{names.get(code, f'exit {code}')}: {(result.error or text).strip()[:300]}".rstrip(": ")
    if result.problem or result.error:
        return (result.problem or f"error: {result.error}")[:300]
    ballot: Any = result.raw
    if isinstance(ballot.get("ballot"), dict):
        ballot = ballot["ballot"]
    elif "choice" not in ballot and result.text.strip():
        try:
            ballot = canonical.parse(result.text.strip().encode("utf-8", "replace"), 1 << 19, 16)
        except ValueError as error:
            return f"its ballot is not JSON: {error}"
    return valid_ballot(ballot) if ballot else "left no ballot"


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
