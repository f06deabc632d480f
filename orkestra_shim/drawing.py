"""Where the marks of the report's drawings stand: the graph of tasks, the timeline. Lengths are pixels."""

from __future__ import annotations

from typing import Any

from .timeline import Attempt

NAMED = 150  # tasks up to which a drawing has names in it; with more it has dots that name themselves
_TALL = 40  # dots of a column
_BREAK = 16  # of the axis of time
_STEPS = (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400, 604800)

Row = dict[str, Any]


def graph(rows: dict[str, Row]) -> dict[str, Any]:
    """Nodes and edges: what a task waits for stands to its left."""
    named = len(rows) <= NAMED
    width, height, gap_x, gap_y = (150, 30, 44, 12) if named else (12, 12, 22, 6)
    nodes: dict[str, dict[str, Any]] = {}
    x = tallest = 0
    for layer in _layers(rows):
        for part in range(0, len(layer), _TALL):
            column = layer[part : part + _TALL]
            for at, name in enumerate(column):
                nodes[name] = {"id": name, "x": 8 + x, "y": 8 + at * (height + gap_y), "row": rows[name]}
            x += width + gap_x
            tallest = max(tallest, len(column))
    edges = [
        _edge(nodes[before], nodes[name], width, height)
        for name, row in rows.items()
        for before in row["depends_on"]
        if before in nodes
    ]
    return {
        "named": named,
        "node": {"width": width, "height": height},
        "width": max(x - gap_x, width) + 16,
        "height": tallest * (height + gap_y) - gap_y + 16 if tallest else 16,
        "nodes": list(nodes.values()),
        "edges": edges,
    }


def _layers(rows: dict[str, Row]) -> list[list[str]]:
    """Names by the longest way to them; each layer in an order with few crossings."""
    waits = {name: [one for one in row["depends_on"] if one in rows] for name, row in rows.items()}
    after: dict[str, list[str]] = {name: [] for name in rows}
    for name, before in waits.items():
        for one in before:
            after[one].append(name)
    left = {name: len(before) for name, before in waits.items()}
    layer = [name for name in rows if not left[name]]
    layers: list[list[str]] = []
    place: dict[str, float] = {}
    while layer:
        layer.sort(key=lambda name: _middle([place[one] for one in waits[name]]))
        place.update((name, at / len(layer)) for at, name in enumerate(layer))
        layers.append(layer)
        following = []
        for name in layer:
            for one in after[name]:
                left[one] -= 1
                if not left[one]:
                    following.append(one)
        layer = following
    rest = [name for name in rows if name not in place]  # a circle: the queue's own check says so
    return [*layers, rest] if rest else layers


def _middle(places: list[float]) -> float:
    return sum(places) / len(places) if places else 0.0


def _edge(one: dict[str, Any], other: dict[str, Any], width: int, height: int) -> str:
    """A curve from the right side of a node to the left side of another."""
    x1, y1 = one["x"] + width, one["y"] + height // 2
    x2, y2 = other["x"], other["y"] + height // 2
    bend = max(12, (x2 - x1) // 2)
    return f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"


def timeline(attempts: list[Attempt]) -> dict[str, Any] | None:
    """A row for each task in the order in which they began; None when nothing was done."""
    if not attempts:
        return None
    names = list(dict.fromkeys(one.task for one in sorted(attempts, key=lambda one: one.start)))
    named = len(names) <= NAMED
    label, wide, tall = (160, 900, 20) if named else (0, 1060, 7)
    axis = _Axis(attempts, label, wide)
    places = {name: at * tall for at, name in enumerate(names)}
    bars = [
        {
            "x": axis.at(stage.start),
            "y": places[one.task] + 2,
            "width": max(1.5, round(axis.at(stage.end) - axis.at(stage.start), 1)),
            "kind": stage.kind,
            "seconds": int(stage.end - stage.start),
            "attempt": one,
        }
        for one in attempts
        for stage in one.stages
    ]
    return {
        "named": named,
        "names": [{"task": name, "y": y} for name, y in places.items()],
        "bars": bars,
        "ticks": axis.ticks(),
        "breaks": axis.breaks,
        "bar": tall - 4,
        "width": label + wide + 12,
        "height": len(names) * tall + 22,
        "begin": axis.spans[0][0],
        "end": axis.spans[-1][1],
        "fine": axis.step < 60,
    }


class _Axis:
    """Pixels of times. Where nobody did anything for long (the day between two nights) it has a break."""

    def __init__(self, attempts: list[Attempt], left: int, wide: int) -> None:
        self.spans = _busy(attempts)
        seconds = max(1.0, sum(end - start for start, end in self.spans))
        self._scale = max(1.0, wide - _BREAK * (len(self.spans) - 1)) / seconds
        self._lefts: list[float] = []
        x = float(left)
        for start, end in self.spans:
            self._lefts.append(x)
            x += (end - start) * self._scale + _BREAK
        self.breaks = [round(one - _BREAK / 2, 1) for one in self._lefts[1:]]
        self.step = next((step for step in _STEPS if seconds / step <= 10), _STEPS[-1])

    def at(self, time: float) -> float:
        """The pixel of a time; of one in a break its end."""
        for (start, end), x in zip(self.spans, self._lefts, strict=True):
            if time <= end:
                return round(x + max(0.0, time - start) * self._scale, 1)
        start, end = self.spans[-1]
        return round(self._lefts[-1] + (end - start) * self._scale, 1)

    def ticks(self) -> list[dict[str, float]]:
        """At round times."""
        found = []
        for start, end in self.spans:
            tick = start + -start % self.step
            while tick <= end:
                found.append({"x": self.at(tick), "at": tick})
                tick += self.step
        return found


def _busy(attempts: list[Attempt]) -> list[tuple[float, float]]:
    """Times in which somebody was at something, with no break that is short beside them."""
    stages = [stage for one in attempts for stage in one.stages if stage.kind != "waiting"]
    times = sorted((stage.start, stage.end) for stage in stages)
    merged = [times[0]]
    least = max(600.0, 0.05 * sum(end - start for start, end in times))
    for start, end in times[1:]:
        if start - merged[-1][1] > least:
            merged.append((start, end))
        else:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
    return merged
