"""bin/orkestra: old shells, links, the stamp, what is shown when something cannot be installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


@pytest.fixture
def checkout(place: Path, framework: Path) -> Path:
    """What bin/orkestra needs, with a prepared environment whose Python only says how it was called."""
    root = place / "chèck out"
    for name in ("bin/orkestra", "orkestra_shim/requirements.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(framework / name, root / name)
    shutil.copytree(framework / "SCRIPTS" / "CORE", root / "SCRIPTS" / "CORE")
    python = root / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nprintf "<%s>" "$@"\n', "utf-8")
    python.chmod(0o755)
    shutil.copy(root / "orkestra_shim" / "requirements.txt", root / ".venv" / "orkestra-requirements.txt")
    return root


def call(
    command: list[str], env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    if env is None:
        env = {name: value for name, value in os.environ.items() if name != "ORKESTRA_VENV"}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=env, cwd=cwd
    )


def test_hands_over_isolated_and_with_every_argument(checkout: Path) -> None:
    done = call([str(checkout / "bin" / "orkestra"), "task", "add", "two  words", "", "$(x)", "*"])
    main = checkout / "orkestra_shim" / "__main__.py"
    assert done.stdout == f"<-I><-X><utf8><{main}><task><add><two  words><><$(x)><*>"
    assert done.returncode == 0 and done.stderr == ""


@pytest.mark.parametrize(
    "how", ["bin/orkestra", "./bin/orkestra", "../chèck out/bin/orkestra", "bin/../bin/orkestra"]
)
def test_found_however_it_is_called(checkout: Path, how: str) -> None:
    done = call([how, "x"], cwd=checkout)
    assert f"{checkout}/orkestra_shim/__main__.py" in done.stdout, done.stderr


def test_found_through_links_and_by_path(checkout: Path, place: Path) -> None:
    (place / "tools").mkdir()
    (place / "tools" / "first").symlink_to("../chèck out/bin/orkestra")
    (place / "tools" / "orkestra").symlink_to("first")
    env = {**os.environ, "PATH": f"{place}/tools:{os.environ['PATH']}"}
    env.pop("ORKESTRA_VENV", None)
    done = call(["bash", "-c", "orkestra x"], env=env)
    assert f"{checkout}/orkestra_shim/__main__.py" in done.stdout, done.stderr


@pytest.mark.parametrize("version", ["3.2.57(1)-release", "4.4.20(1)-release", "5.0.17(1)-release"])
def test_an_old_bash_is_refused_in_one_line(checkout: Path, version: str) -> None:
    done = call(["bash", "-c", f"BASH_VERSION='{version}'; source bin/orkestra x"], cwd=checkout)
    assert done.returncode == 78
    assert done.stderr == f"orkestra: Bash 5.1 or newer is needed; this is {version}\n"


@pytest.mark.parametrize("bash", ["3.2.57(1)-release", "5.2.15(1)-release"])
def test_macos_is_refused_in_one_line_and_nothing_is_begun(checkout: Path, tmp_path: Path, bash: str) -> None:
    """What is not Linux is told by Bash's own OSTYPE and named by uname; both are faked here."""
    uname = tmp_path / "uname"
    uname.write_text("#!/bin/sh\necho Darwin\n")
    uname.chmod(0o755)
    shutil.rmtree(checkout / ".venv")
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    word = f"OSTYPE=darwin23; BASH_VERSION='{bash}'; source bin/orkestra start"
    done = call(["bash", "-c", word], env=env, cwd=checkout)
    assert done.returncode == 69 and done.stdout == ""
    assert done.stderr.startswith("orkestra: it runs on Linux only, and this is Darwin: ")
    assert "Linux container" in done.stderr and done.stderr.count("\n") == 2
    assert not (checkout / ".venv").exists()
    script = call(["bash", "-c", "OSTYPE=darwin23; source SCRIPTS/CORE/setup.sh x y"], env=env, cwd=checkout)
    assert script.returncode == 69 and "Linux only" in script.stderr


def test_the_installed_command_says_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from orkestra_shim import cli

    monkeypatch.setattr("sys.platform", "darwin")
    assert cli.main(["list"]) == 69
    assert "Linux only, and this is darwin" in capsys.readouterr().err


def test_another_shell_is_refused_in_one_line(checkout: Path) -> None:
    done = call(["sh", "bin/orkestra", "x"], cwd=checkout)
    if (
        "BASH_VERSION"
        in subprocess.run(["sh", "-c", "set"], capture_output=True, text=True, check=True).stdout
    ):
        pytest.skip("sh is Bash here")
    assert done.returncode == 78 and "this is another shell" in done.stderr


def tools(place: Path, *names: str) -> Path:
    """A folder with nothing but these programs: a PATH for a machine on which others are missing."""
    folder = place / "few tools"
    folder.mkdir()
    for name in names:
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(os.path.realpath(found))
    return folder


def test_without_a_package_manager_what_is_missing_is_named(checkout: Path, place: Path) -> None:
    (checkout / ".venv" / "orkestra-requirements.txt").unlink()
    path = tools(place, "bash", "mkdir", "flock", "cmp", "git", "setpriv", "timeout", "readlink", "rm")
    done = call(
        [str(checkout / "bin" / "orkestra"), "list"],
        env={**os.environ, "PATH": str(path), "ORKESTRA_VENV": ""},
    )
    assert done.returncode == 69
    assert done.stdout == ""
    first = done.stderr.splitlines()[0]
    assert first.startswith("orkestra: not installed: ") and "bubblewrap" in first and "autoconf" in first


def test_a_checkout_that_cannot_be_written(checkout: Path) -> None:
    (checkout / ".venv" / "orkestra-requirements.txt").unlink()
    (checkout / ".venv.lock").mkdir()
    done = call([str(checkout / "bin" / "orkestra"), "list"])
    assert done.returncode == 73
    assert "ORKESTRA_VENV" in done.stderr


def test_changed_requirements_start_the_set_up_again(checkout: Path) -> None:
    (checkout / "SCRIPTS" / "CORE" / "setup.sh").write_text(
        '#!/bin/sh\necho "set-up: $*"\nexit 69\n', "utf-8"
    )
    command = [str(checkout / "bin" / "orkestra"), "demo", "--yes"]
    assert call(command).returncode == 0
    with (checkout / "orkestra_shim" / "requirements.txt").open("a", encoding="utf-8") as file:
        file.write("another==1\n")
    done = call(command)
    assert done.returncode == 69
    assert done.stdout == "" and done.stderr.startswith(f"set-up: --yes {checkout} {checkout}/.venv")


def test_a_set_up_that_another_one_finished_meanwhile_is_not_done_twice(checkout: Path) -> None:
    setup = checkout / "SCRIPTS" / "CORE" / "setup.sh"
    done = call([str(setup), "--yes", str(checkout), str(checkout / ".venv")])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_setup_only_hands_nothing_over(checkout: Path) -> None:
    done = call([str(checkout / "bin" / "orkestra"), "--setup-only", "--yes"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
