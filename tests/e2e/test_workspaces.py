"""Workspaces from end to end: what they share, what is set up in them, repositories of every kind."""

from __future__ import annotations

from typing import Any

import pytest

from world import Project, World


def _share(project: Project, *share: Any, **more: Any) -> None:
    project.set(workspace={"share": list(share), **more})


SEEN = "data [x]*?!/in "  # a name that a pattern could take for another


def _with_data(world: World, tasks: list[dict[str, Any]], **settings: Any) -> Project:
    """A project with a folder to read and one to write, neither in Git."""
    project = world.new("shared", tasks, **settings)
    for path, text in ((f"{SEEN}/big.txt", "big"), ("out/there.txt", "there")):
        (project.path / path).parent.mkdir(parents=True, exist_ok=True)
        (project.path / path).write_text(text + "\n")
    return project


SHARES = [
    {
        "id": "reads",
        "command": f'cat "{SEEN}/big.txt" >read.txt && cat out/there.txt >>read.txt'
        f" && git status --porcelain >said.txt && git add -A && git commit -qm mine"
        f'; ! echo x 2>/dev/null >"{SEEN}/written"',
        "check": f'cmp <(cat "{SEEN}/big.txt" out/there.txt) read.txt',
    },
    {
        "id": "writes",
        "depends_on": ["reads"],
        "command": "echo new >out/new.txt; echo done >done.txt; rm -rf out/there.txt",
        "check": "test -s out/new.txt",
    },
]


@pytest.mark.parametrize("sandbox", ["required", "off"])
def test_a_shared_folder_is_there_for_agent_and_check_and_no_part_of_the_change(
    world: World, sandbox: str
) -> None:
    project = _with_data(world, SHARES, check="test -e out")
    _share(project, SEEN, {"path": "out", "mode": "rw"})
    world.environment["ORKESTRA_SANDBOX"] = sandbox
    if sandbox == "off":
        # Nothing keeps an agent from writing then; a link in its place is no change, whatever patterns say.
        project.tasks([SHARES[0] | {"command": SHARES[0]["command"].split("; !")[0]}, SHARES[1]])
        (project.path / ".gitignore").write_text("/logs/execution/\n!/out\n")
        project.git("commit", "--quiet", "--all", "-m", "patterns")
    said = "?? read.txt\n?? said.txt\n" if sandbox == "required" else "?? out\n?? read.txt\n?? said.txt\n"
    done = project.start("--workers", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.file("read.txt") == "big\nthere\n" and project.file("said.txt") == said
    assert [one["change"]["files"] for one in project.outcomes()] == [2, 1]
    assert sorted(path.name for path in (project.path / "out").iterdir()) == ["new.txt"]
    assert not (project.path / SEEN / "written").exists() and (project.path / SEEN / "big.txt").exists()
    assert project.verify().returncode == 0


def test_a_setup_is_done_once_while_tasks_land_and_what_it_makes_is_there_for_all(world: World) -> None:
    count = "echo $ORKESTRA_TASK >>counts/tasks; test -s made/x && "
    project = world.new(
        "setup",
        [
            {"id": "a", "command": count + "echo a >a"},
            {
                "id": "b",
                "command": count + "test -e counts/b && echo b >b || ! touch counts/b",
                "depends_on": ["a"],
            },
            {"id": "c", "command": count + "echo c >c", "depends_on": ["b"]},
        ],
        check="test -s made/x && test ! -e litter",
    )
    (project.path / ".gitignore").write_text("/logs/execution/\nmade/\ncounts/\n")
    (project.path / "counts").mkdir()
    _share(
        project,
        {"path": "counts", "mode": "rw"},
        setup="echo >>counts/setup; mkdir made; echo >made/x; echo >litter",
    )
    done = project.start("--workers", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project.path / "counts" / "tasks").read_text().split() == ["a", "b", "b", "c"]
    # For the check of the branch before the run; for the first task; and after the attempt that failed.
    assert len((project.path / "counts" / "setup").read_text()) == 3
    assert [one["change"]["files"] for one in project.outcomes()] == [1, 1, 1]
    # An undo, too, needs it for its check.
    assert world.orkestra("undo", "--project", str(project.path), "c").returncode == 0


@pytest.mark.parametrize("check", ["", "true"])
def test_a_setup_that_fails_ends_the_run_and_is_no_attempt(world: World, check: str) -> None:
    project = world.new("setup", [{"id": "a", "command": "echo a >a", "max_attempts": 1}], check=check)
    _share(project, setup="echo no such package; exit 7")
    done = project.start("--workers", "2")
    assert done.returncode == 78, done.stdout + done.stderr
    assert "the setup of a workspace failed (exit 7)" in done.stderr and "setup-w" in done.stderr
    log = next((project.path / "logs" / "execution").glob("setup-w*.log"))
    assert log.read_text() == "no such package\n"
    _share(project, setup="")
    assert project.start().returncode == 0
    assert project.decided() == {"a": "landed"}
