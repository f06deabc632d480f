"""python-dotenv's source distribution as a person's repository, and an environment that its tests need.

What is fetched stays below ${XDG_CACHE_HOME:-~/.cache}/orkestra-tests, so that a second run needs no network.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

VERSION = "1.0.1"
# What its tox.ini names, in versions that Python 3.10 to 3.12 have; and the formatter that a task uses.
NEEDS = [
    f"python-dotenv=={VERSION}",
    "click==8.1.8",
    "ipython==8.18.1",
    "pytest==8.3.4",
    "ruff==0.9.10",
    "sh==2.2.2",
]
PIP_BOUND = 240  # seconds


def _pip(*arguments: str) -> str:
    """Runs pip with the machine's own settings, again when it fails; gives what it said in the end."""
    said = ""
    for pause in (0, 2, 8):
        time.sleep(pause)
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_BOUND, check=False)
        if done.returncode == 0:
            return ""
        said = done.stderr.strip()
    return said[-600:] or "pip failed"


def _cached(name: str, fill: Callable[[Path], str]) -> Path:
    """A folder of the cache, filled once and whole; the test is skipped when it cannot be."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "orkestra-tests"
    try:
        base.mkdir(parents=True, exist_ok=True)
    except OSError:
        base = Path(tempfile.mkdtemp(prefix="orkestra-tests."))
    if not (base / name).is_dir():
        fresh = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=base))
        problem = fill(fresh)
        if problem:
            shutil.rmtree(fresh)
            pytest.skip(f"cannot fetch {name}: {problem}")
        try:
            fresh.rename(base / name)
        except OSError:  # another run was first
            shutil.rmtree(fresh)
    return base / name


def source() -> Path:
    """The .tar.gz."""
    wanted = ["--quiet", "--no-deps", "--no-binary", ":all:", f"python-dotenv=={VERSION}"]
    folder = _cached(f"sdist-{VERSION}", lambda place: _pip("download", "--dest", str(place), *wanted))
    return next(folder.glob("*.tar.gz"))


def environment(place: Path) -> Path:
    """A virtual environment at `place` with what the test suite needs; gives its bin folder."""
    tag = f"{sys.implementation.cache_tag}-{os.uname().machine}"
    wanted = ["--quiet", "--only-binary", ":all:", *NEEDS]
    wheels = _cached(f"wheels-{VERSION}-{tag}", lambda into: _pip("download", "--dest", str(into), *wanted))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True, timeout=PIP_BOUND)
    install = ["--python", str(place / "bin" / "python"), "install", "--quiet", "--no-index", "--no-compile"]
    problem = _pip(*install, "--find-links", str(wheels), *NEEDS)
    assert not problem, problem
    return place / "bin"


GITIGNORE = "__pycache__/\n*.egg-info/\n/build/\n/dist/\n.env\n*.log\n"

# Commits of its history: message and the paths that come with it.
HISTORY = [
    ("Read a .env file", ["src", "setup.py", "setup.cfg", "LICENSE", "README.md"]),
    ("Tests", ["tests", "tox.ini", "requirements.txt"]),
    ("Documentation", ["docs", "mkdocs.yml", "requirements-docs.txt", "CHANGELOG.md", "CONTRIBUTING.md"]),
    ("Everything else", ["."]),
]


def repository(place: Path, git: Callable[..., str]) -> None:
    """Unpacks the distribution at `place` and gives it a history of several commits."""
    place.mkdir(parents=True)
    shutil.unpack_archive(source(), place.parent / "unpacked")
    for entry in (place.parent / "unpacked" / f"python-dotenv-{VERSION}").iterdir():
        entry.rename(place / entry.name)
    git("init", "--quiet", "--initial-branch=trunk")
    (place / ".gitignore").write_text(GITIGNORE)
    git("add", ".gitignore")
    git("commit", "--quiet", "-m", "Ignore what is built")
    for message, paths in HISTORY:
        git("add", "--", *paths)
        git("commit", "--quiet", "-m", message)
