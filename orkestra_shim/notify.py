"""Tells a person's own command what happens in a run.

    python -m orkestra_shim.notify PARENT     beside the run whose process is PARENT

Each event goes to ORKESTRA_NOTIFY (settings.env; a shell command) as one JSON object on its stdin:

    {"schema": "orkestra.event/1", "event": "landed | needs_human | failed | budget_near | run_ended",
     "at": UTC, "project": {"name", "id", "path"}, "task": ID or null, "text": what a person would be told}

No run waits for it: it reads the execution log as that grows. A command has SECONDS, its output goes to
LOGS/notify.log, and what it exits with is told there. More than WAITING events at once are left out, and it
is said how many. When its run is gone it tells that, and ends.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import files, journal

SCHEMA = "orkestra.event/1"
SECONDS = 30
WAITING = 100
LAST = 120  # seconds that may pass after the end of the run
_MUCH = 64 << 20  # bytes of news that are read at a time


class Notifier:
    """One run's events, and the command that is told of them."""

    def __init__(self, command: str, project: Path, name: str, number: str) -> None:
        self._command = command
        self._about = {"name": name, "id": number, "path": str(project)}
        self._log = project / journal.FILE
        self._at = self._log.stat().st_size if self._log.exists() else 0
        self._half = b""
        self._waiting: deque[dict[str, Any]] = deque()
        self._left_out = 0
        self._counts: dict[str, int] = {}

    def look(self) -> None:
        """Take in what the log has since the last time."""
        data, at = files.read_from(self._log, self._at, _MUCH)
        if at < self._at:
            self._half = b""
        self._at = at
        *lines, self._half = (self._half + data).split(b"\n")
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                continue
            for told in _told(event) if isinstance(event, dict) else ():
                self._counts[told["event"]] = self._counts.get(told["event"], 0) + 1
                self._put(told)

    def _put(self, told: dict[str, Any]) -> None:
        if len(self._waiting) >= WAITING:
            self._left_out += 1
        else:
            self._waiting.append({"schema": SCHEMA, "project": self._about, "at": journal.now(), **told})

    def end(self) -> None:
        """The run is gone: the last that is told."""
        self.look()
        counts = [f"{number} {kind.replace('_', ' ')}" for kind, number in self._counts.items()]
        left = [f"{self._left_out} events were not told one by one"] if self._left_out else []
        text = "the run has ended: " + (", ".join([*counts, *left]) or "nothing was decided")
        while len(self._waiting) >= WAITING:
            self._waiting.pop()
        self._put({"event": "run_ended", "task": None, "text": text})

    def tell(self) -> bool:
        """Runs the command for the oldest event; False when there is none."""
        if not self._waiting:
            return False
        told = self._waiting.popleft()
        problem = self._run(json.dumps(told, ensure_ascii=False) + "\n")
        if problem:
            print(f"{journal.now()} {told['event']}: the command {problem}", file=sys.stderr, flush=True)
        return True

    def _run(self, text: str) -> str:
        """What was wrong with the command, '' for nothing; whatever it has started ends with its time."""
        words = ["/bin/sh", "-c", self._command]
        try:
            running = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=sys.stderr, start_new_session=True
            )
        except OSError as error:
            return f"cannot be started: {error.strerror}"
        try:
            running.communicate(text.encode("utf-8", "replace"), timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
            return f"was ended: it took longer than {SECONDS} seconds"
        return f"ended with {running.returncode}" if running.returncode else ""


def _told(event: dict[str, Any]) -> Iterator[dict[str, Any]]:
    kind, task = event.get("event"), event.get("task")
    if kind == "budget-near":
        yield {"event": "budget_near", "task": None, "text": str(event.get("why", ""))}
    if not isinstance(task, str):
        return
    if kind == "landed":
        yield {"event": "landed", "task": task, "text": f"{task} landed as {event.get('outcome')}"}
    elif kind == "held":
        text = f"{task} waits: your edits in {event.get('paths')} are not committed"
        yield {"event": "needs_human", "task": task, "text": text}
    elif kind == "outcome-drafted" and isinstance(event.get("draft"), dict):
        decision, why = event["draft"].get("decision"), event["draft"].get("why")
        if decision in ("needs_human", "failed"):
            word = "needs a person" if decision == "needs_human" else "failed"
            yield {"event": decision, "task": task, "text": f"{task} {word}: {why}"}


def main(words: list[str]) -> int:
    """Until the run is gone and all is told; 0."""
    parent = int(words[0])
    notifier = Notifier(
        os.environ["ORKESTRA_NOTIFY"],
        Path(os.environ["ORKESTRA_PROJECT"]),
        os.environ["ORKESTRA_PROJECT_NAME"],
        os.environ["ORKESTRA_PROJECT_ID"],
    )
    while os.getppid() == parent:
        notifier.look()
        if not notifier.tell():
            time.sleep(1)
    notifier.end()
    until = time.monotonic() + LAST
    while notifier.tell() and time.monotonic() < until:
        pass
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
