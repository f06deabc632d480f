"""Tasks that agents find on the way: when they appear, what becomes of a hostile file, who lets them run."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orkestra_shim import followups, tasklist, tasks
from orkestra_shim.cli import main
from orkestra_shim.home import PACKAGE
from store_client import APPROVE, Project, Worker, finish, git

Capture = pytest.CaptureFixture[str]
KEY = "sk-follow-7f3a91c2d4e5"


def task(name: str, **fields: object) -> dict[str, object]:
    return {"id": name, "title": f"Do {name}", "agent": "shell", "command": "true", **fields}


def begin(worker: Worker, left: object = None) -> None:
    """Claim and work; what the agent left beside its work."""
    assert worker.claim()[1] == "task"
    assert worker.client.ask("base", worker.project.head)[0] == "ok"
    if left is not None:
        text = left if isinstance(left, str) else json.dumps({"version": 1, "tasks": left}, indent=1)
        (worker.attempt / followups.FILE).write_text(text)
    assert worker.client.ask("worked", "0", "1") == ["ok", "done"]


def lands(worker: Worker, name: str = "new.txt") -> None:
    worker.change({name: b"x\n"})
    assert worker.judge() == ["ok", "pass"]
    assert worker.vote(*APPROVE) == ["ok", "approve"]
    worker.land()


def wait_for(event: Callable[[], bool]) -> None:
    """The store looks at the queue file once a second; the test's own bound ends what never comes."""
    while not event():
        time.sleep(0.05)


def queued(project: Project) -> dict[str, dict[str, Any]]:
    top = json.loads((project.path / "config/task-queue.json").read_text())
    return {raw["id"]: raw for raw in top["tasks"]}


def found(project: Project) -> list[str]:
    return [name for name, raw in queued(project).items() if raw.get("status") == "proposed"]


def refused(project: Project) -> str:
    return next((event["why"] for event in project.journal() if event["event"] == "follow-ups-refused"), "")


TWO = [
    {"id": "footer", "title": "Mend the footer", "description": "It says 1999.", "priority": "low"},
    {
        "title": "Test the footer",
        "depends_on": ["footer", "a"],
        "command": "touch gotcha",
        "status": "pending",
    },
]


def test_they_are_proposed_when_the_work_lands_and_run_once_a_person_accepts_them(place: Path) -> None:
    project = Project(place / "p", [task("a"), task("footer")])
    store = project.start()
    worker = Worker(store)
    begin(worker, TWO)
    assert found(project) == []
    lands(worker)
    assert worker.claim()[2] == "footer"  # the one of that name that was there
    both = [raw for raw in queued(project).values() if raw.get("status") == "proposed"]
    assert [(raw["id"], raw.get("depends_on", [])) for raw in both] == [
        ("footer-2", []),
        ("test-the-footer", ["footer-2", "a"]),
    ]
    assert both[0]["source"] == "found by shell at a, try 1:1" and both[0]["agent"] == "auto"
    begin_again = worker.client.ask("base", project.head)
    assert begin_again[0] == "ok" and worker.client.ask("worked", "0", "1")[1] == "done"
    lands(worker, "second.txt")
    assert worker.claim()[1] == "stop"
    finish(store)
    text = store.control.ask("summary")[2]
    assert "found on the way: footer-2, test-the-footer" in text
    assert store.end() == (0, "")
    assert not any(event.get("task") == "footer-2" for event in project.journal())
    store = project.start()  # and they come once
    finish(store)
    assert store.end() == (0, "") and found(project) == ["footer-2", "test-the-footer"]


def test_nothing_is_kept_of_an_attempt_that_failed(place: Path) -> None:
    project = Project(place / "p", [task("a", max_attempts=2)])
    store = project.start()
    worker = Worker(store)
    begin(worker, TWO)
    assert worker.client.ask("failed", "the check failed") == ["ok", "again"]
    begin(worker)
    lands(worker)
    assert worker.claim()[1] == "stop"
    finish(store)
    assert store.end() == (0, "") and found(project) == []


