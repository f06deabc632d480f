"""The JSON Schemas (draft 2020-12) of what is read and printed: schemas/, and schemas/output/ for `--json`.

A schema refers to another one by its id, orkestra:NAME/VERSION.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from .errors import EX_USAGE, OrkestraError
from .text import printable

_FOLDER = Path(__file__).resolve().parent / "schemas"
_ENDING = ".schema.json"
_REFERENCE = re.compile(r'"\$ref": "orkestra:([a-z-]+)/')


def files() -> dict[str, Path]:
    """Where each schema is, by its name; those of files first, then those of commands."""
    found = [*sorted(_FOLDER.glob(f"*{_ENDING}")), *sorted((_FOLDER / "output").glob(f"*{_ENDING}"))]
    return {path.name.removesuffix(_ENDING): path for path in found}


def titles() -> dict[str, str]:
    """What each is the shape of."""
    return {name: json.loads(path.read_text("utf-8"))["title"] for name, path in files().items()}


def schema(name: str) -> dict[str, Any]:
    """A schema that stands alone: those that it refers to are in its $defs. Raises 64 for none."""
    known = files()
    if name not in known:
        raise OrkestraError(
            EX_USAGE, f"there is no schema {printable(name[:80])!r}", "orkestra schema lists them"
        )
    text = known[name].read_text("utf-8")
    top: dict[str, Any] = json.loads(text)
    parts: dict[str, Any] = {}
    wanted, seen = set(_REFERENCE.findall(text)), {name}
    while wanted - seen:
        one = min(wanted - seen)
        seen.add(one)
        text = known[one].read_text("utf-8")
        part = json.loads(text)
        parts[part["$id"]] = part
        wanted |= set(_REFERENCE.findall(text))
    return {**top, "$defs": {**top.get("$defs", {}), **parts}} if parts else top
