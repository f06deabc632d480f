"""The agents of docs/agents.md, as they stand there: one works, one reviews by a stub of a model."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from world import FRAMEWORK, World, of_the_guide

APPROVES = {
    "match": {"text": "Review of a change"},
    "turns": [{"json": {"choice": "approve", "reason": "as asked", "confidence": 75}}],
}


def test_the_guides_agents_work_and_review(world: World) -> None:
    folder = world.home / "CONFIG" / "agents"
    folder.mkdir(parents=True)
    for name, language in (("mytool", "bash"), ("chat", "python")):
        text = of_the_guide(name, language)
        assert text.count("\n") < 40
        (folder / name).write_text(text, "utf-8")
        (folder / name).chmod(0o755)

    tool = world.place / "tools" / "mytool"
    tool.parent.mkdir()
    tool.write_text(
        '#!/bin/sh\ngrep -q "The task .a." && test "$MYTOOL_KEY" = my-own-key-3f21 && echo made >a.txt\n'
    )
    tool.chmod(0o755)
    world.environment["PATH"] = f"{tool.parent}:{os.environ['PATH']}"
    (world.place / "scenario.json").write_text(json.dumps({"rules": [APPROVES]}), "utf-8")
    program = FRAMEWORK / "tests" / "helpers" / "stub_model_server.py"
    options = ["--port", "0", "--scenario", "scenario.json", "--log", "log.jsonl"]
    server = subprocess.Popen(
        [sys.executable, program, *options], cwd=world.place, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        url = f"http://{server.stdout.readline().split()[1]}/v1"
        settings = world.home / "CONFIG" / "api-keys.env"
        settings.write_text(
            f"MYTOOL_KEY=my-own-key-3f21\nCHAT_KEY=chat-key-8b27c1\nCHAT_URL={url}\n", "utf-8"
        )
        settings.chmod(0o600)
        task = {"id": "a", "agent": "mytool", "max_attempts": 1}
        project = world.new("own", [task], agents=["mytool"], committee={"reviewers": ["chat"]})
        done = project.start()
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.file("a.txt") == "made\n"
    [vote] = project.votes()
    assert [(one["member"], one["choice"], one["reason"]) for one in vote["ballots"]] == [
        ("chat", "approve", "as asked")
    ]
