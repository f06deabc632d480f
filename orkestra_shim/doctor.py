"""`orkestra doctor`: what is missing on this machine and what killed runs left, and what mends it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orkestra_shim import home as home_module
from orkestra_shim import keyring, lacking, projects, repo, scripts, settings
from orkestra_shim.errors import EX_OK, EX_UNAVAILABLE, OrkestraError
from orkestra_shim.home import Home, scripts_folder
from orkestra_shim.settings import Value
from orkestra_shim.text import printable, word

if TYPE_CHECKING:
    from orkestra_shim.mending import Item

GOOD, WARNING, MISSING = "ok", "note", "missing"

_GROUPS_CURE = "where systemd runs, start it so: systemd-run --user --scope orkestra start"


@dataclass(frozen=True)
class Finding:
    """One thing looked at: its state, what was found, and what mends it."""

    name: str
    state: str
    text: str
    cure: str = ""

    @property
    def mark(self) -> str:
        """Its state, as wide as the widest."""
        return f"{self.state:<7}"

    def as_dict(self) -> dict[str, str]:
        """For programs."""
        return {"name": self.name, "state": self.state, "text": self.text, "cure": self.cure}


def exit_code(found: list[Finding]) -> int:
    """0 when nothing is missing, else 69."""
    return EX_UNAVAILABLE if any(one.state == MISSING for one in found) else EX_OK


def examine() -> list[Finding]:
    """Looks at everything; never raises for what it finds."""
    found = [_bash(), _git(), *_tools(), _python()]
    try:
        home = home_module.open_home()
        values = settings.load(home)
    except OrkestraError as error:
        return [*found, Finding("settings", MISSING, error.message, error.hint)]
    found.append(Finding("settings", GOOD, f"home {home.folder}"))
    found += [
        _sandbox(home, values),
        *_launcher(home, values),
        *_limits(home, values),
        _keys(home),
        _scanners(),
        *_space(home, values),
        *_agents(home, values),
    ]
    return found


def left_behind() -> list[Item]:
    """What killed runs left in this home; nothing where the home cannot be read (examine says why)."""
    from orkestra_shim import mending
    from orkestra_shim.session import open_session

    try:
        return mending.find(open_session())
    except OrkestraError:
        return []


def lines(items: list[Item]) -> list[str]:
    """What was left, for people: each thing and what mending it does."""
    shown = []
    for item in items:
        what = item.what.does or "only a person can say whether it is needed: look at it, then remove it"
        shown += [f"left    {item.name}: {item.what.text}", f"      {what}"]
    if any(item.what.does for item in items):
        shown.append("orkestra doctor --fix does this")
    return shown


def as_dict(item: Item) -> dict[str, str]:
    """For programs."""
    return {"name": item.name, "state": "left", "text": item.what.text, "cure": item.what.does}


def _first_line(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    return lines[0] if lines and done.returncode == 0 else ""


def _bash() -> Finding:
    text = _first_line(["bash", "-c", 'echo "${BASH_VERSINFO[0]} ${BASH_VERSINFO[1]} $BASH_VERSION"'])
    major, minor, full = ([*text.split(" ", 2), "", "", ""])[:3]
    if major.isdigit() and minor.isdigit() and (int(major), int(minor)) >= (5, 1):
        return Finding("bash", GOOD, full)
    return Finding(
        "bash", MISSING, f"Bash 5.1 or newer is needed, this is {full or 'none'}", "apt-get install bash"
    )


def _git() -> Finding:
    try:
        repo.need_version()
    except OrkestraError as error:
        return Finding("git", MISSING, error.message, error.hint)
    return Finding("git", GOOD, ".".join(map(str, repo.version())))


def _tools() -> Iterator[Finding]:
    for command, package in (("setpriv", "util-linux"), ("flock", "util-linux"), ("timeout", "coreutils")):
        path = shutil.which(command)
        if path:
            yield Finding(command, GOOD, path)
        else:
            yield Finding(command, MISSING, "not installed", f"apt-get install {package}")


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    missing = lacking.names()
    if missing:
        told = f"{version} in {sys.prefix} lacks {', '.join(missing)}"
        return Finding("python", MISSING, told, lacking.cure(missing))
    return Finding("python", GOOD, f"{version} in {sys.prefix}")


_NO_ANSWER = "its probe hung, or could not be started"


def _sandbox(home: Home, values: dict[str, Value]) -> Finding:
    mode = values["ORKESTRA_SANDBOX"]
    if mode.text == "off":
        return Finding("sandbox", WARNING, f"switched off ({mode.source}): agents can reach all that you can")
    try:
        code, said = scripts.capture(home, values, "SAFETY/sandbox.sh", ["--probe"], 30.0)
    except OrkestraError as error:
        return Finding("sandbox", MISSING, error.message, error.hint)
    except Exception:  # sh raises many kinds when a command hangs or cannot start
        return Finding("sandbox", MISSING, _NO_ANSWER, "see: SCRIPTS/SAFETY/sandbox.sh --probe")
    if code == 0:
        return Finding("sandbox", GOOD, "bubblewrap works")
    lines = [line.strip().removeprefix("orkestra: ") for line in said.splitlines() if line.strip()]
    cure = " ".join(lines[1:]) or "apt-get install bubblewrap"
    return Finding("sandbox", MISSING, lines[0] if lines else "bubblewrap does not work", cure)


def _launcher(home: Home, values: dict[str, Value]) -> Iterator[Finding]:
    """Whether jobs can be started where agents and checks run elsewhere."""
    words = values["ORKESTRA_LAUNCHER"].text.split()
    if not words:
        return
    name = words[0]
    try:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
            raise OrkestraError(EX_UNAVAILABLE, f"{printable(name)} cannot be the name of a launcher")
        places = (home.config / "launchers" / name, scripts_folder(home.root) / "SAFETY" / "launchers" / name)
        place = next((one for one in places if os.access(one, os.X_OK)), None)
        if place is None:
            raise OrkestraError(EX_UNAVAILABLE, f"there is no launcher {name} that can be executed")
        code, said = scripts.capture(home, values, str(place), ["probe"], 30.0)
    except OrkestraError as error:
        yield Finding("launcher", MISSING, error.message, "mend ORKESTRA_LAUNCHER in CONFIG/settings.env")
        return
    except Exception:  # as above
        yield Finding("launcher", MISSING, f"{name}: {_NO_ANSWER}", f"see: {word(place)} probe")
        return
    lines = [line.strip().removeprefix("orkestra: ") for line in said.splitlines() if line.strip()]
    if code == 0:
        yield Finding("launcher", GOOD, f"{name} can start jobs")
    else:
        yield Finding(
            "launcher", MISSING, f"{name}: {lines[0] if lines else _NO_ANSWER}", " ".join(lines[1:])
        )


def _limits(home: Home, values: dict[str, Value]) -> Iterator[Finding]:
    """Processes and memory; output and disk are looked at everywhere."""
    try:
        _code, said = scripts.capture(home, values, "SAFETY/limits.sh", ["probe"], 30.0)
    except OrkestraError as error:
        yield Finding("limits", MISSING, error.message, error.hint)
        return
    except Exception:  # as above
        yield Finding("limits", MISSING, _NO_ANSWER, "see: SCRIPTS/SAFETY/limits.sh probe")
        return
    groups = dict(line.split("\t", 1) for line in said.splitlines() if "\t" in line)
    processes, memory = values["ORKESTRA_PROCESSES_LIMIT"].text, values["ORKESTRA_MEMORY_LIMIT"].text
    if processes == "0":
        yield Finding("processes", WARNING, "an agent may start as many as it likes")
    elif groups.get("pids"):
        yield Finding("processes", GOOD, f"at most {processes}, held by a control group in {groups['pids']}")
    else:
        how = "root is under no limit of the kernel's" if os.geteuid() == 0 else "and by RLIMIT_NPROC"
        text = f"at most {processes}, counted every two seconds, {how}; no control group can be made here"
        if values["ORKESTRA_SANDBOX"].text == "off":
            text += ", so what throws away its environment outlives its agent"
        yield Finding("processes", WARNING, text, _GROUPS_CURE)
    if memory == "0":
        yield Finding("memory", GOOD, "not limited (ORKESTRA_MEMORY_LIMIT)")
    elif groups.get("memory"):
        yield Finding("memory", GOOD, f"at most {memory} MiB, held by a control group in {groups['memory']}")
    else:
        yield Finding(
            "memory",
            MISSING,
            f"ORKESTRA_MEMORY_LIMIT={memory} cannot hold: no control group for memory can be made here",
            _GROUPS_CURE,
        )


def _keys(home: Home) -> Finding:
    try:
        keyring.need_private(home.config)
        found = keyring.read(home.config).by_account
    except OrkestraError as error:
        return Finding("keys", MISSING, error.message, error.hint)
    told = [f"{', '.join(sorted(own))} in {keyring.shown(name)}" for name, own in found.items() if own]
    return Finding(
        "keys", GOOD, "; ".join(told) or "none; plain commands and tools with their own login need none"
    )


def _scanners() -> Finding:
    """What finds keys by their looks beside the gate's own patterns."""
    found = [name for name in ("gitleaks", "detect-secrets") if shutil.which(name)]
    if found:
        return Finding("scanners", GOOD, f"{' and '.join(found)}: asked about each change")
    return Finding("scanners", GOOD, "none; gitleaks or detect-secrets would be asked about each change")


