"""What the records of a branch are held against besides each other: history, checkout, a pinned commit.

Each gives pairs of a record and what does not hold of it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from . import changes, records
from .errors import EX_DATA, OrkestraError
from .plumbing import Git

Finding = tuple[str, str]
Tree = Mapping[str, tuple[str, str]]  # {path: (mode, blob id)}
_FOLDERS = (records.VOTES, records.OUTCOMES)


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1][:-5]


def history(git: Git, head: str) -> list[Finding]:
    """No commit of the history has changed or deleted a record."""
    done = {"D": "deleted", "T": "replaced"}
    return [
        (_name(path), f"{path} was {done.get(letter, 'edited')} by commit {commit[:12]}")
        for commit, letter, path in changes.edited(git, head, *_FOLDERS)
        if records.is_record(path)
    ]


def checkout(git: Git, place: Path, branch: str, blobs: Mapping[str, bytes]) -> Iterator[Finding]:
    """The files in the checkout are the branch's own bytes (`blobs`, by path), where it is on that branch."""
    code, out, _ = git.attempt("symbolic-ref", "--quiet", "HEAD")
    if not (place / ".git").exists() or code != 0 or out.decode().strip() != f"refs/heads/{branch}":
        return
    top = str(place)
    for path, blob in blobs.items():
        if records.is_record(path) and (problem := _differs(f"{top}/{path}", blob)):
            yield _name(path), f"{path} {problem}"
    for folder in _FOLDERS:
        for parent, _, names in os.walk(f"{top}/{folder}"):
            for file in sorted(names):
                path = f"{parent[len(top) + 1 :]}/{file}"
                if path not in blobs and records.is_record(path):
                    yield _name(path), f"{path} stands in the checkout, but not on the branch"


def pinned(git: Git, head: str, tree: Tree, commit: str) -> Iterator[Finding]:
    """Every record that stood at a pinned commit stands unchanged now. Raises 65 where there is none."""
    found = git.commit(commit)
    if found is None:
        raise OrkestraError(
            EX_DATA,
            f"there is no commit {commit[:80]!r} here",
            "fetch it, or name the head that was pinned",
        )
    code, _, _ = git.attempt("merge-base", "--is-ancestor", found, head)
    if code != 0:
        yield commit, "the pinned commit is not in the branch's history: the history was rewritten"
    for path, entry in git.tree(found, *_FOLDERS).items():
        if records.is_record(path) and tree.get(path) != entry:
            word = "differs from" if path in tree else "is gone since"
            yield _name(path), f"{path} {word} the pinned commit"


def _differs(path: str, blob: bytes) -> str:
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return "is not a plain file in the checkout"
        with open(path, "rb") as file:
            return "" if file.read() == blob else "differs in the checkout from the branch"
    except FileNotFoundError:
        return "is missing in the checkout"
    except OSError as error:
        return f"cannot be read in the checkout: {error.strerror}"
