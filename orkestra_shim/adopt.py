"""`orkestra adopt`: an existing Git repository becomes a project.

Two files are added in one commit of exactly those; the index, what is staged or untracked, and the
repository's own .gitignore stay as they are. Half of the file is what is refused, and with which words.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orkestra_shim import jsonfile, names, project, repo, suggest
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
    top = _top(path)
    before = _existing(top)
    branch = _refuse_unfit(top, before)
    shares = [_share(top, one) for one in share]
    data = before or project.settings(_name(top, name), branch, project.new_id())
    lines = [] if before else [f"{data['name']} is a project now: {printable(top)}, branch {branch}"]
    changed = before is None
    changed |= _set_check(top, data, check, ask, lines)
    changed |= _set_share(top, data, shares, ask, lines)
    project.check_settings(data, dump(data), printable(top / FILE))
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


# --- what is refused ----------------------------------------------------------------------------------------


def _top(path: Path) -> Path:
    """The top folder of the repository, which `path` has to be."""
    if not path.is_dir():
        raise OrkestraError(EX_USAGE, f"there is no folder {printable(path)}")
    if path.name == ".git" or repo.run(path, "rev-parse", "--is-bare-repository").stdout.strip() == b"true":
        raise OrkestraError(
            EX_DATA,
            f"{printable(path)} is a bare repository: it has no checkout",
            "clone it, and adopt the clone",
        )
    done = repo.run(path, "rev-parse", "--show-toplevel")
    if done.returncode != 0:
        if b"not a git repository" in done.stderr:
            raise OrkestraError(
                EX_DATA,
                f"{printable(path)} is not a Git repository",
                f"make it one: git init {word(path)}",
            )
        raise repo.failure(path, done)
    top = Path(os.fsdecode(done.stdout.removesuffix(b"\n")))
    if os.path.realpath(top) != os.path.realpath(path):
        raise OrkestraError(
            EX_USAGE,
            f"{printable(path)} is a folder inside a repository; a project is a whole one",
            f"orkestra adopt {word(top)}",
        )
    return Path(os.path.realpath(top))


def _existing(top: Path) -> dict[str, Any] | None:
    """The settings of a repository that is a project already; None for one that is not."""
    for folder in ("config", "logs"):
        place = top / folder
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            raise OrkestraError(EX_DATA, f"{printable(place)} is not a folder, and Orkestra needs one there")
    path = top / FILE
    if not os.path.lexists(path):
        return None
    if path.is_symlink() or not path.is_file():
        raise OrkestraError(EX_DATA, f"{printable(path)} is not an ordinary file")
    raw = path.read_bytes()
    try:
        data = jsonfile.parse(jsonfile.decode(raw, printable(path)), printable(path))
        if not str(data.get("format", "")).startswith("orkestra.project/"):
            raise OrkestraError(EX_DATA, "")
    except OrkestraError:
        raise OrkestraError(
            EX_DATA,
            f"{printable(path)} is there already and is not Orkestra's; nothing was changed",
            "Orkestra keeps its settings in that file: move yours elsewhere first",
        ) from None
    project.check_settings(data, raw, printable(path))
    return data


def _refuse_unfit(top: Path, before: dict[str, Any] | None) -> str:
    """The branch that is checked out. Raises OrkestraError for a repository that Orkestra cannot work on."""
    head = repo.run(top, "symbolic-ref", "--quiet", "HEAD")
    if head.returncode != 0:
        raise OrkestraError(
            EX_DATA, f"{printable(top)} is on no branch (detached HEAD)", "first: git switch BRANCH"
        )
    branch = _branch(top, head.stdout.removesuffix(b"\n").removeprefix(b"refs/heads/"))
    _refuse_halfway(top)
    _refuse_partial(top)
    _refuse_sparse(top)
    if b"\n160000 " in b"\n" + repo.run(top, "ls-files", "--stage").stdout or (top / ".gitmodules").exists():
        raise OrkestraError(
            EX_DATA,
            f"{printable(top)} has submodules; Orkestra does not work on those yet",
            "what lands could not include a change in one of them",
        )
    if before is not None and before["branch"] != branch:
        raise OrkestraError(
            EX_USAGE,
            f"{before['name']} works on the branch {before['branch']}, and the checkout is on {branch}",
            f"first: git switch {before['branch']}; to work with it as it is: orkestra load {word(top)}",
        )
    return branch


def _branch(top: Path, name: bytes) -> str:
    try:
        branch = name.decode("utf-8")
    except UnicodeDecodeError:
        branch = ""
    if not project.is_branch(branch):
        raise OrkestraError(
            EX_DATA,
            f"{printable(top)} is on the branch {printable(os.fsdecode(name))}, a name that cannot be written"
            f" into {FILE}",
            "rename it: git branch -m NAME",
        )
    return branch


_HALFWAY = {
    "MERGE_HEAD": "merge",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "BISECT_LOG": "bisect",
}


def _refuse_halfway(top: Path) -> None:
    git_dir = Path(os.fsdecode(repo.run(top, "rev-parse", "--absolute-git-dir").stdout.removesuffix(b"\n")))
    for file, what in _HALFWAY.items():
        if (git_dir / file).exists():
            raise OrkestraError(
                EX_DATA,
                f"{printable(top)} is in the middle of a {what}",
                f"finish it first: git {what} --help",
            )
    if repo.run(top, "ls-files", "--unmerged").stdout:
        raise OrkestraError(EX_DATA, f"{printable(top)} has unmerged files", "git status names them")
    if (git_dir / "index.lock").exists():
        raise OrkestraError(
            EX_DATA,
            f"another Git command is at work in {printable(top)}",
            f"or it died: rm {word(git_dir / 'index.lock')}",
        )


def _refuse_partial(top: Path) -> None:
    if repo.run(top, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true":
        raise OrkestraError(
            EX_DATA, f"{printable(top)} is a shallow clone: its history is cut off", "git fetch --unshallow"
        )
    found = repo.run(top, "config", "--get-regexp", r"^(extensions\.partialclone|remote\..*\.promisor)$")
    if found.stdout.strip():
        raise OrkestraError(
            EX_DATA,
            f"{printable(top)} is a partial clone: objects are missing that a workspace needs",
            "clone it without --filter, and adopt that clone",
        )


def _refuse_sparse(top: Path) -> None:
    """A checkout that leaves files out has to have those that people and Orkestra read there."""
    sparse = repo.config(top, "core.sparseCheckout", "core.sparseCheckoutCone")
    if not repo.is_true(sparse.get("core.sparsecheckout", "")):
        return
    if repo.is_true(sparse.get("core.sparsecheckoutcone", "")):
        listed = repo.run(top, "sparse-checkout", "list").stdout.splitlines()
        if b"config" in listed and b"logs" in listed:
            return
        cure = "git sparse-checkout add config logs"
    else:
        cure = "git sparse-checkout disable, or use its cone mode with config and logs in it"
    raise OrkestraError(
        EX_DATA, f"{printable(top)} is a sparse checkout that leaves out config/ and logs/", cure
    )


# --- what goes into project.json ----------------------------------------------------------------------------


def _name(top: Path, name: str | None) -> str:
    if name is not None:
        return names.check(name, "project")
    return names.fitting(top.name)


def _set_check(top: Path, data: dict[str, Any], check: str | None, ask: Ask | None, lines: list[str]) -> bool:
    if check is not None:
        if "\0" in check or not check.strip():
            raise OrkestraError(EX_USAGE, "--check needs a command")
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
    if not project.is_share(path) or not (top / path).is_dir():
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
