"""Ten dependent tasks done by the real tools of three vendors, reviewed by a fourth; their models are a stub.

On the way: a limit, a broken stream, a first attempt that its check refuses, and a conflict with what landed
meanwhile.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from world import FRAMEWORK, Project, World

KEYS = {
    "ANTHROPIC_API_KEY": "sk-ant-api03-together-5d1f0c7a9b3e4862",
    "OPENAI_API_KEY": "sk-proj-together-0b6c2f94d8e17a35",
    "GEMINI_API_KEY": "AIza-together-77c1d2e3f4a5b6c7d8",
}
PATIENCE = 160  # bound for what hangs, seconds


def rule(pattern: str, *turns: dict[str, Any]) -> dict[str, Any]:
    return {"name": pattern, "match": {"text": f"(?s){pattern}"}, "turns": list(turns)}


def works(task: str, *turns: dict[str, Any], told: str = "") -> dict[str, Any]:
    told = f".*Why the last try was not taken.*{told}" if told else ""
    return rule(f"The task `{task}`{told}", *turns)


def limited(task: str) -> dict[str, Any]:
    """Codex' account is at its end."""
    at_its_end = works(task, {"error": "quota"})
    at_its_end["match"]["dialect"] = "responses"
    return at_its_end


def writes(path: str, content: str) -> dict[str, Any]:
    return {"write": {"path": path, "content": content}}


DONE = {"text": "Written."}
AGENTS = {"a1": "claude", "a2": "codex", "a3": "gemini", "a4": "claude", "a5": "codex", "a6": "gemini"}
AGENTS |= {"a7": "codex", "a8": "claude", "a9": "codex", "a10": "auto"}
WAITS = "until test -e go; do sleep 0.2; done; rm go; echo ours >shared.txt"
RULES = [
    rule(
        "Review of a change", {"json": {"choice": "approve", "reason": "as it was asked", "confidence": 80}}
    ),
    works("a4", {"shell": "echo right >a4.txt"}, DONE, told="the check failed"),
    works("a4", writes("a4.txt", "wrong\n"), DONE),
    works("a5", writes("a5.txt", "done\n"), DONE, told="stream disconnected"),
    works("a5", {"drop": "middle"}),
    works("a8", {"shell": "echo theirs and ours >shared.txt"}, DONE, told="conflict"),
    works("a8", {"shell": WAITS}, DONE),
    limited("a10"),
    *(works(name, writes(f"{name}.txt", "done\n"), DONE) for name in AGENTS),
]


