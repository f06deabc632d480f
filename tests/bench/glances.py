"""A workspace in a large repository, a glance at a long queue, and a run that rests."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
from figures import Figure, Row
from machine import ORKESTRA, ROOT, Failed, Place

PREPARE = """
scripts=$1 workspace=$2 rounds=$3 commits=("$4" "$5")
source "$scripts/CORE/lib/boot.bash"
use workspace
trap '' PIPE
cd "$ORKESTRA_PROJECT"
workspace::prepare "$workspace" "${commits[1]}"
printf 'cold %s %s\\n' "$WORKSPACE_STATUS" 0
for ((round = 0; round < rounds; ++round)); do
  commit=${commits[round % 2]}
  printf 'left behind\\n' >"$workspace/tree/left behind"
  begun=${EPOCHREALTIME/./}
  workspace::prepare "$workspace" "$commit"
  ours=$((${EPOCHREALTIME/./} - begun))
  ((WORKSPACE_STATUS == 0)) || printf 'failed %s 0\\n' "$WORKSPACE_WHY"
  [[ ! -e "$workspace/tree/left behind" ]] || printf 'failed left-behind 0\\n'
  begun=${EPOCHREALTIME/./}
  git worktree add -q --detach "$workspace/../added" "$commit" >&2
  printf 'round %s %s\\n' "$ours" "$((${EPOCHREALTIME/./} - begun))"
  git worktree remove --force "$workspace/../added" >&2
