"""How a run left the queue: its exit code, and the lines that a person reads at the end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .errors import EX_FAILED, EX_LIMITED, EX_OK, EX_UNAVAILABLE

if TYPE_CHECKING:
    from .run import Run


def summary(run: Run) -> tuple[int, str]:
    """(exit code, text for people)."""
    waiting = _waiting(run)
    limited, unavailable = _stuck(run)
    unpushed = run.remote.lines()
    lines = [_counts(run), *_unfinished(run), *waiting, *unpushed]
    if run.edits.problem:
        lines.append(f"the edited queue is not taken in: {run.edits.problem}")
    text = "\n".join([*lines, *dict.fromkeys(limited), *dict.fromkeys(unavailable)])
    return _exit_code(run, bool(waiting or unpushed), bool(limited), bool(unavailable)), run.redact(text)


def _counts(run: Run) -> str:
    counts = [f"{count} {status}" for status, count in sorted(run.queue.counts.items()) if count]
    return f"{len(run.queue.tasks)} tasks: {', '.join(counts) or 'none'}"


def _unfinished(run: Run) -> list[str]:
    return [
        f"{task.id} {task.status.replace('_', ' ')}: {task.reason}"
        for task in run.queue.tasks
        if task.status in ("failed", "needs_human")
    ]


def _waiting(run: Run) -> list[str]:
    """A line for each task whose finished work waits for a person's edit."""
    return [
        f"{name} waits: {state.waits} (edits that are not committed)"
        for name, state in run.states.items()
        if state.waits and (task := run.queue.get(name)) and task.status == "pending"
    ]


def _stuck(run: Run) -> tuple[list[str], list[str]]:
    """(limited, unavailable): a line for each heap of ready tasks that nobody can take."""
    limited, unavailable = [], []
    for heap in list(run.queue.heaps):
        task = run.queue.first(heap)
        if task is None:
            continue
        names = run.agents_for(heap)
        resting = [name for name in names if run.agents.limited_until(name)]
        for name in resting:
            until, why = run.agents.cooldowns[name]
            when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until))
            limited.append(f"{name} is limited: {why} (next_run_at {when})")
        if not resting and not any(run.agents.can_work(name) for name in names):
            reasons = [f"{name}: {run.agents.get(name).problem}" for name in names]
            unavailable.append(f"no agent for {task.id}: {'; '.join(reasons) or 'the project names none'}")
    return limited, unavailable


def _exit_code(run: Run, waiting: bool, limited: bool, unavailable: bool) -> int:
    counts = run.queue.counts
    if counts.get("failed") or counts.get("needs_human") or waiting:
        return EX_FAILED
    if limited:
        return EX_LIMITED
    if unavailable:
        return EX_UNAVAILABLE
    if run.queue.unfinished() and not run.draining and not run.here.only:
        return EX_FAILED  # what is left waits for tasks that will not be done
    return EX_OK
