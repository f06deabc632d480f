"""Follow-ups: tasks that an agent came upon while it did another, left in follow-ups.json for a person.

They become proposals once the work in which they were found is completed; of an attempt that failed nothing
is kept. schemas/follow-ups.schema.json says what the file may hold. What stands there is an agent's: it is
read like a stranger's file (`importing`), all of it or nothing, and nothing of it runs before a person
accepts it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from . import files, jsonfile, tasklist
from .errors import EX_DATA, OrkestraError
from .importing import Import
from .tasks import Task

if TYPE_CHECKING:
    from .run import Run
    from .work import Work

FILE = "follow-ups.json"
FOUND_BY = "found by "  # how the source of such a task begins
MOST_BYTES = 256 << 10
MOST = 20  # of one piece of work
MOST_OPEN = 500  # that wait for a person in one queue
Raw = dict[str, Any]


def look(run: Run, work: Work) -> dict[str, Any]:
    """What an agent left, told by the event of its work: how many; nothing when there is no file.

    A file that cannot be taken is told of in the log, and is as if it were not there.
    """
    try:
        left = _read(run, work.task.id, work.number, work.agent)
        if left is None:
            return {}
        _plan(left, run.queue.tasks, ())
    except OrkestraError as error:
        _refuse(run, work.task.id, work.number, error)
        return {}
    return {"follow_ups": len(left.items)}


def propose(run: Run) -> None:
    """Add what is due to the queue. What cannot be added now (the queue is being mended) stays due."""
    for name in sorted(run.owed):
        for number, agent in run.state(name).owed:
            try:
                left = _read(run, name, number, agent)
                ids = [] if left is None else _add(run, left)
            except OrkestraError as error:
                if error.code != EX_DATA:
                    raise
                _refuse(run, name, number, error)
                continue
            if ids is not None:
                run.event("follow-ups", name, number, durable=True, ids=ids)
    run.owed = {name for name in run.owed if run.state(name).owed}


def _refuse(run: Run, name: str, number: int, error: OrkestraError) -> None:
    run.event("follow-ups-refused", name, number, why=run.redact(error.message)[:600])
    run.say("warning", f"the follow-ups of {name}, try {number}, are not taken: {error.message}")


def _add(run: Run, left: Import) -> list[str] | None:
    made: list[str] = []

    def more(tasks: list[Task]) -> list[Raw]:
        new = _plan(left, tasks, run.branch.by_task)
        waiting = sum(task.status == "proposed" and is_found(task.raw) for task in tasks)
        if waiting + len(new) > MOST_OPEN:
            raise OrkestraError(EX_DATA, f"{waiting} follow-ups wait for a person already")
        made[:] = [raw["id"] for raw in new]
        return new

    return made if run.edits.extend(more) else None


def is_found(raw: Raw) -> bool:
    """Whether an agent proposed this task."""
    return str(raw.get("source") or "").startswith(FOUND_BY)


def _plan(left: Import, tasks: list[Task], once: Iterable[str]) -> list[Raw]:
    """The tasks to add to those that are there; `once` are ids that records name."""
    new = tasklist.fit(left, (task.raw for task in tasks), once)
    for raw in new:
        raw["status"] = "proposed"
    return new


# --- the file -----------------------------------------------------------------------------------------------


def _read(run: Run, name: str, number: int, agent: str) -> Import | None:
    """What a try left; None when it left nothing. Raises 65 with the place of what is wrong."""
    data = files.read_bounded(run.attempts_folder / name / str(number) / FILE, MOST_BYTES + 1)
    if data is None:
        return None
    if len(data) > MOST_BYTES:
        raise OrkestraError(EX_DATA, f"{FILE} has more than {MOST_BYTES >> 10} KiB")
    text = run.redact(jsonfile.decode(data, FILE))
    return tasklist.read(tasklist.Told(text, FILE, f"{FOUND_BY}{agent} at {name}, try {number}"), MOST)
