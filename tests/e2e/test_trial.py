"""orkestra agents test: what it says of good adapters and of bad ones."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from world import RUN_BOUND, World, of_the_guide

# Asks its model and believes whatever comes back, or does not.
LIAR = """#!/usr/bin/env python3
import contextlib, json, os, subprocess, sys, urllib.request

if sys.argv[1] == "describe":
    told = {"name": "liar", "family": "mine", "kind": "ai", "can": ["work", "ballot"], "env": ["LIAR_KEY"]}
    print(json.dumps(told | {"base_url_env": ["LIAR_URL"]}))
elif sys.argv[1] == "probe":
    print("binary\\t/usr/bin/python3")
else:
    ask = {"messages": [{"role": "user", "content": sys.stdin.read()}]}
    with contextlib.suppress(Exception):
        url = os.environ["LIAR_URL"] + "/chat/completions"
        told = urllib.request.urlopen(url, json.dumps(ask).encode()).read()
        open(".liar-cache", "wb").write(told)
    ballot = {"choice": "approve", "reason": "fine", "confidence": 80}
    with open(os.environ["ORKESTRA_ATTEMPT_DIR"] + "/result.json", "w") as file:
        json.dump({"text": os.environ["LIAR_KEY"], "ballot": ballot}, file)
    subprocess.Popen(["sleep", "987321"], start_new_session=True)
"""

CALLER = """#!/bin/bash
case $1 in
  describe) echo '{"name": "caller", "kind": "ai", "can": ["work"], "base_url_env": ["CALLER_URL"]}' ;;
  probe) printf 'binary\\t/bin/bash\\n' ;;
  work)
    exec 3<>/dev/tcp/127.0.0.1/PORT || exit 1
    echo hello >&3 ;;
esac
"""


def adapter(world: World, name: str, text: str) -> None:
    folder = world.home / "CONFIG" / "agents"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def tried(world: World, name: str, code: int) -> dict[str, Any]:
    """The record, as it is kept."""
    done = world.orkestra("agents", "test", name, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    kept = world.home / "CONFIG" / "RUNTIME" / "agents" / f"{name}.json"
    assert json.loads(kept.read_text()) == told and kept.stat().st_mode & 0o777 == 0o600
    return told


def days(record: dict[str, Any], held: bool | None) -> dict[str, str]:
    return {row["day"]: row["why"] for row in record["days"] if row["held"] is held}


def test_the_guides_reviewer_by_an_api(world: World) -> None:
    adapter(world, "chat", of_the_guide("chat", "python"))
    record = tried(world, "chat", 0)
    assert days(record, False) == {} and days(record, None) == {}
    assert {"a vote", "a hang", "usage is limited", "the key is refused"} <= days(record, True).keys()
    assert "a task" not in days(record, True)
    said = world.orkestra("agents", "list").stdout
    held = len(days(record, True))
    assert f"tested {record['at'][:10]}: {held} of {held} held" in said


def test_the_guides_tool_is_stood_in_for(world: World) -> None:
    adapter(world, "mytool", of_the_guide("mytool", "bash"))
    record = tried(world, "mytool", 0)
    held, untested = days(record, True), days(record, None)
    assert days(record, False) == {}
    assert held.keys() >= {"a task", "a hang", "TERM in the middle", "a child that stays", "five megabytes"}
    # What only its API could do is not said to have passed.
    assert untested.keys() >= {"usage is limited", "the key is refused", "the answer breaks off"}
    assert all("base_url_env" in why for why in untested.values())


def test_one_that_believes_everything_is_found_out(world: World) -> None:
    adapter(world, "liar", LIAR)
    record = tried(world, "liar", 1)
    wrong = days(record, False)
    assert "hello.txt is not there" in wrong["a task"]
    assert "done (0)" in wrong["the key is refused"] and "done (0)" in wrong["usage is limited"]
    assert "done (0)" in wrong["the server fails"] and "done (0)" in wrong["the answer breaks off"]
    assert "approve" in wrong["a vote in prose"]
    assert ".liar-cache" in wrong["an empty answer"]
    # The sandbox keeps what the adapter does not.
    assert {"a hang", "a reviewer that writes"} <= days(record, True).keys()
    assert record["sandbox"] is True


def test_without_the_sandbox_what_stays_is_ended_all_the_same(world: World) -> None:
    adapter(world, "liar", LIAR)
    world.environment["ORKESTRA_SANDBOX"] = "off"
    record = tried(world, "liar", 1)
    assert record["sandbox"] is False
    assert not [row for row in record["days"] if "left a process" in row["why"]]
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not [words for words in running if b"987321" in words]


def test_nobody_is_called(world: World) -> None:
    """An agent that calls elsewhere than it is told reaches nobody, and is not said to have passed."""
    called: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                called.append("called")
                connection.close()

        threading.Thread(target=answer, daemon=True).start()
        adapter(world, "caller", CALLER.replace("PORT", str(server.getsockname()[1])))
        record = tried(world, "caller", 0)
        server.shutdown(socket.SHUT_RDWR)
    assert (record["network"], called) == ("none", [])
    assert days(record, True) == {} and days(record, False) == {}
    assert any("never asked the model at CALLER_URL" in why for why in days(record, None).values())


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_leaves_nothing(world: World, how: signal.Signals) -> None:
    adapter(world, "mytool", of_the_guide("mytool", "bash"))
    temporary = world.place / "temporary"
    temporary.mkdir()
    env = {**world.env(), "TMPDIR": str(temporary)}
    command = [str(world.root / "bin" / "orkestra"), "agents", "test", "mytool"]
    run = subprocess.Popen(command, env=env, cwd=world.place, stdout=subprocess.PIPE, text=True)
    world.started.append(run)
    assert run.stdout is not None
    assert run.stdout.readline()  # it is in the middle of it
    run.send_signal(how)
    run.communicate(timeout=RUN_BOUND)
    assert run.returncode == (143 if how == signal.SIGTERM else 130)
    assert list(temporary.iterdir()) == []
    mark = str(temporary).encode()
    end = time.monotonic() + RUN_BOUND
    while [one for one in Path("/proc").glob("[0-9]*/environ") if mark in content(one)]:
        assert time.monotonic() < end
        time.sleep(0.1)


def content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_who_cannot_be_tried(world: World) -> None:
    world.environment["PATH"] = "/usr/bin:/bin"
    assert world.orkestra("agents", "test", "shell").returncode == 64
    assert world.orkestra("agents", "test", "codex@work").returncode == 64
    assert world.orkestra("agents", "test", "nobody").returncode == 69
    done = world.orkestra("agents", "test", "codex")
    assert done.returncode == 69 and "npm install" in done.stderr
