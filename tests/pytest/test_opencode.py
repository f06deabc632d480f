"""The adapter of opencode: which key, vendor and settings follow from the model that its name has."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

ADAPTER = Path(__file__).resolve().parents[2] / "SCRIPTS" / "AGENTS" / "adapters" / "opencode"
TOOL = '#!/bin/bash\n{ env -0; printf "ARGUMENTS=%s\\0" "$*"; } >"$ORKESTRA_ATTEMPT_DIR/seen-$1"\n'
LOGIN = ".local/share/opencode/auth.json"


def call(place: Path, verb: str, **values: str) -> subprocess.CompletedProcess[str]:
    (tool := place / "opencode").write_text(TOOL)
    tool.chmod(0o755)
    (place / "exchange").mkdir(exist_ok=True)
    (place / "exchange" / "schema.json").write_text("{}")
    env = {"PATH": f"{place}:{os.environ['PATH']}", "HOME": str(place / "home"), "ORKESTRA_GRACE": "5"}
    env |= {"ORKESTRA_BINARY": str(tool), "ORKESTRA_ATTEMPT_DIR": str(place / "exchange"), **values}
    return subprocess.run([ADAPTER, verb], env=env, cwd=place, input="", capture_output=True, text=True)


def seen(place: Path, verb: str = "work", **values: str) -> dict[str, str]:
    """The tool's environment, and ARGUMENTS."""
    call(place, verb, **values)
    said = (place / "exchange" / "seen-run").read_text("utf-8").split("\0")
    return dict(pair.split("=", 1) for pair in said if pair)


def config(place: Path, verb: str = "work", **values: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(seen(place, verb, **values)["OPENCODE_CONFIG_CONTENT"])
    return found


@pytest.mark.parametrize(
    ("model", "family", "keys"),
    [
        ("anthropic/claude-x", "anthropic", ["ANTHROPIC_API_KEY"]),
        ("openrouter/z-ai/glm-5", "z-ai", ["OPENROUTER_API_KEY"]),
        ("google/gemini-x", "google", ["GEMINI_API_KEY"]),
        ("zai-coding-plan/glm-5", "zai-coding-plan", ["ZAI_CODING_PLAN_API_KEY"]),
    ],
)
def test_a_model_says_its_vendor_and_its_key(place: Path, model: str, family: str, keys: list[str]) -> None:
    told = json.loads(call(place, "describe", ORKESTRA_MODEL=model).stdout)
    assert (told["family"], told["env"]) == (family, keys)
    assert call(place, "probe", ORKESTRA_MODEL=model).returncode == 77
    assert call(place, "probe", ORKESTRA_MODEL=model, ANOTHER_API_KEY="x").returncode == 77
    assert call(place, "probe", ORKESTRA_MODEL=model, **{keys[0]: "x"}).returncode == 0


def test_a_model_without_its_provider_is_none(place: Path) -> None:
    done = call(place, "probe", ORKESTRA_MODEL="gpt-x", OPENAI_API_KEY="x")
    assert done.returncode == 69 and "PROVIDER/MODEL" in done.stderr


def test_providers_are_where_they_are_said_to_be(place: Path) -> None:
    bare = config(place, OPENAI_API_KEY="x", OPENAI_BASE_URL="http://o/v1", ANTHROPIC_BASE_URL="http://a/")
    assert bare["provider"]["openai"]["options"] == {"baseURL": "http://o/v1"}
    assert bare["provider"]["anthropic"]["options"] == {"baseURL": "http://a/v1"}
    named = config(place, ORKESTRA_MODEL="openai/new", OPENAI_API_KEY="x", ANTHROPIC_BASE_URL="http://a/v1")
    assert named["provider"]["openai"] == {"models": {"new": {}}}
    assert named["provider"]["anthropic"]["options"] == {"baseURL": "http://a/v1"}
    local = config(place, ORKESTRA_MODEL="ollama/qwen3:8b", OLLAMA_HOST="http://127.0.0.1:11434")
    assert local["provider"]["ollama"]["options"] == {"baseURL": "http://127.0.0.1:11434/v1"}
    assert local["provider"]["ollama"]["models"] == {"qwen3:8b": {}}
    done = call(place, "work", OPENAI_API_KEY="x", OPENAI_BASE_URL='http://o/"}')
    assert done.returncode == 78 and "not an address" in done.stderr


def test_a_login_counts_for_its_providers_alone(place: Path) -> None:
    login = place / "home" / LOGIN
    login.parent.mkdir(parents=True)
    login.write_text('{"openai": {"type": "oauth"}}')
    mine = {"ORKESTRA_MODEL": "openai/x", "OPENAI_API_KEY": "the-key"}
    assert "OPENAI_API_KEY" not in seen(place, **mine)
    found = seen(place, **mine, ORKESTRA_PREFER_KEY="1")
    assert (found["OPENAI_API_KEY"], found["OPENCODE_AUTH_CONTENT"]) == ("the-key", "{}")
    other = {"ORKESTRA_MODEL": "anthropic/x"}
    assert call(place, "probe", **other).returncode == 77
    assert seen(place, **other, ANTHROPIC_API_KEY="the-key")["ANTHROPIC_API_KEY"] == "the-key"


def test_a_ballot_may_read_and_nothing_else(place: Path) -> None:
    allowed = config(place, "ballot", OPENAI_API_KEY="x")["permission"]
    assert allowed.pop("*") == "deny"
    assert set(allowed) == {"read", "grep", "glob", "list", "external_directory"}
    assert config(place, "work", OPENAI_API_KEY="x")["permission"] == {"*": "allow"}
    assert seen(place, "ballot", OPENAI_API_KEY="x")["OPENCODE_DISABLE_PROJECT_CONFIG"] == "1"


def test_a_session_goes_on_in_the_folder_of_this_attempt(place: Path) -> None:
    found = seen(place, OPENAI_API_KEY="x", ORKESTRA_SESSION="ses_a1b2c3")
    assert "--session ses_a1b2c3" in found["ARGUMENTS"]
    moved = (place / "exchange" / "seen-db").read_text("utf-8")
    quoted = str(place).replace("'", "''")
    assert f"directory = '{quoted}'" in moved and "where id = 'ses_a1b2c3'" in moved
