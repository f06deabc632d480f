"""config/task-queue.json: reading it with errors that name the place, ordering, and writing it back."""

from __future__ import annotations

import gc
import heapq
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from . import jsonfile, positions
from .errors import EX_DATA, OrkestraError
from .graph import Graph, GraphError
from .tasks import Refused, Task, validate

VERSION = 1
FILE = "config/task-queue.json"
FINISHED = ("completed", "failed", "needs_human", "cancelled")
# Why a task is kept out of the heaps: bits of Task.busy.
IN_HAND = 1  # a worker has it
FOR_PERSON = 2  # its finished work waits until a person's edit is out of the way
NOT_NAMED = 4  # --only named others
PAUSED = 8  # a person paused it
LATER = 16  # it failed a moment ago
ATTACHED = 64  # a person has it in hand
REVIEW = 32  # its change waits for reviewers that are limited
SPENT = 128  # a budget has not enough left for it
SUBMITTED = "+submitted"  # the heap of what is only to be judged: no agent has to be there for it
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # without what reads alike


class Document:
    """The file as a person wrote it: text, top-level object, tasks in order, no two with one id."""

    __slots__ = ("graph", "name", "positions", "tasks", "top")

    def __init__(self, text: str, name: str = FILE) -> None:
        """Raises OrkestraError 65 `name:line:column: reason`."""
        self._take(_object(text, name), name, lambda: text)

    @classmethod
    def of(cls, top: dict[str, Any], name: str = FILE) -> Document:
        """The same of an object that was put together here; lines in errors are those of its dump."""
        document = cls.__new__(cls)
        document._take(top, name, lambda: jsonfile.dump(top).decode())
        return document

    def _take(self, top: dict[str, Any], name: str, text: Callable[[], str]) -> None:
        self.name, self.top = name, top
        raw_tasks = top["tasks"]
        self.positions: dict[str, int] = {}
        self.tasks: list[Task] = []
        for index, raw in enumerate(raw_tasks):
            try:
                validate(raw)
            except Refused as error:
                path: list[str | int] = ["tasks", index, error.key] if error.key else ["tasks", index]
                raise _refused(text(), name, path, f"{_who(raw, index)}{error}") from None
            if self.positions.setdefault(raw["id"], index) != index:
                raise _refused(text(), name, ["tasks", index, "id"], f"the id {raw['id']!r} is used twice")
            self.tasks.append(Task(raw, index))
        try:
            self.graph = Graph(self.tasks, self.positions)
        except GraphError as error:
            place: list[str | int] = ["tasks", error.index, error.key]
            raise _refused(
                text(), name, place, f"{_who(raw_tasks[error.index], error.index)}{error}"
            ) from None


def _who(raw: object, index: int) -> str:
    if isinstance(raw, dict) and isinstance(raw.get("id"), str):
        return f"task {raw['id'][:80]!r}: "
    return f"task number {index + 1}: "


def _refused(text: str, name: str, path: list[str | int], reason: str) -> OrkestraError:
    line, column = positions.line_column(text, positions.offset(text, path))
    return OrkestraError(EX_DATA, f"{name}:{line}:{column}: {reason}")


def _object(text: str, name: str) -> dict[str, Any]:
    # The collector would walk a growing heap of a million small objects again and again.
    was_on = gc.isenabled()
    gc.disable()
    try:
        top = jsonfile.parse(text, name, 'an object {"version": 1, "tasks": [...]}')
    finally:
        if was_on:
            gc.enable()
    version = top.get("version", VERSION)
    if type(version) is not int or version < 1:
        raise _refused(text, name, ["version"], "version must be 1")
    if version > VERSION:
        raise _refused(text, name, ["version"], f"version {version} was written by a newer Orkestra")
    if not isinstance(top.get("tasks"), list):
        raise _refused(text, name, ["tasks"], "tasks must be a list")
    return top


def read(path: Path, name: str = "") -> Document:
    """The queue file at path. Raises 65 for what is wrong in it, or when it cannot be read."""
    name = name or str(path)
    return Document(jsonfile.decode(jsonfile.read_bytes(path), name), name)


