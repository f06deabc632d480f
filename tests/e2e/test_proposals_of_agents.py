"""What an agent finds on the way, in a real run: proposed, shown, accepted, done."""

from __future__ import annotations

import json
from shlex import quote

from world import World

LEAVES = (
    'printf \'%s\' \'{"tasks": [{"id": "later", "title": "Later", "command": "echo later >later.txt"}]}\' '
    '>"$ORKESTRA_ATTEMPT_DIR/follow-ups.json"; '
)


def test_an_agents_proposal_runs_once_a_person_has_seen_it(world: World) -> None:
    stolen = world.place / "stolen.json"  # no agent can read it, and a link to it is not followed for one
    stolen.write_text('{"tasks": [{"title": "Stolen"}]}')
    link = f'ln -s {quote(str(stolen))} "$ORKESTRA_ATTEMPT_DIR/follow-ups.json"'
    tasks = [
        {"id": "a", "command": f"{LEAVES} echo a >a.txt"},
        {"id": "fails", "command": f"{LEAVES} false", "max_attempts": 1},
        {"id": "steals", "command": f"{link}; date >b.txt"},
    ]
    project = world.new("found", tasks)
    done = project.start("--workers", "1")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "found on the way: later" in done.stdout
    assert project.statuses() == {
        "a": "completed", "fails": "failed", "steals": "completed", "later": "proposed",
    }  # fmt: skip
    assert project.file("later.txt") is None
    assert "later" in str(project.file("config/task-queue.json")), "the queue's checkpoint has it"

    shown = world.orkestra("task", "show", "later", "--json")
    assert json.loads(shown.stdout)["task"]["source"] == "found by shell at a, try 1:1"
    assert world.orkestra("task", "accept", "later").returncode == 64
    assert project.start().returncode == 1 and project.file("later.txt") is None
    accepted = world.orkestra("task", "accept", "later", "--yes")
    assert accepted.returncode == 0 and "echo later >later.txt" in accepted.stdout
    assert project.start().returncode == 1  # `fails` has failed
    assert project.file("later.txt") == "later\n"
    assert project.verify().returncode == 0
