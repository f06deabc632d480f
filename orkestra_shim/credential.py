"""Is a credential file that a tool left behind a refreshed form of the one it was given?

What a tool leaves was in an agent's hands. It may replace a person's login only if it is what a refresh
makes: JSON stays JSON with the same keys and kinds of values; a plain value may be added inside an object
that was there, since tools add such fields with new versions, but no new object and nothing at the top level;
and its token does not end before the one that it replaces.

    python -m orkestra_shim.credential BEFORE NOW      exit 0: it is; 1: it is not, with the reason
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from . import freshness


def parsed(text: str) -> Any:
    """A login file's JSON; lines that are comments, as some tools write, do not count. Raises ValueError."""
    return json.loads(re.sub(r"^[ \t]*//.*$", "", text, flags=re.MULTILINE))


def refusal(before: object, now: object, where: str = "") -> str | None:
    """Why `now` is no refreshed form of `before` (both parsed JSON); None if it is one."""
    if isinstance(before, dict):
        if not isinstance(now, dict):
            return f"{where or 'it'} is no object any more"
        return _object_refusal(before, now, where)
    if isinstance(now, dict):
        return f"{where or 'it'} became an object"
    if isinstance(before, list) != isinstance(now, list) and before is not None:
        return f"{where or 'it'} changed its kind"
    if isinstance(now, list) and any(isinstance(item, dict | list) for item in now) and now != before:
        return f"{where or 'it'} is a list of more than plain values"
    return None


def _object_refusal(before: dict[str, object], now: dict[str, object], where: str) -> str | None:
    for key, value in before.items():
        if key not in now:
            return f"{where}{key} is missing"
        found = refusal(value, now[key], f"{where}{key}.")
        if found:
            return found
    for key in now.keys() - before.keys():
        if not where or isinstance(now[key], dict | list):
            return f"{where}{key} is new"
    return None


def check(before: bytes, now: bytes) -> str | None:
    """The same for two files' bytes. A file that was no JSON object may become anything but empty."""
    try:
        old = parsed(before.decode("utf-8-sig"))
    except ValueError:
        return None if now.strip() else "it is empty"
    try:
        new = parsed(now.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return "it is no JSON"
    return refusal(old, new) or _older(before, now)


def _older(before: bytes, now: bytes) -> str | None:
    was, will = freshness.end(before), freshness.end(now)
    return "its token ends before the one that it would replace" if was and will and will < was else None


def main(arguments: list[str]) -> int:
    """Entry point: two file names."""
    if len(arguments) != 2:
        print("usage: python -m orkestra_shim.credential BEFORE NOW", file=sys.stderr)
        return 64
    found = check(Path(arguments[0]).read_bytes(), Path(arguments[1]).read_bytes())
    if found is None:
        return 0
    print(f"orkestra: the login that came back is refused: {found}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
