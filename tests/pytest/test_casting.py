"""A person's vote: on what it counts, what it cannot pass, what the record says of whom it overruled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orkestra_shim import canonical, records
from orkestra_shim.verify import verify
from store_client import Project, Worker, finish, git

MARKED = "scope\tpass\t\nsecrets\tpass\t\nprotected\tmark\tAGENTS.md\n"
KEYED = "scope\tpass\t\nsecrets\trefuse\ta known key\nprotected\tpass\t\n"


def task(name: str, **fields: object) -> dict[str, object]:
    return {"id": name, "title": f"Do {name}", "agent": "shell", "command": "true", **fields}


class Waiting:
    """A task whose work waits for a person: two reviewers are against it, or a gate has marked it."""

    def __init__(self, place: Path, marked: bool = False) -> None:
        self.project = Project(place / "p", [task("a")])
        self.worker = Worker(self.project.start())
        self.begin()
        self.worker.change({"x.txt": b"x\n"})
        if marked:
            assert self.worker.judge(gates=MARKED)[1] == "person"
        else:
            assert self.worker.judge() == ["ok", "pass"]
            assert self.worker.vote(("lint", 11, "no"), ("size", 99, ""))[1] == "person"
        commit = git(
            self.project.path, "commit-tree", self.worker.tree, "-p", self.project.head, "-m", "kept"
        )
        git(self.project.path, "update-ref", "refs/orkestra/attempts/a/1", commit)
        self.kept, self.patch = commit, self.worker.patch

    def begin(self) -> list[str]:
        told = self.worker.claim()
        if told[1] == "task" and told[5] == "fresh":
            assert self.worker.client.ask("base", self.project.head)[0] == "ok"
            (self.worker.attempt / "follow-ups.json").write_text('{"tasks": [{"title": "Found"}]}')
            assert self.worker.client.ask("worked", "0", "1") == ["ok", "done"]
        return told

    def ends(self) -> None:
        assert self.worker.claim()[1] == "stop"
        finish(self.worker.store)
        assert self.worker.store.end() == (0, "")

    def casts(self, choice: str = "approve", **over: object) -> dict[str, Any]:
        ballot = {
            "attempt": 1, "agent": "shell", "patch_id": self.patch, "choice": choice, "reason": "so be it",
            "name": "Ann", "email": "ann@example.org", "cast_at": "2026-01-01T00:00:00Z", **over,
        }  # fmt: skip
        more = {"reopened": "outcome-001"} if "outcome-001" in self.tree() else {}
        self.project.write_queue([task("a", retried=1, ballot=ballot, **more)])
        return ballot

    def tree(self) -> str:
        return git(self.project.path, "ls-tree", "-r", "--name-only", "main")

    def resumes(self, changes: dict[str, bytes] | None = None) -> None:
        told = self.worker.claim()
        assert told[1:6] == ["task", "a", "2", "shell", "resume"] and told[6] == self.kept
        assert self.worker.client.ask("base", self.project.head)[0] == "ok"
        self.worker.change(changes or {"x.txt": b"x\n"})

    def opens(self) -> list[str]:
        worker = self.worker
        return worker.client.ask("vote-open", worker.base, worker.tree, worker.patch)

    def record(self, name: str) -> dict[str, Any]:
        found = json.loads(git(self.project.path, "show", f"main:{records.path_of(name)}"))
        assert isinstance(found, dict)
        return found


@pytest.mark.parametrize("between", [False, True], ids=["beside the run", "with the next one"])
def test_an_approval_lands_and_says_what_it_overruled(place: Path, between: bool) -> None:
    waiting = Waiting(place)
    if between:
        waiting.ends()
        assert waiting.record("outcome-001")["asks"] == "vote"
        waiting.casts()
        waiting.worker = Worker(waiting.project.start())
    else:
        waiting.casts()
    waiting.resumes()
    assert waiting.worker.judge() == ["ok", "pass"]
    assert waiting.opens() == ["ok", "approve"]
    waiting.worker.land()
    waiting.ends()
    last = "outcome-002" if between else "outcome-001"
    outcome = waiting.record(last)
    assert (outcome["decision"], outcome["reviewed_by"], outcome["agent"]) == ("landed", "person", "shell")
    vote = waiting.record("vote-002")
    assert vote["overrules"] == {
        "gates": [],
        "ballots": [{"vote": "vote-001", "member": "lint", "choice": "reject"}],
    }
    [ballot] = vote["ballots"]
    assert (ballot["member"], ballot["reason"]) == ("Ann <ann@example.org>", "so be it")
    assert verify(waiting.project.path, "main").findings == []
    raw, found = json.loads((waiting.project.path / "config/task-queue.json").read_text())["tasks"]
    assert "ballot" not in raw and raw["status"] == "completed"
    assert (found["id"], found["status"]) == ("found", "proposed")  # by the work that has landed now


def test_a_marked_change_lands_by_it_and_a_forged_record_is_named(place: Path) -> None:
    waiting = Waiting(place, marked=True)
    waiting.casts()
    waiting.resumes()
    assert waiting.worker.judge(gates=MARKED) == ["ok", "pass"]
    assert waiting.opens() == ["ok", "approve"]
    waiting.worker.land()
    waiting.ends()
    path = records.path_of("vote-001")
    vote = waiting.record("vote-001")
    assert vote["overrules"] == {"gates": ["protected"], "ballots": []}
    assert verify(waiting.project.path, "main").findings == []
    for overrules in ({"gates": [], "ballots": []}, None):
        forged = {key: value for key, value in vote.items() if key != "overrules"}
        forged |= {"overrules": overrules} if overrules else {}
        head = waiting.project.head
        new = waiting.project.commit_files(head, {path: canonical.pretty(forged)}, "forged")
        git(waiting.project.path, "update-ref", "refs/heads/main", new)
        found = [str(one) for one in verify(waiting.project.path, "main").findings]
        assert any("overrules" in one for one in found), found
        git(waiting.project.path, "update-ref", "refs/heads/main", head)


def test_a_rejection_ends_as_failed_with_its_record(place: Path) -> None:
    waiting = Waiting(place)
    waiting.casts("reject")
    waiting.resumes()
    assert waiting.worker.judge() == ["ok", "pass"]
    told = waiting.opens()
    assert told[1] == "reject"
    assert waiting.worker.client.ask("failed", told[2]) == ["ok", "failed"]
    waiting.ends()
    outcome = waiting.record("outcome-001")
    assert (outcome["decision"], outcome["reviewed_by"]) == ("failed", "person")
    assert waiting.record("vote-002")["decision"] == "reject"
    assert verify(waiting.project.path, "main").findings == []


def test_no_vote_passes_a_gate_that_refuses_a_check_or_a_conflict(place: Path) -> None:
    for number, way in enumerate(("gate", "check", "conflict", "other")):
        waiting = Waiting(place / way, marked=True)
        waiting.casts()
        waiting.resumes({"x.txt": b"another\n"} if way == "other" else None)
        ask = waiting.worker.client.ask
        if way == "gate":
            assert waiting.worker.judge(gates=KEYED)[1] == "refused"
            assert ask("failed", "a gate refused it") == ["ok", "needs a person"]
        elif way == "check":
            assert ask("failed", "the check failed (exit 1)") == ["ok", "needs a person"]
        elif way == "conflict":
            assert ask("conflict", "in conflict with what landed meanwhile")[1] == "person"
        else:
            assert waiting.worker.judge(gates=MARKED) == ["ok", "pass"]
            told = waiting.opens()
            assert told[1] == "person" and "voted on another change" in told[2]
        waiting.ends()
        outcome = waiting.record("outcome-001")
        assert outcome["decision"] == "needs_human", number
        assert ("asks" in outcome) == (way == "other")
        [raw] = json.loads((waiting.project.path / "config/task-queue.json").read_text())["tasks"]
        assert "ballot" not in raw and raw["status"] == "needs_human"


def test_work_that_is_not_kept_here_is_not_done_anew_by_a_vote(place: Path) -> None:
    waiting = Waiting(place)
    git(waiting.project.path, "update-ref", "-d", "refs/orkestra/attempts/a/1")
    waiting.casts()
    assert waiting.worker.claim()[5:7] == ["from", ""]
    assert waiting.worker.client.ask("failed", "not started: it is not kept") == ["ok", "needs a person"]
    waiting.ends()


@pytest.mark.parametrize(
    "over",
    [
        {"choice": "maybe"},
        {"attempt": 0},
        {"patch_id": "-"},
        {"reason": " "},
        {"name": "two\nlines"},
        {"more": 1},
    ],
    ids=str,
)
def test_a_ballot_that_is_none_is_refused_with_its_place(place: Path, over: dict[str, object]) -> None:
    waiting = Waiting(place)
    waiting.ends()
    waiting.casts(**over)
    code, told = waiting.project.start().failure()
    assert code == 65 and "task-queue.json:" in told and "ballot" in told
