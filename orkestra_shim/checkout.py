"""A project's checkout beside its branch: a person's files count while the checkout is on that branch."""

from __future__ import annotations

import contextlib
from pathlib import Path

from . import files, jsonfile
from .errors import EX_DATA, OrkestraError
from .plumbing import Git
from .text import printable, word


class Checkout:
    """Reads what a person may edit: the checkout's file, or the branch's if the checkout is on another."""

    def __init__(self, path: Path, git: Git, branch: str) -> None:
        self.path = path
        self.branch = branch
        self._git = git
        self._head_file = _head_file(path)

    def on_branch(self) -> bool:
        """Whether the checkout is on the project's branch: only then do hand edits count. Asks no Git."""
        try:
            head = self._head_file.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return False
        return head == f"ref: refs/heads/{self.branch}"

    def queue_lock(self) -> contextlib.AbstractContextManager[None]:
        """Held by whoever replaces the queue file, from reading it on."""
        folder = self._git.git_dir / "orkestra"
        files.make_folder(folder)
        return files.locked(folder / "queue.lock")

    def need(self, file: str) -> None:
        """Nobody has removed a file from a checkout that is on the branch, or OrkestraError 65."""
        path = self.path / file
        if self.on_branch() and not path.is_file():
            raise OrkestraError(
                EX_DATA,
                f"{printable(path)} is missing",
                f"bring it back: git -C {word(self.path)} checkout -- {file}",
            )

    def read(self, file: str) -> tuple[bytes, str]:
        """(bytes, a name for errors) of a file of the project. Raises OrkestraError 65 when there is none."""
        path = self.path / file
        if path.is_file() and self.on_branch():
            return jsonfile.read_bytes(path), str(path)
        data = self._git.blob(f"refs/heads/{self.branch}:{file}")
        if data is None:
            raise OrkestraError(
                EX_DATA, f"the branch {self.branch} of {self.path} has no {file}", "orkestra adopt makes one"
            )
        return data, f"{self.branch}:{file}"


def _head_file(project: Path) -> Path:
    dot_git = project / ".git"
    if dot_git.is_file():  # a linked worktree
        told = dot_git.read_text(encoding="utf-8", errors="replace").strip()
        return (project / told.removeprefix("gitdir: ")) / "HEAD"
    return dot_git / "HEAD"
