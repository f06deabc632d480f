"""`orkestra status`: where a project stands now."""

from __future__ import annotations

import time
from typing import Any

from orkestra_shim import board, progress, spent
from orkestra_shim.board import Board
from orkestra_shim.commands import task_line
from orkestra_shim.session import Session
from orkestra_shim.text import counted, printable, stands


def told(now: Session, seen: Board) -> dict[str, Any]:
    """For programs. Times are UTC, epoch seconds where they are numbers."""
    found = seen.project
    span = _span(now, seen)
    return {
        "project": {"name": found.name, "id": found.id, "path": str(found.path), "branch": found.branch},
        "run": seen.run,
        "seconds_left": list(span) if span else None,
        "limited": {limit.name: {"until": limit.until, "why": limit.why} for limit in seen.limits},
        "spent": spent.told(now, seen),
        "paused": seen.pauses.as_json(),
        "counts": seen.counts(),
        "tasks": list(seen.rows.values()),
    }


def _span(now: Session, seen: Board) -> tuple[int, int] | None:
    return progress.span(seen.rows, seen.past, board.workers(now, seen.project)) if seen.run else None


def lines(now: Session, seen: Board) -> list[str]:
    """For people."""
    found, rows = seen.project, seen.rows.values()
    counts = ", ".join(f"{number} {state}" for state, number in seen.counts().items())
    return [
        f"project {found.name} ({found.path}), branch {found.branch}",
        *_run(now, seen),
        *([f"paused: {seen.pauses.words()} (orkestra resume)"] if seen.pauses else []),
        f"{counted(len(seen.rows), 'task')}: {counts}" if counts else "no tasks yet: orkestra task add TITLE",
        *(task_line(row, 0) for row in rows if row["state"] in ("needs_human", "failed")),
        *_asked(seen),
        *_proposals(seen),
        *_held(seen),
        *_blocked(seen),
        *_limited(seen),
        *spent.lines(now, seen),
    ]


def _run(now: Session, seen: Board) -> list[str]:
    if seen.run is None:
        return ["no run goes on"]
    from datetime import datetime

    from orkestra_shim import clock, morning

    run, number = seen.run, board.workers(now, seen.project)
    began = board.since(run)
    since = clock.shown(datetime.fromtimestamp(began).astimezone()) if began else printable(run["since"])
    shown = [f"a run goes on since {since} (process {run['process']} on {printable(run['host'])})"]
    shown += [
        _worker(row | one)
        for row in seen.rows.values()
        if row["state"] == "in_progress"
        for one in (row, *row.get("beside", ()))
    ]
    span = progress.span(seen.rows, seen.past, number)
    attempts = sum(map(len, seen.past.lengths.values()))
    if span:
        shown.append(
            f"time left: {morning.between(list(span))}, if the rest goes as {attempts} attempts so far"
        )
    elif any(map(progress.is_open, seen.rows.values())):
        shown.append(f"time left: unknown, too few attempts so far ({attempts})")
    return shown


def _worker(row: dict[str, Any]) -> str:
    from orkestra_shim import clock

    now = time.time()
    gone = max(0, now - row["since"])
    text = f"  {row['worker']}  {row['id']}  {row['stage']} since {clock.length(now - row['stage_since'])}"
    text += f", try {row['try']} by {row['by']} for {clock.length(gone)}"
    usual = row["usual_seconds"]
    if usual is None:
        return f"{text}; time left unknown: no attempt by {row['by']} has ended yet"
    past = f"{row['past_attempts']} attempts took {clock.length(usual)} (median)"
    if gone > usual:
        return f"{text}; longer than usual: {past}"
    return f"{text}; about {clock.length(usual - gone)} left: {past}"


def _asked(seen: Board) -> list[str]:
    """A line for each task over which a person decides."""
    return [
        f"your vote      {row['id']}: orkestra task show {row['id']}, "
        f"then: orkestra vote cast {row['id']} approve|reject --reason WHY"
        for row in seen.rows.values()
        if row.get("asks") == "vote"
    ] + [
        f"your word      {row['id']}: orkestra plan --of {row['id']}"
        for row in seen.rows.values()
        if row.get("asks") == "plan"
    ]


def _proposals(seen: Board) -> list[str]:
    names = [row["id"] for row in seen.rows.values() if row["state"] == "proposed"]
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    look = "orkestra task show TASK, then: orkestra task accept TASK, or cancel"
    return [f"proposed       {', '.join(names[:6])}{more} ({look})"] if names else []


def _held(seen: Board) -> list[str]:
    held = [(row["id"], row["held_by_edits"]) for row in seen.rows.values() if row.get("held_by_edits")]
    return [f"waits for you  {name}: your edits in {paths} are not committed" for name, paths in held]


def _blocked(seen: Board) -> list[str]:
    """A line for each task that others wait for in vain."""
    causes: dict[str, list[str]] = {}
    for row in seen.rows.values():
        if "blocked_by" in row:
            causes.setdefault(row["blocked_by"], []).append(row["id"])
    return [
        f"blocked        {', '.join(names[:6])}{' ...' if len(names) > 6 else ''}: "
        f"{cause} {stands(seen.rows[cause]['state'])}"
        for cause, names in causes.items()
    ]


def _limited(seen: Board) -> list[str]:
    """A line for each limit that holds, with what waits for its end."""
    shown = [f"limits         {seen.problem}"] if seen.problem else []
    for limit in seen.limits:
        rows = [row for row in seen.rows.values() if limit.name in row.get("limited", ())]
        waits = "; ".join(
            f"{words}: {', '.join(names[:6])}{' ...' if len(names) > 6 else ''}"
            for words, names in (
                ("waits", [row["id"] for row in rows if not row["waits_for_review"]]),
                ("waits for its review", [row["id"] for row in rows if row["waits_for_review"]]),
            )
            if names
        )
        why = printable(limit.why)[:120]
        shown.append(
            f"limited        {limit.name} until {_minute(limit.until)}"
            + (f": {why}" if why else "")
            + (f" ({waits})" if waits else "")
        )
    return shown


def _minute(epoch: float) -> str:
    from datetime import datetime

    from orkestra_shim import clock

    return clock.shown(datetime.fromtimestamp(epoch).astimezone())
