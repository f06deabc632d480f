"""The Bash scripts: where they are and how they are called."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from orkestra_shim.errors import EX_CONFIG, OrkestraError
from orkestra_shim.home import PACKAGE, Home, scripts_folder
from orkestra_shim.settings import Value


def find(home: Home, name: str) -> Path:
    """The script `AREA/name.sh`. Raises OrkestraError 78 when the installation lacks it."""
    path = scripts_folder(home.root) / name
    if not path.is_file():
        raise OrkestraError(
            EX_CONFIG, f"Orkestra's script {name} is missing in {path.parent}", "install Orkestra anew"
        )
    return path


def environment(home: Home, values: Mapping[str, Value]) -> dict[str, str]:
    """The process environment for a script, with what it needs to find this Python and this home."""
    import sys

    relative = {one.key: one.text for one in values.values() if one.source == "environment"}
    return {
        **os.environ,
        **relative,
        "ORKESTRA_HOME": str(home.folder),
        "ORKESTRA_PYTHON": sys.executable,
        "PYTHONPATH": str(PACKAGE.parent),
        "PYTHONSAFEPATH": "1",
        "PYTHONNOUSERSITE": "1",
    }


def become(home: Home, values: Mapping[str, Value], name: str, arguments: list[str]) -> None:
    """Replaces this process by a script: signals, terminal and exit code are then its own."""
    import sys

    path = find(home, name)
    sys.stdout.flush()
    sys.stderr.flush()
    env = environment(home, values)
    # Not in a project: below Python 3.11 a Python started there would import from it.
    os.chdir(home.folder)
    os.execve(path, [str(path), *arguments], env)


def follow(
    home: Home,
    values: Mapping[str, Value],
    name: str,
    arguments: list[str],
    line: Callable[[str], None],
    error: Callable[[str], None] | None = None,
) -> int:
    """Runs a script in its own process group, gives `line` each line that it prints; its exit code.

    Its stderr is ours, unless `error` takes its lines. INT, TERM and HUP that reach us meanwhile are passed
    on to it, and it is waited for.
    """
    import sys

    import sh

    command = sh.Command(str(find(home, name)))
    with passing_on() as passing:
        running = command(
            *arguments,
            _bg=True,
            _bg_exc=False,
            _new_group=True,
            _tty_out=False,
            _return_cmd=True,
            _truncate_exc=False,
            _no_out=True,
            _out=lambda text: line(text.rstrip("\n")),
            _out_bufsize=1,
            _err=sys.stderr.fileno() if error is None else lambda text: error(text.rstrip("\n")),
            _encoding="utf-8",
            _decode_errors="replace",
            _env=environment(home, values),
            _cwd=str(home.folder),
            _ok_code=list(range(256)),
        )
        passing.to(running.signal)
        try:
            running.wait()
        except sh.SignalException as error:
            return 128 - int(error.exit_code)
    return int(running.exit_code)


class _Passing:
    """Signals on their way to a command: kept until it is there, then handed on one by one."""

    def __init__(self) -> None:
        self._send: Callable[[int], object] | None = None
        self._kept: list[int] = []

    def take(self, number: int, _frame: object) -> None:
        """The handler. What `sh` starts in the background ignores HUP: it gets TERM for that."""
        number = signal.SIGTERM if number == signal.SIGHUP else number
        if self._send is None:
            self._kept.append(number)
        else:
            self._send(number)

    def to(self, send: Callable[[int], object]) -> None:
        """From now on `send` gets them, those that came before first."""
        self._send = send
        for number in self._kept:
            send(number)


@contextlib.contextmanager
def passing_on() -> Iterator[_Passing]:
    """INT, TERM and HUP go to a command instead of ending us; what was ignored (nohup) stays ignored."""
    passing = _Passing()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, passing.take)
    try:
        yield passing
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def capture(
    home: Home, values: Mapping[str, Value], name: str, arguments: list[str], seconds: float
) -> tuple[int, str]:
    """Runs a short script and returns its exit code and what it printed on both channels."""
    import sh

    done = sh.Command(str(find(home, name)))(
        *arguments,
        _new_group=True,
        _tty_out=False,
        _return_cmd=True,
        _truncate_exc=False,
        _err_to_out=True,
        _env=environment(home, values),
        _ok_code=list(range(256)),
        _timeout=seconds,
    )
    return int(done.exit_code), str(done)
