"""A task in a person's own editor: $VISUAL or $EDITOR on its JSON."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from orkestra_shim import jsonfile, positions
from orkestra_shim.errors import EX_DATA, EX_FAILED, EX_USAGE, OrkestraError
from orkestra_shim.tasks import Refused, validate
from orkestra_shim.text import word


def command() -> list[str]:
    """The editor's command line, empty where the person has named none."""
    named = os.environ.get("VISUAL", "").strip() or os.environ.get("EDITOR", "").strip()
    try:
        return shlex.split(named)
    except ValueError as error:
        raise OrkestraError(
            EX_USAGE, f"VISUAL or EDITOR cannot be read: {error}", "such as: export EDITOR=nano"
        ) from None


def edited(raw: dict[str, Any], editor: list[str]) -> dict[str, Any] | None:
    """The task as the person leaves it, None when nothing is new.

    Raises 1 when the editor fails, 65 `file:line:column` for what is no such task: what was written is
    kept in that file.
    """
    folder = Path(tempfile.mkdtemp(prefix="orkestra-edit-"))
    path = folder / f"{raw['id']}.json"
    path.write_bytes(jsonfile.dump(raw))
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
    after = _read(path, raw["id"])
    _remove(path)
    return None if after == raw else after


def _read(path: Path, name: str) -> dict[str, Any]:
    kept = f"nothing was changed; what you wrote is kept in {word(path)}"
    try:
        text = jsonfile.decode(jsonfile.read_bytes(path), str(path))
        after = jsonfile.parse(text, str(path))
    except OrkestraError as error:
        raise OrkestraError(EX_DATA, error.message, kept) from None
    try:
        if after.get("id") != name:
            raise Refused("id", f"the id must stay {name!r}: other tasks and the records name it")
        validate(after)
    except Refused as error:
        at = positions.offset(text, [error.key] if error.key else [])
        line, column = positions.line_column(text, at)
        raise OrkestraError(EX_DATA, f"{path}:{line}:{column}: {error}", kept) from None
    return after


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.parent.rmdir()
