"""What a command begins with: the home, the settings, and the project that is meant."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from orkestra_shim import home as home_module
from orkestra_shim import projects, settings
from orkestra_shim.home import Home
from orkestra_shim.project import Project
from orkestra_shim.settings import Value
from orkestra_shim.text import printable


@dataclass(frozen=True)
class Session:
    """Home and settings of this call."""

    home: Home
    values: dict[str, Value]

    @property
    def projects(self) -> Path:
        """The folder that holds the projects."""
        return settings.projects(self.values)

    def find(self, wanted: str | None, quiet: bool = False) -> Project:
        """The project that is meant: `wanted` (a name or path), else the active one.

        A line on stderr says so when the current folder belongs to another project.
        """
        found = projects.find(self.home, self.projects, wanted)
        if wanted is None and not quiet:
            _warn_elsewhere(found)
        return found


def open_session() -> Session:
    """Reads home and settings; makes a new home's folders. Raises OrkestraError."""
    home = home_module.open_home()
    return Session(home, settings.load(home))


def _warn_elsewhere(found: Project) -> None:
    try:
        here = projects.enclosing(Path.cwd())
    except OSError:
        return
    if here is None or os.path.realpath(here) == str(found.path):
        return
    print(
        f"orkestra: note: you are inside the project {printable(here)},\n"
        f"  but the active project is {printable(found.name)}: this is about {printable(found.path)}"
        f" (orkestra load {printable(here.name)} changes that)",
        file=sys.stderr,
    )