def test_a_revision_keeps_them_unless_it_leaves_others(place: Path) -> None:
    project = Project(place / "p", [task("a"), task("b")])
    store = project.start()
    worker = Worker(store)
    for number, second in enumerate((None, [{"title": "Only this"}])):
        begin(worker, TWO[:1])
        worker.change({f"{number}.txt": b"no newline"})
        worker.judge()
        assert worker.vote(("lint", 10, "newline"), ("size", 0, ""), ("tidy", 0, ""))[1] == "revise"
        worker.number = "2"
        if second:
            (worker.attempt / followups.FILE).write_text(json.dumps({"tasks": second}))
        assert worker.client.ask("worked", "0", "1") == ["ok", "done"]
        lands(worker, f"{number}.txt")
    assert worker.claim()[1] == "stop"
    assert found(project) == ["footer", "only-this"]
    store.kill()


def test_a_run_that_dies_around_the_landing_proposes_them_once(place: Path) -> None:
    project = Project(place / "p", [task("a")])
    store = project.start()
    worker = Worker(store)
    begin(worker, TWO)
    worker.change({"new.txt": b"x\n"})
    worker.judge()
    worker.vote(*APPROVE)
    worker.record(worker.client.ask("draw")[1])
    store.kill()  # the branch has moved, and nobody was told
    git(project.path, "reset", "-q", "--hard")
    assert found(project) == []
    for _ in range(2):
        store = project.start()
        finish(store)
        assert store.end() == (0, "")
        assert found(project) == ["footer", "test-the-footer"]
    told = [event["ids"] for event in project.journal() if event["event"] == "follow-ups"]
    assert told == [["footer", "test-the-footer"]]
    # Killed between the queue and the log: they are known again.
    log = project.path / "logs/execution/task-execution.log"
    lines = [line for line in log.read_text().splitlines(True) if '"follow-ups"' not in line]
    log.write_text("".join(lines))
    store = project.start()
    finish(store)
    assert store.end() == (0, "") and found(project) == ["footer", "test-the-footer"]


def test_an_edit_of_a_task_in_hand_stays_in_the_file(place: Path) -> None:
    project = Project(place / "p", [task("a"), task("b")])
    store = project.start()
    worker, other = Worker(store), Worker(store, "w2")
    begin(worker, TWO[:1])
    begin(other)
    project.write_queue([task("a"), task("b", description="a person's word")])
    lands(worker)
    worker.client.send("claim")
    wait_for(lambda: found(project) == ["footer"])
    assert queued(project)["b"]["description"] == "a person's word"
    store.kill()


def test_they_wait_while_the_checkout_is_on_another_branch(place: Path) -> None:
    project = Project(place / "p", [task("a"), task("b")])
    store = project.start()
    worker = Worker(store)
    begin(worker, TWO[:1])
    git(project.path, "switch", "-q", "-c", "other")
    lands(worker)
    assert worker.claim()[2] == "b"
    assert found(project) == []
    git(project.path, "switch", "-q", "main")
    git(project.path, "reset", "-q", "--hard")
    assert worker.client.ask("failed", "no") == ["ok", "again"]
    assert worker.claim()[2] == "b"
    assert found(project) == ["footer"]
    store.kill()


def test_what_was_answered_without_a_change_proposes_them(place: Path) -> None:
    project = Project(place / "p", [task("a", allow_empty=True)])
    store = project.start()
    worker = Worker(store)
    begin(worker, TWO)
    (worker.attempt / "check.log").write_text("")
    assert worker.client.ask("checked", "0", "1", git(project.path, "rev-parse", "main^{tree}"))[0] == "ok"
    assert worker.client.ask("settled") == ["ok"]
    assert worker.claim()[1] == "stop"
    finish(store)
    assert store.end() == (0, "") and found(project) == ["footer", "test-the-footer"]


