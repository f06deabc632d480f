"""Full and read-only disks, folders that are gone, locks and owners of others: said clearly, nothing lost.

Each run ends with its own exit code and a line or two; when the cause is gone the next start does the rest.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from processes import below
from world import Project, World

CANNOT_WRITE, MISSING, BAD_DATA = 73, 69, 65
WORK = [{"id": f"t{at}", "command": f"head -c 30000 /dev/urandom | base64 >src/f{at}.txt"} for at in range(6)]


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
        """All but `left` KiB are taken."""
        there = os.statvfs(self.place)
        size = there.f_bavail * there.f_frsize - left * 1024
        with open(self.place / "filler", "wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, size))

    def empty(self) -> None:
        """There is room again."""
        (self.place / "filler").unlink()

    def mount(self, mode: str) -> None:
        """ro or rw"""
        subprocess.run(["mount", "-o", f"remount,{mode}", str(self.place)], check=True)


@pytest.fixture
def disk(world: World) -> Iterator[Disk]:
    """12 MiB."""
    made = Disk(world.place / "a small disk", 12 * 1024)
    yield made
    subprocess.run(["umount", "--lazy", str(made.place)], check=True)


def said_well(done: subprocess.CompletedProcess[str], *codes: int) -> None:
    """Its exit code, and words that a person can use."""
    told = done.stdout + done.stderr
    assert done.returncode in codes, (done.returncode, told)
    # Bash says so itself, with a line number, wherever one of its own words meets a full disk.
    told = re.sub(r".*line \d+: \w+: write error: No space left on device\n", "", told)
    assert not re.search(r"Traceback|\.(?:sh|bash|py)(?:: line|\", line)", told), told
    assert re.search(
        r"space|cannot|read-only|Read-only|No such|missing|busy|owner|there is no|not a git", told
    ), told


def then_all_is_done(project: Project) -> None:
    """The cause is gone: the next start does the rest, once."""
    done = project.start()
    assert done.returncode == 0, done.stdout + done.stderr
    names = sorted(outcome["task"] for outcome in project.outcomes())
    assert names == sorted(task["id"] for task in WORK), "a task has no outcome, or two"
    assert set(project.decided().values()) == {"landed"}
    assert project.git("status", "--porcelain") == ""
    verified = project.verify()
    assert verified.returncode == 0, verified.stdout
    assert not list((project.path / ".git").glob("*.lock"))
    project.git("fsck", "--strict")
    assert below(project.world.place) == {}


@pytest.mark.parametrize("left", [0, 90, 160, 260])
def test_the_projects_disk_is_full(world: World, disk: Disk, left: int) -> None:
    project = _project_there(world, disk)
    disk.fill(left)
    done = project.start("--workers", "2")
    disk.empty()
    said_well(done, CANNOT_WRITE)
    then_all_is_done(project)


@pytest.mark.parametrize("left", [0, 500])
def test_the_workspaces_disk_is_full(world: World, left: int) -> None:
    project = world.new("there", WORK)
    disk = Disk(world.place / "home" / ".cache" / "orkestra", 4 * 1024)
    try:
        disk.fill(left)
        done = project.start("--workers", "2")
        disk.empty()
        said_well(done, CANNOT_WRITE, 1)
        for task, decision in project.decided().items():
            assert decision != "landed" or project.file(f"src/f{task[1:]}.txt")
        for name, status in project.statuses().items():
            if status == "failed":
                again = world.orkestra("task", "retry", name, "--project", str(project.path))
                assert again.returncode == 0, again.stderr
        done = project.start()
        assert done.returncode == 0, done.stdout + done.stderr
        assert set(project.decided().values()) == {"landed"} and project.verify().returncode == 0
    finally:
        subprocess.run(["umount", "--lazy", str(disk.place)], check=True)


def test_the_runtimes_disk_is_full(world: World) -> None:
    project = world.new("there", WORK)
    disk = Disk(world.home / "CONFIG" / "RUNTIME", 1024)
    try:
        disk.fill(0)
        said_well(project.start(), CANNOT_WRITE)
        disk.empty()
        then_all_is_done(project)
    finally:
        subprocess.run(["umount", "--lazy", str(disk.place)], check=True)


def test_the_projects_disk_is_read_only(world: World, disk: Disk) -> None:
    project = _project_there(world, disk)
    disk.mount("ro")
    done = project.start()
    disk.mount("rw")
    said_well(done, CANNOT_WRITE)
    then_all_is_done(project)


def test_the_projects_disk_fills_up_in_the_middle_of_a_run(world: World, disk: Disk) -> None:
    project = _project_there(world, disk)
    run = world.start_in_background("--project", str(project.path), "--workers", "2")
    assert run.stdout is not None
    told = ""
    for line in run.stdout:
        told += line
        if " landed as " in line:
            break
    disk.fill(0)
    told += run.stdout.read()
    code = run.wait(60)
    disk.empty()
    said_well(subprocess.CompletedProcess([], code, told, ""), CANNOT_WRITE)
    then_all_is_done(project)


def test_an_index_lock_that_is_left_behind(world: World) -> None:
    project = world.new("there", WORK[:2])
    lock = project.path / ".git" / "index.lock"
    shutil.copy(project.path / ".git" / "index", lock)
    done = project.start("--workers", "1")
    assert "index.lock" in done.stdout + done.stderr, done
    assert lock.exists() and project.outcomes() == [] and done.returncode != 0
    lock.unlink()
    done = project.start()
    assert done.returncode == 0, done.stdout + done.stderr
    # What waited is landed as it was, without doing it again.
    assert [outcome["attempt"] for outcome in project.outcomes()] == [1, 1]
    assert project.git("status", "--porcelain") == "" and project.verify().returncode == 0


def test_a_folder_that_is_gone(world: World) -> None:
    project = world.new("there", WORK)
    away = project.path.with_name("away")
    for name in (".git", ".git/objects", "config"):
        (project.path / name).rename(away)
        done = project.start()
        said_well(done, BAD_DATA, MISSING, 78, 64)
        shutil.rmtree(project.path / name, ignore_errors=True)
        away.rename(project.path / name)
    shutil.rmtree(project.path / "logs")
    project.git("checkout", "logs")
    then_all_is_done(project)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_a_git_folder_of_another_owner(world: World) -> None:
    project = world.new("there", WORK)
    for path in [project.path / ".git", *(project.path / ".git").rglob("*")]:
        os.chown(path, 12345, 12345)
    done = project.start()
    if done.returncode != 0:
        said_well(done, BAD_DATA, CANNOT_WRITE, MISSING, 78)
        for path in [project.path / ".git", *(project.path / ".git").rglob("*")]:
            os.chown(path, 0, 0)
    else:
        subprocess.run(["chown", "-R", "0:0", str(project.path / ".git")], check=True)
    then_all_is_done(project)


def _project_there(world: World, disk: Disk) -> Project:
    world.environment["ORKESTRA_PROJECTS"] = str(disk.place)
    made = world.orkestra("new", "small")
    assert made.returncode == 0, made.stderr
    project = Project(world, disk.place / "small")
    project.tasks(WORK)
    return project
