"""One day of a trial: the agent is started as in a run, in a place of its own, and looked at."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import committee, evidence, files, tickets
from .agents import Agent
from .days import Day, Seen
from .home import PACKAGE

_WAIT = 90  # seconds until a tool has asked its model, or does what that says
_LEFT = 10  # seconds until what has been ended is gone
_NO_ADDRESS = "it says no address of its model (base_url_env), so nobody can stand in for that"
Row = dict[str, Any]


@dataclass
class Rehearsal:
    """Of one agent; its days may be played side by side."""

    agent: Agent
    scripts: Path
    sandbox: str  # ORKESTRA_SANDBOX
    place: Path
    keys: dict[str, str]
    addresses: list[str]  # variables that say where the model is; none where the tool itself is stood in for
    url: str
    running: set[subprocess.Popen[bytes]] = field(default_factory=set)
    stopped: bool = False

    def stop(self) -> None:
        """No further day is played, and who plays one is told to end."""
        self.stopped = True
        for process in list(self.running):
            process.terminate()

    def has_sandbox(self) -> bool:
        """Whether the agent works in one here."""
        probe = [self._script("SAFETY/sandbox.sh"), "--probe"]
        done = subprocess.run(probe, capture_output=True, env=self._env(self.place), check=False)
        return done.returncode == 0 and self.sandbox != "off"

    def play(self, day: Day) -> Row | None:
        """A day's row; None where it is not for this agent."""
        verb = day.verb or ("work" if "work" in self.agent.can else "ballot")
        if self.stopped or verb not in self.agent.can:
            return None
        if not self.addresses and not day.tool:
            return self._row(day, None, _NO_ADDRESS)
        for seconds in day.seconds:
            seen, why = self._once(day, verb, seconds)
            if seen is None:
                return self._row(day, None, why)
            if not self.addresses or self._asked(day):
                wrong = day.check(seen) or (f"left a process: {seen.left[0][:100]}" if seen.left else "")
                return self._row(day, not wrong, wrong)
            why = seen.ended()
        return self._row(day, None, f"it never asked the model at {self.addresses[0]}: {why}")

    @staticmethod
    def _row(day: Day, held: bool | None, why: str) -> Row:
        return {"day": day.name, "wants": day.wants, "held": held, "why": why}

    def _asked(self, day: Day) -> bool:
        text = (files.read_bounded(self.place / "asked.jsonl", 64 << 20) or b"").decode("utf-8", "replace")
        return f'"rule": {json.dumps(day.mark)}' in text

    # --- one start of the agent -------------------------------------------------------------------------

    def _once(self, day: Day, verb: str, seconds: int) -> tuple[Seen | None, str]:
        """What came of it; None, and why, where the tool did not do its part."""
        place = Path(tempfile.mkdtemp(prefix="day-", dir=self.place))
        tree, attempt = place / "cache" / "w1" / "tree", place / "attempt"
        for folder in (
            tree,
            attempt,
            place / "config" / "RUNTIME",
            place / "git" / "objects",
            place / "home",
        ):
            folder.mkdir(parents=True)
        env = self._env(place)
        subprocess.run(["git", "init", "--quiet", str(tree)], env=env, stdin=subprocess.DEVNULL, check=True)
        ticket = self._ticket(place, day, seconds)
        words = [verb, tree.parent if verb == "work" else tree, ticket, attempt]
        words += [tree.parent] if verb == "ballot" else []
        # Its stderr is for whoever looks into it: a ticket that is none, for example.
        with (place / "said").open("wb") as said:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", self._script("AGENTS/spawn.sh"), *map(str, words)],
                env=env,
                cwd=place,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
            self.running.add(process)
            if self.stopped:
                process.terminate()
            begun = not day.stop_at or self._wait_until(process, lambda: self._is_at(day, tree))
            if day.stop_at:
                process.send_signal(signal.SIGTERM)
            code = process.wait()
            self.running.discard(process)
        left = self._left(place)
        if not begun:
            return None, f"the tool did not come to it within {_WAIT} seconds"
        result = evidence.read_result([attempt], self.agent.extract, code)
        if not result.error and not result.problem and code not in (0, 143, 124):
            said_last = (evidence.last_words(path) for path in (place / "said", attempt / "output.log"))
            result.error = next(filter(None, said_last), "")
        found = {
            str(path.relative_to(tree)): files.read_bounded(path, 1 << 16) or b""
            for path in tree.rglob("*")
            if ".git" not in path.relative_to(tree).parts and not path.is_dir()
        }
        if day.needs and day.needs not in found:
            return None, "the tool did not do what the model asked for"
        return Seen(result.exit_over(code), result, found, left), ""

    def _is_at(self, day: Day, tree: Path) -> bool:
        return (tree / day.stop_at).exists() or (day.verb == "ballot" and self._asked(day))

    @staticmethod
    def _wait_until(process: subprocess.Popen[bytes], happened: Callable[[], bool]) -> bool:
        end = time.monotonic() + _WAIT
        while not happened():
            if process.poll() is not None or time.monotonic() > end:
                return False
            time.sleep(0.1)
        return True

    def _ticket(self, place: Path, day: Day, seconds: int) -> Path:
        ticket = place / "runtime" / "w1"
        (ticket / "exchange").mkdir(parents=True)
        env = {**self.keys, **dict.fromkeys(self.addresses, self.url)}
        env |= {"ORKESTRA_MODEL": self.agent.model} if self.agent.model else {}
        read, binary = list(self.agent.read), self.agent.binary
        if not self.addresses:
            binary = str(place / "tool")
            files.write_plain(Path(binary), f"#!/bin/bash\n{day.tool}\n", 0o755)
            read.append(binary)
        texts = {
            "task": "a-trial",
            "try": "1",
            "agent": self.agent.name,
            "adapter": self.agent.adapter,
            "timeout": str(seconds),
            "binary": binary,
            "env": tickets.nul(f"{name}={value}" for name, value in env.items()),
            "tool-read": tickets.nul(read),
            "exchange/prompt.md": f"This is {day.mark} Do as you are asked.\n",
            "exchange/diff.patch": "",
            "exchange/schema.json": json.dumps(committee.BALLOT_SCHEMA),
        }
        for name, text in texts.items():
            files.write_plain(ticket / name, text)
        return ticket

    def _script(self, name: str) -> str:
        return str(self.scripts / name)

    def _env(self, place: Path) -> dict[str, str]:
        """Nothing of the user's but where programs are; what a run would say to spawn.sh."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(place / "home"),
            "LANG": "C.UTF-8",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "PYTHONPATH": str(PACKAGE.parent),
            "ORKESTRA_PYTHON": sys.executable,
            "ORKESTRA_CONFIG": str(place / "config"),
            "ORKESTRA_GIT_DIR": str(place / "git"),
            "ORKESTRA_RUNTIME": str(place / "runtime"),
            "ORKESTRA_WORKSPACES": str(place / "cache"),
            "ORKESTRA_GRACE": "5",
            "ORKESTRA_SANDBOX": self.sandbox,
        }

    def _left(self, place: Path) -> list[str]:
        """Processes that still have to do with a day's place; being ended takes a moment."""
        end = time.monotonic() + _LEFT
        while (found := _in(place)) and time.monotonic() < end:
            time.sleep(0.1)
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        return list(found.values())


def _in(place: Path) -> dict[int, str]:
    """Command lines of processes whose words, environment or working folder name the place."""
    mark, found = str(place).encode(), {}
    for one in Path("/proc").iterdir():
        if not one.name.isdigit() or int(one.name) == os.getpid():
            continue
        try:
            words = (one / "cmdline").read_bytes()
            where = os.fsencode(os.readlink(one / "cwd"))
            if mark in words + b"\0" + (one / "environ").read_bytes() + b"\0" + where:
                found[int(one.name)] = words.replace(b"\0", b" ").decode("utf-8", "replace").strip()
        except OSError:  # it has ended, or is not ours
            continue
    return found
