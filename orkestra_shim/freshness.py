"""When the token of a tool's login ends, and a copy of the login that the tool refreshes at once.

Where a refresh makes the old refresh token worthless, tools that refresh one login side by side log each
other out. So whoever is given a login whose token would end while it works takes its turn
(SCRIPTS/AGENTS/lib/credentials.bash), and is given a copy whose token has ended already: the tool refreshes
that first, and the turn is short.

    python -m orkestra_shim.freshness stale LOGIN SECONDS    exit 0: it would end within them; 1: it would not
    python -m orkestra_shim.freshness age LOGIN COPY         COPY is LOGIN with its end in the past
"""

from __future__ import annotations

import base64
import json
import re
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import files
from .errors import EX_USAGE, OrkestraError

LIMIT = 1 << 18  # bytes of a login file
_MARGIN = 600  # seconds: tools refresh a token some minutes before it ends
_REFRESHES = re.compile(r"refresh(_?token)?", re.IGNORECASE)
_ENDS = re.compile(r"expir(es|y|ation)(_?(at|date|time))?", re.IGNORECASE)
_ACCESS = re.compile(r"access(_?token)?", re.IGNORECASE)
_MILLISECONDS = 100_000_000_000  # a number above is no second of this millennium
_LONG_AGO = 3600.0


def end(data: bytes) -> float | None:
    """The epoch second at which the first token ends that a refresh could replace; None when that is unsaid.

    Such a token stands beside a refresh token. It ends when a number or a date there says so, or when it is a
    JWT that does. Tokens of MCP servers are not the login's.
    """
    ends = [moment for one in _refreshable(_parsed(data)) for moment in _ends_of(one)]
    return min(ends, default=None)


def aged(data: bytes) -> bytes:
    """The same login, said to have ended. What is no JSON, or says no end, is left as it is."""
    told = _parsed(data)
    past = time.time() - _LONG_AGO
    for one in _refreshable(told):
        for key in [key for key in one if _ENDS.fullmatch(key)]:
            if (moment := _moment(one[key])) is not None:
                one[key] = _as_before(one[key], min(moment, past))
        for key in [key for key in one if _ACCESS.fullmatch(key) and isinstance(one[key], str)]:
            one[key] = _aged_token(one[key], past)
    if isinstance(told, dict) and _moment(told.get("last_refresh")) is not None:
        told["last_refresh"] = "2020-01-01T00:00:00Z"
    return data if told is None else json.dumps(told, ensure_ascii=False).encode()


def stale(login: Path, seconds: float) -> bool:
    """Whether the login's token would end within so many seconds of work.

    Of a token that lives for less than that the last half of its life counts: it began when the file was
    written.
    """
    found = end(files.read_bounded(login.resolve(), LIMIT) or b"")
    if found is None:
        return False
    life = found - login.stat().st_mtime
    left = found - time.time()
    return left < min(seconds + _MARGIN, life / 2 if life > 0 else seconds + _MARGIN)


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _refreshable(value: Any) -> Iterator[dict[str, Any]]:
    """The objects that hold a refresh token."""
    if not isinstance(value, dict):
        return
    if any(_REFRESHES.fullmatch(key) and isinstance(one, str) and one for key, one in value.items()):
        yield value
    for key, inner in value.items():
        if not key.lower().startswith("mcp"):
            yield from _refreshable(inner)


def _ends_of(one: dict[str, Any]) -> Iterator[float]:
    for key, value in one.items():
        if _ENDS.fullmatch(key):
            moment = _moment(value)
        elif _ACCESS.fullmatch(key) and isinstance(value, str):
            moment = _moment(_claims(value).get("exp"))
        else:
            continue
        if moment is not None:
            yield moment


def _claims(token: str) -> dict[str, Any]:
    """What a JWT says of itself, {} for any other token."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        told = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _aged_token(token: str, past: float) -> str:
    """A JWT that says that it has ended, which no signature holds any more; any other token as it is."""
    claims = _claims(token)
    moment = _moment(claims.get("exp"))
    if moment is None:
        return token
    claims["exp"] = int(min(moment, past))
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    header, _, signature = token.split(".")
    return f"{header}.{body}.{signature}"


def _moment(value: Any) -> float | None:
    """The epoch second that a number of seconds or milliseconds, or an ISO date, stands for."""
    if type(value) in (int, float) and value > 0:
        return value / 1000 if value > _MILLISECONDS else float(value)
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(re.sub(r"\.\d+", "", value).replace("Z", "+00:00"))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def _as_before(value: Any, moment: float) -> int | str:
    """A moment in the form that `value` has."""
    if isinstance(value, str):
        return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return int(moment * 1000) if value > _MILLISECONDS else int(moment)


def main(arguments: list[str]) -> int:
    """Entry point."""
    if len(arguments) != 3 or arguments[0] not in ("stale", "age"):
        print(
            "usage: python -m orkestra_shim.freshness stale LOGIN SECONDS | age LOGIN COPY", file=sys.stderr
        )
        return EX_USAGE
    login = Path(arguments[1])
    try:
        if arguments[0] == "stale":
            return 0 if stale(login, float(arguments[2])) else 1
        files.write_plain(Path(arguments[2]), aged(files.read_bounded(login, LIMIT) or b""))
    except OrkestraError as error:
        print(error.lines(), file=sys.stderr)
        return error.code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
