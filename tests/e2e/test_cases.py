"""Case to status, exit code and decision: what a user finds after a run, for each thing that goes wrong.

A hostile case is run twice: it succeeds with its defence off and fails with it on.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from world import World

KEY = "orkestra-test-key-3f9c2b7d1e8a4650"


def task(name: str, command: str, **more: Any) -> dict[str, Any]:
    """A task for the shell agent."""
    return {"id": name, "command": command, **more}


# case: (tasks, settings) -> (exit code of start, {task: status}, {task: decision}, words in the outcome)
TABLE: dict[str, tuple[list[dict[str, Any]], dict[str, Any], int, dict[str, str], dict[str, str], str]] = {
    "it lands": (
        [task("a", "mkdir -p src && echo hi >src/a.txt", check="test -s src/a.txt")],
        {},
        0,
        {"a": "completed"},
        {"a": "landed"},
        "",
    ),
    "a check that fails three times": (
        [task("a", "mkdir -p src && echo hi >src/a.txt", check="echo too bad; false")],
        {},
        1,
        {"a": "failed"},
        {"a": "failed"},
        "check",
    ),
    "the agent fails": ([task("a", "exit 7")], {}, 1, {"a": "failed"}, {"a": "failed"}, "ended with 7"),
    "nothing changed": ([task("a", "true")], {}, 1, {"a": "failed"}, {"a": "failed"}, "nothing"),
    "nothing changed, and that is allowed": (
        [task("a", "true", allow_empty=True), task("b", "echo b >b", depends_on=["a"])],
        {},
        0,
        {"a": "completed", "b": "completed"},
        {"a": "answered", "b": "landed"},
        "",
    ),
    "it takes too long": (
        [task("a", "echo a >a; sleep 600", timeout=1, max_attempts=1)],
        {},
        1,
        {"a": "failed"},
        {"a": "failed"},
        "second",
    ),
    "outside allow_paths": (
        [task("a", "echo hi >b.txt", allow_paths=["src/**"], max_attempts=1)],
        {},
        1,
        {"a": "failed"},
        {"a": "failed"},
        "scope",
    ),
    "what waits for a failed task stays pending": (
        [task("a", "exit 1", max_attempts=1), task("b", "echo b >b", depends_on=["a"])],
        {},
        1,
        {"a": "failed", "b": "pending"},
        {"a": "failed"},
        "",
    ),
    "the same line by two tasks": (
        [
            task("a", "echo a >shared.txt; echo a >a.txt"),
            task("b", "echo b >shared.txt; echo b >b.txt"),
            task("c", "echo c >shared.txt; echo c >c.txt"),
        ],
        {},
        0,
        {"a": "completed", "b": "completed", "c": "completed"},
        {"a": "landed", "b": "landed", "c": "landed"},
        "",
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_table(world: World, case: str) -> None:
    tasks, settings, code, statuses, decisions, words = TABLE[case]
    project = world.new("cases", tasks, **settings)
    done = project.start("--workers", "3")
    assert done.returncode == code, done.stdout + done.stderr
    assert project.statuses() == statuses
    assert project.decided() == decisions
    assert len([o for o in project.outcomes() if o["decision"] in ("landed", "answered")]) == list(
        decisions.values()
    ).count("landed") + list(decisions.values()).count("answered")
    assert words in project.outcomes()[-1]["why"]
    assert project.git("status", "--porcelain") == ""
    verified = project.verify()
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_failing_check_is_tried_three_times_and_each_work_is_kept(world: World) -> None:
    project = world.new("thrice", [task("a", "echo $RANDOM >a.txt", check="false")])
    assert project.start().returncode == 1
    assert project.outcomes()[-1]["attempt"] == 3
    kept = project.git("for-each-ref", "--format=%(refname)", "refs/orkestra/attempts/a").splitlines()
    assert len(kept) == 3
    assert "a.txt" in project.git("ls-tree", "--name-only", kept[0])


def test_the_reason_of_a_failure_reaches_the_next_attempt(world: World) -> None:
    told = 'grep -q "needs a second line" "$ORKESTRA_ATTEMPT_DIR/feedback.md"'
    command = f"if {told}; then echo 2 >a; else echo 1 >a; fi"
    check = 'test "$(cat a)" = 2 || { echo needs a second line; exit 1; }'
    project = world.new("reasons", [task("a", command, check=check)])
    done = project.start()
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.file("a") == "2\n"


def test_a_project_whose_check_is_red_before_anything(world: World) -> None:
    project = world.new("red", [task("a", "echo hi >a")], check="echo broken already; false")
    done = project.start()
    assert done.returncode == 1
    assert "before anything" in done.stderr
    assert project.outcomes() == []
    assert project.statuses() == {"a": "pending"}
    assert not list((project.path / "logs/execution").glob("attempts/a/*"))
    anyway = project.start("--anyway")
    assert anyway.returncode == 1
    assert project.decided() == {"a": "failed"}


def test_a_revision_lands_on_its_second_version(world: World) -> None:
    command = (
        'if test -e "$ORKESTRA_ATTEMPT_DIR/feedback.md"; then echo clean >a; else echo "trailing  " >a; fi'
    )
    project = world.new("revised", [task("a", command)])
    done = project.start()
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.file("a") == "clean\n"
    assert [vote["decision"] for vote in project.votes()] == ["revise", "approve"]
    assert [vote["id"] for vote in project.outcomes()[0]["votes"]] == ["vote-001", "vote-002"]


# --- a person and a run ---


def test_a_persons_edit_in_the_way_waits_and_is_never_overwritten(world: World) -> None:
    project = world.new("edited", [task("a", "echo theirs >README.md"), task("b", "echo b >b")])
    (project.path / "README.md").write_text("mine, not committed\n")
    done = project.start()
    assert done.returncode == 1, done.stdout + done.stderr
    assert "README.md" in done.stdout + done.stderr
    assert (project.path / "README.md").read_text() == "mine, not committed\n"
    assert project.statuses() == {"a": "pending", "b": "completed"}
    assert project.decided() == {"b": "landed"}
    # Once it is out of the way the work that was done lands, without being done again.
    project.git("checkout", "README.md")
    done = project.start()
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.file("README.md") == "theirs\n"
    log = (project.path / "logs/execution/task-execution.log").read_text().splitlines()
    events = [event for event in map(json.loads, log) if event.get("task") == "a"]
    assert [event["event"] for event in events].count("worked") == 1


def test_edits_of_the_queue_are_committed_with_its_status_when_the_run_ends(world: World) -> None:
    project = world.new("queue", [])
    added = world.orkestra("task", "add", "Write b", "--id", "b", "--command", "echo b >b")
    assert added.returncode == 0, added.stderr
    done = project.start()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kept for the next" not in done.stderr
    assert project.git("status", "--porcelain") == ""
    tasks = json.loads(project.file("config/task-queue.json") or "")["tasks"]
    assert [(task["id"], task["status"]) for task in tasks if task["id"] == "b"] == [("b", "completed")]


def test_a_persons_commit_in_the_middle_of_a_run_is_a_new_base(world: World) -> None:
    latch = "while ! test -e go; do sleep 0.05; done; rm go; echo a >a"
    project = world.new("commits", [task("a", latch, inputs=[])])
    run = world.start_in_background("--workers", "1", "--project", str(project.path))
    tree = _wait_for_tree(world)
    (project.path / "mine").write_text("mine\n")
    project.git("add", "mine")
    project.git("commit", "--quiet", "-m", "a person's")
    (tree / "go").write_text("")
    output, _ = run.communicate(timeout=120)
    assert run.returncode == 0, output
    assert project.file("mine") == "mine\n" and project.file("a") == "a\n"
    assert project.git("log", "--format=%p", "main").count(" ") == 0  # history stays linear
    assert project.verify().returncode == 0


def _wait_for_tree(world: World) -> Path:
    """The working tree of worker 1, once its agent is there."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for owner in (world.place / "home" / ".cache" / "orkestra").glob("*/w1/owner"):
            if owner.stat().st_size:
                return owner.parent / "tree"
        time.sleep(0.05)
    raise AssertionError("no attempt began")


