"""The agents of a run: what their adapters say of them, whether they can work now, and their keys."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import agentname, canonical, cooldowns, tools
from .errors import EX_LOGIN, EX_USAGE, OrkestraError
from .keyring import Keyring, accounts, shown
from .tasks import name_problem

PERSON = "person"  # the author of what somebody did by `orkestra attach`: no agent, and nobody's family
COMMITTEE = "committee"  # who answers a question: no agent, either
RUNTIME = "RUNTIME"  # the folder in CONFIG
_TIMEOUT = 20  # seconds for describe and probe


@dataclass
class Agent:
    """One agent as its adapter describes it; `problem` says why it cannot work at all.

    Several agents have one adapter: `account_id` is that of the login and its limits, `model` the one that
    the name asks for, or that the adapter says it takes; '' where nobody knows.
    """

    name: str
    account_id: str = ""
    account: str = ""  # '' is the user's own
    adapter: str = ""
    family: str = "none"
    kind: str = "ai"
    model: str = ""
    revises: str = "base"
    can: list[str] = field(default_factory=list)
    extract: Path | None = None  # the jq program that reads the tool's raw output
    keys: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)  # variables that say where the model is
    credentials: list[str] = field(default_factory=list)
    sessions: list[str] = field(default_factory=list)  # where in HOME its tool keeps a session
    binary: str = ""
    read: list[str] = field(default_factory=list)
    problem: str = ""
    code: int = 0  # of its probe: 69 not installed, 77 not logged in
    login: list[str] = field(default_factory=list)  # its tool's own command to log in


def _strings(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def folders(scripts: Path, config: Path) -> list[Path]:
    """Where adapters stand: the user's own first."""
    return [config / "agents", scripts / "AGENTS" / "adapters"]


def adapters(places: list[Path]) -> dict[str, Path]:
    """Every executable adapter by its name; the first folder that has one counts."""
    found: dict[str, Path] = {}
    for place in places:
        for one in sorted(place.iterdir()) if place.is_dir() else ():
            if os.access(one, os.X_OK) and one.is_file() and not name_problem(one.name):
                found.setdefault(one.name, one)
    return found


def need_known(name: str, scripts: Path, config: Path, *others: str) -> None:
    """Raises 64, with the names there are, unless an adapter is called so, or `name` is one of the others."""
    known = [*others, *adapters(folders(scripts, config))]
    if name not in others and (agentname.problem(name) or agentname.parse(name).adapter not in known):
        raise OrkestraError(EX_USAGE, f"there is no agent '{name[:80]}'", f"there are: {', '.join(known)}")
    account = "" if name in others else agentname.parse(name).account
    if account and account not in (there := accounts(config)):
        hint = f"there are: {', '.join(there) or 'none'} (CONFIG/accounts/{account}/ makes one)"
        raise OrkestraError(EX_USAGE, f"there is no account '{account}'", hint)


def login_hint(agent: Agent) -> str:
    """What a person does about an agent whose account has no valid login and no valid key."""
    key = agent.keys[0] if agent.keys else "its key"
    return f"orkestra agents login {agent.account_id}, or put a valid {key} into {shown(agent.account)}"


