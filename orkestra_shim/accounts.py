"""An account of what landed: what was asked, who wrote and who judged it, evidence, cost, undo."""

from __future__ import annotations

import functools
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any

from . import (
    calibration,
    canonical,
    checkout,
    choices,
    clock,
    files,
    jsonfile,
    kinds,
    queue,
    records,
    spending,
    voted,
)
from .errors import OrkestraError
from .plumbing import Git
from .project import Project
from .tasks import name_problem
from .text import printable, word

Record = dict[str, Any]
_PROMPT = 1 << 20  # bytes


class Accounts:
    """Of the landed outcomes of one branch."""

    def __init__(self, found: Project, git: Git, head: str, words: str) -> None:
        """words: what `orkestra undo` has to be given so that it is about this project, '' for nothing."""
        self.found, self.git, self.head, self.words = found, git, head, words
        self.branch = records.read_branch(git, head)
        self._votes: dict[str, Record] = {}
        self._newest: dict[str, str] = {}  # landing of each task
        self._undone: dict[str, str] = {}  # by which outcome
        for _, one in sorted(self.branch.outcomes.items()):
            if one.get("decision") == "landed":
                self._newest[str(one.get("task"))] = one["id"]
            elif one.get("decision") == "undone":
                self._undone[str(one.get("undoes"))] = one["id"]

    def load(self, outcomes: Iterable[Record]) -> None:
        """Reads the votes that these outcomes name."""
        names: list[str] = []
        for outcome in outcomes:
            with records.reading(outcome["id"]):
                names += [entry["id"] for entry in outcome["votes"]]
        tree = self.git.tree(self.head, records.VOTES)
        wanted = {f"{name}.json" for name in names}
        paths = [path for path in tree if records.is_record(path) and path.rsplit("/", 1)[-1] in wanted]
        for path, (_, _, data) in zip(paths, self.git.blobs(tree[path][1] for path in paths), strict=True):
            vote = records.load(data, path)
            self._votes[vote["id"]] = vote

    def of(self, outcome: Record, commit: str) -> dict[str, Any]:
        """About an outcome with a change, which is `commit` now. KeyError and the like for a broken one."""
        held = [self._votes[entry["id"]] for entry in outcome["votes"] if entry["id"] in self._votes]
        hashes = {entry["id"]: entry["sha256"] for entry in outcome["votes"]}
        deciding = _deciding(outcome, held)
        chosen = choices.winner(deciding) if deciding and deciding["kind"] == choices.KIND else None
        author = (chosen or deciding or {}).get("author")
        return {
            "outcome": outcome["id"],
            "task": outcome["task"],
            "title": outcome["title"],
            "decision": outcome["decision"],
            "why": outcome["why"],
            "attempt": outcome["attempt"],
            "recorded_at": outcome["recorded_at"],
            "commit": commit,
            "agent": outcome["agent"],
            "family": author["family"] if author else None,
            "by": outcome.get("by"),
            "undoes": outcome.get("undoes"),
            "reviewed_by": outcome["reviewed_by"],
            "approved": _ballots(deciding, "approve"),
            "abstained": _ballots(deciding, "abstain"),
            "dissented": [
                one
                for vote in held
                if vote["kind"] != calibration.KIND  # a copy, with a defect that the author did not make
                for one in _ballots(vote, "revise", "reject")
            ],
            "votes": [
                {
                    **{key: vote[key] for key in ("id", "round", "decision", "why")},
                    "holds": canonical.digest(vote) == hashes[vote["id"]],
                }
                for vote in held
            ],
            "evidence": [{"check": one["check"], "exit": one["exit"]} for one in outcome["evidence"]],
            "gates": outcome["gates"],
            "cost": _cost_of(outcome["cost"]),
            "prompt": _prompt(self.found.path, outcome["task"], (chosen or outcome)["attempt"]),
            "undone_by": self._undone.get(outcome["id"]),
            "undo": self._undo(outcome, commit),
        }

    def _undo(self, outcome: Record, commit: str) -> str | None:
        """The command that takes it back; None where that has been done."""
        name, task = outcome["id"], outcome["task"]
        if name in self._undone:
            return None
        if outcome["decision"] != "landed" or self.found.land == "pr" or task not in self._queued:
            return f"git -C {word(self.found.path)} revert {commit}"
        more = "" if self._newest[task] == name else f" --outcome {name}"
        return f"orkestra undo{self.words}{more} {word(task)}"

    @functools.cached_property
    def _queued(self) -> Container[str]:
        """The tasks of the queue, as `orkestra undo` needs it; none where it cannot be read."""
        try:
            place = checkout.Checkout(self.found.path, self.git, self.found.branch)
            data, name = place.read(queue.FILE)
            return queue.Document(jsonfile.decode(data, name), name).positions
        except OrkestraError:
            return ()


def _deciding(outcome: Record, held: list[Record]) -> Record | None:
    """The last approval of exactly what landed."""
    same = [
        vote
        for vote in held
        if any(one["patch_id"] == outcome["change"]["patch_id"] for one in kinds.accepted(vote))
    ]
    return same[-1] if same else None


