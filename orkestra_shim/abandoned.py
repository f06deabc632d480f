"""Workspaces and runtime folders whose project is gone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from . import files, processes, projects, scripts, settings, unlanded
from .errors import EX_FAILED, OrkestraError
from .home import Home
from .project import Project
from .session import Session

_ID = re.compile(r"[0-9a-f]{12}\Z")
_BOUND = 600.0  # seconds that removing may take


@dataclass(frozen=True)
class Abandoned:
    """One folder. `held` says what in it is nowhere else: then only a person may remove it."""

    folder: Path
    what: str
    held: str
    mebibytes: int = field(compare=False)

    @property
    def text(self) -> str:
        """What is wrong."""
        more = f"; {self.held} in it never landed" if self.held else ""
        return f"{self.what}: {self.folder}, {self.mebibytes} MiB{more}"

    @property
    def does(self) -> str:
        """What mending does; '' where a person has to look first."""
        return "" if self.held else "removes this folder"

    def mend(self, session: Session) -> None:
        """Removes it, with whatever an agent has made of its permissions. Raises when something stays."""
        if self.what == _RUNTIME:
            shutil.rmtree(self.folder)
            return
        home, values = session.home, session.values
        code, said = scripts.capture(home, values, "CORE/workspace.sh", ["remove", str(self.folder)], _BOUND)
        if code != 0:
            raise OrkestraError(EX_FAILED, said.strip().removeprefix("orkestra: ").splitlines()[0])


_WORKSPACES = "workspaces of a project that is gone"
_RUNTIME = "the runtime folder of a project that is not known here"


def find(session: Session) -> list[Abandoned]:
    """All of them in this home."""
    known = _known(session.home, session)
    root = Path(session.values["ORKESTRA_WORKSPACES_DIR"].text)
    return [*_workspaces(root, known), *_runtimes(session.home, known)]


def _known(home: Home, session: Session) -> set[str]:
    found = projects.all_projects(home, settings.projects(session.values))
    return {one.id for one in found if isinstance(one, Project)}


def _of_unknown(folder: Path, known: set[str]) -> list[Path]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [
        folder / name
        for name in names
        if _ID.match(name)
        and name not in known
        and (folder / name).is_dir()
        and not (folder / name).is_symlink()
    ]


def _workspaces(root: Path, known: set[str]) -> Iterator[Abandoned]:
    for folder in _of_unknown(root, known):
        workers = unlanded.worker_folders(folder)
        # Each workspace says where its project's objects are: one that is still there is only not known here.
        if any(objects.is_dir() for one in workers for objects in _objects(one)):
            continue
        if any(processes.is_locked(one / "lock") for one in workers):
            continue
        held = [owner[0] for one in workers if (owner := unlanded.owner_of(one))]
        held += [lost.name for one in workers for lost in sorted(one.glob("lost-*"))]
        yield Abandoned(folder, _WORKSPACES, ", ".join(held), _size(folder))


def _objects(workspace: Path) -> list[Path]:
    text = files.read_bounded(workspace / "git" / "objects" / "info" / "alternates", 65536) or b""
    return [Path(os.fsdecode(line)) for line in text.splitlines() if line.startswith(b"/")]


def _runtimes(home: Home, known: set[str]) -> Iterator[Abandoned]:
    for folder in _of_unknown(home.runtime, known):
        # Its store has pipes open there.
        if not any(processes.who_has_open(pipe) for pipe in folder.glob("run/*.re[qp]")):
            yield Abandoned(folder, _RUNTIME, "", _size(folder))


def _size(folder: Path) -> int:
    done = subprocess.run(["du", "-sm", "--", str(folder)], capture_output=True, check=False)
    words = done.stdout.split()
    return int(words[0]) if words else 0
