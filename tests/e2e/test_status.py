"""`orkestra status` beside a run that goes on, and the morning after it; in a clone as well."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from world import Project, World

WAITS = "while [ ! -e go ]; do sleep 0.2; done; rm go; sleep 1.1; echo slow >slow"
FAILS = {"id": "bad", "command": "echo went wrong; exit 4", "max_attempts": 1}


def status(project: Project, *arguments: str) -> dict[str, Any]:
    """`orkestra status --json` of a project."""
    done = project.world.orkestra("status", "--json", "--project", str(project.path), *arguments)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def until_it_works(project: Project) -> dict[str, Any]:
    """The row of `slow` once an agent is at it."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        row: dict[str, Any] = next(one for one in status(project)["tasks"] if one["id"] == "slow")
        if row["state"] == "in_progress" and row["stage"] == "work":
            return row
        time.sleep(0.3)
    raise AssertionError(row)


def test_a_run_beside_it_and_the_morning_after(world: World) -> None:
    project = world.new("night", [{"id": "slow", "command": WAITS}, FAILS])
    run = world.start_in_background("--project", str(project.path), "--workers", "1", "--only", "slow")
    row = until_it_works(project)
    assert row["worker"] == "w1" and row["by"] == "shell" and row["try"] == 1
    assert abs(row["since"] - time.time()) < 60 and row["usual_seconds"] is None
    shown = world.orkestra("status", "--project", "night").stdout
    assert "a run goes on since" in shown and "w1  slow  work since" in shown
    assert "time left unknown: no attempt by shell has ended yet" in shown
    (tree,) = (world.place / "home" / ".cache" / "orkestra").glob("*/w1/tree")
    (tree / "go").touch()
    run.communicate(timeout=120)
    assert run.returncode == 0
    assert project.start("--only", "bad").returncode == 1
    told = status(project, "--since", "1h")
    assert [one["task"] for one in told["landed"]] == ["slow"] and [
        one["task"] for one in told["failed"]
    ] == ["bad"]
    assert told["spent"]["from"] == "execution log" and told["next"]["run"] is None
    lines = world.orkestra("status", "--since", "1h", "--project", "night").stdout.splitlines()
    assert [line[:11].strip() for line in lines[1:]] == ["landed", "failed", "needs you", "spent", "next"]
    assert lines[1].endswith("1: slow") and "went wrong" in lines[2] and "orkestra task retry bad" in lines[5]
    # Nothing of it is later than later.
    after = status(project, "--since", time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 60)))
    assert after["landed"] == after["failed"] == [] and after["spent"]["seconds"] == 0
    assert_a_clone_knows(world, project)
    # What failed and has been done since is no reason to do anything.
    assert (
        world.orkestra("task", "edit", "bad", "--command", "echo >mended", "--project", "night").returncode
        == 0
    )
    assert world.orkestra("task", "retry", "bad", "--project", "night").returncode == 0
    assert project.start("--only", "bad").returncode == 0
    lines = world.orkestra("status", "--since", "1h", "--project", "night").stdout.splitlines()
    assert lines[2].endswith("; now completed)") and "retry bad" not in lines[5], lines


def assert_a_clone_knows(world: World, project: Project) -> None:
    """Without the execution log the records tell."""
    project.git("clone", "--quiet", str(project.path), str(world.place / "clone"))
    told = status(Project(world, Path(world.place / "clone")), "--since", "1h")
    assert [one["task"] for one in told["landed"]] == ["slow"] and [
        one["task"] for one in told["failed"]
    ] == ["bad"]
    assert told["spent"]["from"] == "records" and told["spent"]["seconds"] > 0
    said = world.orkestra("log", "--project", str(world.place / "clone")).stdout
    assert said == "no run of night is logged on this machine; orkestra vote list has the records\n"
