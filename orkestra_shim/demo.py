"""`orkestra demo`: a small website from the template `website`, built to the end, and what came of it."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from typing import Any

from orkestra_shim import board, create, project, projects, scripts
from orkestra_shim.adopt import ask_in_terminal
from orkestra_shim.board import Board
from orkestra_shim.commands import say
from orkestra_shim.errors import EX_DATA, EX_HELD, OrkestraError
from orkestra_shim.project import Project
from orkestra_shim.session import Session
from orkestra_shim.text import word

NAME = "demo-website"


def run(now: Session, ask: bool, fresh: bool) -> int:
    """Makes the demo where it is not there yet, works on it until it is done, and tells what came of it.

    Returns the run's exit code. `ask`: somebody is there to be asked.
    """
    found = _there(now)
    if found is not None and not fresh:
        seen = board.read(now, found)
        say(f"the demo is there already: {found.path} ({_progress(seen)})")
        if ask and not ask_in_terminal("Go on with it? (no: begin anew, the old one is kept)"):
            fresh = True
        elif _is_complete(seen):
            projects.point_to(now.home, now.projects, found)
            say(f"everything in it is done; to begin anew: {_called()} demo --fresh")
            _tell(seen)
            return 0
    if found is not None and fresh:
        _put_aside(now, found)
        found = None
    if found is None:
        found = create.new(now.home, now.projects, NAME, "website")
        tasks = len(board.read(now, found).rows)
        say(f"made {found.path}: {tasks} tasks, done by plain commands; this costs nothing")
    projects.point_to(now.home, now.projects, found)
    code = _run(now, found, ["start", "--project", str(found.path)])
    seen = board.read(now, found)
    if _is_complete(seen):
        _tell(seen)
    else:
        say(f"not finished: {_progress(seen)}; to go on: {_called()} demo")
    return code


def _run(now: Session, found: Project, arguments: list[str]) -> int:
    """The exit code of the run, which a terminal shows on a screen and everything else in lines."""
    if sys.stdout.isatty():
        from orkestra_shim import screen

        code = screen.run(now, found, arguments)
        if code is not None:
            return code
    return scripts.follow(now.home, now.values, "CORE/orchestrator.sh", arguments, say)


def _there(now: Session) -> Project | None:
    """The demo's project, if there is one. Raises OrkestraError 65 for something else there."""
    path = now.projects / NAME
    if not os.path.lexists(path):
        return None
    try:
        return project.load(path)
    except OrkestraError as error:
        raise OrkestraError(
            EX_DATA, f"{path} is in the way: {error.message}", "rename it, then call orkestra demo again"
        ) from error


def _put_aside(now: Session, found: Project) -> None:
    """Renames the old demo; nothing of it is lost. Raises 16 while a run holds it."""
    if board.holder(board.git_folder(found)):
        raise OrkestraError(EX_HELD, "a run goes on in the old demo", "orkestra stop --project " + NAME)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    number = 0
    while True:
        target = now.projects / (f"{NAME}-{stamp}" + (f"-{number}" if number else ""))
        if not os.path.lexists(target):
            break
        number += 1
    os.rename(found.path, target)
    say(f"the old demo is kept as {target}")


def _progress(seen: Board) -> str:
    return ", ".join(f"{number} {state}" for state, number in seen.counts().items())


def _is_complete(seen: Board) -> bool:
    return all(row["status"] == "completed" for row in seen.rows.values())


# --- what came of it ------------------------------------------------------------------------------------


def _tell(seen: Board) -> None:
    """What was built, where, who decided it, and what to try next."""
    found = seen.project
    files = sorted(path for path in (found.path / "src").rglob("*") if path.is_file())
    size = sum(path.stat().st_size for path in files)
    say()
    say(f"Built: a website of {len(files)} files ({size / 1024:.0f} KiB) by {len(seen.rows)} tasks")
    say(f"  look at it: {(found.path / 'src' / 'index.html').as_uri()}")
    for line in _decided(seen):
        say(line)
    say("Try next:")
    say(f"  git -C {word(found.path)} log --oneline      every change, and its record after it")
    say(f"  {_called()} task show about-page      why it took two tries")
    say(f"  {_called()} verify      recompute every hash, tally and binding")
    say(f"  {_called()} new my-project; {_called()} adopt PATH      your own work")


def _decided(seen: Board) -> list[str]:
    votes = _votes(seen)
    members = sorted({str(ballot.get("member")) for vote in votes for ballot in vote.get("ballots", [])})
    choices = Counter(str(ballot.get("choice")) for vote in votes for ballot in vote.get("ballots", []))
    ballots = ", ".join(f"{number} {choice}" for choice, number in sorted(choices.items()))
    lines = [f"Decided: {len(votes)} votes by the program reviewers {', '.join(members)} ({ballots})"]
    for vote in votes:
        if vote.get("decision") == "revise":
            why = next(one for one in vote["ballots"] if one.get("choice") == "revise")
            reason = (str(why.get("reason", "")).splitlines() or [""])[0][:120]
            lines.append(f"  {vote.get('task')} was sent back once by {why.get('member')}: {reason}")
    lines.append("  no model and no person has seen these changes, and the records say so")
    lines.append(
        f"  records: {seen.project.path / 'logs' / 'voting'} and {seen.project.path / 'logs' / 'outcomes'}"
    )
    return lines


def _votes(seen: Board) -> list[dict[str, Any]]:
    """The votes that the branch holds, in order."""
    from orkestra_shim import records

    found = (
        board.vote(seen.project, records.record_id("vote", number)) for number in sorted(seen.branch.votes)
    )
    return [vote for vote in found if vote is not None]


def _called() -> str:
    """The command as the person typed it: a stranger's first call is bin/orkestra of a checkout."""
    return os.environ.get("ORKESTRA_COMMAND") or "orkestra"
