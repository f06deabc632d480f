"""A person's edits of the queue file while a run goes on: taken in by task id, or refused with the place."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import files, jsonfile
from .errors import OrkestraError
from .queue import FOR_PERSON, Document, Queue
from .tasks import Task, is_spoken_on
from .watch import QueueFile

if TYPE_CHECKING:
    from .run import Run

_TRIES = 5  # somebody saves the queue just then: taken in, and once more


class Edits:
    """Looks at the file from time to time and keeps the run's queue in step with it."""

    def __init__(self, run: Run, file: QueueFile) -> None:
        self.run = run
        self.file = file
        self.problem = ""  # why the last edit was refused
        self._deferred = False  # a task in a worker's hands was edited: that part has to wait
        self._problem_file = run.here.runtime / "queue-problem"  # for `orkestra status`
        self._problem_file.unlink(missing_ok=True)

    def take_in(self, now: bool = False) -> None:
        """Look for a newer file; a refused one is kept for `status`, and the run goes on."""
        try:
            document = self._merged(now)
            if document is None:
                return
            self._replace(document)
            self.problem = ""
            self._problem_file.unlink(missing_ok=True)
        except OrkestraError as error:
            self.problem = error.message
            self.run.say("warning", f"an edit of the queue is not taken in: {error.message}")
            files.write_plain(self._problem_file, error.message + "\n")

    def extend(self, more: Callable[[list[Task]], list[dict[str, Any]]]) -> bool:
        """Append the tasks that `more` gives for those that are there to the queue and its file.

        False when that is not possible now: the checkout is on another branch, a person's edit has to be
        mended first, or somebody saves again and again. Raises 73, and what `more` raises.
        """
        run = self.run
        for _ in range(_TRIES):
            self.take_in(now=True)
            if self.problem or not run.here.checkout.on_branch():
                return False
            new = more(run.queue.tasks)
            if not new:
                return True
            # The file as it stands: it may say of a task in a worker's hands what is not taken in yet.
            top = jsonfile.read(self.file.path)
            if self.file.put(jsonfile.dump({**top, "tasks": [*top["tasks"], *new]})):
                self.file.forget()
                self.take_in(now=True)
                return True
        return False

    def look_again(self) -> None:
        """A task left a worker's hands: what had to wait for that is taken in at the next look."""
        if self._deferred:
            self._deferred = False
            self.file.forget()

    def _merged(self, now: bool) -> Document | None:
        """The new version with what the run keeps of the old one; None when there is none."""
        new = self.file.changed(now)
        if new is None:
            return None
        old = self.run.queue
        locked = {task.id for task in old.tasks if task.status == "in_progress"}
        top, missing = merge(old.document, new, locked)
        self._deferred = any(
            name in new.positions and new.tasks[new.positions[name]].raw != old[name].raw for name in locked
        )
        for name in locked & new.positions.keys():
            raw = new.tasks[new.positions[name]].raw
            if raw.get("status") == "cancelled":
                self.run.drop(name, "cancelled", str(raw.get("reason") or ""))
        if missing or self._deferred:
            # Checked as a whole once more: an edge of what stays may meet an edge of what is new.
            del new  # a queue of 100,000 tasks need not stand in memory three times
            new = Document.of(top)
        for name in missing:
            self.run.say(
                "warning",
                f"the task {name} is missing in the edited queue and stays: "
                "set its status to cancelled to drop it",
            )
        return new

    def _replace(self, document: Document) -> None:
        run, old = self.run, self.run.queue
        run.queue = Queue(document, lambda task: self._status(old.get(task.id), task))
        for task in run.queue.tasks:
            before = old.get(task.id)
            task.busy = before.busy if before else 0
        run.look_at_rounds()
        run.hold_others()
        for name, works in run.works.items():
            for work in works:
                work.task = run.queue[name]
        run.journal.append("queue-edited", tasks=len(document.tasks))

    def _status(self, old: Task | None, new: Task) -> tuple[str, str]:
        if old is None:
            return self.run.first_status(new)
        again = any(old.raw.get(key) != new.raw.get(key) for key in ("reopened", "retried"))
        if (again or old.raw.get("status") != new.raw.get("status")) and old.status != "in_progress":
            if again:
                old.busy &= ~FOR_PERSON  # the work that waited for that is given up
                self.run.event("reopened", new.id, ballot=is_spoken_on(new.raw))
            return self.run.first_status(new)
        return old.status, old.reason


def merge(old: Document, new: Document, locked: set[str]) -> tuple[dict[str, Any], list[str]]:
    """(top-level object, ids that the new version lacks): the new version, with nothing deleted.

    A task that is missing may only be out of sight (stash, reset), so it stays; a person who wants it
    gone sets it to cancelled. `locked` are being worked on: they stay as they were for this attempt.
    """
    kept = [task.raw for task in old.tasks if task.id not in new.positions]
    tasks = [old.tasks[old.positions[task.id]].raw if task.id in locked else task.raw for task in new.tasks]
    return {**new.top, "tasks": [*tasks, *kept]}, [raw["id"] for raw in kept]
