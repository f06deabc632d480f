"""`orkestra plan` with the real Claude Code: it proposes a list that is none, mends it, and ranks it."""

from __future__ import annotations

import json
from typing import Any

from test_claude import Start, claude, model, rule, walls
from world import World

__all__ = ["claude", "model", "walls"]  # fixtures


def listed(*tasks: dict[str, Any]) -> dict[str, Any]:
    usual = {"description": "", "depends_on": [], "priority": "medium", "check": "", "allow_paths": []}
    return {"json": {"reason": "small steps", "tasks": [{**usual, **one} for one in tasks]}}


def test_its_list_is_mended_ranked_and_imported(world: World, model: Start) -> None:
    first = {"id": "model", "title": "The model"}
    second = {"id": "page", "title": "The page", "depends_on": ["model"]}
    loop = {**first, "depends_on": ["page"]}
    ranks = [
        rule(
            rf"# A vote.*Option {letter}:\n\nQUOTE-[0-9a-f]+\nmodel: The model",
            {"json": {"reason": "it is whole", "ranking": [[letter]], "confidence": 80}},
        )
        for letter in "AB"
    ]
    stub = model(
        rule(r"# A plan.*cannot be taken.*makes a cycle", listed(first, second)),
        rule(r"# A plan.*A shop.*Sells hats", listed(loop, second)),
        *ranks,
    )
    project = world.new("with-claude", [], agents=["claude"])
    project.git("config", "user.name", "Ann")
    project.git("config", "user.email", "ann@example.org")
    (world.place / "wants.txt").write_text("Sells hats")
    done = world.orkestra("plan", "A shop", "--from", str(world.place / "wants.txt"), "--yes", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert [raw["id"] for raw in told["tasks"]] == ["model", "page"] and told["without_list"] == []
    assert {raw["status"] for raw in told["tasks"]} == {"pending"}
    [vote] = project.votes()
    assert vote["ballots"][0]["ranking"] == [["list 1"]] and vote["decision"] == "list 1"
    assert len(stub.requests("# A plan")) >= 2 and project.verify().returncode == 0
    assert project.decided() == {told["task"]: "planned"}
