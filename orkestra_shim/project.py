"""Projects: config/project.json, the pointer to the active one, and which project a command means."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orkestra_shim import jsonfile, names, repo
from orkestra_shim.errors import EX_CONFIG, EX_DATA, EX_USAGE, OrkestraError
from orkestra_shim.files import locked, make_folder, write_atomic
from orkestra_shim.home import Home
from orkestra_shim.jsonfile import dump
from orkestra_shim.text import printable, word

FORMAT = "orkestra.project/1"
FILE = Path("config/project.json")
QUEUE = Path("config/task-queue.json")
_ID = re.compile(r"[0-9a-f]{12}\Z")


@dataclass(frozen=True)
class Project:
    """A project whose project.json is sound. `path` is the absolute path of its checkout."""

    path: Path
    data: dict[str, Any]

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits, made once; two projects of one name have different ones."""
        return str(self.data["id"])

    @property
    def name(self) -> str:
        """The name of the project."""
        return str(self.data["name"])

    @property
    def branch(self) -> str:
        """The branch on which work lands, in its short form."""
        return str(self.data["branch"])


def settings(name: str, branch: str, project_id: str) -> dict[str, Any]:
    """The content of a new project.json."""
    return {
        "format": FORMAT,
        "id": project_id,
        "name": name,
        "branch": branch,
        "check": "",
        "check_timeout": 900,
        "agents": [],
        "committee": {"reviewers": "auto", "rule": "majority"},
        "workspace": {"share": [], "setup": ""},
        "network": {"check": False},
    }


def new_id() -> str:
    """A fresh project id."""
    return os.urandom(6).hex()


# --- reading ------------------------------------------------------------------------------------------------


def load(path: Path, branch: str = "") -> Project:
    """The project whose checkout is `path`.

    Where the checkout is on a branch without config/project.json, it is read from `branch`, if given.
    Raises OrkestraError 65 or 78.
    """
    path = Path(os.path.realpath(path))
    if not path.is_dir():
        raise OrkestraError(
            EX_CONFIG, f"there is no folder {printable(path)}", "orkestra list shows the projects"
        )
    where = printable(path / FILE)
    raw = _bytes(path, branch)
    if raw is None:
        raise OrkestraError(
            EX_CONFIG,
            f"{printable(path)} is no Orkestra project: it has no {FILE}",
            f"orkestra adopt {word(path)}",
        )
    data = jsonfile.parse(jsonfile.decode(raw, where), where)
    check_settings(data, raw, where)
    if not (path / ".git").exists():
        raise OrkestraError(
            EX_DATA, f"{printable(path)} is not the top folder of a Git repository", "git init there?"
        )
    return Project(path, data)


def _bytes(path: Path, branch: str) -> bytes | None:
    try:
        return (path / FILE).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise OrkestraError(EX_DATA, f"cannot read {printable(path / FILE)}: {error.strerror}") from error
    if branch:
        done = repo.run(path, "cat-file", "blob", f"refs/heads/{branch}:{FILE}")
        if done.returncode == 0:
            return done.stdout
    return None


def check_settings(data: dict[str, Any], raw: bytes, where: str) -> None:
    """Raises OrkestraError 65 naming file and line of the first thing that is not as it must be."""

    def wrong(key: str, expected: str) -> OrkestraError:
        place = raw.find(f'"{key}"'.encode())
        line = raw[:place].count(b"\n") + 1 if place >= 0 else 1
        return OrkestraError(EX_DATA, f"{where}:{line}: {key} must be {expected}")

    kind = data.get("format")
    if kind != FORMAT:
        newer = re.fullmatch(r"orkestra\.project/([0-9]{1,6})", kind) if isinstance(kind, str) else None
        if newer and int(newer[1]) > 1:
            raise OrkestraError(
                EX_DATA,
                f"{where} was written by a newer Orkestra ({kind}); this one reads {FORMAT}",
                "upgrade Orkestra",
            )
        raise OrkestraError(EX_DATA, f'{where} is not Orkestra\'s: expected "format": "{FORMAT}"')
    for key, expected, good in _RULES:
        if not good(data.get(key)):
            raise wrong(key, expected)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


def _is_branch(value: object) -> bool:
    if not isinstance(value, str) or not value or len(value) > 200:
        return False
    return (
        not re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/.]|/\.|/$|\.$|\.lock(/|$)", value)
        and value != "@"
    )


