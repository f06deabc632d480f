"""`orkestra adopt`: an existing Git repository becomes a project.

Two files are added in one commit of exactly those; the index, what is staged or untracked, and the
repository's own .gitignore stay as they are.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orkestra_shim import fitness, names, project, projectkeys, repo, suggest
from orkestra_shim.errors import EX_DATA, EX_USAGE, OrkestraError
from orkestra_shim.files import make_folder, write_atomic
from orkestra_shim.jsonfile import dump
from orkestra_shim.project import FILE, QUEUE, Project
from orkestra_shim.shares import path_of
from orkestra_shim.text import printable, word

Ask = Callable[[str], bool]


@dataclass
class Adopted:
    """The project, and what was done and may be done next, in lines for people."""

    project: Project
    lines: list[str] = field(default_factory=list)


def ask_in_terminal(question: str) -> bool:
    """A yes or no question on stderr; Enter is yes."""
    import sys

    print(f"{question} [Y/n] ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    return answer != "" and answer.strip().lower() in ("", "y", "yes")


def adopt(path: Path, name: str | None, check: str | None, share: list[str], ask: Ask | None) -> Adopted:
    """Makes the repository at `path` a project, or changes check and share of one that is.

    Raises OrkestraError. `ask` puts a yes or no question to a person; None where nobody can answer.
    """
    repo.need_version()
    top = fitness.top_of(path)
    before = fitness.settings_of(top)
    branch = fitness.need_fit(top, before)
    shares = [_share(top, one) for one in share]
    data = before or project.settings(_name(top, name), branch, project.new_id())
    lines = [] if before else [f"{data['name']} is a project now: {printable(top)}, branch {branch}"]
    changed = before is None
    changed |= _set_check(top, data, check, ask, lines)
    changed |= _set_share(top, data, shares, ask, lines)
    projectkeys.check_settings(data, dump(data), printable(top / FILE))
    if before is None or not _is_committed(top):
        queue = _queue(top)
        commit = _commit(
            top, branch, {str(FILE): dump(data), str(QUEUE): queue}, f"Adopt {data['name']} for Orkestra"
        )
        lines.insert(1, f"added {FILE} and {QUEUE} in one commit ({commit[:12]}); nothing else was touched")
    elif changed:
        commit = _commit(top, branch, {str(FILE): dump(data)}, f"Change {FILE} of {data['name']}")
        lines.insert(0, f"changed {FILE} in one commit ({commit[:12]})")
    else:
        lines.insert(0, f"{data['name']} is a project already; it is loaded ({printable(top)})")
    lines.append("next: orkestra task add TITLE; then: orkestra start")
    return Adopted(project.load(top), lines)


# --- what goes into project.json ----------------------------------------------------------------------------


def _name(top: Path, name: str | None) -> str:
    if name is not None:
        return names.check(name, "project")
    return names.fitting(top.name)


def _set_check(top: Path, data: dict[str, Any], check: str | None, ask: Ask | None, lines: list[str]) -> bool:
    if check is not None:
        if "\0" in check or not check.strip():
            raise OrkestraError(EX_USAGE, "--check needs a command", "such as --check 'make test'")
        differs = bool(data.get("check") != check)
        data["check"] = check
        lines.append(f"check: {check}")
        return differs
    if data.get("check"):
        return False
    found = suggest.check(top)
    if not found:
        lines.append(f"there is no check yet: orkestra adopt {word(top)} --check 'COMMAND' sets one")
        return False
    if ask is not None and ask(f"Every change has to pass a check. Use `{printable(found)}`?"):
        data["check"] = found
        return True
    lines.append(f"a check that fits: orkestra adopt {word(top)} --check {word(found)}")
    return False


def _share(top: Path, given: str) -> str | dict[str, str]:
    """--share DIR or DIR:rw as it stands in workspace.share."""
    path, colon, mode = given.rpartition(":")
    if not colon or mode not in ("ro", "rw"):
        path, mode = given, "ro"
    path = path.rstrip("/")
    if path.startswith("/"):
        path = os.path.relpath(os.path.realpath(path), top)
    path = path.removeprefix("./")
    if path.split("/")[0] in ("config", "logs"):
        raise OrkestraError(EX_USAGE, f"--share {printable(given)}: what Orkestra goes by is not for agents")
    if not projectkeys.is_share(path) or not (top / path).is_dir():
        raise OrkestraError(
            EX_USAGE, f"--share {printable(given)}: there is no such folder below {printable(top)}"
        )
    if Path(os.path.realpath(top / path)) != top / path:
        raise OrkestraError(EX_USAGE, f"--share {printable(given)}: a link on the way to it leads elsewhere")
    if repo.run(top, "ls-files", "-z", "--", f":(literal){path}").stdout:
        raise OrkestraError(
            EX_USAGE, f"--share {printable(given)}: Git tracks files in it, so workspaces have it already"
        )
    return path if mode == "ro" else {"path": path, "mode": mode}


def _set_share(
    top: Path, data: dict[str, Any], shares: list[str | dict[str, str]], ask: Ask | None, lines: list[str]
) -> bool:
    workspace = data.setdefault("workspace", {"share": [], "setup": ""})
    listed = workspace.setdefault("share", [])
    known = {path_of(one): index for index, one in enumerate(listed)}
    wanted = list(shares)
    for folder in suggest.large_folders(top):
        if folder.path in known or folder.path in map(path_of, wanted):
            continue
        text = f"{folder.path}/ ({folder.size_text()}, not in Git)"
        if ask is not None and ask(
            f"Workspaces do not have {printable(text)}. Share it with them, read-only?"
        ):
            wanted.append(folder.path)
        else:
            command = f"orkestra adopt {word(top)} --share {word(folder.path)}"
            lines.append(f"workspaces do not have {text}; to share it, read-only: {command}")
    changed = False
    for one in wanted:
        index = known.get(path_of(one))
        if index is None:
            listed.append(one)
        elif listed[index] != one:
            listed[index] = one
        else:
            continue
        changed = True
        lines.append(
            f"workspaces share {path_of(one)}/"
            + (" and may write it" if isinstance(one, dict) else ", read-only")
        )
    return changed


def _queue(top: Path) -> bytes:
    """The queue file as it is to be committed: the repository's own valid one, else an empty one."""
    from orkestra_shim import queue

    path = top / QUEUE
    if not os.path.lexists(path):
        return dump({"version": 1, "tasks": []})
    try:
        if path.is_symlink():
            raise OrkestraError(EX_DATA, f"{printable(path)} is a link")
        queue.read(path)
        return path.read_bytes()
    except (OrkestraError, OSError) as error:
        raise OrkestraError(
            EX_DATA,
            f"{printable(path)} is there already and is no task queue; nothing was changed",
            printable(error),
        ) from error


