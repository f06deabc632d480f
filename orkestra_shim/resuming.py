"""Going on with the tool's own session of a task, where one is kept and everything still fits to it.

What is kept stands in .git/orkestra/sessions/TASK (SCRIPTS/AGENTS/lib/sessions.bash), left by a tool that
ended by itself or was stopped. It is gone on with when the last try was interrupted or has to be revised
(its check failed, a gate refused it, reviewers sent it back), by the same agent with the same model and the
same program, on the task as it was, with the tree that belongs to it. Anything else begins afresh.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from . import evidence, files

if TYPE_CHECKING:
    from .agents import Agent
    from .run import Run
    from .work import Work

FOLDER = "orkestra/sessions"
OVER = ("completed", "cancelled")  # nobody goes on with such a task
_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{7,127}\Z")
_ASKED = ("title", "description", "command", "inputs", "allow_paths", "allow_empty", "check")


def folder(git_dir: Path, task: str) -> Path:
    """Where the session of a task is kept."""
    return git_dir / FOLDER / task


def forget(git_dir: Path, task: str) -> None:
    """The task is done, or its session is of no use: nothing of it stays."""
    place = folder(git_dir, task)
    if place.is_dir():
        shutil.rmtree(place, ignore_errors=True)


def kept(git_dir: Path) -> list[str]:
    """The names of what is kept: tasks, and what a kill left half made."""
    try:
        return sorted(os.listdir(git_dir / FOLDER))
    except OSError:
        return []


def sweep(run: Run) -> None:
    """Remove sessions of tasks that are over or gone, and what a kill left half made."""
    for name in kept(run.here.git.git_dir):
        task = run.queue.get(name)
        if task is None or task.status in OVER:
            forget(run.here.git.git_dir, name)


def choose(run: Run, work: Work) -> None:
    """Set work.session where there is one to go on with, and work.start to the try whose tree it is about."""
    work.session = ""
    agent, state = run.agents.get(work.agent), run.state(work.task.id)
    if not agent.sessions or agent.revises != "tree" or state.kept or state.previous or work.handed:
        return
    if work.mode == "candidate":  # one session is kept of a task
        return
    if (
        work.mode == "resume" and work.number == work.first
    ):  # it goes to its check as it is: no agent is asked
        return
    place = folder(run.here.git.git_dir, work.task.id)
    number = read(place / "try").strip()
    if not number or number != str(work.number - 1) or read(place / "stamp") != stamp(run, work):
        return
    start = 0
    if work.number == work.first:
        settled = read(place / "settled").split()
        if settled not in ([number, "kept"], [number, "nothing"]):
            return  # nobody knows what has become of the tree
        start = int(number) if settled[1] == "kept" else 0
        if work.start not in (0, start):
            return
        if start and run.here.git.commit(f"refs/orkestra/attempts/{work.task.id}/{start}") is None:
            return
    if session := session_of(run.try_folder(work.task.id, int(number)), agent):
        work.session, work.start = session, start or work.start


def session_of(attempt: Path, agent: Agent) -> str:
    """The id of the session that the tool had in the attempt of this folder; '' where it told none."""
    session = evidence.read_result([attempt], agent.extract, 0).raw.get("session")
    return session if isinstance(session, str) and _ID.match(session) else ""


def stamp(run: Run, work: Work) -> str:
    """What has to be the same for a session to be gone on with: agent, model, program, and what was asked."""
    agent = run.agents.get(work.agent)
    try:
        found = os.stat(agent.binary)
        program = [os.path.realpath(agent.binary), found.st_size, found.st_mtime_ns]
    except OSError:
        program = []
    asked = [work.task.raw.get(key) for key in _ASKED]
    told = [agent.name, agent.model, program, asked, run.project.check]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def read(path: Path) -> str:
    """A file of what is kept."""
    return (files.read_bounded(path, 256) or b"").decode("ascii", "replace")
