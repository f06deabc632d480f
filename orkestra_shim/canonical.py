"""Canonical JSON, hashes of records, and parsing of JSON that nobody vouches for.

Records hold integers, strings, booleans, null, lists and objects only, so RFC 8785 comes down to
key order (UTF-16 code units) and string escapes; floats are refused rather than approximated.
"""

from __future__ import annotations

import json
from json.encoder import encode_basestring as _quoted
from typing import Any

from .errors import EX_DATA, OrkestraError

Json = Any
MAX_INTEGER = 2**53 - 1  # beyond it RFC 8785 readers disagree


def _ordered(value: Json, where: str) -> Json:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise OrkestraError(EX_DATA, f"{where}: text that is not Unicode cannot be recorded") from None
        return value
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise OrkestraError(EX_DATA, f"{where}: integer {value} is too large to be recorded exactly")
        return value
    if isinstance(value, list):
        return [_ordered(item, f"{where}[{n}]") for n, item in enumerate(value)]
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise OrkestraError(EX_DATA, f"{where}: a key must be a string")
            _ordered(key, f"{where}: key")
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return {key: _ordered(value[key], f"{where}.{key}") for key in keys}
    raise OrkestraError(EX_DATA, f"{where}: {type(value).__name__} cannot be recorded")


_EMPTY = {"None": "null", "True": "true", "False": "false", "{}": "{}", "[]": "[]"}


def _is_sound(value: Json) -> bool:
    """Whether value can be recorded, as far as its types say: much quicker than to order it."""
    stack = [value]
    while stack:
        one = stack.pop()
        kind = type(one)
        if kind is dict:
            if not all(type(key) is str for key in one):
                return False
            stack.extend(one.values())
        elif kind is list:
            stack.extend(one)
        elif kind is int:
            if not -MAX_INTEGER <= one <= MAX_INTEGER:
                return False
        elif kind is not str and kind is not bool and one is not None:
            return False
    return True


def canonical(value: Json, sound: bool = False) -> bytes:
    """RFC 8785 bytes of value. Raises OrkestraError 65 on floats and on what is not JSON.

    `sound`: it is known to hold nothing of that kind, since it has been written before.
    """
    if sound or _is_sound(value):
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        # Below the surrogates the order of code points is that of UTF-16 code units.
        if text.isascii() or max(text) < "\ud800":
            return text.encode()
    ordered = _ordered(value, "record")
    return json.dumps(ordered, ensure_ascii=False, separators=(",", ":")).encode()


def pretty(value: Json) -> bytes:
    """The only form in which a record stands on disk: json.dumps with sort_keys and an indent of 2."""
    try:
        if _is_sound(value):
            return (_indented(value, "\n") + "\n").encode()
    except UnicodeEncodeError:
        pass
    _ordered(value, "record")  # says what is wrong
    return (json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2) + "\n").encode()


def _indented(value: Json, line: str) -> str:
    """As json.dumps does it, in a third of the time (what indents there is written in Python)."""
    if type(value) is str:
        return _quoted(value)
    if type(value) is dict and value:
        inner = line + "  "
        items = [f"{_quoted(key)}: {_indented(value[key], inner)}" for key in sorted(value)]
        return f"{{{inner}{f',{inner}'.join(items)}{line}}}"
    if type(value) is list and value:
        inner = line + "  "
        return f"[{inner}{f',{inner}'.join([_indented(one, inner) for one in value])}{line}]"
    return str(value) if type(value) is int else _EMPTY[repr(value)]


def digest(record: dict[str, Json], sound: bool = False) -> str:
    """SHA-256 of a record without its own "sha256", under the prefix of its format; `sound` as above."""
    body = {key: value for key, value in record.items() if key != "sha256"}
    return sha256(f"{record['format']}\n".encode() + canonical(body, sound))


def sha256(data: bytes) -> str:
    """Plain hex SHA-256, for logs and diffs."""
    import hashlib  # it loads OpenSSL, which is not for commands that hash nothing

    return hashlib.sha256(data).hexdigest()


def _too_deep(text: str, limit: int) -> bool:
    if text.count("[") + text.count("{") <= limit:
        return False
    depth, quoted, skip = 0, False, False
    for char in text:
        if skip:
            skip = False
        elif quoted:
            skip, quoted = char == "\\", char != '"'
        elif char == '"':
            quoted = True
        elif char in "[{":
            depth += 1
            if depth > limit:
                return True
        elif char in "]}":
            depth -= 1
    return False


def _constant(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")


def parse(data: bytes, max_bytes: int = 4 << 20, max_depth: int = 64) -> Json:
    """JSON from an agent or a file: bounded in size and depth; ValueError says what is wrong."""
    if len(data) > max_bytes:
        raise ValueError(f"more than {max_bytes} bytes of JSON")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start}") from None
    if _too_deep(text, max_depth):
        raise ValueError(f"nested deeper than {max_depth}")
    try:
        return json.loads(text, parse_constant=_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
