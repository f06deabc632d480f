"""A foreign file with tasks: read within bounds, made of items that know where they stand in it.

What it says is a stranger's until a person has seen it: texts lose what a terminal or a reader does not
show, and GIVES_POWER names the fields with which a task may execute, spend or touch more than usual.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import jsonfile, positions
from .errors import EX_DATA, OrkestraError
from .text import clean, printable

MOST_BYTES = 32 << 20
MOST_ITEMS = 20_000
LONGEST_TEXT = 100_000  # characters of one description
LONGEST_TITLE = 200
GIVES_POWER = ("command", "check", "allow_paths", "agent")
DONE = ("done", "completed", "complete", "closed", "cancelled", "canceled")

Place = tuple[str | int, ...]  # (line,) and what in it, or the way to a value of a JSON file

_HIDDEN = re.compile("[\u200b\u2060\ufeff\U000e0000-\U000e007f]")  # nobody sees them, a model reads them
_TOKEN = re.compile(r"`+|~~~+|<!--")


@dataclass
class Item:
    """One task as the file has it."""

    place: Place
    key: str  # by which a second import knows it again
    title: str
    names: tuple[str, ...] = ()  # how others of the file may call it
    wish: str = ""  # the id it asks for; one that suits it is made of that
    description: str = ""
    needs: list[tuple[str, Place]] = field(default_factory=list)
    after: list[tuple[str, Place]] = field(default_factory=list)  # prefer_after
    fields: dict[str, Any] = field(default_factory=dict)
    done: bool = False


class Foreign:
    """The text of a file, and how an error names a place in it."""

    def __init__(self, path: str) -> None:
        """`path`: '-' is stdin. Raises 65 for what is too large, no text, or not there."""
        self.name = "stdin" if path == "-" else printable(path)
        self.short = "stdin" if path == "-" else path.rstrip("/").rsplit("/", 1)[-1]
        data = self._bytes(path)
        if len(data) > MOST_BYTES:
            raise OrkestraError(
                EX_DATA, f"{self.name} has more than {MOST_BYTES >> 20} MB", "give it in pieces"
            )
        self.text = jsonfile.decode(data, self.name)
        self.is_json = False
        if "\0" in self.text:
            line, column = positions.line_column(self.text, self.text.index("\0"))
            raise self.error((line, column), "a NUL character: this is no text")

    def _bytes(self, path: str) -> bytes:
        try:
            if path == "-":
                return sys.stdin.buffer.read(MOST_BYTES + 1)
            with open(path, "rb") as file:
                return file.read(MOST_BYTES + 1)
        except OSError as error:
            raise OrkestraError(EX_DATA, f"cannot read {self.name}: {error.strerror}") from None

    def json(self) -> Any:
        """Its JSON value; errors name line and column from now on."""
        value = jsonfile.value(self.text, self.name)
        self.is_json = True
        return value

    def error(self, place: Place, reason: str, hint: str = "") -> OrkestraError:
        """65 `NAME:LINE...: reason`."""
        if self.is_json:
            place = positions.line_column(self.text, positions.offset(self.text, place))
        where = ":".join(map(str, (self.name, *place)))
        return OrkestraError(EX_DATA, f"{printable(where)}: {printable(reason)}", printable(hint))


def text_of(value: object) -> str:
    """A text as a person would see it: no colours, no control, direction or invisible characters."""
    return _HIDDEN.sub("", clean(str(value))).strip()


def line_of(value: object) -> str:
    """The same in one line."""
    return " ".join(text_of(value).split())


def described(*parts: tuple[str, object]) -> str:
    """A description of (heading, text) pairs; what is empty is left out."""
    shown = ((heading, text_of(text)) for heading, text in parts if text not in (None, ""))
    return "\n\n".join(f"{heading}\n{text}" if heading else text for heading, text in shown if text)


def visible(text: str, code: bool = True) -> str:
    """Markdown without what its page does not show: comments outside of code. Lines keep their numbers.

    `code`: False takes out code as well. What is not closed stays.
    """
    return "".join(_visible(text, code))


def _visible(text: str, code: bool) -> Iterator[str]:
    at, missing = 0, {}  # by token: from where on it is known not to be closed
    while token := _TOKEN.search(text, at):
        yield text[at : token.start()]
        at = token.end()
        closing = "-->" if token.group() == "<!--" else token.group()
        end = -1 if closing in missing else text.find(closing, at)
        if end < 0:
            missing[closing] = at
        inline = closing in ("`", "``")
        if end < 0 or (inline and "\n\n" in text[at:end]):
            yield token.group()
            continue
        end += len(closing)
        if token.group() != "<!--" and code:
            yield text[token.start() : end]
        else:
            yield "\n" * text.count("\n", at, end)
        at = end
    yield text[at:]


def numbered(seen: dict[str, int], key: str) -> str:
    """A key that came before gets a number."""
    seen[key] = seen.get(key, 0) + 1
    return key if seen[key] == 1 else f"{key} #{seen[key]}"


def an_object(file: Foreign, value: object, place: Sequence[str | int]) -> dict[str, Any]:
    """The value, which must be an object of a JSON file."""
    if not isinstance(value, dict):
        raise file.error(tuple(place), "expected an object in braces")
    return value


def a_list(file: Foreign, value: object, place: Sequence[str | int]) -> list[Any]:
    """The value, which must be a list of a JSON file; nothing is an empty one."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise file.error(tuple(place), "expected a list")
    return value


def a_text(file: Foreign, holder: dict[str, Any], key: str, place: Sequence[str | int]) -> str:
    """The text under a key of an object; '' when there is none."""
    value = holder.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise file.error((*place, key), f"{key} must be a string")
    return value
