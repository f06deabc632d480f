"""The command: exit codes, errors in a line or two, which project is meant, nothing that moves a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orkestra_shim import project
from orkestra_shim.cli import main
from orkestra_shim.text import printable

Capture = pytest.CaptureFixture[str]


def git(path: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(path), *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def process(framework: Path, *arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(framework / "orkestra_shim" / "__main__.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["task", "add", "--help"], 0),
        (["nothing-like-it"], 64),
        (["new"], 64),
        (["new", "a", "b"], 64),
        (["start", "--workers", "many"], 64),
        (["start", "--workers", "0"], 64),
        (["task", "add", "x", "--priority", "now"], 64),
        (["new", "../x"], 64),
        (["new", "x", "--template", "none-such"], 64),
        (["load", "none-such"], 78),
        (["status"], 78),
        (["adopt", "none-such"], 64),
        (["config", "get", "PATH"], 64),
        (["config", "set", "ORKESTRA_WORKERS", "x"], 78),
    ],
)
def test_exit_codes(place: Path, capsys: Capture, arguments: list[str], code: int) -> None:
    assert main(arguments) == code
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    if code:
        assert said.out == "" and said.err.startswith("orkestra: ")
        assert len(said.err.strip().splitlines()) <= 3


def test_new_points_to_it_and_list_marks_it(place: Path, capsys: Capture) -> None:
    assert main(["new", "one"]) == 0
    assert main(["new", "two"]) == 0
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:5] for line in lines[-2:]] == ["  one", "* two"]
    assert main(["load", "one"]) == 0
    capsys.readouterr()
    assert main(["list", "--json"]) == 0
    assert [(row["name"], row["active"]) for row in json.loads(capsys.readouterr().out)] == [
        ("one", True),
        ("two", False),
    ]


def test_inside_another_project_it_says_so(
    place: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["new", "one"])
    main(["new", "two"])
    monkeypatch.chdir(Path(os.environ["ORKESTRA_HOME"]) / "PROJECTS" / "one" / "src")
    capsys.readouterr()
    assert main(["status"]) == 0
    said = capsys.readouterr()
    assert "project two" in said.out
    assert "you are inside the project" in said.err and "one" in said.err
    assert main(["status", "--project", "one"]) == 0
    said = capsys.readouterr()
    assert "project one" in said.out and said.err == ""


def test_a_project_that_was_moved_and_a_clone_are_loaded(place: Path, capsys: Capture) -> None:
    main(["new", "one"])
    old = Path(os.environ["ORKESTRA_HOME"]) / "PROJECTS" / "one"
    moved = place / "elsewhere é"
    os.rename(old, moved)
    capsys.readouterr()
    assert main(["status"]) == 78
    assert "orkestra load" in capsys.readouterr().err
    assert main(["load", str(moved)]) == 0
    git(place, "clone", "--quiet", str(moved), "a clone")
    assert main(["load", "a clone"]) == 0
    assert (place / "a clone" / "logs" / "execution").is_dir()
    assert git(place / "a clone", "status", "--porcelain") == ""
    capsys.readouterr()
    main(["list", "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert {row["path"] for row in rows} == {str(moved), str(place / "a clone")}


def test_projects_elsewhere(place: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORKESTRA_PROJECTS", "be side")
    assert main(["new", "one"]) == 0
    assert (place / "be side" / "one" / project.FILE).is_file()


def test_on_another_branch_the_projects_own_counts(place: Path, capsys: Capture, repository: Path) -> None:
    git(repository, "switch", "--quiet", "-c", "trunk")
    main(["adopt", str(repository)])
    main(["task", "add", "First", "--id", "first"])
    git(repository, "commit", "--quiet", "--all", "--message", "a task")
    git(repository, "switch", "--quiet", "main")
    assert not (repository / project.FILE).exists()
    capsys.readouterr()
    assert main(["task", "list", "--json"]) == 0
    assert [row["id"] for row in json.loads(capsys.readouterr().out)] == ["first"]
    assert main(["task", "add", "Second"]) == 64
    assert "git switch trunk" in capsys.readouterr().err


def test_tasks_are_added_whole_or_not_at_all(place: Path, capsys: Capture) -> None:
    main(["new", "one"])
    path = Path(os.environ["ORKESTRA_HOME"]) / "PROJECTS" / "one" / project.QUEUE
    assert main(["task", "add", "Do it", "--id", "a", "--command", "true", "--depends-on", "first-task"]) == 0
    before = path.read_bytes()
    refused = [
        ["task", "add", "Again", "--id", "a"],
        ["task", "add", "x", "--id", "../up"],
        ["task", "add", "x", "--id", "-x"],
        ["task", "add", "x", "--id", "b", "--depends-on", "b"],
        ["task", "add", "x", "--depends-on", "unknown"],
        ["task", "add", "x", "--input", "../../etc/passwd"],
        ["task", "add", "x", "--allow-path", "/etc/**"],
        ["task", "add", "two\nlines"],
        ["task", "add", "x", "--agent", "shell"],
        ["task", "add", "x", "--agent", "shel"],
        ["task", "add", "x", "--agent", "claude@nobody"],
        ["task", "accept", "a"],
        ["task", "retry", "a"],
        ["task", "show", "none"],
    ]
    for arguments in refused:
        capsys.readouterr()
        assert main(arguments) == 64, arguments
        assert path.read_bytes() == before
    main(["task", "add", "x", "--agent", "shel"])
    said = capsys.readouterr().err
    assert "there is no agent 'shel'" in said and "there are: auto, " in said and "codex" in said
    (_, task) = json.loads(before)["tasks"]
    assert task["agent"] == "shell" and task["depends_on"] == ["first-task"] and task["status"] == "pending"
    assert main(["task", "accept", "first-task"]) == 0


def test_a_broken_queue_is_named_with_its_line(place: Path, capsys: Capture) -> None:
    main(["new", "one"])
    path = Path(os.environ["ORKESTRA_HOME"]) / "PROJECTS" / "one" / project.QUEUE
    path.write_text('{\n "version": 1,\n "tasks": [\n  {"id": "a", "priority": "now"}\n ]\n}\n', "utf-8")
    for command in (["status"], ["task", "list"], ["task", "add", "x"]):
        capsys.readouterr()
        assert main(command) == 65
        assert "task-queue.json:4:" in capsys.readouterr().err


def test_a_broken_or_newer_project_is_named_with_its_line(place: Path, capsys: Capture) -> None:
    main(["new", "one"])
    path = Path(os.environ["ORKESTRA_HOME"]) / "PROJECTS" / "one" / project.FILE
    good = path.read_text("utf-8")
    for text, word in (
        (good.replace('"check_timeout": 900', '"check_timeout": "soon"'), "project.json:7: check_timeout"),
        (good.replace('"branch": "main"', '"branch": "--upload-pack=x"'), "project.json:5: branch"),
        (good.replace('"share": []', '"share": ["../.."]'), "workspace must be"),
        (good.replace("orkestra.project/1", "orkestra.project/2"), "newer Orkestra"),
        (good[:-4], "not valid JSON"),
        ("[]", "expected a JSON object"),
        ("\udcff", "not UTF-8"),
    ):
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        capsys.readouterr()
        assert main(["status"]) == 65, text
        assert word in capsys.readouterr().err


def test_nothing_that_moves_a_terminal_is_printed(place: Path, capsys: Capture) -> None:
    main(["new", "one"])
    path = Path(os.environ["ORKESTRA_HOME"]) / "PROJECTS" / "one" / project.QUEUE
    task = {
        "id": "a",
        "title": "x",
        "description": "\x1b]0;owned\x07 \x9b2J \u202e \r back",
        "command": "true",
    }
    path.write_text(json.dumps({"version": 1, "tasks": [task]}), "utf-8")
    capsys.readouterr()
    main(["task", "show", "a"])
    out = capsys.readouterr().out
    assert not set(out) & {"\x1b", "\x07", "\x9b", "\u202e", "\r"}
    assert "\\x1b]0;owned" in out


def test_printable() -> None:
    assert printable("a\tb\nc\x1bä日\u202e") == "a\\tb\\nc\\x1bä日\\u202e"


def test_config_never_prints_a_key(place: Path, capsys: Capture) -> None:
    assert main(["config"]) == 0
    keys = Path(os.environ["ORKESTRA_HOME"]) / "CONFIG" / "api-keys.env"
    keys.write_text("SOME_API_KEY=sk-verysecret\n", "utf-8")
    keys.chmod(0o600)
    for arguments in (["config"], ["config", "--json"], ["doctor"]):
        main(arguments)
        said = capsys.readouterr()
        assert "SOME_API_KEY" in said.out or arguments == ["config"]
        assert "verysecret" not in said.out + said.err
    keys.chmod(0o644)
    assert main(["config"]) == 78
    assert "chmod 600" in capsys.readouterr().err


def test_config_set_and_get(place: Path, capsys: Capture) -> None:
    assert main(["config", "set", "ORKESTRA_WORKERS", "7"]) == 0
    capsys.readouterr()
    assert main(["config", "get", "ORKESTRA_WORKERS"]) == 0
    assert capsys.readouterr().out == "7\n"


def test_a_closed_pipe_is_no_error(place: Path, framework: Path) -> None:
    script = '"$1" -I "$2/orkestra_shim/__main__.py" --help | true; echo "${PIPESTATUS[0]}"'
    done = subprocess.run(
        ["bash", "-c", script, "x", sys.executable, str(framework)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "0" and done.stderr == ""


def test_a_home_that_cannot_be_made(place: Path, framework: Path) -> None:
    (place / "file").write_text("", "utf-8")
    env = {**os.environ, "ORKESTRA_HOME": str(place / "file" / "home")}
    done = process(framework, "list", env=env)
    assert done.returncode == 73 and done.stderr.startswith("orkestra: cannot write")


def test_nothing_is_imported_from_the_current_folder(place: Path, framework: Path) -> None:
    for name in ("click", "json", "orkestra_shim", "queue", "dotenv", "sitecustomize"):
        (place / f"{name}.py").write_text("raise SystemExit('imported from the current folder')\n", "utf-8")
    done = process(framework, "list", env={**os.environ, "PYTHONPATH": str(place)})
    assert done.returncode == 0, done.stderr


def test_help_is_light(framework: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from orkestra_shim import cli; cli.main(['--help']); "
        "print([m for m in ('git', 'sh', 'jinja2', 'rich', 'pyjq', 'dotenv') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, str(framework)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
