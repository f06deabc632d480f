"""`orkestra ask` in whole runs: alone, beside one that goes on, with limited members, by a real tool."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from described import problems
from orkestra_shim import shapes
from processes import wait_for
from test_claude import Start, claude, model, rule, walls
from world import Project, World

__all__ = ["claude", "model", "walls"]  # fixtures

# A member that ranks by its preferences, and says in its reason what it found where it looked.
MEMBER = """#!/usr/bin/env python3
import glob, json, os, re, sys
NAME, PREFERS, SAYS = {told!r}
place = os.environ.get("ORKESTRA_ATTEMPT_DIR", "")
if sys.argv[1] == "describe":
    print(json.dumps({{"name": NAME, "family": NAME, "kind": "ai", "can": ["work", "ballot"]}}))
elif sys.argv[1] == "probe":
    print("binary\\t/usr/bin/python3")
elif sys.argv[1] == "work":
    open("made-by-" + NAME, "w").write("made\\n")
    json.dump({{"text": "made"}}, open(place + "/result.json", "w"))
elif SAYS.get("error"):
    json.dump(SAYS, open(place + "/result.json", "w"))
    sys.exit(75)
else:
    prompt = sys.stdin.read()
    keys = list(json.load(open(place + "/schema.json"))["properties"])
    form = next(key for key in keys if key not in ("reason", "confidence"))
    fenced = re.findall(r"Option ([A-Z]+):\\n\\n(QUOTE-\\w+)\\n(.*?)\\n\\2", prompt, re.S)
    letter = {{text.split(":")[0]: letter for letter, _, text in fenced}}
    found = [letter[one] for one in PREFERS if one in letter]
    seen = {{"second": "have voted once" in prompt}}
    read = [one for pattern in ("**", "**/.*", ".git/**") for one in glob.glob(pattern, recursive=True)]
    seen["files"] = sorted(path for path in read if os.path.isfile(path) and os.path.getsize(path))
    seen["first"] = fenced[0][2] if fenced else ""
    try:
        open("planted", "w")
        seen["files"].append("it could write")
    except OSError:
        pass
    for top in (place + "/../../..", os.environ["HOME"], ".."):
        for name in ("result.json", "task-queue.json", "prompt.md"):
            for path in glob.glob(top + "/**/" + name, recursive=True):
                if os.path.getsize(path) and not os.path.samefile(path, place + "/prompt.md"):
                    seen["files"].append("it could read " + path)
    answers = {{"ranking": [[one] for one in found], "approve": found, "options": PREFERS}}
    said = answers.get(form, "approve" if "Review of a change" in prompt else "yes")
    told = {{"reason": json.dumps(seen), form: said, "confidence": 70, **SAYS}}
    json.dump(told, open(place + "/result.json", "w"))
