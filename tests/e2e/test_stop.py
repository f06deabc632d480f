"""A run that is stopped, in every way and at bad moments: it ends, it says so, and leaves no process."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import shutil
import signal
import subprocess
import termios
import time
from collections.abc import Iterator

import pytest

from processes import BOUND, below, control_groups, wait_for, workers
from world import Project, World

SLEEPS = {"command": "echo begun >part; sleep 600"}
DEAF = "trap '' TERM INT HUP; while :; do sleep 600; done"
# Each by another way out of a TERM to its group.
STUBBORN = {
    "deaf": f"echo begun >part; {DEAF}",
    "left": f'echo begun >part; setsid bash -c "{DEAF}" </dev/null >/dev/null 2>&1 & {DEAF}',
    "forked-twice": f'(setsid bash -c "(exec -a forked-twice bash -c \\"{DEAF}\\") &" &); '
    "echo begun >part; sleep 600",
    "forgot-its-environment": f'env -i setsid bash -c "{DEAF}" & echo begun >part; sleep 600',
    "holds-its-pipe": f'setsid bash -c "{DEAF}" & echo begun >part; sleep 600',
}


def sleeping(world: World, *names: str, **fields: object) -> Project:
    """A project with tasks that take ten minutes each."""
    return world.new("p", [{"id": name, **SLEEPS, **fields} for name in names])


def at_work(world: World, count: int) -> None:
    """Returns when so many workers have an agent that has begun."""
    cache = world.place / "home" / ".cache"
    wait_for(lambda: len(list(cache.glob("orkestra/*/w*/tree/part"))) >= count, "agents at work")


def fresh(world: World) -> None:
    """Forgets what earlier agents of the same home have begun."""
    for part in (world.place / "home" / ".cache").glob("orkestra/*/w*/tree/part"):
        part.unlink()


def ended(run: subprocess.Popen[str], seconds: float = BOUND) -> str:
    """Its output once it has ended by itself within so many seconds."""
    try:
        return run.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        raise AssertionError(f"the run goes on after {seconds} seconds") from None


def no_process_of(world: World) -> None:
    wait_for(lambda: not below(world.place), "the end of every process")


def stop(project: Project) -> subprocess.CompletedProcess[str]:
    """`orkestra stop`."""
    return project.world.orkestra("stop", "--project", str(project.path))


def kept(project: Project) -> set[str]:
    """Tasks of which unlanded work is kept."""
    refs = project.git("for-each-ref", "--format=%(refname)", "refs/orkestra/attempts").splitlines()
    return {ref.split("/")[3] for ref in refs}


def stubborn(world: World, sandbox: str) -> dict[str, str]:
    """Tasks that do not hear. Without sandbox and control groups nothing finds one that hides."""
    look = 'source "$1/SCRIPTS/CORE/lib/boot.bash"; use SAFETY/cgroup; cgroup::make 9 0; '
    look += 'echo "$CGROUP_PIDS"; cgroup::remove'
    found = subprocess.run(
        ["bash", "-c", look, "look", str(world.root)], capture_output=True, text=True, check=True
    )
    hidden = sandbox == "off" and not found.stdout.strip()
    return {name: one for name, one in STUBBORN.items() if name != "forgot-its-environment" or not hidden}


# --- stop ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sandbox", ["auto", "off"])
def test_no_agent_outlives_a_stop(world: World, sandbox: str) -> None:
    world.environment |= {"ORKESTRA_SANDBOX": sandbox, "ORKESTRA_GRACE": "2"}
    tasks = stubborn(world, sandbox)
    project = world.new("p", [{"id": name, "command": command} for name, command in tasks.items()])
    run = world.start_in_background("--project", str(project.path), "--workers", str(len(tasks)))
    at_work(world, len(tasks))
    makers = {run.pid, *workers(run.pid)}
    done = stop(project)
    assert (done.returncode, done.stderr) == (0, "")
    assert "is stopped; what was under way is kept" in done.stdout
    assert below(world.place).keys() <= {run.pid}, "stop has returned, and something goes on"
    said = ended(run)
    assert run.returncode == 143, said
    assert all(f"{name} (work)" in said for name in tasks), said
    assert control_groups(makers) == []
    assert kept(project) == set(tasks)
    assert project.statuses() == dict.fromkeys(tasks, "pending")


@pytest.mark.parametrize("sandbox", ["auto", "off"])
def test_an_agent_that_hears_ends_in_its_own_way_and_its_last_work_is_kept(
    world: World, sandbox: str
) -> None:
    """The grace period is one that this test would not wait for."""
    world.environment |= {"ORKESTRA_SANDBOX": sandbox, "ORKESTRA_GRACE": str(int(BOUND * 3))}
    polite = (
        "trap 'sleep 1; echo last words >note; exit 0' TERM; echo begun >part; while :; do sleep 0.1; done"
    )
    project = world.new("p", [{"id": "polite", "command": polite}])
    run = world.start_in_background("--project", str(project.path))
    at_work(world, 1)
    assert stop(project).returncode == 0
    assert below(world.place).keys() <= {run.pid}
    ended(run)
    assert run.returncode == 143
    assert project.git("show", "refs/orkestra/attempts/polite/1:note") == "last words"


@pytest.mark.parametrize("sandbox", ["auto", "off"])
def test_no_agent_of_a_killed_run_outlives_a_stop(world: World, sandbox: str) -> None:
    """Also where this stop does not know how the run was started."""
    world.environment |= {"ORKESTRA_SANDBOX": sandbox}
    tasks = stubborn(world, sandbox)
    project = world.new("p", [{"id": name, "command": command} for name, command in tasks.items()])
    run = world.start_in_background("--project", str(project.path), "--workers", str(len(tasks)))
    at_work(world, len(tasks))
    run.kill()
    run.wait()
    del world.environment["ORKESTRA_SANDBOX"]
    done = stop(project)
    assert (done.returncode, done.stderr) == (0, "")
    assert "no run is going on in p" in done.stdout
    assert below(world.place) == {}


def test_stops_without_a_run_are_idempotent(world: World) -> None:
    project = sleeping(world, "a")
    command = [str(world.root / "bin" / "orkestra"), "stop", "--project", str(project.path)]
    for _ in range(3):
        both = [
            subprocess.Popen(
                command, env=world.env(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            for _ in range(3)
        ]
        said = [one.communicate(timeout=BOUND)[0] for one in both]
        assert [one.returncode for one in both] == [0, 0, 0], said
        assert all("no run is going on in p" in text for text in said)
    assert not (project.path / ".git" / "orkestra" / "holder").exists()


def test_several_stops_at_once_are_one(world: World) -> None:
    """With an agent that does not hear TERM, so that they have something to wait for."""
    world.environment |= {"ORKESTRA_GRACE": "3"}
    project = world.new("p", [{"id": "deaf", "command": STUBBORN["deaf"]}])
    run = world.start_in_background("--project", str(project.path))
    at_work(world, 1)
    command = [str(world.root / "bin" / "orkestra"), "stop", "--project", str(project.path)]
    stops = [
        subprocess.Popen(
            command, env=world.env(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for _ in range(3)
    ]
    said = [one.communicate(timeout=BOUND)[0] for one in stops]
    assert [one.returncode for one in stops] == [0, 0, 0], said
    assert all("(process " in text and "has 3 seconds to end" in text for text in said), said
    assert all("is stopped; what was under way is kept" in text for text in said), said
    output = ended(run)
    assert run.returncode == 143 and output.count("stopping: deaf (work)") == 1, output
    assert below(world.place) == {} and kept(project) == {"deaf"}
    again = stop(project)
    assert again.returncode == 0 and "no run is going on" in again.stdout
    project.tasks([{"id": "deaf", "command": "echo done >done"}])
    assert project.start().returncode == 0, "a stopped project can be worked on"


def test_a_run_that_does_not_hear_is_killed_in_the_end(world: World) -> None:
    world.environment |= {"ORKESTRA_GRACE": "0"}
    project = sleeping(world, "a")
    run = world.start_in_background("--project", str(project.path))
    at_work(world, 1)
    os.kill(run.pid, signal.SIGSTOP)
    done = stop(project)
    assert done.returncode == 0 and "is stopped" in done.stdout, done.stderr
    assert run.wait(BOUND) == -signal.SIGKILL
    no_process_of(world)


# --- Ctrl-C -------------------------------------------------------------------------------------------------


class Terminal:
    """A terminal with a shell in it that has started a run."""

    def __init__(self, project: Project) -> None:
        self.master, slave = pty.openpty()
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        world = project.world
        script = 'trap : INT; "$@"; echo "exit $?"; read -r line; echo "read $line"'
        command = [str(world.root / "bin" / "orkestra"), "start", "--project", str(project.path)]
        self.shell = subprocess.Popen(
            ["setsid", "--ctty", "bash", "-c", script, "terminal", *command],
            env=world.env(),
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        self.seen = b""

    def type(self, keys: str) -> None:
        """Keys, as a person presses them."""
        os.write(self.master, keys.encode())

    def until(self, text: str) -> str:
        """What is on the screen when it has this text."""
        end = time.monotonic() + BOUND
        os.set_blocking(self.master, False)
        while text.encode() not in self.seen:
            assert time.monotonic() < end, f"never seen: {text!r} in {self.seen.decode()}"
            try:
                self.seen += os.read(self.master, 65536)
            except BlockingIOError:
                time.sleep(0.02)
        return self.seen.decode("utf-8", "replace")

    def is_sane(self) -> None:
        """Its settings are as they were, and a line that is typed is shown and read."""
        assert termios.tcgetattr(self.slave) == self.before
        self.type("still here\n")
        shown = self.until("read still here")
        assert "\nstill here" in shown.replace("\r", "\n"), "what is typed is not shown"
        assert self.shell.wait(BOUND) == 0

    def close(self) -> None:
        """The window is closed."""
        for end in (self.slave, self.master):
            os.close(end)


@pytest.fixture
def deaf(world: World) -> Iterator[tuple[World, Project, Terminal]]:
    """A run in a terminal, an agent that does not hear TERM, and a grace period beyond a test's."""
    world.environment |= {"ORKESTRA_GRACE": str(int(BOUND * 3))}
    project = world.new("p", [{"id": "deaf", "command": STUBBORN["left"]}])
    terminal = Terminal(project)
    at_work(world, 1)
    yield world, project, terminal
    terminal.shell.kill()
    terminal.shell.wait()