def _ballots(vote: Record | None, *wanted: str) -> list[dict[str, Any]]:
    """The ballots of a vote that say one of these."""
    known = {entry["member"]: entry for entry in vote["electorate"]} if vote else {}
    return [
        {
            "member": one["member"],
            "is": voted.member(known.get(one["member"], one)),
            "vote": vote["id"],
            "choice": said,
            "reason": one["reason"],
        }
        for one in (vote["ballots"] if vote else ())
        if vote and (said := _said(vote, one)) in wanted
    ]


def _said(vote: Record, ballot: Record) -> str:
    """What a ballot says of the change that the vote was on, or that it chose."""
    return choices.stance(vote, ballot) if vote["kind"] == choices.KIND else str(ballot.get("choice"))


def _prompt(project: Path, task: str, attempt: object) -> dict[str, str] | None:
    """Where this machine's execution log has what the agent was told, and its text; None elsewhere."""
    if type(attempt) is not int or name_problem(task):
        return None
    path = project / "logs" / "execution" / "attempts" / task / str(attempt) / "prompt.md"
    data = files.read_bounded(path, _PROMPT)
    return None if data is None else {"path": str(path), "text": data.decode("utf-8", "replace")}


# --- for people ---------------------------------------------------------------------------------------------


def short(told: dict[str, Any]) -> str:
    """In half a line."""
    if told["decision"] == "undone":
        return f"{told['outcome']}: {told['undoes']} of the task {told['task']} taken back by {_person(told)}"
    names = ", ".join(one["member"] for one in told["approved"]) or "nobody"
    against = f", against {', '.join(_names(told['dissented']))}" if told["dissented"] else ""
    return f"{told['task']} ({told['outcome']}) by {told['agent']}, approved by {names}{against}"


def _names(ballots: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(one["member"] for one in ballots))


def _person(told: dict[str, Any]) -> str:
    by = told["by"] or {}
    return f"{by.get('name')} <{by.get('email')}>"


def lines(told: dict[str, Any]) -> Iterator[str]:
    """In full."""
    if told["decision"] == "undone":
        yield printable(f"{told['outcome']}: {told['undoes']} was taken back, and so this line is here")
        yield printable(f"  task {told['task']}: {told['title']}")
    else:
        yield printable(f"task {told['task']}: {told['title']}")
        yield printable(f"  landed as {told['outcome']}, attempt {told['attempt']}, {told['recorded_at']}")
    yield printable(f"  the change: git show {told['commit'][:12]}")
    yield from _asked(told)
    yield from _judged(told)
    for one in told["evidence"]:
        yield printable(f"evidence: the check {one['check']!r} ended with {one['exit']}")
    if not told["evidence"]:
        yield "evidence: no check was run"
    gates = [f"{one['gate']} {'marked it' if one['marked'] else 'passed it'}" for one in told["gates"]]
    if gates:
        yield printable(f"gates: {', '.join(gates)}")
    yield f"cost: {_cost(told['cost'])}"
    if told["undone_by"]:
        yield printable(f"undo: was undone by {told['undone_by']}")
    if told["undo"]:
        yield f"undo: {told['undo']}"


def _asked(told: dict[str, Any]) -> Iterator[str]:
    if told["prompt"] is not None:
        yield printable(f"prompt: {told['prompt']['path']}")
        yield from voted.quoted(told["prompt"]["text"], "    ")
    elif told["decision"] != "undone":
        yield "prompt: not here (only the machine that ran it keeps it, in logs/execution)"


def _judged(told: dict[str, Any]) -> Iterator[str]:
    if told["decision"] == "undone":
        yield printable(f"wrote: {_person(told)}; no vote is held on what a person takes back")
        return
    family = f" ({told['family']})" if told["family"] not in (None, "none", told["agent"]) else ""
    yield printable(f"wrote: {told['agent']}{family}; reviewed by: {told['reviewed_by']}")
    for name, ballots in (("approved", told["approved"]), ("dissented", told["dissented"])):
        if not ballots:
            yield f"{name}: nobody"
        for one in ballots:
            choice = "" if name == "approved" else f", {one['choice']}"
            yield printable(f"{name}: {one['is']} in {one['vote']}{choice}")
            if one["reason"]:
                yield from voted.quoted(one["reason"], "    ")
    if told["abstained"]:
        yield printable(f"abstained: {', '.join(_names(told['abstained']))}")
    for vote in told["votes"]:
        if not vote["holds"]:
            yield printable(f"does not hold: {vote['id']} is not the vote that {told['outcome']} names")


def _cost_of(told: Record) -> dict[str, int]:
    more = [key for key in ("notional_usd_micros", "unknown") if key in told]
    return {key: int(told[key]) for key in ("usd_micros", "tokens", "seconds", *more)}


def _cost(cost: dict[str, int]) -> str:
    text = f"${cost['usd_micros'] / 1e6:,.2f}, {cost['tokens']:,} tokens, {clock.length(cost['seconds'])}"
    if cost.get("notional_usd_micros"):
        text += f", by subscription what would be {spending.dollars(cost['notional_usd_micros'])}"
    return text + (f", {cost['unknown']} of unknown cost" if cost.get("unknown") else "")
