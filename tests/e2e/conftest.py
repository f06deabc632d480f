"""Fixtures of the end-to-end tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from world import FRAMEWORK, World

sys.path.append(str(FRAMEWORK / "tests" / "pytest"))  # agent_bench


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A fresh home below a path with spaces, quotes and non-ASCII letters."""
    place = tmp_path / "it's a plâce $HOME 日本"
    (place / "home").mkdir(parents=True)
    (place / "orkestra hôme").mkdir()
    world = World(place)
    yield world
    world.end()


@pytest.fixture
def place(world: World, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The world's folder. What a test starts has the world's environment, no key of the caller's."""
    for name in os.environ.keys() - world.env().keys() - {"ORKESTRA_TEST_AGENTS"}:
        if name.startswith(("ORKESTRA_", "GIT_", "XDG_")) or name.endswith(("_API_KEY", "_BASE_URL")):
            monkeypatch.delenv(name)
    for name, value in world.env().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(world.place)
    return world.place
