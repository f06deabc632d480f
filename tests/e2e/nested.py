"""The processes of a run, seen from outside: which there are, and stopping, continuing and killing them.

Only descendants of a nest (nest.py), and so of a run that the test itself started, are ever touched.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

NEST = Path(__file__).with_name("nest.py")
UNBORN = 2.0  # seconds in which a sandbox has begun, or never will


def children(pid: int) -> list[int]:
    """The children of a process, in the order in which they were born; none when it is gone."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                found += map(int, file.read().split())
    return found


def descendants(pid: int) -> list[int]:
    """All that a process has started and that still lives, parents before children."""
    found = children(pid)
    for one in found:  # grows while it is walked
        found += children(one)
    return found


def command(pid: int) -> list[str]:
    """The command line of a process; empty when it is gone or a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")[:-1]
    except OSError:
        return []


def name(pid: int) -> str:
    """The short name of a process, '' when it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def state(pid: int) -> str:
    """Its state letter (R, S, T, Z ...), '' when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return ""


def described(pid: int) -> str:
    """What a developer wants to know of a process that should not be there."""
    place = Path(f"/proc/{pid}")
    try:
        fields = (place / "stat").read_text().rsplit(")", 1)[1].split()
        waits = (place / "wchan").read_text()
        open_files = [str(fd.readlink()) for fd in (place / "fd").iterdir()]
    except OSError as error:
        return f"{pid}: {error}"
    return f"{pid} (parent {fields[1]}, {fields[0]} in {waits}): {' '.join(command(pid))}; open: {open_files}"


def send(pids: Iterable[int], number: int) -> None:
    """A signal to each of them; those that have ended need none."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def halt(*roots: int) -> list[int]:
    """Stops processes and all below them, and waits until they stand still. Gives what was stopped."""
    stopped: list[int] = []
    todo = list(roots)
    for pid in todo:  # grows: a process that was just being born is found at its stopped parent
        send([pid], signal.SIGSTOP)
        stopped.append(pid)
        _wait_still(pid)
        todo += children(pid)
    return stopped


def _wait_still(pid: int) -> None:
    for _ in range(20000):
        if state(pid) in ("T", "Z", "X", "t", ""):
            return
        time.sleep(0.0005)


def go_on(pids: Iterable[int]) -> None:
    """Lets what was stopped continue."""
    send(pids, signal.SIGCONT)


class Nest:
    """One start of the orchestrator, and everything that comes of it."""

    def __init__(self, place: Path, command: list[str], env: dict[str, str]) -> None:
        """place: a folder for the run's output and status."""
        self.status_file = place / "status"
        self.output_file = place / "output"
        self.status_file.unlink(missing_ok=True)
        with open(self.output_file, "ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(NEST), str(self.status_file), *command],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
            )
        self._top = 0

    @property
    def orchestrator(self) -> int:
        """The process that was started; 0 when it is gone."""
        if self._top == 0:
            end = time.monotonic() + 5
            while not self._top and self.process.poll() is None and time.monotonic() < end:
                self._top = next(iter(children(self.process.pid)), 0)
        return self._top if self.status() is None else 0

    def status(self) -> int | None:
        """The orchestrator's exit code (minus the signal that killed it), None while it lives."""
        try:
            return os.waitstatus_to_exitcode(int(self.status_file.read_text()))
        except (OSError, ValueError):
            return None

    def everything(self) -> list[int]:
        """Every process of the run."""
        return descendants(self.process.pid)

    def below(self, script: str) -> Iterator[int]:
        """Direct children of the orchestrator that run a program of that name."""
        if top := self.orchestrator:
            for pid in children(top):
                if any(word.endswith(script) for word in command(pid)):
                    yield pid

    def gone_within(self, seconds: float, stop: Callable[[], object] = int) -> bool:
        """Waits until nothing of the run is left; False when something still is after that time.

        `stop`: `orkestra stop`, for sandboxes that were being made when their bubblewrap was killed: these
        wait for ever, and nothing in them has begun (leftovers.bash).
        """
        end, unborn_since = time.monotonic() + seconds, 0.0
        while time.monotonic() < end:
            self.go_on()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.05)
                return True
            if not self._unborn():
                unborn_since = 0.0
            elif not unborn_since:
                unborn_since = time.monotonic()
            elif time.monotonic() > unborn_since + UNBORN:
                stop()
                unborn_since = 0.0
        return False

    def _unborn(self) -> bool:
        left = self.everything()
        return bool(left) and all(name(pid) == "bwrap" and not children(pid) for pid in left)

    def go_on(self) -> None:
        """Nothing of it stands still any more."""
        go_on(pid for pid in self.everything() if state(pid) == "T")

    def end(self) -> None:
        """Kills whatever is left (after a failed test)."""
        while self.process.poll() is None:
            send(self.everything(), signal.SIGKILL)
            time.sleep(0.02)
