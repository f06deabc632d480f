"""What the runs of all projects have reserved of a day's budget: CONFIG/RUNTIME/reserved.json.

{PROJECT-ID: {"process", "began", "host", "at", "amounts": {unit: whole number}}}. Whoever calls holds the
lock of what was spent (spending.locked). What a run reserved that is gone does not count.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from . import files, processes

FILE = "reserved.json"
_ELSEWHERE = 86400  # seconds that a reservation of another machine counts since it was last heard of
_SAME = 2.0  # seconds by which the beginning of one process may seem to differ


def of_others(folder: Path, project: str) -> dict[str, int]:
    """The sum of what living runs of other projects have reserved, by unit."""
    total: dict[str, int] = {}
    for name, entry in _living(folder).items():
        if name != project:
            for unit, amount in entry["amounts"].items():
                total[unit] = total.get(unit, 0) + amount
    return total


def put(folder: Path, project: str, amounts: dict[str, int]) -> None:
    """What this process has reserved for a project from now on. Raises 73."""
    entries = _living(folder)
    entries.pop(project, None)
    if any(amounts.values()):
        me = os.getpid()
        entries[project] = {
            "process": me,
            "began": processes.began(me),
            "host": os.uname().nodename,
            "at": time.time(),
            "amounts": amounts,
        }
    files.write_atomic(folder / FILE, json.dumps(entries), mode=0o600, sync=False)


def _living(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads(files.read_bounded(folder / FILE, 1 << 20) or b"{}")
        return {name: entry for name, entry in found.items() if _lives(entry)}
    except (ValueError, AttributeError):
        return {}  # nobody but us writes it, and whole: somebody else has been here


def _lives(entry: Any) -> bool:
    try:
        process, began = int(entry["process"]), float(entry["began"])
        if not all(type(amount) is int for amount in entry["amounts"].values()):
            return False
        if entry["host"] != os.uname().nodename:
            return bool(time.time() - entry["at"] < _ELSEWHERE)
    except (KeyError, TypeError, ValueError, AttributeError):
        return False
    return processes.is_alive(process) and abs(processes.began(process) - began) < _SAME
