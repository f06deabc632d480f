"""orkestra agents list, probe and login, with tools that are stand-ins; no model is called."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from world import RUN_BOUND, World

TOOL = """#!/bin/bash
printf '%s\\n' "$*" >>"$HOME/called"
if [[ $1 == auth ]]; then
  [[ -t 0 && -t 1 ]] || exit 9
  echo "key=${ANTHROPIC_API_KEY:-none} elsewhere=${CLAUDE_CONFIG_DIR:-none}"
  read -rp 'Paste the code: ' code
  [[ $code == the-code ]] || exit 3
  mkdir -p "$HOME/.claude"
  echo "{}" >"$HOME/.claude/.credentials.json"
fi
"""


@pytest.fixture
def bare(world: World) -> World:
    """Without anybody's tools and keys."""
    world.environment["PATH"] = "/usr/bin:/bin"
    (world.home / "CONFIG" / "agents").mkdir(parents=True)
    return world


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def keys(world: World, *lines: str) -> None:
    file = world.home / "CONFIG" / "api-keys.env"
    file.write_text("".join(f"{line}\n" for line in lines))
    file.chmod(0o600)


def asked(world: World, *arguments: str, code: int = 0) -> dict[str, dict[str, Any]]:
    done = world.orkestra("agents", *arguments, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    return {row["agent"]: row for row in json.loads(done.stdout)}


def test_what_works_and_what_to_do_about_the_rest(bare: World) -> None:
    tool = executable(bare.place / "home" / ".local" / "bin" / "claude", TOOL)
    rows = asked(bare, "probe")
    assert rows["shell"]["state"] == "works"
    assert (rows["codex"]["state"], rows["claude"]["state"]) == ("missing", "not logged in")
    assert "npm install -g @openai/codex" in rows["codex"]["why"]
    assert "orkestra agents login claude" in rows["claude"]["why"]
    assert asked(bare, "probe", "claude", "codex", code=69).keys() == {"claude", "codex"}
    # A key that is only in somebody's shell is not used, nor is one without a value.
    bare.environment["ANTHROPIC_API_KEY"] = "from-the-shell"
    keys(bare, "#ANTHROPIC_API_KEY=a", "ANTHROPIC_API_KEY=", 'CLAUDE_CODE_OAUTH_TOKEN=""')
    asked(bare, "probe", "claude", code=69)
    keys(bare, 'export ANTHROPIC_API_KEY="sk-the-key"')
    assert asked(bare, "probe", "claude")["claude"]["binary"] == str(tool)
    assert not (bare.place / "home" / "called").exists()
    done = bare.orkestra("agents", "probe")
    assert "sk-the-key" not in done.stdout + done.stderr
    assert bare.orkestra("agents", "probe", "nobody").returncode == 64


def test_users_own_adapters_are_found_and_bounded_and_forge_nothing(bare: World) -> None:
    folder = bare.home / "CONFIG" / "agents"
    describe = 'echo \'{"name": "x", "family": "mine", "kind": "ai", "can": ["work"]}\''
    body = f"#!/bin/bash\ncase $1 in describe) {describe} ;; probe) %s ;; esac\n"
    executable(folder / "mine", body % 'printf "binary\\t/some/tool\\n"')
    executable(folder / "codex", body % ":")
    executable(folder / "liar", body % 'printf "no\\nclaude  works\\n\\e[2J" >&2; exit 69')
    executable(folder / "spy", body % 'echo "saw $ANTHROPIC_API_KEY" >&2; exit 69')
    executable(folder / "slow", body % "sleep 600")
    executable(folder / "Bad Name", body % ":")
    (folder / "notes.txt").write_text("x")
    keys(bare, "ANTHROPIC_API_KEY=sk-the-key")
    rows = asked(bare, "probe")
    assert rows["mine"]["binary"] == "/some/tool" and rows["mine"]["family"] == "mine"
    assert rows["codex"]["adapter"] == str(folder / "codex") and rows["codex"]["state"] == "works"
    assert rows["slow"]["state"] == "broken" and "did not answer" in rows["slow"]["why"]
    assert "sk-the-key" not in json.dumps(rows)
    assert not {"Bad Name", "notes.txt"} & rows.keys()
    done = bare.orkestra("agents", "probe", "liar")
    assert len(done.stdout.splitlines()) == 1 and "\x1b" not in done.stdout


def test_a_rest_is_shown_and_ends_when_a_person_says_so(bare: World) -> None:
    body = '#!/bin/bash\n[[ $1 != describe ]] || echo \'{"name": "mine", "kind": "ai", "can": ["work"]}\'\n'
    executable(bare.home / "CONFIG" / "agents" / "mine", body)
    now = int(time.time())
    limits = {"mine": [{"model": None, "at": now, "until": now + 4000, "why": "usage limit"}]}
    file = bare.home / "CONFIG" / "RUNTIME" / "limits.json"
    file.parent.mkdir()
    file.write_text(json.dumps({"version": 1, "limits": limits}))
    row = asked(bare, "list")["mine"]
    assert (row["state"], row["until"], row["why"]) == ("rests", now + 4000, "usage limit")
    said = bare.orkestra("agents", "list").stdout
    assert "rests until" in said and "orkestra agents wake NAME" in said
    assert "used again" in bare.orkestra("agents", "wake", "mine:fast").stdout
    assert asked(bare, "list")["mine"]["state"] == "works"
    assert "does not rest" in bare.orkestra("agents", "wake", "mine").stdout
    assert bare.orkestra("agents", "wake", "nobody").returncode == 64


def test_the_record_of_the_project(bare: World) -> None:
    assert asked(bare, "list")["shell"]["record"] is None
    tasks = [
        {"id": "a", "command": "touch a"},
        {"id": "b", "command": "touch b"},
        {"id": "c", "command": "false", "max_attempts": 1},
    ]
    bare.new("deeds", tasks, agents=["shell", "claude@work:opus"]).start()
    rows = asked(bare, "list")
    record = rows["shell"]["record"]
    assert (record["landed"], record["failed"], record["usd_micros"]) == (2, 1, 0)
    assert rows["shell"]["today"]["usd_micros"] == 0 and rows["shell"]["tested"] is None
    assert rows["claude"]["record"]["landed"] == 0
    row = rows["claude@work:opus"]
    assert (row["account"], row["model"], row["state"] == "works") == ("work", "opus", False)
    said = bare.orkestra("agents", "list")
    assert "2 landed, 1 failed" in said.stdout and "wake" not in said.stdout


def typed(world: World, answer: str, *arguments: str) -> tuple[int, str]:
    """The command in a terminal, in which somebody types an answer to what the tool asks."""
    ours, theirs = pty.openpty()
    command = [str(world.root / "bin" / "orkestra"), *arguments]
    run = subprocess.Popen(
        command, env=world.env(), cwd=world.place, stdin=theirs, stdout=theirs, stderr=theirs
    )
    world.started.append(run)
    os.close(theirs)
    seen, is_asked, end = "", False, time.monotonic() + RUN_BOUND
    while time.monotonic() < end:
        if select.select([ours], [], [], 1)[0]:
            try:
                seen += os.read(ours, 4096).decode()
            except OSError:  # nobody has the terminal open any more
                break
        if not is_asked and "Paste the code" in seen:
            is_asked = True
            os.write(ours, f"{answer}\n".encode())
    os.close(ours)
    return run.wait(RUN_BOUND), seen


def test_login_is_the_tools_own_in_this_terminal(bare: World) -> None:
    home = bare.place / "home"
    executable(home / ".local" / "bin" / "claude", TOOL)
    bare.environment |= {"ANTHROPIC_API_KEY": "from-the-shell", "CLAUDE_CONFIG_DIR": "/of/mine"}
    code, seen = typed(bare, "wrong", "agents", "login", "claude")
    assert code == 77 and "ended with 3" in seen and "agents login claude" in seen
    code, seen = typed(bare, "the-code", "agents", "login", "claude")
    assert code == 0 and "key=none elsewhere=/of/mine" in seen and str(home) in seen
    assert (home / "called").read_text() == "auth login\nauth login\n"
    assert asked(bare, "probe", "claude")["claude"]["state"] == "works"
    # Without a terminal the tool says what it has to say.
    assert bare.orkestra("agents", "login", "claude").returncode == 77
    assert bare.orkestra("agents", "login", "codex").returncode == 69
    done = bare.orkestra("agents", "login", "llm")
    assert done.returncode == 64 and "OPENAI_API_KEY" in done.stderr


def test_login_of_an_account_is_in_its_home(bare: World) -> None:
    executable(bare.place / "home" / ".local" / "bin" / "claude", TOOL)
    bare.environment["CLAUDE_CONFIG_DIR"] = "/of/mine"
    code, seen = typed(bare, "the-code", "agents", "login", "claude@work")
    assert code == 0 and "elsewhere=none" in seen, seen
    home = bare.home / "CONFIG" / "accounts" / "work" / "home"
    assert (home / ".claude" / ".credentials.json").is_file()
    assert home.stat().st_mode & 0o777 == 0o700
    assert not (bare.place / "home" / ".claude").exists()
    rows = asked(bare, "list")
    assert (rows["claude@work"]["state"], rows["claude@work"]["account"]) == ("works", "work")
    assert rows["claude"]["state"] == "not logged in" and "codex@work" not in rows
