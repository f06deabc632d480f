"""One line each way between the store and its clients: SEQ TAB VERB TAB field ..., escaped."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import EX_DATA, OrkestraError

MAX_LINE = 64 * 1024
_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_PLAIN = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}
_TO_ESCAPE = re.compile(r"[\\\t\n\r]")
_ESCAPED = re.compile(r"\\(.?)", re.DOTALL)
_SEQ = re.compile(r"[0-9]{1,18}\Z")
_OBJECT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_NUMBER = re.compile(r"([0-9]{1,9})(?:\.[0-9]+)?\Z")


class WireError(ValueError):
    """A line that breaks the protocol; the text is for the reply."""


def escape(text: str) -> str:
    """Field as it stands on the line. NUL cannot be held by Bash and becomes U+FFFD."""
    return _TO_ESCAPE.sub(lambda found: _ESCAPES[found.group()], text.replace("\0", "�"))


def unescape(text: str) -> str:
    """The reverse of escape; an unknown escape is a WireError."""

    def one(found: re.Match[str]) -> str:
        try:
            return _PLAIN[found.group(1)]
        except KeyError:
            raise WireError(f"unknown escape \\{found.group(1)}") from None

    return _ESCAPED.sub(one, text) if "\\" in text else text


def rows(data: bytes) -> list[list[str]]:
    """The fields of each line of a table that Bash wrote; an unknown escape stays as it is."""
    return [[_lenient(field) for field in line.split("\t")] for line in _text(data).split("\n") if line]


def object_id(field: str) -> str:
    """A field that names a Git object, as it is. Raises OrkestraError 65."""
    if not _OBJECT.match(field):
        raise OrkestraError(EX_DATA, f"{field[:80]!r} is not the id of an object")
    return field


def number(field: str) -> int:
    """A count, an exit status or seconds; a fraction is dropped. Raises OrkestraError 65."""
    found = _NUMBER.match(field)
    if not found:
        raise OrkestraError(EX_DATA, f"{field[:40]!r} is not a number")
    return int(found.group(1))


def _lenient(field: str) -> str:
    try:
        return unescape(field)
    except WireError:
        return field


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


@dataclass(frozen=True)
class Request:
    """One parsed request line."""

    seq: str
    verb: str
    fields: list[str]


def parse(line: bytes) -> Request:
    """A request from a line without its newline. Bytes that are not UTF-8 are kept as U+FFFD."""
    parts = _text(line).split("\t")
    if not _SEQ.match(parts[0]):
        raise WireError("a request begins with its number")
    if len(parts) < 2 or not parts[1]:
        raise WireError("a request needs a verb")
    return Request(parts[0], parts[1], [unescape(part) for part in parts[2:]])


def reply(seq: str, kind: str, *fields: str) -> bytes:
    """A reply line, at most MAX_LINE bytes: the longest fields are cut, with a word saying so."""
    fields_out = [escape(field) for field in fields]
    while True:
        line = "\t".join([seq, kind, *fields_out]).encode("utf-8", "replace") + b"\n"
        if len(line) <= MAX_LINE:
            return line
        longest = max(range(len(fields_out)), key=lambda n: len(fields_out[n]))
        kept = fields_out[longest][: len(fields_out[longest]) // 2].rstrip("\\")
        fields_out[longest] = kept + " ... (cut)"
