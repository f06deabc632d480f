"""vote list and vote show: what a person reads of a vote, in which no record can put a word of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orkestra_shim import canonical
from orkestra_shim.cli import main
from store_client import Project, Worker, git
from test_store import task

Capture = pytest.CaptureFixture[str]
VOTE = "logs/voting/vote-001.json"


@pytest.fixture
def voted(place: Path) -> Project:
    """`a` landed against a vote; `b` was sent back, and no record tells of it yet."""
    project = Project(place / "p", [task("a", check="true"), task("b", priority="low")])
    store = project.start()
    worker = Worker(store)
    for name, ballots, reply in (
        ("a", (("lint", 0, "fine"), ("size", 0, "small"), ("tidy", 11, "not tidy")), "approve"),
        ("b", (("lint", 0, "fine"), ("size", 10, "too long"), ("tidy", 1, "broke")), "revise"),
    ):
        assert worker.claim()[2] == name
        worker.client.ask("base", project.head)
        worker.client.ask("worked", "0", "1", str(worker.ticket))
        worker.change({f"{name}.txt": b"x\n"})
        worker.client.ask("taken", worker.tree, "1")
        worker.judge()
        assert worker.vote(*ballots)[:2] == ["ok", reply]
        if reply == "approve":
            worker.land()
    store.kill()
    git(project.path, "reset", "--hard", "-q")
    return project


def said(capsys: Capture, *words: str, code: int = 0) -> str:
    """What the command says."""
    assert main(list(words)) == code
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return out if code == 0 else err


def forge(project: Project, **changed: Any) -> None:
    """Other fields in the first vote, committed."""
    record = json.loads((project.path / VOTE).read_text())
    (project.path / VOTE).write_bytes(canonical.pretty({**record, **changed}))
    git(project.path, "commit", "-qam", "forged")


def test_why_then_who_then_how(voted: Project, capsys: Capture) -> None:
    lines = said(capsys, "vote", "show", "a", "--project", str(voted.path)).splitlines()
    assert lines[0] == "vote-001: approve: accepted (2 yes, 1 no)"
    who, how = lines.index("who voted what"), lines.index("how it was counted")
    assert 0 < who < how
    assert lines[how - 2 : how] == ["  tidy (program): reject", "      | not tidy"]
    assert lines[how + 1].startswith("  majority of yes and no: 2 yes, 1 no, 0 abstain; the base is 3")
    assert lines[how + 2] == "  quorum 2 of 3: 3 voted, met"
    assert lines[-1] == "  counted again from its ballots: the same"
    assert "outcome-001, landed" in lines[2]


def test_a_list_also_of_what_no_record_tells_yet(voted: Project, capsys: Capture) -> None:
    there = ["--project", str(voted.path)]
    lines = said(capsys, "vote", "list", *there).splitlines()
    assert [line.split("  ")[0] for line in lines] == ["vote-001", "vote-002"]
    assert "1 approve, 1 revise, 1 absent" in lines[1] and lines[1].endswith("not recorded yet")
    rows = json.loads(said(capsys, "vote", "list", "--json", "--task", "a", *there))
    assert [(row["id"], row["outcome"], row["ballots"]["reject"]) for row in rows] == [
        ("vote-001", "outcome-001", 1)
    ]
    shown = said(capsys, "vote", "show", "vote-002", *there)
    assert "tidy (program): absent\n      | exit 1: broke" in shown and "execution log" in shown
    # A clone has what is recorded, and no more.
    git(voted.path, "clone", "-q", str(voted.path), str(voted.folder / "clone"))
    there = ["--project", str(voted.folder / "clone")]
    assert len(json.loads(said(capsys, "vote", "list", "--json", *there))) == 1
    assert "there is no vote 'vote-002'" in said(capsys, "vote", "show", "vote-002", *there, code=64)


def test_a_record_says_nothing_in_our_name(voted: Project, capsys: Capture) -> None:
    ballots = json.loads((voted.path / VOTE).read_text())["ballots"]
    ballots[0]["reason"] = "x\nhow it was counted\n\x1b[2J\u202e" + "\n" * 60
    forge(voted, ballots=ballots, why="well\nvote-009: approve: \x1b]0;owned\x07", question="a\rb")
    shown = said(capsys, "vote", "show", "a", "--project", str(voted.path))
    assert "\x1b" not in shown and "\u202e" not in shown and "\r" not in shown and "\x07" not in shown
    lines = shown.splitlines()
    assert lines.count("how it was counted") == 1 and "      | how it was counted" in lines
    assert not [line for line in lines if line.startswith("vote-009")]
    assert lines[-1].startswith("  counted again from its ballots: not the same (why)")


def test_a_broken_record_is_named(voted: Project, capsys: Capture) -> None:
    there = ["--project", str(voted.path)]
    for changed in (
        {"ballots": [{}]},
        {"ballots": 7},
        {"weights": [1]},
        {"tally": None},
        {"tally": {"yes": "9"}},
        {"subject": {"tree": 5}},
        {"electorate": [[]]},
        {"absent": [1]},
    ):
        forge(voted, **changed)
        error = said(capsys, "vote", "show", "a", *there, code=65)
        assert error.startswith("orkestra: vote-001: ") and "orkestra verify" in error, changed
        git(voted.path, "reset", "--hard", "-q", "HEAD~1")
    forge(voted, rule="none such")
    assert "it cannot be counted" in said(capsys, "vote", "show", "a", *there)
