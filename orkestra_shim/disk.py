"""Files on disk: JSON read with a place for every complaint, writes that are whole or not at all, locks."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from orkestra_shim.errors import EX_CANNOT_WRITE, EX_DATA, OrkestraError

_CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: object) -> str:
    """What may be shown in a terminal: control and direction characters become visible escapes."""

    def escape(match: re.Match[str]) -> str:
        point = ord(match.group())
        names = {9: "\\t", 10: "\\n", 13: "\\r"}
        return names.get(point) or (f"\\x{point:02x}" if point < 256 else f"\\u{point:04x}")

    return _CONTROL.sub(escape, str(text))


def read_object(path: Path, what: str) -> dict[str, Any]:
    """The JSON object in `path`. Raises OrkestraError 65 naming file, line and what was expected."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise OrkestraError(EX_DATA, f"cannot read {what} {printable(path)}: {error.strerror}") from error
    return parse_object(raw, printable(path))


def parse_object(raw: bytes, where: str) -> dict[str, Any]:
    """The JSON object in `raw`; `where` names it in errors. Raises OrkestraError 65."""
    try:
        value = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise OrkestraError(EX_DATA, f"{where}:{line}: not UTF-8 text") from error
    except json.JSONDecodeError as error:
        raise OrkestraError(EX_DATA, f"{where}:{error.lineno}: not valid JSON: {error.msg}") from error
    except RecursionError as error:
        raise OrkestraError(EX_DATA, f"{where}: nested too deeply") from error
    if not isinstance(value, dict):
        raise OrkestraError(EX_DATA, f"{where}:1: expected a JSON object in braces")
    return value


def dump(value: object) -> str:
    """JSON as people read it: indented, letters as they are, a newline at the end."""
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def write_atomic(path: Path, text: str, mode: int = 0o644) -> None:
    """Replaces `path` by `text` in one step (temporary file in the same folder, fsync, rename)."""
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
                stream.flush()
                os.fchmod(stream.fileno(), mode)
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error


def sync_folder(folder: Path) -> None:
    """Makes the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path, mode: int = 0o777) -> None:
    """Makes `path` and what is missing above it; nothing to do where it exists."""
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> OrkestraError:
    """The error for a full disk, a read-only folder and the like (exit 73)."""
    return OrkestraError(EX_CANNOT_WRITE, f"cannot write {printable(path)}: {error.strerror or error}")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds an exclusive lock on the file `path`, which is made and never removed; waits for its turn."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise cannot_write(path, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
