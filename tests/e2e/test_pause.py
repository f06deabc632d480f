"""pause, resume and --until, as a person uses them."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime, timedelta

import pytest

from test_run import _read_until, script, writes
from world import Project, World


def said(world: World, *arguments: str) -> str:
    """What a command that succeeds prints."""
    done = world.orkestra(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_paused_project_begins_nothing_and_a_running_one_finishes_what_it_has(world: World) -> None:
    project = world.new("p", [{**writes("a"), "check": "true"}, writes("b")])
    assert said(world, "pause") == "p: paused: the project\n"
    assert said(world, "pause") == "p: already paused: the project\n"
    done = project.start()
    assert (
        done.returncode == 1 and "the project p is paused" in done.stderr and "orkestra resume" in done.stderr
    )
    assert project.outcomes() == []
    silent = script(world, "once", "--project", str(project.path))
    assert (silent.returncode, silent.stdout, silent.stderr) == (0, "", "")
    assert "paused: the project" in said(world, "status")
    assert json.loads(said(world, "status", "--json"))["paused"]["everything"] is True
    assert said(world, "resume") == "p: nothing is paused\n"
    assert project.start().returncode == 0
    assert project.decided() == {"a": "landed", "b": "landed"}


def test_a_pause_in_the_middle_of_a_run_holds_until_resume(world: World) -> None:
    project = world.new(
        "p", [{"id": "a", "command": "echo a >a; sleep 3"}, {**writes("b"), "depends_on": ["a"]}]
    )
    run = world.start_in_background("--project", str(project.path))
    _read_until(run, "a ", "given to shell")
    said(world, "pause")
    _read_until(run, "a ", "landed")
    with pytest.raises(subprocess.TimeoutExpired):
        run.wait(timeout=3)
    assert project.decided() == {"a": "landed"}
    said(world, "resume")
    _read_until(run, "b ", "landed")
    assert run.wait(timeout=60) == 0


def test_a_pause_outlives_the_run_that_was_killed_in_it(world: World) -> None:
    project = world.new("p", [{"id": "a", "command": "sleep 600"}])
    run = world.start_in_background("--project", str(project.path))
    _read_until(run, "a ", "given to shell")
    said(world, "pause")
    run.kill()
    run.wait()
    done = project.start()
    assert done.returncode == 1 and "the project p is paused" in done.stderr, done.stdout + done.stderr
    assert project.outcomes() == []
    project.tasks([writes("a")])
    said(world, "resume")
    assert project.start().returncode == 0 and project.decided() == {"a": "landed"}


def test_a_paused_task_or_agent_is_left_and_said(world: World) -> None:
    project = world.new("p", [writes("a"), writes("b")])
    said(world, "pause", "--task", "b")
    done = project.start()
    assert done.returncode == 0 and "paused: the task b (orkestra resume)" in done.stdout
    assert project.statuses() == {"a": "completed", "b": "pending"}
    said(world, "resume", "--task", "b")
    said(world, "pause", "--agent", "shell")
    done = project.start()
    assert done.returncode == 0 and "paused: the agent shell" in done.stdout
    assert said(world, "resume") == "p: nothing is paused\n"
    assert project.start().returncode == 0
    assert project.statuses() == {"a": "completed", "b": "completed"}


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["pause", "--agent", "shel"], "there is no agent 'shel'"),
        (["resume", "--agent", ""], "there is no agent ''"),
        (["pause", "--task", "bb"], "has no task 'bb'"),
        (["pause", "--task", "$(id)"], "has no task"),
        (["pause", "--task", "b", "--agent", "shell"], "two pauses"),
    ],
)
def test_what_cannot_be_paused(world: World, arguments: list[str], word: str) -> None:
    project = world.new("p", [writes("b")])
    done = world.orkestra(*arguments)
    assert done.returncode == 64 and word in done.stderr and len(done.stderr.splitlines()) <= 2
    assert not (project.path / ".git/orkestra/paused.json").exists()


def test_until_a_time_that_comes_while_a_task_is_under_way(world: World) -> None:
    project = world.new(
        "p", [{"id": "a", "command": "echo a >a; sleep 8"}, {**writes("b"), "depends_on": ["a"]}]
    )
    soon = (datetime.utcnow() + timedelta(seconds=5)).isoformat(timespec="seconds")
    done = project.start("--until", soon)
    assert done.returncode == 0, done.stderr
    assert "the time is up" in done.stdout and "1 task left" in done.stdout
    assert project.decided() == {"a": "landed"}
    wrong = project.start("--until", "soon")
    assert wrong.returncode == 64 and "07:00" in wrong.stderr
    assert project.start("--until", "23:59" if datetime.utcnow().hour < 23 else "12:00").returncode == 0
    assert project.decided() == {"a": "landed", "b": "landed"}


def test_what_is_blocked_is_said_at_the_end_and_listed(world: World) -> None:
    tasks = [{"id": "a", "command": "exit 3", "max_attempts": 1}, {**writes("b"), "depends_on": ["a"]}]
    project: Project = world.new("p", tasks)
    done = project.start()
    assert done.returncode == 1 and "blocked: b (behind a, which is failed)" in done.stdout
    assert "(blocked by a)" in said(world, "task", "list")
