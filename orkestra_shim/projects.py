"""The projects of a home: the pointer to the active one, and which project a command means."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from orkestra_shim import jsonfile, names, project
from orkestra_shim.errors import EX_CONFIG, EX_USAGE, OrkestraError
from orkestra_shim.files import locked, make_folder, write_atomic
from orkestra_shim.home import Home
from orkestra_shim.project import Project
from orkestra_shim.text import printable

# --- the pointer --------------------------------------------------------------------------------------------


def pointer_file(home: Home) -> Path:
    """CONFIG/current-project.json."""
    return home.config / "current-project.json"


def read_pointer(home: Home) -> dict[str, Any]:
    """Name, path, id and branch of the active project, and `known`: projects outside of PROJECTS."""
    try:
        raw = pointer_file(home).read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise OrkestraError(
            EX_CONFIG,
            f"cannot read {printable(pointer_file(home))}: {error.strerror}",
            "see its owner and rights",
        ) from error
    try:
        where = printable(pointer_file(home))
        data = jsonfile.parse(jsonfile.decode(raw, where), where)
    except OrkestraError as error:
        raise OrkestraError(EX_CONFIG, error.message, "write it anew: orkestra load NAME") from error
    if not isinstance(data.get("path"), str) or not isinstance(data.get("name"), str):
        raise OrkestraError(
            EX_CONFIG,
            f"{printable(pointer_file(home))}: expected name and path",
            "write it anew: orkestra load NAME",
        )
    return data


def point_to(home: Home, projects: Path, chosen: Project) -> None:
    """Makes `chosen` the active one."""
    make_folder(home.runtime, 0o700)
    with locked(home.runtime / "pointer.lock"):
        try:
            known = _known(read_pointer(home))
        except OrkestraError:
            known = []
        entry = {"name": chosen.name, "path": str(chosen.path), "id": chosen.id, "branch": chosen.branch}
        known = [one for one in known if one["path"] != entry["path"] and os.path.isdir(one["path"])]
        if chosen.path.parent != projects:
            known.insert(0, entry)
        write_atomic(pointer_file(home), jsonfile.dump({**entry, "known": known[:100]}))


def _known(pointer: dict[str, Any]) -> list[dict[str, str]]:
    """Projects outside of PROJECTS that were loaded at some time."""
    entries = pointer.get("known", [])
    if not isinstance(entries, list):
        return []
    good = [one for one in entries if isinstance(one, dict)]
    return [one for one in good if all(isinstance(one.get(key), str) for key in ("name", "path", "branch"))]


# --- which project ------------------------------------------------------------------------------------------


def find(home: Home, projects: Path, wanted: str | None) -> Project:
    """The project a command means: the wanted NAME or PATH, else the active one. Raises OrkestraError 78."""
    pointer = read_pointer(home) if wanted is None else _pointer_or_nothing(home)
    if wanted is None:
        if not pointer:
            raise OrkestraError(
                EX_CONFIG,
                "there is no active project",
                "make one: orkestra new NAME, or: orkestra adopt PATH",
            )
        return _load_pointed(pointer)
    if wanted == "":
        raise OrkestraError(EX_USAGE, "the name of the project is empty", "orkestra list shows the projects")
    is_path = "/" in wanted or wanted in (".", "..")
    if not is_path:
        if _looks_like_name(wanted) and (projects / wanted).is_dir():
            return project.load(projects / wanted, _branch_of(pointer, projects / wanted))
        for entry in _known(pointer):
            if entry["name"] == wanted and os.path.isdir(entry["path"]):
                return project.load(Path(entry["path"]), entry["branch"])
        if not os.path.isdir(wanted):
            raise OrkestraError(
                EX_CONFIG,
                f"there is no project '{printable(wanted[:200])}' in {printable(projects)}",
                "orkestra list shows the projects; a project elsewhere is named by its path",
            )
    top = enclosing(Path(os.path.abspath(wanted)))
    path = top or Path(os.path.abspath(wanted))
    return project.load(path, _branch_of(pointer, path))


def _looks_like_name(name: str) -> bool:
    try:
        names.check(name, "project")
    except OrkestraError:
        return False
    return True


def _pointer_or_nothing(home: Home) -> dict[str, Any]:
    try:
        return read_pointer(home)
    except OrkestraError:
        return {}


def _branch_of(pointer: dict[str, Any], path: Path) -> str:
    """The branch remembered for the project at `path`, for a checkout that is on another branch just now."""
    real = os.path.realpath(path)
    for entry in (pointer, *_known(pointer)):
        if entry.get("path") == real:
            return str(entry.get("branch", ""))
    return ""


def _load_pointed(pointer: dict[str, Any]) -> Project:
    path = Path(pointer["path"])
    if not path.is_dir():
        raise OrkestraError(
            EX_CONFIG,
            f"the active project {printable(pointer['name'])} is no longer at {printable(path)}",
            "moved? orkestra load NEW-PATH",
        )
    branch = pointer.get("branch", "")
    return project.load(path, branch if isinstance(branch, str) else "")


def enclosing(folder: Path) -> Path | None:
    """The top folder of the Orkestra project that `folder` lies in, or None. Asks no Git."""
    folder = Path(os.path.realpath(folder))
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():
            try:
                ours = b'"orkestra.project/' in (candidate / project.FILE).read_bytes()
            except OSError:
                ours = False
            return candidate if ours else None
    return None


def elsewhere(home: Home) -> list[str]:
    """Folders of the projects that are known and not in PROJECTS."""
    return [str(entry["path"]) for entry in _known(_pointer_or_nothing(home)) if os.path.isdir(entry["path"])]


def all_projects(home: Home, projects: Path) -> list[Project | OrkestraError]:
    """Every project of PROJECTS and those known elsewhere; one that cannot be read is given as its error."""
    pointer = _pointer_or_nothing(home)
    try:
        folders = sorted(one for one in projects.iterdir() if one.is_dir() and not one.name.startswith("."))
    except OSError:
        folders = []
    folders += [Path(entry["path"]) for entry in _known(pointer) if os.path.isdir(entry["path"])]
    found: list[Project | OrkestraError] = []
    seen: set[str] = set()
    for folder in folders:
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        try:
            found.append(project.load(folder, _branch_of(pointer, folder)))
        except OrkestraError as error:
            found.append(error)
    return found
