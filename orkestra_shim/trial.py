"""`orkestra agents test NAME`: an adapter through its bad days, without its vendor.

The agent's real tool is started as in a run (SCRIPTS/AGENTS/spawn.sh, in the sandbox), with a key that is
none, in a network that is its own loopback, where a stand-in for the model plays what `days` has. What came
of it is kept in CONFIG/RUNTIME/agents/NAME.json:

    {"version": 1, "agent", "adapter", "tool": its path, "tool_version", "at", "sandbox", "network": "none" or
     "open" where the kernel does not let it be cut off, "days": [{"day", "wants", "held": true, false or null
     where it could not be tested, "why", "seconds"}]}
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path

from . import agentname, files, jsonfile, keyring, seclusion
from .agents import Agent, Agents
from .days import DAYS, Day
from .errors import EX_INTERNAL, EX_TERMINATED, EX_UNAVAILABLE, EX_USAGE, OrkestraError
from .home import scripts_folder
from .rehearsal import Rehearsal, Row
from .session import Session

_KEY = "a-key-that-is-none-5e1d0c"
_ADDRESSES = ("_URL", "_BASE", "_HOST", "_ENDPOINT")  # how a variable's name ends that is one
_VERSION = 60  # seconds until a tool has said its version


def record_of(config: Path, name: str) -> Path:
    """Where the record of an agent's last trial is."""
    return config / "RUNTIME" / "agents" / f"{agentname.folder(name)}.json"


def read(config: Path, name: str) -> Row | None:
    """The record of its last trial; None where there is none that can be read."""
    data = files.read_bounded(record_of(config, name), 1 << 20)
    with contextlib.suppress(ValueError):
        told = json.loads(data) if data else None
        return told if isinstance(told, dict) and isinstance(told.get("days"), list) else None
    return None


def run(now: Session, name: str, tell: Callable[[Row], None]) -> Row:
    """Plays all days, tells each row as it is known, keeps and returns the record. Raises 64, 69, 73.

    To be called while this process has one thread: it leaves the network for good.
    """
    agent, keys, addresses = _described(now, name)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EX_TERMINATED))
    secluded = seclusion.seclude()
    place = Path(tempfile.mkdtemp(prefix="orkestra-trial-"))
    try:
        with _stand_in(now, place, agent) if addresses else contextlib.nullcontext("") as url:
            sandbox = now.values["ORKESTRA_SANDBOX"].text
            trial = Rehearsal(agent, scripts_folder(now.home.root), sandbox, place, keys, addresses, url)
            pool = ThreadPoolExecutor(min(8, (os.cpu_count() or 1) + 1))
            try:
                rows = list(pool.map(lambda day: _told(trial, day, tell), DAYS))
            except BaseException:
                trial.stop()
                raise
            finally:
                pool.shutdown(cancel_futures=True)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    record = {
        "version": 1,
        "agent": name,
        "adapter": agent.adapter,
        "tool": agent.binary or None,
        "tool_version": _version(agent.binary) if addresses else None,
        "at": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "sandbox": trial.has_sandbox(),
        "network": "none" if secluded else "open",
        "days": [row for row in rows if row],
    }
    file = record_of(now.home.config, name)
    files.make_folder(file.parent, 0o700)
    files.write_atomic(file, jsonfile.dump(record), mode=0o600)
    return record


def _told(trial: Rehearsal, day: Day, tell: Callable[[Row], None]) -> Row | None:
    began = time.monotonic()
    row = trial.play(day)
    if row:
        row["seconds"] = round(time.monotonic() - began)
        tell(row)
    return row


