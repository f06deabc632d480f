"""`orkestra undo`: the reverse of a landed change, its record, and what it says of those that built on it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from forger import Forger, path_of
from test_person import LATCH, end, person, tree_with
from world import Project, World


def task(name: str, command: str, **more: Any) -> dict[str, Any]:
    """A task for the shell agent."""
    return {"id": name, "command": command, **more}


TASKS = [
    task("one", "mkdir -p src; seq 20 >src/numbers; echo one >src/one"),
    task("two", "sed -i s/^3$/three/ src/numbers", depends_on=["one"]),
    task("far", "sed -i s/^18$/eighteen/ src/numbers", depends_on=["two"]),
    task("after", "echo x >after", depends_on=["far"]),
    task("alone", "echo alone >alone", prefer_after=["after"]),
]


@pytest.fixture
def project(world: World) -> Project:
    """Five tasks that landed, one after the other."""
    made = world.new("undoes", TASKS)
    done = made.start("--workers", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    return made


def undo(project: Project, *words: str, code: int = 0) -> str:
    """The command; gives what it said."""
    done = project.world.orkestra("undo", "--project", str(project.path), *words)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def holds(project: Project) -> None:
    """verify passes, and the checkout is the branch."""
    done = project.verify()
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.git("status", "--porcelain") == ""


def test_the_reverse_lands_with_an_outcome_that_names_what_built_on_it(project: Project) -> None:
    said = undo(project, "two")
    assert "undone as outcome-006, 1 file;" in said
    assert "far (outcome-003) depends on two" in said and "after (outcome-004) depends on two" in said
    assert "alone" not in said and "one (" not in said
    assert (project.file("src/numbers") or "").splitlines()[1:4] == ["2", "3", "4"]
    assert "eighteen" in (project.file("src/numbers") or "")  # what built on it stays
    last = project.outcomes()[-1]
    assert (last["decision"], last["undoes"], last["task"]) == ("undone", "outcome-002", "two")
    assert last["by"]["name"] and "far (outcome-003)" in last["why"]
    assert project.statuses() == {
        "one": "completed", "two": "cancelled", "far": "completed", "after": "completed", "alone": "completed"
    }  # fmt: skip
    holds(project)
    assert f"This reverts commit {project.outcomes()[1]['change']['commit']}" in project.git(
        "log", "-1", "--format=%B", "main~1"
    )
    # Twice is said, and retry puts it to work again.
    assert "undone already, by outcome-006" in undo(project, "two", code=64)
    assert project.world.orkestra("task", "retry", "two", "--project", str(project.path)).returncode == 0
    done = project.start()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "three" in (project.file("src/numbers") or "") and project.statuses()["two"] == "completed"
    holds(project)
    assert "undone as outcome-008" in undo(project, "two")
    holds(project)


def test_a_later_landing_of_the_same_file_is_named_and_a_conflict_changes_nothing(project: Project) -> None:
    head = project.git("rev-parse", "main")
    said = undo(project, "one", code=1)
    assert "src/numbers: changed since by outcome-002, outcome-003" in said
    assert project.git("rev-parse", "main") == head and project.git("status", "--porcelain") == ""
    assert "far (outcome-003) " in undo(project, "two")
    said = undo(project, "far")
    assert "depends on far" in said and "outcome-002" not in said


def test_what_is_not_there_to_undo_is_said(project: Project) -> None:
    assert "no task" in undo(project, "none", code=64)
    assert "no landing of one" in undo(project, "one", "--outcome", "outcome-002", code=64)
    project.tasks([*TASKS, task("asks", "true", allow_empty=True), task("new", "true")])
    assert "nothing of new has landed" in undo(project, "new", code=64)
    project.world.orkestra("start", "--only", "asks", "--project", str(project.path))
    assert "answered, without a change" in undo(project, "asks", code=64)


def test_the_projects_check_decides_unless_a_person_does(project: Project) -> None:
    project.set(check="test -e alone || { echo alone is missing; false; }")
    head = project.git("rev-parse", "main")
    said = undo(project, "alone", code=1)
    log = Path(said.split("see ")[1].splitlines()[0])
    assert "alone is missing" in log.read_text()
    assert project.git("rev-parse", "main") == head and project.statuses()["alone"] == "completed"
    undo(project, "--anyway", "alone")
    last = project.outcomes()[-1]
    assert last["anyway"] is True and last["evidence"][0]["exit"] == 1
    assert project.file("alone") is None
    holds(project)


def test_a_persons_edit_in_the_way_is_left_alone(project: Project) -> None:
    (project.path / "alone").write_text("mine\n")
    head = project.git("rev-parse", "main")
    assert "alone, where there are edits" in undo(project, "alone", code=1)
    assert (project.path / "alone").read_text() == "mine\n" and project.git("rev-parse", "main") == head
    project.git("checkout", "alone")
    (project.path / "after").write_text("mine\n")
    undo(project, "alone")
    assert (project.path / "after").read_text() == "mine\n" and not (project.path / "alone").exists()


def test_an_earlier_landing_of_a_task_that_landed_again(world: World) -> None:
    project = world.new("again", [task("a", "echo $RANDOM$RANDOM >a-$RANDOM$RANDOM")])
    assert project.start().returncode == 0
    assert world.orkestra("task", "retry", "a", "--project", str(project.path)).returncode == 0
    assert project.start().returncode == 0
    undo(project, "a", "--outcome", "outcome-001")
    assert project.statuses() == {"a": "completed"}  # by its newer landing
    holds(project)
    undo(project, "a")
    assert project.statuses() == {"a": "cancelled"}
    assert not [
        name for name in project.git("ls-tree", "--name-only", "main").splitlines() if name[:2] == "a-"
    ]
    holds(project)


def test_what_a_person_reverted_rebased_or_squashed_since(project: Project) -> None:
    project.git("revert", "--no-edit", project.outcomes()[4]["change"]["commit"])
    assert "0 files" in undo(project, "alone")
    assert project.statuses()["alone"] == "cancelled"
    holds(project)
    # Everything in one commit: the change is found by its object.
    first = project.git("rev-list", "--max-parents=0", "main")
    project.git("reset", "--quiet", "--soft", first)
    project.git("commit", "--quiet", "-m", "squashed")
    undo(project, "far")
    assert "18" in (project.file("src/numbers") or "").splitlines()
    assert "three" in (project.file("src/numbers") or "")


def test_every_forged_undo_is_named(project: Project, tmp_path: Path) -> None:
    undo(project, "two")
    name = project.outcomes()[-1]["id"]

    def clone(number: int) -> Forger:
        place = tmp_path / f"a clône {number}"
        project.git("clone", "--quiet", str(project.path), str(place))
        return Forger(Project(project.world, place))

    changes: list[dict[str, Any]] = [
        {"undoes": "outcome-003"},  # another task's
        {"undoes": "outcome-006"},  # itself
        {"undoes": "outcome-044"},
        {"by": {"name": "", "email": "x"}},
        {"evidence": [{"check": "true", "exit": 1, "log_sha256": "0" * 64, "tree": "0" * 40}]},
        {"decision": "landed"},
        {"decision": "failed"},
        {"task": "one"},
    ]
    for number, change in enumerate(changes):
        forger = clone(number)
        forger.commit(forger.rehashed(forger.record(name) | change))
        done = forger.project.verify()
        lines = [line for line in done.stdout.splitlines() if line.startswith("does not hold: ")]
        mine = [line for line in lines if f" {name}: " in line and "was edited by commit" not in line]
        assert done.returncode == 1 and mine, (change, done.stdout)


def test_an_undo_that_is_not_the_reverse_is_named(project: Project, tmp_path: Path) -> None:
    """A history in which the reverse was another change all along, with every hash made to fit."""
    undo(project, "alone")
    place = tmp_path / "a clône"
    project.git("clone", "--quiet", str(project.path), str(place))
    forged = Project(project.world, place)
    head = forged.git("rev-parse", "main")
    record = json.loads(forged.git("show", f"main:{path_of('outcome-006')}"))
    forged.git("reset", "--quiet", "--hard", "main~2")
    forged.git("rm", "--quiet", "alone")
    (place / "src" / "backdoor").write_text("x\n")
    forged.git("add", "--all")
    forged.git("commit", "--quiet", "-m", forged.git("log", "-1", "--format=%B", f"{head}~1"))
    change = forged.git("rev-parse", "main")
    diff = _diff(place, "main~1", "main")
    ids = subprocess.run(["git", "patch-id", "--stable"], input=diff, capture_output=True, check=True).stdout
    from orkestra_shim import canonical

    record["change"] |= {
        "commit": change, "tree": forged.git("rev-parse", "main^{tree}"),
        "diff_sha256": canonical.sha256(diff), "patch_id": ids.split()[0].decode(),
    }  # fmt: skip
    record["evidence"] = []
    record["sha256"] = canonical.digest(record)
    (place / path_of("outcome-006")).write_bytes(canonical.pretty(record))
    forged.git("add", "--all")
    forged.git("commit", "--quiet", "-m", forged.git("log", "-1", "--format=%B", head))
    done = forged.verify()
    found = [line for line in done.stdout.splitlines() if line.startswith("does not hold: ")]
    assert found == [
        "does not hold: outcome-006: its change is not the reverse of what landed as outcome-005"
    ], done.stdout


def _diff(place: Path, one: str, other: str) -> bytes:
    words = ["diff-tree", "-r", "-p", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv"]
    return subprocess.run(
        ["git", "-C", str(place), *words, one, other], capture_output=True, check=True
    ).stdout


# --- beside a run -------------------------------------------------------------------------------------------


def test_undo_while_a_run_goes_on(world: World) -> None:
    """Nothing waits for the run, the run takes it in, and what depends on it is not begun."""
    project = world.new(
        "beside",
        [
            task("done", "echo done >done.txt"),
            task("slow", LATCH + "; echo slow >slow.txt", depends_on=["done"]),
            task("next", "echo next >next.txt", depends_on=["slow", "done"]),
            task("fails", "false", max_attempts=1, priority="high"),
        ],
    )
    run = world.start_in_background("--project", str(project.path), "--workers", "1")
    tree = tree_with(project, "started")
    assert "undone as outcome-003" in undo(project, "done")  # 002 is the failure, recorded with the landing
    assert project.statuses()["done"] == "cancelled"
    (tree / "go").touch()
    output = end(run)
    assert run.returncode == 1, output
    assert project.statuses() == {
        "done": "cancelled", "slow": "completed", "next": "pending", "fails": "failed"
    }  # fmt: skip
    assert project.file("done.txt") is None and project.file("slow.txt") == "slow\n"
    holds(project)
    assert [outcome["id"] for outcome in project.outcomes()] == [f"outcome-00{n}" for n in (1, 2, 3, 4)]
    person(project, "task", "retry", "done")
    assert project.start().returncode == 1  # fails failed
    assert project.statuses() == {
        "done": "completed", "slow": "completed", "next": "completed", "fails": "failed"
    }  # fmt: skip
    holds(project)


def test_a_task_that_is_worked_on_again_is_stopped_when_its_landing_is_undone(world: World) -> None:
    command = "test ! -e a.txt || { touch started; sleep 600; }; echo a >a.txt"
    project = world.new("twice", [task("a", command)])
    assert project.start().returncode == 0
    person(project, "task", "retry", "a")
    run = world.start_in_background("--project", str(project.path))
    tree_with(project, "started")
    assert "undone as outcome-002" in undo(project, "a")
    output = end(run)
    assert "taken away by a person" in output and run.returncode == 0, output
    assert project.statuses() == {"a": "cancelled"} and project.file("a.txt") is None
    holds(project)


def test_landings_and_undos_at_once_draw_no_number_twice(world: World) -> None:
    first = [task(f"u{n}", f"echo {n} >u{n}") for n in range(4)]
    project = world.new("numbers", first)
    assert project.start().returncode == 0
    more = [task(f"t{n}", f"echo {n} >t{n}") for n in range(16)]
    more += [task(f"f{n}", "false", max_attempts=1) for n in range(4)]
    project.tasks([*first, *more])
    run = world.start_in_background("--project", str(project.path), "--workers", "2")
    for n in range(4):
        undo(project, f"u{n}")
    output = end(run)
    assert run.returncode == 1, output
    statuses = project.statuses()
    assert {statuses[f"u{n}"] for n in range(4)} == {"cancelled"}
    assert {statuses[f"t{n}"] for n in range(16)} == {"completed"}
    assert [one["id"] for one in project.outcomes()] == [f"outcome-{n:03d}" for n in range(1, 29)]
    holds(project)
