"""`orkestra plan`, whole: lists are proposed, checked, ranked, shown to a person, and become tasks."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from described import problems
from host import Host
from orkestra_shim import canonical, kinds, planning, shapes
from orkestra_shim.cli import main
from world import Project, World

Raw = dict[str, Any]
# Answers by script: its lists one after the other; of lists it prefers what has its word in it.
MEMBER = """#!/usr/bin/env python3
import json, os, pathlib, re, sys
NAME, LISTS, WORD = {told}
place = pathlib.Path(os.environ.get("ORKESTRA_ATTEMPT_DIR", "/"))
def say(answer):
    (place / "result.json").write_text(json.dumps({{"ballot": answer}}))
if sys.argv[1] == "describe":
    print(json.dumps({{"name": NAME, "family": NAME, "kind": "ai", "can": ["work", "ballot"]}}))
elif sys.argv[1] == "probe":
    print("binary\\t/bin/sh")
elif sys.argv[1] == "ballot":
    prompt = sys.stdin.read()
    if "tasks" in json.loads((place / "schema.json").read_text())["properties"]:
        answer = LISTS["cannot be taken" in prompt and len(LISTS) > 1]
        say(answer if isinstance(answer, dict) else {{"reason": "so", "tasks": answer}})
    else:
        found = re.findall("Option ([A-Z]+):\\n\\n(QUOTE-[0-9a-f]+)\\n(.*?)\\n\\\\2\\n", prompt, re.DOTALL)
        liked = [letter for letter, _, text in found if WORD in text]
        rest = [letter for letter, _, text in found if WORD not in text]
        ranking = [one for one in (liked, rest) if one]
        say({{"reason": "it has " + WORD, "ranking": ranking, "confidence": 70}})
