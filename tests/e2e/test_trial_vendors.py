"""orkestra agents test with the vendors' own tools: ours pass it."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from agent_bench import installed, need_sandbox
from world import World

BOUND = 1500  # seconds for a tool's twenty days: a bound for what hangs


def tried(world: World, name: str) -> dict[str, Any]:
    """The record of a trial in which nothing went wrong."""
    need_sandbox()
    binary = installed(name.partition(":")[0])[name.partition(":")[0]]
    world.environment["PATH"] = f"{binary.parent}:{os.environ['PATH']}"
    # Nobody's key and nobody's gateway has a part in it.
    world.environment |= {"OPENAI_BASE_URL": "http://gateway.invalid/v1", "ANTHROPIC_API_KEY": "of-the-shell"}
    done = subprocess.run(
        [str(world.root / "bin" / "orkestra"), "agents", "test", name, "--json"],
        env=world.env(),
        cwd=world.place,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    record: dict[str, Any] = json.loads(done.stdout)
    assert record["tool_version"] and record["sandbox"] is True
    return record


@pytest.mark.parametrize("name", ["claude", "codex", "gemini:gemini-2.5-pro", "llm"])
def test_ours_pass(world: World, name: str) -> None:
    record = tried(world, name)
    assert [row for row in record["days"] if row["held"] is not True] == []
    days = {row["day"] for row in record["days"]}
    assert ("a task" in days, "a vote" in days) == (name != "llm", True)
