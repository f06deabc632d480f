"""What reviewers' real tools make of their models' answers, in a whole run: a ballot, or none and why.

The models are a stub on loopback. Each task is judged by four tools at once, whose models each answer in a
way of their own.
"""

from __future__ import annotations

import json
from typing import Any

from agent_bench import installed, need_sandbox, stub_in
from world import World

# By the model that is asked the stub knows who asks.
TOOLS = {"claude": "claude-.*", "codex:gpt-5.1-codex": "", "gemini": "gemini-.*", "llm:gpt-4o-mini": ""}
KEYS = {"ANTHROPIC_API_KEY": "sk-ant-api03-x", "OPENAI_API_KEY": "sk-proj-x", "GEMINI_API_KEY": "AIza-x"}


def ballot(choice: str, reason: str = "as asked") -> dict[str, Any]:
    return {"choice": choice, "reason": reason, "confidence": 80}


def text(said: str) -> dict[str, Any]:
    return {"text": said, "raw": True}


YES, NO = json.dumps(ballot("approve")), json.dumps(ballot("reject", "it is wrong"))
LONG = "".join(f"{number} " for number in range(450_000))  # three million characters
PATIENCE = 600  # seconds: a bound for what hangs
KEPT = 4000  # of a reason
ANSWERS: dict[str, dict[str, Any]] = {
    "valid": {"json": ballot("approve")},
    "late": {"hang": 600},
    "prose": text(f"I have read it all.\n\n```json\n{YES}\n```\nThat is my ballot."),
    "malformed": text('{"choice": "approve", "reason": "as as'),
    "refusal": text("I cannot help with that."),
    "huge": {"json": ballot("approve", LONG)},
    "twice": text(f"{YES}\nOn second thought:\n{NO}"),
    "reasons": {"json": ballot("approve", "This must not land.")},
    "unknown": {"json": ballot("perhaps")},
}
# What each tool's model answers, in the order of TOOLS; then what becomes of the task.
TASKS = {
    "never": ("late", "late", "late", "late", "needs_human"),
    "three": ("valid", "reasons", "prose", "twice", "landed"),
    "none": ("prose", "malformed", "refusal", "unknown", "needs_human"),
    "one": ("malformed", "refusal", "twice", "huge", "needs_human"),
}
# The reason of a ballot, or why there is none. Claude Code gives one by its own schema or not at all, and
# nothing then but its last words.
BECOMES: dict[str, str] = {
    "valid": "as asked",
    "prose": "as asked",
    "reasons": "This must not land.",
    "huge": LONG[:KEPT],
    "late": "timed out",
    "malformed": 'its ballot is not JSON: {"choice": "approve", "reason": "as as',
    "refusal": "its ballot is not JSON: I cannot help with that.",
    "twice": "it contradicts itself: it gave several ballots (approve, reject)",
    "unknown": "its choice is not one of approve, revise, reject, abstain",
}
BALLOTS = ("valid", "prose", "reasons", "huge")
BY_SCHEMA_ALONE = "its ballot is not JSON: "


def becomes(tool: str, answer: str) -> tuple[bool, str]:
    """(whether it is a ballot, its reason or why it is none)"""
    if tool == "claude" and answer in ("prose", "malformed"):
        return False, BY_SCHEMA_ALONE
    return answer in BALLOTS, BECOMES[answer]


def test_what_tools_make_of_answers(world: World) -> None:
    need_sandbox()
    tools = installed(*(tool.partition(":")[0] for tool in TOOLS))
    rules = [
        {
            "name": f"{task} {tool}",
            "match": {"text": rf"The task was: {task}\b", "model": model or tool.partition(":")[2]},
            "turns": [ANSWERS[answer]],
        }
        for task, answers in TASKS.items()
        for (tool, model), answer in zip(TOOLS.items(), answers, strict=False)
    ]
    config = world.home / "CONFIG"
    config.mkdir(exist_ok=True)
    (config / "api-keys.env").write_text("".join(f"{name}={key}\n" for name, key in KEYS.items()))
    (config / "api-keys.env").chmod(0o600)
    tasks: list[dict[str, Any]] = [
        {"id": name, "command": f"echo a >{name}.txt", "max_attempts": 1} for name in TASKS
    ]
    tasks[0]["timeout"] = 15  # of its ballots too
    with stub_in(world.place / "models", {"rules": rules}) as stub:
        path = ":".join([*(str(tool.parent) for tool in tools.values()), world.env()["PATH"]])
        world.environment |= {"PATH": path, "ANTHROPIC_BASE_URL": stub.url}
        world.environment |= {"OPENAI_BASE_URL": f"{stub.url}/v1", "GOOGLE_GEMINI_BASE_URL": stub.url}
        project = world.new("answers", tasks, agents=["shell"], committee={"reviewers": list(TOOLS)})
        run = world.start_in_background("--project", str(project.path), "--workers", "2")
        said, _ = run.communicate(timeout=PATIENCE)
    assert project.decided() == {name: told[-1] for name, told in TASKS.items()}, said

    votes = {vote["task"]: vote for vote in project.votes()}
    for name, answers in TASKS.items():
        vote = votes[name]
        found = {one["member"]: (True, one["reason"]) for one in vote["ballots"]}
        found |= {one["member"]: (False, one["why"]) for one in vote["absent"]}
        for tool, answer in zip(TOOLS, answers, strict=False):
            cast, told = becomes(tool, answer)
            assert found[tool][0] == cast and found[tool][1].startswith(told), (name, tool, found[tool])
        assert all(one["choice"] == "approve" for one in vote["ballots"])
        assert vote["tally"]["present"] == len(vote["ballots"])
        assert vote["decision"] == ("approve" if TASKS[name][-1] == "landed" else "no-quorum")
    assert project.verify().returncode == 0
