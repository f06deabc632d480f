"""A run whose reviewers are known: copies with planted defects never land, and weights are learned."""

from __future__ import annotations

import json
from typing import Any

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


def agent(world: World, name: str) -> None:
    path = world.home / "CONFIG" / "agents" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(AGENT.format(name=name, code=CODE.replace("\n", "\\n")), "utf-8")
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
