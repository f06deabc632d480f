"""Folders of a project that its workspaces see without a copy (`workspace.share`)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import EX_DATA, OrkestraError
from .text import printable

if TYPE_CHECKING:
    from .plumbing import Git
    from .project import Project
    from .work import Place


def path_of(entry: Any) -> str:
    """The folder that an entry of the list names, below the project."""
    return str(entry["path"] if isinstance(entry, dict) else entry).rstrip("/")


def _mode(entry: Any) -> str:
    return "rw" if isinstance(entry, dict) and entry.get("mode") == "rw" else "ro"


def triples(place: Place, share: Iterable[Any]) -> list[str]:
    """MODE SOURCE DESTINATION, one after the other, of each that is there now; outer folders come first."""
    found = []
    for entry in sorted(share, key=path_of):
        path = path_of(entry)
        if _is_there(place.project, path):
            found += [_mode(entry), str(place.project / path), str(place.workspace / "tree" / path)]
    return found


def _is_there(project: Path, path: str) -> bool:
    """Whether it is a folder, with no link on the way to it."""
    source = project / path
    return source.is_dir() and os.path.realpath(source) == os.path.join(os.path.realpath(project), path)


def look(project: Project, git: Git) -> list[str]:
    """What a person has to be told of the list before a run: each folder that is missing.

    Raises OrkestraError 65 for one that leads elsewhere, that is no folder, or that Git has files in.
    """
    missing = []
    for entry in project.share:
        path = path_of(entry)
        place = project.path / path
        if not os.path.lexists(place):
            missing.append(
                f'workspaces do without {printable(path)}, which "share" in config/project.json names:'
                f" there is none in {printable(project.path)}"
            )
        elif not _is_there(project.path, path):
            raise _wrong(path, "a link, or leads through one" if place.is_dir() else "no folder")
        elif git.run("ls-tree", "--name-only", f"refs/heads/{project.branch}", "--", f"{path}/"):
            raise _wrong(path, "in Git, so workspaces have it already")
    return missing


def _wrong(path: str, what: str) -> OrkestraError:
    return OrkestraError(
        EX_DATA,
        f"{printable(path)} cannot be shared with workspaces: it is {what}",
        'take it out of "share" in config/project.json',
    )
