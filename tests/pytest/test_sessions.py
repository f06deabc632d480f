"""What is kept of a tool's session by spawn.sh, and that the real tools go on with it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_bench import Bench, Stub, installed, need_sandbox, rule, stub_in

SECRET = "sk-a-key-that-nobody-may-see-3d9a"
SCENARIO = {
    "rules": [
        rule("case-key", {"shell": "env | grep -a API_KEY"}, {"text": "ok"}),
        rule("case-first", {"write": {"path": "one.txt", "content": "1\n"}}, {"text": "First."}),
        rule("case-second", {"text": "Second."}),
    ]
}
TOOLS: dict[str, dict[str, str]] = {
    "claude": {"key": "ANTHROPIC_API_KEY", "address": "ANTHROPIC_BASE_URL", "path": ""},
    "codex": {"key": "OPENAI_API_KEY", "address": "OPENAI_BASE_URL", "path": "/v1", "model": "gpt-5.1-codex"},
    "gemini": {
        "key": "GEMINI_API_KEY",
        "address": "GOOGLE_GEMINI_BASE_URL",
        "path": "",
        "model": "gemini-2.5-pro",
    },
}
OWN = """\
#!/bin/bash
case $1 in
  work)
    cd "$HOME" || exit 1
    mkdir -p .own/deep/hooks .own/links elsewhere
    echo '{"said": 1}' >.own/deep/talk.jsonl
    for name in settings.json .mcp.json hooks/run.json run.sh AGENTS.md; do echo x >".own/deep/$name"; done
    echo '{}' >elsewhere/other.json
    ln -s ../../elsewhere .own/links/elsewhere
    ln -s ../deep/talk.jsonl .own/links/talk.json
    mkfifo .own/deep/pipe.json
    eval "$(cat)"
    ;;
esac
"""


@pytest.fixture
def stub(place: Path) -> Iterator[Stub]:
    with stub_in(place / "stub", SCENARIO) as stub:
        yield stub


def bench_of(name: str, place: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch, binary: Path) -> Bench:
    need_sandbox()
    tool = TOOLS[name]
    monkeypatch.delenv(tool["key"], raising=False)
    monkeypatch.setenv("ORKESTRA_LOGS", str(place))
    fixed = {tool["address"]: stub.url + tool["path"], "ORKESTRA_MODEL": tool.get("model", "")}
    bench = Bench(place, stub, monkeypatch, name, binary, fixed, {tool["key"]: SECRET})
    told = json.loads(os.popen(f"'{bench_adapter(name)}' describe").read())
    bench.write("sessions", "".join(f"{one}\0" for one in told["sessions"]))
    bench.write("session-stamp", "the stamp")
    return bench


def bench_adapter(name: str) -> Path:
    return Path(__file__).resolve().parents[2] / "SCRIPTS" / "AGENTS" / "adapters" / name


def kept(bench: Bench) -> Path:
    return bench.place / "git" / "orkestra" / "sessions" / "a-task"


def spent(bench: Bench, code: int) -> int:
    usage = bench.result(code).usage
    return usage.total if usage else 0


def served(stub: Stub) -> list[int]:
    lines = map(json.loads, stub.log.read_text("utf-8").splitlines())
    return [sum(entry["served"].values()) for entry in lines if "served" in entry]


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


@pytest.mark.parametrize("name", TOOLS)
def test_the_tool_goes_on_in_another_workspace_with_no_more_than_what_is_new(
    name: str, place: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = bench_of(name, place, stub, monkeypatch, installed(name)[name])
    first = bench.result(bench.work("case-first"))
    assert first.usage
    session = first.raw["session"]
    found = files(kept(bench))
    assert (
        len([one for one in found if one.startswith("home/") and session[:8] in one]) == 1 == len(found) - 3
    )
    assert (kept(bench) / "try").read_text() == "1\n" and (kept(bench) / "stamp").read_text() == "the stamp"
    modes = {path.stat().st_mode & 0o077 for path in kept(bench).rglob("*")}
    assert modes == {0} and kept(bench).stat().st_mode & 0o777 == 0o700

    bench.workspace = place / "cache" / "w2"
    (bench.workspace / "tree").mkdir(parents=True)
    bench.write("try", "2")
    bench.write("session", session)
    bench.write("exchange/resume.md", "case-second\n")
    code = bench.work("The whole prompt, which is not said again.")
    assert (code, bench.result(code).text, bench.result(code).raw["session"]) == (0, "Second.", session)
    # What is told of tokens is this attempt's own.
    assert spent(bench, code) == served(stub)[-1] and spent(bench, code) + first.usage.total == sum(
        served(stub)
    )
    bodies = sorted(stub.bodies.iterdir(), key=lambda path: float(path.stem))
    last = bodies[-1].read_text("utf-8")
    assert "case-first" in last and "First." in last and "case-second" in last
    assert "whole prompt" not in stub.everything()
    assert (kept(bench) / "try").read_text() == "2\n"


def test_a_session_that_holds_a_key_is_not_kept(
    place: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = bench_of("claude", place, stub, monkeypatch, installed("claude")["claude"])
    assert bench.work("case-first") == 0 and kept(bench).is_dir()
    bench.write("try", "2")
    assert bench.work("case-key") == 0
    assert not kept(bench).exists() and not list(kept(bench).parent.iterdir())
    assert "a key is in it" in (place / "orchestrator.log").read_text()


def own(bench: Bench, script: str) -> int:
    adapter = bench.place / "own"
    adapter.write_text(OWN)
    adapter.chmod(0o755)
    bench.write("adapter", str(adapter))
    bench.write("binary", "/bin/bash")
    bench.write("sessions", ".own\0../outside\0/etc\0.linked/*\0")
    return bench.work(script)


@pytest.mark.parametrize(
    ("script", "left"),
    [
        ("true", ["agent", "home/.own/deep/talk.jsonl", "stamp", "try"]),
        ("ln -s elsewhere .linked", ["agent", "home/.own/deep/talk.jsonl", "stamp", "try"]),
        ("rm -rf .own; ln -s /etc .own", []),
        ("truncate -s 65M .own/deep/large.json", []),
        ("for n in {1..2001}; do echo >.own/deep/$n.json; done", []),
        ("exit 1", ["agent", "home/.own/deep/talk.jsonl", "stamp", "try"]),
    ],
)
def test_only_plain_data_in_its_own_place_and_no_more_than_is_bearable(
    place: Path, monkeypatch: pytest.MonkeyPatch, script: str, left: list[str]
) -> None:
    bench = bench_of("claude", place, Stub("", place, place), monkeypatch, Path("/bin/bash"))
    kept(bench).mkdir(parents=True)
    (kept(bench) / "try").write_text("of before")
    code = own(bench, script)
    assert code == (1 if "exit 1" in script else 0)
    assert (files(kept(bench)) if kept(bench).exists() else []) == left
