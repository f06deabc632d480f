"""What a person has paused: a file in the project's own Git folder, so that it holds for every run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .errors import EX_CANNOT_WRITE, EX_DATA, OrkestraError
from .files import cannot_write, locked, make_folder, write_atomic

_FILE = "orkestra/paused.json"
_LIMIT = 16 << 20


@dataclass(frozen=True)
class Pauses:
    """`everything`: nothing at all is given out; else nothing to these agents, and none of these tasks."""

    everything: bool = False
    agents: frozenset[str] = frozenset()
    tasks: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return self.everything or bool(self.agents) or bool(self.tasks)

    def words(self) -> str:
        """What is paused, for people; '' when nothing is."""
        parts = ["the project"] if self.everything else []
        for what, names in (("agent", self.agents), ("task", self.tasks)):
            if names:
                shown = sorted(names)[:10] + (["..."] if len(names) > 10 else [])
                parts.append(f"the {what}{'s' * (len(names) > 1)} {', '.join(shown)}")
        return " and ".join(parts)

    def as_json(self) -> dict[str, Any]:
        """For programs, and as the file holds it."""
        return {"everything": self.everything, "agents": sorted(self.agents), "tasks": sorted(self.tasks)}

    def pause(self, agent: str = "", task: str = "") -> Pauses:
        """One more; with neither agent nor task, the project."""
        if agent:
            return replace(self, agents=self.agents | {agent})
        return replace(self, tasks=self.tasks | {task}) if task else replace(self, everything=True)

    def resume(self, agent: str = "", task: str = "") -> Pauses:
        """One less; with neither agent nor task, nothing is paused any more."""
        if agent:
            return replace(self, agents=self.agents - {agent})
        return replace(self, tasks=self.tasks - {task}) if task else Pauses()


def read(git_dir: Path) -> Pauses:
    """What is paused now. Raises 65 for a file that is not ours, 73 for one that cannot be read."""
    path = git_dir / _FILE
    try:
        with open(path, "rb") as file:
            data = file.read(_LIMIT)
    except FileNotFoundError:
        return Pauses()
    except OSError as error:
        raise OrkestraError(EX_CANNOT_WRITE, f"cannot read {path}: {error.strerror}") from None
    try:
        top = json.loads(data)
        if top["version"] != 1:
            raise ValueError
        names = [frozenset(map(str, list(top[key]))) for key in ("agents", "tasks")]
        return Pauses(top["everything"] is True, *names)
    except (ValueError, TypeError, KeyError, RecursionError):
        raise OrkestraError(
            EX_DATA, f"{path} does not say what is paused", "remove it, and pause anew what should be"
        ) from None


def change(git_dir: Path, edit: Callable[[Pauses], Pauses]) -> tuple[Pauses, Pauses]:
    """(before, after); one change at a time, the file written whole. Raises 65 and 73."""
    path = git_dir / _FILE
    make_folder(path.parent)
    with locked(path.with_name("paused.lock")):
        before = read(git_dir)
        after = edit(before)
        if not after:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise cannot_write(path, error) from None
        elif after != before:
            write_atomic(path, json.dumps({"version": 1, **after.as_json()}, indent=1) + "\n")
    return before, after


class PauseFile:
    """The file while a run goes on. A look costs one stat."""

    def __init__(self, git_dir: Path) -> None:
        """Raises 65, 73."""
        self._git_dir = git_dir
        self._seen = self._stamp()
        self.now = read(git_dir)

    def _stamp(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._git_dir / _FILE)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def changed(self) -> bool:
        """Whether `now` is another than before. Raises 65, 73 once for each version that cannot be read."""
        stamp = self._stamp()
        if stamp == self._seen:
            return False
        self._seen = stamp
        before, self.now = self.now, read(self._git_dir)
        return before != self.now
