"""Votes as a person reads them: why it was decided so, who voted what and why, how it was counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import committee, files, kinds, polled, polls, records, votes
from .errors import EX_USAGE, OrkestraError
from .plumbing import Git
from .text import printable

Record = dict[str, Any]
_LINES = 40  # of a text from elsewhere that are shown
_LIMIT = 16 << 20  # bytes of a record in the execution log


@dataclass
class Vote:
    """A closed vote, and the outcome on the branch that names it."""

    record: Record
    outcome: Record | None
    recorded: bool  # the branch holds it; else only this machine's execution log does

    def as_dict(self) -> dict[str, Any]:
        """For programs: the record as it stands, and what is known of it."""
        return {
            "vote": self.record,
            "recorded": self.recorded,
            "outcome": self.outcome["id"] if self.outcome else None,
            "differs": kinds.differs(self.record),
        }

    def row(self) -> dict[str, Any]:
        """For lists."""
        vote = self.record
        with records.reading(vote["id"]):
            choices = [ballot.get("choice") for ballot in vote["ballots"]]
            return {
                "id": vote["id"],
                "kind": vote["kind"],
                "task": vote["task"],
                "round": vote["round"],
                "decision": vote["decision"],
                "why": vote["why"],
                "reviewed_by": vote["reviewed_by"],
                "ballots": {choice: choices.count(choice) for choice in committee.CHOICES},
                "cast": len(choices),
                "absent": len(vote["absent"]),
                "closed_at": vote["closed_at"],
                "recorded": self.recorded,
                "outcome": self.outcome["id"] if self.outcome else None,
            }


def read(project: Path, git: Git, branch: str) -> list[Vote]:
    """The votes on a branch, and those that wait in the execution log for their outcome, oldest first.

    Raises 65 for a record that cannot be read.
    """
    head = records.head(git, branch)
    named: dict[str, Record] = {}
    for outcome in records.read_branch(git, head).outcomes.values():
        with records.reading(str(outcome["id"])):
            named |= {entry["id"]: outcome for entry in outcome["votes"]}
    tree = git.tree(head, records.VOTES)
    wanted = {path: blob for path, (_, blob) in tree.items() if records.is_record(path)}
    blobs = zip(wanted, git.blobs(wanted.values()), strict=True)
    found = [records.load(data, path) for path, (_, _, data) in blobs]
    held = [Vote(one, named.get(one["id"]), True) for one in found]
    there = {one["id"] for one in found}
    held += [Vote(one, None, False) for one in _waiting(project, there)]
    return sorted(held, key=lambda one: records.parse_id(one.record["id"]))


def _waiting(project: Path, recorded: set[str]) -> Iterator[Record]:
    """Closed votes of this machine that the branch does not hold: what they are about is not told yet."""
    attempts = project / "logs" / "execution" / "attempts"
    for path in attempts.glob(f"*/*/{votes.FOLDER}/vote-*/{votes.FILE}"):
        name = path.parent.name
        data = None if name in recorded else files.read_bounded(path, _LIMIT)
        if data:
            yield records.load(data, f"{path.parent}.json")


def about(found: list[Vote], wanted: str) -> list[Vote]:
    """The vote of that id, else all on the task of that name, newest first. Raises 64 for neither."""
    chosen = [one for one in found if one.record["id"] == wanted]
    chosen = chosen or [one for one in found if one.record.get("task") == wanted]
    if not chosen:
        raise OrkestraError(
            EX_USAGE,
            f"there is no vote {printable(wanted[:80])!r}, and none on a task of that name",
            "orkestra vote list shows them",
        )
    return chosen[::-1]


# --- for people ---------------------------------------------------------------------------------------------


def quoted(text: object, indent: str) -> Iterator[str]:
    """A text from elsewhere in lines of its own, which can be taken for none of ours."""
    found = str(text).strip("\n").split("\n")
    yield from (f"{indent}| {printable(line)}" for line in found[:_LINES])
    if len(found) > _LINES:
        yield f"{indent}({len(found) - _LINES} lines more)"


def line(row: dict[str, Any], width: int) -> str:
    """A row of a list; `width` of the column of tasks."""
    ballots = ", ".join(f"{count} {choice}" for choice, count in row["ballots"].items() if count)
    if polls.is_poll(row):
        ballots = f"{row['cast']} ballots" if row["cast"] else ""
    absent = f", {row['absent']} absent" if row["absent"] else ""
    where = row["outcome"] or "not recorded yet"
    what = f"{row['kind'] if row['kind'] != 'review' else 'reviewed'} by {row['reviewed_by']}"
    what = "calibration, a planted defect" if row["kind"] == "calibration" else what
    return printable(
        f"{row['id']}  {row['task']:<{width}}  {row['decision']:<12}  {ballots or 'no ballots'}{absent}; "
        f"{what}; {where}"
    )


def lines(one: Vote) -> Iterator[str]:
    """Everything about a vote. Raises 65 for a record whose fields are not what they should be."""
    with records.reading(str(one.record["id"])):
        if polls.is_poll(one.record):
            yield from _poll(one)
        else:
            yield from _why(one)
            yield "who voted what"
            yield from _voters(one.record)
            yield "how it was counted"
            yield from _count(one.record)
        yield from _again(one.record)


def _poll(one: Vote) -> Iterator[str]:
    """One that is no review."""
    vote, outcome = one.record, one.outcome
    yield printable(f"{vote['id']}: {vote['decision']}: {vote['why']}")
    yield from quoted(vote["question"], "  ")
    told = f"{outcome['id']}, {outcome['decision']}" if outcome else "in no outcome yet"
    told += "" if one.recorded else "; only this machine's execution log has it"
    yield printable(
        f"  {vote['kind']} {vote['task']}, round {vote['round']}, closed {vote['closed_at']}; {told}"
    )
    yield from polled.options(vote, quoted)
    yield "who voted what"
    yield from polled.ballots(vote, member, quoted)
    yield "how it was counted"
    yield from polled.count(vote)


def _why(one: Vote) -> Iterator[str]:
    vote, outcome = one.record, one.outcome
    yield printable(f"{vote['id']}: {vote['decision']}: {vote['why']}")
    yield printable(f"  the task {vote['task']}: {vote['question']}")
    told = f"{outcome['id']}, {outcome['decision']}" if outcome else "in no outcome yet"
    told += "" if one.recorded else "; only this machine's execution log has it"
    yield printable(f"  round {vote['round']}, closed {vote['closed_at']}; {told}")
    subject = vote["subject"]
    yield printable(
        f"  the change: tree {subject['tree'][:12]} on {subject['base'][:12]}, by {vote['author']['member']}"
    )
    if planted := vote.get("planted"):
        yield from _planted(planted)
    if unseen := vote.get("unseen"):
        yield printable(
            f"  too large for a prompt: {unseen['files']} files were not whole in it: " + _some(unseen)
        )
    yield from evidence(vote["evidence"], vote["gates"])


def _planted(planted: Record) -> Iterator[str]:
    """A calibration says what it was."""
    yield printable(
        f"  a copy of what {planted['of']} approved, which can never land; planted: {planted['defect']} "
        f"in {planted['path']}:{planted['line']}"
    )
    yield printable(f"    before: {planted['before']}")
    yield "    after:  (gone)" if planted["after"] is None else printable(f"    after:  {planted['after']}")


def _some(unseen: Record) -> str:
    paths = [str(path) for path in unseen["paths"]]
    more = unseen["files"] - min(len(paths), 5)
    return ", ".join(paths[:5]) + (f" and {more} more" if more else "")


def evidence(checks: list[dict[str, Any]], gates: list[dict[str, Any]]) -> Iterator[str]:
    """What the programs said that are no voters."""
    for check in checks:
        yield printable(f"  check: {check['check']!r} ended with {check['exit']}")
    if not checks:
        yield "  check: none was run"
    for gate in gates:
        word = "marked it" if gate["marked"] else "passed it" if gate["passed"] is True else "refused it"
        yield printable(
            f"  gate {gate['gate']} {word}" + (f": {gate['evidence']}" if gate["evidence"] else "")
        )


def _voters(vote: Record) -> Iterator[str]:
    known = {entry["member"]: entry for entry in vote["electorate"]}
    for ballot in vote["ballots"]:
        sure = "" if ballot["confidence"] == 100 else f", {ballot['confidence']} % sure"
        cast = f" (cast in {ballot['from']})" if "from" in ballot else ""
        yield printable(f"  {member(known.get(ballot['member'], ballot))}: {ballot['choice']}{sure}{cast}")
        if ballot["reason"]:
            yield from quoted(ballot["reason"], "      ")
    for entry in vote["absent"]:
        yield printable(f"  {member(known.get(entry['member'], entry))}: absent")
        yield from quoted(entry["why"], "      ")
    for entry in vote.get("replaced", []):
        came = f": {entry['by']} was asked instead" if entry["by"] else ""
        came = ": it was asked once more" if entry["by"] == entry["member"] else came
        yield printable(f"  {entry['member']}: gave no ballot{came}")
        yield from quoted(entry["why"], "      ")
    for name in vote["recused"]:
        yield printable(f"  {name}: recused, since the change is its own")


def member(entry: dict[str, Any]) -> str:
    """A member's name and what it is."""
    kind = entry.get("kind", "unknown")
    more = [kind] if kind in ("program", "person", "unknown") else [kind, str(entry.get("family"))]
    more += [str(entry["model"])] if entry.get("model") else []
    return f"{entry['member']} ({', '.join(more)})"


