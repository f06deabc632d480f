"""Which landing an undo takes back, what came after it, and what was built on it."""

from __future__ import annotations

from typing import Any

from . import changes, queue, records
from .errors import EX_USAGE, OrkestraError
from .landed import Landed
from .surroundings import Surroundings

Outcome = dict[str, Any]


def wanted(branch: records.Branch, task: str, which: str) -> Outcome:
    """The landed outcome that is meant. Raises 64 with what there is instead."""
    mine = [one for _, one in sorted(branch.outcomes.items()) if one.get("task") == task]
    by = {str(one.get("undoes")): str(one["id"]) for one in mine if one.get("decision") == "undone"}
    landed = [one for one in mine if one.get("decision") == "landed"]
    open_ones = [str(one["id"]) for one in landed if one["id"] not in by]
    if which:
        outcome = next((one for one in landed if one["id"] == which), None)
        if outcome is None:
            shown = ", ".join(open_ones) or "none"
            raise OrkestraError(EX_USAGE, f"{which[:40]!r} is no landing of {task}", f"there are: {shown}")
    elif not landed:
        what = (
            f"{mine[-1]['id']} is {mine[-1]['decision']}, without a change" if mine else "it has no outcome"
        )
        raise OrkestraError(
            EX_USAGE, f"nothing of {task[:80]} has landed: {what}", "orkestra task list shows them"
        )
    else:
        outcome = landed[-1]
    if outcome["id"] in by:
        more = f"an earlier landing: --outcome {open_ones[-1]}; " if open_ones else ""
        raise OrkestraError(
            EX_USAGE,
            f"{task}: {outcome['id']} was undone already, by {by[outcome['id']]}",
            f"{more}orkestra task retry {task} puts it to work again",
        )
    return outcome


def later(branch: records.Branch, landed: Landed, outcome: Outcome) -> dict[str, set[str]]:
    """{id: paths} of the landings after an outcome, those that were undone left out."""
    number = records.parse_id(outcome["id"])[1]
    undone = {one.get("undoes") for one in branch.outcomes.values()}
    commits: dict[str, str] = {}
    for found_at, one in sorted(branch.outcomes.items()):
        change = one.get("change")
        if found_at > number and one.get("decision") == "landed" and isinstance(change, dict):
            if one["id"] in undone:
                continue
            for commit in landed.commits_of(str(one["id"]), change):
                commits[commit] = str(one["id"])
    found: dict[str, set[str]] = {}
    for commit, paths in changes.paths_of(landed.git, commits).items():
        found.setdefault(commits[commit], set()).update(paths)
    return found


def built_on(
    here: Surroundings, branch: records.Branch, landed: Landed, outcome: Outcome, paths: set[str]
) -> list[dict[str, Any]]:
    """Tasks that depend on it and are completed, and later landings that touched the same files."""
    found = [
        {"task": name, "outcome": branch.by_task[name]["id"], "why": f"depends on {outcome['task']}"}
        for name in _dependents(here, outcome["task"])
        if records.STATUS.get(branch.by_task.get(name, {}).get("decision", "")) == "completed"
    ]
    known = {one["outcome"] for one in found}
    for name, touched in later(branch, landed, outcome).items():
        shared = sorted(touched & paths)
        if shared and name not in known:
            task = branch.outcomes[records.parse_id(name)[1]]["task"]
            found.append({"task": task, "outcome": name, "why": f"changed {', '.join(shared[:5])} too"})
    return found


def _dependents(here: Surroundings, task: str) -> list[str]:
    """Ids of all that depend on a task, directly or not; none where the queue cannot be read."""
    try:
        data, name = here.checkout.read(queue.FILE)
        document = queue.Document(data.decode("utf-8-sig"), name)
    except (OrkestraError, UnicodeDecodeError):
        return []
    todo = [document.positions[task]] if task in document.positions else []
    order: list[int] = []
    for index in todo:  # grows while it is walked
        after = [one for one in document.graph.dependents[index] or () if one not in order]
        order += after
        todo += after
    return [document.tasks[index].id for index in sorted(set(order))]
