"""Jury calibration: about one in N approved changes is put to a reviewer once more, with a planted defect.

The vote that approved draws by its seed whether, to which of those who approved it, and which defect. The
copy is a tree that no outcome names and no vote approves: what is decided over it is caught or missed, never
approve.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from . import canonical, changes, committee, jq, planting, records
from .journal import now

if TYPE_CHECKING:
    from .run import Run
    from .work import Work

KIND = "calibration"
Vote = dict[str, Any]


def is_drawn(seed: str, one_in: int) -> bool:
    """Whether the vote with that seed is one of those; one_in: 0 for none."""
    return one_in > 0 and int(seed, 16) % one_in == 0


def juror(vote: Vote) -> dict[str, Any] | None:
    """Whom it is put to: one of the models that approved, by the vote's seed."""
    yes = [one["member"] for one in vote["ballots"] if one["choice"] == "approve"]
    able = [entry for entry in vote["electorate"] if entry["kind"] == "ai" and entry["member"] in yes]
    if not able:
        return None
    number = int.from_bytes(hashlib.sha256(f"juror/{vote['seed']}".encode()).digest(), "big")
    drawn: dict[str, Any] = able[number % len(able)]
    return drawn


def open_vote(run: Run, work: Work, vote: Vote, diff: bytes) -> tuple[Vote, bytes] | None:
    """(the open vote, the diff of the copy) for a vote that approved `diff`; None where none is to be."""
    if not is_drawn(vote["seed"], run.project.calibrate) or run.draining or work.dropped:
        return None
    member = juror(vote)
    if (
        member is None
        or run.resting.why(member["member"])
        or run.purse.refuses_review(work, [member["member"]])
    ):
        return None
    defect = planting.drawn(list(planting.defects(diff)), vote["seed"])
    planted = _copy(run, work.subject, defect) if defect else None
    if defect is None or planted is None:
        return None
    tree, copy = planted
    subject = {
        "base": work.subject["base"],
        "tree": tree,
        "patch_id": changes.patch_ids([copy])[0],
        "diff_sha256": canonical.sha256(copy),
    }
    chosen = {
        "electorate": [member],
        "recused": [],
        "quorum": 1,
        "weights": {member["member"]: 1000},
    }
    name = run.ledger.draw_vote()
    opened = committee.open_vote(
        name,
        work.task.id,
        work.task.title,
        chosen,
        vote["author"],
        vote["round"],
        "majority",
        subject,
        [],
        [],
    )
    opened["kind"] = KIND
    opened["question"] = "Is the defect found that was planted into this copy of an approved change?"
    opened["planted"] = {"of": vote["id"], "one_in": run.project.calibrate, **defect.told()}
    return opened, copy


def _copy(run: Run, subject: Mapping[str, str], defect: planting.Defect) -> tuple[str, bytes] | None:
    """(tree, diff) of the change with the defect; None where it comes to nothing."""
    here = run.here
    content = here.objects.file(subject["tree"], defect.at.path)
    planted = defect.planted(content) if content is not None else None
    if planted is None or planted == content:
        return None
    tree = here.objects.with_content(subject["tree"], defect.at.path, planted)
    here.objects.flush()
    pair = here.objects.tree_of(subject["base"]), tree
    diff = changes.diffs(here.git, [pair]).get(pair, b"")
    return (tree, diff) if diff else None


def close_vote(vote: Vote, ballots: list[Vote], absent: list[dict[str, str]]) -> Vote:
    """The finished record."""
    closed = {**vote, "ballots": ballots, "absent": absent, "closed_at": now()}
    return {**closed, **count(closed)}


def count(vote: Vote) -> Vote:
    """What its ballot gives, as calibration.jq says."""
    found: Vote = jq.run(
        committee.program("calibration.jq"),
        {
            "electorate": [{"member": one["member"]} for one in vote["electorate"]],
            "ballots": [{"member": one["member"], "choice": one["choice"]} for one in vote["ballots"]],
        },
    )
    return found


def check(vote: Vote, votes: Mapping[str, Vote]) -> Iterator[str]:
    """What of a record does not hold against the vote that drew it."""
    planted = vote["planted"]
    of = votes.get(str(planted["of"]))
    if of is None or of["kind"] != "review" or of["task"] != vote["task"] or of["decision"] != "approve":
        yield f"{planted['of']} is no vote that approved a change for {vote['task']!r}"
        return
    if records.parse_id(of["id"])[1] >= records.parse_id(vote["id"])[1]:
        yield f"it comes before {of['id']}, which drew it"
    if type(planted["one_in"]) is not int or not is_drawn(of["seed"], planted["one_in"]):
        yield f"the seed of {of['id']} did not draw it"
    if vote["electorate"] != [juror(of)]:
        yield f"the seed of {of['id']} drew another member"
    if vote["subject"]["tree"] == of["subject"]["tree"] or vote["subject"]["base"] != of["subject"]["base"]:
        yield f"it is not about a copy of the change in {of['id']}"
