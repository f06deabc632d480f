"""What every --json prints is valid by its schema, which describes every key of it."""

from __future__ import annotations

import json
import os
import subprocess
import time
from typing import Any

from described import problems
from world import Project, World

CRONTAB = """#!/bin/sh
case $1 in
  -l) cat "$HOME/crontab" 2>/dev/null || { echo 'no crontab for x' >&2; exit 1; } ;;
  -) cat >"$HOME/crontab" ;;
esac
"""
TOOL = """#!/bin/sh
case $1 in
  describe) echo '{"name": "mine", "family": "mine", "kind": "ai", "can": ["work", "ballot"]}' ;;
  probe) printf 'binary\\t/bin/sh\\n' ;;
  work) mkdir -p tests && echo >tests/x; echo '{"text": "done"}' >"$ORKESTRA_ATTEMPT_DIR/result.json" ;;
  ballot)
    printf '{"ballot": {"choice": "approve", "reason": "fine", "confidence": 80}}' \\
      >"$ORKESTRA_ATTEMPT_DIR/result.json"
    ;;
esac
"""
FINDS = """echo 1 >one
echo '{"tasks": [{"title": "Found on the way"}]}' >"$ORKESTRA_ATTEMPT_DIR/follow-ups.json"
"""
WAITS = "while [ ! -e go ]; do sleep 0.2; done; rm go; echo slow >slow"
READING = {
    "list": "list", "status": "status", "status-since": "status --since 8h", "task-list": "task list",
    "agents-list": "agents list", "agents-probe": "agents probe", "vote-list": "vote list",
    "config": "config", "cron-show": "cron show", "doctor": "doctor", "verify": "verify", "report": "report",
}  # fmt: skip


class Held:
    """Holds the output of commands against what `orkestra schema` prints."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.schemas: dict[str, Any] = {}

    def told(self, name: str, command: str, code: int = 0) -> Any:
        """What a command prints, which is as its schema says."""
        if name not in self.schemas:
            self.schemas[name] = json.loads(self.world.orkestra("schema", name).stdout)
        done = self.world.orkestra(*command.split(), "--json")
        assert done.returncode == code, done.stdout + done.stderr
        told = json.loads(done.stdout)
        assert problems(self.schemas[name], told) == [], name
        return told

    def all(self) -> dict[str, Any]:
        """Every command that needs no name."""
        return {name: self.told(name, command) for name, command in READING.items()}


def until_it_works(held: Held) -> dict[str, Any]:
    """What status says of the task that waits, once its agent is at it."""
    end = time.monotonic() + 60 * int(os.environ.get("ORKESTRA_TEST_PATIENCE", "1"))
    while time.monotonic() < end:
        told = held.told("status", "status")
        row: dict[str, Any] = next(one for one in told["tasks"] if one["id"] == "slow")
        if row["state"] == "in_progress" and row["stage"] == "work":
            assert told["run"]["process"] > 0
            return row
        time.sleep(0.3)
    raise AssertionError(row)


def put(world: World, path: str, text: str) -> None:
    """A program of the test's own."""
    file = world.place / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)


def prepared(world: World) -> Project:
    """A landing that a person takes back, a failure, a task that waits for a vote, proposals."""
    tasks: list[dict[str, Any]] = [
        {"id": "one", "command": FINDS},
        {"id": "two", "command": "echo 2 >two"},
        {"id": "bad", "command": "exit 4", "max_attempts": 1},
        {"id": "behind", "command": "true", "depends_on": ["bad"]},
        {"id": "nothing", "command": "true", "allow_empty": True},
        {"id": "judge", "agent": "mine"},
        {"id": "slow", "command": WAITS, "status": "proposed"},
    ]
    project = world.new("told", tasks, check="test -e .", agents=["shell", "mine"])
    project.git("config", "user.name", "Ann")
    project.git("config", "user.email", "ann@example.org")
    done = project.start("--workers", "2")
    assert done.returncode == 1, done.stdout + done.stderr
    assert world.orkestra("undo", "two").returncode == 0
    return project


