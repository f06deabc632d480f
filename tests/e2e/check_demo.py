#!/usr/bin/env python3
"""Holds a finished demo project against its promise: each task has one outcome, landed, on the branch.

Usage: check_demo.py PROJECT [BRANCH]

Reads the records from the branch with plain Git and the standard library: it must not share an error with
Orkestra.
Prints one line. Exit: 0 as promised; 1 not, with what is missing.
"""

from __future__ import annotations

import collections
import json
import subprocess
import sys


def git(project: str, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", project, *arguments],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def complaints(project: str, branch: str) -> list[str]:
    """What does not hold; empty when all does."""
    paths = git(project, "ls-tree", "-r", "-z", "--name-only", branch, "logs/").split("\0")
    outcomes = [json.loads(git(project, "show", f"{branch}:{path}")) for path in paths if "/outcome-" in path]
    votes = [path for path in paths if "/vote-" in path]
    tasks = json.loads(git(project, "show", f"{branch}:config/task-queue.json"))["tasks"]
    log = git(project, "log", "--format=%(trailers:key=Orkestra-Task,valueonly,separator=%x2C)", branch)
    changes = collections.Counter(line for line in log.splitlines() if line)

    found = []
    if len(tasks) < 10:
        found.append(f"the demo has {len(tasks)} tasks, about a dozen were promised")
    if len(votes) <= len(tasks):
        found.append(f"{len(votes)} votes for {len(tasks)} tasks: no task was asked for a revision")
    decisions = collections.defaultdict(list)
    for outcome in outcomes:
        decisions[outcome["task"]].append(outcome["decision"])
    for task in tasks:
        name = task["id"]
        if decisions[name] != ["landed"]:
            found.append(f"task {name}: outcomes {decisions[name]}, expected exactly one, landed")
        if changes[name] < 1:
            found.append(f"task {name}: no commit on {branch} carries its trailer")
        if task.get("status") != "completed":
            found.append(f"task {name}: status {task.get('status')} in the queue's checkpoint")
    if git(project, "status", "--porcelain"):
        found.append("the project's checkout is not clean")
    return found


def main(arguments: list[str]) -> int:
    project, branch = arguments[0], (arguments[1] if len(arguments) > 1 else "HEAD")
    found = complaints(project, branch)
    for line in found:
        print(f"check_demo: {line}", file=sys.stderr)
    if not found:
        print("the demo is as promised: every task has landed once, with its records")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