def _space(home: Home, values: dict[str, Value]) -> Iterator[Finding]:
    places = {
        "projects": values["ORKESTRA_PROJECTS"].text,
        "workspaces": values["ORKESTRA_WORKSPACES_DIR"].text,
    }
    least = int(values["ORKESTRA_LEAST_SPACE"].text) << 20
    for name, text in {**places, "logs": str(home.logs)}.items():
        folder = Path(text)
        while not folder.exists():
            folder = folder.parent
        if not os.access(folder, os.W_OK):
            yield Finding(name, MISSING, f"{text} cannot be written", f"ls -ld {word(folder)}")
            continue
        free = shutil.disk_usage(folder).free
        size = f"{free / (1 << 30):.1f} GiB free ({text})"
        yield Finding(name, GOOD if free >= least else WARNING, size)


def _agents(home: Home, values: dict[str, Value]) -> Iterator[Finding]:
    """The agents that the active project names."""
    from orkestra_shim.agents import Agents

    try:
        found = projects.find(home, settings.projects(values), None)
        known = Agents(scripts_folder(home.root), home.config, keyring.read(home.config))
    except OrkestraError:
        return
    for name in found.workers or ["shell"]:
        agent = known.get(name)
        if agent.problem:
            yield Finding(f"agent {name}", MISSING, agent.problem)
        else:
            yield Finding(f"agent {name}", GOOD, agent.binary or agent.adapter)
