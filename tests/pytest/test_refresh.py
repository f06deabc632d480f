"""A login that is said to have ended: the real tools refresh it before they ask their model.

Claude Code's refresh goes to its vendor alone, so there it is seen who is called, and answered by nobody.
"""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agent_bench import Bench, Stub, installed, need_sandbox


def jwt(seconds: float, **more: Any) -> str:
    parts = {"alg": "RS256"}, {"exp": int(time.time() + seconds), **more}
    return (
        ".".join(base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts)
        + ".c2ln"
    )


class Vendor(ThreadingHTTPServer):
    """Gives out new tokens, refuses whatever a model is asked, and forwards nothing."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.calls: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Vendor

    def log_message(self, *_: object) -> None:
        pass

    def do_CONNECT(self) -> None:
        self.server.calls.append(self.path)
        self.reply(502, {})

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["content-length"]))
        if self.path.endswith("/token"):
            self.server.calls.append(json.loads(asked)["refresh_token"])
            self.reply(
                200, {"access_token": jwt(9e5), "id_token": account(9e5), "refresh_token": "a-newer-one"}
            )
        else:
            self.server.calls.append("model")
            self.reply(400, {"error": {"type": "invalid_request_error", "message": "no more", "code": None}})

    def reply(self, status: int, told: dict[str, Any]) -> None:
        data = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def account(seconds: float) -> str:
    of = {"chatgpt_plan_type": "plus", "chatgpt_account_id": "an-account"}
    return jwt(seconds, email="me@example.org", **{"https://api.openai.com/auth": of})


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with Vendor() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def bench(place: Path, monkeypatch: pytest.MonkeyPatch, name: str, env: dict[str, str]) -> Bench:
    need_sandbox()
    stub = Stub("", place / "none", place / "none")
    return Bench(place, stub, monkeypatch, name, installed(name)[name], env, {})


def log_in(bench: Bench, name: str, login: dict[str, Any], stale: bool) -> Path:
    """A login of yesterday that is good for another ten minutes: what is not stale is not asked again."""
    file = bench.home / name
    file.parent.mkdir()
    file.write_text(json.dumps(login), "utf-8")
    yesterday = time.time() - 86400
    os.utime(file, (yesterday, yesterday))
    bench.write("credentials", f"{file}\0{name}\0")
    bench.write("stale", f"{file}\0" if stale else "")
    return file


@pytest.mark.parametrize("stale", [True, False])
def test_codex(place: Path, monkeypatch: pytest.MonkeyPatch, vendor: Vendor, stale: bool) -> None:
    env = {"OPENAI_BASE_URL": f"{vendor.url}/v1", "CODEX_REFRESH_TOKEN_URL_OVERRIDE": f"{vendor.url}/token"}
    made = bench(place, monkeypatch, "codex", env)
    tokens = {"id_token": account(600), "access_token": jwt(600), "refresh_token": "an-old-one"}
    login = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": {**tokens, "account_id": "an-account"}}
    today = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    file = log_in(made, ".codex/auth.json", {**login, "last_refresh": today}, stale)
    made.work("hello")
    kept = json.loads(file.read_text("utf-8"))["tokens"]["refresh_token"]
    if stale:
        assert (vendor.calls[:2], kept) == (["an-old-one", "model"], "a-newer-one")
    else:
        assert (vendor.calls[:1], kept) == (["model"], "an-old-one")


@pytest.mark.parametrize("stale", [True, False])
def test_claude(place: Path, monkeypatch: pytest.MonkeyPatch, vendor: Vendor, stale: bool) -> None:
    env = {"ANTHROPIC_BASE_URL": vendor.url, "HTTPS_PROXY": vendor.url, "NO_PROXY": "127.0.0.1"}
    made = bench(place, monkeypatch, "claude", {**env, "CLAUDE_CODE_MAX_RETRIES": "0"})
    oauth = {"accessToken": "sk-ant-oat01-old", "refreshToken": "sk-ant-ort01-old", "subscriptionType": "max"}
    oauth |= {"expiresAt": int((time.time() + 600) * 1000), "scopes": ["user:inference", "user:profile"]}
    file = log_in(made, ".claude/.credentials.json", {"claudeAiOauth": oauth}, stale)
    before = file.read_bytes()
    made.work("hello")
    # Where nobody answers it goes on with the token that it has.
    assert "model" in vendor.calls and file.read_bytes() == before
    assert (vendor.calls[0] == "platform.claude.com:443") is stale