def _count(vote: Record) -> Iterator[str]:
    tally = vote["tally"]
    if "caught" in tally:
        yield f"  the planted defect: found by {tally['caught']}, missed by {tally['missed']}"
        return
    base = {"cast": "of yes and no", "present": "of all ballots", "members": "of all members"}
    yield printable(
        f"  {vote['rule']} {base.get(vote['of'], vote['of'])}: {weight(tally['yes'])} yes, "
        f"{weight(tally['no'])} no, {weight(tally['abstain'])} abstain; the base is {weight(tally['base'])}: "
        f"{'passes' if tally['adopted'] else 'does not pass'}"
    )
    if tally["yes"] == tally["no"]:
        yield "  a tie, which does not pass"
    met = "met" if tally["quorum_met"] else "not met"
    yield f"  quorum {tally['quorum']} of {tally['members']}: {tally['present']} voted, {met}"
    weights = {name: number for name, number in vote["weights"].items() if number != 1000}
    shown = ", ".join(f"{name} {weight(number)}" for name, number in weights.items())
    yield printable(f"  weights: {shown}, the others 1" if weights else "  weights: one vote each")


def _again(vote: Record) -> Iterator[str]:
    differs = kinds.differs(vote)
    yield printable(
        f"  counted again from its ballots: not the same ({', '.join(differs)}); orkestra verify says more"
        if differs
        else "  counted again from its ballots: the same"
    )


def weight(thousandths: int) -> str:
    """A weight in votes, for people."""
    return f"{thousandths // 1000}" if thousandths % 1000 == 0 else f"{thousandths / 1000:g}"
