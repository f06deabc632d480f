"""A task, or a list of them, in a person's own editor: $VISUAL or $EDITOR on its JSON."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orkestra_shim import jsonfile, positions
from orkestra_shim.errors import EX_DATA, EX_FAILED, EX_USAGE, OrkestraError
from orkestra_shim.tasks import Refused, validate
from orkestra_shim.text import word

Raw = dict[str, Any]


def command() -> list[str]:
    """The editor's command line, empty where the person has named none."""
    named = os.environ.get("VISUAL", "").strip() or os.environ.get("EDITOR", "").strip()
    try:
        return shlex.split(named)
    except ValueError as error:
        raise OrkestraError(
            EX_USAGE, f"VISUAL or EDITOR cannot be read: {error}", "such as: export EDITOR=nano"
        ) from None


def edited(raw: Raw, editor: list[str]) -> Raw | None:
    """The task as the person leaves it, None when nothing is new.

    Raises 1 when the editor fails, 65 `file:line:column` for what is no such task: what was written is
    kept in that file.
    """

    def check(after: Raw) -> None:
        if after.get("id") != raw["id"]:
            raise _Wrong(["id"], f"the id must stay {raw['id']!r}: other tasks and the records name it")
        _validate(after, [])

    return _through(raw, raw["id"], editor, check)


def edited_list(tasks: list[Raw], name: str, editor: list[str]) -> list[Raw] | None:
    """The same for tasks that are in no queue yet; none may be left. Each is a task, whatever it names."""

    def check(after: Raw) -> None:
        listed = after.get("tasks")
        if not isinstance(listed, list):
            raise _Wrong(["tasks"] if "tasks" in after else [], "tasks must be a list")
        for index, raw in enumerate(listed):
            _validate(raw, ["tasks", index])

    after = _through({"tasks": tasks}, name, editor, check)
    return None if after is None else list(after["tasks"])


class _Wrong(ValueError):
    """What is wrong in what a person wrote, and where."""

    def __init__(self, place: list[str | int], reason: str) -> None:
        super().__init__(reason)
        self.place = place


def _validate(raw: object, place: list[str | int]) -> None:
    try:
        validate(raw)
    except Refused as error:
        raise _Wrong([*place, error.key] if error.key else place, str(error)) from None


def _through(value: Raw, name: str, editor: list[str], check: Callable[[Raw], None]) -> Raw | None:
    folder = Path(tempfile.mkdtemp(prefix="orkestra-edit-"))
    path = folder / f"{name}.json"
    path.write_bytes(jsonfile.dump(value))
    try:
        code = subprocess.run([*editor, str(path)], check=False).returncode
    except OSError as error:
        _remove(path)
        raise OrkestraError(
            EX_USAGE,
            f"the editor {editor[0]} cannot be started: {error.strerror}",
            "name another: export EDITOR=nano",
        ) from None
    if code != 0:
        _remove(path)
        raise OrkestraError(
            EX_FAILED,
            f"the editor {editor[0]} ended with {code}: nothing was changed",
            "do the same again, or name another: export EDITOR=nano",
        )
    after = _read(path, check)
    _remove(path)
    return None if after == value else after


def _read(path: Path, check: Callable[[Raw], None]) -> Raw:
    kept = f"nothing was changed; what you wrote is kept in {word(path)}"
    try:
        text = jsonfile.decode(jsonfile.read_bytes(path), str(path))
        after = jsonfile.parse(text, str(path))
    except OrkestraError as error:
        raise OrkestraError(EX_DATA, error.message, kept) from None
    try:
        check(after)
    except _Wrong as error:
        line, column = positions.line_column(text, positions.offset(text, error.place))
        raise OrkestraError(EX_DATA, f"{path}:{line}:{column}: {error}", kept) from None
    return after


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.parent.rmdir()