HOSTILE: list[tuple[object, str]] = [
    ("{", "not valid JSON"),
    ("[" * 100_000, "not readable as JSON"),
    ("[]", "expected an object"),
    ({"id": "a"}, "expected a list"),
    (["a"], "expected an object"),
    ([{"title": "x", "id": "../../up"}], "is not a valid name"),
    ([{"title": "x", "id": 7}], "id must be a string"),
    ([{"title": ""}], "needs a title"),
    ([{"title": "x", "depends_on": ["nobody"]}], "depends on 'nobody'"),
    ([{"title": "x", "depends_on": ["y"]}, {"title": "y", "depends_on": ["x"]}], "makes a cycle"),
    ([{"title": "x", "depends_on": ["x"]}], "names the task itself"),
    ([{"title": "x"}, {"title": "x"}, {"title": "y", "depends_on": ["x"]}], "may be any of 2 tasks"),
    ([{"title": "x", "depends_on": "a"}], "expected a list"),
    ([{"title": "x", "inputs": [7]}], "must be a list of strings"),
    ([{"title": "x", "allow_paths": ["../.git/**"]}], "leads out of the project"),
    ([{"title": "x", "command": "echo \u202e"}], "characters that are not shown"),
    ([{"title": "x", "check": "a\u200bb"}], "characters that are not shown"),
    ([{"title": "x", "agent": "shell"}], "needs a command"),
    ([{"title": "x", "timeout": True}], "timeout must be"),
    ([{"title": "x", "priority": "now"}], "priority must be"),
    ([{"title": "x", "domain": "two\nlines"}], "must be one line"),
    ([{"title": f"t{number}"} for number in range(followups.MOST + 1)], "are the most"),
    ([{"title": "x", "description": "d" * 20_001}], "more than 20000 characters"),
    ([{"title": "x", "inputs": ["a"] * 101}], "more than 100 entries"),
    ([{"title": "x"}, {"title": "y", "more": "m" * followups.MOST_BYTES}], "more than 256 KiB"),
    ("\udcff", "not UTF-8"),
]


@pytest.mark.parametrize(("left", "why"), HOSTILE, ids=[why[:30] for _, why in HOSTILE])
def test_a_file_that_is_none_costs_nothing_and_says_why(place: Path, left: object, why: str) -> None:
    project = Project(place / "p", [task("a")])
    store = project.start()
    worker = Worker(store)
    assert worker.claim()[1] == "task"
    worker.client.ask("base", project.head)
    text = left if isinstance(left, str) else json.dumps({"tasks": left})
    (worker.attempt / followups.FILE).write_bytes(text.encode("utf-8", "surrogateescape"))
    assert worker.client.ask("worked", "0", "1") == ["ok", "done"]
    assert why in refused(project)
    lands(worker)
    assert worker.claim()[1] == "stop"
    assert found(project) == [] and list(queued(project)) == ["a"]
    store.kill()


def test_a_link_is_not_followed_and_a_key_does_not_reach_the_queue(place: Path) -> None:
    project = Project(place / "p", [task("a"), task("b")])
    (project.config / "api-keys.env").write_text(f"SOME_KEY={KEY}\n")
    (project.config / "api-keys.env").chmod(0o600)
    secret = place / "secret.json"
    secret.write_text(json.dumps({"tasks": [{"title": "stolen"}]}))
    store = project.start()
    worker = Worker(store)
    assert worker.claim()[1] == "task"
    worker.client.ask("base", project.head)
    (worker.attempt / followups.FILE).symlink_to(secret)
    assert worker.client.ask("worked", "0", "1") == ["ok", "done"]
    lands(worker)
    begin(worker, [{"title": f"Use {KEY}", "description": f"{KEY[:9]}\n{KEY[9:]}", "found": KEY}])
    lands(worker, "second.txt")
    assert worker.claim()[1] == "stop"
    [name] = found(project)
    assert queued(project)[name]["title"] == "Use [redacted]"
    assert KEY not in (project.path / "config/task-queue.json").read_text()
    finish(store)
    assert store.end() == (0, "")
    assert project.start().ready  # a queue with a key in it would be refused


