"""Agents and checks on a real Slurm cluster: two nodes, each with an address and a link of its own."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from processes import BOUND, below, wait_for
from slurm import Cluster, missing
from world import World

SETTINGS = {
    "ORKESTRA_LAUNCHER": "srun --ntasks=1 --cpus-per-task=1",
    "ORKESTRA_LAUNCHER_LEASE": "6",
    "ORKESTRA_GRACE": "4",
}
# Ends as it is told to, and leaves a word of that in its tree.
HEARS = "trap 'echo told >said; exit 0' TERM; echo begun >part; sleep 600 & wait"
# The first try never ends and writes and writes; a later one is done at once.
HANGS_ONCE = (
    "if ((ORKESTRA_TRY == 1)); then echo begun >part; while :; do date >>noise; sleep 0.05; done; fi; "
    'echo "$ORKESTRA_TRY" >done'
)
# A reviewer that takes its time, and says where it is and whether it has its key.
JUDGE = """\
#!/bin/bash
case $1 in
  describe)
    printf '%s' '{"name": "judge", "family": "acme", "kind": "ai", "can": ["ballot"], "env": ["JUDGE_KEY"]}'
    ;;
  ballot)
    echo begun
    sleep 4
    printf '{"ballot": {"choice": "approve", "reason": "on %s with %s", "confidence": 7}}' \\
      "$(hostname)" "${#JUDGE_KEY}" >"$ORKESTRA_ATTEMPT_DIR/result.json"
    ;;
