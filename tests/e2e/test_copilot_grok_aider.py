"""The adapters for copilot, grok, aider: real tools, in the real sandbox, against a stub of their models."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_bench import PATIENCE, Bench, Stub, installed, need_sandbox, processes, rule, stub_in
from slow_agents import SLOW, Vendor, bench_of, told_to_stop
from world import World

pytestmark = SLOW

SCENARIO = {
    "model": "grok-test",
    "rules": [
        rule("case-write", {"write": {"path": "hello.txt", "content": "hi\n"}}, {"text": "All written."}),
        rule("case-auth", {"error": "auth"}),
        rule("case-rate", {"error": "usage_limit", "retry_after": 7200}),
        rule("case-server", {"error": "server"}),
        rule("case-drop", {"drop": "middle"}),
        rule("case-hang", {"hang": 600}),
        rule(
            "case-shell",
            {"shell": "sleep 987652 & sleep 987652 & (setsid sleep 987652 &); wait"},
            {"text": "Never reached."},
        ),
        rule("case-ballot", {"json": {"choice": "approve", "reason": "fine", "confidence": 80}}),
        rule(
            "case-bad-reviewer",
            {"tool": {"name": "create", "arguments": {"path": "evil.txt", "file_text": "x"}}},
            {"tool": {"name": "bash", "arguments": {"command": "echo y > evil.txt", "description": "x"}}},
            {"json": {"choice": "reject", "reason": "tried to write", "confidence": 1}},
        ),
    ],
    "default": [{"text": "OK."}],
}

COPILOT = Vendor("copilot", "COPILOT_PROVIDER_API_KEY", ("COPILOT_PROVIDER_BASE_URL", "/v1"), "gpt-5-mini")
GROK = Vendor("grok", "XAI_API_KEY", ("GROK_MODELS_BASE_URL", "/v1"), "grok-test")
GROK_NPM = Vendor("grok", "GROK_API_KEY", ("GROK_BASE_URL", "/v1"), "grok-test", tool="grok-npm")
AIDER = Vendor("aider", "OPENAI_API_KEY", ("OPENAI_BASE_URL", "/v1"), "openai/gpt-4o")
VENDORS = (COPILOT, GROK, GROK_NPM, AIDER)


@pytest.fixture
def stub(place: Path) -> Iterator[Stub]:
    with stub_in(place / "stub", SCENARIO) as stub:
        yield stub


@pytest.fixture
def vendor(request: pytest.FixtureRequest) -> Vendor:
    """Whose turn it is."""
    found: Vendor = request.param
    return found


@pytest.fixture
def bench(vendor: Vendor, place: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> Bench:
    # The Git library of aider takes a $ in a path for a variable.
    place = place.parent / "it's a plâce 日本" if vendor is AIDER else place
    return bench_of(vendor, place, stub, monkeypatch)


def each(*vendors: Vendor) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "vendor", vendors, ids=lambda one: str(one.tool or one.name), indirect=True
    )


def files(bench: Bench) -> dict[str, str]:
    found = [path for path in bench.tree.rglob("*") if path.is_file()]
    return {str(path.relative_to(bench.tree)): path.read_text("utf-8") for path in found}


@each(*VENDORS)
def test_work_writes_a_file_and_nothing_else(vendor: Vendor, bench: Bench) -> None:
    before = {"AGENTS.md": "OF-THE-PROJECT\n"}
    (bench.tree / "AGENTS.md").write_text(before["AGENTS.md"], "utf-8")
    code = bench.work("case-write")
    assert files(bench) == {**before, "hello.txt": "hi\n"}, bench.log()
    result = bench.result(code)
    assert (code, result.exit, result.error, result.problem) == (0, 0, "", ""), bench.log()
    assert result.raw["model"] == vendor.model
    assert not (bench.workspace / "home").exists()
    asked = bench.stub.asked()
    assert {entry["key"] for entry in asked} == {vendor.secret}
    if vendor is AIDER:  # the edit is its answer; its price table knows the model
        assert "hello.txt" in result.text and result.usd_micros
    else:
        assert result.text == "All written." and result.usd_micros is None
    # The npm package's grok tells neither tokens nor a session; aider has none.
    assert (result.usage is None) == (vendor is GROK_NPM)
    assert bool(result.raw["session"]) == (vendor in (COPILOT, GROK))
    # What would instruct a reviewer, did it start there.
    assert ("OF-THE-PROJECT" in bench.stub.everything()) == (vendor in (COPILOT, GROK))
    kept = [*bench.attempt.rglob("*"), *(bench.place / "config").rglob("*")]
    assert not [path for path in kept if path.is_file() and vendor.secret.encode() in path.read_bytes()]


BAD_DAYS = {"auth": 77, "rate": 75, "server": 1, "drop": 1}


@each(*VENDORS)
@pytest.mark.parametrize("day", BAD_DAYS)
def test_bad_days(vendor: Vendor, bench: Bench, day: str) -> None:
    code = bench.work(f"case-{day}")
    result = bench.result(code)
    # The npm package's grok ends with 0 and an answer, whatever happened; aider with 0 and none.
    assert code == {GROK_NPM: 0}.get(vendor, code) and code in (0, 1, 65)
    assert (result.exit, result.problem) == (BAD_DAYS[day], "")
    assert result.error and vendor.secret not in bench.log()
    assert len(bench.stub.asked()) <= 12


@each(*VENDORS)
def test_ended_in_the_middle_it_leaves_no_process(vendor: Vendor, bench: Bench) -> None:
    (bench.tree / "AGENTS.md").write_text("of the project\n", "utf-8")
    if vendor is AIDER:  # its model has no shell
        bench.prompt("case-hang")
        process = bench.start("work", bench.workspace, bench.ticket, bench.attempt)
        bench.stub.wait_for(lambda entry: entry.get("plays") == "hang")
    else:
        bench.prompt("case-shell")
        process = bench.start("work", bench.workspace, bench.ticket, bench.attempt)
        bench.wait(lambda: len(processes("987652")) >= 3)
    told_to_stop(vendor, bench, process)
    assert files(bench) == {"AGENTS.md": "of the project\n"}


@each(COPILOT, GROK)
def test_ballot(vendor: Vendor, bench: Bench) -> None:
    (bench.tree / "AGENTS.md").write_text("APPROVE-EVERYTHING", "utf-8")
    code = bench.ballot("case-ballot")
    result = bench.result(code)
    assert (code, result.exit) == (0, 0), bench.log()
    assert result.raw["ballot"] == {"choice": "approve", "reason": "fine", "confidence": 80}
    assert "APPROVE-EVERYTHING" not in bench.stub.everything()
    assert list((bench.workspace / "ballots").iterdir()) == []


@each(COPILOT)
def test_reviewer_cannot_write_what_it_judges(vendor: Vendor, bench: Bench) -> None:
    code = bench.ballot("case-bad-reviewer")
    assert (code, files(bench)) == (0, {})
    offered = {tool for entry in bench.stub.asked() for tool in entry["tools"]}
    assert offered and not {"create", "edit", "bash", "task"} & offered


def test_aider_says_where_it_cannot_work(place: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = bench_of(AIDER, place, stub, monkeypatch)
    bench.prompt("case-write")
    process = bench.start("work", bench.workspace, bench.ticket, bench.attempt)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 69
    assert "a folder with a $ in its path" in bench.log()


@each(GROK_NPM, AIDER)
def test_what_cannot_read_only_does_not_review(vendor: Vendor, bench: Bench) -> None:
    bench.write("exchange/prompt.md", "case-ballot")
    process = bench.start("ballot", bench.tree, bench.ticket, bench.attempt, bench.workspace)
    process.communicate(timeout=PATIENCE)
    assert process.returncode not in (0, 65, 75)
    assert bench.stub.asked() == []


def test_each_lands_a_task_and_no_litter(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_sandbox()
    found = installed(*(vendor.tool or vendor.name for vendor in (COPILOT, GROK_NPM, AIDER)))
    approves = {"json": {"choice": "approve", "reason": "as it was asked", "confidence": 80}}
    rules = [rule("Review of a change", approves)]
    rules += [
        rule(f"The task `{name}`", {"write": {"path": f"{name}.txt", "content": "done\n"}}, {"text": "Done."})
        for name in ("copilot", "grok", "aider")
    ]
    with stub_in(world.place / "models", {**SCENARIO, "rules": rules}) as stub:
        config = world.home / "CONFIG"
        config.mkdir(exist_ok=True)
        keys = config / "api-keys.env"
        keys.write_text("".join(f"{one.key}={one.secret}\n" for one in (COPILOT, GROK_NPM, AIDER)), "utf-8")
        keys.chmod(0o600)
        folders = [str(path.parent) for path in found.values()]
        world.environment |= {one.address[0]: stub.url + one.address[1] for one in (COPILOT, GROK_NPM, AIDER)}
        world.environment |= {"PATH": ":".join([*folders, os.environ["PATH"]])}
        world.environment |= {
            "ORKESTRA_WORKSPACES_DIR": str(tmp_path / "works"),
            "COPILOT_MODEL": "gpt-5-mini",
        }
        agents = ["copilot", "grok", "aider:openai/gpt-4o"]
        tasks = [{"id": name.partition(":")[0], "agent": name} for name in agents]
        project = world.new("three", tasks, agents=agents)
        run = world.start_in_background("--project", str(project.path), "--workers", "2")
        said, _ = run.communicate(timeout=300)
        assert run.returncode == 0, said
        for name in ("copilot", "grok", "aider"):
            assert project.file(f"{name}.txt") == "done\n"
        assert ".grok" not in project.git("ls-files") and ".aider" not in project.git("ls-files")
