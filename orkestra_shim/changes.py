"""The landed changes that outcomes name, found in a branch's history by a few Git processes."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from . import repo
from .errors import EX_DATA, OrkestraError
from .plumbing import BINARY, DIFF, Git, environment

_OUTCOME = re.compile(r"^ {4}Orkestra-Outcome: (outcome-[0-9]{3,12})\s*$", re.MULTILINE)
_SIGNED = ("gpgsig", "gpgsig-sha256")
_REVERTS = re.compile(r"This reverts commit ([0-9a-f]{40,64})")


@dataclass
class Commit:
    """One commit of the branch's history."""

    name: str
    tree: str
    parents: list[str]


@dataclass
class History:
    """Everything reachable from a head; children come before their parents."""

    commits: dict[str, Commit] = field(default_factory=dict)
    by_outcome: dict[str, list[str]] = field(default_factory=dict)
    reverted: dict[str, str] = field(default_factory=dict)
    signed: set[str] = field(default_factory=set)  # whatever the signature is worth


def read_history(git: Git, head: str) -> History:
    """The branch's commits with their trailers, through one git rev-list."""
    history = History()
    out = git.run("rev-list", "--topo-order", "--header", head).decode("utf-8", "replace")
    for entry in out.split("\0"):
        top, _, body = entry.partition("\n\n")
        name, *fields = top.split("\n")
        if not fields:
            continue
        named = [field.split(" ", 1) for field in fields if " " in field]
        tree = next(value for key, value in named if key == "tree")
        history.commits[name] = Commit(name, tree, [value for key, value in named if key == "parent"])
        if any(key in _SIGNED for key, _ in named):
            history.signed.add(name)
        for outcome in _OUTCOME.findall(body):
            history.by_outcome.setdefault(outcome, []).append(name)
        for reverted in _REVERTS.findall(body):
            history.reverted.setdefault(reverted, name)
    return history


def diffs(
    git: Git, pairs: Iterable[tuple[str, str]], but: Iterable[str] = ()
) -> dict[tuple[str, str], bytes]:
    """{(tree, tree): diff} of pairs of tree ids, in the form whose hash is recorded.

    `but` are folders that are left out. Runs in an empty Git directory that only borrows the objects:
    neither the project's settings nor its attributes can change a byte.
    """
    wanted = list(dict.fromkeys(pairs))
    if not wanted:
        return {}
    with _bare(wanted[0][0]) as bare:
        command = [
            "git",
            "--no-replace-objects",
            f"--git-dir={bare}",
            "-c",
            "core.bare=true",
            "-c",
            "core.attributesFile=/dev/null",
            "-c",
            BINARY,
            "diff-tree",
            "--stdin",
            *DIFF,
            "--",
            ".",
            *(f":(exclude){folder}" for folder in but),
        ]
        env = {**environment(), "GIT_OBJECT_DIRECTORY": str(git.git_dir / "objects")}
        asked = "".join(f"{one} {two}\n" for one, two in wanted).encode()
        out = repo.call(command, env, asked, Path("/")).stdout
    return _split(out, wanted)


@contextlib.contextmanager
def _bare(like: str) -> Iterator[Path]:
    """A Git directory without anything; `like`: any object's id, for its length."""
    with tempfile.TemporaryDirectory(prefix="orkestra-verify-") as place:
        bare = Path(place)
        (bare / "objects" / "info").mkdir(parents=True)
        (bare / "refs").mkdir()
        (bare / "HEAD").write_text("ref: refs/heads/none\n", encoding="utf-8")
        if len(like) == 64:
            (bare / "config").write_text(
                "[core]\nrepositoryformatversion=1\n[extensions]\nobjectformat=sha256\n", encoding="utf-8"
            )
        yield bare


def _split(out: bytes, wanted: list[tuple[str, str]]) -> dict[tuple[str, str], bytes]:
    """A header is a line of two ids; no line of a diff begins with a hexadecimal digit at its place."""
    found: dict[tuple[str, str], bytes] = {}
    marks = []
    at = 0
    for pair in wanted:
        header = f"{pair[0]} {pair[1]}\n".encode()
        start = at if out.startswith(header, at) else out.find(b"\n" + header, at) + 1
        if not out.startswith(header, start):
            continue  # objects that are missing: nothing was printed for this pair
        marks.append((pair, start, start + len(header)))
        at = start + len(header)
    ends = [start for _, start, _ in marks[1:]] + [len(out)]
    for (pair, _, begin), end in zip(marks, ends, strict=True):
        found[pair] = out[begin:end]
    return found


