"""Several accounts and models of one tool in a real run: each has its own key, login and name."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from world import World

BOT = r"""#!/usr/bin/env bash
set -euo pipefail
sum() { sha256sum | cut -c1-16; }
case $1 in
  describe)
    echo '{"name": "bot", "family": "acme", "kind": "ai", "can": ["work", "ballot"], "env": ["BOT_KEY"],
           "credentials": [".bot/login.json"]}' ;;
  probe)
    [[ -n ${BOT_KEY:-} || -s $HOME/.bot/login.json ]] || { echo "not logged in" >&2; exit 77; }
    printf 'binary\t/usr/bin/env\n' ;;
  work)
    printf '%s %s %s %s\n' "$ORKESTRA_AGENT" "${ORKESTRA_MODEL:--}" "$(printf %s "${BOT_KEY:-}" | sum)" \
      "$(sum <"$HOME/.bot/login.json")" >"$ORKESTRA_TASK.txt"
    ls -d "$SECRET_PLACE" 2>/dev/null >>"$ORKESTRA_TASK.txt" || true
    sed -i 's/login-0/login-1/' "$HOME/.bot/login.json"
    echo '{"text": "done"}' >"$ORKESTRA_ATTEMPT_DIR/result.json" ;;
  ballot)
    printf '{"ballot": {"choice": "approve", "reason": "seen by %s", "confidence": 90}}' "$ORKESTRA_MODEL" \
      >"$ORKESTRA_ATTEMPT_DIR/result.json" ;;
esac
"""
KEYS = {"": "sk-own-key-0011223344", "work": "sk-work-key-5566778899"}


def short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def login(who: str, times: int) -> str:
    return json.dumps({"token": f"login-{times}-of-{who}-0123456789abcdef"})


def private(path: Path, text: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    path.chmod(0o600)


def test_two_accounts_and_two_models_of_one_tool(world: World) -> None:
    config = world.home / "CONFIG"
    account = config / "accounts" / "work"
    (config / "agents").mkdir(parents=True)
    adapter = config / "agents" / "bot"
    adapter.write_text(BOT.replace("$SECRET_PLACE", str(config / "accounts")), "utf-8")
    adapter.chmod(0o755)
    private(config / "api-keys.env", f"BOT_KEY={KEYS['']}\n")
    private(account / "api-keys.env", f"BOT_KEY={KEYS['work']}\n")
    (account / "home").mkdir(mode=0o700)
    mine, theirs = world.place / "home" / ".bot" / "login.json", account / "home" / ".bot" / "login.json"
    private(mine, login("own", 0))
    private(theirs, login("work", 0))
    agents = {"a": "bot", "b": "bot@work", "c": "bot@work:large/2"}
    tasks = [{"id": name, "agent": agent, "max_attempts": 1} for name, agent in agents.items()]
    judge = "bot@work:v/1:7b"
    project = world.new("accounts", tasks, agents=["bot", "bot@work"], committee={"reviewers": [judge]})
    done = project.start("--workers", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    said = {name: project.file(f"{name}.txt").splitlines() for name in agents}
    assert said == {
        "a": [f"bot - {short(KEYS[''])} {short(login('own', 0))}"],
        "b": [f"bot@work - {short(KEYS['work'])} {short(login('work', 0))}"],
        "c": [f"bot@work:large/2 large/2 {short(KEYS['work'])} {short(login('work', 1))}"],
    }
    assert (mine.read_text("utf-8"), theirs.read_text("utf-8")) == (login("own", 1), login("work", 1))
    assert theirs.stat().st_mode & 0o777 == 0o600
    votes = project.votes()
    assert [one["ballots"][0]["reason"] for one in votes] == ["seen by v/1:7b"] * 3
    assert {one["electorate"][0]["member"] for one in votes} == {judge}
    assert {one["task"]: one["agent"] for one in project.outcomes()} == agents
    assert project.verify().returncode == 0
    shown = world.orkestra("task", "show", "c").stdout
    assert "try 1: bot@work:large/2 (the task names it): " in shown
    # Nothing of either account is left anywhere but where it belongs.
    for path in (project.path, world.home / "LOGS"):
        for file in path.rglob("*"):
            data = file.read_bytes() if file.is_file() else b""
            assert not any(key.encode() in data for key in KEYS.values()), file
            assert b"of-work-0123456789abcdef" not in data, file
    assert world.orkestra("pause", "--agent", "bot@work:large/2").returncode == 0
    for name, why in (("other@work", "no agent 'other@work'"), ("bot@home", "no account 'home'")):
        refused = world.orkestra("pause", "--agent", name)
        assert refused.returncode == 64 and why in refused.stderr
