"""What every pytest test gets: a hostile place of its own, and a bound on its time."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import HealthCheck, settings

FRAMEWORK = Path(__file__).resolve().parents[2]

# On two shared cores an example may be slow without anything being wrong; the whole test has a bound below.
settings.register_profile("orkestra", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("orkestra")

# Seconds that one test may take: a bound for what hangs.
TEST_BOUND = 180


@pytest.fixture(autouse=True)
def bounded(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that hangs, with the place where it hung."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"{request.node.nodeid} took longer than {TEST_BOUND} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(TEST_BOUND)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder below a path with spaces, quotes and non-ASCII letters; HOME is empty, ORKESTRA_HOME its own.

    No Git or Orkestra setting of the caller is left. The working folder is the returned one.
    """
    folder = tmp_path / "it's a plâce $HOME 日本"
    (folder / "home").mkdir(parents=True)
    (folder / "orkestra hôme").mkdir()
    for name in list(os.environ):
        if name.startswith(("ORKESTRA_", "GIT_", "XDG_")) and name != "ORKESTRA_VENV" and "_SSL_" not in name:
            monkeypatch.delenv(name)
    for name, value in {
        "HOME": str(folder / "home"),
        "ORKESTRA_HOME": str(folder / "orkestra hôme"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def framework() -> Path:
    """The checkout under test."""
    return FRAMEWORK


@pytest.fixture
def repository(place: Path) -> Path:
    """A Git repository on branch main with one commit and a person's name."""
    path = place / "a repôsitory"

    def git(*arguments: str) -> None:
        subprocess.run(["git", "-C", str(path), *arguments], check=True, stdout=subprocess.DEVNULL)

    path.mkdir()
    git("init", "--quiet", "--initial-branch=main")
    git("config", "user.name", "A Person")
    git("config", "user.email", "person@example.org")
    (path / "README.md").write_text("first line\n", "utf-8")
    git("add", "--all")
    git("commit", "--quiet", "--message", "First commit")
    return path
