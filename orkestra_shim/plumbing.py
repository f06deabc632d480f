"""Git for reading records and diffs: the same bytes whatever the user's or system's settings say.

What has to follow the user's settings (identity, signing, whom to trust) goes through repo.py.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from . import files, repo
from .errors import EX_DATA, OrkestraError

# A larger file is binary (CORE/lib/git.bash has the same): line by line it takes forty times as much memory.
BINARY = "core.bigFileThreshold=16m"
_SETTINGS = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.bare=true",
    "core.quotePath=false",
    BINARY,
    "diff.indentHeuristic=true",
    "diff.suppressBlankEmpty=false",
    "diff.context=3",
    "diff.interHunkContext=0",
    "diff.algorithm=myers",
    "diff.renames=false",
    "log.showSignature=false",
]
DIFF = ["-r", "-p", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv"]


def environment() -> dict[str, str]:
    """Ours, without any GIT_* of the caller."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    kept.update(
        GIT_CONFIG_GLOBAL="/dev/null",
        GIT_CONFIG_NOSYSTEM="1",
        GIT_OPTIONAL_LOCKS="0",
        GIT_TERMINAL_PROMPT="0",
        GIT_ATTR_NOSYSTEM="1",
        LC_ALL="C",
    )
    return kept


class Git:
    """Commands on the Git directory of one project."""

    def __init__(self, git_dir: Path) -> None:
        self.git_dir = git_dir

    def command(self, args: Iterable[str]) -> list[str]:
        """The words of a Git command with our settings."""
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        return ["git", "--no-replace-objects", f"--git-dir={self.git_dir}", *settings, *args]

    def attempt(self, *args: str, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
        """(exit, stdout, stderr) of a command that may fail."""
        done = repo.call(self.command(args), environment(), stdin, Path("/"))
        return done.returncode, done.stdout, done.stderr

    def run(self, *args: str, stdin: bytes = b"") -> bytes:
        """stdout of a command that must succeed; else OrkestraError 65 with Git's own first line."""
        code, out, err = self.attempt(*args, stdin=stdin)
        if code != 0:
            reason = err.decode("utf-8", "replace").strip().splitlines()
            why = reason[0].removeprefix("fatal: ") if reason else f"it ended with {code}"
            raise OrkestraError(
                EX_DATA, f"Git cannot do {args[0]} in {self.git_dir}: {why}", "git fsck says more"
            )
        return out

    def commit(self, name: str) -> str | None:
        """Full id of the commit that name stands for, or None."""
        code, out, _ = self.attempt(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
        )
        return out.decode().strip() if code == 0 else None

    def head(self, branch: str) -> str | None:
        """Full id of a branch's commit, or None; a loose ref is read without a process."""
        loose = files.read_bounded(self.git_dir / "refs" / "heads" / branch, 80)
        if loose and re.match(rb"(?:[0-9a-f]{40}|[0-9a-f]{64})\n\Z", loose):
            return loose.decode().strip()
        return self.commit(f"refs/heads/{branch}")

    def blob(self, name: str) -> bytes | None:
        """The content of COMMIT:PATH, or None when there is none."""
        code, out, _ = self.attempt("cat-file", "blob", name)
        return out if code == 0 else None

    def tree(self, commit: str, *paths: str) -> dict[str, tuple[str, str]]:
        """{path: (mode, blob id)} of all files below paths at commit."""
        out = self.run("ls-tree", "-r", "-z", "--full-tree", commit, "--", *paths)
        found = {}
        for entry in out.split(b"\0")[:-1]:
            head, _, path = entry.partition(b"\t")
            mode, _, blob = head.decode().split(" ")
            found[path.decode("utf-8", "surrogateescape")] = (mode, blob)
        return found

    def blobs(self, names: Iterable[str]) -> Iterator[tuple[str, str, bytes]]:
        """(name, type, content) of each object in order, through one cat-file --batch; type '' is missing."""
        wanted = list(names)
        if not wanted:
            return
        data = self.run("cat-file", "--batch", stdin="".join(f"{name}\n" for name in wanted).encode())
        at = 0
        for name in wanted:
            end = data.index(b"\n", at)
            head = data[at:end].decode("utf-8", "replace").split(" ")
            at = end + 1
            if head[-1] == "missing":
                yield name, "", b""
                continue
            size = int(head[2])
            yield name, head[1], data[at : at + size]
            at += size + 1
