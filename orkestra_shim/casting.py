"""A person's vote on work that waits for one: what is cast, the vote that it makes, and what it overrules.

The ballot stands in the queue (`ballot` of the task), which only people write: whoever can write it can vote.
It is bound to one change by its patch id, and passes no check and no gate that refuses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from . import canonical, committee, records, votes

if TYPE_CHECKING:
    from .run import Run
    from .work import Work

ASKS = "vote"  # under `asks` of an outcome that needs a person: a vote decides it
Vote = dict[str, Any]


def by_person(run: Run, work: Work, author: dict[str, str], round_number: int) -> tuple[Vote, dict[str, Any]]:
    """(the vote, which is the person's alone, its ballot)."""
    ballot = work.task.raw["ballot"]
    member = f"{ballot['name']} <{ballot['email']}>"
    chosen = {
        "electorate": [{"member": member, "kind": "person", "family": "person"}],
        "recused": [],
        "quorum": 1,
        "weights": {member: 1000},
    }
    opened = committee.open_vote(
        run.ledger.draw_vote(),
        work.task.id,
        work.task.title,
        chosen,
        author,
        round_number,
        run.project.rule,
        dict(work.subject),
        work.evidence,
        work.gates,
    )
    cast = {key: ballot[key] for key in ("choice", "reason", "cast_at")}
    held = [*_recorded(run, work.task.id), *votes.of_task(run, work.task.id).values()]
    return (
        {**opened, "overrules": overruled(opened, ballot["choice"], held)},
        {"member": member, "confidence": 100, **cast},
    )


def overruled(vote: Vote, choice: str, others: Iterable[Vote]) -> dict[str, Any]:
    """What a choice goes against: gates that marked the change, and earlier ballots on the same one."""
    approves = choice == "approve"
    number = records.parse_id(vote["id"])[1]
    earlier = sorted(
        (
            other
            for other in others
            if (other["task"], other["kind"]) == (vote["task"], "review")
            and other["subject"]["patch_id"] == vote["subject"]["patch_id"]
            and records.parse_id(other["id"])[1] < number
        ),
        key=lambda other: records.parse_id(other["id"]),
    )
    against = ("revise", "reject") if approves else ("approve",)
    return {
        "gates": [gate["gate"] for gate in vote["gates"] if gate["marked"]] if approves else [],
        "ballots": [
            {"vote": other["id"], "member": ballot["member"], "choice": ballot["choice"]}
            for other in earlier
            for ballot in other["ballots"]
            if ballot["choice"] in against and "from" not in ballot
        ],
    }


def _recorded(run: Run, task: str) -> list[Vote]:
    """The votes on a task that the branch holds."""
    found = []
    for outcome in run.branch.outcomes.values():
        for entry in outcome["votes"] if outcome.get("task") == task else ():
            data = run.here.git.blob(f"{run.branch.head}:{records.path_of(entry['id'])}")
            if data is not None:
                found.append(canonical.parse(data))
    return found
