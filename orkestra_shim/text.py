"""Text that comes from elsewhere, made fit to be shown or kept."""

from __future__ import annotations

import re
from typing import Any

# Control characters, and those that change the direction in which a line is read.
_BEYOND = r"\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_CONTROL = re.compile(rf"[\x00-\x1f{_BEYOND}]")
_TERMINAL = re.compile(rf"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f{_BEYOND}]")
_NAMES = {9: "\\t", 10: "\\n", 13: "\\r"}


def printable(text: object) -> str:
    """What may be shown in a terminal: control and direction characters become visible escapes."""
    return _CONTROL.sub(_escape, str(text))


def _escape(match: re.Match[str]) -> str:
    point = ord(match.group())
    return _NAMES.get(point) or (f"\\x{point:02x}" if point < 256 else f"\\u{point:04x}")


def word(text: object) -> str:
    """One word of a shell command that a person may copy."""
    import shlex

    return printable(shlex.quote(str(text)))


def counted(number: int, thing: str) -> str:
    """`1 task`, `2 tasks`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def stands(state: str) -> str:
    """What a task of that state does: `is failed`, `needs a person`."""
    return "needs a person" if state == "needs_human" else f"is {state.replace('_', ' ')}"


def clean(text: str) -> str:
    """Without colours, control and direction characters; newlines and tabs stay."""
    return _TERMINAL.sub("", text.replace("\r\n", "\n"))


_HALF = re.compile("[\ud800-\udfff]")


def whole(value: Any) -> Any:
    """JSON whose texts are Unicode: half a character, as a tool may cut one off, becomes a replacement."""
    if isinstance(value, str):
        return _HALF.sub("\ufffd", value) if _HALF.search(value) else value
    if isinstance(value, list):
        return [whole(one) for one in value]
    if isinstance(value, dict):
        return {whole(key): whole(one) for key, one in value.items()}
    return value


def subject(title: str) -> str:
    """A task's title as a line of a commit's message: no trailer of ours, whatever it looks like."""
    return f"task: {title}" if title.lstrip().startswith("Orkestra-") else title
