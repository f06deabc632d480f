"""The adapter of Qwen Code: where its key goes, and a session that began in another workspace."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

ADAPTER = Path(__file__).resolve().parents[2] / "SCRIPTS" / "AGENTS" / "adapters" / "qwen"
TOOL = '#!/bin/bash\n{ env -0; printf "ARGUMENTS=%s\\0" "$*"; } >"$ORKESTRA_ATTEMPT_DIR/seen"\n'


def seen(place: Path, **values: str) -> dict[str, str]:
    """What the tool gets when the adapter works: its environment, and ARGUMENTS."""
    (tool := place / "qwen").write_text(TOOL)
    tool.chmod(0o755)
    (place / "exchange").mkdir()
    env = {"PATH": os.environ["PATH"], "HOME": str(place / "home"), "ORKESTRA_GRACE": "5", **values}
    env |= {"ORKESTRA_BINARY": str(tool), "ORKESTRA_ATTEMPT_DIR": str(place / "exchange")}
    subprocess.run([ADAPTER, "work"], env=env, cwd=place, input=b"", capture_output=True, check=False)
    said = (place / "exchange" / "seen").read_text("utf-8").split("\0")
    return dict(pair.split("=", 1) for pair in said if pair)


def test_its_own_key_goes_before_one_that_others_use(place: Path) -> None:
    keys = {"OPENAI_API_KEY": "of-others", "OPENAI_BASE_URL": "http://o/v1", "DASHSCOPE_API_KEY": "its-own"}
    found = seen(place, **keys)
    assert found["OPENAI_API_KEY"] == "its-own" and "dashscope" in found["OPENAI_BASE_URL"]


def test_whose_model_it_is(place: Path) -> None:
    def family(model: str) -> str:
        env = {"PATH": os.environ["PATH"], "HOME": str(place), "ORKESTRA_MODEL": model}
        done = subprocess.run([ADAPTER, "describe"], env=env, capture_output=True, check=True)
        return str(json.loads(done.stdout)["family"])

    assert [family(model) for model in ("", "qwen3-coder-plus", "gpt-x")] == ["alibaba", "alibaba", "openai"]


def test_a_session_of_another_workspace_goes_on_in_this_one(place: Path) -> None:
    name = "0a93b751-5fad-4060-b58b-5b6d9e75face.jsonl"
    projects = place / "home" / ".qwen" / "projects"
    (projects / "-elsewhere" / "chats").mkdir(parents=True)
    (projects / "-elsewhere" / "chats" / name).write_text(
        '{"cwd":"/elsewhere","a":1}\n{"cwd":"/elsewhere"}\n'
    )
    found = seen(place, DASHSCOPE_API_KEY="x", ORKESTRA_SESSION=name.removesuffix(".jsonl"), LC_ALL="C")
    assert f"--resume {name.removesuffix('.jsonl')}" in found["ARGUMENTS"]
    here = "".join(one if one.isascii() and one.isalnum() else "-" for one in str(place))
    lines = (projects / here / "chats" / name).read_text("utf-8").splitlines()
    assert [json.loads(line)["cwd"] for line in lines] == [str(place), "/elsewhere"]


def test_a_session_that_is_not_there_is_not_asked_for(place: Path) -> None:
    assert "--resume" not in seen(place, DASHSCOPE_API_KEY="x", ORKESTRA_SESSION="gone")["ARGUMENTS"]
