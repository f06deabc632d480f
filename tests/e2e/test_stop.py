"""A run that is stopped, in every way and at bad moments: it ends, it says so, and leaves no process."""

from __future__ import annotations

import os
import signal
import subprocess
import time

from processes import below, wait_for, workers
from world import Project, World

SLEEPS = {"command": "echo begun >part; sleep 600"}
# Leaves its group and its session, and does not hear TERM; what it started tells its number.
STUBBORN = (
    "trap '' TERM; echo begun >part; "
    "setsid bash -c 'trap \"\" TERM INT HUP; while :; do sleep 600; done' </dev/null >/dev/null 2>&1 & "
    "while :; do sleep 600; done"
)


def sleeping(world: World, *names: str, **fields: object) -> Project:
    """A project with tasks that take ten minutes each."""
    return world.new("p", [{"id": name, **SLEEPS, **fields} for name in names])


def stages(world: World) -> list[str]:
    """What each worker of the home is at."""
    found = sorted((world.home / "CONFIG" / "RUNTIME").glob("*/w*/now"))
    return [one.read_text().split("\t")[3] for one in found if one.exists() and one.stat().st_size]


def at_work(world: World, count: int) -> None:
    """Returns when so many workers have an agent that has begun."""
    cache = world.place / "home" / ".cache"
    wait_for(lambda: len(list(cache.glob("orkestra/*/w*/tree/part"))) >= count, "agents at work")


def fresh(world: World) -> None:
    """Forgets what earlier agents of the same home have begun."""
    for part in (world.place / "home" / ".cache").glob("orkestra/*/w*/tree/part"):
        part.unlink()


def ended(run: subprocess.Popen[str], seconds: float) -> str:
    """Its output once it has ended by itself within so many seconds."""
    try:
        return run.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        raise AssertionError(f"the run goes on after {seconds} seconds") from None


def no_process_of(world: World) -> None:
    wait_for(lambda: not below(world.place), "the end of every process")


def test_a_stop_in_the_moment_in_which_workers_die_is_heard(world: World) -> None:
    project = sleeping(world, "a", "b")
    for pause in (0, 0, 0, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064):
        run = world.start_in_background("--project", str(project.path))
        at_work(world, 2)
        for pid in workers(run.pid):
            os.kill(pid, signal.SIGKILL)
        time.sleep(
            pause
        )  # a worker that dies is replaced: the stop comes at another moment of that each time
        run.terminate()
        said = ended(run, 30)
        assert run.returncode == 143, said
        assert "Killed" not in said, "Bash's own words"
        fresh(world)
    no_process_of(world)
