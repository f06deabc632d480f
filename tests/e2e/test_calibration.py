"""A run whose reviewers are known: copies with planted defects never land, and weights are learned."""

from __future__ import annotations

import fcntl
import json
import os
import signal
from typing import Any

import pytest

from processes import below, wait_for, workers
from world import World

CODE = "def within(count, limit):\n    if count == limit:\n        raise ValueError(count)\n    return 7\n"
# What the judge says of a change depends on the tree that it is shown and on nothing else.
AGENT = """#!/bin/sh
say() {{ printf '%s' "$1" >"$ORKESTRA_ATTEMPT_DIR/result.json"; }}
made() {{ printf '{code}'; }}
case $1 in
  describe) echo '{{"name": "{name}", "family": "{name}", "kind": "ai", "can": ["work", "ballot"]}}' ;;
  probe) printf 'binary\\t/bin/sh\\n' ;;
  work) made >"made-$(date +%s%N).py" && say '{{"text": "made"}}' ;;
  ballot)
    choice=approve
    for file in made-*.py; do
      [ "$(cat "$file")" = "$(made)" ] || choice=reject
    done
    say "{{\\"choice\\": \\"$choice\\", \\"reason\\": \\"it is what I saw\\", \\"confidence\\": 90}}"
    ;;
esac
"""


def agent(world: World, name: str, found: str = "") -> None:
    path = world.home / "CONFIG" / "agents" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = AGENT.format(name=name, code=CODE.replace("\n", "\\n"))
    path.write_text(text.replace("choice=reject", f"{{ choice=reject{found}; }}"), "utf-8")
    path.chmod(0o755)


def test_planted_defects_are_found_or_not_and_what_lands_is_the_change(world: World) -> None:
    for name in ("maker", "judge"):
        agent(world, name)
    tasks: list[dict[str, Any]] = [{"id": name, "title": name, "agent": "maker"} for name in "abc"]
    project = world.new(
        "jury", tasks, agents=["maker", "judge"], committee={"calibrate": 1, "weights": "learned"}
    )
    done = project.start("--workers", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(project.decided().values()) == {"landed"}
    votes = project.votes()
    copies = [vote for vote in votes if vote["kind"] == "calibration"]
    assert len(copies) == 3 == len(votes) - 3
    assert {vote["decision"] for vote in copies} == {"caught"}
    for path in project.git("ls-tree", "--name-only", "main").splitlines():
        if path.startswith("made-"):
            assert project.file(path) == CODE
    trees = project.git("log", "--format=%T", "main").splitlines()
    assert not {vote["subject"]["tree"] for vote in copies} & set(trees)
    verified = project.verify()
    assert verified.returncode == 0, verified.stdout
    rows = json.loads(world.orkestra("agents", "list", "--project", "jury", "--json").stdout)
    [told] = [row["reviews"] for row in rows if row["agent"] == "judge"]
    assert (told["approve"], told["right"], told["caught"], told["missed"]) == (3, 3, 3, 0)
    assert told["weight"] == 1300
    shown = world.orkestra("agents", "list", "--project", "jury").stdout
    assert "found 3 of 3 planted defects; its vote weighs 1.3" in shown
    told_of = world.orkestra("vote", "show", "--project", "jury", copies[0]["id"])
    assert "which can never land; planted: " in told_of.stdout, told_of.stderr
    file = next(path for path in project.git("ls-files").splitlines() if path.startswith("made-"))
    blamed = world.orkestra("blame", "--project", "jury", f"{file}:1").stdout
    assert "approved: judge (ai, judge)" in blamed and "dissented: nobody" in blamed, blamed
    listed = world.orkestra("vote", "list", "--project", "jury").stdout
    assert listed.count("caught") == 3


@pytest.mark.parametrize("when", ["a copy is judged", "a copy was judged", "no copy is made"])
def test_of_a_change_that_is_killed_while_its_copy_is_judged_the_change_is_kept(
    world: World, when: str
) -> None:
    agent(world, "maker")
    agent(world, "judge", "; sleep 3.5" if when == "a copy is judged" else "")
    committee = {} if when == "no copy is made" else {"calibrate": 1}
    tasks: list[dict[str, Any]] = [{"id": "a", "agent": "maker"}]
    project = world.new("jury", tasks, agents=["maker", "judge"], committee=committee)
    log = project.path / "logs" / "execution" / "task-execution.log"
    locks = project.path / ".git" / "orkestra"
    locks.mkdir(exist_ok=True)
    with open(locks / "landing.lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # it does not land meanwhile
        run = world.start_in_background("--project", str(project.path), "--workers", "1")
        if when == "a copy is judged":
            wait_for(lambda: ["sleep", "3.5"] in below(world.place).values(), when)
        else:
            count = 1 if when == "no copy is made" else 2
            wait_for(lambda: log.exists() and log.read_text("utf-8").count('"vote-closed"') == count, when)
        [worker] = workers(run.pid)
        os.kill(worker, signal.SIGKILL)
    out, _ = run.communicate(timeout=100)
    assert run.returncode == 0 and project.decided() == {"a": "landed"}, out
    kept = project.git("for-each-ref", "--format=%(refname)", "refs/orkestra/attempts")
    assert kept == "refs/orkestra/attempts/a/1", "of the one that was killed, and not of what landed"
    [made] = project.git("diff", "--name-only", f"{kept}^", kept).splitlines()
    assert project.git("show", f"{kept}:{made}") == CODE.strip()
    assert project.verify().returncode == 0
