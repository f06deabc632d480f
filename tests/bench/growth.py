"""What a long queue costs: the start, a claim, a task and the store's memory at several sizes; a plot."""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import machine
from figures import Figure, Row
from machine import ROOT, Failed, Place

sys.path.insert(0, str(ROOT / "tests" / "pytest"))
import store_client  # the store's own client of its tests: real Git, real pipes

CLAIMS, TASKS, FLAT = 60, 40, 1.5  # how many are timed; what still counts as flat


def measure(sizes: list[int], say: Callable[[str], None]) -> Row:
    """Each size once, with a median over claims; start and memory are those of the longest queue."""
    points = []
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="orkestra bench ") as folder:
            claim, cycle = _claims(Path(folder), size)
        with tempfile.TemporaryDirectory(prefix="orkestra bench ") as folder:
            start, task, memory = _run(Place(Path(folder)), size)
        points.append(
            {
                "tasks": size,
                "start_seconds": start,
                "claim_milliseconds": 1000 * claim,
                "bookkeeping_milliseconds": 1000 * cycle,
                "task_milliseconds": 1000 * task,
                "store_megabytes": memory,
            }
        )
        say("queue: " + ", ".join(f"{name} {value:.2f}" for name, value in points[-1].items()))
    first, last = points[0], points[-1]
    size = int(last["tasks"])
    ratio = last["claim_milliseconds"] / first["claim_milliseconds"]
    whole = last["task_milliseconds"] / first["task_milliseconds"]
    against = f"a queue of {sizes[0]}: {first['claim_milliseconds']:.2f} ms"
    figures = [
        Figure(
            "start",
            f"{size} tasks: from the command to the first claim",
            last["start_seconds"],
            "s",
            3.0,
            "-",
        ),
        Figure(
            "claim", f"{size} tasks: a claim, {last['claim_milliseconds']:.2f} ms", ratio, "x", FLAT, against
        ),
        Figure(
            "task",
            f"{size} tasks: a task that changes nothing, {last['task_milliseconds']:.0f} ms",
            whole,
            "x",
            None,
            f"a queue of {sizes[0]}: {first['task_milliseconds']:.0f} ms",
        ),
        Figure(
            "memory", f"{size} tasks: the store at its largest", last["store_megabytes"], "MB", 300.0, "-"
        ),
    ]
    return Row("queue", figures, {"points": points})


def _claims(folder: Path, size: int) -> tuple[float, float]:
    """Seconds of a claim, and of all that the store does for a task that changes nothing: medians."""
    project = store_client.Project(folder, machine.nothing(size))
    store = store_client.Store(project)
    if not store.ready:
        raise Failed(f"the store does not start with {size} tasks: {store.failure()[1][-500:]}")
    worker = store_client.Worker(store)
    tree = store_client.git(project.path, "rev-parse", "main^{tree}")
    claims, cycles = [], []
    try:
        for _ in range(min(CLAIMS, size)):
            begun = time.monotonic()
            if worker.claim()[1] != "task":
                raise Failed("the store gives no task where some are ready")
            claims.append(time.monotonic() - begun)
            for request in (
                ("base", project.head),
                ("worked", "0", "1", str(worker.ticket)),
                ("taken", tree, "0"),
                ("checked", "0", "0", tree),
                ("settled",),
            ):
                told = worker.client.ask(*request)
                if told[0] != "ok":
                    raise Failed(f"the store answers {request[0]} with {told}")
            cycles.append(time.monotonic() - begun)
    finally:
        store.kill()
    return statistics.median(claims), statistics.median(cycles)


def _run(place: Place, size: int) -> tuple[float, float, float]:
    """A real run: seconds to the first claim, seconds a task, megabytes of the store at its largest."""
    project = place.project("queue", machine.nothing(size))
    wanted = min(TASKS, size)
    begun = time.monotonic()
    with place.running("start", "--workers", "2") as run:
        start = _reached(project, run, "claimed", 1) - begun
        some = _reached(project, run, "outcome-drafted", wanted // 4)
        done = _reached(project, run, "outcome-drafted", wanted)
        store = [each for each in machine.descendants(run.pid) if machine.role(each) == "orkestra_shim.store"]
        memory = max((machine.peak(each) for each in store), default=0)
        if not memory:
            raise Failed("the store of the run is not to be found")
    return start, (done - some) / (wanted - wanted // 4), memory


def _reached(project: Path, run: subprocess.Popen[bytes], event: str, count: int) -> float:
    """When the journal holds as many of an event."""
    while machine.journal(project, event) < count:
        if run.poll() is not None:
            raise Failed(f"the run ended with {run.returncode} before {count} x {event}")
        time.sleep(0.02)
    return time.monotonic()


def plot(row: Row) -> str:
    """An SVG: milliseconds of a claim and of a task over the number of tasks, both axes logarithmic."""
    points = row.measured["points"]
    series = (
        ("claim_milliseconds", "a claim", "#1b6ca8"),
        ("bookkeeping_milliseconds", "all that the store does for a task", "#2e8b57"),
        ("task_milliseconds", "a task that changes nothing, two workers", "#c0392b"),
    )
    values = [point[key] for point in points for key, _, _ in series]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    left, right = math.log10(points[0]["tasks"]), math.log10(points[-1]["tasks"])

    def x(tasks: float) -> float:
        return 80 + 520 * (math.log10(tasks) - left) / max(right - left, 1e-9)

    def y(value: float) -> float:
        return 340 - 280 * (math.log10(value) - low) / max(high - low, 1)

    out = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 480"',
        ' font-family="sans-serif" font-size="13">',
        '<rect width="640" height="480" fill="white"/>',
        '<text x="80" y="32" font-size="16">What a task costs as the queue grows</text>',
    ]
    for power in range(low, high + 1):
        at = y(10**power)
        out.append(f'<line x1="80" x2="600" y1="{at:.1f}" y2="{at:.1f}" stroke="#ddd"/>')
        out.append(f'<text x="72" y="{at + 4:.1f}" text-anchor="end">{10**power:g} ms</text>')
    for point in points:
        out.append(
            f'<text x="{x(point["tasks"]):.1f}" y="362" text-anchor="middle">{point["tasks"]:,}</text>'
        )
    out.append('<text x="340" y="384" text-anchor="middle">tasks in the queue</text>')
    for number, (key, label, colour) in enumerate(series):
        line = " ".join(f"{x(point['tasks']):.1f},{y(point[key]):.1f}" for point in points)
        out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for point in points:
            at = f'cx="{x(point["tasks"]):.1f}" cy="{y(point[key]):.1f}"'
            out.append(f'<circle {at} r="3.5" fill="{colour}"/>')
            place = f'x="{x(point["tasks"]):.1f}" y="{y(point[key]) - 9:.1f}"'
            out.append(f'<text {place} text-anchor="middle" fill="{colour}">{point[key]:.3g}</text>')
        out.append(f'<rect x="80" y="{402 + 22 * number}" width="14" height="4" fill="{colour}"/>')
        out.append(f'<text x="102" y="{409 + 22 * number}">{label}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"
