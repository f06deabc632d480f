"""Who has a task in hand: a run's store for each that a worker has, or a person who is attached to one.

One lock for each task, which the kernel lets go with whoever holds it: a byte of .git/orkestra/tasks.lock,
whose place follows from the task's id, by an open file description (F_OFD_SETLK, Linux 3.15).
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING

from . import queue
from .files import cannot_write, make_folder

if TYPE_CHECKING:
    from .run import Run
    from .tasks import Task

_FILE = "orkestra/tasks.lock"
_FLOCK = "hhqqi4x"  # l_type, l_whence, l_start, l_len, l_pid
_LOOK = 0.1  # seconds between two looks at a task that somebody has


class Hands:
    """The locks of one process, and of those to which it hands the descriptor down."""

    def __init__(self, git_dir: Path) -> None:
        """Raises 73."""
        path = git_dir / _FILE
        make_folder(path.parent)
        try:
            self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise cannot_write(path, error) from None
        self._mine: set[str] = set()
        self._seen = self._stamp()

    def take(self, name: str, patience: float = 0) -> bool:
        """Whether the task is ours now; False where somebody else has it, also after `patience` seconds.

        Of a run or a person's session that was killed, what it had begun takes a moment to end.
        """
        end = time.monotonic() + patience
        while not self._taken(name):
            if time.monotonic() >= end:
                return False
            time.sleep(_LOOK)
        return True

    def _taken(self, name: str) -> bool:
        if name in self._mine:
            return True
        try:
            self._set(name, fcntl.F_WRLCK)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                return False
            raise
        self._mine.add(name)
        return True

    def keep(self, names: set[str]) -> None:
        """Let go of all but these."""
        for name in self._mine - names:
            self._set(name, fcntl.F_UNLCK)
        self._mine &= names

    def is_free(self, name: str) -> bool:
        """Whether nobody else has it."""
        told = fcntl.fcntl(self.descriptor, fcntl.F_OFD_GETLK, _lock(name, fcntl.F_WRLCK))
        return bool(struct.unpack(_FLOCK, told)[0] == fcntl.F_UNLCK)

    def stir(self) -> None:
        """The queue says something new of a task that is about to be free: whoever takes one looks first."""
        os.utime(self.descriptor)

    def stirred(self) -> bool:
        """Whether somebody did since this was last asked."""
        before, self._seen = self._seen, self._stamp()
        return before != self._seen

    def _stamp(self) -> int:
        return os.fstat(self.descriptor).st_mtime_ns

    def _set(self, name: str, kind: int) -> None:
        fcntl.fcntl(self.descriptor, fcntl.F_OFD_SETLK, _lock(name, kind))

    def close(self) -> None:
        """All of them are let go, unless the descriptor was handed down."""
        os.close(self.descriptor)


def is_in_hand(git_dir: Path, name: str) -> bool:
    """Whether anybody has the task in hand."""
    hands = Hands(git_dir)
    try:
        return not hands.is_free(name)
    finally:
        hands.close()


class RunHands:
    """What the store of a run gives out, and what it does not since a person has it in hand."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._hands = Hands(run.here.git.git_dir)
        self._attached: set[str] = set()

    def gives(self, task: Task) -> bool:
        """Whether the task can be given out: no person has it in hand, or had it a moment ago."""
        if not self._hands.take(task.id):
            self._attached.add(task.id)
            self._run.queue.hold(task, queue.ATTACHED)
            return False
        if self._hands.stirred():
            self._run.edits.take_in(now=True)
            return False
        return True

    def look(self, given: set[str]) -> None:
        """Let go of what no worker has any more: all but `given`. What no person has can be given out."""
        self._hands.keep(given)
        free = [name for name in self._attached if self._hands.is_free(name)]
        if free:  # before it was let go, the queue was told what became of it
            self._run.edits.take_in(now=True)
        for name in free:
            self._attached.discard(name)
            if (task := self._run.queue.get(name)) is not None:
                self._run.queue.hold(task, queue.ATTACHED, False)


def _lock(name: str, kind: int) -> bytes:
    place = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 2
    return struct.pack(_FLOCK, kind, os.SEEK_SET, place, 1, 0)
