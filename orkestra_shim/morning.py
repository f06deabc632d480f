"""`orkestra status --since TIME`: what landed, failed, needs a person, was spent, and what is next.

From the records on the branch, which every clone has, and from this machine's execution log.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from orkestra_shim import board, clock, journal, progress
from orkestra_shim.board import Board
from orkestra_shim.session import Session
from orkestra_shim.spending import Total
from orkestra_shim.text import printable

_NAMED = 6  # tasks that a line names
_WHY = 100  # characters of a reason


def report(now: Session, seen: Board, since: datetime) -> dict[str, Any]:
    """The five answers as JSON; times in UTC."""
    moment = since.strftime("%Y-%m-%dT%H:%M:%SZ")
    log = seen.project.path / journal.FILE
    events = journal.since(log, moment)
    decided = _decided(seen, moment)
    drafts = _drafts(seen, events)
    return {
        "since": moment,
        "landed": [one for one in decided if one["decision"] in ("landed", "answered", "planned")],
        "undone": [one for one in decided if one["decision"] == "undone"],
        "failed": [
            one | {"now": _state(seen, one)} for one in (*decided, *drafts) if one["decision"] == "failed"
        ],
        "needs_you": _needs(seen, drafts),
        "spent": _spent(seen, events, moment, log.exists()),
        "next": _next(now, seen),
    }


def _state(seen: Board, failed: dict[str, Any]) -> str:
    """Where a task stands that failed then: it may have been done again since."""
    row = seen.rows.get(failed["task"])
    return "failed" if failed["outcome"] is None else str(row["state"]) if row is not None else "gone"


def _decided(seen: Board, moment: str) -> list[dict[str, Any]]:
    """Outcomes that were recorded from that time on, in their order."""
    outcomes = (seen.branch.outcomes[number] for number in sorted(seen.branch.outcomes))
    return [_told(one) for one in outcomes if str(one.get("recorded_at")) >= moment]


def _told(outcome: dict[str, Any]) -> dict[str, Any]:
    return {
        "task": str(outcome.get("task")),
        "outcome": outcome.get("id"),
        "decision": str(outcome.get("decision")),
        "at": outcome.get("recorded_at"),
        "why": str(outcome.get("why") or ""),
    }


def _drafts(seen: Board, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a run has decided and not recorded yet: it does so in groups."""
    open_ones: dict[str, dict[str, Any]] = {}
    for event in events:
        task, draft = str(event.get("task")), event.get("draft")
        if event["event"] == "outcome-drafted" and isinstance(draft, dict):
            open_ones[task] = _told(draft | {"task": task}) | {"at": event.get("at")}
        elif event["event"] in ("landed", "recorded", "reopened"):
            open_ones.pop(task, None)
    return [one for one in open_ones.values() if one["task"] in seen.rows]


