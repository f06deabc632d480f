"""What a repository has to be for `orkestra adopt`, and with which words it is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from orkestra_shim import jsonfile, projectkeys, repo
from orkestra_shim.errors import EX_DATA, EX_USAGE, OrkestraError
from orkestra_shim.project import FILE
from orkestra_shim.text import printable, word


def top_of(path: Path) -> Path:
    """The top folder of the repository, which `path` has to be."""
    if not path.is_dir():
        raise OrkestraError(
            EX_USAGE,
            f"there is no folder {printable(path)}",
            "adopt takes the folder of a repository; orkestra new NAME makes a project",
        )
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


def settings_of(top: Path) -> dict[str, Any] | None:
    """The settings of a repository that is a project already; None for one that is not."""
    for folder in ("config", "logs"):
        place = top / folder
        if place.is_symlink() or (place.exists() and not place.is_dir()):
            raise OrkestraError(
                EX_DATA,
                f"{printable(place)} is not a folder, and Orkestra needs one there",
                "move it elsewhere, and commit that",
            )
    path = top / FILE
    if not os.path.lexists(path):
        return None
    if path.is_symlink() or not path.is_file():
        raise OrkestraError(
            EX_DATA,
            f"{printable(path)} is not an ordinary file",
            "put the file itself there, and commit it",
        )
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
    projectkeys.check_settings(data, raw, printable(path))
    return data


def need_fit(top: Path, before: dict[str, Any] | None) -> str:
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
    if not projectkeys.is_branch(branch):
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
