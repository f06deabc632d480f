"""A person's crontab: Orkestra's own lines in it. Every other byte stays as it is.

A line of ours carries `env ORKESTRA_CRON=HOME.TARGET` (twelve digits of a hash of the home; `all` or a
project's id), which is how it is found again wherever a person moves it. One that is commented out is a
person's. python-crontab is not used: it puts other people's lines in order (quotes, blanks, comments).
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import canonical
from .errors import EX_CANNOT_WRITE, EX_CONFIG, EX_UNAVAILABLE, EX_USAGE, OrkestraError
from .files import locked, make_folder
from .home import cache_folder
from .text import printable

ALL = "all"
_OWN = re.compile(rb"[^#]*\benv ORKESTRA_CRON=([0-9a-f]{12})\.([0-9a-z]{1,12}) ")
_FIELD = re.compile(r"[0-9A-Za-z*,/~-]+\Z")
_NICKNAMES = ("@reboot", "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")


@dataclass(frozen=True)
class Line:
    """One of our lines: where it stands (from 0), what it is for, and its text."""

    index: int
    target: str
    text: str


# --- the table itself ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def changing() -> Iterator[None]:
    """One change of this user's crontab at a time."""
    make_folder(cache_folder())
    with locked(cache_folder() / "crontab.lock"):
        yield


def read() -> bytes:
    """The crontab of this user, b'' when there is none. Raises 69 without cron, 73 where it is forbidden."""
    done = _crontab("-l")
    if done.returncode == 0:
        return done.stdout
    if b"no crontab for" in done.stderr:
        return b""
    raise OrkestraError(
        EX_CANNOT_WRITE, f"the crontab cannot be read: {_said(done)}", "see whether you may: crontab -l"
    )


def write(before: bytes, after: bytes) -> None:
    """Puts `after` in the place of `before`, and looks. Raises 69, 73, 78; then nothing is changed."""
    if before == after:
        return
    if read() != before:
        raise OrkestraError(
            EX_CANNOT_WRITE, "somebody else changed the crontab just now", "do the same again"
        )
    done = _crontab("-", stdin=after) if after else _crontab("-r")
    if done.returncode != 0 and read() == before:
        raise OrkestraError(
            EX_CONFIG,
            f"cron refuses this crontab, nothing was changed: {_said(done)}",
            "the line that it names may be one of yours: crontab -e",
        )
    if read() != after:
        _crontab("-", stdin=before)
        raise OrkestraError(
            EX_CANNOT_WRITE,
            f"the crontab could not be written: {_said(done)}",
            "see what is in it, and the space left: crontab -l",
        )


def _crontab(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("crontab")
    if program is None:
        raise OrkestraError(EX_UNAVAILABLE, "cron is not installed", "as root: apt-get install cron")
    env = {**os.environ, "LC_ALL": "C"}
    return subprocess.run([program, *arguments], input=stdin, capture_output=True, env=env, check=False)


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = printable(done.stderr.decode("utf-8", "replace").strip().replace("\n", "; "))
    return lines[:300] or f"crontab ended with {done.returncode}"


def daemon_runs() -> bool:
    """Whether a cron daemon is among the processes."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "comm").read_text().strip() in ("cron", "crond", "fcron", "bcron-start"):
                    return True
            except OSError:
                continue
    return False


# --- our lines in it ----------------------------------------------------------------------------------------


def mark(home: Path) -> str:
    """By which the lines of this home are known."""
    return canonical.sha256(os.fsencode(os.path.realpath(home)))[:12]


def own(table: bytes, home: Path) -> list[Line]:
    """The lines of this home."""
    found = []
    for index, line in enumerate(table.split(b"\n")):
        match = _OWN.match(line)
        if match and match[1].decode() == mark(home):
            found.append(Line(index, match[2].decode(), line.decode("utf-8", "replace")))
    return found


def with_line(table: bytes, home: Path, target: str, text: str) -> bytes:
    """The table with this one line for `target`: in the place of the old one, else at the end."""
    lines = table.split(b"\n")
    old = [line.index for line in own(table, home) if line.target == target]
    if old:
        lines[old[0]] = os.fsencode(text)
        return b"\n".join(line for index, line in enumerate(lines) if index not in old[1:])
    ending = b"" if not table or table.endswith(b"\n") else b"\n"
    return table + ending + os.fsencode(text) + b"\n"


def without(table: bytes, home: Path, target: str | None) -> bytes:
    """The table without our lines: all of this home's, or those for `target`."""
    gone = {line.index for line in own(table, home) if target in (None, line.target)}
    return b"\n".join(line for index, line in enumerate(table.split(b"\n")) if index not in gone)


def command(home: Path, target: str, words: list[str], environment: dict[str, str]) -> str:
    """What cron executes, fit for any shell and for cron, to which `%` is a line's end. Raises 78."""
    pairs = {"ORKESTRA_CRON": f"{mark(home)}.{target}", **environment}
    return " ".join(
        ["env", *(f"{name}={_quoted(text)}" for name, text in pairs.items()), *map(_quoted, words)]
    )


def _quoted(text: str) -> str:
    if re.search(r"[\\\x00-\x1f\x7f]", text):
        raise OrkestraError(
            EX_CONFIG,
            f"cron cannot be given a path with a backslash or a control character: {printable(text)}",
            "give that folder another name",
        )
    # `\%` stands outside of the quotes: it means the same whether or not this cron takes the backslash away.
    return "\\%".join(shlex.quote(part) if part else "" for part in text.split("%")) or "''"


# --- when ---------------------------------------------------------------------------------------------------


def schedule(every: str | None, at: str | None, fields: str | None) -> str:
    """The first words of a line. Raises 64 for what cron cannot keep, or for more than one of the three."""
    if sum(one is not None for one in (every, at, fields)) > 1:
        raise OrkestraError(EX_USAGE, "--every, --at and --schedule all say when", "give one of them")
    if at is not None:
        return _daily(at)
    return _given(fields) if fields is not None else _interval(every or "10m")


def _daily(at: str) -> str:
    found = re.match(r"([0-9]{1,2}):([0-9]{2})\Z", at)
    if not found or int(found[1]) > 23 or int(found[2]) > 59:
        raise OrkestraError(EX_USAGE, f"--at {printable(at)}: expected a time of the day", "such as 22:00")
    return f"{int(found[2])} {int(found[1])} * * *"


def _interval(every: str) -> str:
    found = re.match(r"([0-9]{1,3})(m|h|d)\Z", every)
    number = int(found[1]) if found else 0
    unit = found[2] if found else ""
    if unit == "m" and 0 < number < 60 and 60 % number == 0:
        return "* * * * *" if number == 1 else f"*/{number} * * * *"
    if unit == "h" and 0 < number < 24 and 24 % number == 0:
        return "0 * * * *" if number == 1 else f"0 */{number} * * *"
    if every in ("1d", "24h", "60m"):
        return "0 * * * *" if every == "60m" else "0 0 * * *"
    raise OrkestraError(
        EX_USAGE,
        f"--every {printable(every)}: cron has no such interval",
        "minutes that divide an hour (5m, 10m, 30m), hours that divide a day (1h, 6h), 1d; or --schedule",
    )


def _given(fields: str) -> str:
    words = fields.split()
    if words in [[name] for name in _NICKNAMES]:
        return words[0]
    if len(words) != 5 or not all(map(_FIELD.match, words)):
        raise OrkestraError(
            EX_USAGE,
            f"--schedule {printable(fields)}: expected minute, hour, day, month and weekday",
            "for example '*/10 * * * *', or @hourly",
        )
    return " ".join(words)
