"""The whole pipeline for trivial tasks against a hand-written loop, and what a task's time goes into."""

from __future__ import annotations

import collections
import json
import re
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import machine
from figures import Figure, Row
from machine import ORKESTRA, Failed, Place

LOOP = """
set -e
for ((i = 0; i < $1; ++i)); do
  git worktree add -q -b "task-$i" "../tree-$i" main
  (
    cd "../tree-$i"
    mkdir -p src
    echo "$i" >"src/$i.txt"
    test -s "src/$i.txt"
    git add -A
    git commit -q -m "$i"
  )
  git merge -q --no-edit "task-$i"
  git worktree remove "../tree-$i"
  git branch -q -d "task-$i"
done
"""


def trivial(count: int) -> list[dict[str, Any]]:
    """Independent tasks that each write one small file, and whose check looks for it."""
    return [
        {
            "id": f"t{number:04}",
            "title": f"Write file {number}",
            "agent": "shell",
            "command": f"mkdir -p src && echo {number} >src/{number}.txt",
            "check": f"test -s src/{number}.txt",
        }
        for number in range(count)
    ]


def measure(count: int, workers: int, rounds: int, say: Any) -> Row:
    """Both ways in turn, each round in a folder of its own."""
    measured = []
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="orkestra bench ") as name:
            place = Place(Path(name))
            hand, ours = _by_hand(place, count), _by_orkestra(place, count, workers)
        measured.append({"by_hand": hand, "orkestra": ours, "ratio": ours / hand})
        say(f"pipeline {number + 1}: by hand {hand:.2f} s, orkestra {ours:.2f} s")
    ratio = statistics.median(each["ratio"] for each in measured)
    each = {
        key: 1000 * statistics.median(one[key] for one in measured) / count for key in ("by_hand", "orkestra")
    }
    what = f"{count} trivial tasks, {workers} workers: {each['orkestra']:.0f} ms a task"
    figure = Figure("ratio", what, ratio, "", 1.0, f"hand-written loop, {each['by_hand']:.0f} ms a task")
    return Row(
        "pipeline", [figure], {"tasks": count, "workers": workers, "rounds": measured, "milliseconds": each}
    )


def _by_hand(place: Place, count: int) -> float:
    """The hand-written loop, in Bash as a person would write it."""
    folder = place.folder / "hand" / "repository"
    folder.parent.mkdir()
    place.run("git", "init", "-q", "-b", "main", folder)
    place.run("git", "commit", "-q", "--allow-empty", "-m", "start", cwd=folder)
    return place.timed("bash", "-c", LOOP, "loop", str(count), cwd=folder)


def _by_orkestra(place: Place, count: int, workers: int) -> float:
    """The same tasks through `orkestra start`, its start and end included, checked to have all landed."""
    project = place.project("bench", trivial(count))
    seconds = place.timed(ORKESTRA, "start", "--workers", str(workers))
    landed = len(list((project / "src").glob("*.txt")))
    if landed != count:
        raise Failed(f"only {landed} of {count} tasks landed: the figure would be worth nothing")
    return seconds


def profile(count: int, workers: int) -> dict[str, Any]:
    """Programs started for each task, and milliseconds of a core for each part of a run and task.

    Programs: the difference of two runs of `count` and 2 x `count` tasks under strace, so that a run's start
    and end do not count. Cores: what the long-lived processes of a run of 2 x `count` tasks, and their ended
    children, took.
    """
    few, many = _programs(count, workers), _programs(2 * count, workers)
    programs = {
        name: (many[name] - few[name]) / count for name in many if many[name] - few[name] >= count / 10
    }
    parts = {name: 1000 * seconds / (2 * count) for name, seconds in _parts(2 * count, workers).items()}
    return {
        "programs_a_task": dict(sorted(programs.items(), key=lambda each: -each[1])),
        "cpu_milliseconds_a_task": dict(sorted(parts.items(), key=lambda each: -each[1])),
    }


def _programs(count: int, workers: int) -> collections.Counter[str]:
    """How often each program was started."""
    with tempfile.TemporaryDirectory(prefix="orkestra bench ") as name:
        place = Place(Path(name))
        place.project("bench", trivial(count))
        trace = place.folder / "trace"
        command = [
            "strace",
            "-f",
            "-qq",
            "-s",
            "400",
            "-e",
            "trace=execve",
            "-e",
            "status=successful",
            "-o",
            str(trace),
        ]
        place.run(*command, str(ORKESTRA), "start", "--workers", str(workers))
        lines = trace.read_text(errors="replace").splitlines()
    programs: collections.Counter[str] = collections.Counter()
    for line in lines:
        found = re.search(r'execve\("([^"]*)", (\[.*)', line)
        if found:
            programs[_named(found[1], found[2])] += 1
    return programs


def _named(path: str, words: str) -> str:
    """A program by its name; Git by its command, Bash by its script."""
    name = Path(path).name
    arguments = re.findall(r'"((?:[^"\\]|\\.)*)"', words)[1:]
    if name == "git":
        verbs = [word for word in arguments if re.fullmatch(r"[a-z][a-z-]+", word)]
        return f"git {verbs[0]}" if verbs else "git"
    if name in ("bash", "sh") and arguments:
        return f"{name} {Path(arguments[0]).name[:24]}"
    return name


def _parts(count: int, workers: int) -> dict[str, float]:
    """Seconds of a core by part: each long-lived process, and separately what it started."""
    last: dict[int, tuple[str, float, float]] = {}
    with tempfile.TemporaryDirectory(prefix="orkestra bench ") as name:
        place = Place(Path(name))
        place.project("bench", trivial(count))
        with place.running("start", "--workers", str(workers)) as run:
            while run.poll() is None:
                for process in machine.descendants(run.pid):
                    part = last[process][0] if process in last else machine.role(process)
                    own, children = machine.cpu(process)
                    if part in machine.NAMED and own + children:
                        last[process] = (part, own, children)
                time.sleep(0.1)
        if run.returncode:
            raise Failed(f"the profiled run ended with {run.returncode}")
    parts: collections.Counter[str] = collections.Counter()
    for part, own, children in last.values():
        parts[part] += own
        # Those of the orchestrator are the workers and the store once more, as soon as they have ended.
        if part != "orchestrator.sh":
            parts[f"{part}: what it starts"] += children
    return {part: seconds for part, seconds in parts.items() if seconds}


def shown(profile: dict[str, Any]) -> str:
    """The profile for a person."""
    return "profile, for each task of the pipeline:\n" + json.dumps(profile, indent=2)
