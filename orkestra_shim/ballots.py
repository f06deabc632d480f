"""Ballots as reviewers left them in the folder of a vote, read as data.

Whatever is not exactly a ballot makes its member absent, with the reason; nothing is guessed.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import agentname, canonical, evidence, files, wire
from .committee import valid_ballot
from .errors import EX_DATA, EX_LIMITED, EX_LOGIN, EX_TIMEOUT, EX_UNAVAILABLE
from .evidence import Result
from .journal import now
from .text import whole

REASON_LIMIT = 4000  # characters
Ballot = dict[str, Any]
Judge = Callable[[str, Any], Ballot | str]
_PROGRAM_EXITS = {0: "approve", 10: "revise", 11: "reject", 12: "abstain"}
_AGENT_EXITS = {
    EX_DATA: "bad output",
    EX_UNAVAILABLE: "not available",
    EX_LIMITED: "limited",
    EX_LOGIN: "not logged in",
    EX_TIMEOUT: "timed out",
}


@dataclass
class Asked:
    """What came of asking members: `turned` are those whose tool did not work, by member with its exit."""

    cast: list[dict[str, Any]] = field(default_factory=list)
    absent: list[dict[str, str]] = field(default_factory=list)
    turned: dict[str, tuple[int, Result]] = field(default_factory=dict)


def read(
    folder: Path,
    entries: list[dict[str, Any]],
    redact: Callable[[str], str],
    extracts: Mapping[str, Path | None],
    judge: Judge = lambda _, answer: valid_ballot(answer),
    key: str = "choice",
) -> Asked:
    """The ballots of these members, from folder/ballots.tsv and what agents left in folders of theirs.

    `extracts`: {agent: the jq program that reads its raw output}; `judge`: what of a member's answer is its
    ballot, or why it is none; `key`: one that every answer of this kind has.
    """
    rows = _rows(files.read_bounded(folder / "ballots.tsv", 4 << 20) or b"")
    asked = Asked()
    for entry in entries:
        member = entry["member"]
        ballot: dict[str, Any] | str = "gave no ballot"
        if member in rows and entry["kind"] == "program":
            ballot = _of_program(*rows[member])
        elif member in rows:
            place, (code, text) = folder / agentname.folder(member), rows[member]
            result = evidence.read_result([place / "out", place], extracts.get(member), code)
            # The text says why it was ended: then it has not judged, whatever it says itself.
            code = code if text else result.exit_over(code)
            ballot = _of_agent(result, code, text, functools.partial(judge, member), key)
            if code in (EX_LIMITED, EX_LOGIN, EX_UNAVAILABLE):
                asked.turned[member] = code, result
        if isinstance(ballot, str):
            asked.absent.append({"member": member, "why": redact(ballot)[:REASON_LIMIT]})
        else:
            ballot["reason"] = redact(ballot["reason"])[:REASON_LIMIT]
            asked.cast.append({"member": member, **ballot, "cast_at": now()})
    return asked


def exits(folder: Path) -> dict[str, int]:
    """{member: exit status} of those whose ballot was taken in."""
    rows = _rows(files.read_bounded(folder / "ballots.tsv", 4 << 20) or b"")
    return {member: code for member, (code, _) in rows.items()}


def _rows(data: bytes) -> dict[str, tuple[int, str]]:
    """{member: (exit, text)}"""
    return {
        row[0]: (int(row[1]), "".join(row[2:3]))
        for row in wire.rows(data)
        if len(row) >= 2 and re.match(r"[0-9]{1,3}\Z", row[1])
    }


def _of_program(code: int, text: str) -> dict[str, Any] | str:
    choice = _PROGRAM_EXITS.get(code)
    if choice is None:
        return f"exit {code}: {text.strip()[:300]}" if text.strip() else f"exit {code}"
    return {"choice": choice, "reason": text.strip(), "confidence": 100}


def _of_agent(
    result: Result, code: int, text: str, judge: Callable[[Any], Ballot | str], key: str
) -> Ballot | str:
    if code != 0:
        name = _AGENT_EXITS.get(code, f"exit {code}")
        # What a tool that was ended still had to say is not why.
        said = text or ("" if code == EX_TIMEOUT else result.error)
        return f"{name}: {said.strip()[:300]}".rstrip(": ")
    if result.problem or result.error:
        return (result.problem or f"error: {result.error}")[:300]
    ballot: Any = result.raw
    if isinstance(ballot.get("ballot"), list):
        return _of_several(ballot["ballot"], judge, key)
    if isinstance(ballot.get("ballot"), dict):
        ballot = ballot["ballot"]
    elif key not in ballot and result.text.strip():
        try:
            ballot = whole(canonical.parse(result.text.strip().encode("utf-8", "replace"), 1 << 19, 16))
        except ValueError:
            return f"its ballot is not JSON: {' '.join(result.text.split())[:200]}"
    return judge(ballot) if ballot else "left no ballot"


def _of_several(objects: list[Any], judge: Callable[[Any], Ballot | str], key: str) -> Ballot | str:
    """The last ballot among the objects in an answer. Where they say different things it has not decided."""
    found = [judge(one) for one in objects]
    cast = [one for one in found if not isinstance(one, str)]
    said = list(dict.fromkeys(canonical.canonical(one[key]).decode() for one in cast))
    if len(said) > 1:
        shown = ", ".join(one.strip('"') for one in said)[:300]
        return f"it contradicts itself: it gave several ballots ({shown})"
    return cast[-1] if cast else (found[-1] if found else "left no ballot")
