"""What runs, as /proc tells it: the processes of one run, and what is left of it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

BOUND = 60.0  # seconds: for what never comes


def wait_for(event: Callable[[], object], what: str = "") -> None:
    """Returns when `event` gives something true."""
    end = time.monotonic() + BOUND
    while not event():
        assert time.monotonic() < end, f"did not happen: {what or event}"
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """Living children of a process; zombies have ended."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (state := _stat(int(entry))) and state[1] == pid and state[0] != "Z":
            found.append(int(entry))
    return found


def _stat(pid: int) -> tuple[str, int] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    words = text.rpartition(")")[2].split()
    return words[0], int(words[1])


def words(pid: int) -> list[str]:
    """The command line of a process, [] when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")[:-1]
    except OSError:
        return []


def workers(run: int) -> list[int]:
    """The workers of the orchestrator `run`."""
    return [pid for pid in children(run) if any(word.endswith("/worker.sh") for word in words(pid))]


def below(place: Path) -> dict[int, list[str]]:
    """Every living process but this one that has to do with something below `place`.

    It names it in its command line or environment, works in it, or holds a file of it open.
    """
    mark = os.fsencode(place)
    found = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        if mark in _traces(Path("/proc") / entry) and (state := _stat(int(entry))) and state[0] != "Z":
            found[int(entry)] = words(int(entry))
    return found


def _traces(process: Path) -> bytes:
    told = b""
    for name in ("cmdline", "environ"):
        with contextlib.suppress(OSError):
            told += (process / name).read_bytes()
    with contextlib.suppress(OSError):
        for link in (process / "cwd", *(process / "fd").iterdir()):
            with contextlib.suppress(OSError):
                told += os.fsencode(os.readlink(link)) + b"\0"
    return told


def control_groups(makers: set[int]) -> list[Path]:
    """Control groups that one of these processes has made."""
    mount = Path("/sys/fs/cgroup")
    return [one for one in mount.rglob("orkestra-*") if int(one.name.rpartition("-")[2]) in makers]
