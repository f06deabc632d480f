"""The tries of a task that this machine has kept: their folders, who was chosen for each, and why."""

from __future__ import annotations

from pathlib import Path

from . import journal
from .text import printable


def of_task(project: Path, name: str) -> list[dict[str, str]]:
    """By number: `try`, `folder`, and `agent` and `chosen` where the execution log says so. Raises 73."""
    folder = project / "logs" / "execution" / "attempts" / name
    try:
        numbers = sorted(int(one.name) for one in folder.iterdir() if one.name.isdigit())
    except OSError:
        return []
    claims = journal.replay(project / journal.FILE, about=name) if numbers else ()
    told = {
        event.get("try"): {key: printable(event[key]) for key in ("agent", "chosen")}
        for event in claims
        if event["event"] == "claimed" and {"agent", "chosen"} <= event.keys()
    }
    return [{"try": str(one), "folder": str(folder / str(one)), **told.get(one, {})} for one in numbers]
