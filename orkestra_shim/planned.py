"""A person's word on a plan, told to a run: what the plan's outcome says of it.

Nothing is left to do for it: the tasks stand in the queue already, beside that word (`editing.agree`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .agents import PERSON
from .work import Place, Work

if TYPE_CHECKING:
    from .endings import Endings
    from .run import Run
    from .tasks import Task

ASKS = "plan"  # under `asks` of an outcome that needs a person: whether its list becomes tasks


def settle(run: Run, endings: Endings) -> None:
    """Decide the plans on which a person has said their word since this was last called."""
    while run.agreed:
        task = run.queue.get(run.agreed.pop())
        if task is not None and task.status == "pending" and "planned" in task.raw:
            _decide(run, endings, task)


def _decide(run: Run, endings: Endings, task: Task) -> None:
    word = task.raw["planned"]
    number = max(1, run.state(task.id).tries)
    place = Place(run.here.runtime, run.here.workspaces, run.here.project)
    work = Work(task, number, PERSON, run.try_folder(task.id, number), place)
    more: dict[str, Any] = {
        "by": {"name": word["name"], "email": word["email"]},
        "reviewed_by": "person",
        "planned": {key: word[key] for key in ("vote", "option", "tasks")},
    }
    why = f"{word['name']} took none of the lists of {word['vote']}"
    if word["tasks"]:
        why = f"{word['option']} of {word['vote']} was imported by {word['name']}: {', '.join(word['tasks'])}"
    endings.draft(work, "planned", why, more)
