"""Disks that are full, read-only or broken, folders that are gone, locks and owners of others: said clearly.

Each run ends with its own exit code and a line or two; when the cause is gone the next start does the rest.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from processes import below, wait_for, workers
from world import RUN_BOUND, Project, World

CANNOT_WRITE, BAD_DATA, BAD_CONFIGURATION = 73, 65, 78
WORK = [{"id": f"t{at}", "command": f"head -c 30000 /dev/urandom | base64 >src/f{at}.txt"} for at in range(4)]


class Disk:
    """A small disk of its own that can be filled and made read-only."""

    def __init__(self, place: Path, size: int) -> None:
        """size: KiB"""
        self.place = place
        place.mkdir(parents=True, exist_ok=True)
        words = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "orkestra-test", str(place)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"a disk cannot be mounted here: {done.stderr.strip()}")

    def fill(self, left: int) -> None:
        """All but `left` KiB are taken, whatever others write meanwhile."""
        there = os.statvfs(self.place)
        size = there.f_bavail * there.f_frsize - left * 1024 if left else 1 << 40
        with open(self.place / "filler", "wb", buffering=0) as file, contextlib.suppress(OSError):
            while size > 0:
                size -= file.write(bytes(min(size, 4096)))

    def empty(self) -> None:
        """There is room again."""
        (self.place / "filler").unlink()

    def mount(self, mode: str) -> None:
        """ro or rw"""
        subprocess.run(["mount", "-o", f"remount,{mode}", str(self.place)], check=True)


@contextlib.contextmanager
def disk_at(place: Path, size: int) -> Iterator[Disk]:
    """A disk of so many KiB, as long as it is needed."""
    made = Disk(place, size)
    try:
        yield made
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def disk(world: World) -> Iterator[Disk]:
    """12 MiB."""
    with disk_at(world.place / "a small disk", 12 * 1024) as made:
        yield made


def said_well(done: subprocess.CompletedProcess[str], code: int, words: str, lines: int = 2) -> None:
    """Its exit code; words that a person can use, nothing else, and what to do: so many lines at most."""
    print(f"exit {done.returncode}\n{done.stdout}{done.stderr}")
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    told = done.stderr.splitlines()
    assert told and re.search(words, done.stderr), done.stderr
    assert all(line.startswith(("orkestra: ", "  ")) for line in told), done.stderr
    assert not re.search(r"Traceback|: line \d+", done.stdout + done.stderr), done
    assert len(told) <= lines, done.stderr
    assert any(line.startswith("  ") for line in told), "nothing says what to do"


def then_all_is_done(project: Project, tasks: list[dict[str, str]] = WORK) -> None:
    """The cause is gone: the next start does the rest, once."""
    done = project.start()
    assert done.returncode == 0, done.stdout + done.stderr
    names = sorted(outcome["task"] for outcome in project.outcomes())
    assert names == sorted(task["id"] for task in tasks), "a task has no outcome, or two"
    assert set(project.decided().values()) == {"landed"}
    assert project.git("status", "--porcelain") == ""
    verified = project.verify()
    assert verified.returncode == 0, verified.stdout
    assert not list((project.path / ".git").glob("*.lock"))
    project.git("fsck", "--strict")
    assert below(project.world.place) == {}


@pytest.mark.parametrize("left", [0, 100, 260])
def test_the_projects_disk_is_full(world: World, disk: Disk, left: int) -> None:
    project = _project_there(world, disk)
    disk.fill(left)
    done = project.start("--workers", "2")
    disk.empty()
    # Two workers and the end of the run may each meet the full disk in another place.
    said_well(done, CANNOT_WRITE, "cannot (be written into|write) /", 6)
    then_all_is_done(project)


@pytest.mark.parametrize("left", [0, 500])
def test_the_workspaces_disk_is_full(world: World, left: int) -> None:
    project = world.new("there", WORK)
    with disk_at(world.place / "home" / ".cache" / "orkestra", 4 * 1024) as disk:
        disk.fill(left)
        done = project.start("--workers", "2")
        disk.empty()
        said_well(done, CANNOT_WRITE, "cannot (be written into|write) /", 4)
        for task, decision in project.decided().items():
            assert decision != "landed" or project.file(f"src/f{task[1:]}.txt")
        then_all_is_done(project)


def test_the_runtimes_disk_is_full(world: World) -> None:
    project = world.new("there", WORK)
    with disk_at(world.home / "CONFIG" / "RUNTIME", 1024) as disk:
        disk.fill(0)
        said_well(project.start(), CANNOT_WRITE, "cannot write .*RUNTIME")
        disk.empty()
        then_all_is_done(project)


def test_the_logs_disk_is_full(world: World) -> None:
    project = world.new("there", WORK)
    with disk_at(world.home / "LOGS", 64) as disk:
        disk.fill(0)
        said_well(project.start("--workers", "1"), CANNOT_WRITE, "cannot write .*LOGS")
        disk.empty()
        then_all_is_done(project)


def test_the_projects_disk_is_read_only(world: World, disk: Disk) -> None:
    project = _project_there(world, disk)
    disk.mount("ro")
    done = project.start()
    disk.mount("rw")
    said_well(done, CANNOT_WRITE, "cannot write")
    then_all_is_done(project)


@pytest.mark.parametrize("folder", [".git/objects", "logs/execution", "RUNTIME", "LOGS", "workspaces"])
def test_a_folder_is_read_only(world: World, folder: str) -> None:
    project = world.new("there", WORK)
    assert project.start("--only", "t0").returncode == 0
    others = {
        "RUNTIME": world.home / "CONFIG" / "RUNTIME",
        "LOGS": world.home / "LOGS",
        "workspaces": world.place / "home" / ".cache" / "orkestra",
    }
    place = others.get(folder, project.path / folder)
    subprocess.run(["mount", "--bind", str(place), str(place)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(place)], check=True)
        done = project.start()
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
    said_well(done, CANNOT_WRITE, f"cannot (be written into|write) {re.escape(str(place))}", 4)
    then_all_is_done(project)


def test_the_projects_disk_fills_up_in_the_middle_of_a_run(world: World, disk: Disk) -> None:
    project = _project_there(world, disk)
    run = world.start_in_background("--project", str(project.path), "--workers", "2", errors=True)
    assert run.stdout is not None
    for line in run.stdout:
        if " landed as " in line:
            break
    disk.fill(0)
    out, errors = run.communicate(timeout=RUN_BOUND)
    disk.empty()
    # Two workers, the store and the end of the run may each meet the full disk in another place.
    said_well(subprocess.CompletedProcess([], run.returncode, out, errors), CANNOT_WRITE, "cannot", 8)
    then_all_is_done(project)


def test_an_index_lock_that_is_left_behind(world: World) -> None:
    project = world.new("there", WORK[:1])
    lock = project.path / ".git" / "index.lock"
    shutil.copy(project.path / ".git" / "index", lock)
    done = project.start("--workers", "1")
    assert done.returncode == 1 and "index.lock" in done.stdout, done
    assert lock.exists() and project.outcomes() == []
    lock.unlink()
    again = project.start()
    assert again.returncode == 0, again.stdout + again.stderr
    # What waited is landed as it was, without doing it again.
    assert (done.stdout + again.stdout).count("given to shell") == 1
    assert [outcome["decision"] for outcome in project.outcomes()] == ["landed"]
    assert project.git("status", "--porcelain") == "" and project.verify().returncode == 0


@pytest.mark.parametrize("name", [".git", ".git/objects", "config", "config/task-queue.json"])
def test_something_of_a_project_is_gone(world: World, name: str) -> None:
    project = world.new("there", WORK)
    away = project.path.with_name("away")
    (project.path / name).rename(away)
    done = project.start()
    said_well(done, BAD_DATA, "is not the top folder|not a git repository|is missing")
    assert not (project.path / name).exists(), "it was made anew"
    away.rename(project.path / name)
    then_all_is_done(project)


def test_folders_that_a_run_makes_itself(world: World) -> None:
    project = world.new("there", WORK)
    shutil.rmtree(project.path / "logs" / "execution", ignore_errors=True)
    shutil.rmtree(world.home / "CONFIG" / "RUNTIME", ignore_errors=True)
    shutil.rmtree(world.home / "LOGS", ignore_errors=True)
    then_all_is_done(project)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_a_git_folder_of_another_owner(world: World) -> None:
    project = world.new("there", WORK)
    subprocess.run(["chown", "-R", "12345:12345", str(project.path / ".git")], check=True)
    done = project.start()
    said_well(done, BAD_CONFIGURATION, "belongs to another user")
    assert project.verify().returncode == BAD_CONFIGURATION
    subprocess.run(["chown", "-R", "0:0", str(project.path / ".git")], check=True)
    then_all_is_done(project)


def _project_there(world: World, disk: Disk) -> Project:
    world.environment["ORKESTRA_PROJECTS"] = str(disk.place)
    made = world.orkestra("new", "small")
    assert made.returncode == 0, made.stderr
    project = Project(world, disk.place / "small")
    project.tasks(WORK)
    return project


# --- a broken disk, a clock that is set, a pipe that nobody reads --------------------------------


@pytest.fixture(scope="session")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """faults.c, for LD_PRELOAD. It does not reach agents and checks: their environment is empty."""
    library = tmp_path_factory.mktemp("faults") / "faults.so"
    source = Path(__file__).with_name("faults.c")
    subprocess.run(["gcc", "-Wall", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    return library


@contextlib.contextmanager
def injected(world: World, faults: Path, **what: str) -> Iterator[Path]:
    """What is started meanwhile meets the fault; gives the file that tells of each time it did."""
    hits = world.place / "hits"
    before = dict(world.environment)
    world.environment |= {"LD_PRELOAD": str(faults), "FAULT_HITS": str(hits)}
    world.environment |= {f"FAULT_{name.upper()}": value for name, value in what.items()}
    try:
        yield hits
    finally:
        world.environment = before


@pytest.mark.parametrize(
    ("call", "program", "path"),
    [
        # the store: its log, the objects of a record, the checkpoint of the queue
        ("write", "python", "logs/execution/task-execution.log"),
        ("sync", "python", "logs/execution/task-execution.log"),
        ("sync", "python", ".git/objects/tmp_obj_"),
        ("rename", "python", "config/task-queue.json"),
        # the landing: our ref, the lock, the index, a file of the checkout, the branch
        ("write", "git", "refs/orkestra/landing.lock"),
        ("sync", "sync", ".git/orkestra-landing"),
        ("write", "git", ".git/orkestra-index.lock"),
        ("write", "git", "small/src/f"),
        ("sync", "git", "refs/heads/main.lock"),
        ("rename", "git", "refs/heads/main"),
        ("rename", "mv", ".git/index"),
    ],
)
def test_a_broken_disk(world: World, faults: Path, call: str, program: str, path: str) -> None:
    project = world.new("small", WORK[:2])
    with injected(world, faults, call=call, program=program, path=path, errno=str(errno.EIO)) as hits:
        done = project.start("--workers", "1")
    assert hits.exists(), "the fault was not met"
    said_well(done, CANNOT_WRITE, "(cannot|Cannot).*(/|main)", 4)
    then_all_is_done(project, WORK[:2])


def test_a_clock_that_jumps(world: World, faults: Path) -> None:
    """Two hours back while an agent works, then three forwards; at the next start it is a day earlier."""
    tasks = [
        {"id": "first", "command": "touch part; until test -e go; do sleep 0.1; done; rm part go; echo 1 >a"},
        {"id": "second", "command": 'test "$ORKESTRA_TRY" != 1 && echo 2 >b'},
        {"id": "third", "command": "echo 3 >c", "depends_on": ["first", "second"]},
    ]
    project = world.new("there", tasks[:3], retry_delay=1)
    clock = world.place / "clock"
    clock.write_text("0")
    with injected(world, faults, clock=str(clock)):
        run = world.start_in_background("--project", str(project.path), "--workers", "2", errors=True)
        trees = world.place / "home" / ".cache" / "orkestra"
        wait_for(lambda: list(trees.glob("*/w*/tree/part")), "the agent works")
        clock.write_text("-7200")
        wait_for(lambda: project.decided().get("second"), "the second task is done")
        clock.write_text("10800")
        (next(trees.glob("*/w*/tree/part")).parent / "go").touch()
        out, errors = run.communicate(timeout=RUN_BOUND)
        assert run.returncode == 0, out + errors
        assert errors == ""
        assert project.decided() == dict.fromkeys(("first", "second", "third"), "landed")
        clock.write_text("-86400")
        project.tasks([*tasks, {"id": "fourth", "command": "echo 4 >d"}])
        status = world.orkestra("status", "--project", str(project.path))
        assert status.returncode == 0 and "Traceback" not in status.stderr, status
        then_all_is_done(project, [*tasks, {"id": "fourth"}])
    for line in (project.path / "logs/execution/task-execution.log").read_text().splitlines():
        assert json.loads(line).get("seconds", 0) >= 0, line


def test_a_reader_that_reads_late(world: World) -> None:
    """The run waits for it, as any program does, and goes on then."""
    project = world.new("there", WORK[:2])
    ours, theirs = os.pipe()
    size = fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)
    os.write(theirs, b"x" * size)
    words = [str(world.root / "SCRIPTS/CORE/orchestrator.sh"), "start", "--project", str(project.path)]
    with (world.place / "errors").open("w+") as errors, os.fdopen(ours, "rb") as reader:
        run = subprocess.Popen(words, env=world.env(), stdin=subprocess.DEVNULL, stdout=theirs, stderr=errors)
        os.close(theirs)
        try:
            wait_for(lambda: workers(run.pid), "its workers began")
            assert run.poll() is None and project.outcomes() == []
            told = reader.read()[size:].decode()
            assert run.wait(RUN_BOUND) == 0
        finally:
            run.kill()
        errors.seek(0)
        assert errors.read() == ""
    assert told.count(" landed as ") == 2
    then_all_is_done(project, WORK[:2])


def test_a_reader_that_leaves(world: World) -> None:
    project = world.new("there", WORK[:2])
    run = world.start_in_background("--project", str(project.path), errors=True)
    assert run.stdout is not None
    run.stdout.close()
    assert run.stderr is not None
    assert run.stderr.read() == "" and run.wait(RUN_BOUND) == 0
    then_all_is_done(project, WORK[:2])


def test_an_agent_that_does_not_read_its_prompt(world: World) -> None:
    task = {"id": "deaf", "command": "exec <&-; echo done >src/deaf", "description": "x" * 300_000}
    project = world.new("there", [task])
    then_all_is_done(project, [task])
