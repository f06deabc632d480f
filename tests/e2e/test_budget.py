"""A budget, as a person meets it: what would overrun is not started, and a dry run has said so."""

from __future__ import annotations

import json
import subprocess

from world import World

# It writes a file, says that it cost 20 cents, and keeps what it was told of its limit.
BOT = """#!/usr/bin/env bash
case $1 in
  describe) echo '{"name": "bot", "family": "none", "kind": "ai", "can": ["work"]}' ;;
  probe) printf 'binary\\t/bin/true\\n' ;;
  work)
    echo "$ORKESTRA_MAX_USD" >"$ORKESTRA_TASK.txt"
    echo '{"text": "done", "usage": {"input": 9, "output": 1}, "cost_usd_micros": 200000}' >"$ORKESTRA_ATTEMPT_DIR/result.json"
    ;;
esac
"""  # noqa: E501


def test_a_run_ends_before_its_budget_does(world: World) -> None:
    agents = world.home / "CONFIG" / "agents"
    agents.mkdir(parents=True)
    (agents / "bot").write_text(BOT, "utf-8")
    (agents / "bot").chmod(0o755)
    tasks = [{"id": name, "agent": "bot"} for name in ("a", "b", "c")]
    project = world.new("bounded", tasks, agents=["bot"], budget={"attempt": {"usd": 0.3}})

    orchestrator = world.root / "SCRIPTS" / "CORE" / "orchestrator.sh"
    start = ["start", "--project", str(project.path)]
    plan = subprocess.run(
        [orchestrator, *start, "--dry-run", "--max-cost", "0.5"],
        env=world.env(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert plan.returncode == 0, plan.stderr
    assert "a  bot: 1 to 3 attempts, $0.00 to $0.90" in plan.stdout
    assert "--max-cost is $0.50, $0.00 are spent" in plan.stdout and project.outcomes() == []

    done = project.start("--max-cost", "0.5", "--workers", "2")
    assert done.returncode == 75, done.stdout + done.stderr
    assert "not started: c: --max-cost is $0.50, $0.40 are spent" in done.stdout
    assert project.decided() == {"a": "landed", "b": "landed"}
    assert {project.file("a.txt"), project.file("b.txt")} == {"0.300000\n"}
    status = world.orkestra("status", "--project", str(project.path)).stdout
    assert "spent          today $0.40, 20 tokens (all projects); this project $0.40, 20 tokens" in status

    project.set(budget={"usd": 0.5})
    done = project.start()
    assert done.returncode == 75 and "the budget of the project is $0.50" in done.stdout, done.stdout
    project.set(budget={"usd": 1})
    assert project.start().returncode == 0
    assert (
        json.loads(world.orkestra("status", "--project", str(project.path), "--json").stdout)["spent"][
            "project"
        ]["usd_micros"]
        == 600_000
    )
    for wrong in ("", "x", "-1"):
        assert project.start("--max-cost", wrong).returncode == 64
