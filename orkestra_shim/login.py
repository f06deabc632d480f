"""`orkestra agents login NAME`: a tool's own login, in the terminal and HOME of its user."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

from . import agentname, keyring, roster, tools
from .agents import Agent
from .errors import EX_LOGIN, EX_UNAVAILABLE, EX_USAGE, OrkestraError
from .session import Session

# What would lead the tool to another place than its HOME.
_ELSEWHERE = ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")


def command(now: Session, agent: Agent) -> list[str]:
    """The words of the tool's own login. Raises 64 where it has none, 69 where it is missing."""
    if not agent.login:
        keys = ", ".join(agent.keys)
        raise OrkestraError(
            EX_USAGE,
            f"{agent.name} has no login of its own",
            f"put one of its keys into {keyring.shown(agent.account)}: {keys}" if keys else "it needs none",
        )
    tool = agent.login[0]
    kept = tools.kept(now.home.config).get(agentname.parse(agent.name).adapter)
    # The first word is found as the adapter finds the tool, on PATH, or where a run last found it.
    found = agent.binary if tool == os.path.basename(agent.adapter) and agent.binary else shutil.which(tool)
    found = found or (kept if kept and os.access(kept, os.X_OK) else None)
    if found is None:
        raise OrkestraError(EX_UNAVAILABLE, agent.problem or f"{tool} is not installed")
    return [found, *agent.login[1:]]


def environment(agent: Agent, home: Path | None) -> dict[str, str]:
    """The user's own, without the agent's keys: with one the tool would have nothing to log in to."""
    env = {name: value for name, value in os.environ.items() if name not in agent.keys}
    if home is not None:
        env = {name: value for name, value in env.items() if name not in _ELSEWHERE} | {"HOME": str(home)}
    return env


def login(now: Session, name: str) -> str:
    """Calls it, waits, and looks whether it did. Returns where the login is. Raises 64, 69, 77."""
    parts = agentname.parse(name) if not agentname.problem(name) else None
    roster.need(now, [parts.adapter if parts else name])
    home = keyring.make_home(now.home.config, parts.account) if parts and parts.account else None
    [agent] = roster.ask(roster.known(now), [name])
    words = command(now, agent)
    folder = str(home) if home else os.path.expanduser("~")
    # Ctrl-C is the tool's: it may be its way back from a menu.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        done = subprocess.run(
            words, env=environment(agent, home), cwd=folder, check=False, preexec_fn=_interruptible
        )
    finally:
        signal.signal(signal.SIGINT, before)
    there = [one for one in agent.credentials if (Path(folder) / one).is_file()]
    if done.returncode == 0 and (there or not agent.credentials):
        return folder
    why = f"{words[0]} ended with {done.returncode}" if done.returncode else "it left no login"
    raise OrkestraError(
        EX_LOGIN,
        f"{name} is not logged in: {why}",
        f"again: orkestra agents login {name}",
    )


def _interruptible() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
