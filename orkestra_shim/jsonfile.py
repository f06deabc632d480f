"""JSON files that people edit: read with a place for every complaint, written as they read them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .errors import EX_DATA, OrkestraError
from .text import printable


def read_bytes(path: Path) -> bytes:
    """The file's bytes. Raises OrkestraError 65 when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise OrkestraError(EX_DATA, f"cannot read {printable(path)}: {error.strerror}") from None


def read(path: Path) -> dict[str, Any]:
    """The JSON object in `path`. Raises OrkestraError 65 naming file, line and what was expected."""
    where = printable(path)
    return parse(decode(read_bytes(path), where), where)


def decode(raw: bytes, where: str) -> str:
    """The text of a file; a byte order mark is forgiven, another encoding is OrkestraError 65."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        raise OrkestraError(EX_DATA, f"{where}:{line}:{column}: not UTF-8 text") from None


def parse(
    text: str,
    where: str,
    expected: str = "a JSON object in braces",
    pairs: Callable[[list[tuple[str, Any]]], Any] | None = None,
) -> dict[str, Any]:
    """The JSON object in `text`. Raises OrkestraError 65 `where:line:column: what was expected`.

    `pairs` makes each object from its keys and values, where a key that stands twice is not to be lost.
    """
    found = value(text, where, pairs)
    if not isinstance(found, dict):
        raise OrkestraError(EX_DATA, f"{where}:1:1: expected {expected}")
    return found


def value(text: str, where: str, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """The same of any JSON value."""
    try:
        return json.loads(text, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        place = f"{where}:{error.lineno}:{error.colno}"
        raise OrkestraError(EX_DATA, f"{place}: not valid JSON: {error.msg}") from None
    except (RecursionError, ValueError) as error:
        raise OrkestraError(
            EX_DATA, f"{where}:1:1: not readable as JSON: nested too deeply, or a number that is too long"
        ) from error


def dump(value: object) -> bytes:
    """JSON as people read it: indented, letters as they are, key order kept, a newline at the end."""
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode("utf-8", "replace")
