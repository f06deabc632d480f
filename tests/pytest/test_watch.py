"""The queue file under the hands of an editor: no version is overlooked, none is thrown away."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from orkestra_shim import files
from orkestra_shim.checkout import Checkout
from orkestra_shim.keys import Keys
from orkestra_shim.plumbing import Git
from orkestra_shim.watch import QueueFile


def queue_of(*names: str) -> str:
    tasks = [{"id": name, "title": name, "agent": "shell", "command": "true"} for name in names]
    return json.dumps({"version": 1, "tasks": tasks})


@pytest.fixture
def checkout(repository: Path) -> Checkout:
    (repository / "config").mkdir(exist_ok=True)
    (repository / "config" / "task-queue.json").write_text(queue_of("first"))
    return Checkout(repository, Git(repository / ".git"), "main")


def test_a_version_that_is_swapped_out_while_it_is_looked_at_is_read_when_it_is_back(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = QueueFile(checkout, Keys([]))
    file.first()
    other = file.path.with_name("other")
    file.path.write_text(queue_of("first", "persons"))
    other.write_text(queue_of("first", "commands"))
    on_branch = checkout.on_branch

    def swapped() -> bool:
        files.exchange(file.path, other)
        return on_branch()

    monkeypatch.setattr(checkout, "on_branch", swapped)
    seen = file.changed(now=True)
    monkeypatch.undo()
    assert seen is not None and "commands" in seen.positions
    files.exchange(file.path, other)
    seen = file.changed(now=True)
    assert seen is not None and "persons" in seen.positions


def test_what_somebody_has_saved_is_not_swapped_out_even_for_a_moment(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = place / "alone" / "queue"
    path.parent.mkdir()
    path.write_bytes(b"saved by an editor")
    swaps: list[Path] = []
    monkeypatch.setattr(files, "exchange", lambda one, other: swaps.append(other))
    assert not files.replace_known(path, b"ours", b"what was read".__eq__)
    assert swaps == [] and path.read_bytes() == b"saved by an editor"
    assert os.listdir(path.parent) == ["queue"]


def test_what_is_saved_between_the_look_and_the_swap_goes_back(place: Path) -> None:
    path = place / "alone" / "queue"
    path.parent.mkdir()
    path.write_bytes(b"what was read")

    looks: list[bytes] = []

    def known(data: bytes) -> bool:
        if not looks:
            path.write_bytes(b"saved by an editor")
        looks.append(data)
        return data == b"what was read"

    assert not files.replace_known(path, b"ours", known)
    assert looks == [b"what was read", b"saved by an editor"]
    assert path.read_bytes() == b"saved by an editor" and os.listdir(path.parent) == ["queue"]
    assert files.replace_known(path, b"ours", b"saved by an editor".__eq__)
    assert path.read_bytes() == b"ours" and os.listdir(path.parent) == ["queue"]
