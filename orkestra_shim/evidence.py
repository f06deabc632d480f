"""What an attempt left behind, read as data: the agent's result, the gates' table, the end of a log."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from . import canonical, files, jq, resets, wire
from .errors import EX_LIMITED, OrkestraError
from .prices import Usage
from .text import clean, whole

TAIL = 6000  # bytes of a log that the next try gets to see
_LIMIT = 16 << 20


def tail(path: Path, limit: int = TAIL) -> str:
    """The readable end of a log, '' when there is none."""
    data = files.read_tail(path, limit + 1)
    if not data:
        return ""
    text = clean(data[-limit:].decode("utf-8", "replace")).strip()
    return f"...\n{text}" if len(data) > limit else text


def last_words(path: Path, limit: int = 300) -> str:
    """The last two lines of a log that say anything: most programs end with what went wrong."""
    lines = [line.strip() for line in tail(path).splitlines() if line.strip()]
    return "; ".join(lines[-2:])[-limit:]


@dataclass
class Result:
    """What an agent says of its own work; a claim, not a verdict."""

    text: str = ""
    error: str = ""
    retry_at: int = 0
    of_model: bool = False  # it is the model that is limited, not the account
    exit: int | None = None
    usage: Usage | None = None  # None where it says nothing of its tokens
    usd_micros: int | None = None  # None where it says no cost
    model: str = ""
    problem: str = ""  # why nothing could be read, '' when all is well
    raw: dict[str, Any] = field(default_factory=dict)

    def exit_over(self, code: int) -> int:
        """The exit status that counts: the tool's own where the adapter's says no more than yes or no."""
        return self.exit if self.exit is not None and code in (0, 1, 65) else code


def _natural(value: object) -> int:
    return value if type(value) is int and 0 <= value < 1 << 53 else 0


def _retry_at(raw: dict[str, Any], code: int) -> int:
    """When a limited account may be used again: the number, else by the error's words; 0 when unsaid."""
    said = raw.get("retry_at")
    if EX_LIMITED not in (code, raw.get("exit")) or said is not None:
        return _natural(said)
    return resets.read(str(raw.get("error") or ""), datetime.now().astimezone()) or 0


def _of_model(raw: dict[str, Any]) -> bool:
    """Whether a limit is one of the model alone: as the adapter says, else by the error's words."""
    said = raw.get("limit_of")
    return said == "model" if said else resets.is_of_model(str(raw.get("error") or ""))


def _parsed(raw: dict[str, Any], code: int) -> Result:
    own, error, cost = raw.get("exit"), raw.get("error"), raw.get("cost_usd_micros")
    return Result(
        text=str(raw.get("text") or ""),
        error=error if isinstance(error, str) else str(error or ""),
        retry_at=_retry_at(raw, code),
        of_model=_of_model(raw),
        exit=own if type(own) is int else None,
        usage=_usage(raw.get("usage")),
        usd_micros=_natural(cost) if type(cost) is int else None,
        model=clean(str(raw.get("model") or "")).strip()[:200],
        raw=raw,
    )


# Its own words for tokens, and what APIs call them.
_TOKENS = {
    "input": ("input", "input_tokens"),
    "cached": ("cache_read", "cache_read_input_tokens"),
    "cache_write": ("cache_write", "cache_creation_input_tokens"),
    "output": ("output", "output_tokens"),
}


def _usage(told: object) -> Usage | None:
    """Tokens; no model works with none at all."""
    if not isinstance(told, dict):
        return None
    found = {kind: max(_natural(told.get(name)) for name in names) for kind, names in _TOKENS.items()}
    return Usage(**found) if any(found.values()) else None


def read_result(folders: list[Path], extract: Path | None, code: int) -> Result:
    """The result in the first folder that has one: result.json, or output.json through the adapter's jq."""
    for folder in folders:
        data = files.read_bounded(folder / "result.json", _LIMIT)
        if data is not None and data.strip():
            try:
                raw = whole(canonical.parse(data))
            except ValueError as error:
                return Result(problem=f"its result.json is not readable: {error}")
            return (
                _parsed(raw, code)
                if isinstance(raw, dict)
                else Result(problem="its result.json is not an object")
            )
        if extract is not None and (folder / "output.json").is_file():
            return _extracted(folder, extract, code)
    return Result()


def _extracted(folder: Path, extract: Path, code: int) -> Result:
    data = files.read_bounded(folder / "output.json", _LIMIT) or b""
    try:
        stdout = whole(canonical.parse(data))
    except ValueError:
        stdout = data.decode("utf-8", "replace")
    stderr = (files.read_tail(folder / "output.stderr", 65536) or b"").decode("utf-8", "replace")
    told = (files.read_bounded(folder / "output.exit", 16) or b"").strip()
    if re.match(rb"[0-9]{1,3}\Z", told):
        code = int(told)
    try:
        raw = jq.run(extract, {"exit": code, "stdout": stdout, "stderr": stderr})
    except OrkestraError as error:
        return Result(problem=f"its output cannot be read: {error.message}")
    return _parsed(raw, code) if isinstance(raw, dict) else Result(problem="its output cannot be read")


def read_gates(path: Path) -> list[dict[str, Any]]:
    """A/gates.tsv as recorded: {"gate", "passed", "marked", "evidence"}."""
    gates = []
    for row in wire.rows(files.read_bounded(path, 1 << 20) or b""):
        if len(row) < 2 or not row[0]:
            continue
        gates.append(
            {
                "gate": row[0][:64],
                "passed": row[1] in ("pass", "mark"),
                "marked": row[1] == "mark",
                "evidence": clean("".join(row[2:3]))[:4096].strip(),
            }
        )
    return gates