def test_a_second_run_on_the_same_project_says_who_holds_it(world: World) -> None:
    project = world.new("held", [task("a", "while ! test -e go; do sleep 0.05; done; rm go; echo a >a")])
    run = world.start_in_background("--workers", "1", "--project", str(project.path))
    tree = _wait_for_tree(world)
    second = project.start()
    assert second.returncode == 16
    assert "process" in second.stderr
    (tree / "go").write_text("")
    output, _ = run.communicate(timeout=120)
    assert run.returncode == 0, output


def test_stop_keeps_the_work_and_the_next_start_goes_on(world: World) -> None:
    command = "echo half >half.txt; touch started; while ! test -e go; do sleep 0.05; done"
    project = world.new("stopped", [task("a", command)])
    run = world.start_in_background("--workers", "1", "--project", str(project.path))
    tree = _wait_for_tree(world)
    end = time.monotonic() + 60
    while not (tree / "started").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    stopped = world.orkestra("stop", "--project", str(project.path))
    assert stopped.returncode == 0, stopped.stderr
    output, _ = run.communicate(timeout=60)
    assert run.returncode in (130, 143), output
    assert project.statuses() == {"a": "pending"}
    kept = project.git("for-each-ref", "--format=%(refname)", "refs/orkestra/attempts/a").splitlines()
    assert kept and "half.txt" in project.git("ls-tree", "--name-only", kept[0])
    assert "no run" in world.orkestra("stop", "--project", str(project.path)).stdout


