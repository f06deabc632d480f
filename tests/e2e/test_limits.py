"""Agents and checks that take too much end as failed with the limit as the reason, and the others go on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess

import pytest

from processes import below, children, wait_for, words, workers
from world import World

LIMITS = {
    "ORKESTRA_OUTPUT_LIMIT": "2",
    "ORKESTRA_DISK_LIMIT": "8",
    "ORKESTRA_PROCESSES_LIMIT": "150",
    "ORKESTRA_GRACE": "1",
}
PRINTS = "yes"
FILLS = "for i in {1..20}; do head -c 1048576 /dev/urandom >part$i; done; sleep 600"
FORKS = "for i in {1..600}; do sleep 600 & done 2>/dev/null; wait"  # a bomb that is bounded by itself
HANGS = (
    "trap '' TERM; setsid bash -c 'trap \"\" TERM; while :; do sleep 600; done' & while :; do sleep 600; done"
)
GREEDY = {
    "prints": ({"command": PRINTS}, "the agent printed more than 2 MiB (ORKESTRA_OUTPUT_LIMIT)"),
    "fills": ({"command": FILLS}, "the agent filled more than 8 MiB of disk (ORKESTRA_DISK_LIMIT)"),
    "forks": (
        {"command": FORKS},
        "the agent ran more than 150 processes at once (ORKESTRA_PROCESSES_LIMIT)",
    ),
    "hangs": ({"command": HANGS, "timeout": 2}, "the agent timed out after 2 seconds"),
    "check-prints": (
        {"command": "echo x >a", "check": PRINTS},
        "the check printed more than 2 MiB (ORKESTRA_OUTPUT_LIMIT)",
    ),
    "check-forks": (
        {"command": "echo x >b", "check": FORKS},
        "the check ran more than 150 processes at once (ORKESTRA_PROCESSES_LIMIT)",
    ),
    "check-hangs": ({"command": "echo x >c", "check": HANGS}, "the check took longer than 12 seconds"),
}


@pytest.mark.parametrize("sandbox", ["auto", "off"])
def test_who_takes_too_much_fails_with_the_reason_and_the_others_land(world: World, sandbox: str) -> None:
    world.environment |= LIMITS | {"ORKESTRA_SANDBOX": sandbox}
    good = [{"id": f"good-{n}", "command": f"sleep 1; echo {n} >good-{n}"} for n in range(6)]
    bad = [{"id": name, "max_attempts": 1, **task} for name, (task, _why) in GREEDY.items()]
    project = world.new(
        "p", [task for pair in zip(bad, good, strict=False) for task in pair] + bad[len(good) :]
    )
    project.set(check_timeout=12)
    done = project.start("--workers", "4")
    assert done.returncode == 1, done.stdout + done.stderr
    found = {outcome["task"]: outcome for outcome in project.outcomes()}
    for name, (_task, why) in GREEDY.items():
        assert (found[name]["decision"], found[name]["why"]) == ("failed", f"{why} (attempt 1 of 1)")
        assert f"failed: {why}" in done.stdout
    assert all(found[task["id"]]["decision"] == "landed" for task in good)
    assert project.verify().returncode == 0
    wait_for(lambda: not below(world.place), "the end of every process")


def test_what_an_agent_printed_last_before_it_was_ended_is_told_to_its_next_attempt(world: World) -> None:
    world.environment |= LIMITS
    command = 'cp "$ORKESTRA_ATTEMPT_DIR/feedback.md" told || yes MUCH'
    project = world.new("p", [{"id": "a", "command": command}])
    assert project.start().returncode == 0
    told = project.file("told") or ""
    assert "printed more than 2 MiB (ORKESTRA_OUTPUT_LIMIT)" in told and "MUCH" in told


# Begins a process that goes on writing into the tree, out of its group and its session, and says so outside.
ESCAPES = """
if [[ ! -e {place}/first ]]; then
  setsid {env}bash -c 'trap "" TERM; echo $$ >"$1/escaped"; while sleep 0.1; do date >>noise; done' \\
    x {place} &
  until [[ -s {place}/escaped ]]; do sleep 0.1; done
  touch {place}/first
  sleep 600
fi
if grep -q . "/proc/$(<{place}/escaped)/cmdline" 2>/dev/null; then touch {place}/alive; fi
echo work >work
"""


@pytest.mark.parametrize("thorough", [False, True], ids=["by environment", "by group"])
@pytest.mark.parametrize("whole", [False, True], ids=["a worker", "everything"])
def test_without_a_sandbox_what_a_killed_agent_left_ends_before_its_workspace_is_used_again(
    world: World, thorough: bool, whole: bool
) -> None:
    if thorough and not any(os.access(f"/sys/fs/cgroup/{name}", os.W_OK) for name in ("pids", ".")):
        pytest.skip("no control group can be made here")
    world.environment |= {
        "ORKESTRA_SANDBOX": "off",
        "ORKESTRA_PROCESSES_LIMIT": "100" if thorough else "0",
    }
    place = world.place / "outside"
    place.mkdir()
    quoted = subprocess.run(
        ["bash", "-c", 'printf %q "$1"', "x", str(place)], capture_output=True, text=True, check=True
    ).stdout
    command = ESCAPES.format(place=quoted, env="env -i " if thorough else "")
    project = world.new("p", [{"id": "a", "command": command, "allow_paths": ["work"]}])
    run = world.start_in_background("--project", str(project.path), "--workers", "1")
    wait_for((place / "first").exists, "the agent's escape")
    escaped = int((place / "escaped").read_text())
    (worker,) = workers(run.pid)
    if whole:
        for pid in [run.pid, *children(run.pid)]:
            os.kill(pid, signal.SIGKILL)
        run.wait()
        assert words(escaped), "the attack: it outlives everything"
        run = world.start_in_background("--project", str(project.path), "--workers", "1")
    else:
        os.kill(worker, signal.SIGKILL)
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 0, said
    assert not words(escaped)
    assert not (place / "alive").exists(), "it was alive when the next agent began"
    assert project.decided() == {"a": "landed"}
    assert project.file("work") == "work\n" and project.file("noise") is None
    shutil.rmtree(place)
    wait_for(lambda: not below(world.place), "the end of every process")
