"""Where in a JSON text a value stands, so that an error can name line and column."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _member(text: str, at: int, wanted: str) -> int | None:
    """Start of the value of key wanted (the last one counts, as for the parser) of the object at."""
    at, result = _skip(text, at + 1), None
    while text[at] != "}":
        key, at = _DECODER.raw_decode(text, at)
        value = _skip(text, _skip(text, at) + 1)
        if key == wanted:
            result = value
        _, at = _DECODER.raw_decode(text, value)
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return result


def _element(text: str, at: int, wanted: int) -> int | None:
    at = _skip(text, at + 1)
    for number in range(wanted + 1):
        if text[at] == "]":
            return None
        if number == wanted:
            return at
        _, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return None


def offset(text: str, path: Sequence[str | int]) -> int:
    """Offset of the value at path in valid JSON text; of the nearest enclosing value when it is missing."""
    at = _skip(text, 0)
    for step in path:
        opening = "{" if isinstance(step, str) else "["
        if text[at] != opening:
            return at
        found = _member(text, at, step) if isinstance(step, str) else _element(text, at, step)
        if found is None:
            return at
        at = found
    return at


def line_column(text: str, at: int) -> tuple[int, int]:
    """One-based line and column of an offset."""
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
