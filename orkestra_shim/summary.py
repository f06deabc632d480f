"""How a run left the queue: its exit code, and the lines that a person reads at the end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from . import graph, polls, questions
from .errors import EX_FAILED, EX_LIMITED, EX_OK, EX_UNAVAILABLE
from .followups import is_found
from .text import counted, stands

if TYPE_CHECKING:
    from .run import Run


def summary(run: Run) -> tuple[int, str]:
    """(exit code, text for people)."""
    waiting = _waiting(run)
    limited = [] if run.pauses.now.everything else run.resting.lines()
    unavailable = _unavailable(run)
    unpushed = run.remote.lines()
    blocked = _blocked(run)
    spent = run.purse.lines()
    lines = [
        _counts(run),
        *_unfinished(run),
        *_found(run),
        *blocked,
        *waiting,
        *unpushed,
        *spent,
        *_left(run),
    ]
    if run.edits.problem:
        lines.append(f"the edited queue is not taken in: {run.edits.problem}")
    text = "\n".join([*lines, *dict.fromkeys(limited), *dict.fromkeys(unavailable)])
    person = bool(waiting or blocked or unpushed)
    return _exit_code(run, person, bool(limited or spent), bool(unavailable)), run.redact(text)


def _counts(run: Run) -> str:
    counts = [f"{count} {status}" for status, count in sorted(run.queue.counts.items()) if count]
    return f"{counted(len(run.queue.tasks), 'task')}: {', '.join(counts) or 'none'}"


def _unfinished(run: Run) -> list[str]:
    return [
        f"{task.id} {'failed' if task.status == 'failed' else 'needs a person'}: {task.reason}"
        for task in run.queue.tasks
        if task.status in ("failed", "needs_human")
    ]


def _found(run: Run) -> list[str]:
    """What agents have found to be done and nobody has accepted yet."""
    names = [task.id for task in run.queue.tasks if task.status == "proposed" and is_found(task.raw)]
    look = "orkestra task show TASK, then: orkestra task accept TASK, or cancel"
    return [f"found on the way: {_some(names)} ({look})"] if names else []


def _waiting(run: Run) -> list[str]:
    """A line for each task whose finished work waits for a person's edit."""
    return [
        f"{name} waits: {state.waits} (edits that are not committed)"
        for name, state in run.states.items()
        if state.waits and (task := run.queue.get(name)) and task.status == "pending"
    ]


def _blocked(run: Run) -> list[str]:
    """A line for each task that did not get done and for which others wait, and which these are."""
    tasks = run.queue.tasks
    behind: dict[int, list[str]] = {}
    found = graph.blocked([task.status for task in tasks], run.queue.document.graph.dependents)
    for index, root in sorted(found.items()):
        if not run.wanted or tasks[index].id in run.wanted:
            behind.setdefault(root, []).append(tasks[index].id)
    return [
        f"blocked: {_some(names)} (behind {tasks[root].id}, which {stands(tasks[root].status)})"
        for root, names in behind.items()
    ]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more


def _left(run: Run) -> list[str]:
    """What a person had wanted to be left: paused, or after the time of --until."""
    lines = [f"paused: {run.pauses.now.words()} (orkestra resume)"] if run.pauses.now else []
    lines += [] if run.pauses.now.everything else run.resting.paused()
    if run.until and not run.until.left() and (left := run.queue.unfinished()):
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.until.epoch))
        lines.append(f"the time is up ({when}): {left} task{'s' * (left > 1)} left")
    return lines


def _unavailable(run: Run) -> list[str]:
    """A line for each heap of ready tasks that nobody can take."""
    unavailable = []
    for heap in list(run.queue.heaps):
        task = run.queue.first(heap)
        if task is None:
            continue
        names = run.assignment.allowed(heap)
        if run.pauses.now.everything or (run.pauses.now.agents and not names):
            continue
        out = [name for name in names if not (run.agents.rests(name) or run.agents.can_work(name))]
        needed = 1
        if questions.is_heap(heap):  # what else is missing is paused
            names = run.assignment.candidates(heap)
            needed = polls.quorum(len(questions.voters(run, heap)))
        if len(names) - len(out) < needed:
            reasons = [f"{name}: {run.agents.get(name).problem}" for name in out]
            unavailable.append(f"no agent for {task.id}: {'; '.join(reasons) or 'the project names none'}")
    return unavailable


def _exit_code(run: Run, person: bool, limited: bool, unavailable: bool) -> int:
    counts = run.queue.counts
    if counts.get("failed") or counts.get("needs_human") or person:
        return EX_FAILED
    if run.draining or run.pauses.now.everything:
        return EX_OK
    if limited:
        return EX_LIMITED
    if unavailable:
        return EX_UNAVAILABLE
    if run.queue.unfinished() and not run.pauses.now and not run.here.only:
        return EX_FAILED  # a defect if it ever happens: neither done nor in anybody's way
    return EX_OK
