"""What killed runs and killed Git processes leave behind: each kind with its words and its mending.

Nothing is mended that a living run holds; unlanded work is kept and
never deleted; a person's edits are not touched. Mending twice, or by two at once, does it once.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import files, processes
from .errors import EX_FAILED, EX_WITHHELD, OrkestraError
from .place import Holder, Place
from .tasks import name_problem

LOCK_AGE = 60.0  # seconds: younger than this, an index.lock is taken to be somebody's at work
_OBJECT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_WORKER = re.compile(r"w[0-9]{1,3}\Z")


class Leftover(ABC):
    """One thing. Equal ones are the same thing: what was listed is found again by it."""

    area: str
    in_run = False  # whether it can be mended while a run goes on

    @property
    @abstractmethod
    def text(self) -> str:
        """What is wrong."""

    @property
    @abstractmethod
    def does(self) -> str:
        """What mending does."""

    @abstractmethod
    def mend(self, place: Place, lock: int | None) -> None:
        """Mends it. The project is held by us (`lock`), by a run (None) only where `in_run`. Raises."""


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
        *_unkept(place),
        *_intent(place),
        *_pins(place),
        *_precious(place),
    ]


def _given(*locks: int | None) -> tuple[int, ...]:
    return tuple(lock for lock in locks if lock is not None)


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
            code, _, said = place.script("CORE/land.sh", "recover", locks=_given(lock, turn))
        if code != 0:
            raise OrkestraError(EX_FAILED, said)


def _landings(place: Place) -> Iterator[Landing]:
    for git_dir, _ in place.checkouts():
        marker = git_dir / "orkestra-landing"
        words = (files.read_bounded(marker, 256) or b"").decode("ascii", "replace").split()
        if len(words) != 2 or not all(map(_OBJECT.match, words)) or place.is_landing:
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


# --- work that did not land ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Unkept(Leftover):
    """A workspace whose last attempt was killed: what is in it is nowhere else."""

    workspace: Path
    task: str
    number: int
    base: str
    area = "workspace"

    @property
    def text(self) -> str:
        """What is wrong."""
        return f"{self.workspace} holds what attempt {self.number} at {self.task} left when it was killed"

    @property
    def does(self) -> str:
        """What mending does."""
        return f"keeps it as refs/orkestra/attempts/{self.task}/{self.number}"

    def mend(self, place: Place, lock: int | None) -> None:
        """As the next worker of this workspace would."""
        if processes.is_locked(self.workspace / "lock"):
            raise OrkestraError(EX_FAILED, f"a process is still at work in {self.workspace}")
        folder = files.make_below(
            place.project.path, "logs", "execution", "attempts", self.task, str(self.number)
        )
        taken = place.script(
            "CORE/workspace.sh", "take", str(self.workspace), str(folder), self.base, locks=_given(lock)
        )
        fields = taken[1].split()
        if taken[0] == EX_WITHHELD:  # it is in the folder of the attempt
            (self.workspace / "owner").unlink(missing_ok=True)
            return
        if taken[0] != 0 or len(fields) != 4:
            raise OrkestraError(EX_FAILED, f"what is in {self.workspace} cannot be taken: {taken[2]}")
        tree, count, _, own = fields
        if count != "0" or own != "-":
            words = ("keep", str(self.workspace), self.task, str(self.number), self.base, tree, own)
            code, _, said = place.script("CORE/workspace.sh", *words, locks=_given(lock))
            if code != 0:
                raise OrkestraError(EX_FAILED, said)
        (self.workspace / "owner").unlink(missing_ok=True)


def _unkept(place: Place) -> Iterator[Unkept]:
    for workspace in worker_folders(place.workspaces):
        if owner := owner_of(workspace):
            yield Unkept(workspace, *owner)


def worker_folders(workspaces: Path) -> list[Path]:
    """The workspaces of a project, w0 (the check of the branch) among them."""
    return sorted(one for one in workspaces.glob("w*") if _WORKER.match(one.name) and one.is_dir())


def owner_of(workspace: Path) -> tuple[str, int, str] | None:
    """(task, try, base) of the attempt that a workspace holds; None where it names none."""
    text = files.read_bounded(workspace / "owner", 1024) or b""
    fields = text.decode("utf-8", "replace").rstrip("\n").split("\t")
    if len(fields) != 3 or name_problem(fields[0]) or not re.fullmatch(r"[0-9]{1,6}", fields[1]):
        return None
    return (fields[0], int(fields[1]), fields[2]) if _OBJECT.match(fields[2]) else None


@dataclass(frozen=True)
class Intent(Leftover):
    """A change that was about to land, and is held by nothing but refs/orkestra/landing."""

    commit: str
    task: str
    area = "refs"

    @property
    def text(self) -> str:
        """What is wrong."""
        return f"a change of {self.task} that is not on the branch is held by refs/orkestra/landing alone"

    @property
    def does(self) -> str:
        """What mending does."""
        return f"keeps it as refs/orkestra/attempts/{self.task}/interrupted"

    def mend(self, place: Place, lock: int | None) -> None:
        """One more ref; the next landing overwrites the other."""
        place.git.run("update-ref", f"refs/orkestra/attempts/{self.task}/interrupted", self.commit)


def _intent(place: Place) -> Iterator[Intent]:
    git = place.git
    new = git.commit("refs/orkestra/landing")
    branch = f"refs/heads/{place.project.branch}"
    if new is None or git.attempt("merge-base", "--is-ancestor", new, branch)[0] == 0:
        return
    # Its record, if it has one, is on top of it, and says nothing of an agent.
    trailers = ("%(trailers:key=Orkestra-" + key + ",valueonly,separator=%x2C)" for key in ("Agent", "Task"))
    code, out, _ = git.attempt("log", "-2", "--format=%H %T " + " ".join(trailers), new, f"^{branch}")
    lines = [line.split(" ") for line in out.decode("utf-8", "replace").splitlines()]
    change = next((fields for fields in lines if len(fields) == 4 and fields[2]), None)
    if code != 0 or change is None or name_problem(change[3]):
        return
    commit, tree, _, task = change
    kept = git.run("for-each-ref", "--format=%(tree)", f"refs/orkestra/attempts/{task}/").decode().split()
    if tree not in kept and not any(_holds(one, task) for one in worker_folders(place.workspaces)):
        yield Intent(commit, task)


def _holds(workspace: Path, task: str) -> bool:
    owner = owner_of(workspace)
    return owner is not None and owner[0] == task


@dataclass(frozen=True)
class Pin(Leftover):
    """The base of a workspace that is gone."""

    ref: str
    commit: str
    area = "refs"

    @property
    def text(self) -> str:
        """What is wrong."""
        return f"{self.ref} pins the base of a workspace that is gone"

    @property
    def does(self) -> str:
        """What mending does."""
        return "removes this ref; the base holds no work"

    def mend(self, place: Place, lock: int | None) -> None:
        """Unless it has moved."""
        place.git.run("update-ref", "-d", self.ref, self.commit)


def _pins(place: Place) -> Iterator[Pin]:
    out = place.git.run("for-each-ref", "--format=%(refname) %(objectname)", "refs/orkestra/workspaces/")
    for line in out.decode("utf-8", "replace").splitlines():
        ref, commit = line.split(" ")
        if not (place.workspaces / ref.rpartition("/")[2]).is_dir():
            yield Pin(ref, commit)


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
