"""Where a project's parts are on this machine, who holds it, and how a script is run on it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from . import board, context, files, keyring, keys, processes, scripts
from .errors import EX_CANNOT_WRITE, OrkestraError
from .plumbing import Git
from .project import Project
from .session import Session
from .text import word

_PATIENCE = 20.0  # seconds to wait for a landing that is under way
_LOOKS = 3  # at a project that is held in the name of a dead process
_SCRIPT_BOUND = 900.0  # seconds that a script may take: the workspace's own bounds are shorter


@dataclass(frozen=True)
class Holder:
    """What a run says of itself in .git/orkestra/holder."""

    pid: int
    host: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


@dataclass(frozen=True)
class Place:
    """A project as this home sees it."""

    session: Session
    project: Project

    @cached_property
    def git_dir(self) -> Path:
        """The project's Git folder, the common one."""
        return board.git_folder(self.project)

    @cached_property
    def git(self) -> Git:
        """Git on it, for reading."""
        return Git(self.git_dir)

    @property
    def own(self) -> Path:
        """Our folder in it: locks, who holds the project."""
        return self.git_dir / "orkestra"

    @property
    def runtime(self) -> Path:
        """CONFIG/RUNTIME/ID, which may not exist."""
        return self.session.home.runtime / self.project.id

    @property
    def workspaces(self) -> Path:
        """The folder of its workspaces, which may not exist."""
        return Path(self.session.values["ORKESTRA_WORKSPACES_DIR"].text) / self.project.id

    def checkouts(self) -> list[tuple[Path, Path]]:
        """(Git folder, work tree) of the repository and of each linked worktree."""
        found = [(self.git_dir, self.git_dir.parent if self.git_dir.name == ".git" else self.project.path)]
        for told in sorted(self.git_dir.glob("worktrees/*/gitdir")):
            text = files.read_bounded(told, 8192)
            if text:
                found.append((told.parent, Path(os.fsdecode(text.rstrip(b"\n"))).parent))
        return found

    # --- who holds it --------------------------------------------------------------------------------------

    @property
    def holder(self) -> Holder | None:
        """Who says that it holds the project, alive or not."""
        words = (files.read_bounded(self.own / "holder", 1024) or b"").decode("utf-8", "replace").split()
        if len(words) < 3 or not words[0].isdigit() or len(words[0]) > 10:
            return None
        return Holder(int(words[0]), words[1], words[2])

    @property
    def is_locked(self) -> bool:
        """Whether any process here holds the project's lock."""
        return processes.is_locked(self.own / "run.lock")

    @property
    def is_running(self) -> bool:
        """Whether a run goes on; one on another machine is taken at its word, nothing else shows it."""
        holder = self.holder
        if holder is not None and holder.host != socket.gethostname():
            return True
        for _ in range(_LOOKS):
            if not self.is_locked:
                return False
            if holder is None or processes.is_alive(holder.pid):
                return True
            # A run writes its name just after it has taken the lock.
            time.sleep(0.1)
            holder = self.holder
        return False

    @property
    def is_landing(self) -> bool:
        """Whether a landing is under way at this moment."""
        return processes.is_locked(self.own / "landing.lock")

    @contextlib.contextmanager
    def held(self) -> Iterator[int | None]:
        """Holds the project as a run does; gives the lock's descriptor, None where somebody else has it."""
        with _flocked(self.own / "run.lock", 0.0) as lock:
            if lock is None:
                yield None
                return
            since = time.strftime("%Y-%m-%dT%H:%M:%S%z")
            holder = self.own / "holder"
            files.write_plain(holder, f"{os.getpid()} {socket.gethostname()} {since}\n", 0o644)
            try:
                yield lock
            finally:
                holder.unlink(missing_ok=True)

    @contextlib.contextmanager
    def turn(self) -> Iterator[int]:
        """Nothing lands meanwhile; gives the lock's descriptor. Raises 73 when a landing does not end."""
        with _flocked(self.own / "landing.lock", _PATIENCE) as lock:
            if lock is None:
                raise OrkestraError(
                    EX_CANNOT_WRITE,
                    f"a landing in {self.project.path} does not come to its end",
                    "see what holds it: fuser -v " + word(self.own / "landing.lock"),
                )
            yield lock

    # --- scripts -------------------------------------------------------------------------------------------

    def script(self, name: str, *arguments: str, locks: tuple[int, ...] = ()) -> tuple[int, str, str]:
        """Exit code, stdout and the first line of stderr of a script with the project's environment.

        The locks go with it: where we are killed they are held until it has ended.
        """
        home, values = self.session.home, self.session.values
        env = scripts.environment(home, values) | context.variables(home, values, self.project)
        keys.learn(Path(env["ORKESTRA_SECRETS_FILE"]), keyring.read(home.config).secret_values())
        done = subprocess.run(
            [str(scripts.find(home, name)), *arguments],
            env=env,
            cwd=home.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            pass_fds=locks,
            timeout=_SCRIPT_BOUND,
            check=False,
        )
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        first = said[0].removeprefix("orkestra: ") if said else f"exit {done.returncode}"
        return done.returncode, done.stdout.decode("utf-8", "replace"), first


@contextlib.contextmanager
def _flocked(path: Path, seconds: float) -> Iterator[int | None]:
    """An exclusive flock on a file, which is made and never removed; None when it is not had in time."""
    files.make_folder(path.parent)
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise files.cannot_write(path, error) from None
    try:
        end = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    yield None
                    return
                time.sleep(0.1)
        yield lock
    finally:
        os.close(lock)
