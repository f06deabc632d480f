"""The agents that there are: what works here, what to do about the rest, and what each has done.

All adapters are asked side by side (`describe` and `probe`: no model is called), each within a bound.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import (
    agentname,
    agents,
    board,
    cooldowns,
    judging,
    keyring,
    projects,
    records,
    spending,
    trial,
    voted,
    weighing,
)
from .agents import Agent, Agents
from .cooldowns import Limit
from .errors import EX_LOGIN, EX_UNAVAILABLE
from .home import scripts_folder
from .judging import Reviewer
from .plumbing import Git
from .project import Project
from .session import Session
from .spending import Total

_AT_ONCE = 16
_PATIENCE = 10  # seconds for one question to one adapter
STATES = {EX_UNAVAILABLE: "missing", EX_LOGIN: "not logged in"}


def adapters(now: Session) -> list[str]:
    """The names of all adapters, the user's own first."""
    return list(agents.adapters(agents.folders(scripts_folder(now.home.root), now.home.config)))


def names(now: Session, found: Project | None) -> list[str]:
    """Every adapter, and what the project names besides: accounts and models."""
    plain = adapters(now)
    named = [*found.workers, *_reviewers(found)] if found else []
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


@dataclass
class Deeds:
    """What an agent has done in a project, by the outcomes on its branch."""

    landed: int = 0
    failed: int = 0
    spent: Total = field(default_factory=Total)

    def told(self) -> dict[str, int]:
        """For programs."""
        return {"landed": self.landed, "failed": self.failed, **self.spent.told()}


def deeds(found: Project) -> dict[str, Deeds]:
    """By agent."""
    done: dict[str, Deeds] = {}
    for outcome in board.records_of(found).outcomes.values():
        one = done.setdefault(str(outcome.get("agent")), Deeds())
        one.landed += outcome.get("decision") == "landed"
        one.failed += outcome.get("decision") == "failed"
        if isinstance(outcome.get("cost"), dict):
            one.spent.add_cost(outcome["cost"])
    return done


def reviewers(found: Project) -> dict[str, Reviewer]:
    """By member, from the votes and outcomes on the project's branch."""
    held = voted.read(found.path, Git(board.git_folder(found)), found.branch)
    outcomes = board.records_of(found).outcomes.values()
    return judging.by_member((one.record for one in held if one.recorded), outcomes)


def weights(found: Project, wanted: Iterable[str], known: dict[str, Reviewer]) -> dict[str, int]:
    """What these weigh in a vote on a change that is made on the branch as it is now, in thousandths."""
    git = Git(board.git_folder(found))
    by = weighing.policy(git.blob(f"{records.head(git, found.branch)}:{weighing.SETTINGS}"))
    return weighing.of(wanted, by, known)


def table(now: Session, found: Project | None) -> list[dict[str, Any]]:
    """All of them, with what they have done; `record` is null where there is no project."""
    asked = known(now)
    done = deeds(found) if found else {}
    judged = reviewers(found) if found else {}
    today = spending.today(now.home.config).agents
    everybody = everyone(now, asked, found)
    weighs = weights(found, [agent.name for agent in everybody], judged) if found else {}
    return [
        {
            **told(asked, agent),
            "record": done.get(agent.name, Deeds()).told() if found else None,
            "reviews": _reviews(judged.get(agent.name, Reviewer()), weighs[agent.name]) if found else None,
            "today": today.get(agent.name, Total()).told(),
            "tested": _tested(trial.read(now.home.config, agent.name)),
        }
        for agent in everybody
    ]


def _reviews(one: Reviewer, weight: int) -> dict[str, int | bool]:
    return {**one.told(), "weight": weight}


def _tested(record: dict[str, Any] | None) -> dict[str, Any] | None:
    if record is None:
        return None
    held = [day.get("held") for day in record["days"] if isinstance(day, dict)]
    return {"at": str(record.get("at")), "held": held.count(True), "not_held": held.count(False)}


def wake(now: Session, name: str) -> list[Limit]:
    """Ends the rest of an agent's account, of all its models; what has ended. Raises 64, 73."""
    need(now, [name])
    return cooldowns.end(now.home.runtime, agentname.parse(name).account_id)


def until(second: int) -> str:
    """A moment for a person, in their zone."""
    moment = datetime.fromtimestamp(second, timezone.utc).astimezone()
    return moment.strftime("%H:%M" if moment.date() == datetime.now().date() else "%Y-%m-%d %H:%M")


def project(now: Session, wanted: str | None) -> Project | None:
    """The project that is meant; None where none was asked for and none is active."""
    return now.find(wanted, quiet=True) if wanted or projects.read_pointer(now.home) else None