def test_ctrl_c_once_is_stop(world: World) -> None:
    project = sleeping(world, "a", "b")
    terminal = Terminal(project)
    at_work(world, 2)
    terminal.type("\x03")
    said = terminal.until("exit 130")
    assert said.count("stopping: ") == 1
    waits = re.search(r"stopping: (.*) within 10 seconds; what is under way is kept", said)
    assert waits and sorted(waits[1].split(", ")) == ["a (work)", "b (work)"], said
    assert "Ctrl-C stops at once" in said and "2 tasks: 2 pending" in said
    assert kept(project) == {"a", "b"}
    terminal.is_sane()
    no_process_of(world)


def test_ctrl_c_twice_stops_at_once(deaf: tuple[World, Project, Terminal]) -> None:
    world, project, terminal = deaf
    terminal.type("\x03")
    terminal.until("stopping: deaf (work)")
    terminal.type("\x03")
    said = terminal.until("exit 130")
    assert "orkestra: " not in said and "line " not in said
    terminal.is_sane()
    no_process_of(world)
    # What was under way is not lost either.
    project.tasks([{"id": "other", "command": "echo o >other"}])
    assert project.start().returncode == 0
    assert kept(project) == {"deaf"}


def test_a_closed_terminal_is_a_stop(world: World) -> None:
    project = sleeping(world, "a")
    terminal = Terminal(project)
    at_work(world, 1)
    terminal.close()
    terminal.shell.wait(BOUND)
    wait_for(lambda: kept(project) == {"a"}, "the work to be kept")
    no_process_of(world)


