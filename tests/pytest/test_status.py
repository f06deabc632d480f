"""status: what a run is at and how long it may take; the morning after; times as people say them."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orkestra_shim import clock, cooldowns, journal, progress
from orkestra_shim.cli import main
from orkestra_shim.cooldowns import Limit
from orkestra_shim.errors import OrkestraError

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A zone with a summer time."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


NOW = datetime(2026, 11, 23, 7, 0, tzinfo=timezone.utc)  # 08:00 in Berlin


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yesterday", "2026-11-21T23:00"),
        ("today", "2026-11-22T23:00"),
        ("8h", "2026-11-22T23:00"),
        ("90m", "2026-11-23T05:30"),
        ("2d", "2026-11-21T07:00"),
        ("22:00", "2026-11-22T21:00"),
        ("07:30", "2026-11-23T06:30"),
        ("2026-11-22", "2026-11-21T23:00"),
        ("2026-07-01", "2026-06-30T22:00"),
        ("2026-11-22 22:00", "2026-11-22T21:00"),
        ("2026-11-22T22:00Z", "2026-11-22T22:00"),
        ("2026-11-22T22:00:00+05:30", "2026-11-22T16:30"),
    ],
)
def test_moments(zone: None, text: str, expected: str) -> None:
    assert clock.moment(text, NOW).isoformat()[:16] == expected


@pytest.mark.parametrize(
    "text", ["", "soon", "25:00", "2026-13-01", "8x", "8", "999999w", "-1h", "2026-11-22 x"]
)
def test_no_moment(text: str) -> None:
    with pytest.raises(OrkestraError) as raised:
        clock.moment(text, NOW)
    assert raised.value.code == 64


def test_lengths_as_people_say_them() -> None:
    shown = [clock.length(one) for one in (-3, 45, 89, 90, 3600, 5400, 11520, 7200, 180000)]
    assert shown == ["0 s", "45 s", "89 s", "2 min", "60 min", "1 h 30 min", "3 h 12 min", "2 h", "2 d 2 h"]


def event(kind: str, at: int, task: str = "a", **fields: Any) -> dict[str, Any]:
    return {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)), "event": kind, "task": task, **fields}


def attempt(
    at: int, seconds: int, task: str, agent: str = "shell", end: str = "landed"
) -> list[dict[str, Any]]:
    return [
        event("claimed", at, task, **{"try": 1}, agent=agent, mode="fresh"),
        event(end, at + seconds, task),
    ]


def test_how_long_things_took() -> None:
    past = progress.told(
        [
            *attempt(1000, 60, "a"),
            *attempt(1000, 80, "b", end="attempt-failed"),
            *attempt(1000, 500, "c", "claude"),
            *attempt(1000, 5, "d", end="released"),
            *attempt(1000, -50, "e"),
            event("claimed", 2000, "f", **{"try": 2}, agent="shell", mode="resume"),
            event("landed", 2001, "f"),
            event("claimed", 3000, "g", **{"try": 3}, agent="claude", mode="fresh"),
            event("held", 4000, "h", paths="src/x"),
            event("held", 4000, "i", paths="src/y"),
            *attempt(5000, 10, "i"),
            {"event": 5},
            {"at": "never", "event": "landed", "task": "g"},
        ]
    )
    assert past.lengths == {"shell": [60, 80, 10], "claude": [500]}
    assert past.begun == {"g": (3, "claude", 3000.0)}
    assert past.held == {"h": "src/x"}
    assert progress.median(past.of("shell")) == 60 and progress.median(past.of("auto")) == 80
    assert progress.median(past.of("nobody")) is None


def rows(*specifications: tuple[str, list[str]], agent: str = "shell") -> dict[str, dict[str, Any]]:
    return {
        name: {"id": name, "state": "waiting" if before else "ready", "depends_on": before, "agent": agent}
        for name, before in specifications
    }


def test_the_span_of_what_is_left() -> None:
    past = progress.Past(lengths={"shell": [60] * 8}, settled=8)
    four = rows(("a", []), ("b", []), ("c", []), ("d", []))
    assert progress.span(four, past, 2) == (120, 181)
    chain = rows(("a", []), ("b", ["a"]), ("c", ["b"]), ("d", []))
    assert progress.span(chain, past, 4) == (180, 241)
    four["d"] |= {"blocked_by": "x"}
    assert progress.span(four, past, 1) == (180, 241)
    # As often as a task was tried so far.
    assert progress.span(chain, progress.Past(lengths={"shell": [60] * 16}, settled=8), 4) == (180, 481)


def test_nobody_knows_without_attempts_of_that_agent() -> None:
    past = progress.Past(lengths={"shell": [60] * 8}, settled=8)
    assert progress.span(rows(("a", []), agent="claude"), past, 2) is None
    assert progress.span(rows(("a", [])), progress.Past(lengths={"shell": [60] * 4}), 2) is None
    assert progress.span({}, past, 2) is None


@given(st.lists(st.integers(0, 10), min_size=1, max_size=12), st.integers(1, 4), st.data())
def test_a_span_holds_whatever_the_graph(lengths: list[int], workers: int, data: st.DataObject) -> None:
    """Simulated: where all take as long as ever, the run ends within the span."""
    names = [f"t{number}" for number in range(len(lengths))]
    before = {
        name: data.draw(st.lists(st.sampled_from(names[:number]), unique=True, max_size=3)) if number else []
        for number, name in enumerate(names)
    }
    found = progress.span(
        rows(*before.items()), progress.Past(lengths={"shell": [7] * 9}, settled=9), workers
    )
    assert found is not None
    free, ends = [0] * workers, dict[str, int]()
    for name in names:
        free.sort()
        ends[name] = max([free[0], *(ends[one] for one in before[name])]) + 7
        free[0] = ends[name]
    assert found[0] <= max(ends.values()) <= found[1]


def test_events_since_a_time_are_read_from_the_end(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = place / "log"
    assert journal.since(log, "2026") == []
    events = [event("worked", 1000 + number, seconds=number, text="ä" * 50) for number in range(400)]
    log.write_bytes(b'{"half\n' + b"".join(json.dumps(one).encode() + b"\n" for one in events) + b'{"at": "9')
    for block in (37, 4096, 1 << 20):
        monkeypatch.setattr(journal, "_BLOCK", block)
        assert journal.since(log, events[250]["at"]) == events[250:]
        assert journal.since(log, events[0]["at"]) == events


# --- the command --------------------------------------------------------------------------------------------


@pytest.fixture
def project(place: Path, capsys: Capture) -> Path:
    """A project with four tasks, the second and third waiting for the first."""
    assert main(["new", "one"]) == 0
    path = Path(os.environ["ORKESTRA_HOME"]) / "PROJECTS" / "one"
    tasks = [
        {"id": "first", "status": "failed", "reason": "it broke"},
        {"id": "second", "depends_on": ["first"]},
        {"id": "third", "depends_on": ["second"]},
        {"id": "fourth"},
        {"id": "fifth", "agent": "claude"},
    ]
    filled = [{"title": one["id"], "agent": "shell", "command": "true", **one} for one in tasks]
    (path / "config" / "task-queue.json").write_text(json.dumps({"version": 1, "tasks": filled}))
    subprocess.run(
        ["git", "-C", str(path), "-c", "user.name=x", "-c", "user.email=x", "commit", "-qam", "x"], check=True
    )
    capsys.readouterr()
    return path


def log(project: Path, *events: dict[str, Any]) -> None:
    path = project / journal.FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.writelines(json.dumps(one, separators=(",", ":")) + "\n" for one in events)


def test_what_is_blocked_and_what_waits_for_an_edit(project: Path, capsys: Capture) -> None:
    log(
        project,
        event("held", 5000, "fourth", paths="src/mine"),
    )
    assert main(["status"]) == 0
    out = capsys.readouterr().out
    assert "blocked        second, third: first is failed" in out
    assert "waits for you  fourth: your edits in src/mine are not committed" in out


def test_what_is_limited_and_what_waits_for_it(project: Path, capsys: Capture) -> None:
    runtime = Path(os.environ["ORKESTRA_HOME"]) / "CONFIG" / "RUNTIME"
    soon = int(time.time()) + 3600
    limits = [Limit("shell", None, soon - 60, soon, "come back"), Limit("codex", "o", soon - 60, soon)]
    cooldowns.change(runtime, lambda _: limits)
    log(project, event("review-put-off", 5000, "fourth", reviewers=["codex:o"], commit="", missing=1))
    assert main(["status"]) == 0
    out = capsys.readouterr().out
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(soon))
    assert f"limited        shell until {when}: come back" in out
    assert f"limited        codex:o until {when} (waits for its review: fourth)" in out
    assert main(["task", "list"]) == 0
    assert "(its review waits for codex:o, limited)" in capsys.readouterr().out
    assert main(["status", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["limited"]["shell"] == {"until": soon, "why": "come back"}
    assert {row["id"]: row.get("limited") for row in told["tasks"]}["fourth"] == ["codex:o"]
    log(project, event("claimed", 5001, "fourth", mode="resume"))
    assert main(["status"]) == 0
    assert "its review" not in capsys.readouterr().out
    (runtime / cooldowns.FILE).write_text("{")
    assert main(["status"]) == 0
    assert "limits.json: " in capsys.readouterr().out


def a_run(project: Path, *now: str) -> None:
    """As a run shows itself: the holder, and what each worker is at."""
    (project / ".git" / "orkestra").mkdir(exist_ok=True)
    holder = f"{os.getpid()} {os.uname().nodename} 2026-11-23T06:00:00+0000\n"
    (project / ".git" / "orkestra" / "holder").write_text(holder)
    identity = json.loads((project / "config" / "project.json").read_text())["id"]
    runtime = Path(os.environ["ORKESTRA_HOME"]) / "CONFIG" / "RUNTIME" / identity
    (runtime / "run").mkdir(parents=True)
    for number, line in enumerate(now, 1):
        (runtime / f"w{number}").mkdir()
        (runtime / f"w{number}" / "now").write_text(line)
        (runtime / "run" / f"w{number}.req").touch()


def test_a_run_shows_each_worker_its_stage_and_what_is_left(
    project: Path, capsys: Capture, zone: None
) -> None:
    at = int(time.time())
    log(
        project,
        *(one for number in range(6) for one in attempt(at - 9000, 600, f"x{number}")),
        event("claimed", at - 240, "fourth", **{"try": 2}, agent="shell", mode="fresh"),
    )
    a_run(
        project, f"fourth\t2\tshell\tcheck\t{at - 30}\n", f"fifth\t1\tclaude\twork\t{at - 100}\n", "half\t1"
    )
    assert main(["status"]) == 0
    out = capsys.readouterr().out
    assert "a run goes on since 2026-11-23 07:00" in out
    assert (
        "w1  fourth  check since 30 s, try 2 by shell for 4 min; about 6 min left: 6 attempts took 10 min"
        in out
    )
    assert (
        "w2  fifth  work since 2 min, try 1 by claude for 2 min; time left unknown: no attempt by claude"
        in out
    )
    assert "time left: unknown, too few attempts" in out
    log(project, *(one for number in range(6) for one in attempt(at - 9000, 60, f"y{number}", "claude")))
    assert main(["status"]) == 0
    out = capsys.readouterr().out
    assert "longer than usual: 6 attempts took 60 s (median)" in out
    assert "time left: 6 min to 8 min, if the rest goes as 12 attempts so far" in out
    assert main(["status", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    row = next(one for one in told["tasks"] if one["id"] == "fourth")
    assert (row["state"], row["stage"], row["since"], row["usual_seconds"]) == (
        "in_progress",
        "check",
        at - 240,
        600,
    )


def test_the_morning_in_five_lines(project: Path, capsys: Capture) -> None:
    at = int(time.time())
    draft = {"decision": "needs_human", "why": "two\nminds"}
    log(
        project,
        event("worked", at - 7 * 3600, "x", usd_micros=9_000_000, tokens=5, seconds=5),
        event("worked", at - 3600, "x", usd_micros=1_250_000, tokens=4000, seconds=60),
        event("worked", at - 1800, "x", usd_micros=0, tokens=56, seconds=60),
        event("outcome-drafted", at - 1700, "fifth", **{"try": 1}, draft=draft),
    )
    assert main(["status", "--since", "4h"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("project one (") and lines[1:] == [
        "landed     nothing",
        "failed     nothing",
        "needs you  1: fifth (two minds)",
        "spent      $1.25, 4,056 tokens, 2 min of agents' work",
        "next       2 to do, 2 blocked: orkestra start",
    ]
    assert main(["status", "--since", "8h", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["spent"] == {
        "usd_micros": 10_250_000,
        "notional_usd_micros": 0,
        "unknown": 0,
        "tokens": 4061,
        "seconds": 125,
        "from": "execution log",
    }
    assert datetime.fromisoformat(told["since"].replace("Z", "+00:00")) - datetime.now(
        timezone.utc
    ) < timedelta(hours=-7)
    assert main(["status", "--since", "tomorrow"]) == 64
