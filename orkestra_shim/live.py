"""What a run is at, looked at anew each second: for the screen of `start` in a terminal and of `watch`."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from . import board, evidence, files, journal, progress, spending
from .board import Board
from .errors import OrkestraError
from .project import Project
from .session import Session
from .text import printable

_TAIL = 64 << 10  # bytes of the log from which a watcher learns what has just happened
_OUTPUT = 2048  # bytes of an agent's output in which its last line is looked for
_REST = 20  # times as long as reading the whole board takes, between two of that
_LOGS = {"work": "output.log", "check": "check.log"}
_LEAST = 2.0  # seconds between two tries to read a board that cannot be read
_KEPT = 40
_MUCH = 1 << 30  # bytes of news


@dataclass
class Hand:
    """A worker, and what it is at; times in seconds."""

    worker: str
    task: str = ""
    agent: str = ""
    stage: str = ""
    elapsed: float = 0.0
    usual: int | None = None
    line: str = ""


@dataclass
class Picture:
    """All that a screen shows. `recent` is (task, what happened), the newest last."""

    project: str
    counts: dict[str, int]
    total: int
    hands: list[Hand]
    elapsed: float | None
    left: tuple[int, int] | None
    spent: str
    needs: list[tuple[str, str]]
    recent: list[tuple[str, str]] = field(default_factory=list)
    problem: str = ""


class Watcher:
    """Reads the log as it grows, and the board when something has happened, as often as costs little."""

    def __init__(self, now: Session, found: Project, from_now: bool = False, whole: bool = False) -> None:
        """`from_now`: what the log holds already is over; `whole`: all of it is news."""
        self._now, self._found = now, found
        self._log = found.path / journal.FILE
        size = self._size()
        self._at = size if from_now else 0 if whole else max(0, size - _TAIL)
        self._half = b""
        self._recent: deque[tuple[str, str]] = deque(maxlen=_KEPT)
        self._seen: Board | None = None
        self._due = 0.0
        self._grown = True
        self._problem = ""
        self._since: float | None = None
        self._spent = spending.Total()

    def _size(self) -> int:
        try:
            return self._log.stat().st_size
        except OSError:
            return 0

    def is_running(self) -> bool:
        """Whether a run holds the project."""
        return board.holder(board.git_folder(self._found)) is not None

    def look(self) -> Picture:
        """How things stand. A file that is being written or broken is said, and never ends the watching."""
        try:
            self.news()
            self._read_board()
        except OrkestraError as error:
            self._problem = error.message
        except OSError as error:
            self._problem = f"{error.filename}: {error.strerror}"
        seen = self._seen
        if seen is None:
            return Picture(self._found.name, {}, 0, [], None, None, "", [], [], self._problem)
        return Picture(
            self._found.name,
            seen.counts(),
            len(seen.rows),
            self._hands(),
            self._elapsed(seen),
            progress.span(seen.rows, seen.past, board.workers(self._now, self._found)) if seen.run else None,
            self._spent.words(),
            [(row["id"], str(row["reason"])) for row in seen.rows.values() if row["state"] == "needs_human"],
            list(self._recent),
            self._problem,
        )

    def _read_board(self) -> None:
        began = time.monotonic()
        if began < self._due or not (self._grown or self._seen is None):
            return
        self._due = began + _LEAST
        self._seen, self._problem, self._grown = board.read(self._now, self._found), "", False
        self._due = time.monotonic() + _REST * (time.monotonic() - began)

    def _elapsed(self, seen: Board) -> float | None:
        if seen.run is None:
            return None
        if self._since is None:
            self._since = board.since(seen.run) or time.time()
        return max(0.0, time.time() - self._since)

    # --- the log -------------------------------------------------------------------------------------------

    def news(self) -> list[tuple[str, str]]:
        """What has happened since the last call: task, and what. Raises OSError."""
        found = []
        for event in self._events():
            if event.get("event") == "worked" or "basis" in event:
                self._spent.add_cost(event)
            what = _told(event)
            if what and isinstance(event.get("task"), str):
                found.append((event["task"], what))
        self._recent += found
        return found

    def _events(self) -> Iterator[dict[str, Any]]:
        data, at = files.read_from(self._log, self._at, _MUCH)
        if at < self._at:  # somebody has put it aside
            self._half = b""
        self._at = at
        if not data:
            return
        self._grown = True
        *lines, self._half = (self._half + data).split(b"\n")
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue  # the tail begins anywhere
            if isinstance(event, dict):
                yield event

    # --- workers -------------------------------------------------------------------------------------------

    def _hands(self) -> list[Hand]:
        seen = self._seen
        assert seen is not None
        now, found = time.time(), []
        working = board.working(self._now, self._found, seen.past)
        at_work = {
            one["worker"]: (task, one)
            for task, first in working.items()
            for one in (first, *first.get("beside", ()))
        }
        for name in board.worker_names(self._now, self._found):
            if name not in at_work:
                found.append(Hand(name))
                continue
            task, one = at_work[name]
            hand = Hand(
                name, task, one["by"], one["stage"], max(0.0, now - one["since"]), one["usual_seconds"]
            )
            hand.line = self._last_line(task, one["try"], one["stage"])
            found.append(hand)
        return found

    def _last_line(self, task: str, number: int, stage: str) -> str:
        if stage not in _LOGS:
            return ""
        folder = self._found.path / "logs" / "execution" / "attempts" / task / str(number)
        lines = [line.strip() for line in evidence.tail(folder / _LOGS[stage], _OUTPUT).splitlines()]
        return next((line for line in reversed(lines) if line), "")


def _told(event: dict[str, Any]) -> str:
    """What happened, for people; '' for what is no news."""
    kind, why = event.get("event"), " ".join(str(event.get("why") or "").split())
    if kind == "landed":
        return f"landed as {event.get('outcome')}"
    if kind == "outcome-drafted" and isinstance(event.get("draft"), dict):
        draft = event["draft"]
        return f"{str(draft.get('decision')).replace('_', ' ')}: {draft.get('why')}"
    if kind == "chosen":
        return f"attempt {event.get('attempt')}, by {event.get('agent')}, is chosen"
    words = {
        "attempt-failed": "again",
        "candidate": f"a candidate by {event.get('agent')} has passed",
        "candidate-out": f"the candidate by {event.get('agent')} is out",
        "revision": "sent back by the reviewers",
        "conflict": "done again on the new base",
        "lost": "its job was lost",
        "held": "waits for your edits",
        "proposed": "proposed",
        "vote-closed": f"vote {event.get('decision')}"
        if event.get("decision") not in ("approve", "chosen")
        else "",
    }
    word = words.get(str(kind), "")
    return f"{word}: {why}" if word and why else word


def length(seconds: float) -> str:
    """0:12, 12:05, 3:12:05: of constant width while it grows."""
    whole = max(0, int(seconds))
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d}"
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def shown(text: str) -> str:
    """On one line of a terminal."""
    return printable(" ".join(text.split()))