@pytest.fixture
def stub(world: World) -> Iterator[Path]:
    """The stub's log; the world's environment leads to it and to the installed tools."""
    cache = Path(os.environ.get("ORKESTRA_TEST_AGENTS") or Path(sys.prefix) / "test-cache" / "agents")
    tools = ["claude", "codex", "gemini", "llm"]
    command = [FRAMEWORK / "tests" / "helpers" / "install-agents.sh", cache, *tools]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    folders = [str(Path(line.split("\t")[1]).parent) for line in done.stdout.splitlines()]
    place = world.place / "models"
    place.mkdir()
    (place / "scenario.json").write_text(json.dumps({"rules": RULES}), "utf-8")
    program = FRAMEWORK / "tests" / "helpers" / "stub_model_server.py"
    options = ["--port", "0", "--scenario", "scenario.json", "--log", "log.jsonl"]
    server = subprocess.Popen(
        [sys.executable, program, *options], cwd=place, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    url = f"http://{server.stdout.readline().split()[1]}"
    world.environment |= {"ANTHROPIC_BASE_URL": url, "OPENAI_BASE_URL": f"{url}/v1"}
    world.environment |= {"GOOGLE_GEMINI_BASE_URL": url, "PATH": ":".join([*folders, os.environ["PATH"]])}
    config = world.home / "CONFIG"
    config.mkdir(exist_ok=True)
    (config / "api-keys.env").write_text("".join(f"{name}={key}\n" for name, key in KEYS.items()), "utf-8")
    (config / "api-keys.env").chmod(0o600)
    yield place / "log.jsonl"
    server.terminate()
    server.wait()
    server.stdout.close()


def asked(log: Path) -> list[dict[str, Any]]:
    lines = log.read_text("utf-8").splitlines() if log.exists() else []
    return [entry for entry in map(json.loads, lines) if "rule" in entry and "plays" in entry]


def test_ten_tasks_by_four_vendors(world: World, stub: Path) -> None:
    probe = [FRAMEWORK / "SCRIPTS" / "SAFETY" / "sandbox.sh", "--probe"]
    if subprocess.run(probe, capture_output=True, check=False).returncode != 0:
        pytest.skip("no sandbox here")
    needs = {"a2": ["a1"], "a3": ["a1"], "a4": ["a2"], "a5": ["a3"], "a6": ["a4"], "a7": ["a5"]}
    needs |= {"a8": ["a6", "a7"], "a9": ["a8"], "a10": ["a9"]}
    tasks: list[dict[str, Any]] = [
        {"id": name, "agent": agent, "depends_on": needs.get(name, [])} for name, agent in AGENTS.items()
    ]
    tasks[3]["check"] = "grep -qx right a4.txt"
    agents = ["codex", "claude", "gemini"]
    project = world.new("together", tasks, agents=agents, committee={"reviewers": ["llm"]})
    (project.path / "shared.txt").write_text("at first\n")
    project.git("add", "shared.txt")
    project.git("commit", "--quiet", "-m", "shared")
    run = world.start_in_background("--project", str(project.path), "--workers", "2")

    end = time.monotonic() + PATIENCE
    while not any("`a8`" in one["rule"] and one["plays"] == "shell" for one in asked(stub)):
        assert run.poll() is None and time.monotonic() < end, run.communicate(timeout=20)[0]
        time.sleep(0.1)
    (project.path / "shared.txt").write_text("theirs\n")
    project.git("commit", "--quiet", "--all", "-m", "a person's own")
    for tree in (world.place / "home" / ".cache" / "orkestra").glob("*/w*/tree"):
        (tree / "go").touch()
    said, _ = run.communicate(timeout=PATIENCE)
    assert run.returncode == 0, said

    assert project.statuses() == dict.fromkeys(AGENTS, "completed")
    assert project.decided() == dict.fromkeys(AGENTS, "landed")
    assert project.file("shared.txt") == "theirs and ours\n"
    outcomes = {one["task"]: one for one in project.outcomes()}
    assert {name: one["agent"] for name, one in outcomes.items()} == {**AGENTS, "a10": "claude"}
    assert {name: outcomes[name]["attempt"] for name in ("a1", "a4", "a5")} == {"a1": 1, "a4": 2, "a5": 2}
    assert {vote["ballots"][0]["member"] for vote in project.votes()} == {"llm"}
    spent_adds_up(project, stub)
    verified = project.verify()
    assert verified.returncode == 0, verified.stdout + verified.stderr

    assert {entry["key"] for entry in asked(stub)} == set(KEYS.values())
    for folder in (project.path, world.home / "LOGS", world.place / "home"):
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink():
                data = path.read_bytes()
                assert not [key for key in KEYS.values() if key.encode() in data], path
    left = [path for path in Path("/proc").glob("[0-9]*/environ") if mentions(path, str(world.place))]
    assert not [
        path for path in left if not re.search(rb"stub_model_server", (path.parent / "cmdline").read_bytes())
    ]


def spent_adds_up(project: Project, stub: Path) -> None:
    """Tokens of the tasks' agents, as recorded and as the models gave them."""
    log = (project.path / "logs/execution/task-execution.log").read_text("utf-8")
    told = sum(one.get("tokens", 0) for one in map(json.loads, log.splitlines()) if one["event"] == "worked")
    entries = [entry for entry in map(json.loads, stub.read_text("utf-8").splitlines()) if "served" in entry]
    served = sum(sum(one["served"].values()) for one in entries if not one["by"].startswith("Review"))
    assert told == served > 0


def mentions(path: Path, text: str) -> bool:
    try:
        return text.encode() in path.read_bytes()
    except OSError:
        return False