class Agents:
    """Looked up by name, asked once a run. `say` gets a line about what is wrong with what limits them."""

    def __init__(
        self,
        scripts: Path,
        config: Path,
        keys: Keyring,
        say: Callable[[str], None] = lambda _: None,
        patience: float = _TIMEOUT,
        keeps: bool = True,
    ) -> None:
        """patience: seconds for one question to one adapter. keeps: where their tools are is written down."""
        self._keeps = keeps
        self._patience = patience
        self._config = config
        self._folders = folders(scripts, config)
        self._programs = scripts / "AGENTS"
        self._keys = keys
        self._known: dict[str, Agent] = {}
        self._logged_out: dict[str, str] = {}  # why, by account
        self._limits = cooldowns.Cooldowns(config / RUNTIME, say)
        self._accounts: dict[str, tuple[str, str]] = {}

    def get(self, name: str) -> Agent:
        """The agent of that name; never raises, `problem` says what is wrong with it."""
        if name not in self._known:
            self._known[name] = found = self._ask(name)
            found.problem = found.problem or self._logged_out.get(found.account_id, "")
        return self._known[name]

    def _ask(self, name: str) -> Agent:
        if problem := agentname.problem(name):
            return Agent(name, problem=problem)
        if name == PERSON:
            return Agent(name, family=PERSON, kind=PERSON, problem="a person works by: orkestra attach TASK")
        if name == COMMITTEE:
            return Agent(name, kind=COMMITTEE, problem="a committee answers questions: orkestra ask")
        parts = agentname.parse(name)
        agent = Agent(name, parts.account_id, parts.account, model=parts.model)
        adapter = adapters(self._folders).get(parts.adapter)
        if adapter is None:
            agent.problem = (
                f"no adapter is called {parts.adapter!r} (orkestra agents list shows what there is)"
            )
            return agent
        if not self._keys.has(parts.account):
            agent.problem = f"there is no account {parts.account!r} ({login_hint(agent)})"
            return agent
        agent.adapter = str(adapter)
        code, out, err = self._call(agent, "describe")
        try:
            told = canonical.parse(out, max_bytes=1 << 16, max_depth=8) if code == 0 else None
        except ValueError as error:
            told, err = None, str(error)
        if not isinstance(told, dict):
            agent.problem = f"its adapter {adapter} does not describe itself: {err or f'exit {code}'}"
            return agent
        self._describe(agent, told)
        if agent.kind == "ai":
            self._probe(agent)
            if self._keeps and not agent.problem:
                tools.keep(self._config, parts.adapter, str(told.get("binary") or ""))
        return agent

    def _describe(self, agent: Agent, told: dict[str, Any]) -> None:
        agent.family = str(told.get("family") or "none")
        agent.kind = "shell" if told.get("kind") == "shell" else "ai"
        agent.model = agent.model or str(told.get("model") or "")
        agent.revises = "tree" if told.get("revises") == "tree" else "base"
        agent.can = _strings(told.get("can"))
        agent.extract = self._extract(agent, str(told.get("extract") or ""))
        agent.keys = _strings(told.get("env"))
        agent.addresses = _strings(told.get("base_url_env"))
        agent.credentials = _strings(told.get("credentials"))
        agent.login = _strings(told.get("login"))
        agent.sessions = _strings(told.get("sessions"))
        agent.binary = "/bin/bash" if agent.kind == "shell" else ""

    def _extract(self, agent: Agent, name: str) -> Path | None:
        """The adapter's .jq program: beside it, or in SCRIPTS/AGENTS."""
        places = [Path(agent.adapter).parent / name, self._programs / name]
        return next((path for path in places if name and "/" not in name and path.is_file()), None)

    def _probe(self, agent: Agent) -> None:
        code, out, err = self._call(agent, "probe")
        agent.code = code
        if code == EX_LOGIN and agent.account:
            agent.problem = f"the account {agent.account!r} is not logged in ({login_hint(agent)})"
        elif code != 0:
            agent.problem = err or f"its probe ended with {code}"
        for line in out.decode("utf-8", "replace").splitlines():
            word, _, path = line.partition("\t")
            if word == "binary" and path.startswith("/"):
                agent.binary = path
            elif word == "read" and path.startswith("/"):
                agent.read.append(path)

    def _call(self, agent: Agent, verb: str) -> tuple[int, bytes, str]:
        # A key that the agent will not get must not make its probe succeed.
        others = {*agent.keys, "ORKESTRA_MODEL"}
        env = {name: value for name, value in os.environ.items() if name not in others}
        env |= self.environment(agent)
        if agent.account:  # its tool is the user's, its login is not
            env |= {"ORKESTRA_USER_HOME": env.get("HOME", ""), "HOME": self.home(agent)}
        try:
            done = subprocess.run(
                [agent.adapter, verb],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self._patience,
                env=env,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return 124, b"", f"its {verb} did not answer within {self._patience:g} seconds"
        except OSError as error:
            return 126, b"", f"cannot be started: {error.strerror}"
        told = [
            line.removeprefix("orkestra: ") for line in done.stderr.decode("utf-8", "replace").splitlines()
        ]
        return done.returncode, done.stdout, ": ".join(line.strip() for line in told if line.strip())[:600]

    def environment(self, agent: Agent) -> dict[str, str]:
        """Only this agent's: its model, its account's keys, addresses also from the environment.

        A key that somebody's shell happens to hold would bill unasked, and no gate would know it as one.
        """
        keys = self._keys.keys(agent.account)
        found = {name: keys.get(name, "") for name in agent.keys}
        for name in agent.addresses:
            given = os.environ.get(name, ""), keys.get(name, "")
            found[name] = (given[1] or given[0]) if agent.account else (given[0] or given[1])
        found["ORKESTRA_MODEL"] = agent.model
        return {name: value for name, value in found.items() if value}

    def home(self, agent: Agent) -> str:
        """The HOME in which its tool is logged in; '' where there is none."""
        return self._keys.home(agent.account)

    def cannot(self, agent: Agent, why: str, whole_account: bool) -> None:
        """From now on it cannot work; nor can another model of a login that is not valid."""
        agent.problem = why
        if whole_account:
            self._logged_out[agent.account_id] = why
            for other in self._known.values():
                if other.account_id == agent.account_id:
                    other.problem = other.problem or why

    def _account(self, name: str) -> tuple[str, str]:
        if name not in self._accounts:
            self._accounts[name] = cooldowns.of_agent(name)
        return self._accounts[name]

    def limit(self, name: str, until: int, why: str, of_model: bool = False) -> int:
        """Keep that an agent's account (or this model of it alone) is limited, for every run.

        until: 0 where nobody said when. Returns the clamped epoch second when it may be tried again.
        """
        return self._limits.note(*self._account(name), until, why, of_model)

    def answered(self, name: str) -> None:
        """An agent's tool was not limited."""
        self._limits.answered(*self._account(name))

    def limits_hold(self) -> bool:
        """Whether any account is limited now."""
        return self._limits.hold()

    def limited(self, name: str) -> cooldowns.Limit | None:
        """What limits it now."""
        return self._limits.of(*self._account(name))

    def rests(self, name: str) -> float:
        """Seconds that it still rests, 0 when it does not."""
        return self._limits.left(*self._account(name))

    def can_work(self, name: str) -> bool:
        """Installed, able, and not limited now."""
        return not self.rests(name) and not self.get(name).problem
