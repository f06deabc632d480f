"""What the attempts at a task were asked and said: prompt, output, check, ballots."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from . import board, files, records, voted, votes
from .errors import EX_USAGE, OrkestraError
from .project import Project
from .session import Session
from .text import clean, printable

LIMIT = 64 << 10  # bytes of a file that are shown, from its end
_FILES = (
    ("prompt.md", "what the agent was asked"),
    ("output.log", "what the agent printed"),
    ("check.log", "what the check printed"),
)
_GROWING = ("output.log", "check.log")


def folder(found: Project, task: str) -> Path:
    """Where this machine keeps the attempts at a task."""
    return found.path / "logs" / "execution" / "attempts" / task


def tries(found: Project, task: str) -> list[int]:
    """The attempts that are there, in their order."""
    try:
        return sorted(int(one.name) for one in folder(found, task).iterdir() if one.name.isdigit())
    except OSError:
        return []


def last(found: Project, task: str, wanted: int | None) -> int:
    """The attempt that is meant: that one, else the newest. Raises 64."""
    there = tries(found, task)
    if not there:
        raise OrkestraError(
            EX_USAGE,
            f"this machine has no log of an attempt at {printable(task)}",
            "it was not tried yet, or elsewhere: orkestra task show has its records",
        )
    if wanted is not None and wanted not in there:
        raise OrkestraError(
            EX_USAGE,
            f"there is no try {wanted} of {printable(task)} here",
            f"there are: {', '.join(map(str, there))}",
        )
    return there[-1] if wanted is None else wanted


def lines(found: Project, task: str, number: int) -> Iterator[str]:
    """All of an attempt for people; texts from elsewhere are indented behind a bar."""
    place = folder(found, task) / str(number)
    yield printable(f"{task}, try {number}: {place}")
    for name, what in _FILES:
        data = files.read_tail(place / name, LIMIT + 1)
        if data is None:
            continue
        yield f"{what} ({name})"
        if len(data) > LIMIT:
            yield "  (its beginning is left out here)"
        yield from map(bar, _text(data[-LIMIT:]).splitlines())
    for path in sorted((place / votes.FOLDER).glob(f"vote-*/{votes.FILE}")):
        data = files.read_bounded(path, 16 << 20)
        if data:
            yield from voted.lines(voted.Vote(records.load(data, f"{path.parent}.json"), None, False))


def bar(line: str) -> str:
    """A line of a text from elsewhere, which can be taken for none of ours."""
    return f"  | {printable(line)}"


def _text(data: bytes) -> str:
    return clean(data.decode("utf-8", "replace"))


def follow(now: Session, found: Project, task: str, number: int, say: Callable[[str], None]) -> None:
    """What the agent and the check print from now on, this try and the next, while a worker has the task."""
    at = {name: _size(folder(found, task) / str(number) / name) for name in _GROWING}
    half: dict[str, str] = dict.fromkeys(_GROWING, "")
    while True:
        in_hand = _in_hand(now, found, task)
        for name in _GROWING:
            path = folder(found, task) / str(number) / name
            text, at[name] = files.read_from(path, at[name])
            *whole, half[name] = (half[name] + _text(text)).split("\n")
            for line in whole:
                say(bar(line))
        newest = (tries(found, task) or [number])[-1]
        if newest != number:
            number, at, half = newest, dict.fromkeys(_GROWING, 0), dict.fromkeys(_GROWING, "")
            say(printable(f"{task}, try {number}"))
        elif not in_hand:
            break
        else:
            time.sleep(1)
    for rest in half.values():
        if rest:
            say(bar(rest))


def _in_hand(now: Session, found: Project, task: str) -> bool:
    if board.holder(board.git_folder(found)) is None:
        return False
    return any(
        (files.read_bounded(path, 1024) or b"").split(b"\t")[0] == task.encode()
        for path in (now.home.runtime / found.id).glob("w*/now")
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
