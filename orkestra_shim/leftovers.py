"""What killed runs and killed Git processes leave behind: each kind with its words and its mending.

Nothing is mended that a living run holds; unlanded work is kept and
never deleted; a person's edits are not touched. Mending twice, or by two at once, does it once.
"""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import files, processes, staleness, unlanded
from .errors import EX_FAILED, OrkestraError
from .leftover import OBJECT, Leftover, given
from .place import Holder, Place

LOCK_AGE = 60.0  # seconds: younger than this, an index.lock is taken to be somebody's at work


def find(place: Place) -> list[Leftover]:
    """Everything that can be mended in a project; while a run goes on, only what is not the run's."""
    if place.is_running:
        return list(_index_locks(place))
    return [*_dead_run(place), *find_held(place)]


def find_held(place: Place) -> list[Leftover]:
    """The same for whoever holds the project: all but the traces of a run in its own name."""
    return [
        *_index_locks(place),
        *_landings(place),
        *unlanded.find(place),
        *_precious(place),
        *staleness.find(place),
    ]


# --- a run that was killed ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class DeadRun(Leftover):
    """A run's own traces: its name on the project, its runtime folder, processes that outlived it."""

    holder: Holder | None
    folders: tuple[Path, ...]
    survivors: bool
    area = "run"

    @property
    def text(self) -> str:
        """What is wrong."""
        who = f" ({self.holder})" if self.holder else ""
        more = "; processes of it still hold the project" if self.survivors else ""
        return f"a run was killed{who}{more}"

    @property
    def does(self) -> str:
        """What mending does."""
        ends = "ends what is left of it and " if self.survivors else ""
        return f"{ends}removes its traces in .git/orkestra and CONFIG/RUNTIME"

    def mend(self, place: Place, lock: int | None) -> None:
        """Whoever holds the project has put its own name there, and takes it away."""
        for folder in self.folders:
            if folder.is_dir():
                shutil.rmtree(folder)
            else:
                folder.unlink(missing_ok=True)


def _dead_run(place: Place) -> Iterator[DeadRun]:
    holder, locked = place.holder, place.is_locked
    traces = [place.runtime / "run", *sorted(place.runtime.glob("w*/now"))]
    there = tuple(path for path in traces if path.exists())
    if holder or there or locked:
        yield DeadRun(holder, there, locked)


# --- a landing that was interrupted -------------------------------------------------------------------------


@dataclass(frozen=True)
class Landing(Leftover):
    """CHECKOUT_GIT/orkestra-landing is there and nobody lands: the checkout may stand between two commits."""

    git_dir: Path
    old: str
    new: str
    without_lock: bool
    area = "checkout"

    @property
    def text(self) -> str:
        """What is wrong."""
        hint = ", and its lock on the index was removed since" if self.without_lock else ""
        return f"the landing of {self.new[:12]} was interrupted{hint}: the checkout is between two commits"

    @property
    def does(self) -> str:
        """What mending does."""
        return "brings the checkout in step with the branch; files edited since stay as they are"

    def mend(self, place: Place, lock: int | None) -> None:
        """As the next run would."""
        with place.turn() as turn:
            code, _, said = place.script("CORE/land.sh", "recover", locks=given(lock, turn))
        if code != 0:
            raise OrkestraError(EX_FAILED, said)


def _landings(place: Place) -> Iterator[Landing]:
    for git_dir, _ in place.checkouts():
        marker = git_dir / "orkestra-landing"
        words = (files.read_bounded(marker, 256) or b"").decode("ascii", "replace").split()
        if len(words) != 2 or not all(map(OBJECT.match, words)) or place.is_landing:
            continue
        old, new = words
        if not _is_one_file(marker, git_dir / "index.lock"):
            # Without the lock nothing is half done, unless somebody removed it.
            if _has_old_index(place, git_dir, old, new):
                yield Landing(git_dir, old, new, True)
        else:
            yield Landing(git_dir, old, new, False)


def _is_one_file(one: Path, other: Path) -> bool:
    try:
        return os.path.samestat(os.lstat(one), os.lstat(other))
    except OSError:
        return False


