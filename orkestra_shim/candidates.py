"""Several agents on one task at once (`candidates`): who tries it, and what has become of each of them.

A claim of such a task is a candidate, with a try, a workspace and, where there are enough, an agent of its
own. What passes check and gates is kept for the committee; what does not is out, with the reason. Once all
have come to that, the next claim is the choice (choosing). What was interrupted is none of both, and is tried
again. After a choice the task is one like any other, until its change has landed or failed.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from . import ballots, canonical, committee, files, queue, tickets, wire
from .errors import EX_INTERNAL, OrkestraError

if TYPE_CHECKING:
    from pathlib import Path

    from .endings import Endings
    from .run import Run
    from .tasks import Task
    from .taskstate import TaskState
    from .work import Reply, Work

CANDIDATE, CHOOSE = "candidate", "choose"  # modes of a claim
JUDGED = "programs"  # in the folder of a candidate's try: what the program reviewers say of it
_ONE = ("submitted", "ballot", "from_attempt")  # what a person decided is about one attempt


def mode(task: Task, state: TaskState | None) -> str:
    """CANDIDATE or CHOOSE for the next claim of a task, '' for one like any other."""
    if state and (state.kept or state.previous or state.chosen):
        return ""
    if any(key in task.raw for key in _ONE):
        return ""
    return CHOOSE if task.full else CANDIDATE if task.candidates > 1 else ""


def used(run: Run, task: Task, state: TaskState | None) -> Counter[str]:
    """How often an agent has a candidate in the round that goes on."""
    there = [*state.passed.values(), *state.out.values()] if state else []
    return Counter([*(str(one.get("agent")) for one in there), *(one.agent for one in run.in_hand(task.id))])


def beside(run: Run) -> tuple[Task, list[str]] | None:
    """The first task in order that workers have and that has room for one more, and who could do it."""
    found = []
    for name in run.works:
        task, live = run.queue.get(name), run.in_hand(name)
        if task is None or task.candidates < 2 or task.busy & ~queue.IN_HAND or not live:
            continue
        if any(one.mode != CANDIDATE or one.dropped for one in live):
            continue
        state = run.state(name)
        if len(live) + len(state.passed) + len(state.out) < task.candidates:
            usable = run.assignment.usable(queue.Queue.heap_name(task))
            found += [(task, usable)] if usable else []
    return min(found, key=lambda one: one[0].key(), default=None)


class Rounds:
    """The worker's verb `candidate` over a run."""

    def __init__(self, run: Run, endings: Endings) -> None:
        self.run = run
        self.endings = endings

    def judges(self, work: Work) -> str:
        """The folder in which the program reviewers are to judge a candidate; '' where none may vote."""
        named = self.run.project.reviewers
        programs = [one for one in committee.PROGRAMS if named == "auto" or one in named]
        if not programs:
            return ""
        folder = files.make_below(work.folder, JUDGED)
        scripts = self.run.here.scripts / "COMMITTEE" / "reviewers"
        lines = [f"{one}\tprogram\t{scripts / one}" for one in programs]
        files.write_plain(folder / "electorate", tickets.nul(lines))
        return str(folder)

    def candidate(self, work: Work, commit: str, base: str, tree: str, patch_id: str) -> Reply:
        """It has passed, and is kept as this commit; how many of how many have come that far, or are out."""
        run, name = self.run, work.task.id
        diff = files.read_bounded(work.folder / "diff.patch", 1 << 30)
        if diff is None:
            raise OrkestraError(EX_INTERNAL, f"{work.folder}/diff.patch is missing")
        run.event(
            "candidate",
            name,
            work.number,
            durable=True,
            agent=work.agent,
            commit=wire.object_id(commit),
            subject={
                "base": wire.object_id(base),
                "tree": wire.object_id(tree),
                "patch_id": patch_id[:80],
                "diff_sha256": canonical.sha256(diff),
            },
            evidence=work.evidence,
            gates=work.gates,
        )
        self.endings.put_back(work)
        state = run.state(name)
        return str(len(state.passed) + len(state.out)), str(work.task.candidates)


def judged(folder: Path, program: str) -> tuple[str, str] | str:
    """(choice, reason) of a program on the candidate of this try, else why there is none."""
    entry = {"member": program, "kind": "program"}
    asked = ballots.read(folder / JUDGED, [entry], str, {})
    if not asked.cast:
        return asked.absent[0]["why"]
    return asked.cast[0]["choice"], asked.cast[0]["reason"]
