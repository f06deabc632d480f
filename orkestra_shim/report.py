"""`orkestra report`: a project's whole history as one page, from its records and its execution log."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import board, clock, drawing, journal, morning, polled, records, spending, timeline, voted
from .board import Board
from .plumbing import Git
from .session import Session
from .text import printable

SCHEMA = "orkestra.report/1"
PAGES = Path(__file__).resolve().parent / "pages"
DONE = ("landed", "answered", "planned")
_MERMAID = 150  # tasks up to which Mermaid still draws a graph that can be read


def gather(now: Session, seen: Board) -> dict[str, Any]:
    """Everything that the page shows, as JSON; times are UTC, costs in micro-dollars, tokens and seconds.

    Raises 65 for a record that cannot be read.
    """
    found = seen.project
    outcomes = [seen.branch.outcomes[number] for number in sorted(seen.branch.outcomes)]
    held = voted.read(found.path, Git(board.git_folder(found)), found.branch)
    votes = {one.record["id"]: one.record for one in held}
    attempts, source = _attempts(seen, outcomes, votes)
    undone = {str(one["undoes"]): str(one["id"]) for one in outcomes if "undoes" in one}
    told = morning.report(now, seen, datetime.fromtimestamp(0, timezone.utc))
    return {
        "schema": SCHEMA,
        "project": {"name": found.name, "id": found.id, "branch": found.branch},
        "head": seen.branch.head,
        "made_at": journal.now(),
        "counts": seen.counts(),
        "decided": dict(Counter(str(one.get("decision")) for one in outcomes)),
        "cost": _sum(outcomes),
        "tasks": [_task(row, attempts) for row in seen.rows.values()],
        "needs_you": told["needs_you"],
        "failed": [_failure(row) for row in seen.rows.values() if row["state"] == "failed"],
        "blocked": [
            {"task": name, "by": row["blocked_by"]}
            for name, row in seen.rows.items()
            if row.get("blocked_by")
        ],
        "decisions": [_decision(one, votes, undone.get(str(one["id"]))) for one in outcomes],
        "waiting_votes": [one.record for one in held if not one.recorded],
        "spending": _spending(outcomes),
        "timeline": {"from": source, "attempts": [_attempt(one) for one in attempts]},
        "run": seen.run,
    }


def _attempts(
    seen: Board, outcomes: list[dict[str, Any]], votes: dict[str, dict[str, Any]]
) -> tuple[list[timeline.Attempt], str]:
    log = seen.project.path / journal.FILE
    if log.exists():
        before = {name: row["depends_on"] for name, row in seen.rows.items()}
        return timeline.read(journal.replay(log), before), "execution log"
    return timeline.from_records(outcomes, votes), "records"


def _task(row: dict[str, Any], attempts: list[timeline.Attempt]) -> dict[str, Any]:
    keys = ("id", "title", "state", "reason", "agent", "depends_on", "outcome")
    mine = [one for one in attempts if one.task == row["id"]]
    seconds = {kind: sum(one.seconds(kind) for one in mine) for kind in timeline.STAGES}
    return {**{key: row[key] for key in keys}, "attempts": len(mine), "seconds": seconds}


def _failure(row: dict[str, Any]) -> dict[str, str]:
    name = row["id"]
    return {
        "task": name,
        "why": row["reason"],
        "do": f"orkestra task show {name}, then: orkestra task retry {name} --note TEXT",
    }


def _decision(
    outcome: dict[str, Any], votes: dict[str, dict[str, Any]], undone_by: str | None
) -> dict[str, Any]:
    can_undo = outcome.get("decision") == "landed" and undone_by is None
    with records.reading(str(outcome["id"])):
        return {
            "outcome": outcome,
            "votes": [votes[one["id"]] for one in outcome["votes"] if one["id"] in votes],
            "undone_by": undone_by,
            "undo": f"orkestra undo {outcome['task']} --outcome {outcome['id']}" if can_undo else None,
        }


def _sum(outcomes: list[dict[str, Any]]) -> dict[str, int]:
    total = spending.Total()
    for one in outcomes:
        total.add_cost(one.get("cost") or {})
    return total.told()


def _spending(outcomes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By the agent that did a task, the dearest first; what its reviews cost stands with the task."""
    by_agent: dict[str, list[dict[str, Any]]] = {}
    for one in outcomes:
        if one.get("decision") != "undone":
            by_agent.setdefault(str(one.get("agent")), []).append(one)
    told = [
        {
            "agent": agent,
            "landed": sum(one.get("decision") in DONE for one in mine),
            "others": sum(one.get("decision") not in DONE for one in mine),
            **_sum(mine),
        }
        for agent, mine in by_agent.items()
    ]
    return sorted(told, key=lambda one: (-one["usd_micros"], -one["tokens"], -one["seconds"], one["agent"]))