def _has_old_index(place: Place, git_dir: Path, old: str, new: str) -> bool:
    """Whether the index of the branch's checkout says of each path of the change what `old` does."""
    git = place.git
    head = (files.read_bounded(git_dir / "HEAD", 1024) or b"").decode("utf-8", "replace").strip()
    if head != f"ref: refs/heads/{place.project.branch}":
        return False
    code, out, _ = git.attempt("diff-tree", "-r", "-z", "--raw", "--no-renames", old, new)
    if code != 0 or not out:
        return False
    parts = out.split(b"\0")[:-1]
    before = {path: meta.split()[2] for meta, path in zip(parts[::2], parts[1::2], strict=True)}
    indexed = _index(place, git_dir)
    none = b"0" * len(old)
    return indexed is not None and all(indexed.get(path, none) == blob for path, blob in before.items())


def _index(place: Place, git_dir: Path) -> dict[bytes, bytes] | None:
    """The blob of each path in a checkout's index."""
    from . import plumbing, repo

    env = plumbing.environment() | {"GIT_INDEX_FILE": str(git_dir / "index")}
    done = repo.call(
        ["git", f"--git-dir={place.git_dir}", "-c", "core.fsmonitor=false", "ls-files", "-s", "-z"], env
    )
    if done.returncode != 0:
        return None
    found = {}
    for entry in done.stdout.split(b"\0")[:-1]:
        meta, _, path = entry.partition(b"\t")
        found[path] = meta.split()[1]
    return found


# --- Git's own lock -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class IndexLock(Leftover):
    """An index.lock that no living process can have made."""

    path: Path
    inode: int
    made: int  # nanoseconds
    area = "lock"
    in_run = True

    @property
    def text(self) -> str:
        """What is wrong."""
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.made / 1e9))
        return f"{self.path} of {when} belongs to no living process: Git and landings wait for it"

    @property
    def does(self) -> str:
        """What mending does."""
        return "removes this file"

    def mend(self, place: Place, lock: int | None) -> None:
        """While it stands nobody can make another; what is removed is what was looked at."""
        with place.turn():
            if self in _index_locks(place):
                self.path.unlink(missing_ok=True)


def _index_locks(place: Place) -> Iterator[IndexLock]:
    for git_dir, tree in place.checkouts():
        path = git_dir / "index.lock"
        try:
            found = os.lstat(path)
        except OSError:
            continue
        is_ours = _is_one_file(path, git_dir / "orkestra-landing")
        if is_ours or not stat.S_ISREG(found.st_mode) or time.time() - found.st_mtime < LOCK_AGE:
            continue
        if processes.is_shared_disk(git_dir) or processes.who_has_open(path):
            continue
        # `git commit` keeps it without having it open while a person writes the message. Whoever made
        # it began before it was made.
        at_work = processes.gits_in([tree, git_dir])
        if any(processes.began(pid) <= found.st_mtime + 1 for pid in at_work):
            continue
        yield IndexLock(path, found.st_ino, found.st_mtime_ns)


# --- a run's hold on `git prune` ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Precious(Leftover):
    """The setting by which a run keeps `git prune` out."""

    marker: Path
    area = "run"

    @property
    def text(self) -> str:
        """What is wrong."""
        return "git prune and git repack -ad are still kept out, for a run that was killed"

    @property
    def does(self) -> str:
        """What mending does."""
        return "takes extensions.preciousObjects out of the project's Git settings"

    def mend(self, place: Place, lock: int | None) -> None:
        """As the run would have at its end."""
        code, _, said = place.git.attempt("config", "--local", "--unset", "extensions.preciousObjects")
        if code not in (0, 5):
            raise OrkestraError(EX_FAILED, said.decode("utf-8", "replace").strip())
        self.marker.unlink(missing_ok=True)


def _precious(place: Place) -> Iterator[Precious]:
    marker = place.git.git_dir / "orkestra" / "precious"
    if marker.exists():
        yield Precious(marker)