def _needs(seen: Board, drafts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What waits for a person as things stand, whenever it began; `do` is what that person does about it."""
    needs = {name: row["reason"] for name, row in seen.rows.items() if row["state"] == "needs_human"}
    needs |= {one["task"]: one["why"] for one in drafts if one["decision"] == "needs_human"}
    do = {name: _again(name) for name in needs}
    for name, row in seen.rows.items():
        if row.get("held_by_edits"):
            needs[name] = f"your edits in {row['held_by_edits']} are not committed"
            do[name] = "commit or stash your edits, then: orkestra start"
        elif row["state"] == "proposed":
            needs[name], do[name] = "proposed", f"orkestra task accept {name}"
    return [{"task": name, "why": why, "do": do[name]} for name, why in needs.items()]


def _again(name: str) -> str:
    return f"orkestra task show {name}, then: orkestra task retry {name}"


def _spent(seen: Board, events: list[dict[str, Any]], moment: str, has_log: bool) -> dict[str, Any]:
    """By every attempt as the log has it; in a clone without a log by the tasks that were decided."""
    costs = [event for event in events if event["event"] == "worked" or "basis" in event]
    if not has_log:
        outcomes = seen.branch.outcomes.values()
        costs = [one.get("cost") or {} for one in outcomes if str(one.get("recorded_at")) >= moment]
    total = Total()
    for cost in costs:
        total.add_cost(cost)
    return {**total.told(), "from": "execution log" if has_log else "records"}


def _next(now: Session, seen: Board) -> dict[str, Any]:
    """What a run does, or would do."""
    states = [
        row["state"] for row in seen.rows.values() if progress.is_open(row) and not row.get("held_by_edits")
    ]
    told: dict[str, Any] = {
        "run": seen.run,
        "ready": states.count("ready") + states.count("in_progress"),
        "waiting": states.count("waiting"),
        "blocked": sum(1 for row in seen.rows.values() if row.get("blocked_by")),
        "limited": {
            limit.name: datetime.fromtimestamp(limit.until).astimezone().isoformat() for limit in seen.limits
        },
    }
    span = progress.span(seen.rows, seen.past, board.workers(now, seen.project)) if seen.run else None
    return told | {"seconds_left": list(span) if span else None}


# --- for people ---------------------------------------------------------------------------------------------


def lines(told: dict[str, Any]) -> list[str]:
    """Five of them."""
    landed = told["landed"]
    undone = f"; undone: {_names(told['undone'])}" if told["undone"] else ""
    return [
        f"landed     {_count(landed)}{_names(landed, ': ')}{undone}",
        f"failed     {_count(told['failed'])}{_reasons(told['failed'])}",
        f"needs you  {_count(told['needs_you'])}{_reasons(told['needs_you'])}",
        f"spent      {_money(told['spent'])}",
        f"next       {_what_next(told)}",
    ]


def _count(found: list[dict[str, Any]]) -> str:
    return str(len({one["task"] for one in found})) if found else "nothing"


def _names(found: list[dict[str, Any]], before: str = "") -> str:
    names = list(dict.fromkeys(one["task"] for one in found))
    if not names:
        return ""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return before + ", ".join(map(printable, names[:_NAMED])) + more


def _reasons(found: list[dict[str, Any]]) -> str:
    last = {one["task"]: one for one in found}
    if not last:
        return ""
    shown = [f"{printable(name)}{_reason(one)}" for name, one in last.items()]
    more = f" and {len(shown) - _NAMED} more" if len(shown) > _NAMED else ""
    return ": " + "; ".join(shown[:_NAMED]) + more


def _reason(told: dict[str, Any]) -> str:
    why, now = _cut(" ".join(told["why"].split())), told.get("now", "failed")
    parts = [why] if why else []
    if now != "failed":
        parts.append(f"now {now.replace('_', ' ')}")
    return f" ({'; '.join(parts)})" if parts else ""


def _cut(why: str) -> str:
    return why if len(why) <= _WHY else why[: _WHY - 3] + "..."


def _money(spent: dict[str, Any]) -> str:
    told = Total(**{key: value for key, value in spent.items() if key != "from"}).words()
    parts = [told] if told else []
    if spent["seconds"]:
        parts.append(f"{clock.length(spent['seconds'])} of agents' work")
    where = (
        ""
        if spent["from"] == "execution log" or not parts
        else " (by what was decided: this clone has no execution log)"
    )
    return (", ".join(parts) or "nothing") + where


def _what_next(told: dict[str, Any]) -> str:
    following = told["next"]
    waits = f", {following['waiting']} waiting for others" if following["waiting"] else ""
    blocked = f", {following['blocked']} blocked" if following["blocked"] else ""
    todo = f"{following['ready']} to do{waits}{blocked}"
    if following["run"]:
        left = following["seconds_left"]
        return f"a run goes on: {todo}" + (f"; {between(left)} left" if left else "")
    rests = [
        f"{printable(agent)} rests until {_clock(until)}" for agent, until in following["limited"].items()
    ]
    if following["ready"]:
        return f"{todo}: orkestra start" + "".join(f" ({one})" for one in rests)
    failed = [one["task"] for one in told["failed"] if one["now"] == "failed"]
    if failed or told["needs_you"]:
        do = _again(failed[0]) if failed else told["needs_you"][0]["do"]
        return f"{printable(do)}{blocked}"
    return f"nothing is left to do{blocked}"


def _clock(until: str) -> str:
    return clock.shown(datetime.fromisoformat(until))


def between(span: list[int]) -> str:
    """Two lengths for people."""
    low, high = map(clock.length, span)
    return low if low == high else f"{low} to {high}"