def test_every_output_is_as_its_schema_says(world: World) -> None:
    put(world, "bin/crontab", CRONTAB)
    put(world, "orkestra hôme/CONFIG/agents/mine", TOOL)
    world.environment["PATH"] = f"{world.place / 'bin'}:{os.environ['PATH']}"
    held = Held(world)
    assert held.told("list", "list") == []
    world.new("fresh", [])
    fresh = held.all()
    assert fresh["status"]["tasks"] == [] and fresh["report"]["decisions"] == []

    project = prepared(world)
    assert held.told("task-show", "task show judge")["asks"] == "vote"
    assert world.orkestra("vote", "cast", "judge", "approve", "--reason", "meant").returncode == 0
    assert held.told("task-show", "task show judge")["task"]["ballot"]["choice"] == "approve"
    assert world.orkestra("task", "accept", "slow", "--yes").returncode == 0
    assert world.orkestra("pause", "--task", "behind").returncode == 0
    assert world.orkestra("cron", "install", "--yes").returncode == 0
    (world.home / "CONFIG" / "api-keys.env").write_text("SOME_KEY=a-key-of-nobody\n")
    (world.home / "CONFIG" / "api-keys.env").chmod(0o600)
    until = int(time.time()) + 3600
    limit = {"model": None, "at": until - 3600, "until": until, "why": "enough for today"}
    limits = {"version": 1, "limits": {"mine": [limit]}}
    (world.home / "CONFIG" / "RUNTIME" / "limits.json").write_text(json.dumps(limits))

    run = world.start_in_background("--project", str(project.path), "--workers", "1", "--no-wait")
    assert until_it_works(held)["by"] == "shell"
    assert held.told("status-since", "status --since 8h")["next"]["run"]
    held.told("report", "report")
    (tree,) = (world.place / "home" / ".cache" / "orkestra").glob("*/w1/tree")
    (tree / "go").touch()
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 1, said

    told = held.all()
    assert {"landed", "failed", "needs_human", "undone", "answered"} <= told["report"]["decided"].keys()
    assert told["status"]["counts"] == {
        "failed": 1, "ready": 1, "waiting": 1, "proposed": 1, "completed": 3, "cancelled": 1,
    }  # fmt: skip
    assert [row["waits_for_review"] for row in told["task-list"] if "limited" in row] == [True]
    assert told["status-since"]["undone"] and told["status-since"]["needs_you"] and told["status"]["limited"]
    assert told["config"]["keys"] == ["SOME_KEY"] and told["cron-show"] and told["verify"]["ok"]
    assert "rests" in {row["state"] for row in told["agents-list"]}
    for name in ("one", "two", "bad", "slow", "judge"):
        held.told("task-show", f"task show {name}")
    shown = [one["vote"] for name in ("one", "judge") for one in held.told("vote-show", f"vote show {name}")]
    assert shown[-1]["overrules"]["gates"] == ["protected"]
    (project.path / "one").write_text("1\nmine\n")
    kinds = [entry["kind"] for entry in held.told("blame", "blame one")["lines"]]
    assert kinds == ["task", "uncommitted"] and held.told("blame", "blame one:1")["outcomes"]
    project.git("checkout", "-q", "--", "one")
    assert held.told("agents-test", "agents test mine", 1)["days"]
    assert any(row["tested"] for row in held.told("agents-list", "agents list"))
    assert held.told("doctor", "doctor --fix --yes") == []

    clone = world.place / "clone"
    subprocess.run(["git", "clone", "-q", str(project.path), str(clone)], check=True, env=world.env())
    assert world.orkestra("load", str(clone)).returncode == 0
    theirs = held.all()
    assert theirs["report"]["timeline"]["from"] == theirs["status-since"]["spent"]["from"] == "records"
    assert held.told("blame", "blame one")["outcomes"]["outcome-001"]["prompt"] is None
    outcome = clone / "logs" / "outcomes" / "outcome-001.json"
    outcome.write_text(outcome.read_text().replace('"landed"', '"failed"'))
    subprocess.run(["git", "commit", "-qam", "forged"], cwd=clone, check=True, env=world.env() | AUTHOR)
    assert held.told("verify", "verify", 1)["findings"]


AUTHOR = {f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