def is_share(value: object) -> bool:
    """Whether `value` may stand in workspace.share: a folder below the project, or {"path", "mode"}."""
    if isinstance(value, dict):
        return is_share(value.get("path")) and value.get("mode", "ro") in ("ro", "rw")
    if (
        not isinstance(value, str)
        or not value
        or re.search(r"[\x00-\x1f\x7f]", value)
        or value.startswith("/")
    ):
        return False
    parts = value.rstrip("/").split("/")
    return not any(part in ("", ".", "..") or part.lower() == ".git" for part in parts)


def _is_workspace(value: object) -> bool:
    if value is None:
        return True
    if not isinstance(value, dict) or not _is_text(value.get("setup", "")):
        return False
    share = value.get("share", [])
    return isinstance(share, list) and all(map(is_share, share))


def _is_committee(value: object) -> bool:
    if value is None:
        return True
    if not isinstance(value, dict) or not _is_text(value.get("rule", "majority")):
        return False
    reviewers = value.get("reviewers", "auto")
    return reviewers == "auto" or (
        isinstance(reviewers, list) and all(_is_text(one) and one for one in reviewers)
    )


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 7 * 86400


_RULES = (
    ("id", "twelve hexadecimal digits in quotes", lambda v: isinstance(v, str) and bool(_ID.match(v))),
    (
        "name",
        "a name in quotes, without control characters",
        lambda v: _is_text(v) and bool(v) and printable(v) == v,
    ),
    ("branch", "the short name of a branch, in quotes", _is_branch),
    ("check", "a command in quotes (empty: none)", lambda v: v is None or _is_text(v)),
    ("check_timeout", "a number of seconds", lambda v: v is None or _is_whole(v)),
    (
        "agents",
        "a list of names",
        lambda v: v is None or (isinstance(v, list) and all(_is_text(one) for one in v)),
    ),
    ("committee", 'an object with "reviewers" ("auto" or a list of names) and "rule"', _is_committee),
    ("workspace", 'an object with "share" (a list of folders below the project) and "setup"', _is_workspace),
    (
        "network",
        'an object with "check": true or false',
        lambda v: v is None or (isinstance(v, dict) and isinstance(v.get("check", False), bool)),
    ),
)


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
            EX_CONFIG, f"cannot read {printable(pointer_file(home))}: {error.strerror}"
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


def point_to(home: Home, projects: Path, project: Project) -> None:
    """Makes `project` the active one."""
    make_folder(home.runtime, 0o700)
    with locked(home.runtime / "pointer.lock"):
        try:
            known = _known(read_pointer(home))
        except OrkestraError:
            known = []
        entry = {"name": project.name, "path": str(project.path), "id": project.id, "branch": project.branch}
        known = [one for one in known if one["path"] != entry["path"] and os.path.isdir(one["path"])]
        if project.path.parent != projects:
            known.insert(0, entry)
        write_atomic(pointer_file(home), dump({**entry, "known": known[:100]}))


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
        raise OrkestraError(EX_USAGE, "the name of the project is empty")
    is_path = "/" in wanted or wanted in (".", "..")
    if not is_path:
        if _looks_like_name(wanted) and (projects / wanted).is_dir():
            return load(projects / wanted, _branch_of(pointer, projects / wanted))
        for entry in _known(pointer):
            if entry["name"] == wanted and os.path.isdir(entry["path"]):
                return load(Path(entry["path"]), entry["branch"])
        if not os.path.isdir(wanted):
            raise OrkestraError(
                EX_CONFIG,
                f"there is no project '{printable(wanted[:200])}' in {printable(projects)}",
                "orkestra list shows the projects; a project elsewhere is named by its path",
            )
    top = enclosing(Path(os.path.abspath(wanted)))
    path = top or Path(os.path.abspath(wanted))
    return load(path, _branch_of(pointer, path))


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
    return load(path, branch if isinstance(branch, str) else "")


def enclosing(folder: Path) -> Path | None:
    """The top folder of the Orkestra project that `folder` lies in, or None. Asks no Git."""
    folder = Path(os.path.realpath(folder))
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():
            try:
                ours = b'"orkestra.project/' in (candidate / FILE).read_bytes()
            except OSError:
                ours = False
            return candidate if ours else None
    return None


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
            found.append(load(folder, _branch_of(pointer, folder)))
        except OrkestraError as error:
            found.append(error)
    return found


def prepare_logs(project: Project) -> None:
    """Makes logs/execution where it is missing (a clone has none) and sees to it that Git ignores it.

    The user's own .gitignore is not edited: the folder ignores itself.
    """
    folder = project.path / "logs" / "execution"
    make_folder(folder)
    own = folder / ".gitignore"
    if own.exists():
        return
    try:
        rules = (project.path / ".gitignore").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        rules = []
    if "/logs/execution/" not in rules:
        write_atomic(own, "*\n")
