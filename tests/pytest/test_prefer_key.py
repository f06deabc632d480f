"""An adapter whose tool has a login and a key uses the key only when it is asked to (ORKESTRA_PREFER_KEY)."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

ADAPTERS = Path(__file__).resolve().parents[2] / "SCRIPTS" / "AGENTS" / "adapters"
TOOL = '#!/bin/bash\n{ env; printf "%s\\n" "$@"; } >"$ORKESTRA_ATTEMPT_DIR/seen"\n'


def describe(adapter: Path) -> dict[str, Any]:
    done = subprocess.run([adapter, "describe"], capture_output=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def api_keys(told: dict[str, Any]) -> list[str]:
    return [name for name in told["env"] if name.endswith("API_KEY")]


BOTH = [
    path.name
    for path in sorted(ADAPTERS.iterdir())
    if os.access(path, os.X_OK) and api_keys(told := describe(path)) and told["credentials"]
]


def given(place: Path, name: str, logins: bool, **values: str) -> str:
    """What the tool sees of keys when it has a login or the values beside them."""
    told = describe(ADAPTERS / name)
    home, folder = place / "home", place / "exchange"
    folder.mkdir(exist_ok=True)
    (folder / "schema.json").write_text("{}")
    (folder / "prompt.md").write_text("hello")
    tool = place / "tool"
    tool.write_text(TOOL)
    tool.chmod(0o755)
    for path in told["credentials"] if logins else []:
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text('{"login": "there", "authTokens": {"of": "copilot"}}')
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "ORKESTRA_BINARY": str(tool), "ORKESTRA_GRACE": "5"}
    env |= {one: "http://127.0.0.1:9" for one in told["base_url_env"] if one.endswith("_URL")}
    env |= {"ORKESTRA_ATTEMPT_DIR": str(folder)} | {one: f"value-of-{one}" for one in api_keys(told)} | values
    subprocess.run([ADAPTERS / name, "work"], env=env, cwd=place, input=b"", capture_output=True, check=False)
    return (folder / "seen").read_text("utf-8")


def test_there_are_such_adapters() -> None:
    assert {"claude", "codex", "gemini"} <= set(BOTH)


@pytest.mark.parametrize("name", BOTH)
def test_a_login_goes_before_a_key(place: Path, name: str) -> None:
    assert "value-of-" not in given(place, name, logins=True)
    assert "value-of-" not in given(place, name, logins=True, ORKESTRA_PREFER_KEY="0")
    assert "value-of-" in given(place, name, logins=True, ORKESTRA_PREFER_KEY="1")


@pytest.mark.parametrize("name", BOTH)
def test_without_a_login_there_is_the_key(place: Path, name: str) -> None:
    assert "value-of-" in given(place, name, logins=False)


def test_a_subscriptions_token_is_a_login(place: Path) -> None:
    token = {"CLAUDE_CODE_OAUTH_TOKEN": "the-subscription"}
    seen = given(place, "claude", logins=False, **token)
    assert "the-subscription" in seen and "value-of-" not in seen
    seen = given(place, "claude", logins=False, **token, ORKESTRA_PREFER_KEY="1")
    assert "the-subscription" not in seen and "value-of-" in seen