def new_id(taken: Iterable[str], prefix: str = "t") -> str:
    """A short random id (PREFIX-xxxxxx) that is not taken, so that two clones do not collide."""
    import secrets

    known = set(taken)
    while True:
        name = f"{prefix}-" + "".join(secrets.choice(_ALPHABET) for _ in range(6))
        if name not in known:
            return name


class Queue:
    """A document with statuses: who is ready, in which order, one heap for each agent as written."""

    def __init__(self, document: Document, status_of: Callable[[Task], tuple[str, str]]) -> None:
        """status_of gives (status, reason) of each task, from records, journal and file."""
        self.document = document
        self.tasks = document.tasks
        self.heaps: dict[str, list[tuple[int, int, int, int]]] = {}
        self.counts: dict[str, int] = {}
        for task in self.tasks:
            task.status, task.reason = status_of(task)
            self.counts[task.status] = self.counts.get(task.status, 0) + 1
        for task in self.tasks:
            for key, field, closed in (
                ("depends_on", "waiting", ("completed",)),
                ("prefer_after", "wishes", FINISHED),
            ):
                names = task.raw.get(key)
                if names:
                    setattr(task, field, sum(self[name].status not in closed for name in set(names)))
        for task in self.tasks:
            self._push(task)

    def __getitem__(self, name: str) -> Task:
        return self.tasks[self.document.positions[name]]

    def get(self, name: str) -> Task | None:
        """The task of that id, or None."""
        index = self.document.positions.get(name)
        return None if index is None else self.tasks[index]

    @staticmethod
    def heap_name(task: Task) -> str:
        """Tasks of one heap can be done by the same agents."""
        if task.full or "submitted" in task.raw or "ballot" in task.raw:
            return SUBMITTED
        if task.asks:
            from . import questions

            return questions.heap(task)
        return "auto+command" if task.agent == "auto" and task.command else task.agent

    def is_ready(self, task: Task) -> bool:
        """Pending, not held back, and everything it depends on is completed."""
        return task.status == "pending" and not task.busy and not task.waiting

    def _push(self, task: Task) -> None:
        if self.is_ready(task):
            heapq.heappush(self.heaps.setdefault(self.heap_name(task), []), task.key())

    def first(self, heap_name: str) -> Task | None:
        """The next task of a heap, left in it. Entries that are out of date are dropped on the way."""
        heap = self.heaps.get(heap_name)
        while heap:
            task = self.tasks[heap[0][3]]
            if self.is_ready(task) and heap[0] == task.key() and self.heap_name(task) == heap_name:
                return task
            heapq.heappop(heap)
        return None

    def best(self, heap_names: Iterable[str]) -> Task | None:
        """The first task in order over several heaps."""
        found = [task for name in heap_names if (task := self.first(name)) is not None]
        return min(found, key=Task.key, default=None)

    def hold(self, task: Task, why: int, on: bool = True) -> None:
        """Keep a task out of the heaps for a reason, or let it back in when that was the last one."""
        task.busy = task.busy | why if on else task.busy & ~why
        self._push(task)

    def set_full(self, task: Task, full: bool) -> None:
        """Whether a choice among its candidates is what comes next."""
        task.full = full
        self._push(task)

    def set_status(self, task: Task, status: str, reason: str = "") -> None:
        """Change a status and tell those who wait for it."""
        before, task.status, task.reason = task.status, status, reason
        if before == status:
            return
        self.counts[before] -= 1
        self.counts[status] = self.counts.get(status, 0) + 1
        done = (status == "completed") - (before == "completed")
        closed = (status in FINISHED) - (before in FINISHED)
        if done:
            for index in self.document.graph.dependents[task.index] or ():
                self.tasks[index].waiting -= done
                self._push(self.tasks[index])
        if closed:
            for index in self.document.graph.wishers[task.index] or ():
                self.tasks[index].wishes -= closed
                self._push(self.tasks[index])
        self._push(task)

    def unfinished(self) -> int:
        """How many tasks are pending or in progress."""
        return self.counts.get("pending", 0) + self.counts.get("in_progress", 0)

    def ready(self) -> Iterator[Task]:
        """Every ready task, in queue position (for reports; claims use best)."""
        return (task for task in self.tasks if self.is_ready(task))