# --- workers and keepers that die ---------------------------------------------------------------------------


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


LATCHED = """#!/bin/bash
if [[ " $* " == *" orkestra: land "* ]] && mkdir -- "$LATCH/begun" 2>/dev/null; then
  until [[ -e $LATCH/open ]]; do sleep 0.05; done
fi
exec "$REAL_GIT" "$@"
"""


def test_a_replaced_worker_waits_for_what_its_predecessor_had_begun(world: World) -> None:
    """Its Git is moving the branch when it is killed: until that has ended nothing is begun."""
    latch = world.place / "latch"
    latch.mkdir()
    (latch / "git").write_text(LATCHED)
    (latch / "git").chmod(0o755)
    git = shutil.which("git")
    assert git
    world.environment |= {"LATCH": str(latch), "REAL_GIT": git, "PATH": f"{latch}:{os.environ['PATH']}"}
    project = world.new("p", [{"id": name, "command": f"echo {name} >{name}"} for name in "ab"])
    run = world.start_in_background("--project", str(project.path), "--workers", "1")
    wait_for((latch / "begun").exists, "a landing")
    (killed,) = workers(run.pid)
    os.kill(killed, signal.SIGKILL)
    log = project.path / "logs" / "execution" / "task-execution.log"
    before = log.read_text()
    end = time.monotonic() + 3  # whoever does not wait begins something by then
    while time.monotonic() < end:
        assert log.read_text() == before, "the other task was begun while the landing went on"
        assert project.outcomes() == []
        time.sleep(0.1)
    (latch / "open").touch()
    said = ended(run)
    assert run.returncode == 0, said
    assert [one["task"] for one in project.outcomes()] == ["a", "b"]
    assert project.verify().returncode == 0 and project.git("status", "--porcelain") == ""
    no_process_of(world)