def test_a_queue_takes_only_so_many(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = [
        task(f"p{number}", status="proposed", source="found by x at y, try 1:1")
        for number in range(followups.MOST_OPEN)
    ]
    project = Project(place / "p", [task("a"), *waiting])
    store = project.start()
    worker = Worker(store)
    begin(worker, TWO)
    lands(worker)
    assert worker.claim()[1] == "stop"
    assert len(found(project)) == followups.MOST_OPEN and "wait for a person already" in refused(project)
    store.kill()


# --- what a person sees -------------------------------------------------------------------------------------


@pytest.fixture
def file(place: Path) -> Path:
    assert main(["new", "one"]) == 0
    path = Path(os.environ["ORKESTRA_HOME"]) / "PROJECTS" / "one" / "config/task-queue.json"
    source = "found by claude at a, try 1:1"
    proposed = [
        {"id": "plain", "title": "Plain", "status": "proposed", "source": source},
        task("strong", command="touch it\n\x1b[2Jrm -rf ~", status="proposed", source=source),
    ]
    path.write_text(json.dumps({"version": 1, "tasks": proposed}))
    return path


def statuses(file: Path) -> list[str]:
    return [raw["status"] for raw in json.loads(file.read_text())["tasks"]]


def test_a_person_sees_what_would_be_executed_before_it_is_accepted(file: Path, capsys: Capture) -> None:
    assert main(["task", "accept", "plain"]) == 0
    assert statuses(file) == ["pending", "proposed"]
    capsys.readouterr()
    assert main(["task", "accept", "strong"]) == 64
    told = capsys.readouterr()
    assert "    touch it\n    \\x1b[2Jrm -rf ~\n" in told.out and "--yes" in told.err
    assert statuses(file) == ["pending", "proposed"]
    assert main(["task", "accept", "strong", "--yes"]) == 0
    assert statuses(file) == ["pending", "pending"]


def test_a_proposal_that_changes_while_it_is_looked_at_is_not_accepted(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def answer(*_: object, **__: object) -> bool:
        file.write_text(file.read_text().replace("touch it", "touch that"))
        return True

    monkeypatch.setattr("orkestra_shim.commands.task.is_terminal", lambda: True)
    monkeypatch.setattr("click.confirm", answer)
    assert main(["task", "accept", "strong"]) == 64
    assert "changed meanwhile" in capsys.readouterr().err
    assert statuses(file) == ["proposed", "proposed"]


def test_status_and_list_show_them(file: Path, capsys: Capture) -> None:
    capsys.readouterr()
    assert main(["status"]) == 0
    assert "proposed       plain, strong (orkestra task show TASK" in capsys.readouterr().out
    assert main(["task", "list", "--state", "proposed"]) == 0
    assert "Plain (found by claude at a, try 1:1)" in capsys.readouterr().out


def test_the_schema_says_what_is_read() -> None:
    schema = json.loads((PACKAGE / "schemas" / "follow-ups.schema.json").read_text())
    known = schema["$defs"]["task"]["properties"]
    assert set(known) == {"id", "depends_on", "prefer_after", *tasklist.LONGEST, *tasklist.FIELDS,
                          *tasklist.PATHS}  # fmt: skip
    assert set(known) <= set(tasks.CHECKS)
    assert {key: known[key]["maxLength"] for key in tasklist.LONGEST} == tasklist.LONGEST
    assert schema["properties"]["tasks"]["maxItems"] == followups.MOST
    assert schema["$defs"]["names"]["maxItems"] == tasklist.MOST_LISTED
