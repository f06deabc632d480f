"""What agents spent: of one piece of work, and of all projects of this home (CONFIG/RUNTIME/spending.jsonl).

A line of that file is one attempt or one ballot:
  {"at", "project": its id, "task", "try", "agent", "account_id", "kind": "work" | "ballot",
   "seconds": null for a ballot, "tokens": {"input", "cached", "output", "cache_write" where there is any} or
   null, "usd_micros": or null, "basis": "told" by the tool, by the price "table", "unknown", or of a
   "subscription": then the money is notional, "model": '' where unknown, "charged": {unit: what counts
   against budgets in the place of what nobody knows}, where there is any}
Lines are appended under the lock spending.lock beside it; beyond _MOST bytes the oldest go.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import files
from .prices import Prices, Usage

if TYPE_CHECKING:
    from .evidence import Result

FILE = "spending.jsonl"
LOCK = "spending.lock"
BASES = ("told", "table", "unknown", "subscription")
_MOST = 8 << 20  # bytes; a line has about 300
_KEPT = 4 << 20
_FIRST = 512  # bytes by which a file is known again
# What a login by which a subscription is used has in its file; a key that was stored there has none of it.
_LOGIN = re.compile(rb'"[a-z_]*(?:access|refresh|oauth)_?token"', re.IGNORECASE)
_LOGIN_LIMIT = 1 << 20


@dataclass(frozen=True)
class Cost:
    """Of one piece of work; usd_micros None where nobody knows it."""

    usage: Usage | None = None
    usd_micros: int | None = None
    basis: str = "unknown"
    model: str = ""

    @property
    def tokens(self) -> int | None:
        """All of them; None where the tool said nothing."""
        return self.usage.total if self.usage else None

    @property
    def billed(self) -> int | None:
        """Micro-dollars that somebody pays for it: none where a subscription was used."""
        return 0 if self.basis == "subscription" else self.usd_micros

    def told(self) -> dict[str, Any]:
        """As an event of the execution log has it: whole numbers that can be added up, and what they are."""
        told: dict[str, Any] = {"tokens": self.tokens or 0, "usd_micros": self.billed or 0}
        told["basis"] = self.basis
        if self.basis == "subscription" and self.usd_micros is not None:
            told["notional_usd_micros"] = self.usd_micros
        if self.usage:
            told["usage"] = self.usage.told()
        if self.model:
            told["model"] = self.model
        return told


def cost(result: Result, prices: Prices, model: str, subscription: bool) -> Cost:
    """What a tool's own account of its work comes to. `model`: which one, where the tool does not say."""
    usage, usd, model = result.usage, result.usd_micros, result.model or model
    # A tool that has tokens and says 0 does not know the price of its model.
    if usd is None or (usd == 0 and usage):
        usd = prices.of(model, usage) if usage else None
        basis = "unknown" if usd is None else "table"
    else:
        basis = "told"
    return Cost(usage, usd, "subscription" if subscription else basis, model)


def is_subscription(logins: Iterable[Path], keys: Iterable[str], prefers_key: bool) -> bool:
    """Whether an agent that gets these login files, and keys of these names, works by a subscription.

    As the adapters decide it: a login goes before a key, unless the user prefers that.
    """
    names = list(keys)
    if any("OAUTH" in name for name in names):
        return not prefers_key or all("OAUTH" in name for name in names)
    login = any(_LOGIN.search(files.read_bounded(path, _LOGIN_LIMIT) or b"") for path in logins)
    return login and not (prefers_key and names)


# --- the file -----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def locked(config: Path) -> Iterator[Path]:
    """Holds the lock on what was spent; the folder in which it is kept. Raises 73."""
    folder = config / "RUNTIME"
    files.make_folder(folder, 0o700)
    with files.locked(folder / LOCK):
        yield folder


def append(folder: Path, line: Mapping[str, Any]) -> None:
    """Adds a line; whoever calls holds the lock. Raises 73."""
    path = folder / FILE
    data = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                data = b"\n" + data  # half a line, of one that was killed
            if os.write(descriptor, data) != len(data):
                raise OSError(28, "no space left")
        finally:
            os.close(descriptor)
    except OSError as error:
        raise files.cannot_write(path, error) from None
    if size + len(data) > _MOST:
        tail = files.read_tail(path, _KEPT) or b""
        files.write_atomic(path, tail[tail.find(b"\n") + 1 :], mode=0o600)


