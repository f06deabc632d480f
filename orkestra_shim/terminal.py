"""A person's terminal lent to a program: through one of its own, so that nothing in it reaches the person's.

What runs there could push keys into the terminal that it has (TIOCSTI), or keep it when it should have ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import tty
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

_TICK = 1.0  # seconds between two looks for a program that ended while somebody still has its terminal
_CHUNK = 65536


class Gone(Exception):
    """The person's terminal is gone, or we were told to end; `signal` says how."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = number


def lend(command: Sequence[str], env: Mapping[str, str], folder: Path, keep: Sequence[int] = ()) -> int:
    """Runs a program in a terminal of its own, joined to ours, until it ends; its exit code.

    `keep`: descriptors that it holds. TERM and HUP close its terminal; what it then does at its end is
    waited for, and Gone is raised.
    """
    ours, theirs = pty.openpty()
    _fit(ours)
    child = subprocess.Popen(
        list(command),
        env=dict(env),
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        pass_fds=keep,
        start_new_session=True,
        preexec_fn=_own_terminal,
    )
    os.close(theirs)
    gone = 0
    try:
        with _raw(), _signals(ours):
            _copy(ours, child)
    except Gone as told:
        gone = told.signal
    finally:
        os.close(ours)
    code = child.wait()
    if gone:
        raise Gone(gone)
    return 128 - code if code < 0 else code


def _own_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _fit(terminal: int) -> None:
    """As large as the person's."""
    with contextlib.suppress(OSError):
        size = fcntl.ioctl(sys.stdin.fileno(), termios.TIOCGWINSZ, b"\0" * 8)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)


@contextlib.contextmanager
def _raw() -> Iterator[None]:
    """Every key goes through; afterwards the terminal is as it was."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor)
        yield
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _signals(terminal: int) -> Iterator[None]:
    def leave(number: int, _frame: FrameType | None) -> None:
        raise Gone(number)

    def fit(_number: int, _frame: FrameType | None) -> None:
        _fit(terminal)

    handlers = {signal.SIGTERM: leave, signal.SIGHUP: leave, signal.SIGWINCH: fit}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _copy(terminal: int, child: subprocess.Popen[bytes]) -> None:
    person, screen = sys.stdin.fileno(), sys.stdout.fileno()
    wanted = [person, terminal]
    while True:
        ready, _, _ = select.select(wanted, [], [], _TICK)
        if terminal in ready:
            data = _read(terminal)
            if not data:
                return
            _write(screen, data)
        elif child.poll() is not None:
            return
        if person in ready:
            data = _read(person)
            if not data:
                raise Gone(signal.SIGHUP)
            _write(terminal, data)


def _read(descriptor: int) -> bytes:
    """b'' at its end, which a terminal tells by an error."""
    try:
        return os.read(descriptor, _CHUNK)
    except OSError:
        return b""


def _write(descriptor: int, data: bytes) -> None:
    with contextlib.suppress(OSError):  # that side has just ended, which its next reading tells
        while data:
            data = data[os.write(descriptor, data) :]
