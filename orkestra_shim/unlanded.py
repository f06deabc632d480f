"""What killed runs leave of work that did not land: it is kept, and what pins no work any more is removed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import files, journal, onetask, processes
from .errors import EX_FAILED, EX_WITHHELD, OrkestraError
from .hands import Hands, is_in_hand
from .leftover import OBJECT, Leftover, given
from .place import Place
from .tasks import name_problem

ATTACHED = "attached-"  # and the task: the workspace of a person
_WORKER = re.compile(rf"(?:w[0-9]{{1,3}}|{ATTACHED}[a-z0-9._-]{{1,64}})\Z")


def find(place: Place) -> Iterator[Leftover]:
    """Work in workspaces, a change that was about to land, and pins."""
    yield from _unkept(place)
    yield from _intent(place)
    yield from _pins(place)


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
            raise OrkestraError(
                EX_FAILED, f"a process is still at work in {self.workspace}", "see ps, and call this again"
            )
        folder = files.make_below(
            place.project.path, "logs", "execution", "attempts", self.task, str(self.number)
        )
        taken = place.script(
            "CORE/workspace.sh", "take", str(self.workspace), str(folder), self.base, locks=given(lock)
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
            code, _, said = place.script("CORE/workspace.sh", *words, locks=given(lock))
            if code != 0:
                raise OrkestraError(EX_FAILED, said)
        (self.workspace / "owner").unlink(missing_ok=True)


@dataclass(frozen=True)
class Unfinished(Unkept):
    """The same of a person who was attached to the task; another `orkestra attach` would go on there."""

    @property
    def text(self) -> str:
        """What is wrong."""
        return f"{self.workspace} holds what a person did in {self.task} when `orkestra attach` was killed"

    def mend(self, place: Place, lock: int | None) -> None:
        """Unless somebody is attached again."""
        hands = Hands(place.git_dir)
        try:
            if not hands.take(self.task):
                raise OrkestraError(
                    EX_FAILED, f"somebody is attached to {self.task}", "wait until they leave"
                )
            super().mend(place, lock)
        finally:
            hands.close()


def _unkept(place: Place) -> Iterator[Unkept]:
    for workspace in worker_folders(place.workspaces):
        if not (owner := owner_of(workspace)):
            continue
        task, number, base = owner
        if workspace.name.startswith(ATTACHED):
            if not is_in_hand(place.git_dir, task):
                yield Unfinished(workspace, task, next_try(place, task), base)
        else:
            yield Unkept(workspace, task, number, base)


def next_try(place: Place, task: str) -> int:
    """The first number that no attempt at the task has."""
    found = journal.replay(place.project.path / journal.FILE, about=task)
    tries = [number for event in found if isinstance(number := event.get("try"), int)]
    return max([0, *tries, *onetask.kept_attempts(place.project, task)]) + 1


def worker_folders(workspaces: Path) -> list[Path]:
    """The workspaces of a project, w0 (the check of the branch) and those of persons among them."""
    named = [*workspaces.glob("w*"), *workspaces.glob(f"{ATTACHED}*")]
    return sorted(one for one in named if _WORKER.match(one.name) and one.is_dir())


def owner_of(workspace: Path) -> tuple[str, int, str] | None:
    """(task, try, base) of the attempt that a workspace holds; None where it names none."""
    text = files.read_bounded(workspace / "owner", 1024) or b""
    fields = text.decode("utf-8", "replace").partition("\n")[0].split("\t")
    if len(fields) != 3 or name_problem(fields[0]) or not re.fullmatch(r"[0-9]{1,6}", fields[1]):
        return None
    return (fields[0], int(fields[1]), fields[2]) if OBJECT.match(fields[2]) else None


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