def test_workers_that_die_at_once_again_and_again_end_the_run_with_the_reason(world: World) -> None:
    project = world.new("p", [{"id": name, "command": f"echo {name} >{name}"} for name in "ab"])
    assert project.start("--only", "a").returncode == 0
    (workspace,) = (world.place / "home" / ".cache" / "orkestra").glob("*/w1")
    (workspace / "lock").unlink()
    (workspace / "lock").mkdir()
    log = world.home / "LOGS" / "orchestrator.log"
    log.unlink()
    done = project.start("--workers", "1")
    assert done.returncode == 70, done.stdout + done.stderr
    assert done.stderr.count("orkestra: worker.sh stopped where it should not have") == 1, done.stderr
    assert "workers end at once again and again (last: exit 70): the run stops" in done.stderr
    assert log.read_text().count("worker 1 ended with 70") == 3
    # One that cannot write says so, and no other one is tried.
    shutil.rmtree(workspace)
    workspace.write_text("in the way")
    done = project.start("--workers", "1")
    assert done.returncode == 73, done.stdout + done.stderr
    assert done.stderr.count(f"orkestra: cannot write {workspace}") == 1, done.stderr
    assert log.read_text().count("worker 1 ended with 73") == 1
    assert project.statuses() == {"a": "completed", "b": "pending"}
    assert (project.path / ".git" / "orkestra" / "holder").exists() is False
    no_process_of(world)
    workspace.unlink()
    assert project.start().returncode == 0


def keepers(world: World) -> list[int]:
    """The processes that look after trees, and the sandbox around them."""
    found = below(world.place).items()
    return [pid for pid, line in found if any(word.endswith("/tree-keeper.sh") for word in line)]


def test_a_keeper_ends_with_its_worker_and_one_that_dies_is_replaced(world: World) -> None:
    project = world.new(
        "p",
        [{"id": "a", "command": "echo a >a; touch part; until test -e go; do sleep 0.05; done; rm part go"}],
    )
    run = world.start_in_background("--project", str(project.path), "--workers", "1")
    at_work(world, 1)
    (worker,) = workers(run.pid)
    first = set(keepers(world))
    assert first
    fresh(world)
    os.kill(worker, signal.SIGKILL)
    at_work(world, 1)  # by its successor
    (successor,) = workers(run.pid)
    assert successor != worker
    second = set(keepers(world))
    assert second and not first & second, "the keeper of a dead worker goes on"
    for pid in second:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not keepers(world), "the end of the keeper")
    (tree,) = (world.place / "home" / ".cache" / "orkestra").glob("*/w1/tree")
    (tree / "go").touch()
    said = ended(run)
    assert run.returncode == 0 and said.count("given to shell") == 2, said
    assert project.file("a") == "a\n"
    events = (project.path / "logs" / "execution" / "task-execution.log").read_text()
    assert "attempt-failed" not in events, "it was no fault of the agent's"
    no_process_of(world)