class Book:
    """The lines of the file, read on from where they were read before."""

    def __init__(self, config: Path) -> None:
        self._path = config / "RUNTIME" / FILE
        self._first, self._at = b"", 0  # how the file begins, and how far it was read

    def new(self) -> list[dict[str, Any]] | None:
        """Lines since the last look; None where it is another file: then all of them come with the next."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None if self._forget() else []
        with os.fdopen(descriptor, "rb") as file:
            first = file.read(_FIRST)
            if first[: len(self._first)] != self._first or os.fstat(descriptor).st_size < self._at:
                self._forget()
                return None
            file.seek(self._at)
            data = file.read()
        whole = data.rfind(b"\n") + 1
        self._first, self._at = first[: self._at + whole], self._at + whole
        return list(_lines(data[:whole]))

    def _forget(self) -> bool:
        known = self._at > 0
        self._first, self._at = b"", 0
        return known


def read(config: Path) -> list[dict[str, Any]]:
    """Every line of the file, the oldest first; what is none is passed over."""
    return Book(config).new() or []


def of_project(config: Path, project: str, since: str) -> Iterator[dict[str, Any]]:
    """Lines of that project, and of all projects those of a time on; the others are not even parsed."""
    mark, start = f'"project":{json.dumps(project)}'.encode(), f'{{"at":"{since}'.encode()
    data = files.read_bounded(config / "RUNTIME" / FILE, _MOST + _KEPT) or b""
    yield from _lines(b"\n".join(line for line in data.splitlines() if line >= start or mark in line))


def _lines(data: bytes) -> Iterator[dict[str, Any]]:
    for line in data.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and found.get("basis") in BASES and isinstance(found.get("at"), str):
            yield found


# --- sums ---------------------------------------------------------------------------------------------------


@dataclass
class Total:
    """Sums. `unknown`: how much work there is whose cost nobody knows, and that is not in usd_micros."""

    usd_micros: int = 0
    notional_usd_micros: int = 0
    tokens: int = 0
    seconds: int = 0
    unknown: int = 0

    def add(self, usd: int | None, tokens: int | None, seconds: int | None, basis: str) -> None:
        """One more piece of work."""
        if basis == "subscription":
            self.notional_usd_micros += usd or 0
        else:
            self.usd_micros += usd or 0
            self.unknown += basis == "unknown"
        self.tokens += tokens or 0
        self.seconds += seconds or 0

    def add_line(self, line: Mapping[str, Any]) -> None:
        """One more line of the file."""
        self.add(line.get("usd_micros"), tokens_of(line), line.get("seconds"), line["basis"])

    def add_cost(self, found: Mapping[str, Any]) -> None:
        """The cost of an outcome, as its record has it, or of an event of the execution log."""
        for key in ("usd_micros", "notional_usd_micros", "tokens", "seconds"):
            value = found.get(key)
            setattr(self, key, getattr(self, key) + (value if type(value) is int else 0))
        unknown = found.get("unknown")
        self.unknown += unknown if type(unknown) is int else found.get("basis") == "unknown"

    def told(self) -> dict[str, int]:
        """For programs."""
        return dict(vars(self))

    def words(self) -> str:
        """For people: '$1.25, 3,400 tokens, 1 of unknown cost'; '' for nothing at all."""
        parts = [f"{dollars(self.usd_micros)}"] if self.usd_micros else []
        if self.notional_usd_micros:
            parts.append(f"by subscription what would be {dollars(self.notional_usd_micros)}")
        if self.tokens:
            parts.append(f"{self.tokens:,} tokens")
        if self.unknown:
            parts.append(f"{self.unknown} of unknown cost")
        return ", ".join(parts)


def total(told: Mapping[str, int]) -> Total:
    """Sums as `Total.told` has them, whatever else is beside them."""
    return Total(**{key: told[key] for key in vars(Total())})


def tokens_of(line: Mapping[str, Any]) -> int | None:
    """All tokens of a line of the file, None where they are not known."""
    told = line.get("tokens")
    if not isinstance(told, dict):
        return None
    return sum(value for value in told.values() if type(value) is int)


@dataclass
class Day:
    """What was spent since midnight, by the whole home and by each project and agent."""

    all: Total = field(default_factory=Total)
    projects: dict[str, Total] = field(default_factory=dict)
    agents: dict[str, Total] = field(default_factory=dict)

    def add(self, line: Mapping[str, Any]) -> None:
        """One line of the file."""
        self.all.add_line(line)
        self.projects.setdefault(str(line.get("project")), Total()).add_line(line)
        self.agents.setdefault(str(line.get("agent")), Total()).add_line(line)


def midnight(now: float | None = None) -> str:
    """When the day began here, in UTC as lines have it."""
    parts = time.localtime(now)
    start = time.mktime((*parts[:3], 0, 0, 0, 0, 0, -1))
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start))


def next_midnight(now: float | None = None) -> float:
    """The epoch second at which the next day begins here."""
    parts = time.localtime(now)
    return time.mktime((parts[0], parts[1], parts[2] + 1, 0, 0, 0, 0, 0, -1))


def today(config: Path) -> Day:
    """What was spent today."""
    day, since = Day(), midnight()
    for line in read(config):
        if line["at"] >= since:
            day.add(line)
    return day


def dollars(micros: int) -> str:
    """$1.25; more digits where there would be none: $0.0013."""
    if 0 < micros < 10_000:
        return f"${micros / 1e6:.6f}".rstrip("0")
    return f"${micros / 1e6:,.2f}"
