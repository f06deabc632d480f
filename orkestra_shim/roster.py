"""The agents that there are: what works here, what to do about the rest, and what each has done.

All adapters are asked side by side (`describe` and `probe`: no model is called), each within a bound.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import agentname, agents, board, keyring, projects
from .agents import Agent, Agents
from .errors import EX_LOGIN, EX_UNAVAILABLE
from .home import scripts_folder
from .project import Project
from .session import Session

_AT_ONCE = 16
_PATIENCE = 10  # seconds for one question to one adapter
STATES = {EX_UNAVAILABLE: "missing", EX_LOGIN: "not logged in"}


def adapters(now: Session) -> list[str]:
    """The names of all adapters, the user's own first."""
    return list(agents.adapters(agents.folders(scripts_folder(now.home.root), now.home.config)))


def names(now: Session, found: Project | None) -> list[str]:
    """Every adapter, and what the project names besides: accounts and models."""
    plain = adapters(now)
    named = [*found.agents, *_reviewers(found)] if found else []
    more = [one for one in named if not agentname.problem(one) and agentname.parse(one).adapter in plain]
    return list(dict.fromkeys([*plain, *more]))


def _reviewers(found: Project) -> list[str]:
    committee = found.data.get("committee")
    told = committee.get("reviewers") if isinstance(committee, dict) else None
    return [one for one in told or [] if isinstance(one, str)]


def need(now: Session, wanted: Iterable[str]) -> None:
    """Raises 64 for a name that no adapter stands behind."""
    for name in wanted:
        agents.need_known(name, scripts_folder(now.home.root), now.home.config)


def known(now: Session) -> Agents:
    """To ask them. Raises 78 when others may read the keys."""
    scripts, config = scripts_folder(now.home.root), now.home.config
    keyring.need_private(config)
    return Agents(scripts, config, keyring.read(config), patience=_PATIENCE)


def ask(asked: Agents, wanted: list[str]) -> list[Agent]:
    """Each of them, described and probed; all at once."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(asked.get, wanted))


def everyone(now: Session, asked: Agents, found: Project | None) -> list[Agent]:
    """All that there are: with those of accounts that have a login or a key for the tool."""
    plain = ask(asked, names(now, found))
    seen = {agent.name for agent in plain}
    ring = keyring.read(now.home.config)
    more = [
        name
        for account in ring.by_account
        for agent in plain
        if account and agent.kind == "ai" and os.path.basename(agent.adapter) == agent.name
        if (name := f"{agent.name}@{account}") not in seen
        if _serves(agent, ring.keys(account), Path(ring.home(account)))
    ]
    return [*plain, *ask(asked, more)]


def _serves(agent: Agent, keys: dict[str, str], home: Path) -> bool:
    return any(key in keys for key in agent.keys) or any((home / one).is_file() for one in agent.credentials)


def state(asked: Agents, agent: Agent) -> dict[str, Any]:
    """{"state": works | rests | missing | not logged in | broken, "why", "until": epoch second or null}."""
    if agent.problem:
        return {"state": STATES.get(agent.code, "broken"), "why": agent.problem, "until": None}
    if limit := asked.limited(agent.name):
        return {"state": "rests", "why": limit.why, "until": limit.until}
    return {"state": "works", "why": "", "until": None}


def told(asked: Agents, agent: Agent) -> dict[str, Any]:
    """An agent as `agents list --json` has it, without what it has done."""
    parts = None if agentname.problem(agent.name) else agentname.parse(agent.name)
    return {
        "agent": agent.name,
        "adapter": agent.adapter,
        "kind": agent.kind,
        "family": agent.family,
        "model": agent.model or None,
        "account": (parts.account if parts else "") or None,
        "can": agent.can,
        "binary": agent.binary or None,
        **state(asked, agent),
    }


def deeds(found: Project) -> dict[str, dict[str, int]]:
    """By agent, from the outcomes on the project's branch: {"landed", "failed", "tokens", "usd_micros"}."""
    done: dict[str, dict[str, int]] = {}
    for outcome in board.records_of(found).outcomes.values():
        row = done.setdefault(
            str(outcome.get("agent")), {"landed": 0, "failed": 0, "tokens": 0, "usd_micros": 0}
        )
        if outcome.get("decision") in ("landed", "failed"):
            row[str(outcome["decision"])] += 1
        cost = outcome.get("cost")
        for key in ("tokens", "usd_micros"):
            value = cost.get(key) if isinstance(cost, dict) else None
            row[key] += value if type(value) is int else 0
    return done


def table(now: Session, found: Project | None) -> list[dict[str, Any]]:
    """All of them; `record` is null where there is no project."""
    asked = known(now)
    done = deeds(found) if found else None
    rows = [told(asked, agent) for agent in everyone(now, asked, found)]
    nothing = {"landed": 0, "failed": 0, "tokens": 0, "usd_micros": 0}
    return [{**row, "record": None if done is None else done.get(row["agent"], nothing)} for row in rows]


def until(second: int) -> str:
    """A moment for a person, in their zone."""
    moment = datetime.fromtimestamp(second, timezone.utc).astimezone()
    return moment.strftime("%H:%M" if moment.date() == datetime.now().date() else "%Y-%m-%d %H:%M")


def project(now: Session, wanted: str | None) -> Project | None:
    """The project that is meant; None where none was asked for and none is active."""
    return now.find(wanted, quiet=True) if wanted or projects.read_pointer(now.home) else None
