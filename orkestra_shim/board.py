"""Where a project stands: its queue, the records on its branch and what is being worked on."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from orkestra_shim import (
    cooldowns,
    files,
    graph,
    journal,
    jsonfile,
    pauses,
    progress,
    queue,
    records,
    repo,
)
from orkestra_shim.checkout import Checkout
from orkestra_shim.errors import EX_DATA, EX_USAGE, OrkestraError
from orkestra_shim.plumbing import Git
from orkestra_shim.project import Project
from orkestra_shim.session import Session
from orkestra_shim.tasks import QUESTIONS
from orkestra_shim.taskstate import TaskState
from orkestra_shim.text import printable

ORDER = ("in_progress", "needs_human", "failed", "ready", "waiting", "proposed", "completed", "cancelled")


@dataclass
class Board:
    """A project's tasks as they stand. `states` maps a task's id to a row that can be written as JSON."""

    project: Project
    document: queue.Document
    branch: records.Branch
    rows: dict[str, dict[str, Any]]
    run: dict[str, Any] | None
    past: progress.Past
    pauses: pauses.Pauses
    limits: list[cooldowns.Limit]
    problem: str = ""  # with what is known of limits

    def counts(self) -> dict[str, int]:
        """How many tasks there are of each state, in a fixed order."""
        states = [row["state"] for row in self.rows.values()]
        return {state: states.count(state) for state in ORDER if state in states}


def read(session: Session, found: Project) -> Board:
    """Reads everything anew. Raises OrkestraError 65 for a queue or a record that cannot be read."""
    git_dir = git_folder(found)
    document = queue_of(found)
    branch = _records(git_dir, found.branch)
    run = holder(git_dir)
    past = progress.read(found.path, whole=run is not None)
    at_work = working(session, found, past) if run else {}
    rows = {task.id: _row(task.raw, document, branch, at_work) for task in document.tasks}
    if found.land == "pr":
        _wait_for_merge(found, document, branch, rows)
    limits, problem = cooldowns.read(session.home.runtime)
    for row in rows.values():
        _ready(row, rows, past)
        _limited(row, found, past, limits)
    _blocked(document, rows)
    return Board(found, document, branch, rows, run, past, pauses.read(git_dir), limits, problem)


def git_folder(found: Project) -> Path:
    """The project's Git folder, the common one where the checkout is a linked worktree."""
    plain = found.path / ".git"
    return plain if plain.is_dir() else repo.common_dir(found.path)


def checkout(found: Project) -> Checkout:
    """The project's checkout, which says whether its files count."""
    return Checkout(found.path, Git(git_folder(found)), found.branch)


def queue_of(found: Project) -> queue.Document:
    """The project's queue as it is written."""
    data, name = checkout(found).read(queue.FILE)
    return queue.Document(jsonfile.decode(data, name), name)


def records_of(found: Project) -> records.Branch:
    """What the records on the project's branch say."""
    return _records(git_folder(found), found.branch)


def _records(git_dir: Path, branch: str) -> records.Branch:
    git = Git(git_dir)
    head = git.head(branch)
    if head is None:
        raise OrkestraError(
            EX_DATA,
            f"the project's branch {branch} does not exist in {git_dir}",
            'name another in "branch" of config/project.json, or make it: git branch',
        )
    return records.read_branch(git, head)


def holder(git_dir: Path) -> dict[str, Any] | None:
    """Who holds the project: process, host and since when; None where no run goes on."""
    try:
        words = (git_dir / "orkestra" / "holder").read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return None
    if len(words) < 3 or not words[0].isdigit():
        return None
    if words[1] == os.uname().nodename and not os.path.isdir(f"/proc/{words[0]}"):
        return None
    return {"process": int(words[0]), "host": words[1], "since": words[2]}


def since(run: dict[str, Any]) -> float | None:
    """The epoch second at which a run began; None where its file says something else."""
    try:
        # Before Python 3.11 the zone needs its colon.
        return datetime.strptime(run["since"], "%Y-%m-%dT%H:%M:%S%z").timestamp()
    except ValueError:
        return None


def working(session: Session, found: Project, past: progress.Past) -> dict[str, dict[str, Any]]:
    """Tasks that a worker has right now, by what each says of itself; times are epoch seconds.

    What further workers have of the same task is `beside`.
    """
    told: dict[str, dict[str, Any]] = {}
    for now in sorted((session.home.runtime / found.id).glob("w*/now")):
        raw = files.read_bounded(now, 1024) or b""
        fields = raw.decode("utf-8", "replace").rstrip("\n").split("\t")
        if len(fields) != 5 or not (fields[1].isdigit() and fields[4].isdigit()):
            continue  # it is being written
        task, number, agent, stage, at = fields
        begun = past.begun.get(task)
        one = {
            "worker": printable(now.parent.name),
            "try": int(number),
            "by": printable(agent),
            "stage": printable(stage),
            "stage_since": int(at),
            "since": int(begun[2]) if begun and begun[0] == int(number) else int(at),
            "usual_seconds": progress.median(past.of(agent)),
            "past_attempts": len(past.of(agent)),
        }
        if task in told:  # another candidate of it
            told[task].setdefault("beside", []).append(one)
        else:
            told[task] = one
    return told


