"""What a power cut may take, from the system calls of a real run: docs/reliability.md stands on fsync.

A landing is told (`landed` in the execution log) only after everything that it consists of is on the disk:
objects and their names before the branch's new value, that value and its name before the line in the log.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from world import Project, World

CALLS = "fsync,fdatasync,rename,renameat,renameat2,link,linkat,write"
_LINE = re.compile(r"^\d+\s+(?:<\.\.\. )?(\w+)(?:\(| resumed>)(.*)$")
_FD = re.compile(r"^\d+<([^>]*)>")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass
class Call:
    """One system call that succeeded: its name, and the paths in it, absolute as far as strace knows."""

    name: str
    paths: list[str]
    text: str


def calls_of(trace: Path) -> Iterator[Call]:
    """All of a trace (`strace -f -y`), in the order in which they returned."""
    begun: dict[str, str] = {}
    for line in trace.read_text(errors="replace").splitlines():
        pid = line.split(" ", 1)[0]
        if line.endswith("<unfinished ...>"):
            begun[pid] = line.removesuffix("<unfinished ...>")
            continue
        if " resumed>" in line and pid in begun:
            line = begun.pop(pid) + line.partition(" resumed>")[2]
        found = _LINE.match(line)
        if not found or re.search(r"= -1 \w+ \(", line):
            continue
        name, rest = found.groups()
        descriptor = _FD.match(rest)
        if name in ("fsync", "fdatasync", "write"):
            yield Call(name, [_plain(descriptor.group(1))] if descriptor else [], rest)
        else:
            yield Call(name, [_plain(one) for one in _QUOTED.findall(rest)], rest)


def _plain(path: str) -> str:
    """strace writes what is not ASCII as octal bytes."""
    return (
        path.encode("latin-1", "replace")
        .decode("unicode_escape")
        .encode("latin-1")
        .decode("utf-8", "replace")
    )


class Trace:
    """The calls of a run, and questions about their order."""

    def __init__(self, calls: list[Call], git_dir: Path) -> None:
        self.calls, self.git_dir = calls, git_dir

    def last(self, before: int, *names: str, path: Path) -> int:
        """Where one of the calls named path last, before a place; -1 where none did."""
        for at in range(before - 1, -1, -1):
            call = self.calls[at]
            if call.name in names and str(path) in call.paths:
                return at
        return -1

    def last_in(self, before: int, folder: Path) -> int:
        """Where a file of a folder was synced last, before a place; -1 where none was."""
        places = range(before - 1, -1, -1)
        return next((at for at in places if self._syncs_in(self.calls[at], folder)), -1)

    @staticmethod
    def _syncs_in(call: Call, folder: Path) -> bool:
        return call.name in SYNCS and any(Path(path).parent == folder for path in call.paths)

    def landed(self, task: str) -> int:
        """Where the log was told that a task has landed."""
        for at, call in enumerate(self.calls):
            if call.name == "write" and f'\\"event\\":\\"landed\\",\\"task\\":\\"{task}\\"' in call.text:
                return at
        raise AssertionError(f"{task} was never told to have landed")


RENAMES = ("rename", "renameat", "renameat2", "link", "linkat")
SYNCS = ("fsync", "fdatasync")


@pytest.fixture
def traced(world: World, tmp_path: Path) -> tuple[Project, Trace]:
    """A run of three tasks whose system calls were written down."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    if (
        subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode
        != 0
    ):
        pytest.skip("processes cannot be traced here")
    tasks = [{"id": f"t{at}", "command": f"echo {at} >src/f{at}.txt"} for at in range(3)]
    project = world.new("traced", tasks)
    out = tmp_path / "trace"
    words = ["strace", "-f", "-y", "-qq", "-s", "4096", "-e", f"trace={CALLS}", "-e", "signal=none"]
    run = [str(world.root / "bin" / "orkestra"), "start", "--project", str(project.path), "--workers", "1"]
    done = subprocess.run(
        [*words, "-o", str(out), *run],
        env=world.env() | {"ORKESTRA_SANDBOX": "off"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return project, Trace(list(calls_of(out)), project.path / ".git")


def test_a_landing_is_on_the_disk_before_it_is_told(traced: tuple[Project, Trace]) -> None:
    project, trace = traced
    git_dir = trace.git_dir
    branch = git_dir / "refs" / "heads" / "main"
    for outcome in project.outcomes():
        change = outcome["change"]["commit"]
        told = trace.landed(outcome["task"])
        # The branch: the new value is synced, then it gets its name, and that is synced; then it is told.
        moved = trace.last(told, *RENAMES, path=branch)
        assert moved > 0, "the branch was not moved by a rename"
        assert trace.last(moved, *SYNCS, path=branch.with_name("main.lock")) >= 0, (
            "the branch's value was not synced"
        )
        assert moved < trace.last(told, *SYNCS, path=branch.parent), (
            "the branch's name was not synced before it was told"
        )
        # That a landing is under way is known before the files and the branch are touched.
        taken = trace.last(moved, *RENAMES, path=git_dir / "index.lock")
        assert trace.last(moved, *SYNCS, path=git_dir / "orkestra-landing") > taken > 0
        assert trace.last(moved, *SYNCS, path=git_dir) > taken, "the name of the lock was not synced"
        # Every object of the change and of its record: the same, before the branch moves.
        record = project.git("rev-list", "--ancestry-path", f"{change}..main").splitlines()[-1]
        words = ("rev-list", "--objects", "--no-object-names", record, f"^{change}^")
        names = project.git(*words).splitlines()
        assert len(names) > 8
        for name in names:
            place = git_dir / "objects" / name[:2] / name[2:]
            born = trace.last(moved, *RENAMES, path=place)
            assert born >= 0, f"{name} was not there when the branch moved"
            temporary = next(Path(one) for one in trace.calls[born].paths if Path(one) != place)
            # Git writes some in a heap and syncs a file beside them instead, which carries them along.
            heap = next(
                (one for one in temporary.parents if one.name.startswith("tmp_objdir-bulk-fsync")), None
            )
            synced = trace.last_in(born, heap) if heap else trace.last(born, *SYNCS, path=temporary)
            assert synced >= 0, f"{name} was not synced"
            named = trace.last(moved, *SYNCS, path=place.parent)
            assert born < named, f"the name of {name} was not synced before the branch moved"
        # The line that tells it is on the disk before the worker goes on.
        after = [one for one in trace.calls[told + 1 : told + 4] if one.name == "fdatasync"]
        assert any("task-execution.log" in path for one in after for path in one.paths)
        log = project.path / "logs" / "execution"
        assert trace.last(told, *SYNCS, path=log) >= 0, "the name of the log was not synced"
