"""An account of what landed: what was asked, who wrote and who judged it, evidence, cost, undo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import canonical, checkout, clock, files, jsonfile, queue, records, voted
from .errors import OrkestraError
from .plumbing import Git
from .project import Project
from .tasks import name_problem
from .text import printable, word

Record = dict[str, Any]
_PROMPT = 1 << 20  # bytes


def of(
    found: Project, git: Git, head: str, branch: records.Branch, outcome: Record, commit: str, words: str
) -> dict[str, Any]:
    """About an outcome with a change, which is `commit` now. KeyError and the like for a broken record."""
    held = _votes(git, head, outcome)
    deciding = _deciding(outcome, [vote for _, vote in held])
    undone = sorted(
        one["id"]
        for one in branch.outcomes.values()
        if one.get("decision") == "undone" and one.get("undoes") == outcome["id"]
    )
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
        "family": deciding["author"]["family"] if deciding else None,
        "by": outcome.get("by"),
        "undoes": outcome.get("undoes"),
        "reviewed_by": outcome["reviewed_by"],
        "approved": _ballots(deciding, "approve"),
        "abstained": _ballots(deciding, "abstain"),
        "dissented": [one for _, vote in held for one in _ballots(vote, "revise", "reject")],
        "votes": [
            {
                "id": vote["id"],
                "round": vote["round"],
                "decision": vote["decision"],
                "why": vote["why"],
                "holds": holds,
            }
            for holds, vote in held
        ],
        "evidence": [{"check": one["check"], "exit": one["exit"]} for one in outcome["evidence"]],
        "gates": outcome["gates"],
        "cost": {key: int(outcome["cost"][key]) for key in ("usd_micros", "tokens", "seconds")},
        "prompt": _prompt(found.path, outcome),
        "undone_by": undone[-1] if undone else None,
        "undo": _undo(found, git, branch, outcome, commit, words),
    }


def _votes(git: Git, head: str, outcome: Record) -> list[tuple[bool, Record]]:
    """(whether it is the one whose hash the outcome has, the vote) of each that it names and is there."""
    names = [(entry["id"], entry["sha256"]) for entry in outcome["votes"]]
    found = []
    for name, digest in names:
        data = git.blob(f"{head}:{records.path_of(name)}")
        if data is not None:
            vote = records.load(data, records.path_of(name))
            found.append((canonical.digest(vote) == digest, vote))
    return found


def _deciding(outcome: Record, held: list[Record]) -> Record | None:
    """The last approval of exactly what landed."""
    same = [
        vote
        for vote in held
        if vote["decision"] == "approve" and vote["subject"]["patch_id"] == outcome["change"]["patch_id"]
    ]
    return same[-1] if same else None


def _ballots(vote: Record | None, *choices: str) -> list[dict[str, Any]]:
    """The ballots of a vote for one of these choices."""
    known = {entry["member"]: entry for entry in vote["electorate"]} if vote else {}
    return [
        {
            "member": one["member"],
            "is": voted.member(known.get(one["member"], one)),
            "vote": vote["id"],
            "choice": one["choice"],
            "reason": one["reason"],
        }
        for one in (vote["ballots"] if vote else ())
        if vote and one["choice"] in choices
    ]


def _prompt(project: Path, outcome: Record) -> dict[str, str] | None:
    """Where this machine's execution log has what the agent was told, and its text; None elsewhere."""
    task, attempt = outcome["task"], outcome["attempt"]
    if type(attempt) is not int or name_problem(task):
        return None
    path = project / "logs" / "execution" / "attempts" / task / str(attempt) / "prompt.md"
    data = files.read_bounded(path, _PROMPT)
    return None if data is None else {"path": str(path), "text": data.decode("utf-8", "replace")}


def _undo(
    found: Project, git: Git, branch: records.Branch, outcome: Record, commit: str, words: str
) -> str | None:
    """The command that takes it back; None where that has been done."""
    task = outcome["task"]
    if any(one.get("undoes") == outcome["id"] for one in branch.outcomes.values()):
        return None
    if outcome["decision"] != "landed" or found.land == "pr" or not _is_queued(found, git, task):
        return f"git -C {word(found.path)} revert {commit}"
    newest = [one for _, one in sorted(branch.outcomes.items()) if _landed(one, task)][-1]
    more = "" if newest is outcome else f" --outcome {outcome['id']}"
    return f"orkestra undo{words}{more} {word(task)}"


def _landed(one: Record, task: str) -> bool:
    return one.get("task") == task and one.get("decision") == "landed"


def _is_queued(found: Project, git: Git, task: str) -> bool:
    """Whether the queue still has the task, as `orkestra undo` needs it."""
    try:
        data, name = checkout.Checkout(found.path, git, found.branch).read(queue.FILE)
        return task in queue.Document(jsonfile.decode(data, name), name).positions
    except OrkestraError:
        return False


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


def _cost(cost: dict[str, int]) -> str:
    return f"${cost['usd_micros'] / 1e6:,.2f}, {cost['tokens']:,} tokens, {clock.length(cost['seconds'])}"