def _described(now: Session, name: str) -> tuple[Agent, dict[str, str], list[str]]:
    """The agent as it is with keys that are none; these, and the variables that say where its model is."""
    scripts, config = scripts_folder(now.home.root), now.home.config
    if problem := agentname.problem(name):
        raise OrkestraError(EX_USAGE, problem, "orkestra agents list shows those there are")
    plain = agentname.parse(name)
    if plain.account:
        hint = f"orkestra agents test {plain.adapter}"
        raise OrkestraError(EX_USAGE, f"{name}: no account is needed to try an agent", hint)
    nothing = keyring.Keyring(config, {"": {}})
    first = Agents(scripts, config, nothing).get(name)
    if not first.can:
        why = first.problem or "it says of itself that it can do nothing"
        raise OrkestraError(EX_UNAVAILABLE, f"{name}: {why}")
    if first.kind == "shell":
        raise OrkestraError(EX_USAGE, f"{name} has neither a model nor a tool that could be tried")
    keys, addresses = _given(first)
    told = keyring.Keyring(config, {"": {**keys, **dict.fromkeys(addresses, "http://127.0.0.1:9/v1")}})
    agent = Agents(scripts, config, told).get(name)
    if addresses and not agent.binary:
        raise OrkestraError(EX_UNAVAILABLE, f"{name}: {agent.problem}")
    return agent, keys, addresses


def _given(agent: Agent) -> tuple[dict[str, str], list[str]]:
    """Keys that are none, and the variables that say where the model is: each with the key of its name.

    OPENAI_BASE_URL goes with OPENAI_API_KEY, COPILOT_PROVIDER_BASE_URL with COPILOT_PROVIDER_API_KEY and not
    with a login's COPILOT_GITHUB_TOKEN. Where no names go together it is the first of both.
    """
    keys, addresses = {}, []
    for address in agent.addresses:
        like = [_alike(address, key) for key in agent.keys]
        best = max(like, default=0)
        if address.endswith(_ADDRESSES) and best:
            keys[agent.keys[like.index(best)]] = _KEY
            addresses.append(address)
    return (keys, addresses) if addresses else (dict.fromkeys(agent.keys[:1], _KEY), agent.addresses[:1])


def _alike(one: str, other: str) -> int:
    """Words that both begin with."""
    count = 0
    for ours, theirs in zip(one.split("_"), other.split("_"), strict=False):
        if ours != theirs:
            break
        count += 1
    return count


@contextlib.contextmanager
def _stand_in(now: Session, place: Path, agent: Agent) -> Iterator[str]:
    """The stand-in for the models; its address. It ends with this process."""
    rules = [
        {"name": day.mark, "match": {"text": re.escape(day.mark)}, "turns": list(day.turns)} for day in DAYS
    ]
    scenario = {"rules": rules, "model": agent.model or "stand-in"}
    (place / "scenario.json").write_text(json.dumps(scenario), "utf-8")
    program = scripts_folder(now.home.root) / "AGENTS" / "model-stand-in.py"
    command = ["setpriv", "--pdeathsig", "KILL", sys.executable, str(program), "--port", "0"]
    server = subprocess.Popen(
        [*command, "--scenario", "scenario.json", "--log", "asked.jsonl"],
        cwd=place,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    try:
        said = server.stdout.readline().split()
        if len(said) != 2:
            raise OrkestraError(
                EX_INTERNAL, "the stand-in for the models did not start", "ORKESTRA_DEBUG=1 shows where"
            )
        yield f"http://{said[1]}/v1"
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def _version(binary: str) -> str | None:
    """What the tool says of itself, cut short; None where it says nothing."""
    unheard = contextlib.suppress(OSError, subprocess.TimeoutExpired)
    with tempfile.TemporaryDirectory(prefix="orkestra-trial-") as home, unheard:
        done = subprocess.run(
            [binary, "--version"],
            env={"PATH": f"{os.path.dirname(binary)}:{os.environ.get('PATH', os.defpath)}", "HOME": home},
            cwd=home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_VERSION,
            check=False,
        )
        lines = done.stdout.decode("utf-8", "replace").split("\n")
        return lines[0].strip()[:100] or None
    return None