done
keeper::end
"""


def workspace(count: int, rounds: int, say: Callable[[str], None]) -> Row:
    """From one commit to the next, ten files apart, in a workspace that has been used."""
    with tempfile.TemporaryDirectory(prefix="orkestra bench ") as name:
        place = Place(Path(name))
        project = place.project("large", [])
        for number in range(count):
            file = project / "src" / f"{number // 200:03}" / f"{number:05}.txt"
            if number % 200 == 0:
                file.parent.mkdir(parents=True)
            file.write_text(f"file {number}\n" * 20)
        commits = []
        for text in ("first", "second"):
            for number in range(10):
                (project / "src" / "000" / f"{number:05}.txt").write_text(f"{text}\n")
            place.run("git", "add", "-A", cwd=project)
            place.run("git", "commit", "-q", "-m", text, cwd=project)
            commits.append(place.run("git", "rev-parse", "HEAD", cwd=project).strip())
        runtime = place.folder / "runtime"
        (place.folder / "cache" / "w1").mkdir(parents=True)
        runtime.mkdir()
        (runtime / "secrets").touch()
        place.env |= {
            "ORKESTRA_PROJECT": str(project),
            "ORKESTRA_GIT_DIR": str(project / ".git"),
            "ORKESTRA_BRANCH": json.loads((project / "config" / "project.json").read_text())["branch"],
            "ORKESTRA_GRACE": "5",
            "ORKESTRA_RUNTIME": str(runtime),
            "ORKESTRA_WORKSPACES": str(place.folder / "cache"),
            "ORKESTRA_PROJECT_NAME": "large",
            "ORKESTRA_LOGS": str(place.folder),
            "ORKESTRA_SECRETS_FILE": str(runtime / "secrets"),
        }
        script = [
            "bash",
            "-c",
            PREPARE,
            "bench",
            ROOT / "SCRIPTS",
            place.folder / "cache" / "w1",
            str(rounds),
            *commits,
        ]
        lines = [line.split() for line in place.run(*script).splitlines()]
    if (
        lines[0][:2] != ["cold", "0"]
        or any(line[0] != "round" for line in lines[1:])
        or len(lines) != rounds + 1
    ):
        raise Failed(f"the workspace could not be prepared: {lines}")
    measured = [{"workspace": int(line[1]) / 1000, "worktree_add": int(line[2]) / 1000} for line in lines[1:]]
    ratio = statistics.median(each["workspace"] / each["worktree_add"] for each in measured)
    ours, theirs = (
        statistics.median(each[key] for each in measured) for key in ("workspace", "worktree_add")
    )
    say(f"workspace: {ours:.1f} ms, git worktree add {theirs:.1f} ms")
    figure = Figure(
        "ratio",
        f"{count} files: the next base, {ours:.1f} ms",
        ratio,
        "x",
        0.1,
        f"git worktree add, {theirs:.0f} ms",
    )
    return Row("workspace", [figure], {"files": count, "milliseconds": measured})


def glance(count: int, done: int, rounds: int, say: Callable[[str], None]) -> Row:
    """`status` and `task list` of a queue of which some is done, beside the start of Python and Git."""
    with tempfile.TemporaryDirectory(prefix="orkestra bench ") as name:
        place = Place(Path(name))
        tasks = machine.nothing(count)
        project = place.project("glance", tasks)
        only = [word for task in tasks[:done] for word in ("--only", task["id"])]
        place.run(ORKESTRA, "start", *only, codes=(0, 1))
        python = machine.python()
        measured = []
        for _ in range(rounds):
            base = place.timed(python, "-c", "pass") + place.timed("git", "status", cwd=project)
            one = {"python_and_git": base, "status": place.timed(ORKESTRA, "status")}
            measured.append({**one, "task list": place.timed(ORKESTRA, "task", "list")})
        listed = place.run(ORKESTRA, "task", "list").splitlines()
    if len(listed) < count or sum(line.startswith("completed") for line in listed) != done:
        raise Failed(f"task list shows {len(listed)} lines for {count} tasks of which {done} are done")
    base = 1000 * statistics.median(each["python_and_git"] for each in measured)
    figures = []
    for command in ("status", "task list"):
        taken = 1000 * statistics.median(each[command] for each in measured)
        ratio = statistics.median(each[command] / each["python_and_git"] for each in measured)
        what = f"orkestra {command}, {count} tasks: {taken:.0f} ms"
        figures.append(Figure(command, what, ratio, "x", 3.0, f"python -c pass + git status, {base:.0f} ms"))
        say(f"glance: {what}")
    return Row("glance", figures, {"tasks": count, "done": done, "seconds": measured})


def rest(seconds: float, say: Callable[[str], None]) -> Row:
    """A run that waits: how often each of its processes wakes, what of a core they take together."""
    with tempfile.TemporaryDirectory(prefix="orkestra bench ") as name:
        place = Place(Path(name))
        project = place.project("rest", machine.nothing(2))
        with place.running("start", "--stay", "--workers", "2") as run:
            while machine.journal(project, "outcome-drafted") < 2:
                if run.poll() is not None:
                    raise Failed(f"the run ended with {run.returncode}")
                time.sleep(0.1)
            time.sleep(3)  # what the last task left to do is no rest
            begun, before = time.monotonic(), _woken(run.pid)
            time.sleep(seconds)
            taken, after = time.monotonic() - begun, _woken(run.pid)
    processes: list[dict[str, Any]] = []
    for process, (part, wakes, core) in after.items():
        was = before.get(process, (part, 0, 0.0))
        processes.append(
            {"process": part, "wakes": (wakes - was[1]) / taken, "core": 100 * (core - was[2]) / taken}
        )
    if not any(each["process"] == "orkestra_shim.store" for each in processes):
        raise Failed(f"no store among the processes of a run that rests: {processes}")
    most = max(processes, key=lambda each: each["wakes"])
    core = sum(each["core"] for each in processes)
    say(f"rest: {most['process']} wakes most, {most['wakes']:.2f} times a second; {core:.2f} % of a core")
    figures = [
        # What wakes once a second may do so eleven times in ten seconds.
        Figure(
            "wakes", f"wake-ups of {most['process']}", most["wakes"], "/s", 1 + 1 / taken, f"{taken:.0f} s"
        ),
        Figure("core", f"{len(processes)} processes together", core, "%", 1.0, "a core"),
    ]
    return Row("rest", figures, {"seconds": taken, "processes": processes})


def _woken(run: int) -> dict[int, tuple[str, int, float]]:
    """Of each process of the run: its part, how often it went to sleep, seconds of a core."""
    found = {}
    for process in machine.descendants(run):
        part = machine.role(process)
        if part != "-":
            own, children = machine.cpu(process)
            found[process] = (part, machine.sleeps(process), own + children)
    return found