def _attempt(one: timeline.Attempt) -> dict[str, Any]:
    return {
        "task": one.task,
        "try": one.number,
        "agent": one.agent,
        "worker": one.worker,
        "end": one.end,
        "stages": [{"stage": part.kind, "from": int(part.start), "to": int(part.end)} for part in one.stages],
    }


# --- pages --------------------------------------------------------------------------------------------------


def page(told: dict[str, Any], kind: str) -> str:
    """The report as `html` (one file that needs nothing else) or `markdown` (with Mermaid drawings)."""
    rows = {task["id"]: task for task in told["tasks"]}
    attempts = [_known(one) for one in told["timeline"]["attempts"]]
    values = {
        **told,
        "stages": timeline.STAGES,
        "graph": drawing.graph(rows),
        "line": drawing.timeline(attempts),
        "mermaid": len(rows) <= _MERMAID,
        "place": {name: at for at, name in enumerate(rows)},
    }
    if kind == "markdown":
        return str(_template("report.md.j2").render(values))
    style, script = ((PAGES / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    return str(
        _template("report.html.j2").render(
            values, style=style, script=script, style_hash=_hash(style), script_hash=_hash(script)
        )
    )


def _known(one: dict[str, Any]) -> timeline.Attempt:
    stages = [timeline.Stage(part["stage"], part["from"], part["to"]) for part in one["stages"]]
    return timeline.Attempt(one["task"], one["try"], one["agent"], one["worker"], stages, one["end"])


def _hash(text: str) -> str:
    """What the page's own policy allows to be executed, and nothing else (CSP level 2: sha256)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def plain(text: object) -> str:
    """A text from elsewhere for Markdown: nothing in it is markup, a link, a name or a number of GitHub's."""
    return re.sub(r"[^\w .,:;()/-]", lambda found: f"&#{ord(found.group())};", printable(text))


def drawn(text: object) -> str:
    """A text from elsewhere for Mermaid: nothing in it ends a name or a statement (`#58;` is its `:`)."""
    return re.sub(r"[^\w .,()/-]", lambda found: f"#{ord(found.group())};", printable(text))


@functools.cache
def _template(name: str) -> Any:
    import jinja2
    from markupsafe import Markup

    def shown(value: Any) -> Any:
        """Whatever the records hold: no control or direction character reaches the page."""
        if isinstance(value, str) and not isinstance(value, Markup):
            return "\n".join(map(printable, value.split("\n")))
        return value

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGES),
        autoescape=name.endswith(".html.j2"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        finalize=shown if name.endswith(".html.j2") else None,
    )
    filters: dict[str, Callable[..., Any]] = {
        "own": Markup,  # text of ours that is markup
        "plain": plain,
        "drawn": drawn,
        "money": spending.dollars,
        "length": clock.length,
        "clock": _clock,
        "words": lambda state: str(state).replace("_", " "),
        "member": voted.member,
        "electorate": lambda vote: {entry["member"]: entry for entry in vote["electorate"]},
        "votes": voted.weight,
        "said": polled.said,
    }
    environment.filters.update(filters)
    return environment.get_template(name)


def _clock(at: object, fine: bool = False) -> str:
    """A time in the user's zone: epoch seconds, or as a record writes it."""
    seconds = at if isinstance(at, int | float) else journal.seconds_of(at)
    if seconds is None:
        return str(at)
    when = datetime.fromtimestamp(seconds).astimezone()
    return when.strftime("%H:%M:%S") if fine else clock.shown(when)
