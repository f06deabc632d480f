"""Ten dependent tasks by the real tools of four vendors at once, while a fifth reviews.

Where slow agents are left out (`slow_agents`) three do them, and the fourth reviews meanwhile. Their models
are a stub. On the way: a limit, a broken stream, first attempts that their check refuses, and a conflict with
what landed meanwhile. In the end all has landed, what was spent is what the stub served, and no process
and no key is left anywhere.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from slow_agents import LEFT_OUT
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
FOURTH = "codex" if LEFT_OUT else "qwen:qwen3-coder-plus"
AGENTS = {"a1": "claude", "a2": "codex", "a3": "gemini", "a4": FOURTH, "a5": "codex", "a6": "claude"}
AGENTS |= {"a7": "gemini", "a8": "claude", "a9": "codex", "a10": "auto"}
NEEDS = {
    "a5": ["a1"],
    "a6": ["a2"],
    "a7": ["a3", "a4"],
    "a8": ["a5", "a6", "a7"],
    "a9": ["a8"],
    "a10": ["a9"],
}
CHECKED = ("a6", "a9")  # a first attempt is wrong, and mended after its check failed
WAITS = "until test -e go; do sleep 0.2; done; rm go; echo ours >shared.txt"
APPROVES = {"json": {"choice": "approve", "reason": "as it was asked", "confidence": 80}}
BASES = {"claude": "told", "codex": "table", "gemini": "table", "llm": "table"}
UNKNOWN = (
    {("a5", 1)} if LEFT_OUT else {("a5", 1), ("a4", 1)}
)  # broke in the middle; has no price in the table
AT_ONCE = (
    4  # the first four tasks are being done at the same moment, or three while the fourth is being reviewed
)
MEETING = ("a1", "a2", "a3") if LEFT_OUT else ("a1", "a2", "a3", "a4")
RULES = [
    *([rule(r"Review of a change.*a4\.txt", {**APPROVES, "meet": AT_ONCE})] if LEFT_OUT else []),
    rule("Review of a change", APPROVES),
    *(works(name, {"shell": f"echo right >{name}.txt"}, DONE, told="the check failed") for name in CHECKED),
    *(works(name, writes(f"{name}.txt", "wrong\n"), DONE) for name in CHECKED),
    works("a5", writes("a5.txt", "done\n"), DONE, told="stream disconnected"),
    works("a5", {"drop": "middle"}),
    works("a8", {"shell": "echo theirs and ours >shared.txt"}, DONE, told="conflict"),
    works("a8", {"shell": WAITS}, DONE),
    limited("a10"),
    *(works(name, {**writes(f"{name}.txt", "done\n"), "meet": AT_ONCE}, DONE) for name in MEETING),
    *(works(name, writes(f"{name}.txt", "done\n"), DONE) for name in AGENTS),
]


@pytest.fixture
def stub(world: World) -> Iterator[Path]:
    """The stub's log; the world's environment leads to it and to the installed tools."""
    cache = Path(os.environ.get("ORKESTRA_TEST_AGENTS") or Path(sys.prefix) / "test-cache" / "agents")
    tools = ["claude", "codex", "gemini", "llm", *([] if LEFT_OUT else ["qwen"])]
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
    tasks: list[dict[str, Any]] = [
        {"id": name, "agent": agent, "depends_on": NEEDS.get(name, [])} for name, agent in AGENTS.items()
    ]
    for task in tasks:
        if task["id"] in CHECKED:
            task["check"] = f"grep -qx right {task['id']}.txt"
    agents = ["codex", "claude", "gemini", *([] if LEFT_OUT else [FOURTH])]
    project = world.new("together", tasks, agents=agents, committee={"reviewers": ["llm"]})
    (project.path / "shared.txt").write_text("at first\n")
    project.git("add", "shared.txt")
    project.git("commit", "--quiet", "-m", "shared")
    run = world.start_in_background("--project", str(project.path), "--workers", "4")

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
    tries = {"a1": 1, "a5": 2, "a6": 2, "a9": 2}
    assert {name: outcomes[name]["attempt"] for name in tries} == tries
    assert {vote["ballots"][0]["member"] for vote in project.votes()} == {"llm"}
    met = noted(stub, "met")
    assert all(one["met"] for one in met) and len({one["by"] for one in met}) == AT_ONCE
    spent_adds_up(project, stub)
    verified = project.verify()
    assert verified.returncode == 0, verified.stdout + verified.stderr

    assert {entry["key"] for entry in asked(stub)} == set(KEYS.values())
    no_key_is_left(world, project, stub)
    left = [path for path in Path("/proc").glob("[0-9]*/environ") if mentions(path, str(world.place))]
    assert not [
        path
        for path in left
        if not re.search(rb"stub_model_server|model-stand-in", (path.parent / "cmdline").read_bytes())
    ]


def noted(stub: Path, key: str) -> list[dict[str, Any]]:
    """What the stub noted with that key."""
    return [entry for entry in map(json.loads, stub.read_text("utf-8").splitlines()) if key in entry]


def spent_adds_up(project: Project, stub: Path) -> None:
    """Tokens by kind, as the models gave them, as they are kept, and as log, outcomes and votes have them."""
    served: Counter[str] = Counter()
    reviews = 0
    for one in noted(stub, "served"):
        served.update(one["served"])
        reviews += sum(one["served"].values()) if one["by"].startswith("Review") else 0
    text = (project.world.home / "CONFIG" / "RUNTIME" / "spending.jsonl").read_text("utf-8")
    lines = [json.loads(line) for line in text.splitlines()]
    kept: Counter[str] = Counter()
    for line in lines:
        kept.update(line["tokens"] or {})
    assert {kind: kept[kind] for kind in ("input", "output", "cached")} == {**served, "cached": 0}
    ballots = [line for line in lines if line["kind"] == "ballot"]
    assert sum(sum(line["tokens"].values()) for line in ballots) == reviews > 0
    total = sum(served.values())
    assert sum(one["cost"]["tokens"] for one in project.outcomes()) == total
    assert sum(one["cost"]["tokens"] for one in project.votes()) == reviews
    log = (project.path / "logs/execution/task-execution.log").read_text("utf-8")
    events = [one for one in map(json.loads, log.splitlines()) if "basis" in one]
    assert sum(one["tokens"] for one in events) == total
    assert {(one["task"], one["try"]) for one in lines if one["basis"] == "unknown"} == UNKNOWN
    known = [line for line in lines if line["basis"] != "unknown"]
    assert {line["agent"]: line["basis"] for line in known} == BASES
    micros = sum(line["usd_micros"] for line in known)
    assert sum(one["cost"]["usd_micros"] for one in project.outcomes()) == micros > 0
    assert sum(one["cost"].get("unknown", 0) for one in project.outcomes()) == len(UNKNOWN)
    told = project.world.orkestra("status", "--project", str(project.path), "--json")
    spent = json.loads(told.stdout)["spent"]["project"]
    assert (spent["tokens"], spent["usd_micros"], spent["unknown"]) == (total, micros, len(UNKNOWN))


def no_key_is_left(world: World, project: Project, stub: Path) -> None:
    """In no file of this world but the one that they came in, what the next run redacts and the stub's own.

    And in no object of Git.
    """
    runtime = world.home / "CONFIG" / "RUNTIME"
    mine = {world.home / "CONFIG" / "api-keys.env", stub, *runtime.glob("*/secrets*")}
    keys = [key.encode() for key in KEYS.values()]
    for path in world.place.rglob("*"):
        if path.is_file() and not path.is_symlink() and path not in mine:
            data = path.read_bytes()
            assert not [key for key in keys if key in data], path
    command = ["git", "-C", str(project.path), "cat-file", "--batch-all-objects", "--batch", "--buffer"]
    objects = subprocess.run(command, capture_output=True, check=True).stdout
    assert b"theirs and ours" in objects and not [key for key in keys if key in objects]


def mentions(path: Path, text: str) -> bool:
    try:
        return text.encode() in path.read_bytes()
    except OSError:
        return False
