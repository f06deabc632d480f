"""Every prompt of a run as agents and reviewers get it: no key, no place outside of their own."""

from __future__ import annotations

from world import World

KEY = "prompt-key-71c0d5e9a2b4"

# Looks through all it is given while it lives: what is kept of that has gone through redaction once more.
LOOKS = r"""#!/bin/bash
case $1 in
  describe)
    echo '{"name": "@NAME@", "family": "@NAME@s", "kind": "ai", "can": ["@CAN@"], "revises": "tree"}'
    exit ;;
  probe) exit 0 ;;
esac
asked=$(cat)
found=''
for word in '@KEY@' '@PLACE@'; do
  [[ $asked != *"$word"* ]] || found+=" told:${#word}"
  ! grep -rqF -- "$word" "$ORKESTRA_ATTEMPT_DIR" || found+=" given:${#word}"
done
for word in @WANTED@; do [[ $asked == *"$word"* ]] || found+=" missing:$word"; done
"""
WORKER = r"""
echo "$ORKESTRA_TRY:$found" >>found.txt
(($ORKESTRA_TRY < 2)) || touch mended
echo '{"text": "done"}' >"$ORKESTRA_ATTEMPT_DIR/result.json"
"""
JUDGE = r"""
if grep -q '^+3' "$ORKESTRA_ATTEMPT_DIR/diff.patch"; then choice=approve; else choice=revise; fi
reason="seen in @PLACE@: @KEY@ [$found]"
printf '{"ballot": {"choice": "%s", "reason": "%s", "confidence": 90}}' "$choice" "$reason" \
  >"$ORKESTRA_ATTEMPT_DIR/result.json"
"""


def agent(world: World, name: str, can: str, wanted: str, does: str) -> None:
    text = LOOKS + does
    place = str(world.place).replace("'", "'\\''")
    for key, value in {"NAME": name, "CAN": can, "KEY": KEY, "PLACE": place, "WANTED": wanted}.items():
        text = text.replace(f"@{key}@", value)
    file = world.home / "CONFIG/agents" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")
    file.chmod(0o755)


def test_no_prompt_of_a_run_holds_a_key_or_a_place(world: World) -> None:
    agent(world, "writer", "work", "house-rule Mended-by-us", WORKER)
    agent(world, "judge", "ballot", "JUDGE-IT", JUDGE.replace("@PLACE@", "/the/place"))
    keys = world.home / "CONFIG/api-keys.env"
    keys.write_text(f"SOME_KEY={KEY}\n")
    keys.chmod(0o600)
    task = {
        "id": "a",
        "agent": "writer",
        "description": f"Use {KEY[:8]}\n{KEY[8:]}",
        "check": f"printf '%s%s %s/end\\n' {KEY[:8]} {KEY[8:]} \"$PWD\"; test -f mended",
    }
    project = world.new("told", [])
    own = project.path / "config/prompts"
    own.mkdir()
    (own / "task.md.j2").write_text(
        '{% extends "built-in/task.md.j2" %}\n{% block note %}\nMended-by-us\n{% endblock %}\n'
    )
    (own / "review.md.j2").write_text('JUDGE-IT\n{% include "built-in/review.md.j2" %}')
    (project.path / "AGENTS.md").write_text(f"house-rule: never say {KEY}\n")
    project.git("add", "-A")
    project.set(agents=["writer"], committee={"reviewers": ["judge"]})
    project.tasks([task])
    done = project.start()
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.file("found.txt") == "2:\n3:\n"  # nothing leaked, nothing was missing
    reasons = [ballot["reason"] for vote in project.votes() for ballot in vote["ballots"]]
    assert reasons == ["seen in /the/place: [redacted] []"] * 2
    assert [vote["decision"] for vote in project.votes()] == ["revise", "approve"]
    prompts = sorted(project.path.glob("logs/execution/attempts/**/prompt.md"))
    assert len(prompts) == 5
    for file in prompts:
        text = file.read_text()
        assert KEY not in text and str(world.place) not in text
    assert "\n[redacted] ./end\n" in prompts[1].read_text() and "/the/place" in prompts[3].read_text()