esac
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One for all tests here; each leaves it in service."""
    if why := missing():
        pytest.skip(f"no Slurm cluster can be made here: {why}")
    cluster = Cluster(cpus=4)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.end()


@pytest.fixture
def there(world: World, cluster: Cluster) -> World:
    """A world whose agents and checks run on the cluster."""
    cluster.in_service()
    world.environment |= SETTINGS | cluster.environment
    return world


def quick(count: int) -> list[dict[str, object]]:
    """Tasks that say on which node they were done."""
    return [{"id": f"t{n}", "command": f"hostname >f{n}"} for n in range(count)]


def parts(world: World) -> list[Path]:
    """What agents have begun."""
    return list((world.place / "home" / ".cache").glob("orkestra/*/w*/tree/part"))


def ended(run: subprocess.Popen[str]) -> str:
    """What a run said that ends by itself."""
    return run.communicate(timeout=BOUND * 5)[0]


def nothing_left(world: World, cluster: Cluster) -> None:
    """No job, no process, and no folder of a job."""
    wait_for(lambda: not cluster.jobs(), "the end of every job")
    wait_for(lambda: not below(world.place), "the end of every process")
    cache = world.place / "home" / ".cache" / "orkestra"
    assert not [path for path in cache.glob("*/w*/jobs/*") if path.is_dir()]


def test_a_queue_of_fifty_tasks_is_done_there(there: World, cluster: Cluster) -> None:
    project = there.new("p", quick(50), check="[[ $(hostname) == n[12] ]]")
    run = there.start_in_background("--project", str(project.path), "--workers", "6")
    said = ended(run)
    assert run.returncode == 0, said
    assert {project.file(f"f{n}") for n in range(50)} == {"n1\n", "n2\n"}
    assert list(project.decided().values()) == ["landed"] * 50
    assert project.verify().returncode == 0
    nothing_left(there, cluster)


def test_stop_gives_a_job_its_grace(there: World, cluster: Cluster) -> None:
    project = there.new("p", [{"id": "a", "command": HEARS}])
    run = there.start_in_background("--project", str(project.path))
    wait_for(lambda: parts(there), "an agent at work")
    stopped = there.orkestra("stop", "--project", str(project.path))
    assert (stopped.returncode, run.wait()) == (0, 143), stopped.stderr
    assert project.git("show", "refs/orkestra/attempts/a/1:said") == "told"
    nothing_left(there, cluster)


def test_a_job_that_does_not_listen_is_killed_after_its_grace(there: World, cluster: Cluster) -> None:
    there.environment["ORKESTRA_GRACE"] = "1"
    stubborn = "trap '' TERM; echo begun >part; while :; do sleep 600; done"
    project = there.new("p", [{"id": "a", "command": stubborn}])
    run = there.start_in_background("--project", str(project.path))
    wait_for(lambda: parts(there), "an agent at work")
    run.terminate()
    assert "stopping" in ended(run) and run.returncode == 143
    assert project.git("show", "refs/orkestra/attempts/a/1:part") == "begun"
    nothing_left(there, cluster)


def test_a_timeout_gives_a_job_its_grace_and_is_an_attempt(there: World, cluster: Cluster) -> None:
    project = there.new("p", [{"id": "a", "command": HEARS, "timeout": 2, "max_attempts": 1}])
    assert project.start().returncode == 1
    (outcome,) = project.outcomes()
    assert outcome["why"] == "the agent timed out after 2 seconds (attempt 1 of 1)"
    assert project.git("show", "refs/orkestra/attempts/a/1:said") == "told"
    nothing_left(there, cluster)


def _cut(cluster: Cluster, node: str, _job: str) -> None:
    cluster.cut(node)


def _kill(cluster: Cluster, node: str, _job: str) -> None:
    cluster.kill(node)


def _drain(cluster: Cluster, node: str, _job: str) -> None:
    update = ("scontrol", "update", f"nodename={node}", "reason=test")
    cluster.call(*update, "state=drain")
    assert cluster.state(node) == "draining", "what runs there goes on"
    cluster.call(*update, "state=down")


def _time_is_up(cluster: Cluster, _node: str, job: str) -> None:
    cluster.call("scontrol", "update", f"jobid={job}", "endtime=now+1")


@pytest.mark.parametrize("ends", [_cut, _kill, _drain, _time_is_up])
def test_a_lost_job_is_no_attempt_and_is_done_again(
    there: World, cluster: Cluster, ends: Callable[[Cluster, str, str], None]
) -> None:
    tasks = [{"id": "a", "command": HANGS_ONCE, "priority": "high", "max_attempts": 1}, *quick(12)]
    project = there.new("p", tasks, check="test ! -e noise")
    run = there.start_in_background("--project", str(project.path), "--workers", "4")
    wait_for(lambda: parts(there), "an agent at work")
    job, node = lasting(there, cluster)
    ends(cluster, node, job)
    said = ended(run)
    assert run.returncode == 0, said
    assert f"its job was lost: on {node}: " in said, said
    assert project.file("done") == "2\n" and project.file("noise") is None
    assert list(project.decided().values()) == ["landed"] * 13
    assert len(project.outcomes()) == 13, "nothing lands twice"
    assert project.verify().returncode == 0
    cluster.in_service()
    nothing_left(there, cluster)


def lasting(world: World, cluster: Cluster) -> tuple[str, str]:
    """Number and node of the job whose agent or check has left its `part`."""
    (part,) = parts(world)
    (folder,) = part.parents[1].glob("jobs/orkestra-*")
    ((job, _state, node),) = cluster.jobs(f"--name={folder.name}")
    return job, node


def test_a_check_that_was_lost_is_done_again_without_the_agent(there: World, cluster: Cluster) -> None:
    # On the branch as it is there is nothing to wait for.
    waits = "[[ ! -e done ]] || { echo >part; while [[ ! -e again ]]; do sleep 0.1; done; }"
    project = there.new("p", [{"id": "a", "command": "echo $ORKESTRA_TRY >done", "check": waits}])
    run = there.start_in_background("--project", str(project.path))
    wait_for(lambda: parts(there), "a check at work")
    job, _node = lasting(there, cluster)
    cluster.call("scancel", "--signal=KILL", f"{job}.0")
    wait_for(lambda: lost_ones(there), "the loss")

    def let_go() -> bool:
        for part in parts(there):
            (part.parent / "again").touch()
        return run.poll() is not None

    wait_for(let_go, "the end of the run")
    said = ended(run)
    assert run.returncode == 0, said
    assert project.file("done") == "1\n", "the agent has worked once"
    nothing_left(there, cluster)


def lost_ones(world: World) -> list[str]:
    """What the log says of lost jobs."""
    log = world.home / "LOGS" / "orchestrator.log"
    told = log.read_text().splitlines() if log.exists() else []
    return [line for line in told if "its job was lost" in line]


def test_a_ballot_that_was_lost_is_asked_for_again(there: World, cluster: Cluster) -> None:
    config = there.home / "CONFIG"
    (config / "agents").mkdir(parents=True)
    (config / "agents" / "judge").write_text(JUDGE)
    (config / "agents" / "judge").chmod(0o755)
    (config / "api-keys.env").write_text("JUDGE_KEY=canary-4711\n")
    (config / "api-keys.env").chmod(0o600)
    project = there.new("p", [{"id": "a", "command": "echo x >x"}], agents=["judge"])
    run = there.start_in_background("--project", str(project.path))
    votes = project.path / "logs" / "execution" / "attempts" / "a"
    wait_for(lambda: "begun" in "".join(one.read_text() for one in votes.glob("1/**/output.log")))
    ((job, _state, _node),) = cluster.jobs("--states=running")
    shown = cluster.call("scontrol", "show", "job", job)
    cluster.call("scancel", job)
    said = ended(run)
    assert run.returncode == 0, said
    [ballot] = project.votes()[0]["ballots"]
    assert ballot["reason"] in ("on n1 with 11", "on n2 with 11")
    assert "canary" not in shown and "remote.sh" in shown
    log = (there.home / "LOGS" / "orchestrator.log").read_text()
    assert "the ballot of judge: its job was lost" in log
    nothing_left(there, cluster)


def test_what_the_cluster_does_not_take_waits_for_it(there: World, cluster: Cluster) -> None:
    project = there.new("p", [{"id": "a", "command": "echo x >x"}])
    there.environment["ORKESTRA_LAUNCHER"] += " --partition=none"
    run = there.start_in_background("--project", str(project.path))
    wait_for(lambda: len(lost_ones(there)) == 3, "lost jobs, with pauses between them")
    run.terminate()
    assert ended(run) and run.returncode == 143
    said = lost_ones(there)
    assert "a: again: its job was lost: it was not begun: " in said[0] and "partition" in said[0]
    assert "a: again in 5 s: " in said[1] and "a: again in 10 s: " in said[2]
    assert project.statuses() == {"a": "pending"}
    nothing_left(there, cluster)


@pytest.mark.parametrize("sandbox", ["required", "off"])
def test_the_sandbox_holds_on_the_node(there: World, cluster: Cluster, sandbox: str) -> None:
    there.environment["ORKESTRA_SANDBOX"] = sandbox
    project = there.new("p", [])
    keys = there.home / "CONFIG" / "api-keys.env"
    keys.write_text("SOME_API_KEY=canary-4711\n")
    keys.chmod(0o600)
    (project.path / "keys-at").write_text(f"{keys}\n")
    project.git("add", "keys-at")
    project.git("commit", "--quiet", "-m", "where the keys are")
    steals = (
        'hostname >node; if wc -c <"$(<keys-at)" >stolen 2>/dev/null; then :; else echo nothing >stolen; fi'
    )
    project.tasks([{"id": "a", "command": steals}])
    done = project.start()
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.file("node") in ("n1\n", "n2\n")
    stolen = (project.file("stolen") or "").strip()
    assert stolen == ("nothing" if sandbox == "required" else str(keys.stat().st_size))
    nothing_left(there, cluster)


def test_a_killed_run_leaves_no_job_that_writes_into_a_workspace_of_the_next(
    there: World, cluster: Cluster
) -> None:
    project = there.new("p", [{"id": "a", "command": HANGS_ONCE}], check="test ! -e noise")
    run = there.start_in_background("--project", str(project.path))
    wait_for(lambda: parts(there), "an agent at work")
    node = lasting(there, cluster)[1]
    cluster.cut(node)  # nobody can tell it to stop
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    wait_for(lambda: not below_head(there, cluster), "the end of the run's own processes")
    done = project.start()
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.file("done") == "2\n" and project.file("noise") is None
    cluster.in_service()
    nothing_left(there, cluster)


def test_a_job_ends_itself_when_its_run_was_killed(there: World, cluster: Cluster) -> None:
    project = there.new("p", [{"id": "a", "command": HANGS_ONCE}])
    run = there.start_in_background("--project", str(project.path))
    wait_for(lambda: parts(there), "an agent at work")
    cluster.cut(lasting(there, cluster)[1])
    assert set(cluster.left()) & set(below(there.place)), "the job on its node"
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    wait_for(lambda: not set(cluster.left()) & set(below(there.place)), "the end of the job on its node")


def below_head(world: World, cluster: Cluster) -> dict[int, list[str]]:
    """Processes of a world that are on no node."""
    on_nodes = set(cluster.left())
    return {pid: words for pid, words in below(world.place).items() if pid not in on_nodes}
