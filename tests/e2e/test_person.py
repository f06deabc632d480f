"""A person's hand on the work: cancel, edit, retry with a note, another agent or kept work."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from world import Project, World

BOUND = 240  # seconds: a bound for what never comes
LATCH = "touch started; while ! test -e go; do sleep 0.05; done; rm -f started go"


def task(name: str, command: str, **more: Any) -> dict[str, Any]:
    """A task for the shell agent."""
    return {"id": name, "command": command, **more}


def wait_for(event: Callable[[], object]) -> None:
    """Until it has come."""
    end = time.monotonic() + BOUND
    while not event():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def tree_with(project: Project, name: str) -> Path:
    """The working tree in which an agent has made a file of that name."""
    found: list[Path] = []

    def look() -> bool:
        found[:] = (project.world.place / "home" / ".cache" / "orkestra").glob(f"*/w*/tree/{name}")
        return bool(found)

    wait_for(look)
    return found[0].parent


def person(project: Project, *words: str, code: int = 0) -> str:
    """A command on this project; gives what it said."""
    done = project.world.orkestra(*words, "--project", str(project.path))
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def events(project: Project, name: str) -> list[str]:
    """What happened to a task, by the execution log."""
    log = (project.path / "logs/execution/task-execution.log").read_text().splitlines()
    return [event["event"] for event in map(json.loads, log) if event.get("task") == name]


def log_has(project: Project, name: str, event: str) -> bool:
    """Whether the execution log tells of that."""
    try:
        return event in events(project, name)
    except FileNotFoundError:
        return False


def end(run: subprocess.Popen[str]) -> str:
    """What a run that ends said."""
    output, _ = run.communicate(timeout=BOUND)
    return output


# --- cancel -------------------------------------------------------------------------------------------------


def test_a_cancelled_tasks_agent_is_stopped_its_work_kept_and_the_others_go_on(world: World) -> None:
    project = world.new(
        "cancels",
        [
            task("a", "echo half >half.txt; touch started; sleep 600"),
            task("b", "echo b >b.txt", priority="low"),
            task("c", "echo c >c.txt", depends_on=["a"]),
        ],
    )
    run = world.start_in_background("--project", str(project.path), "--workers", "1")
    tree_with(project, "started")
    began = time.monotonic()
    said = person(project, "task", "cancel", "a", "--why", "not wanted")
    assert "being stopped" in said and "c cannot be done" in said
    assert project.statuses()["a"] == "cancelled"
    output = end(run)
    assert time.monotonic() - began < 60, output
    assert run.returncode == 1 and "taken away by a person" in output, output  # c is left
    assert project.statuses() == {"a": "cancelled", "b": "completed", "c": "pending"}
    assert "half.txt" in project.git("ls-tree", "--name-only", "refs/orkestra/attempts/a/1")
    assert not any(one.exists() for one in (project.path / "half.txt", project.path / "started"))
    # It takes no attempt, and retry goes on with what was done.
    person(project, "task", "edit", "a", "--command", "cat half.txt >whole.txt")
    person(project, "task", "retry", "a", "--from-attempt", "1")
    assert project.start().returncode == 0
    assert project.file("whole.txt") == "half\n" and project.file("half.txt") == "half\n"
    assert project.verify().returncode == 0


def test_nothing_of_a_task_lands_once_cancel_has_returned(world: World) -> None:
    """The check of the task is under way, or it is landing just then: cancel says which."""
    latch = 'test ! -e slow || while ! test -e "$PWD/go"; do sleep 0.02; done'
    project = world.new("late", [task(f"t{n}", f"echo {n} >f{n}") for n in range(12)], check=latch)
    run = world.start_in_background("--project", str(project.path), "--workers", "2")
    refused = []
    for name in [f"t{n}" for n in range(12)]:
        wait_for(
            lambda name=name: log_has(project, name, "gates-refused") or log_has(project, name, "checked")
        )
        done = world.orkestra("task", "cancel", name, "--project", str(project.path))
        landed = name in project.decided()
        assert landed == (done.returncode != 0), (name, done.stdout, done.stderr)
        refused += [name] * landed
    output = end(run)
    assert run.returncode == 0, output
    assert sorted(project.decided()) == sorted(refused)
    cancelled = {name for name, status in project.statuses().items() if status == "cancelled"}
    assert cancelled == {f"t{n}" for n in range(12)} - set(refused)


def test_what_has_landed_cannot_be_cancelled(world: World) -> None:
    project = world.new("landed", [task("a", "echo a >a")])
    assert project.start().returncode == 0
    assert "undo a" in person(project, "task", "cancel", "a", code=64)
    assert "no task" in person(project, "task", "cancel", "x", code=64)


# --- retry --------------------------------------------------------------------------------------------------


def prompt(project: Project, name: str, attempt: int) -> str:
    """What the agent was told."""
    return (project.path / f"logs/execution/attempts/{name}/{attempt}/prompt.md").read_text()


def test_a_note_is_in_the_prompt_and_gone_after_it_landed(world: World) -> None:
    project = world.new("notes", [task("a", "test -e b && echo a >a", max_attempts=1)])
    assert project.start().returncode == 1
    person(project, "task", "retry", "a", "--note", "b is $(touch pwned) {{ needed }}\nreally")
    (project.path / "b").write_text("b\n")
    project.git("add", "--all")
    project.git("commit", "--quiet", "-m", "b")
    assert project.start().returncode == 0
    assert "b is $(touch pwned) {{ needed }}\nreally" in prompt(project, "a", 2)
    (queued,) = json.loads(project.file("config/task-queue.json") or "")["tasks"]
    assert queued["status"] == "completed" and "note" not in queued
    person(project, "task", "retry", "a", "--note", "")
    project.start()
    assert "needed" not in prompt(project, "a", 3)


def test_retry_while_the_run_goes_on_and_no_record_tells_of_the_failure_yet(world: World) -> None:
    """By another agent, too: what failed is not recorded before something lands."""
    latch = task("z", LATCH + "; echo z >z", priority="low")
    project = world.new("again", [task("a", "test -e b", max_attempts=1), latch])
    run = world.start_in_background("--project", str(project.path), "--workers", "1")
    tree = tree_with(project, "started")
    assert log_has(project, "a", "outcome-drafted") and project.outcomes() == []
    assert "auto, " in person(project, "task", "retry", "a", "--agent", "nobody", code=64)
    person(project, "task", "edit", "a", "--command", "echo a >a")
    said = person(project, "task", "retry", "a", "--agent", "auto", "--note", "once more")
    assert "run that goes on" in said
    assert "nothing to do again" in person(project, "task", "retry", "z", code=64)
    (tree / "go").touch()
    output = end(run)
    assert run.returncode == 0, output
    assert project.decided() == {"a": "landed", "z": "landed"}
    assert "once more" in prompt(project, "a", 2)
    assert project.verify().returncode == 0
    assert project.start().returncode == 0 and events(project, "a").count("claimed") == 2


def test_a_retry_from_kept_work_that_conflicts_tells_the_agent_and_gives_it_the_patch(world: World) -> None:
    patch = '"$ORKESTRA_ATTEMPT_DIR/previous.patch"'
    command = f"if test -e {patch}; then cp {patch} p; else echo mine >f; fi"
    project = world.new("conflict", [task("a", command, check="test -e p", max_attempts=1)])
    assert project.start().returncode == 1
    said = person(project, "task", "retry", "a", "--from-attempt", "7", code=64)
    assert "kept are: 1" in said
    (project.path / "f").write_text("a person's\n")
    project.git("add", "--all")
    project.git("commit", "--quiet", "-m", "f")
    person(project, "task", "retry", "a", "--from-attempt", "1")
    done = project.start()
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.file("f") == "a person's\n" and "+mine" in (project.file("p") or "")
    assert "does not go with what landed" in prompt(project, "a", 2)
    # One that is not there any more is said, and no other work is taken for it.
    project.tasks([task("b", "echo b >b", from_attempt=3, max_attempts=1)])
    assert project.start().returncode == 1
    assert "not kept" in project.outcomes()[-1]["why"]


# --- edit ---------------------------------------------------------------------------------------------------


def queued(project: Project, name: str) -> dict[str, Any]:
    """A task as the queue file has it."""
    tasks = json.loads((project.path / "config/task-queue.json").read_text())["tasks"]
    return next(one for one in tasks if one["id"] == name)


def test_edit_changes_what_was_given_and_nothing_else(world: World) -> None:
    project = world.new("edits", [task("a", "echo a >a", mine="kept"), task("b", "echo b >b", check="false")])
    person(
        project,
        "task",
        "edit",
        "b",
        "--title",
        "B!",
        "--depends-on",
        "a",
        "--priority",
        "high",
        "--unset",
        "check",
    )
    assert queued(project, "b") == {
        **task("b", "echo b >b", agent="shell"), "title": "B!", "depends_on": ["a"], "priority": "high"
    }  # fmt: skip
    before = (project.path / "config/task-queue.json").read_bytes()
    assert "cycle: a -> b -> a" in person(project, "task", "edit", "a", "--depends-on", "b", code=64)
    assert "unknown task 'x'" in person(project, "task", "edit", "a", "--depends-on", "x", code=64)
    assert "EDITOR" in person(project, "task", "edit", "a", code=64)
    assert (project.path / "config/task-queue.json").read_bytes() == before
    assert project.start().returncode == 0
    assert queued(project, "a")["mine"] == "kept"


def test_edit_in_an_editor_that_fails_or_leaves_rubbish_changes_nothing(world: World) -> None:
    project = world.new("editor", [task("a", "echo a >a")])
    before = (project.path / "config/task-queue.json").read_bytes()
    script = world.place / "an editor.sh"

    def edit(body: str, code: int) -> str:
        script.write_text(f"#!/bin/bash\n{body}\n")
        script.chmod(0o755)
        world.environment["VISUAL"] = f"'{str(script).replace(chr(39), chr(39) + chr(92) + chr(39) * 2)}' -x"
        return person(project, "task", "edit", "a", code=code)

    assert "ended with 3" in edit("echo x >$2; exit 3", 1)
    assert ".json:2:3: not valid JSON" in edit("printf '{\\n  rubbish' >\"$2\"", 65)
    assert ".json:2:15: priority must be" in edit('sed -i \'s/"title": .*/"priority": "soon",/\' "$2"', 65)
    assert "the id must stay 'a'" in edit('sed -i \'s/"id": "a"/"id": "b"/\' "$2"', 65)
    kept = edit("echo 'my words' >\"$2\"", 65).split("kept in ")[1].strip()
    assert Path(kept).read_text() == "my words\n"
    assert "as it was" in edit(":", 0)
    queue = _quoted(project.path / "config/task-queue.json")
    assert "meanwhile" in edit(f"sed -i 's/echo a/echo z/' '{queue}'; sed -i s/echo/cat/ \"$2\"", 64)
    (project.path / "config/task-queue.json").write_bytes(before)
    edit('sed -i \'s/"title": .*/"title": "new",/\' "$2"', 0)
    assert queued(project, "a")["title"] == "new"


def _quoted(path: Path) -> str:
    return str(path).replace("'", "'\\''")