def worker_names(session: Session, found: Project) -> list[str]:
    """The workers of the run, by their numbers."""
    names = [path.stem for path in (session.home.runtime / found.id / "run").glob("w*.req")]
    return sorted(names, key=lambda name: (len(name), name))


def workers(session: Session, found: Project) -> int:
    """How many workers the run has."""
    return len(worker_names(session, found))


def _row(
    raw: dict[str, Any], document: queue.Document, branch: records.Branch, working: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    outcome = branch.by_task.get(raw["id"])
    status, reason = records.status_of(raw, outcome)
    row: dict[str, Any] = {
        "id": raw["id"],
        "title": raw.get("title") or raw["id"],
        "state": status,
        "status": status,
        "reason": reason,
        "priority": raw.get("priority", "medium"),
        "agent": raw.get("agent", "auto"),
        "depends_on": raw.get("depends_on", []),
        "outcome": outcome["id"] if outcome else None,
    }
    if status == "needs_human" and outcome and outcome.get("asks"):
        row["asks"] = outcome["asks"]
    if kind := next((key for key in QUESTIONS if isinstance(raw.get(key), dict)), None):
        row |= {"kind": kind, "members": raw[kind].get("members") or []}
    if status == "proposed" and isinstance(raw.get("source"), str):
        row["source"] = raw["source"]
    if raw["id"] in working and status == "pending":
        row |= {"state": "in_progress", "status": "in_progress", **working[raw["id"]]}
    return row


def _wait_for_merge(
    found: Project, document: queue.Document, branch: records.Branch, rows: dict[str, dict[str, Any]]
) -> None:
    """Where changes land through pull requests the execution log knows what the branch does not hold yet."""
    states: dict[str, TaskState] = {}
    for event in journal.replay(found.path / journal.FILE):
        name = event.get("task")
        if isinstance(name, str) and name in rows:
            states.setdefault(name, TaskState()).apply(event)
    for name, state in states.items():
        told = state.waiting(document.tasks[document.positions[name]].raw)
        row = rows[name]
        if told and state.proposal and state.proposal.get("url") and not state.proposal.get("closed"):
            row["pull_request"] = state.proposal["url"]
        if (
            told
            and records.parse_id(told[2])[1] not in branch.outcomes
            and row["status"] not in ("in_progress", "cancelled")
        ):
            status, reason = told[:2]
            if status == "completed":  # which is what the branch holds
                status, reason = "pending", f"done ({reason}), and recorded with the next pull request"
            row |= {"state": status, "status": status, "reason": reason, "outcome": told[2]}


def _ready(row: dict[str, Any], rows: dict[str, dict[str, Any]], past: progress.Past) -> None:
    """Ready and waiting are derived, never stored."""
    if row["state"] != "pending":
        return
    open_ones = [name for name in row["depends_on"] if name in rows and rows[name]["status"] != "completed"]
    row["state"] = "waiting" if open_ones else "ready"
    if open_ones:
        row["waits_for"] = open_ones
    elif row["id"] in past.held:
        row["held_by_edits"] = printable(past.held[row["id"]])


def _limited(row: dict[str, Any], found: Project, past: progress.Past, limits: list[cooldowns.Limit]) -> None:
    """What cannot be given out, since every one that could do it is limited, or could review what is done."""
    if row["state"] != "ready" or not limits:
        return
    reviewers = past.put_off.get(row["id"])
    named = [row["agent"], *found.fallback.get(row["agent"], [])]
    if "kind" in row:
        named = row["members"] or found.agents
        known = [cooldowns.holding(limits, name) for name in named]
        if known.count(None) < max(1, -(-len(named) * 6 // 10)):
            row["limited"] = sorted({one.name for one in known if one})
            row["waits_for_review"] = False
        return
    names = reviewers or (found.agents if row["agent"] == "auto" else named)
    known = [cooldowns.holding(limits, name) for name in names]
    if known and all(known):
        row["limited"] = sorted({one.name for one in known if one})
        row["waits_for_review"] = bool(reviewers)


def _blocked(document: queue.Document, rows: dict[str, dict[str, Any]]) -> None:
    """What waits, over however many steps, for a task that nobody will do as things stand: that task."""
    found = graph.blocked([row["status"] for row in rows.values()], document.graph.dependents)
    for index, root in found.items():
        rows[document.tasks[index].id]["blocked_by"] = document.tasks[root].id


def row_of(board: Board, name: str) -> dict[str, Any]:
    """The row of one task. Raises OrkestraError 64 for an id that there is not."""
    if name in board.rows:
        return board.rows[name]
    import difflib

    near = difflib.get_close_matches(name, board.rows, n=3)
    hint = f"perhaps: {', '.join(near)}" if near else "orkestra task list shows them"
    raise OrkestraError(EX_USAGE, f"{board.project.name} has no task '{printable(name[:80])}'", hint)


def vote(found: Project, name: str) -> dict[str, Any] | None:
    """A vote record as the branch has it, or None."""
    raw = Git(git_folder(found)).blob(f"refs/heads/{found.branch}:{records.path_of(name)}")
    try:
        data = json.loads(raw or b"")
    except ValueError:
        return None
    return data if isinstance(data, dict) else None
