"""The execution log of a project: logs/execution/task-execution.log, JSON Lines, appended only."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from . import files
from .errors import EX_CANNOT_WRITE, OrkestraError

FILE = "logs/execution/task-execution.log"


def now() -> str:
    """UTC, as every record writes it."""
    return at(time.time())


def at(moment: float) -> str:
    """An epoch second, written so."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def seconds_of(text: object) -> float | None:
    """Epoch seconds of a time as `now` writes it; None for anything else."""
    import calendar

    try:
        return float(calendar.timegm(time.strptime(str(text), "%Y-%m-%dT%H:%M:%SZ")))
    except ValueError:
        return None


class LogLost(OrkestraError):
    """The log cannot be written, and without it the store cannot keep its promises."""


class Journal:
    """Opened for appending by the one store of a run."""

    def __init__(self, path: Path, redact: Callable[[Any], Any] = lambda fields: fields) -> None:
        """Cuts off a last line that a crash left half written. Raises 73.

        Every field goes through `redact` first.
        """
        self.path = path
        self._redact = redact
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            self._fd = os.open(path, flags, 0o644)
            self._cut_half_line()
            files.sync_folder(path.parent)  # it may be new
        except OSError as error:
            raise files.cannot_write(path, error) from None

    def _cut_half_line(self) -> None:
        end = at = os.fstat(self._fd).st_size
        while at > 0:
            start = max(0, at - 65536)
            found = os.pread(self._fd, at - start, start).rfind(b"\n")
            if found >= 0:
                at = start + found + 1
                break
            at = start
        if at < end:
            os.ftruncate(self._fd, at)

    def append(self, event: str, durable: bool = False, **fields: Any) -> None:
        """One event; durable: on the disk before this returns. Raises 73 (a full disk ends the run)."""
        told = self._redact(fields)
        line = json.dumps({"at": now(), "event": event, **told}, ensure_ascii=False, separators=(",", ":"))
        data = line.encode("utf-8", "replace") + b"\n"
        try:
            written = os.write(self._fd, data)
            if written != len(data):
                raise OSError(28, "no space left")
            if durable:
                os.fdatasync(self._fd)
        except OSError as error:
            raise self._lost(error) from None

    def close(self) -> None:
        """Make everything durable and let go. Raises 73."""
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            raise self._lost(error) from None
        finally:
            os.close(self._fd)

    def _lost(self, error: OSError) -> LogLost:
        found = files.cannot_write(self.path, error)
        return LogLost(found.code, found.message, found.hint)


def replay(path: Path, start: int = 0, about: str = "") -> Iterator[dict[str, Any]]:
    """Every event from byte offset start on; lines that are not whole objects (a crash) are passed over.

    `about`: only those of the task with that id, which spares reading the others.
    """
    mark = f'"task":"{about}"'.encode() if about else b""
    try:
        file = open(path, "rb")  # noqa: SIM115  # closed below; only the opening may fail quietly
    except FileNotFoundError:
        return
    except OSError as error:
        raise OrkestraError(EX_CANNOT_WRITE, f"cannot read {path}: {error.strerror}") from None
    with file:
        file.seek(start)
        for line in file:
            event = _event(line) if mark in line else None
            if event is not None and (not about or event.get("task") == about):
                yield event


_BLOCK = 1 << 20


def since(path: Path, moment: str) -> list[dict[str, Any]]:
    """The events from a time on (as `now` writes it), read from the end; [] where there is no log."""
    try:
        file = open(path, "rb")  # noqa: SIM115  # closed below; only the opening may fail quietly
    except FileNotFoundError:
        return []
    except OSError as error:
        raise OrkestraError(EX_CANNOT_WRITE, f"cannot read {path}: {error.strerror}") from None
    found: list[dict[str, Any]] = []
    with file:
        at, rest = file.seek(0, os.SEEK_END), b""
        while at > 0:
            size = min(_BLOCK, at)
            at -= size
            file.seek(at)
            lines = (file.read(size) + rest).split(b"\n")
            rest = lines.pop(0) if at > 0 else b""
            block = [event for event in map(_event, lines) if event is not None]
            found = [event for event in block if str(event.get("at")) >= moment] + found
            if block and str(block[0].get("at")) < moment:
                break
    return found


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None
