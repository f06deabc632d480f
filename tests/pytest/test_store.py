"""The store, asked over its pipes as a worker asks it."""

from __future__ import annotations

import json
from pathlib import Path

from store_client import APPROVE, Project, Worker, finish, git


def task(name: str, **fields: object) -> dict[str, object]:
    return {"id": name, "title": f"Do {name}", "agent": "shell", "command": "true", **fields}


def test_two_tasks_land_in_order_and_the_next_start_has_nothing_to_do(tmp_path: Path) -> None:
    project = Project(tmp_path, [task("b", depends_on=["a"]), task("a", check="test -s new.txt")])
    store = project.start()
    assert store.control.ask("plan") == ["ok", "1", "2", "0"]
    worker = Worker(store)
    assert worker.claim() == ["ok", "task", "a", "1", "shell", "fresh", "", "shell"]
    assert (worker.ticket / "exchange/command").read_text() == "true"
    assert (worker.ticket / "check").read_text() == "test -s new.txt"
    assert worker.whole({"new.txt": b"x\n"}) == "outcome-001"
    assert worker.claim()[2] == "b"
    assert worker.whole({"b.txt": b"x\n"}) == "outcome-002"
    assert worker.claim()[:2] == ["ok", "stop"]
    assert finish(store) == 1
    code, text = store.control.ask("summary")[1:]
    assert code == "0" and "2 completed" in text
    assert store.end() == (0, "")
    queue = json.loads((project.path / "config/task-queue.json").read_text())
    assert [one["status"] for one in queue["tasks"]] == ["completed", "completed"]
    second = json.loads(git(project.path, "show", "main:logs/outcomes/outcome-002.json"))
    first = json.loads(git(project.path, "show", "main:logs/outcomes/outcome-001.json"))
    assert second["previous"] == first["sha256"] and first["previous"] is None
    assert first["evidence"][0]["tree"] == first["change"]["tree"] and first["reviewed_by"] == "programs"

    store = project.start()
    assert store.control.ask("plan") == ["ok", "0", "0", "0"]
    assert finish(store) == 0
    assert store.end() == (0, "")
