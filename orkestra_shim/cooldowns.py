"""Accounts that are limited, and until when: CONFIG/RUNTIME/limits.json, one for all projects and runs.

    {"version": 1, "limits": {"claude@work": [
      {"model": null, "at": 1795420000, "until": 1795424191, "why": "..."}]}}

`model`: null where the whole account is limited, else the one that is ('' is the one that the tool takes by
itself). `at` and `until` are epoch seconds: when it was said, and when it may be used again. Ends that have
passed are dropped. What is no limit in the file is said and passed over.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import agentname, canonical, files, moments
from .errors import OrkestraError
from .text import clean, printable

FILE = "limits.json"
LONGEST = 7 * 24 * 3600  # seconds: a tool that says "in a year" is mistaken
UNSAID = 15 * 60  # where it does not say when
_LOCK = "limits.lock"
_MOST = 1000  # limits
_SIZE = 1 << 20
_WHY = 600  # characters
_AGAIN = (5, 300)  # seconds that one rests at least whose rests end in a limit again, and at most so


@dataclass(frozen=True)
class Limit:
    """What is limited and until when. Times are epoch seconds."""

    account: str
    model: str | None
    at: int
    until: int
    why: str = ""

    @property
    def name(self) -> str:
        """The account, or as an agent of that model is called."""
        return self.account if not self.model else f"{self.account}:{self.model}"

    def left(self, now: float) -> float:
        """Seconds that it still holds; a clock that was set back makes it no longer than it was."""
        return max(0.0, min(self.until - now, self.until - self.at))

    def holds_for(self, account: str, model: str) -> bool:
        """Whether an agent of that account and model is limited by it."""
        return self.account == account and self.model in (None, model)


# --- the file -----------------------------------------------------------------------------------------------


def read(runtime: Path) -> tuple[list[Limit], str]:
    """(limits that hold now, what is wrong with the file or ''); never raises."""
    found, wrong = _written(runtime)
    now = time.time()
    return [one for one in found if one.left(now) > 0], wrong


def _written(runtime: Path) -> tuple[list[Limit], str]:
    """The same with those that have ended."""
    path = runtime / FILE
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return [], f"{printable(path)} is not a file"
    except FileNotFoundError:
        return [], ""
    except OSError as error:
        return [], f"{printable(path)} cannot be read: {error.strerror}"
    data = files.read_bounded(path, _SIZE + 1)
    if data is None:
        return [], f"{printable(path)} cannot be read"
    found, wrong = _parse(data)
    return found, f"{printable(path)}: {wrong}" if wrong else ""


def _parse(data: bytes) -> tuple[list[Limit], str]:
    try:
        top = canonical.parse(data, max_bytes=_SIZE, max_depth=8)
        if not isinstance(top, dict) or not isinstance(top.get("limits"), dict):
            return [], "it holds no limits"
        if top.get("version") != 1:
            return [], "it was written by another version"
    except ValueError as error:
        return [], str(error)
    found: list[Limit] = []
    wrong, latest = 0, time.time() + LONGEST
    for account, entries in top["limits"].items():
        for raw in entries if isinstance(entries, list) else [None]:
            limit = _limit(account, raw)
            if limit is None or limit.at > latest or len(found) == _MOST:
                wrong += 1
            else:
                found.append(limit)
    return found, f"{wrong} of its entries are no limits and are passed over" if wrong else ""


def _limit(account: str, raw: object) -> Limit | None:
    if not isinstance(raw, dict) or agentname.problem(account) or ":" in account:
        return None
    model, at, until, why = raw.get("model"), raw.get("at"), raw.get("until"), raw.get("why", "")
    if model and (not isinstance(model, str) or agentname.problem(f"{account}:{model}")):
        return None
    if type(at) is not int or type(until) is not int or not 0 < at < until or not isinstance(why, str):
        return None
    return Limit(account, model, at, min(until, at + LONGEST), clean(why)[:_WHY])


def change(runtime: Path, edit: Callable[[list[Limit]], list[Limit]]) -> tuple[list[Limit], list[Limit], str]:
    """(before, after, what was wrong with the file): one change at a time, written whole. Raises 73."""
    files.make_folder(runtime, 0o700)
    with files.locked(runtime / _LOCK):
        before, wrong = read(runtime)
        after = edit(before)
        if after != before or wrong:
            # Not synced: a power cut may take it, and then a tool says it again.
            files.write_atomic(runtime / FILE, _dump(after), mode=0o600, sync=False)
    return before, after, wrong


def _dump(limits: list[Limit]) -> str:
    accounts: dict[str, list[dict[str, Any]]] = {}
    for one in limits[:_MOST]:
        entry = {"model": one.model, "at": one.at, "until": one.until, "why": one.why}
        accounts.setdefault(one.account, []).append(entry)
    return json.dumps({"version": 1, "limits": accounts}, ensure_ascii=False, indent=1) + "\n"


def end(runtime: Path, account: str) -> list[Limit]:
    """A person ends the rest of an account and of all its models; what ended. Raises 73."""
    before, after, _ = change(runtime, lambda now: [one for one in now if one.account != account])
    return [one for one in before if one not in after]


def add(limits: list[Limit], new: Limit) -> list[Limit]:
    """With one more; of two that are about the same the one that ends later stays."""
    same = [one for one in limits if (one.account, one.model) == (new.account, new.model)]
    if any(one.until >= new.until for one in same):
        return limits
    return [*(one for one in limits if one not in same), new]


def of_agent(name: str) -> tuple[str, str]:
    """The account and the model of an agent of that name."""
    if agentname.problem(name):
        return name, ""
    parts = agentname.parse(name)
    return parts.account_id, parts.model


def holding(limits: list[Limit], agent: str) -> Limit | None:
    """What limits an agent; of several the one that ends last."""
    account, model = of_agent(agent)
    found = [one for one in limits if one.holds_for(account, model)]
    return max(found, key=lambda one: one.until, default=None)


# --- while a run goes on ------------------------------------------------------------------------------------


class Cooldowns:
    """The file while a run goes on: a look costs one stat, once a second at most.

    How long one that is known still holds goes by time that passes, whatever somebody does to the clock.
    """

    def __init__(self, runtime: Path, say: Callable[[str], None]) -> None:
        self._runtime = runtime
        self._say = say
        self._ends: dict[Limit, float] = {}  # by time that passes
        self._unwritten: list[Limit] = []
        self._stamp: tuple[int, ...] | None = None
        self._looked = float("-inf")
        self._times: dict[tuple[str, str], int] = {}  # limits in a row of an agent that began anew after each

    def _look(self, now: bool = False) -> None:
        if not now and moments.passed() - self._looked < 1:
            return
        self._looked = moments.passed()
        try:
            found = os.lstat(self._runtime / FILE)
            stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
        except OSError:
            stamp = None
        if stamp != self._stamp:
            self._stamp = stamp
            limits, wrong = _written(self._runtime)
            if wrong:
                self._say(f"{wrong}; what this run knows of limits stays")
                limits = [*limits, *self._ends]
            self._take([*limits, *self._unwritten])

    def _take(self, limits: list[Limit]) -> None:
        now, passed = time.time(), moments.passed()
        ends = {one: self._ends.get(one, passed + one.left(now)) for one in limits}
        self._ends = {one: at for one, at in ends.items() if at > passed}

    def note(self, account: str, model: str, until: int, why: str, of_model: bool = False) -> int:
        """A tool says that it is limited; the epoch second, clamped, when it may be tried again.

        until: 0 where it does not say when. of_model: the model is limited and not the account.
        """
        now = int(time.time())
        until = min(max(until, now + 1), now + LONGEST) if until > 0 else now + UNSAID
        if not self.left(account, model):
            times = self._times[account, model] = self._times.get((account, model), -1) + 1
            if times:
                until = max(until, now + min(_AGAIN[0] << min(times - 1, 20), _AGAIN[1]))
        new = Limit(account, model if of_model else None, now, until, clean(why)[:_WHY])
        try:
            _, limits, wrong = change(self._runtime, lambda known: add(known, new))
        except OrkestraError as error:
            self._say(f"a limit of {new.name} is known to this run alone: {error.message}")
            self._unwritten = limits = add(self._unwritten, new)
            wrong = error.message
        self._take([*limits, *self._unwritten, *(self._ends if wrong else ())])
        return until

    def answered(self, account: str, model: str) -> None:
        """An agent was not limited."""
        if self._times:
            self._times.pop((account, model), None)

    def hold(self) -> bool:
        """Whether anything is limited now."""
        self._look()
        return bool(self._ends) and max(self._ends.values()) > moments.passed()

    def of(self, account: str, model: str) -> Limit | None:
        """What limits an agent of that account and model now; of several the one that ends last."""
        self._look()
        if not self._ends:
            return None
        passed = moments.passed()
        holding = [
            (at, one) for one, at in self._ends.items() if at > passed and one.holds_for(account, model)
        ]
        return max(holding, key=lambda found: found[0])[1] if holding else None

    def left(self, account: str, model: str) -> float:
        """Seconds that such an agent still rests, 0 when it does not."""
        limit = self.of(account, model)
        return max(0.0, self._ends[limit] - moments.passed()) if limit else 0.0
