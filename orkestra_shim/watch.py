"""The queue file while a run goes on: which version was read, and whether there is a newer one."""

from __future__ import annotations

import os
import time
from pathlib import Path

from . import canonical, jsonfile, queue
from .errors import EX_DATA, OrkestraError
from .plumbing import Git

EVERY = 1.0  # seconds between two looks when nothing else happens


class QueueFile:
    """The version last read, and whether there is a newer one."""

    def __init__(self, project: Path, git: Git, branch: str) -> None:
        self.path = project / queue.FILE
        self._git = git
        self._ref = f"ref: refs/heads/{branch}"
        self._branch = branch
        self._head_file = _head_file(project)
        self._seen: tuple[int, int, int] | None = None
        self._looked = 0.0
        self._digest = ""

    def on_branch(self) -> bool:
        """Whether the checkout is on the project's branch: only then do hand edits count."""
        try:
            return self._head_file.read_text(encoding="utf-8", errors="replace").strip() == self._ref
        except OSError:
            return False

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def first(self) -> queue.Document:
        """The queue as the run begins: the checkout's file, or the branch's if the checkout is on another."""
        if self.on_branch() and self.path.is_file():
            self._seen = self._stamp()
            data = jsonfile.read_bytes(self.path)
        else:
            code, data, _ = self._git.attempt("cat-file", "blob", f"refs/heads/{self._branch}:{queue.FILE}")
            if code != 0:
                raise OrkestraError(
                    EX_DATA, f"the branch {self._branch} has no {queue.FILE}", "orkestra adopt makes one"
                )
        self._digest = canonical.sha256(data)
        text = jsonfile.decode(data, queue.FILE)
        del data  # a queue of 100,000 tasks is 60 MB of text
        return queue.Document(text)

    def due(self) -> float:
        """Seconds until the next look is allowed."""
        return max(0.0, EVERY - (time.monotonic() - self._looked))

    def changed(self, now: bool = False) -> queue.Document | None:
        """A version not seen yet, or None. Looks at most once a second unless `now`. Raises 65."""
        if not now and self.due() > 0:
            return None
        self._looked = time.monotonic()
        stamp = self._stamp()
        if stamp is None or stamp == self._seen or not self.on_branch():
            return None
        self._seen = stamp
        try:
            data = self.path.read_bytes()
        except OSError:
            return None
        digest = canonical.sha256(data)
        if digest == self._digest:
            return None
        self._digest = digest
        text = jsonfile.decode(data, queue.FILE)
        del data
        return queue.Document(text)

    def wrote(self, digest: str) -> None:
        """We replaced the file ourselves: that version is known."""
        self._digest, self._seen = digest, self._stamp()

    def forget(self) -> None:
        """Read the file again at the next look, whatever it says."""
        self._seen, self._digest, self._looked = None, "", 0.0


def _head_file(project: Path) -> Path:
    dot_git = project / ".git"
    if dot_git.is_file():  # a linked worktree
        told = dot_git.read_text(encoding="utf-8", errors="replace").strip()
        return (project / told.removeprefix("gitdir: ")) / "HEAD"
    return dot_git / "HEAD"
