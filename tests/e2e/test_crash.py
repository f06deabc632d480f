"""kill -9 of anything, at any moment, any number of times: nothing is lost, nothing is done twice.

ORKESTRA_CRASH_SEED and ORKESTRA_CRASH_KILLS change what is thrown and how often.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

import crash
from world import World

SEED = int(os.environ.get("ORKESTRA_CRASH_SEED", "20240229"))
KILLS = int(os.environ.get("ORKESTRA_CRASH_KILLS", "200"))


@pytest.fixture
def harness(world: World) -> Iterator[crash.Harness]:
    made = crash.Harness(world, KILLS, SEED, max(100, KILLS // 2))
    yield made
    made.end()


def test_a_queue_is_done_however_often_it_is_killed(
    harness: crash.Harness, capsys: pytest.CaptureFixture[str]
) -> None:
    project = harness.project
    started = time.monotonic()
    try:
        harness.go()
        harness.finish()
    finally:
        with capsys.disabled():
            took = time.monotonic() - started
            print(f"\nORKESTRA_CRASH_SEED={SEED} ORKESTRA_CRASH_KILLS={KILLS}, {took:.0f} s")
            print(harness.report())

    assert sum(harness.stages.values()) >= KILLS
    assert all(harness.stages[stage] >= 10 for stage in crash.STAGES)
    assert all(harness.victims[victim] >= crash.AGENTS for victim in crash.VICTIMS)

    # What a person had in the checkout is there, and one task waits for it.
    harness.edits.check()
    seen = project.statuses()
    kinds = {name: name.split("-")[1] for name in seen}
    expected = {"held": "pending", "hopeless": "failed"}
    assert seen == {name: expected.get(kind, "completed") for name, kind in kinds.items()}
    for name in harness.edits.files:
        if name != "scratch.ignored":
            project.git("add", name)
    project.git("commit", "--quiet", "-m", "a person's")
    harness.finish()

    # Everything is done once, and the checkout is what the branch says.
    harness.books.check()
    held = [name for name, kind in kinds.items() if kind == "held"]
    assert held and all(harness.books.done[name] == "landed" for name in held)
    assert sorted(harness.books.done) == sorted(kinds)
    assert project.git("status", "--porcelain") == ""
    verified = project.verify()
    assert verified.returncode == 0, verified.stdout + verified.stderr
    trailer = "--format=%(trailers:key=Orkestra-Task,valueonly,separator=%x2C)"
    changes = project.git("log", trailer, "--grep", "^orkestra: record", "--invert-grep")
    landed = sorted(line for line in changes.splitlines() if line)
    assert landed == sorted(name for name, decision in harness.books.done.items() if decision == "landed")
    for name in landed:
        assert (project.file(f"src/{name}.txt") or "").startswith(f"{name}.")

    # Nothing that was begun is lost, nothing is left lying about, and Git finds nothing wrong.
    assert len(harness.tokens) > KILLS / 10
    assert harness.lost() == []
    project.git("fsck", "--strict")
    git_dir = project.path / ".git"
    assert not [str(path) for path in git_dir.rglob("*.lock") if path.parent.name != "orkestra"]
    assert not list(git_dir.glob("orkestra-*"))