"""
OPTIONS = ["SQLite", "Postgres", "MariaDB", "DuckDB"]


def member(world: World, name: str, *prefers: str, **says: Any) -> None:
    path = world.home / "CONFIG" / "agents" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(MEMBER.format(told=(name, list(prefers), says)))
    path.chmod(0o755)


def three(world: World, name: str, tasks: list[dict[str, Any]]) -> Project:
    member(world, "ann", "SQLite", "Postgres")
    member(world, "bob", "Postgres", "SQLite")
    member(world, "cat", "SQLite")
    return world.new(name, tasks, agents=["ann", "bob", "cat"])


def asked(world: World, project: Project, *words: str) -> dict[str, Any]:
    done = world.orkestra("ask", *words, "--project", project.path.name, "--json")
    told: dict[str, Any] = json.loads(done.stdout)
    assert problems(shapes.schema("ask"), told) == [], done.stdout
    assert done.returncode == {"answered": 0, "limited": 75}.get(told["status"], 1), done.stderr
    return told


def test_members_look_and_vote_each_alone_and_the_answer_is_a_record(world: World) -> None:
    project = three(world, "alone", [{"id": "later", "agent": "shell", "command": "true"}])
    (project.path / "notes.md").write_text("what there is\n")
    project.git("add", "-A")
    project.git("commit", "-qm", "notes")
    words = ["ask", "Which database, with\ntwo lines?", "--options", ",".join(OPTIONS), "--discuss"]
    done = world.orkestra(*words, "--project", "alone")
    assert done.returncode == 0, done.stderr
    assert "answer: SQLite\nvote-001: SQLite: by schulze (3 of 3 members voted)\n" in done.stdout
    assert "  bob (ai, bob): Postgres > SQLite, 70 % sure" in done.stdout
    assert "counted again from its ballots: the same" in done.stdout
    [vote] = project.votes()
    assert vote["question"] == "Which database, with\ntwo lines?" and vote["round"] == 2
    firsts = set()
    for ballot in [*vote["before"], *vote["ballots"]]:
        seen = json.loads(ballot["reason"])
        assert seen["files"] == [".gitignore", "AGENTS.md", "README.md", "notes.md"], (
            "nothing else, and all of it read-only"
        )
        firsts.add((ballot["member"], seen["first"]))
    assert len(firsts) == 3, "each member has the same order in both rounds"
    assert [json.loads(one["reason"])["second"] for one in vote["before"]] == [False] * 3
    assert [json.loads(one["reason"])["second"] for one in vote["ballots"]] == [True] * 3
    statuses = project.statuses()
    assert statuses.pop("later") == "pending", "a run for the question alone"
    assert list(statuses.values()) == ["completed"] and project.verify().returncode == 0
    assert project.git("status", "--porcelain") == ""
    done = world.orkestra("attach", *statuses, "--project", "alone")
    assert done.returncode == 64 and "is a question: nobody works on it" in done.stderr
    [task] = statuses
    shown = world.orkestra("vote", "show", task, "--project", "alone", "--json")
    assert problems(shapes.schema("vote-show"), json.loads(shown.stdout)) == []
    for reading in (["vote", "list"], ["task", "list"], ["status"]):
        told = json.loads(world.orkestra(*reading, "--json", "--project", "alone").stdout)
        assert problems(shapes.schema("-".join(reading)), told) == [], reading
    report = world.orkestra("report", "--json", "--project", "alone")
    assert problems(shapes.schema("report"), json.loads(report.stdout)) == []
    assert world.orkestra("report", "--project", "alone").returncode == 0


def test_a_run_that_goes_on_takes_it_and_yes_is_an_answer(world: World) -> None:
    project = three(world, "beside", [])
    run = world.start_in_background("--stay", "--project", "beside", "--plain")
    try:
        wait_for((project.path / ".git" / "orkestra" / "holder").is_file)
        told = asked(world, project, "Is it done?")
        assert (told["answer"], told["why"]) == ("yes", "yes: 3 yes, 0 no (3 of 3 members voted)")
        told = asked(world, project, "Which?", "--propose", "--default", "wait", "--members", "cat,ann")
        assert told["answer"] == "SQLite"
        vote = told["vote"]["vote"]
        assert sorted(vote["options"]) == ["Postgres", "SQLite", "wait"]
        assert [one["member"] for one in vote["electorate"]] == ["cat", "ann"]
        assert run.poll() is None
    finally:
        world.orkestra("stop", "--project", "beside")
        assert run.wait(timeout=120) == 143
    assert list(project.decided().values()) == ["answered"] * 2 and project.verify().returncode == 0


def test_what_cannot_be_answered_now_is_said_and_waits(world: World) -> None:
    project = three(world, "limited", [])
    until = int(time.time()) + 3600
    for name in ("ann", "bob"):
        member(world, name, error="You have hit your limit", retry_at=until)
    told = asked(world, project, "Is it done?")
    assert told["status"] == "limited" and told["answer"] is None
    assert "ann is limited: You have hit your limit" in told["why"]
    assert list(project.statuses().values()) == ["pending"] and project.decided() == {}
    limits: Path = world.home / "CONFIG" / "RUNTIME" / "limits.json"
    limits.unlink()
    three_again = {"ann": "no", "bob": "no"}
    for name, choice in three_again.items():
        member(world, name, choice=choice)
    assert project.start().returncode == 0
    assert project.votes()[-1]["decision"] == "no" and project.verify().returncode == 0
    done = world.orkestra("ask", "Is it?", "--members", "claude", "--project", "limited")
    assert done.returncode == 69 and "Claude Code is not installed" in done.stdout, done.stdout + done.stderr
    for words in (
        ["--options", "one"],
        ["--options", "a,A"],
        ["--options", "a,b", "--propose"],
        ["--method", "schulze"],
        ["--options", "a,b", "--method", "star"],
        ["--members", "ann,ann"],
    ):
        wrong = world.orkestra("ask", "Is it?", *words, "--project", "limited")
        assert wrong.returncode == 64 and wrong.stderr.startswith("orkestra: the question has "), words
    assert len(project.statuses()) == 2, "nothing of those is in the queue"


def test_members_vote_on_who_does_a_task(world: World) -> None:
    for name, prefers in (("ann", ["bob"]), ("bob", ["cat", "bob"]), ("cat", ["ann"])):
        member(world, name, *prefers)
    project = world.new(
        "assigned", [{"id": "a", "agent": "auto"}], agents=["ann", "bob", "cat"], assign="vote"
    )
    done = project.start()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "assigned: bob: by approval (3 of 3 members voted)" in done.stdout
    assert project.decided() == {"a": "landed"} and project.file("made-by-bob") == "made\n"
    assert [(vote["kind"], vote["decision"]) for vote in project.votes()] == [
        ("assign", "bob"),
        ("review", "approve"),
    ]
    shown = world.orkestra("task", "show", "a", "--project", "assigned").stdout
    assert "bob (the members voted for it (vote-001))" in shown
    blamed = world.orkestra("blame", "made-by-bob:1", "--project", "assigned")
    assert blamed.returncode == 0 and "wrote: bob" in blamed.stdout, blamed.stderr
    for reading in (["vote", "list"], ["vote", "show", "a"], ["report"], ["blame", "made-by-bob:1"]):
        told = world.orkestra(*reading, "--json", "--project", "assigned")
        name = "-".join(word for word in reading if word not in ("a", "made-by-bob:1"))
        assert problems(shapes.schema(name), json.loads(told.stdout)) == [], reading
    assert project.verify().returncode == 0


def test_claude_code_ranks_and_what_is_no_ballot_is_told(world: World, model: Start) -> None:
    ranks = [
        rule(
            rf"# A vote.*Option {letter}:\n\nQUOTE-[0-9a-f]+\nSQLite\n",
            {"json": {"reason": "it is small", "ranking": [[letter]], "confidence": 80}},
        )
        for letter in "AB"
    ]
    for one in ranks:
        one["match"]["model"] = "opus"
    refuses = rule("# A vote", {"text": "I would rather not say.", "raw": True})
    stub = model(*ranks, refuses)
    project = world.new("with-claude", [], agents=["claude:opus-1", "claude:opus-2", "claude:haiku"])
    told = asked(world, project, "Which database?", "--options", "SQLite,Postgres")
    assert told["answer"] == "SQLite", told
    vote = told["vote"]["vote"]
    assert [one["ranking"] for one in vote["ballots"]] == [[["SQLite"]]] * 2
    [absent] = vote["absent"]
    assert absent["member"] == "claude:haiku" and absent["why"]
    assert len(stub.requests("# A vote")) >= 3 and project.verify().returncode == 0
