"""`orkestra blame` beside `orkestra undo`: the command that it prints does take the change back."""

from __future__ import annotations

import json
import shlex
from typing import Any

from world import Project, World


def blame(project: Project, place: str) -> dict[str, Any]:
    """The command's JSON."""
    done = project.world.orkestra("blame", "--json", "--project", str(project.path), place)
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert isinstance(answer, dict)
    return answer


def test_the_command_that_undoes_a_line_does(world: World) -> None:
    tasks = [
        {"id": "one", "command": "seq 4 >n"},
        {"id": "two", "command": "sed -i s/3/three/ n", "check": "grep three n", "depends_on": ["one"]},
    ]
    project = world.new("blamed", tasks)
    assert project.start().returncode == 0
    told = blame(project, "n:3")
    account = told["outcomes"]["outcome-002"]
    assert (told["lines"][0]["task"], account["evidence"]) == ("two", [{"check": "grep three n", "exit": 0}])
    assert [one["member"] for one in account["approved"]] == ["size", "tidy"]
    assert [one["member"] for one in account["abstained"]] == ["lint"]
    assert "sed -i s/3/three/ n" in account["prompt"]["text"]
    orkestra, *words = shlex.split(account["undo"])
    assert orkestra == "orkestra"
    done = world.orkestra(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.file("n") == "1\n2\n3\n4\n"
    told = blame(project, "n:3")
    entry, account = told["lines"][0], told["outcomes"]["outcome-003"]
    assert (entry["kind"], entry["task"], account["undoes"]) == ("undo", "two", "outcome-002")
    assert account["by"] == project.outcomes()[-1]["by"] and account["approved"] == []
    shown = world.orkestra("blame", "--project", str(project.path), "n:3").stdout
    assert "outcome-003: outcome-002 was taken back" in shown and shown.splitlines()[-1].startswith(
        "undo: git -C "
    )
    # A task that was taken out of the queue is none that `orkestra undo` knows.
    project.tasks([])
    assert blame(project, "n:1")["outcomes"]["outcome-001"]["undo"].startswith("git -C ")
