"""Who does an `auto` task, where the project has its members vote on that (`assign` in project.json).

They approve of as many agents as they like, on what each one's record says. Without a quorum it is the rule's
to decide (`assignment`), as it is once the agent of their choice has failed twice or cannot work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import polls
from .merits import domain_of
from .questions import Question

if TYPE_CHECKING:
    from .run import Run
    from .tasks import Task

KIND = "assign"


class Assigning(Question):
    """The question who does a task, among those that can work now."""

    kind = KIND
    intro = (
        "The question is a task; the options are agents that could do it, with how their work has fared "
        "here. Name those that are fit for it: who is named most often does it."
    )

    def __init__(self, run: Run, task: Task) -> None:
        self.run, self.task, self.said = run, task, {"options": ["..."], "method": polls.APPROVAL}
        title, more = task.title, str(task.raw.get("description") or "")
        self.text = f"{title}\n\n{more}" if more and more != title else title

    def options(self) -> dict[str, str]:
        """The agents, by name with what the records say of them."""
        assignment, domain = self.run.assignment, domain_of(self.task.raw)
        return {
            name: f"{name}: {assignment.merits.words(name, domain)}"
            for name in assignment.usable(self.run.queue.heap_name(self.task))
        }