def test_two_projects_run_at_once_and_do_not_disturb_each_other(world: World) -> None:
    tasks = [task(f"t{n}", f"mkdir -p src; echo {n} >src/{n}.txt") for n in range(6)]
    one, two = world.new("one", tasks), world.new("two", tasks)
    runs = [world.start_in_background("--project", str(each.path)) for each in (one, two)]
    for run in runs:
        output, _ = run.communicate(timeout=150)
        assert run.returncode == 0, output
    for each in (one, two):
        assert set(each.decided().values()) == {"landed"} and len(each.outcomes()) == 6
        assert each.verify().returncode == 0


def test_start_works_on_the_loaded_project_and_says_so_from_inside_another(world: World) -> None:
    inside, loaded = (
        world.new("inside", [task("a", "echo a >a")]),
        world.new("loaded", [task("b", "echo b >b")]),
    )
    assert world.orkestra("load", "loaded").returncode == 0
    done = world.orkestra("start", cwd=inside.path)
    assert done.returncode == 0, done.stderr
    assert "loaded" in done.stderr and "inside" in done.stderr
    assert loaded.decided() == {"b": "landed"} and inside.decided() == {}


# --- hostile ---


@pytest.mark.parametrize(
    ("gate", "command"),
    [
        ("scope", "echo '{}' >config/task-queue.json"),
        ("scope", "mkdir -p logs/outcomes && echo '{}' >logs/outcomes/outcome-001.json"),
        ("scope", "git init -q n && git -C n -c user.name=x -c user.email=x@x commit -q --allow-empty -m x"),
        ("scope", "mkdir -p src && ln -s /etc/passwd src/link"),
        ("scope", "mkdir -p src && ln -s ../../../outside src/link"),
        ("secrets", f"mkdir -p src && printf %s {KEY[:20]} >src/k && printf %s {KEY[20:]} >>src/k"),
        ("protected", "mkdir -p tests && echo 'exit 0' >tests/run.sh"),
    ],
)
def test_a_gate_refuses_what_would_land_without_it(world: World, gate: str, command: str) -> None:
    keys = world.home / "CONFIG" / "api-keys.env"
    keys.parent.mkdir(parents=True, exist_ok=True)
    keys.touch(mode=0o600)
    keys.write_text(f"ANTHROPIC_API_KEY={KEY}\n")
    tasks = [task("a", command + "; mkdir -p src; echo x >src/x", max_attempts=1)]
    guarded = world.new("guarded", tasks, committee={"reviewers": ["size"]})
    done = guarded.start()
    assert done.returncode == 1, done.stdout + done.stderr
    assert guarded.statuses()["a"] == ("needs_human" if gate == "protected" else "failed")
    assert guarded.file("src/x") is None
    assert gate in json.dumps(guarded.outcomes()[-1])
    assert KEY not in json.dumps(guarded.outcomes()) and KEY not in done.stdout + done.stderr
    for file in (guarded.path / "logs").rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes(), file

    open_world = world.weakened(f"SCRIPTS/SAFETY/gates/{gate}")
    unguarded = open_world.new("unguarded", tasks, committee={"reviewers": ["size"]})
    done = unguarded.start()
    assert unguarded.file("src/x") is not None, done.stdout + done.stderr


def test_nothing_in_a_task_file_escapes_its_place(world: World) -> None:
    project = world.new("names", [])
    marker = world.place / "pwned"
    for bad in ("../x", "/etc/x", "-x", "a b", "$(touch pwned)", "a\nb", "x" * 65, "A", "x.lock", "a..b", ""):
        file = project.path / "config" / "task-queue.json"
        before = file.read_text()
        file.write_text(
            json.dumps(
                {"version": 1, "tasks": [{"id": bad, "title": "x", "agent": "shell", "command": "true"}]}
            )
        )
        done = project.start()
        assert done.returncode == 65, (bad, done.stdout, done.stderr)
        assert "task-queue.json" in done.stderr and "Traceback" not in done.stderr
        file.write_text(before)
    assert not marker.exists() and not (project.path / "pwned").exists()


# --- moved, cloned, forged ---


def test_a_moved_and_a_cloned_project(world: World) -> None:
    project = world.new("mover", [task("a", "echo a >a")])
    assert project.start().returncode == 0
    elsewhere = world.place / "some where élse"
    os.rename(project.path, elsewhere)
    loaded = world.orkestra("load", str(elsewhere))
    assert loaded.returncode == 0, loaded.stderr
    project.path = elsewhere
    project.tasks([task("b", "echo b >b")])
    done = world.orkestra("start")
    assert done.returncode == 0, done.stderr
    assert project.file("b") == "b\n"

    clone = world.place / "a clone"
    project.git("clone", "--quiet", str(elsewhere), str(clone))
    verified = world.orkestra("verify", "--project", str(clone))
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_projects_elsewhere(world: World) -> None:
    folder = world.place / "my prôjects"
    world.environment["ORKESTRA_PROJECTS"] = str(folder)
    assert world.orkestra("new", "far").returncode == 0
    assert (folder / "far" / "config" / "project.json").is_file()
    assert not (world.home / "PROJECTS" / "far").exists()
