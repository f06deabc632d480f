"""The names of agents: tool, account and model; what none can be; wherever a name may stand."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orkestra_shim import agentname, keyring
from orkestra_shim.agentname import AgentName
from orkestra_shim.agents import Agents, need_known
from orkestra_shim.errors import OrkestraError
from orkestra_shim.home import PACKAGE
from orkestra_shim.tasks import Refused, validate
from orkestra_shim.verify import verify
from store_client import Project, Worker, finish, git


@pytest.mark.parametrize(
    ("name", "parts", "account_id"),
    [
        ("claude", ("claude", "", ""), "claude"),
        ("claude@work", ("claude", "work", ""), "claude@work"),
        ("codex:gpt-5.1", ("codex", "", "gpt-5.1"), "codex"),
        ("claude@work:opus", ("claude", "work", "opus"), "claude@work"),
        ("llm:qwen2.5-coder:7b", ("llm", "", "qwen2.5-coder:7b"), "llm"),
        ("opencode@me:open/ai/GPT_4+x", ("opencode", "me", "open/ai/GPT_4+x"), "opencode@me"),
        ("claude:sonnet-4@20250514", ("claude", "", "sonnet-4@20250514"), "claude"),
        ("auto", ("auto", "", ""), "auto"),
    ],
)
def test_names_and_their_parts(name: str, parts: tuple[str, str, str], account_id: str) -> None:
    assert agentname.problem(name) == "" and agentname.parse(name) == AgentName(*parts)
    assert agentname.parse(name).account_id == account_id
    validate({"id": "a", "agent": name})


BAD = (
    "", "Claude", "a b", "a@", "a:", "a@b@c", "@work", ":opus", "a@W", "a:-m", "a@-x", "a:x y", "a:x\n",
    "a/b", "a@b/c", "a:../../x", "a:x/../y", "a:/x", "a:x//y", "a:x/", "a:x.", "a:$(id)", "a:x\ty", "a:x%2Fy",
    "auto:opus", "auto@work", "shell@work", "shell:x", "a" * 65, "a:" + "x" * 127, "a@" + "b" * 33,
    7, None, ["a"],
)  # fmt: skip


@pytest.mark.parametrize("name", BAD, ids=repr)
def test_what_is_no_name(name: object) -> None:
    assert agentname.problem(name)
    with pytest.raises(Refused, match="agent"):
        validate({"id": "a", "agent": name})


@given(st.from_regex(r"[a-z][a-z0-9.]{0,4}(@[a-z.]{1,4})?(:[a-zA-Z0-9./:@%-]{1,9})?\Z"))
def test_every_name_is_one_folder_and_no_two_the_same(name: str) -> None:
    if agentname.problem(name):
        return
    assert "/" not in agentname.folder(name) and not agentname.folder(name).startswith((".", "-"))
    assert agentname.folder(name).replace("%2F", "/") == name
    found = agentname.parse(name)
    whole = "".join(itertools.chain(found.account_id, f":{found.model}" if found.model else ""))
    assert whole == name


def test_the_schemas_say_the_same() -> None:
    told = {"type": "string", "maxLength": agentname.LONGEST, "pattern": f"^{agentname.PATTERN}$"}
    for name in ("task-queue", "project"):
        schema = json.loads((PACKAGE / "schemas" / f"{name}.schema.json").read_text())
        assert schema["$defs"]["agent"] == told


def described(place: Path, name: str, **more: object) -> Agents:
    adapter = place / "CONFIG" / "agents" / name
    adapter.parent.mkdir(parents=True)
    told = json.dumps({"name": name, "family": "acme", "can": ["work"], **more})
    adapter.write_text(f"#!/bin/sh\nprintf '%s' '{told}' | sed \"s/MODEL/$ORKESTRA_MODEL/\"\n")
    adapter.chmod(0o755)
    return Agents(place / "SCRIPTS", place / "CONFIG", keyring.read(place / "CONFIG"))


def test_each_model_is_an_agent_of_one_adapter(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORKESTRA_MODEL", "of-somebody's-shell")
    known = described(place, "mine", family="f-MODEL")
    plain, large = known.get("mine"), known.get("mine:large/x")
    assert (plain.account_id, plain.model, plain.family) == ("mine", "", "f-")
    assert "ORKESTRA_MODEL" not in known.environment(plain)
    assert (large.name, large.account_id, large.model) == ("mine:large/x", "mine", "large/x")
    assert known.environment(large) == {"ORKESTRA_MODEL": "large/x"} and plain.adapter == large.adapter
    assert "no adapter is called 'other'" in known.get("other:x").problem
    assert "there is no account 'work'" in known.get("mine@work").problem
    assert "cannot be the name" in known.get("mine:../x").problem


@pytest.mark.parametrize(
    ("model", "family"),
    [("", "llm"), ("claude-opus-4.1", "anthropic"), ("gpt-5.1", "openai"), ("o3-mini", "openai"),
     ("openrouter/google/gemini-2.5-pro", "google"), ("mistral/codestral", "mistral"),
     ("qwen/qwen3", "alibaba"), ("my-own", "llm")],
)  # fmt: skip
def test_a_tool_for_any_model_is_of_the_models_family(
    framework: Path, place: Path, model: str, family: str
) -> None:
    known = Agents(framework / "SCRIPTS", place / "CONFIG", keyring.read(place / "CONFIG"))
    assert known.get("llm" + (f":{model}" if model else "")).family == family
    if family == "alibaba":  # and by whichever tool it is asked
        assert known.get(f"opencode:openrouter/{model}").family == known.get("qwen").family == family
    # Another tool's family is that of its vendor, whatever its model is called.
    assert known.get(f"claude:{model or 'x'}").family == "anthropic"


def test_a_model_of_a_known_adapter_is_known(place: Path) -> None:
    described(place, "mine")
    for name in ("mine", "mine:x", "auto"):
        need_known(name, place / "SCRIPTS", place / "CONFIG", "auto")
    for name in ("other", "other:x", "mine:", "auto:x"):
        with pytest.raises(OrkestraError, match="there is no agent"):
            need_known(name, place / "SCRIPTS", place / "CONFIG", "auto")


def test_a_model_with_slashes_works_and_another_reviews(place: Path) -> None:
    author, reviewer = "bot:big/one", "judge:v/2:7b"
    project = Project(
        place / "p", [{"id": "a", "agent": author}], committee={"reviewers": [reviewer]}, agents=[author]
    )
    for name in ("bot", "judge"):
        probe = "printf 'binary\\t/bin/true\\n'"
        project.adapter(name, probe, family=name, kind="ai", can=["work", "ballot"])
    store = project.start()
    worker = Worker(store)
    assert worker.claim()[1:5] == ["task", "a", "1", author]
    assert (worker.ticket / "env").read_bytes() == b"ORKESTRA_MODEL=big/one\0"
    assert worker.client.ask("base", worker.project.head)[0] == "ok"
    assert worker.client.ask("worked", "0", "1") == ["ok", "done"]
    worker.change({"x.txt": b"x\n"})
    assert worker.judge() == ["ok", "pass"]
    opened = worker.client.ask("vote-open", worker.base, worker.tree, worker.patch)
    folder = Path(opened[3])
    ticket = worker.ticket / "ballots" / "judge:v%2F2:7b"
    assert (folder / "electorate").read_bytes() == f"{reviewer}\tagent\t{ticket}\0".encode()
    assert (ticket / "env").read_bytes() == b"ORKESTRA_MODEL=v/2:7b\0"
    (folder / "ballots.tsv").write_text(f"{reviewer}\t0\t\n")
    (folder / ticket.name / "out").mkdir()
    ballot = {"choice": "approve", "reason": "good", "confidence": 80}
    (folder / ticket.name / "out/result.json").write_text(json.dumps({"text": json.dumps(ballot)}))
    assert worker.client.ask("vote-close", opened[2]) == ["ok", "approve"]
    worker.land()
    finish(store)
    assert store.end() == (0, "")
    outcome = json.loads(git(project.path, "show", "main:logs/outcomes/outcome-001.json"))
    vote = json.loads(git(project.path, "show", "main:logs/voting/vote-001.json"))
    assert (outcome["agent"], vote["ballots"][0]["member"], vote["electorate"][0]["model"]) == (
        author, reviewer, "v/2:7b",
    )  # fmt: skip
    assert verify(project.path, "main").findings == []
    assert f"Orkestra-Agent: {author}" in git(project.path, "log", "main")
