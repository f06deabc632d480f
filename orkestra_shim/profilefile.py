"""A profile from a file or stdin, whatever its form."""

from __future__ import annotations

import sys
from pathlib import Path

from . import ballotfiles, jsonfile, profilejson
from .errors import EX_DATA, OrkestraError
from .profiles import Profile
from .text import printable

_LIMIT = 64 << 20  # bytes


def load(file: str) -> Profile:
    """The profile in `file`, "-" for stdin: JSON, PrefLib's text or BLT. Raises OrkestraError 65."""
    where = "stdin" if file == "-" else printable(file)
    try:
        if file == "-":
            raw = sys.stdin.buffer.read(_LIMIT + 1)
        else:
            with Path(file).open("rb") as stream:
                raw = stream.read(_LIMIT + 1)
    except OSError as error:
        raise OrkestraError(EX_DATA, f"cannot read {where}: {error.strerror}") from None
    if len(raw) > _LIMIT:
        raise OrkestraError(EX_DATA, f"{where}: more than {_LIMIT >> 20} MiB")
    text = jsonfile.decode(raw, where)
    profile = None if text.lstrip()[:1] == "{" else ballotfiles.read(text, where)
    return profilejson.read(text, where) if profile is None else profile
