"""Reviewers that are limited, in whole runs: somebody stands in, or the change waits for them and lands."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

from world import Project, World

HOUR = 3600
AGENT = """#!/bin/sh
say() {{ printf '%s' "$1" >"$ORKESTRA_ATTEMPT_DIR/result.json"; }}
case $1 in
  describe) echo '{{"name": "{name}", "family": "{name}", "kind": "ai", "can": ["work", "ballot"]}}' ;;
  probe) printf 'binary\\t/bin/sh\\n' ;;
  work) echo made >"made-by-{name}" && say '{{"text": "made"}}' ;;
  ballot) {ballot} ;;
esac
"""


def agent(world: World, name: str, ballot: str | int) -> None:
    """An agent that votes so, or whose account is limited until that second."""
    told: dict[str, Any] = {"choice": ballot, "reason": f"{name} says so", "confidence": 90}
    if isinstance(ballot, int):
        told = {"error": "You've hit your limit", "retry_at": ballot}
    path = world.home / "CONFIG" / "agents" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    says = f"say '{json.dumps(told)}'".replace("You've", "You have")
    path.write_text(AGENT.format(name=name, ballot=says + ("; exit 75" if isinstance(ballot, int) else "")))
    path.chmod(0o755)


def events(project: Project, *kinds: str) -> list[str]:
    log = project.path / "logs" / "execution" / "task-execution.log"
    found = (json.loads(line)["event"] for line in log.read_text("utf-8").splitlines())
    return [kind for kind in found if kind in kinds]


def sound(project: Project) -> bool:
    done = project.verify()
    assert done.returncode == 0, done.stdout + done.stderr
    return project.git("status", "--porcelain") == ""


def test_a_change_waits_for_its_reviewer_and_lands_without_its_agent_working_twice(world: World) -> None:
    until = int(time.time()) + HOUR
    agent(world, "maker", "approve")
    agent(world, "judge", until)
    project = world.new("waits", [{"id": "a", "agent": "maker"}], agents=["maker", "judge"])
    done = project.start("--no-wait")
    said = done.stdout + done.stderr
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until))
    assert done.returncode == 75, said
    assert f"judge is limited: You have hit your limit; its review of a waits (next_run_at {when})" in said
    assert "waits for its review: judge is limited until " in said
    assert project.statuses() == {"a": "pending"} and project.decided() == {}
    status = world.orkestra("status", "--project", "waits").stdout
    minute = time.strftime("%Y-%m-%d %H:%M", time.gmtime(until))
    assert f"limited        judge until {minute}: You have hit your limit (waits for its review: a)" in status
    assert project.git("show", "refs/orkestra/attempts/a/1:made-by-maker") == "made"

    agent(world, "judge", "approve")
    limits: Path = world.home / "CONFIG" / "RUNTIME" / "limits.json"
    soon = int(time.time()) + 4
    limits.write_text(re.sub(r'"until": \d+', f'"until": {soon}', limits.read_text("utf-8")), "utf-8")
    done = project.start()
    said = done.stdout + done.stderr
    assert done.returncode == 0 and time.time() >= soon, said
    assert "waiting until " in said
    assert project.decided() == {"a": "landed"} and project.file("made-by-maker") == "made\n"
    assert events(project, "worked", "attempt-failed", "review-put-off") == ["worked", "review-put-off"]
    assert [vote["decision"] for vote in project.votes()] == ["no-quorum", "approve"]
    assert project.votes()[-1]["ballots"][0]["member"] == "judge" and sound(project)


def test_another_one_stands_in_and_after_a_reject_a_second_one_is_asked(world: World) -> None:
    agent(world, "maker", "approve")
    agent(world, "judge", int(time.time()) + HOUR)
    agent(world, "strict", "reject")
    agent(world, "mild", "approve")
    project = world.new(
        "stands", [{"id": "a", "agent": "maker"}], agents=["maker", "judge", "strict", "mild"]
    )
    done = project.start("--no-wait")
    assert done.returncode == 1, done.stdout + done.stderr
    assert project.decided() == {"a": "needs_human"}
    [vote] = project.votes()
    assert [one["member"] for one in vote["electorate"]] == ["strict", "mild"]
    assert [one["choice"] for one in vote["ballots"]] == ["reject", "approve"]
    assert [(one["member"], one["by"]) for one in vote["replaced"]] == [("judge", "strict")]
    assert vote["decision"] == "needs-person" and "deadlock" in project.outcomes()[-1]["why"]
    shown = world.orkestra("vote", "show", "a", "--project", "stands").stdout
    assert "judge: gave no ballot: strict was asked instead" in shown and sound(project)