"""


def member(world: World, name: str, word: str, *lists: Any) -> None:
    path = world.home / "CONFIG" / "agents" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(MEMBER.format(told=repr((name, lists, word))))
    path.chmod(0o755)


def one(name: str, title: str, **more: Any) -> Raw:
    usual: Raw = {"description": "", "depends_on": [], "priority": "medium", "check": "", "allow_paths": []}
    return {**usual, "id": name, "title": title, **more}


def person(project: Project) -> None:
    project.git("config", "user.name", "Ann")
    project.git("config", "user.email", "ann@example.org")


def queued(project: Project) -> dict[str, Raw]:
    top = json.loads((project.path / "config/task-queue.json").read_text())
    return {raw["id"]: raw for raw in top["tasks"]}


def sound(project: Project) -> None:
    done = project.verify()
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.git("status", "--porcelain") == ""


GOOD = [
    one("model", "The wanted model", description="Wares and prices."),
    one("page", "The page", depends_on=["model", "there"], allow_paths=["src/**"], check="test -s src/x"),
    one("words", "Its words", depends_on=["page"]),
]


def test_what_is_proposed_is_checked_ranked_and_imported(world: World) -> None:
    loop = [one("a", "a", depends_on=["b"]), one("b", "b", depends_on=["a"])]
    up = [one("x", "wanted and mended", allow_paths=["../../etc/**"])]
    member(world, "good", "wanted", GOOD)
    member(world, "slow", "wanted", loop, [one("mended", "Once is enough")])
    member(world, "bad", "wanted", up, up)
    project = world.new("shop", [{"id": "there", "command": "true"}], agents=["good", "slow", "bad"])
    refused = world.orkestra("plan", "A shop", "--yes")
    assert refused.returncode == 64 and "Git does not know who you are" in refused.stderr
    person(project)
    keys = world.home / "CONFIG/api-keys.env"
    keys.write_text("SOME_KEY=sk-wants-5d3c917f\n")
    keys.chmod(0o600)
    (world.place / "wants.md").write_text("Use it:\nsk-wants-5d3c917f\n")
    refused = world.orkestra("plan", "A shop", "--from", "wants.md")
    assert refused.returncode == 65 and "wants.md:2: a key of yours" in refused.stderr
    assert list(queued(project)) == ["there"]
    (world.place / "wants.md").write_text("It sells hats.\nQUOTE-0\n{{ mark }}\n" + "w" * planning.DOCUMENT)
    done = world.orkestra("plan", "A shop", "--from", str(world.place / "wants.md"), "--yes", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert problems(shapes.schema("plan"), told) == []
    assert (told["status"], told["chosen"]) == ("imported", told["taken"])
    assert [raw["id"] for raw in told["tasks"]] == ["model", "page", "words"]
    [(without, why)] = [(entry["member"], entry["why"]) for entry in told["without_list"]]
    assert without == "bad" and "leads out of the project" in why
    assert sorted(entry["members"] for entry in told["lists"]) == [["good"], ["slow"]]

    tasks = queued(project)
    # What has a power is a proposal under --yes.
    assert {name: tasks[name]["status"] for name in ("model", "page", "words")} == {
        "model": "pending", "page": "proposed", "words": "pending",
    }  # fmt: skip
    assert tasks["page"]["depends_on"] == ["model", "there"] and "planned by" in tasks["page"]["source"]
    [outcome] = [entry for entry in project.outcomes() if entry["decision"] == "planned"]
    assert outcome["planned"]["tasks"] == ["model", "page", "words"] and outcome["by"]["name"] == "Ann"
    assert outcome["task"] == told["task"] and "was imported by Ann: model, page, words" in outcome["why"]
    [vote] = project.votes()
    assert (vote["kind"], vote["decision"], vote["method"]) == ("plan", told["chosen"], "schulze")
    assert vote["options"][-1] == vote["default"] == "none of these" and len(vote["ballots"]) == 3
    assert vote["document"]["shown"] == planning.DOCUMENT < vote["document"]["characters"]
    assert "hats" not in json.dumps(vote)
    sound(project)

    attempts = project.path / "logs/execution/attempts" / told["task"]
    prompts = {path: path.read_text() for path in attempts.rglob("prompt.md")}
    first = [text for path, text in prompts.items() if "round-propose/" in str(path)]
    again = {path.parts[-2]: text for path, text in prompts.items() if "round-propose-1/" in str(path)}
    assert len(first) == 3 and set(again) == {"slow", "bad"} and "makes a cycle" in again["slow"]
    assert all("It sells hats." in text and "more are not shown" in text for text in first)
    assert all("there: there (pending)" in text for text in first)
    shown = world.orkestra("vote", "show", told["task"]).stdout
    assert "proposed by good" in shown and "bad proposed nothing: " in shown and "it has wanted" in shown

    for reading in ("vote show", "vote list", "task list", "status", "report"):
        more = [told["task"]] if reading == "vote show" else []
        read = json.loads(world.orkestra(*reading.split(), *more, "--json").stdout)
        assert problems(shapes.schema(reading.replace(" ", "-")), read) == [], reading

    # A record that says otherwise than what was proposed does not hold.
    assert list(kinds.problems(vote, {})) == []
    other = json.loads(json.dumps(vote).replace("The wanted model", "The wanted thing"))
    assert "its lists are not those that were proposed" in list(kinds.problems(other, {}))
    more = {**vote, "options": ["another", *vote["options"]]}
    assert "its options are not its lists" in list(kinds.problems(more, {}))
    # Nor does an outcome with a list that nobody has voted on.
    path = project.path / "logs/outcomes" / f"{outcome['id']}.json"
    other = {**outcome, "planned": {**outcome["planned"], "option": "list 9"}}
    path.write_bytes(canonical.pretty({**other, "sha256": canonical.digest(other)}))
    project.git("commit", "--quiet", "--all", "-m", "forged")
    forged = project.verify()
    assert forged.returncode != 0 and "'list 9' of vote-001 is no list that was voted on" in forged.stdout


def answering(monkeypatch: pytest.MonkeyPatch, *answers: object) -> list[str]:
    """A terminal at which these are typed; the questions that were asked."""
    left, asked = list(answers), []

    def answer(text: str, **_: object) -> object:
        asked.append(text)
        said = left.pop(0)
        if said is None:
            raise click.Abort
        return said() if callable(said) else said

    monkeypatch.setattr("orkestra_shim.commands.plan.is_terminal", lambda: True)
    monkeypatch.setattr("click.prompt", answer)
    monkeypatch.setattr("click.confirm", answer)
    return asked


@pytest.fixture
def small(world: World, place: Path) -> Callable[[str], Project]:
    def make(name: str) -> Project:
        member(world, "good", "wanted", GOOD)
        project = world.new(name, [{"id": "there", "command": "true"}], agents=["good"])
        person(project)
        return project

    return make


def test_a_person_sees_edits_and_accepts(
    small: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = small("asks")
    answering(monkeypatch, None)  # Ctrl-C: it waits
    assert main(["plan", "A shop"]) == 130
    [plan] = [name for name in queued(project) if name.startswith("plan-")]
    told = capsys.readouterr().out
    assert "nobody but good was asked: it has ranked its own list" in told
    assert "check, which would be executed:\n        test -s src/x" in told
    assert list(queued(project)) == ["there", plan] and project.decided() == {plan: "needs_human"}
    assert main(["status"]) == 0
    assert f"your word      {plan}: orkestra plan --of {plan}" in capsys.readouterr().out
    assert main(["plan", "--of", plan, "--list", "2"]) == 64
    assert main(["plan", "--of", "there"]) == 64

    def meanwhile() -> str:
        assert main(["task", "add", "Another", "--id", "words"]) == 0
        return "y"

    answering(monkeypatch, meanwhile, False)
    assert main(["plan", "--of", plan]) == 64
    assert "the queue has been changed meanwhile" in capsys.readouterr().err
    assert list(queued(project)) == ["there", plan, "words"]

    editor = project.path.parent / "edit"
    editor.write_text("#!/bin/sh\nsed -i 's/The wanted model/My own model/' \"$1\"\n")
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", shlex.quote(str(editor)))
    monkeypatch.delenv("VISUAL", raising=False)
    asked = answering(monkeypatch, "e", "what", "y", False)
    assert main(["plan", "--of", plan]) == 0
    assert len(asked) == 4 and "Let these run" in asked[-1]
    told = capsys.readouterr().out
    assert "page: they say what to execute" in told and "added to asks: model, page, words-2" in told
    tasks = queued(project)
    assert tasks["model"]["title"] == "My own model"
    assert [tasks[name]["status"] for name in ("model", "page", "words-2")] == [
        "pending", "proposed", "pending",
    ]  # fmt: skip
    assert project.decided() == {plan: "planned"} and tasks[plan]["status"] == "completed"
    assert main(["plan", "--of", plan]) == 64
    sound(project)


def test_a_person_declines_and_without_one_all_are_proposals(
    small: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = small("says-no")
    answering(monkeypatch, "n")
    assert main(["plan", "A shop"]) == 0
    assert "nothing is imported" in capsys.readouterr().out
    [plan] = [name for name in queued(project) if name.startswith("plan-")]
    assert set(queued(project)) == {"there", plan}
    [_, outcome] = project.outcomes()
    assert outcome["decision"] == "planned" and "Ann took none of the lists" in outcome["why"]

    monkeypatch.setattr("orkestra_shim.commands.plan.is_terminal", lambda: False)
    assert main(["plan", "Another shop"]) == 0
    told = capsys.readouterr().out
    assert "proposals are model, page, words" in told
    assert {queued(project)[name]["status"] for name in ("model", "page", "words")} == {"proposed"}
    sound(project)


def test_none_of_these_and_nothing_valid_import_nothing(world: World) -> None:
    member(world, "picky", planning.NONE, GOOD)
    project = world.new("none", [{"id": "there", "command": "true"}], agents=["picky"])
    person(project)
    done = world.orkestra("plan", "A shop", "--yes", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["status"], told["tasks"]) == (1, "undecided", [])
    assert "would rather have none of these" in told["why"] and project.decided() == {told["task"]: "failed"}
    member(world, "picky", planning.NONE, {"tasks": "all"}, {"choice": "approve", "reason": "obey"})
    done = world.orkestra("plan", "A shop", "--yes")
    assert done.returncode == 1 and "nothing was proposed" in done.stdout, done.stdout + done.stderr
    assert set(project.decided().values()) == {"failed", "needs_human"}
    assert all(name.startswith("plan-") or name == "there" for name in queued(project))
    sound(project)

    error = {"error": "You have hit your limit"}
    path = world.home / "CONFIG/agents/picky"
    limited = f"(place / 'result.json').write_text(json.dumps({error})); sys.exit(75)"
    path.write_text(path.read_text().replace("prompt = sys.stdin.read()", limited))
    done = world.orkestra("plan", "A shop", "--yes", "--json")
    told = json.loads(done.stdout)
    assert problems(shapes.schema("plan"), told) == []
    assert (done.returncode, told["status"], told["tasks"]) == (75, "limited", []), done
    assert project.statuses()[told["task"]] == "pending"


def test_where_work_lands_by_pull_requests_it_is_the_same(world: World) -> None:
    member(world, "good", "wanted", GOOD)
    project = world.new("pulls", [{"id": "there", "command": "true"}], agents=["good"], land="pr")
    Host.of(project)
    person(project)
    done = world.orkestra("plan", "A shop", "--yes", "--with-powers")
    assert done.returncode == 0, done.stdout + done.stderr
    [plan] = [name for name in queued(project) if name.startswith("plan-")]
    assert {queued(project)[name]["status"] for name in ("model", "page", "words")} == {"pending"}
    assert project.outcomes() == []
    listed = json.loads(world.orkestra("task", "list", "--json").stdout)
    [reason] = [row["reason"] for row in listed if row["id"] == plan]
    assert reason.startswith("done (") and "recorded with the next pull request" in reason
