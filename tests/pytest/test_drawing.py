"""Where the report's drawings put things, and what the timeline reads out of a log."""

from __future__ import annotations

import time
from typing import Any

from orkestra_shim import drawing, timeline


def event(at: int, kind: str, task: str, **more: Any) -> dict[str, Any]:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_800_000_000 + at))
    return {"at": stamp, "event": kind, "task": task, "try": 1, **more}


def told(one: timeline.Attempt) -> list[tuple[str, int, int]]:
    return [
        (part.kind, int(part.start) - 1_800_000_000, int(part.end) - 1_800_000_000) for part in one.stages
    ]


def test_the_stages_of_attempts() -> None:
    events = [
        event(0, "claimed", "a", agent="codex", worker="w1"),
        event(4, "worked", "a", agent="codex"),
        event(5, "checked", "a"),
        event(7, "vote-closed", "a"),
        event(7, "revision", "a", **{"try": 2}),
        event(9, "worked", "a"),
        event(10, "checked", "a"),
        event(12, "vote-closed", "a"),
        event(13, "landed", "a"),
        event(20, "claimed", "b", agent="claude", worker="w2"),
        event(25, "attempt-failed", "b"),
        event(40, "claimed", "b", agent="claude", worker="w1"),
        {"at": "yesterday", "event": "worked", "task": "b"},
        {"event": 7},
    ]
    first, again, failed, still = timeline.read(events, {"b": ["a"]})
    assert told(first) == [("working", 0, 4), ("checking", 4, 5), ("voting", 5, 7)]
    assert (first.agent, first.worker, first.end, again.end) == ("codex", "w1", "sent back", "landed")
    assert told(again) == [("working", 7, 9), ("checking", 9, 10), ("voting", 10, 12), ("landing", 12, 13)]
    # It could have begun when `a` was done.
    assert told(failed) == [("waiting", 13, 20), ("working", 20, 25)] and failed.end == "failed"
    assert told(still) == [("waiting", 25, 40)] and still.end == ""


def test_a_day_between_two_nights_takes_no_room() -> None:
    night, day = 3600, 80_000
    attempts = []
    for at in (0, night - 10, day, day + night - 10):
        one = timeline.Attempt(f"t{at}", 1, "shell", "w1")
        one.stages = [timeline.Stage("waiting", 0, at), timeline.Stage("working", at, at + 10)]
        attempts.append(one)
    attempts[0].stages[1].end = night - 20
    attempts[2].stages[1].end = day + night - 20
    line = drawing.timeline(attempts)
    assert line is not None and len(line["breaks"]) == 1
    worked = [bar for bar in line["bars"] if bar["kind"] == "working"]
    assert worked[2]["x"] - worked[1]["x"] < 30, "the break is as wide as the day"
    assert worked[0]["width"] > 400 and abs(worked[0]["width"] - worked[2]["width"]) < 1
    assert max(bar["x"] + bar["width"] for bar in line["bars"]) <= line["width"]
    assert 4 <= len(line["ticks"]) <= 14 and all(tick["x"] <= line["width"] for tick in line["ticks"])
    assert drawing.timeline([]) is None


def test_what_a_task_waits_for_stands_to_its_left() -> None:
    waits = {"a": [], "b": ["a"], "c": ["a", "b"], "d": ["gone"], "x": ["y"], "y": ["x"]}
    rows = {name: {"id": name, "depends_on": before} for name, before in waits.items()}
    graph = drawing.graph(rows)
    x = {node["id"]: node["x"] for node in graph["nodes"]}
    assert x["a"] < x["b"] < x["c"] and x["d"] == x["a"] and set(x) == set(rows)
    assert len(graph["edges"]) == 5
    many = {f"t{at}": {"id": f"t{at}", "depends_on": []} for at in range(1000)}
    wide = drawing.graph(many)
    assert not wide["named"] and len({(node["x"], node["y"]) for node in wide["nodes"]}) == 1000
    assert wide["height"] < 800 and wide["width"] < 1200
    assert drawing.graph({})["nodes"] == []
