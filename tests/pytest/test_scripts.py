"""Scripts: where they are found, and that a signal to the command reaches the one it follows, once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orkestra_shim import scripts
from orkestra_shim.cli import main
from orkestra_shim.errors import EX_CONFIG, OrkestraError
from orkestra_shim.home import find, scripts_folder

FAKE = """#!/usr/bin/env bash
sleep 60 &
sleeper=$!
trap 'printf "told INT\\n"; kill "$sleeper"' INT
trap 'printf "told TERM\\n"; kill "$sleeper"' TERM
printf 'ready %s\\n' "$*"
printf 'to stderr\\n' >&2
wait "$sleeper"
printf 'last words'
exit 17
"""


@pytest.fixture
def fake(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of scripts with an orchestrator that says what it is told."""
    folder = place / "scrïpts"
    (folder / "CORE").mkdir(parents=True)
    path = folder / "CORE" / "orchestrator.sh"
    path.write_text(FAKE, "utf-8")
    path.chmod(0o755)
    monkeypatch.setenv("ORKESTRA_SCRIPTS", str(folder))
    return path


def test_the_environment_goes_first_then_the_checkout(
    fake: Path, framework: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = find()
    assert scripts.find(home, "CORE/orchestrator.sh") == fake
    monkeypatch.setenv("ORKESTRA_SCRIPTS", "relative/is/not/taken")
    assert scripts_folder(home.root) == framework / "SCRIPTS"


def test_a_missing_script_is_named(fake: Path) -> None:
    with pytest.raises(OrkestraError) as caught:
        scripts.find(find(), "CORE/none.sh")
    assert caught.value.code == EX_CONFIG


def test_no_scripts_at_all(place: Path) -> None:
    with pytest.raises(OrkestraError):
        scripts_folder(place)


FOLLOW = """
import sys
sys.path.insert(0, sys.argv[1])
from orkestra_shim import scripts, settings
from orkestra_shim.home import open_home
home = open_home()
show = lambda text: print("line:", text, flush=True)
code = scripts.follow(home, settings.load(home), "CORE/orchestrator.sh", ["start", "a  b"], show)
print("ended with", code, flush=True)
"""


@pytest.mark.parametrize(("number", "word"), [(signal.SIGINT, "INT"), (signal.SIGTERM, "TERM")])
def test_a_signal_reaches_the_script_once(fake: Path, framework: Path, number: int, word: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", FOLLOW, str(framework)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as following:
        assert following.stdout is not None and following.stderr is not None
        assert following.stdout.readline() == "line: ready start a  b\n"
        following.send_signal(number)
        rest = following.stdout.read()
        assert following.stderr.read() == "to stderr\n"
        assert following.wait() == 0
    assert rest.splitlines() == [f"line: told {word}", "line: last words", "ended with 17"]


def test_start_becomes_the_script(fake: Path, framework: Path) -> None:
    assert main(["new", "one"]) == 0
    command = [
        sys.executable,
        "-I",
        str(framework / "orkestra_shim" / "__main__.py"),
        "start",
        "--workers",
        "3",
        "--only",
        "a",
        "--anyway",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        path = f"{os.environ['ORKESTRA_HOME']}/PROJECTS/one"
        assert started.stdout.readline() == f"project one ({path})\n"
        assert started.stdout.readline() == f"ready start --project {path} --anyway --workers 3 --only a\n"
        assert Path(f"/proc/{started.pid}/cmdline").read_bytes().split(b"\0")[1] == os.fsencode(fake)
        assert os.readlink(f"/proc/{started.pid}/cwd") == os.environ["ORKESTRA_HOME"]
        started.terminate()
        assert started.stdout.read() == "told TERM\nlast words"
        assert started.wait() == 17
