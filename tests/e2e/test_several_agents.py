"""Several agents on one task at once, in whole runs: one is chosen, others are kept, a kill loses none."""

from __future__ import annotations

import json
import signal
from typing import Any

from described import problems
from processes import below, wait_for
from world import Project, World

NONE = "none of these"
SHOWN = {
    "task-show": ("task", "show", "a"),
    "vote-show": ("vote", "show", "a"),
    "vote-list": ("vote", "list"),
    "blame": ("blame", "made.txt"),
    "report": ("report",),
}
# Each writes its own name. A ballot ranks by what is written, in the order of LIKES.
AGENT = r"""#!/bin/bash
say() { printf '%s' "$1" >"$ORKESTRA_ATTEMPT_DIR/result.json"; }
case $1 in
  describe) echo '{"name": "NAME", "family": "NAME-inc", "kind": "ai", "can": ["work", "ballot"]}' ;;
  probe) printf 'binary\t/bin/sh\n' ;;
  work)
    WORK
    echo 'made by NAME' >made.txt
    say '{"text": "made"}'
    ;;
  ballot)
    declare -A at
    likes='LIKES'
    while IFS= read -r line; do
      case $line in
        'Option '*:) letter=${line#Option } letter=${letter%:} ;;
        '+made by '*) at[${line#+made by }]=$letter ;;
        'none of these') at[none]=$letter ;;
        'It is hopeless.') likes=none ;;
      esac
    done
    for one in $likes; do [[ -z ${at[$one]:-} ]] || tiers+="${tiers:+, }[\"${at[$one]}\"]"; done
    say "{\"ranking\": [$tiers], \"reason\": \"NAME has seen ${!at[*]}\", \"confidence\": 70}"
    ;;
esac
"""


def agent(world: World, name: str, likes: str, work: str = ":") -> None:
    path = world.home / "CONFIG" / "agents" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(AGENT.replace("NAME", name).replace("LIKES", likes).replace("WORK", work))
    path.chmod(0o755)


def events(project: Project) -> list[dict[str, Any]]:
    log = project.path / "logs" / "execution" / "task-execution.log"
    lines = log.read_text("utf-8").splitlines(keepends=True) if log.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def said(world: World, *words: str) -> str:
    done = world.orkestra(*words, *(["--project", "x"] if words[0] != "schema" else []))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_chosen_one_lands_the_others_are_kept_and_a_kill_loses_none(world: World) -> None:
    agent(world, "ada", "ada bob none")
    agent(world, "bob", "none ada", work="[[ $ORKESTRA_TASK.$ORKESTRA_TRY != a.2 ]] || sleep 600")
    agent(world, "cyd", "bob ada none", work="[[ $ORKESTRA_TASK != a ]] || echo >broken")
    tasks = [
        {"id": "a", "agent": "auto", "candidates": 3, "check": "test ! -e broken"},
        {"id": "b", "agent": "auto", "candidates": 2, "max_attempts": 1, "description": "It is hopeless."},
    ]
    project = world.new("x", tasks, agents=["ada", "bob", "cyd"])
    planned = said(world, "start", "--dry-run")
    assert "a  ada: 3 to 9 attempts" in planned and "b  ada: 2 attempts" in planned
    run = world.start_in_background("--project", str(project.path), "--workers", "2", "--only", "a")
    begun = {("candidate", 1), ("based", 2)}
    wait_for(lambda: begun <= {(one["event"], one.get("try")) for one in events(project)}, "bob is at work")
    rows = [one for one in said(world, "status").splitlines() if ", try 2 by bob" in one]
    assert len(rows) == 1
    run.send_signal(signal.SIGKILL)
    run.communicate()
    wait_for(lambda: not below(world.place), "nothing of the run is left")

    done = project.start()
    out = done.stdout + done.stderr
    assert done.returncode == 1, out
    assert project.decided() == {"a": "landed", "b": "failed"}, out
    assert project.file("made.txt") == "made by bob\n"
    landed, failed = project.outcomes()[0], project.outcomes()[-1]
    votes = {vote["task"]: vote for vote in project.votes()}
    assert [vote["kind"] for vote in votes.values()] == ["choose"] * 2
    assert (landed["agent"], landed["reviewed_by"]) == ("bob", "other family")
    made = {one["author"]["member"]: one["option"] for one in votes["a"]["candidates"]}
    ada, bob = made["ada"], made["bob"]  # cyd was done before the kill, or was not
    assert ada == "attempt 1" and bob in ("attempt 3", "attempt 4") and votes["a"]["decision"] == bob
    [out] = votes["a"]["out"]
    assert out["author"]["member"] == "cyd" and out["why"] == "the check failed (exit 1)"
    ranked = {one["member"]: one["ranking"] for one in votes["a"]["ballots"]}
    assert ranked == {
        "ada": [[bob], [NONE]],  # neither is asked about its own
        "bob": [[NONE], [ada]],
        "cyd": [[bob], [ada], [NONE]],
    }
    assert votes["b"]["decision"] == NONE and failed["why"].startswith("none of 2 candidates")

    shown, number = said(world, "task", "show", "a"), bob.split()[1]
    assert f"candidate {number}, by bob: chosen, place 1 of 2 (vote-001)" in shown
    assert "candidate 1, by ada: not chosen (vote-001): 1 to 1 over none of these" in shown
    assert f"candidate {out['attempt']}, by cyd: out (vote-001): the check failed (exit 1)" in shown
    look = next(line for line in shown.splitlines() if line.endswith("refs/orkestra/attempts/a/1"))
    assert "+made by ada" in project.git(*look.strip().removeprefix("look at it: git ").split())
    assert f"{bob}, made by bob" in said(world, "vote", "show", "a")
    assert "by bob, approved by ada, cyd" in said(world, "blame", "made.txt")
    assert "everything holds" in said(world, "verify")
    for schema, command in SHOWN.items():
        form, told = (json.loads(said(world, *words)) for words in (["schema", schema], [*command, "--json"]))
        assert problems(form, told) == [], schema
    said(world, "report")
    assert project.git("status", "--porcelain") == ""
    assert not below(world.place)
