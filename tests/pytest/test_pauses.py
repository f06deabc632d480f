"""The file that says what is paused."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from orkestra_shim import pauses
from orkestra_shim.errors import OrkestraError
from orkestra_shim.pauses import PauseFile, Pauses


def _pause_some(git_dir: Path, first: int) -> None:
    for number in range(first, first + 20):
        pauses.change(git_dir, lambda old, number=number: old.pause(task=f"t{number}"))  # type: ignore[misc]


def test_it_is_kept_until_it_is_resumed(tmp_path: Path) -> None:
    assert not pauses.read(tmp_path)
    pauses.change(tmp_path, lambda old: old.pause(agent="claude"))
    before, after = pauses.change(tmp_path, lambda old: old.pause(task="a"))
    assert before.words() == "the agent claude" and after.words() == "the agent claude and the task a"
    assert pauses.change(tmp_path, lambda old: old.pause(task="a")) == (after, after)
    assert pauses.read(tmp_path) == Pauses(False, frozenset({"claude"}), frozenset({"a"}))
    pauses.change(tmp_path, lambda old: old.resume(agent="claude"))
    assert pauses.read(tmp_path) == Pauses(tasks=frozenset({"a"}))
    pauses.change(tmp_path, lambda old: old.pause())
    assert pauses.read(tmp_path).everything
    pauses.change(tmp_path, lambda old: old.resume())
    assert pauses.read(tmp_path) == Pauses() and [one.name for one in tmp_path.rglob("*.json")] == []


def test_several_at_once_lose_nothing(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(4) as pool:
        pool.starmap(_pause_some, [(tmp_path, first) for first in (0, 20, 40, 60)])
    assert pauses.read(tmp_path).tasks == {f"t{number}" for number in range(80)}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", '{"version": 2, "everything": true, "agents": [], "tasks": []}', '{"version": 1}'],
)
def test_a_file_that_is_not_ours_is_refused_and_a_run_keeps_what_it_knew(tmp_path: Path, text: str) -> None:
    pauses.change(tmp_path, lambda old: old.pause(task="a"))
    watched = PauseFile(tmp_path)
    assert not watched.changed()
    (tmp_path / "orkestra/other").write_text(text)
    (tmp_path / "orkestra/other").replace(tmp_path / "orkestra/paused.json")
    with pytest.raises(OrkestraError) as caught:
        watched.changed()
    assert caught.value.code == 65 and watched.now.tasks == {"a"}
    with pytest.raises(OrkestraError):
        pauses.read(tmp_path)
