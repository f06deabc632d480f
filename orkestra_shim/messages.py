"""Every message of the code with its exit code, read out of the source: `docs/messages.md` is made of it.

In Python that is each OrkestraError and each click.UsageError (`wording` reads them), in Bash each `die` and
`warn`. What only a run knows is a slot: ‹path›.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from . import errors, wording
from .wording import ANOTHERS

GOES_ON = 0  # the code of a warning


class Message(NamedTuple):
    """What a person is told: what is wrong, what to do, and the file that says it."""

    code: int
    text: str
    hint: str
    place: str


def messages(package: Path, scripts: Path) -> list[Message]:
    """All of them: by code, then where they stand. package and scripts are folders of the framework."""
    found = {*(Message(*row) for row in wording.rows(package)), *_bash(scripts)}
    return sorted(found, key=lambda one: (one.code <= 0, abs(one.code), one.place, one))


# --- Bash ---------------------------------------------------------------------------------------------------

_WHO = r'(?:(?P<warn>warn)|(?:die|tool::missing) "\$\{?(?P<code>\w+)\}?")'
_SAYS = re.compile(r"(?:^|[\s{(;|&])" + _WHO + r"\s+(?=[\"'])")


def _bash(folder: Path) -> Iterator[Message]:
    for path in sorted(one for one in folder.rglob("*") if one.is_file() and _is_bash(one)):
        text = re.sub(r"\\\n\s*", "", path.read_text("utf-8"))
        for line in text.split("\n"):
            if line.lstrip().startswith("#"):
                continue
            for found in _SAYS.finditer(line):
                words = list(_shell_words(line[found.end() :]))
                code = GOES_ON if found["warn"] else getattr(errors, found["code"], ANOTHERS)
                hint = words[1] if len(words) > 1 and not found["warn"] else ""
                yield Message(code, words[0], hint, f"SCRIPTS/{path.relative_to(folder)}")


def _is_bash(path: Path) -> bool:
    with path.open("rb") as file:
        return path.suffix == ".bash" or b"bash" in file.readline(60)


def _shell_words(text: str) -> Iterator[str]:
    """The words of a command up to its end, with slots where something is expanded."""
    at, word, begun = 0, "", False
    while at < len(text):
        sign = text[at]
        if sign == "'" or text.startswith("$'", at):
            end = text.index("'", at + (2 if sign == "$" else 1))
            inner = text[at + (2 if sign == "$" else 1) : end]
            word, begun, at = word + (inner if sign == "'" else inner.replace("\\n", " / ")), True, end + 1
        elif sign == '"':
            inner, at = _quoted(text, at + 1)
            word, begun = word + inner, True
        elif sign == "$":
            inner, at = _expansion(text, at)
            word, begun = word + inner, True
        elif sign in ";|&)}<>#" or not (sign.isspace() or begun or sign.isalnum()):
            break
        elif sign.isspace():
            if begun:
                yield word
            word, begun, at = "", False, at + 1
        else:
            word, begun, at = word + sign, True, at + 1
    if begun:
        yield word


def _quoted(text: str, at: int) -> tuple[str, int]:
    word = ""
    while text[at] != '"':
        if text[at] == "$":
            inner, at = _expansion(text, at)
            word += inner
        elif text[at] == "\\":
            word, at = word + text[at + 1], at + 2
        else:
            word, at = word + text[at], at + 1
    return word, at + 1


def _expansion(text: str, at: int) -> tuple[str, int]:
    """The slot of what begins with a $ there, and where it ends."""
    closing = {"{": "}", "(": ")"}.get(text[at + 1 : at + 2])
    if closing is None:
        found = re.compile(r"\$(\w+|.)").match(text, at)
        assert found is not None
        return _shell_slot(found[1]), found.end()
    deep, end = 0, at + 1
    while True:
        deep += {text[at + 1]: 1, closing: -1}.get(text[end], 0)
        end += 1
        if not deep:
            break
    name = re.match(r"[#!]?(\w+)", text[at + 2 : end])
    return _shell_slot(name[1] if name and closing == "}" else "number"), end


def _shell_slot(name: str) -> str:
    if name == "0":
        return "‹script›"
    return wording.slot(name.removeprefix("ORKESTRA_") if name[0].isalpha() else "argument")
