"""Four workers on one login whose token ends: one refresh, nobody is logged out, the newest login is kept.

The agent's tool is a stand-in whose login rotates, as the strictest do: a refresh token that was used once is
refused, and so is an access token that has been replaced before it was used.
"""

from __future__ import annotations

import json
import os
import shlex
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from world import World

WORKERS = 4
PATIENCE = 100  # bound for what hangs, seconds

# It refreshes its login when that has ended, writes it in two halves (as a tool may), and asks its model.
TOOL = """
import json, os, pathlib, sys, time, urllib.request

login = pathlib.Path.home() / ".tool" / "login.json"

def ask(path, token):
    body = json.dumps({"token": token, "task": os.environ["ORKESTRA_TASK"]}).encode()
    with urllib.request.urlopen(os.environ["TOOL_URL"] + path, body, timeout=120) as reply:
        return json.load(reply)

told = json.loads(login.read_text())
if told["oauth"]["expiresAt"] < (time.time() + 300) * 1000:
    told["oauth"] |= ask("/refresh", told["oauth"]["refreshToken"])
    text = json.dumps(told)
    with open(login, "w") as file:
        file.write(text[:20])
        file.flush()
        os.fsync(file.fileno())
        ask("/half", "")
        file.write(text[20:])
ask("/work", told["oauth"]["accessToken"])
pathlib.Path(os.environ["ORKESTRA_TASK"] + ".txt").write_text("made\\n")
"""

ADAPTER = """#!/usr/bin/env bash
set -euo pipefail
case ${1:-} in
  describe) echo '{"name": "tool", "family": "mine", "kind": "ai", "binary": "python3",
    "base_url_env": ["TOOL_URL"], "can": ["work"], "credentials": [".tool/login.json"]}' ;;
  probe) printf 'binary\\t%s\\nread\\t%s\\n' /usr/bin/python3 TOOL.PY ;;
  work) "$ORKESTRA_BINARY" TOOL.PY ;;
esac
"""


class Vendor(ThreadingHTTPServer):
    """Whoever gives out tokens, and the model."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.number = 1
        self.refreshed: list[str] = []
        self.refused: list[str] = []
        self.together = threading.Barrier(WORKERS)  # all work at once: none waits until another has ended

    def token(self, kind: str) -> str:
        return f"{kind}-token-of-the-tool-number-{self.number}"

    def login(self, seconds: float) -> dict[str, Any]:
        return {
            "accessToken": self.token("access"),
            "refreshToken": self.token("refresh"),
            "expiresAt": int((time.time() + seconds) * 1000),
        }

    def answer(self, path: str, told: dict[str, str]) -> dict[str, Any] | None:
        """None is a refusal."""
        with self.lock:
            if path == "/half":
                return {}
            kind = "refresh" if path == "/refresh" else "access"
            if told["token"] != self.token(kind):
                self.refused.append(f"{path} {told['task']} {told['token']}")
                return None
            if path == "/refresh":
                self.refreshed.append(told["task"])
                self.number += 1
                return self.login(8 * 3600)
        self.together.wait(PATIENCE)
        return {}


class Handler(BaseHTTPRequestHandler):
    server: Vendor

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["content-length"])))
        answer = self.server.answer(self.path, told)
        data = json.dumps(answer or {}).encode()
        self.send_response(401 if answer is None else 200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def vendor() -> Iterator[Vendor]:
    with Vendor() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.together.abort()
        server.shutdown()


def logged_in(world: World, server: Vendor, seconds: float) -> Path:
    config = world.home / "CONFIG"
    (config / "agents").mkdir(parents=True)
    program = world.place / "tool.py"
    (config / "agents" / "tool").write_text(ADAPTER.replace("TOOL.PY", shlex.quote(str(program))))
    (config / "agents" / "tool").chmod(0o755)
    program.write_text(TOOL)
    world.environment["TOOL_URL"] = f"http://127.0.0.1:{server.server_address[1]}"
    login = world.place / "home" / ".tool" / "login.json"
    login.parent.mkdir()
    login.write_text(json.dumps({"oauth": server.login(seconds)}))
    login.chmod(0o600)
    written = time.time() + seconds - 8 * 3600
    os.utime(login, (written, written))
    return login


@pytest.mark.parametrize("left", [900, -60], ids=["ends soon", "has ended"])
def test_one_refresh_for_four_workers(world: World, left: float) -> None:
    with vendor() as server:
        login = logged_in(world, server, left)
        tasks = [{"id": f"t{number}", "agent": "tool", "max_attempts": 1} for number in range(WORKERS)]
        project = world.new("logins", tasks, agents=["tool"])
        done = project.start("--workers", str(WORKERS))
        assert (server.refused, len(server.refreshed)) == ([], 1), done.stdout + done.stderr
        kept = json.loads(login.read_text())["oauth"]
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(project.decided().values()) == {"landed"}
    assert (
        kept["accessToken"] == "access-token-of-the-tool-number-2" and kept["expiresAt"] > time.time() * 1000
    )
    assert login.stat().st_mode & 0o777 == 0o600
    secrets = ("token-of-the-tool-number-1", "token-of-the-tool-number-2")
    left_there = [*(world.home / "LOGS").rglob("*"), *project.path.rglob("*")]
    texts = [path.read_bytes() for path in left_there if path.is_file() and not path.is_symlink()]
    assert not any(one.encode() in text for one in secrets for text in texts)
