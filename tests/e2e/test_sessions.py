"""A tool's own session of a task goes on: after an interruption, a failed check, a reviewer's word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from test_claude import (
    Model,
    Start,
    attempts,
    ballot,
    claude,
    events,
    judges,
    make,
    model,
    rule,
    run,
    task,
    text_of,
    votes,
    walls,
    works,
    writes,
)
from world import Project, World

__all__ = ["claude", "model", "walls"]  # fixtures

READS: list[dict[str, Any]] = [{"shell": f"echo {number}"} for number in range(5)]


def kept(project: Project, name: str) -> Path:
    return project.path / ".git" / "orkestra" / "sessions" / name


def served(stub: Model, since: int = 0) -> dict[str, int]:
    """Tokens by rule, of the log's lines from `since` on."""
    found: dict[str, int] = {}
    for entry in map(json.loads, stub.log.read_text("utf-8").splitlines()[since:]):
        if "served" in entry:
            found[entry["by"]] = found.get(entry["by"], 0) + sum(entry["served"].values())
    return found


def modes(project: Project, name: str) -> list[tuple[int, str]]:
    return [(one["try"], one["mode"]) for one in events(project)
            if one["event"] == "claimed" and one["task"] == name]  # fmt: skip


def prompt(project: Project, name: str, number: int) -> str:
    return (attempts(project, name)[number - 1] / "prompt.md").read_text("utf-8")


def test_what_was_interrupted_goes_on_and_a_broken_session_begins_afresh(world: World, model: Start) -> None:
    afresh = "The task `broken`.*holds the work of attempt 1"
    stub = model(
        judges("good", ballot("approve")),
        judges("broken", ballot("approve")),
        rule("The task `good` was interrupted", writes("src/more.txt", "two\n"), {"text": "Done."}),
        rule("The task `broken` was interrupted", {"text": "This is never asked."}),
        works("good", *READS, writes("src/good.txt", "one\n"), {"hang": 600}),
        rule(afresh, *READS, writes("src/broken.txt", "one\n"), {"text": "Done."}),
        works("broken", *READS, writes("src/broken.txt", "one\n"), {"hang": 600}),
    )
    project = make(world, task("good"), task("broken"))
    running = world.start_in_background("--project", str(project.path), "--workers", "2")
    for name in ("good", "broken"):
        stub.wait_for(
            lambda entry, name=name: entry["rule"] == f"The task `{name}`" and entry["plays"] == "hang"
        )
    stopped = world.orkestra("stop", "--project", str(project.path))
    assert stopped.returncode == 0, stopped.stderr
    assert running.wait(60) == 143

    for name in ("good", "broken"):
        assert kept(project, name).stat().st_mode & 0o777 == 0o700
        assert (kept(project, name) / "settled").read_text() == "1 kept\n"
    [file] = kept(project, "broken").glob("home/.claude/projects/*/*.jsonl")
    file.write_text('{"half a li')
    before = len(stub.log.read_text("utf-8").splitlines())
    said = run(project, 0)

    assert (project.file("src/good.txt"), project.file("src/more.txt")) == ("one\n", "two\n")
    assert project.file("src/broken.txt") == "one\n"
    assert modes(project, "good") == modes(project, "broken") == [(1, "fresh"), (2, "from")]
    assert "its session cannot be gone on with: it begins afresh" in said
    assert [one["task"] for one in events(project) if one["event"] == "session-dropped"] == ["broken"]
    assert not [one for one in events(project) if one["event"] == "attempt-failed"]
    # It remembers, and is told no more than what is new.
    request = stub.requests("The task `good`")[-2]
    assert "You work alone" in text_of(request["messages"][0])
    assert "was interrupted" in text_of(request["messages"][-1])
    told = prompt(project, "good", 2)
    assert "You work alone" not in told and "AGENTS.md" not in told
    # Which costs less than to do it all again.
    tokens = served(stub, before)
    assert tokens["The task `good` was interrupted"] < tokens[afresh] / 2, tokens
    assert not kept(project, "good").exists() and not kept(project, "broken").exists()


def test_what_has_to_be_mended_goes_on_with_the_reasons_alone(world: World, model: Start) -> None:
    stub = model(
        judges("a", ballot("approve"), shown=r"\+three"),
        judges("a", ballot("revise", "a third line is missing")),
        works("a", {"shell": "echo three >>src/a.txt"}, {"text": "Mended."}, told="a third line is missing"),
        works("a", {"shell": "echo two >>src/a.txt"}, {"text": "Mended."}, told="no two in it"),
        works("a", *READS, writes("src/a.txt", "one\n"), {"text": "Done."}),
    )
    check = "grep -q two src/a.txt || { echo no two in it; false; }"
    project = make(world, task("a", check=check, max_attempts=2))
    run(project, 0)
    assert project.file("src/a.txt") == "one\ntwo\nthree\n"
    assert modes(project, "a") == [(1, "fresh"), (2, "from")]
    assert [vote["decision"] for vote in votes(project, "a")] == ["revise", "approve"]
    for number, reason in ((2, "no two in it"), (3, "a third line is missing")):
        assert reason in prompt(project, "a", number) and "You work alone" not in prompt(project, "a", number)
    assert check in prompt(project, "a", 2)
    # All of it is one conversation.
    conversations = stub.requests("The task `a`")
    assert len({json.loads(one["metadata"]["user_id"])["session_id"] for one in conversations}) == 1
    assert not kept(project, "a").exists()
