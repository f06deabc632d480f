"""The environment of a run as Bash reads it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orkestra_shim.cli import main


def context(framework: Path, *arguments: str) -> tuple[int, dict[str, str], str]:
    command = [sys.executable, "-m", "orkestra_shim.context", *arguments]
    env = {**os.environ, "PYTHONPATH": str(framework)}
    done = subprocess.run(command, capture_output=True, check=False, env=env)
    assert done.stdout == b"" or done.stdout.endswith(b"\0")
    pairs = [item.decode().partition("=") for item in done.stdout.split(b"\0")[:-1]]
    return done.returncode, {name: value for name, _, value in pairs}, done.stderr.decode()


def test_all_that_a_run_needs(place: Path, framework: Path) -> None:
    main(["new", "one"])
    code, found, said = context(framework)
    home = Path(os.environ["ORKESTRA_HOME"])
    assert (code, said) == (0, "")
    assert found["ORKESTRA_PROJECT"] == str(home / "PROJECTS" / "one")
    assert found["ORKESTRA_GIT_DIR"] == str(home / "PROJECTS" / "one" / ".git")
    assert found["ORKESTRA_SCRIPTS"] == str(framework / "SCRIPTS")
    assert found["ORKESTRA_ROOT"] == str(framework)
    assert found["ORKESTRA_BRANCH"] == "main" and found["ORKESTRA_PROJECT_NAME"] == "one"
    assert found["ORKESTRA_WORKSPACES"].endswith("/.cache/orkestra/" + found["ORKESTRA_PROJECT_ID"])
    assert (found["ORKESTRA_AUTHOR_NAME"], found["ORKESTRA_AUTHOR_EMAIL"]) == (
        "Orkestra",
        "orkestra@localhost",
    )
    assert (found["ORKESTRA_SIGN"], found["ORKESTRA_CHECK_NETWORK"]) == ("0", "0")
    assert os.stat(found["ORKESTRA_RUNTIME"]).st_mode & 0o777 == 0o700
    assert all(name.startswith("ORKESTRA_") for name in found)


def test_settings_and_identity_come_in(place: Path, framework: Path, repository: Path) -> None:
    main(["adopt", str(repository)])
    main(["config", "set", "ORKESTRA_WORKERS", "3"])
    subprocess.run(["git", "-C", str(repository), "config", "commit.gpgsign", "yes"], check=True)
    (repository / "sub").mkdir()
    code, found, _ = context(framework, "--project", str(repository / "sub"))
    assert code == 0
    assert found["ORKESTRA_PROJECT"] == str(repository)
    assert found["ORKESTRA_WORKERS"] == "3" and found["ORKESTRA_SIGN"] == "1"
    assert found["ORKESTRA_AUTHOR_NAME"] == "A Person"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [([], 78), (["--project", "none"], 78), (["--project"], 64), (["x"], 64), (["--project", ""], 64)],
)
def test_errors_are_a_line_or_two(place: Path, framework: Path, arguments: list[str], code: int) -> None:
    got, found, said = context(framework, *arguments)
    assert (got, found) == (code, {})
    assert said.startswith("orkestra: ") and len(said.splitlines()) <= 2


def test_all_projects_at_once(place: Path, framework: Path) -> None:
    """A block for the home, then one for each project; one that cannot be read is only named."""
    main(["new", "one"])
    main(["new", "two"])
    projects = Path(os.environ["ORKESTRA_HOME"]) / "PROJECTS"
    (projects / "three" / "config").mkdir(parents=True)
    (projects / "three" / "config" / "project.json").write_text("no JSON")
    command = [sys.executable, "-m", "orkestra_shim.context", "--all"]
    env = {**os.environ, "PYTHONPATH": str(framework)}
    done = subprocess.run(command, capture_output=True, check=False, env=env)
    home, *blocks = done.stdout.decode().removesuffix("\0\0").split("\0\0")
    assert done.returncode == 0 and len(blocks) == 2
    assert "ORKESTRA_LOG_SIZE=10" in home.split("\0") and "ORKESTRA_PROJECT=" not in home
    for name, block in zip(["one", "two"], blocks, strict=True):
        assert f"ORKESTRA_PROJECT={projects / name}" in block.split("\0")
    assert "three" in done.stderr.decode()


def test_keys_that_others_can_read_stop_a_run(place: Path, framework: Path) -> None:
    main(["new", "one"])
    keys = Path(os.environ["ORKESTRA_HOME"]) / "CONFIG" / "api-keys.env"
    keys.write_text("A=b\n", "utf-8")
    keys.chmod(0o644)
    code, _, said = context(framework)
    assert code == 78 and "chmod 600" in said


def test_nothing_heavy_is_imported(place: Path, framework: Path) -> None:
    main(["new", "one"])
    code = (
        "import sys; from orkestra_shim import context; context.main([]); "
        "heavy = ('git', 'sh', 'jinja2', 'rich', 'pyjq', 'click', 'dotenv'); "
        "print([m for m in heavy if m in sys.modules], file=sys.stderr)"
    )
    env = {**os.environ, "PYTHONPATH": str(framework)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=env)
    assert done.stderr.decode().strip() == "[]"
