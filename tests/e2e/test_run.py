"""Ways to run besides `start`: staying for more, from cron, and the scripts called directly."""

from __future__ import annotations

import subprocess

from processes import wait_for
from world import Project, World


def script(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    """SCRIPTS/CORE/orchestrator.sh as a person or cron calls it."""
    return subprocess.run(
        [str(world.root / "SCRIPTS" / "CORE" / "orchestrator.sh"), *arguments],
        cwd="/",
        env=world.env(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def writes(name: str) -> dict[str, object]:
    """A task that lands."""
    return {"id": name, "command": f"echo {name} >{name}"}


def test_stay_takes_what_is_added_later_and_ends_when_told(world: World) -> None:
    project = world.new("staying", [writes("a")])
    run = world.start_in_background("--stay", "--project", str(project.path))
    assert run.stdout is not None
    seen = _read_until(run, "a ", "landed")
    added = world.orkestra("task", "add", "Later", "--id", "later", "--command", "echo l >later")
    assert added.returncode == 0, added.stderr
    seen += _read_until(run, "later", "landed")
    assert world.orkestra("stop", "--project", str(project.path)).returncode == 0
    run.communicate(timeout=60)
    assert run.returncode == 143, seen
    assert project.decided() == {"a": "landed", "later": "landed"}
    assert project.verify().returncode == 0


def test_what_was_decided_without_a_change_is_recorded_when_a_run_that_stays_rests(world: World) -> None:
    fails = {"command": "exit 3", "max_attempts": 1}
    project = world.new(
        "resting",
        [
            {"id": "f1", **fails},
            {"id": "f2", **fails},
            {"id": "same", "command": "true", "allow_empty": True},
        ],
    )
    run = world.start_in_background("--stay", "--project", str(project.path), "--workers", "2")
    decided = {"f1": "failed", "f2": "failed", "same": "answered"}
    wait_for(lambda: project.decided() == decided, "the records")
    assert project.git("status", "--porcelain") == "" and project.verify().returncode == 0
    records = project.git("log", "--format=%H", "main", "--", "logs/outcomes").split()
    assert len(records) <= 2, "they are grouped"
    # What is decided later, or again, is recorded at the next rest.
    edits = project.path / "logs" / "outcomes" / "outcome-004.json"
    edits.write_text("mine")  # in the way of the next record
    assert world.orkestra("task", "retry", "f1", "--project", str(project.path)).returncode == 0
    _read_until(run, "kept for the next time", "outcome-004.json")
    assert len(project.outcomes()) == 3
    edits.unlink()
    added = world.orkestra("task", "add", "x", "--id", "x", "--command", "echo x >x", "--project", "resting")
    assert added.returncode == 0
    wait_for(lambda: project.decided().get("x") == "landed", "the next landing, with what waited")
    assert len(project.outcomes()) == 5
    head = project.git("rev-parse", "main")
    assert world.orkestra("stop", "--project", str(project.path)).returncode == 0
    run.communicate(timeout=60)
    assert run.returncode == 143
    assert project.verify().returncode == 0
    assert project.outcomes()[-1]["task"] in ("x", "f1") and project.git("merge-base", head, "main") == head


def _read_until(run: subprocess.Popen[str], *words: str) -> str:
    """Reads the run's lines up to the one that has all the words."""
    assert run.stdout is not None
    seen = ""
    for line in run.stdout:
        seen += line
        if all(word in line for word in words):
            return seen
    raise AssertionError(seen)


def test_once_is_silent_when_all_is_well_and_says_what_needs_a_person(world: World) -> None:
    project = world.new("nightly", [writes("a")])
    done = script(world, "once", "--project", str(project.path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert project.decided() == {"a": "landed"}
    again = script(world, "once", "--project", str(project.path))
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    project.tasks([{"id": "b", "command": "echo went wrong; exit 4", "max_attempts": 1}])
    failed = script(world, "once", "--project", str(project.path))
    assert failed.returncode == 1
    assert "b failed" in failed.stdout and "went wrong" in failed.stdout


def test_once_leaves_at_once_when_a_run_is_going(world: World) -> None:
    project = _with_a_run(world)
    done = script(world, "once", "--project", str(project.path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def _with_a_run(world: World) -> Project:
    project = world.new("busy", [])
    run = world.start_in_background("--stay", "--project", str(project.path))
    added = world.orkestra("task", "add", "Signal", "--id", "up", "--command", "echo up >up")
    assert added.returncode == 0
    _read_until(run, "up", "landed")
    return project


def test_the_script_gives_the_same_results_as_the_command(world: World) -> None:
    project = world.new("direct", [writes("a")])
    done = script(world, "start", "--project", str(project.path), "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert project.decided() == {"a": "landed"}
    for options in ([], ["--json"], ["--since", "1h"]):
        arguments = ["status", "--project", str(project.path), *options]
        by_script, by_command = script(world, *arguments), world.orkestra(*arguments)
        assert by_script.returncode == by_command.returncode == 0
        assert by_script.stdout == by_command.stdout
    assert script(world, "stop", "--project", str(project.path)).returncode == 0
    lost = script(world, "start", "--project", "no-such-project")
    assert lost.returncode == 78 and "no-such-project" in lost.stderr and len(lost.stderr.splitlines()) <= 2
    assert script(world, "fly").returncode == 64
    assert script(world, "start", "--workers", "x").returncode == 64


def test_only_does_a_task_and_what_it_waits_for(world: World) -> None:
    project = world.new("some", [writes("a"), {**writes("b"), "depends_on": ["a"]}, writes("c")])
    done = project.start("--only", "b")
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.statuses() == {"a": "completed", "b": "completed", "c": "pending"}


def test_a_reader_who_leaves_does_not_end_the_run(world: World) -> None:
    project = world.new("unread", [writes("a"), {**writes("b"), "depends_on": ["a"]}])
    run = world.start_in_background("--project", str(project.path))
    assert run.stdout is not None
    run.stdout.readline()
    run.stdout.close()
    run.wait(timeout=120)
    assert project.decided() == {"a": "landed", "b": "landed"}
    assert run.returncode == 0
