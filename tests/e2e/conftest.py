"""Fixtures of the end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A fresh home below a path with spaces, quotes and non-ASCII letters."""
    place = tmp_path / "it's a plâce $HOME 日本"
    (place / "home").mkdir(parents=True)
    (place / "orkestra hôme").mkdir()
    world = World(place)
    yield world
    world.end()