# --- the commit ---------------------------------------------------------------------------------------------


def _is_committed(top: Path) -> bool:
    return repo.run(top, "cat-file", "-e", f"HEAD:{FILE}").returncode == 0


def _commit(top: Path, branch: str, contents: dict[str, bytes], message: str) -> str:
    """Writes the files and commits exactly those on top of HEAD, past the user's index."""
    old = repo.run(top, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").stdout.decode().strip()
    for path, data in contents.items():
        make_folder((top / path).parent)
        write_atomic(top / path, data)
    blobs = {
        path: repo.text(top, "hash-object", "-w", "--stdin", stdin=data) for path, data in contents.items()
    }
    entries = "".join(f"100644 {blob}\t{path}\0" for path, blob in blobs.items()).encode()
    with tempfile.TemporaryDirectory(prefix="orkestra-") as scratch:
        env = {"GIT_INDEX_FILE": f"{scratch}/index"}
        if old:
            repo.text(top, "read-tree", old, env=env)
        repo.text(top, "update-index", "-z", "--add", "--index-info", env=env, stdin=entries)
        tree = repo.text(top, "write-tree", env=env)
    settings = repo.config(top, "user.name", "user.email", "commit.gpgsign")
    who = repo.author(*repo.identity(settings))
    sign = ["--gpg-sign"] if repo.is_true(settings.get("commit.gpgsign", "")) else []
    parents = ["-p", old] if old else []
    commit = repo.text(top, "commit-tree", *sign, *parents, "-m", message, tree, env=who)
    repo.text(
        top,
        "update-ref",
        "-m",
        f"orkestra: {message}",
        f"refs/heads/{branch}",
        commit,
        old or "0" * len(commit),
    )
    # The index gets the two entries too, and nothing of what the user has staged there changes.
    repo.text(
        top, "update-index", "-z", "--add", "--index-info", stdin=entries, env={"GIT_OPTIONAL_LOCKS": "1"}
    )
    return commit
