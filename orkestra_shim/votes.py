"""Votes that were held on a task since its last outcome, as its attempts keep them until one lands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import canonical, committee, files

if TYPE_CHECKING:
    from .run import Run

FOLDER = "votes"  # in the folder of a try, then one for each vote
FILE = "vote.json"
CHOSEN = "chosen"
ACCEPTS = ("approve", CHOSEN)  # decisions, as the execution log tells of them, by which a change may land
_LIMIT = 16 << 20


def keep(folder: Path, vote: dict[str, Any]) -> None:
    """Put a closed vote into the folder of its try."""
    files.write_atomic(folder / FOLDER / vote["id"] / FILE, canonical.pretty(vote), sync=False)


def load(run: Run, task: str, closed: dict[str, Any]) -> dict[str, Any] | None:
    """The record of a vote that the execution log calls closed; None when it is gone or another."""
    folder = run.attempts_folder / task / str(closed["try"]) / FOLDER / str(closed["vote"])
    data = files.read_bounded(folder / FILE, _LIMIT)
    try:
        vote = canonical.parse(data, max_bytes=_LIMIT) if data else None
    except ValueError:
        return None
    return vote if isinstance(vote, dict) and vote.get("id") == closed["vote"] else None


def of_task(run: Run, task: str) -> dict[str, dict[str, Any]]:
    """{id: record} of every vote held on a task since its last outcome; one that is gone is told of."""
    found = {}
    for closed in run.state(task).votes:
        vote = load(run, task, closed)
        if vote is None:
            run.say("warning", f"{task}: the record of {closed['vote']} is gone and cannot be kept")
        else:
            found[str(closed["vote"])] = vote
    return found


def standing(run: Run, task: str, patch_id: str) -> str:
    """The id of the newest approval of exactly this patch, '' when there is none."""
    for closed in reversed(run.state(task).votes):
        accepts = closed["decision"] in ACCEPTS and closed["patch_id"] == patch_id
        if accepts and load(run, task, closed):
            return str(closed["vote"])
    return ""


def given(run: Run, task: str, patch_id: str, electorate: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Ballots on exactly this patch that stand, of these members: the last vote on it waited for others.

    Each says in `from` in which vote it was cast. Programs are asked again: it costs nothing.
    """
    last = next(reversed(run.state(task).votes), None)
    vote = load(run, task, last) if last and last["patch_id"] == patch_id else None
    if vote is None or vote["kind"] != "review" or committee.is_decided(vote):
        return []
    members = {one["member"] for one in electorate if one["kind"] != "program"}
    return [{"from": vote["id"], **ballot} for ballot in vote["ballots"] if ballot["member"] in members]
