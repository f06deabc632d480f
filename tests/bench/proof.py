"""How long `orkestra verify` takes over the records of a real run."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
from figures import Figure, Row
from machine import ORKESTRA, Failed, Place


def measure(records: int, rounds: int, say: Callable[[str], None]) -> Row:
    """`records`: outcomes and votes together, each task giving one of both."""
    tasks: list[dict[str, Any]] = [
        {
            "id": f"t{number:06}",
            "title": f"File {number}",
            "agent": "shell",
            "command": f"echo x >{number}.txt",
        }
        for number in range(records // 2)
    ]
    with tempfile.TemporaryDirectory(prefix="orkestra bench ") as name:
        place = Place(Path(name))
        project = place.project("proof", tasks)
        place.run(ORKESTRA, "start", "--workers", "2")
        held = len(
            [*(project / "logs" / "outcomes").rglob("*.json"), *(project / "logs" / "voting").rglob("*.json")]
        )
        if held != 2 * len(tasks):
            raise Failed(f"{held} records of {len(tasks)} tasks: the figure would be worth nothing")
        python = machine.python()
        measured = [
            {"python": place.timed(python, "-c", "pass"), "verify": place.timed(ORKESTRA, "verify")}
            for _ in range(rounds)
        ]
    base = 1000 * statistics.median(each["python"] for each in measured)
    best = min(each["verify"] for each in measured)
    say(f"verify: {held} records in {best:.2f} s")
    figure = Figure(
        "seconds", f"orkestra verify, {held} records", best, "s", 1.0, f"python -c pass, {base:.0f} ms"
    )
    return Row("verify", [figure], {"records": held, "seconds": measured})
