#!/usr/bin/env python3
"""How far one orchestrator carries: workers that wait for jobs on a cluster, and landings when all come back.

Usage: tests/bench/held.py [--jobs N] [--seconds N]

Makes the cluster of tests/e2e/slurm.py on this machine, starts a run with as many workers as jobs, and lets
every agent wait. Measured are the processes of the run alone, not those of the nodes: memory (their
proportional share), a core's time, descriptors. Then all agents end at once: landings per second.

Options:
  --jobs N      workers, and jobs that wait (64)
  --seconds N   for how long they are watched (20)

Exit: 0 measured; 1 something failed; 69 no cluster can be made here.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from slurm import Cluster, missing
from world import Project, World

WAITS = "while [[ ! -e go ]]; do sleep 1; done; rm go; echo x >$ORKESTRA_TASK"
PATIENCE = 1800.0  # seconds


def family(pid: int) -> list[int]:
    """A process and all below it."""
    below: dict[int, list[int]] = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        below.setdefault(int(words[1]), []).append(int(entry))
    found, waiting = [], [pid]
    while waiting:
        found.append(waiting.pop())
        waiting += below.get(found[-1], [])
    return found


def seconds_of(pids: list[int]) -> float:
    """A core's time that they and their dead children have taken."""
    ticks = 0
    for pid in pids:
        try:
            words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, words[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_of(pids: list[int]) -> float:
    """MiB."""
    kib = 0
    for pid in pids:
        try:
            rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        kib += sum(int(row.split()[1]) for row in rows if row.startswith("Pss:"))
    return kib / 1024


def descriptors_of(pids: list[int]) -> int:
    """All that are open."""
    count = 0
    for pid in pids:
        try:
            count += len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            continue
    return count


def landed(project: Project) -> int:
    """Outcomes on the branch."""
    return int(project.git("rev-list", "--count", "--grep=^orkestra: record", project.branch()))


def until(event: object, what: str) -> None:
    """Returns when event() is true."""
    end = time.monotonic() + PATIENCE
    while not event():  # type: ignore[operator]
        if time.monotonic() > end:
            sys.exit(f"held.py: did not happen: {what}")
        time.sleep(0.5)


def measure(world: World, cluster: Cluster, jobs: int, seconds: int) -> None:
    """Prints what it finds."""
    world.environment |= cluster.environment | {"ORKESTRA_LAUNCHER": "srun --ntasks=1 --overcommit"}
    project = world.new("held", [{"id": f"t{n}", "command": WAITS} for n in range(jobs)])
    began = time.monotonic()
    run = world.start_in_background("--project", str(project.path), "--workers", str(jobs))
    cache = world.place / "home" / ".cache" / "orkestra"
    until(lambda: len(cluster.jobs("--states=running")) >= jobs or run.poll() is not None, "all jobs")
    if run.poll() is not None:
        sys.exit(f"held.py: the run has ended: {run.stdout.read() if run.stdout else ''}")
    print(f"{jobs} jobs at work after {time.monotonic() - began:.0f} s")
    time.sleep(5)
    pids = family(run.pid)
    before = seconds_of(pids)
    time.sleep(seconds)
    took = seconds_of(pids) - before
    print(f"processes of the run    {len(pids)} ({len(pids) / jobs:.1f} for each worker)")
    print(f"memory                  {memory_of(pids):.0f} MiB ({memory_of(pids) / jobs:.1f} for each)")
    each = 1000 * took / seconds / jobs
    print(f"a core's time           {100 * took / seconds:.1f} % ({each:.2f} ms a second for each)")
    print(f"descriptors             {descriptors_of(pids)}")
    began = time.monotonic()
    for tree in cache.glob("*/w*/tree"):
        (tree / "go").touch()
    run.communicate(timeout=PATIENCE)
    took = time.monotonic() - began
    print(f"landings                {landed(project)} in {took:.0f} s, {landed(project) / took:.1f} a second")


def main() -> int:
    """Exit code."""
    parser = argparse.ArgumentParser(description="How far one orchestrator carries.")
    parser.add_argument("--jobs", type=int, default=64)
    parser.add_argument("--seconds", type=int, default=20)
    arguments = parser.parse_args()
    if why := missing():
        print(f"held.py: no cluster can be made here: {why}", file=sys.stderr)
        return 69
    with tempfile.TemporaryDirectory(prefix="orkestra-held-") as folder:
        place = Path(folder)
        (place / "home").mkdir()
        world = World(place)
        world.home.mkdir()
        cluster = Cluster(cpus=arguments.jobs)
        try:
            cluster.start()
            measure(world, cluster, arguments.jobs, arguments.seconds)
        finally:
            world.end()
            cluster.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
