"""orkestra_shim.freshness: when a login's token ends, and a copy that is said to have ended."""

from __future__ import annotations

import base64
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from orkestra_shim import credential, freshness

NOW = 1_900_000_000
ISO = "2030-03-17T17:46:40"


def jwt(**claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"header.{body}.signature"


def data(login: Any) -> bytes:
    return json.dumps(login).encode()


CLAUDE = {"claudeAiOauth": {"accessToken": "a", "refreshToken": "r", "expiresAt": NOW * 1000, "scopes": []}}
CODEX = {"OPENAI_API_KEY": None, "tokens": {"access_token": jwt(exp=NOW), "refresh_token": "r"}}
GEMINI = {"access_token": "a", "refresh_token": "r", "expiry_date": NOW * 1000, "token_type": "Bearer"}
OPENCODE = {"anthropic": {"type": "oauth", "refresh": "r", "access": "a", "expires": NOW * 1000}}


@pytest.mark.parametrize(
    "login",
    [CLAUDE, CODEX, GEMINI, OPENCODE]
    + [{"refresh_token": "r", "expires_at": one} for one in (NOW, float(NOW), f"{ISO}Z", f"{ISO}.123456789Z")]
    + [
        {"refresh_token": "r", "expiry": f"{ISO}+00:00"},
        {**CLAUDE, "x": {"refresh": "r", "expires": NOW + 1}},
    ],
)
def test_the_end_is_found(login: Any) -> None:
    assert freshness.end(data(login)) == NOW


@pytest.mark.parametrize(
    "login",
    [
        {},
        [],
        {"access_token": "a", "expires_at": NOW},
        {"refresh_token": "", "expires_at": NOW},
        {"refresh_token": "r"},
        {"refresh_token": "r", "expires_at": None, "access_token": "a.b.c"},
        {"refresh_token": "r", "expires_at": True},
        {"refresh_token": "r", "expires_at": "soon", "refresh_token_expires_at": NOW},
        {"mcpOAuth": {"server": {"refreshToken": "r", "expiresAt": NOW}}},
    ],
)
def test_no_end_is_made_up(login: Any) -> None:
    assert freshness.end(data(login)) is None


@pytest.mark.parametrize("text", [b"", b"a-token", b"[" * 100_000, b"\xff"])
def test_what_is_no_json_stays(text: bytes) -> None:
    assert freshness.end(text) is None and freshness.aged(text) == text


@pytest.mark.parametrize("login", [CLAUDE, CODEX, GEMINI, OPENCODE, {"refresh": "r", "expires": f"{ISO}Z"}])
def test_an_aged_copy_has_ended_and_has_the_same_shape(login: Any) -> None:
    copy = freshness.aged(data(login))
    ended = freshness.end(copy)
    assert ended is not None and ended < time.time() - 1800
    assert credential.refusal(login, json.loads(copy)) is None
    # Brought back as it is it would take time away from the login.
    assert credential.check(data(login), copy) is not None
    assert credential.check(copy, data(login)) is None


def test_a_copy_of_what_has_ended_is_no_younger() -> None:
    long_ago = {"refresh_token": "r", "expires_at": 1000, "last_refresh": "2026-01-01T00:00:00Z"}
    assert json.loads(freshness.aged(data(long_ago))) == {**long_ago, "last_refresh": "2020-01-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("age", "left", "seconds", "stale"),
    [
        (0, 8 * 3600, 1800, False),
        (7.5 * 3600, 1800, 1800, True),
        (9 * 3600, -3600, 1, True),
        # It lives for an hour, the task may take three: from half an hour on.
        (60, 3540, 3 * 3600, False),
        (2400, 1200, 3 * 3600, True),
        # Written after its end.
        (-7200, 60, 1800, True),
    ],
)
def test_stale(place: Path, age: float, left: float, seconds: float, stale: bool) -> None:
    file, now = place / "login.json", time.time()
    file.write_bytes(data({"refresh_token": "r", "expires_at": now + left}))
    os.utime(file, (now - age, now - age))
    link = place / "link"
    link.symlink_to(file)
    assert freshness.stale(link, seconds) is stale
    assert freshness.main(["stale", str(file), str(seconds)]) == (0 if stale else 1)
