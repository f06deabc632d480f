"""A project looked at while a run goes on and after runs were killed: consistency.sh, doctor --fix."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Callable
from typing import TypeVar

from world import Project, World

T = TypeVar("T")

CONSISTENCY = "SCRIPTS/SAFETY/consistency.sh"


def look(project: Project) -> list[str]:
    """What consistency.sh finds, a line each."""
    done = subprocess.run(
        [str(project.world.root / CONSISTENCY), "--project", str(project.path)],
        env=project.world.env(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode in (0, 1) and done.stderr == "", done
    assert (done.returncode == 0) == (done.stdout == ""), done
    return done.stdout.splitlines()


def some_tasks(number: int) -> list[dict[str, object]]:
    return [{"id": f"t{at}", "command": f"sleep 0.2; echo {at} >src/f{at}.txt"} for at in range(number)]


def test_a_run_that_goes_on_is_no_fault(world: World) -> None:
    project = world.new("busy", some_tasks(20))
    run = world.start_in_background("--project", str(project.path), "--workers", "3")
    looks = 0
    while run.poll() is None:
        assert look(project) == []
        looks += 1
    assert run.returncode == 0 and looks > 5
    assert look(project) == []
    assert world.orkestra("doctor", "--fix", "--yes").stdout == "nothing to mend\n"


def test_what_killed_runs_leave_is_mended(world: World) -> None:
    project = world.new("killed", some_tasks(40))
    (project.path / "README.md").write_text("a person's edit\n")
    found: set[str] = set()
    chance = random.Random(7)
    for _ in range(8):
        run = world.start_in_background("--project", str(project.path), "--workers", "3")
        holder = project.path / ".git" / "orkestra" / "holder"
        end = time.monotonic() + 60
        while not holder.exists() and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(chance.uniform(0.6, 3.0))  # where it strikes is chance, and any moment will do
        run.send_signal(signal.SIGKILL)
        run.wait()
        found |= {line.split(": ")[1] for line in look(project)}
        mended = world.orkestra("doctor", "--fix", "--yes")
        assert mended.returncode == 0, (mended.stdout, mended.stderr)
        assert look(project) == [], mended.stdout
        assert project.git("status", "--porcelain") == "M README.md"
        assert world.orkestra("doctor", "--fix", "--yes").stdout == "nothing to mend\n"
    assert {"run", "workspace"} <= found
    done = project.start()
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(project.decided().values()) == {"landed"} and len(project.outcomes()) == 40
    assert project.verify().returncode == 0
    assert look(project) == []


def test_a_worker_that_was_killed_is_not_shown_at_work(world: World) -> None:
    project = world.new("replaced", [{"id": "long", "command": "sleep 100"}])
    run = world.start_in_background("--project", str(project.path), "--workers", "2")
    runtime = world.home / "CONFIG" / "RUNTIME"

    def at_work() -> set[str]:
        return {now.parent.name for now in runtime.glob("*/w*/now") if "\twork\t" in now.read_text()}

    first = until(at_work)
    assert len(first) == 1
    (number,) = first
    listed = subprocess.run(
        ["pgrep", "-P", str(run.pid), "-f", f"worker.sh {number[1:]}$"],
        capture_output=True,
        text=True,
        check=True,
    )
    subprocess.run(["kill", "-KILL", listed.stdout.strip()], check=True)
    # The one that waited takes it; its successor has nothing to do.
    until(lambda: at_work() - first)
    until(lambda: not at_work() & first)
    run.send_signal(signal.SIGTERM)
    run.wait(timeout=60)


def until(look: Callable[[], T]) -> T:
    """What `look` gives, once it is something: the event that the test waits for."""
    end = time.monotonic() + 60
    while not (seen := look()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return seen