def patch_ids(patches: Iterable[bytes]) -> list[str]:
    """`git patch-id --stable` of each, '-' for an empty one, through one process."""
    numbered = list(patches)
    asked = b"".join(b"commit %040x\n" % (number + 1) + patch for number, patch in enumerate(numbered))
    # In no repository: the ids are the same in one whose objects have longer names.
    done = repo.call(["git", "patch-id", "--stable"], environment(), asked, Path("/"))
    ids = ["-"] * len(numbered)
    for line in done.stdout.decode().splitlines():
        patch, _, number = line.partition(" ")
        ids[int(number, 16) - 1] = patch
    return ids


def added(git: Git, head: str, folder: str) -> dict[str, list[str]]:
    """{path: commits of the history that added it}, of files below a folder; merges left out."""
    out = git.run(
        "log",
        "--no-color",
        "--no-renames",
        "--no-merges",
        "--diff-filter=A",
        "-z",
        "--name-only",
        "--format=%x1e%H",
        head,
        "--",
        folder,
    )
    found: dict[str, list[str]] = {}
    for entry in out.decode("utf-8", "surrogateescape").split("\x1e")[1:]:
        words = [word for word in (word.strip("\n") for word in entry.split("\0")) if word]
        for path in words[1:]:
            found.setdefault(path, []).append(words[0])
    return found


def edited(git: Git, head: str, *folders: str) -> list[tuple[str, str, str]]:
    """(commit, letter, path) of every file below folders that a commit of the history changed or deleted."""
    out = git.run(
        "log",
        "--no-color",
        "--full-history",
        "-m",
        "--no-renames",
        "--diff-filter=MDT",
        "-z",
        "--name-status",
        "--format=%x1e%H",
        head,
        "--",
        *folders,
    )
    found = []
    for entry in out.decode("utf-8", "surrogateescape").split("\x1e")[1:]:
        words = [word.strip("\n") for word in entry.split("\0")]
        words = [word for word in words if word]
        found += [(words[0], letter, path) for letter, path in zip(words[1::2], words[2::2], strict=False)]
    return found


# --- what a commit touched, and its reverse -----------------------------------------------------------------


def paths(git: Git, before: str, after: str) -> list[str]:
    """Every path that differs between two trees."""
    out = git.run("diff-tree", "-r", "-z", "--name-only", "--no-renames", before, after)
    return [name.decode("utf-8", "surrogateescape") for name in out.split(b"\0")[:-1]]


def paths_of(git: Git, commits: Iterable[str]) -> dict[str, set[str]]:
    """{commit: the paths that it touched}, through one Git process."""
    wanted = set(commits)
    if not wanted:
        return {}
    asked = "".join(f"{commit}\n" for commit in sorted(wanted)).encode()
    out = git.run("diff-tree", "--stdin", "-r", "-z", "--name-only", "--no-renames", "--root", stdin=asked)
    found: dict[str, set[str]] = {}
    touched: set[str] = set()
    for word in out.decode("utf-8", "surrogateescape").split("\0")[:-1]:
        if word in wanted and word not in found:
            touched = found.setdefault(word, set())
        else:
            touched.add(word)
    return found


def reversed_tree(git: Git, before: str, after: str, ours: str) -> str | None:
    """The tree `ours` without the change from tree `before` to tree `after`; None where they conflict.

    A three-way merge with `after` as the base, in an empty Git directory that only borrows the objects: what
    comes of it depends on the three trees alone.
    """
    with _bare(before) as bare:
        (bare / "objects" / "info" / "alternates").write_bytes(os.fsencode(git.git_dir / "objects") + b"\n")
        who = repo.author("Orkestra", "orkestra@localhost")
        command = ["git", "--no-replace-objects", f"--git-dir={bare}", "-c", "core.bare=true"]

        def call(*words: str) -> tuple[int, str]:
            done = repo.call([*command, *words], {**environment(), **who}, b"", Path("/"))
            return done.returncode, done.stdout.decode("utf-8", "surrogateescape")

        def commit(tree: str, *parents: str) -> str:
            code, out = call(
                "commit-tree", "-m", "-", *(word for one in parents for word in ("-p", one)), tree
            )
            if code != 0:
                raise OrkestraError(EX_DATA, f"the tree {tree} cannot be read", "git fsck says more")
            return out.strip()

        base = commit(after)
        code, out = call("merge-tree", "--write-tree", commit(ours, base), commit(before, base))
        return out.split("\n", 1)[0] if code == 0 else None
