"""A person's Git in the middle of a run: nothing is lost, nothing is taken for deleted, the run goes on."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from world import Project, World

TASKS = 10


def _tasks() -> list[dict[str, object]]:
    """Tasks in two chains, so that landings come one after the other all the while."""
    return [
        {
            "id": f"t{at}",
            "command": f"mkdir -p src; echo {at} >>src/t{at}.txt; sleep 0.1",
            **({"depends_on": [f"t{at - 2}"]} if at > 1 else {}),
        }
        for at in range(TASKS)
    ]


class Landings:
    """How many tasks the run has told to have landed."""

    def __init__(self, project: Project) -> None:
        self.file = project.path / "logs" / "execution" / "task-execution.log"

    def number(self) -> int:
        with contextlib.suppress(FileNotFoundError):
            return self.file.read_text().count('"event":"landed"')
        return 0

    def wait(self, number: int, run: subprocess.Popen[str]) -> None:
        end = time.monotonic() + 100
        while self.number() < number and run.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert run.poll() is None, "the run ended before a person could do anything"


def _again(project: Project, *words: str) -> str:
    """A person's command, once more while a landing has the lock on the index: what a person would do."""
    end = time.monotonic() + 30
    while True:
        done = subprocess.run(
            ["git", "-C", str(project.path), "-c", "user.name=A Person", "-c", "user.email=p@e", *words],
            env=project.world.env() | {"GIT_EDITOR": "true"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return done.stdout.strip()
        # `git stash` says nothing of a lock.
        assert "lock" in done.stderr or not done.stderr, (words, done.stderr)
        assert time.monotonic() < end, words
        time.sleep(0.05)


# --- what a person does while the run goes on; each gives what is done once it has ended -------------------

Then = Callable[[], None]


def commits(project: Project) -> Then:
    (project.path / "mine.txt").write_text("mine\n")
    _again(project, "add", "mine.txt")
    _again(project, "commit", "--quiet", "-m", "a person's")

    def then() -> None:
        assert project.file("mine.txt") == "mine\n"

    return then


def amends(project: Project) -> Then:
    (project.path / "mine.txt").write_text("mine\n")
    _again(project, "add", "mine.txt")
    _again(project, "commit", "--quiet", "--amend", "--no-edit")

    def then() -> None:
        assert project.file("mine.txt") == "mine\n"

    return then


def switches(project: Project) -> Then:
    _again(project, "switch", "--quiet", "-c", "mine")
    (project.path / "mine.txt").write_text("mine\n")
    _again(project, "add", "mine.txt")
    _again(project, "commit", "--quiet", "-m", "on a branch of my own")

    def then() -> None:
        # Nothing of what landed has touched this branch's checkout.
        assert _again(project, "branch", "--show-current") == "mine"
        assert _again(project, "status", "--porcelain") == ""
        _again(project, "switch", "--quiet", "main")
        assert not (project.path / "mine.txt").exists()

    return then


def stashes(project: Project) -> Then:
    (project.path / "README.md").write_text("mine, for later\n")
    _again(project, "stash", "--quiet")

    def then() -> None:
        _again(project, "stash", "pop", "--quiet")
        assert (project.path / "README.md").read_text() == "mine, for later\n"
        _again(project, "checkout", "--quiet", "README.md")

    return then


def stashes_the_queue(project: Project) -> Then:
    """A task that was added by hand and is out of sight: it is done all the same."""
    added = project.world.orkestra("task", "add", "Hidden", "--id", "hidden", "--command", "echo h >hidden")
    assert added.returncode == 0, added.stderr
    # The run has read it before it is out of sight.
    log = Landings(project).file
    end = time.monotonic() + 30
    while '"queue-edited"' not in log.read_text():
        assert time.monotonic() < end
        time.sleep(0.01)
    _again(project, "stash", "--quiet")

    def then() -> None:
        assert project.file("hidden") == "h\n"
        assert project.decided()["hidden"] == "landed"

    return then


def reverts(project: Project) -> Then:
    change = next(one["change"]["commit"] for one in project.outcomes() if one["decision"] == "landed")
    path = project.git("diff-tree", "-r", "--no-commit-id", "--name-only", change)
    _again(project, "revert", "--no-edit", change)

    def then() -> None:
        assert project.file(path) is None
        assert "reverted" in project.verify().stdout

    return then


def rebases(project: Project) -> Then:
    for _ in range(100):
        done = subprocess.run(
            ["git", "-C", str(project.path), "rebase", "--quiet", "--force-rebase", "HEAD~4"],
            env=project.world.env() | {"GIT_COMMITTER_NAME": "A Person", "GIT_COMMITTER_EMAIL": "p@e"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            break
        # Something landed meanwhile: the branch is not where the rebase began.
        if (project.path / ".git" / "rebase-merge").exists():
            _again(project, "rebase", "--abort")
    assert done.returncode == 0, done.stderr

    def then() -> None:
        assert "rebased" in project.verify().stdout

    return then


GARBAGE = {
    ("gc", "--quiet", "--prune=now"): "gc is already running",
    ("prune", "--expire=now"): "precious-objects",
    ("repack", "-a", "-d", "-q"): "precious-objects",
}


def collects_garbage(project: Project) -> Then:
    """What no ref reaches yet would go with it, and a change on its way is just that."""
    landings, refused = Landings(project), 0
    while landings.number() < TASKS - 3:
        for words, why in GARBAGE.items():
            done = subprocess.run(
                ["git", "-C", str(project.path), *words],
                env=project.world.env(),
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode != 0 and why in done.stderr, done.stderr
        refused += 1
        # What runs by itself has nothing to say about it.
        project.git("-c", "gc.auto=1", "gc", "--auto", "--quiet")
    assert refused

    def then() -> None:
        assert "precious" not in (project.path / ".git" / "config").read_text()
        for words in GARBAGE:
            project.git(*words)

    return then


def adds_a_worktree(project: Project) -> Then:
    _again(project, "switch", "--quiet", "--detach")
    place = project.world.place / "another tree"
    _again(project, "worktree", "add", "--quiet", str(place), "main")

    def then() -> None:
        said = project.git("-C", str(place), "status", "--porcelain")
        assert said == "" and (place / "src" / f"t{TASKS - 1}.txt").read_text() == f"{TASKS - 1}\n"
        _again(project, "worktree", "remove", str(place))
        _again(project, "switch", "--quiet", "main")

    return then


@pytest.mark.parametrize(
    "action",
    [
        commits,
        amends,
        switches,
        stashes,
        stashes_the_queue,
        reverts,
        rebases,
        collects_garbage,
        adds_a_worktree,
    ],
)
def test_a_person_in_the_middle_of_a_run(world: World, action: Callable[[Project], Then]) -> None:
    project = world.new("person", _tasks())
    run = world.start_in_background("--workers", "2", "--project", str(project.path))
    landings = Landings(project)
    landings.wait(3, run)
    then = action(project)
    output, _ = run.communicate(timeout=150)
    assert run.returncode == 0, output
    verified = project.verify()
    assert verified.returncode == 0, verified.stdout + verified.stderr
    then()
    # Every task is done, once, and no outcome has the number of another.
    assert set(project.decided().values()) == {"landed"}
    assert {f"t{at}" for at in range(TASKS)} <= set(project.decided())
    assert all(status == "completed" for status in project.statuses().values())
    outcomes = project.outcomes()
    assert len(outcomes) == len({one["task"] for one in outcomes}) == len({one["id"] for one in outcomes})
    for at in range(TASKS):
        assert project.file(f"src/t{at}.txt") in (f"{at}\n", None if action is reverts else f"{at}\n")
    assert project.git("status", "--porcelain") == ""
    project.git("fsck", "--strict")
    # Another start finds nothing to do.
    again = project.start()
    assert again.returncode == 0 and project.outcomes() == outcomes, again.stdout + again.stderr


def test_reset_to_before_a_landing_is_a_decision_about_the_branch(world: World) -> None:
    """What was taken away is not completed any more; nothing else is lost, no number is used twice."""
    project = world.new("reset", _tasks())
    run = world.start_in_background("--workers", "2", "--project", str(project.path))
    landings = Landings(project)
    landings.wait(3, run)
    before = project.git("rev-parse", "main~2")
    _again(project, "reset", "--quiet", "--hard", before)
    output, _ = run.communicate(timeout=150)
    assert run.returncode in (0, 1), output
    for _ in range(2):
        again = project.start()
    assert again.returncode == 0, again.stdout + again.stderr
    assert all(status == "completed" for status in project.statuses().values())
    for at in range(TASKS):
        assert project.file(f"src/t{at}.txt") == f"{at}\n"
    log = landings.file.read_text().splitlines()
    told = [json.loads(line) for line in log if '"event":"landed"' in line]
    assert len({one["outcome"] for one in told}) == len(told)
    verified = project.verify()
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert project.git("status", "--porcelain") == ""


def test_a_gc_that_goes_on_is_waited_for_and_a_dead_one_is_not(world: World) -> None:
    project = world.new("gc", [{"id": "a", "command": "echo a >a"}])
    lock = project.path / ".git" / "gc.pid"
    host = Path("/proc/sys/kernel/hostname").read_text().strip()
    # A living process of Git's.
    words = ["git", "-C", str(project.path), "cat-file", "--batch"]
    gc = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    lock.write_text(f"{gc.pid} {host}\n")
    run = world.start_in_background("--project", str(project.path))
    assert run.stdout is not None
    for line in run.stdout:
        if "waiting for git gc" in line:
            break
    assert line.endswith(f"(process {gc.pid})\n") and project.decided() == {}
    gc.communicate()
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 0, output
    assert project.decided() == {"a": "landed"}
    assert not lock.exists()
    # What a killed one left is in nobody's way.
    lock.write_text(f"{gc.pid} {host}\n")
    lock.with_name("gc.pid.lock").touch()
    project.tasks([{"id": "b", "command": "echo b >b"}])
    done = project.start()
    assert done.returncode == 0 and "waiting" not in done.stdout
    assert not lock.exists() and not lock.with_name("gc.pid.lock").exists()
