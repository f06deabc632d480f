"""FILE[:LINE], as a person names it: a file of a project's branch, and its lines."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from . import board
from .errors import EX_USAGE, OrkestraError
from .plumbing import Git
from .project import Project
from .text import printable, word


@dataclass
class Spot:
    """A file of the branch, and perhaps one of its lines."""

    path: str  # from the project's top
    line: int | None  # from 1
    text: list[bytes]  # its lines
    in_checkout: bool  # read from the checkout, with what is not committed there


def find(found: Project, git: Git, head: str, wanted: str) -> Spot:
    """FILE[:LINE]; a file of exactly that name comes first. Raises 64 for what is not there."""
    whole = re.fullmatch(r"(.+):([0-9]{1,18})", wanted, re.DOTALL)
    if whole is None or _kind(git, head, _inside(found, wanted)) == "blob":
        path, line = _need_file(found, git, head, wanted), None
    else:
        path, line = _need_file(found, git, head, whole[1]), int(whole[2])
    in_checkout = board.checkout(found).on_branch() and _is_file(found.path / path)
    text = _content(found, git, head, path, in_checkout)
    if line is not None and not 1 <= line <= len(text):
        lines = f"{len(text)} line" + "s" * (len(text) != 1)
        raise OrkestraError(EX_USAGE, f"{printable(path)} has no line {line}: it has {lines}")
    return Spot(path, line, text, in_checkout)


def _inside(found: Project, wanted: str) -> str:
    """The path from the project's top. A relative one is meant from the current folder, if that is inside."""
    top = os.path.realpath(found.path)
    here = os.path.realpath(os.curdir)
    base = here if here == top or here.startswith(f"{top}/") else top
    folder, name = os.path.split(os.path.join(base, wanted))
    full = os.path.join(os.path.realpath(folder), name)
    if name in ("", ".", ".."):
        full = os.path.realpath(full)
    if full == top:
        return ""
    return full.removeprefix(f"{top}/") if full.startswith(f"{top}/") else ".."


def _kind(git: Git, head: str, path: str) -> str:
    """blob, tree, or '' for what the branch does not hold."""
    code, out, _ = git.attempt("cat-file", "-t", f"{head}:{path}") if path != ".." else (1, b"", b"")
    return out.decode().strip() if code == 0 else ""


def _need_file(found: Project, git: Git, head: str, wanted: str) -> str:
    path, shown = _inside(found, wanted), printable(wanted[:200])
    if path == "..":
        raise OrkestraError(
            EX_USAGE,
            f"{shown} is outside of the project {printable(found.path)}",
            "another project: --project PATH",
        )
    kind = _kind(git, head, path)
    if kind == "tree":
        hint = f"name a file in it: git -C {word(found.path)} ls-files {word(path or '.')}"
        raise OrkestraError(EX_USAGE, f"{shown} is a folder", hint)
    if kind != "blob":
        there = os.path.lexists(found.path / path)
        why = "is in no commit yet" if there else "is not there"
        hint = f"what it holds: git -C {word(found.path)} ls-tree -r --name-only {word(found.branch)}"
        raise OrkestraError(EX_USAGE, f"{shown} {why}: the branch {found.branch} does not hold it", hint)
    return path


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def _content(found: Project, git: Git, head: str, path: str, in_checkout: bool) -> list[bytes]:
    """The lines of the file. Raises 64 for one that has none."""
    data = (found.path / path).read_bytes() if in_checkout else git.run("cat-file", "blob", f"{head}:{path}")
    if b"\0" in data[:8000]:
        hint = f"git -C {word(found.path)} log --follow -- {word(path)} shows its commits"
        raise OrkestraError(EX_USAGE, f"{printable(path)} is binary: it has no lines", hint)
    return data.removesuffix(b"\n").split(b"\n") if data else []
