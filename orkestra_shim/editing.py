"""A person's changes to config/task-queue.json: whole and checked, or not at all; one at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from orkestra_shim import board, project, queue
from orkestra_shim.errors import EX_USAGE, OrkestraError
from orkestra_shim.files import locked, make_folder, write_atomic
from orkestra_shim.jsonfile import dump
from orkestra_shim.project import Project
from orkestra_shim.text import printable


def _edit(found: Project, change: Callable[[dict[str, Any]], str]) -> str:
    """Applies `change` to the queue under a lock, checks the whole result and replaces the file."""
    if not board.checkout(found).on_branch():
        raise OrkestraError(
            EX_USAGE,
            f"the checkout {printable(found.path)} is on another branch than {printable(found.branch)}",
            f"there the queue is not this project's; first: git switch {printable(found.branch)}",
        )
    folder = board.git_folder(found) / "orkestra"
    make_folder(folder)
    with locked(folder / "queue.lock"):
        path = found.path / project.QUEUE
        top = queue.read(path).top
        name = change(top)
        data = dump(top)
        _check(data, path)
        write_atomic(path, data)
    return name


def _check(data: bytes, path: Path) -> None:
    """The result must be a queue. What is wrong came with the change: its line would help nobody."""
    try:
        queue.Document(data.decode(), str(path))
    except OrkestraError as error:
        place = error.message.partition(": ")
        raise OrkestraError(
            EX_USAGE, f"nothing was changed: {printable(place[2] or error.message)}", error.hint
        ) from error


def add(found: Project, fields: dict[str, Any]) -> str:
    """Appends a task; a missing id is made. Returns the id."""

    def change(top: dict[str, Any]) -> str:
        tasks = top["tasks"]
        taken = [raw["id"] for raw in tasks]
        name = fields.get("id") or queue.new_id(taken)
        if name in taken:
            raise OrkestraError(
                EX_USAGE, f"there is a task '{printable(name)}' already", "choose another --id"
            )
        tasks.append({"id": name, **{key: value for key, value in fields.items() if key != "id"}})
        return str(name)

    return _edit(found, change)


def accept(found: Project, name: str) -> str:
    """Makes a proposed task one that runs."""

    def change(top: dict[str, Any]) -> str:
        raw = _find(top, name)
        if raw.get("status") != "proposed":
            raise OrkestraError(
                EX_USAGE, f"{printable(name)} is not a proposal: it is {raw.get('status', 'pending')}"
            )
        raw["status"] = "pending"
        return name

    return _edit(found, change)


def retry(found: Project, name: str, outcome: str | None, note: str) -> str:
    """Puts a task back to work: outcomes up to `outcome` no longer count. The note is for the agent."""

    def change(top: dict[str, Any]) -> str:
        raw = _find(top, name)
        raw["status"] = "pending"
        raw.pop("reason", None)
        if outcome:
            raw["reopened"] = outcome
        if note:
            raw["note"] = note
        return name

    return _edit(found, change)


def _find(top: dict[str, Any], name: str) -> dict[str, Any]:
    for raw in top["tasks"]:
        if isinstance(raw, dict) and raw.get("id") == name:
            return raw
    raise OrkestraError(
        EX_USAGE, f"there is no task '{printable(name[:80])}'", "orkestra task list shows them"
    )
