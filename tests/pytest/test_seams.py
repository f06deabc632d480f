"""Where budgets, votes of persons, kept work and kills meet: what one of them decides the others know."""

from __future__ import annotations

import json
import select
from pathlib import Path
from typing import Any

import pytest

from store_client import Project, Store, Worker, finish, git
from test_budgets import bots, end, judged, reviewed
from test_casting import MARKED

YES = {"ballot": {"choice": "approve", "reason": "so", "confidence": 50}}


def ballot(choice: str, attempt: int, patch: str) -> dict[str, Any]:
    """A person's, as the queue has it."""
    return {
        "attempt": attempt, "agent": "bot", "patch_id": patch, "choice": choice, "reason": "so be it",
        "name": "Ann", "email": "a@example.org", "cast_at": "2026-01-01T00:00:00Z",
    }  # fmt: skip


def keep(found: Project, worker: Worker, *attempts: int) -> str:
    """The tree of a worker as kept work."""
    commit: str = git(found.path, "commit-tree", worker.tree, "-p", found.head, "-m", "kept")
    for attempt in attempts:
        git(found.path, "update-ref", f"refs/orkestra/attempts/a/{attempt}", commit)
    return commit


def back(found: Project, **given: Any) -> None:
    """A person has put the task back to work."""
    found.write_queue([{"id": "a", "title": "a", "agent": "bot", "retried": 1, **given}])


def claims(worker: Worker, seconds: float = 60) -> list[str] | None:
    """The answer to a claim; None where the store gives none."""
    worker.client.send("claim")
    ready, _, _ = select.select([worker.client.rep], [], [], seconds)
    return worker.client.receive() if ready else None


def undecided(place: Path) -> tuple[Project, str]:
    """Work that a person has to vote on, since its reviewer gave no ballot; with its patch."""
    found = bots(place, {"id": "a"}, committee={"reviewers": ["judge", "lint"]}, budget={"usd": 5})
    store = found.start()
    worker = Worker(store)
    worker.claim()
    worker.client.ask("base", found.head)
    assert end(worker, 0.3, "0")[1] == "done"
    worker.change({"x.txt": b"x\n"})
    assert worker.judge() == ["ok", "pass"]
    opened = worker.client.ask("vote-open", worker.base, worker.tree, worker.patch)
    (Path(opened[3]) / "ballots.tsv").write_text("judge\t1\t\nlint\t0\tok\n")
    assert worker.client.ask("vote-close", opened[2])[1] == "more"  # it is asked once more
    (Path(opened[3]) / "ballots.tsv").write_text("judge\t1\t\n")
    assert worker.client.ask("vote-close", opened[2])[1] == "person"
    keep(found, worker, 1)
    assert worker.claim()[1] == "stop"
    finish(store)
    store.end()
    return found, worker.patch


@pytest.mark.parametrize("budget", [{"usd": 0.4}, {"task": {"usd": 0.31}}], ids=str)
def test_no_budget_holds_a_persons_vote(place: Path, budget: dict[str, Any]) -> None:
    found, patch = undecided(place)
    back(found, ballot=ballot("approve", 1, patch), reopened="outcome-001")
    top = json.loads((found.path / "config/project.json").read_text())
    (found.path / "config/project.json").write_text(json.dumps({**top, "budget": budget}))
    store = found.start()
    worker = Worker(store)
    told = claims(worker)
    assert told is not None and told[1] == "task", "nobody is asked and nothing is spent"
    worker.task, worker.number = told[2], told[3]
    worker.client.ask("base", found.head)
    worker.change({"x.txt": b"x\n"})
    assert worker.judge() == ["ok", "pass"]
    assert worker.client.ask("vote-open", worker.base, worker.tree, worker.patch) == ["ok", "approve"]
    store.kill()


def test_a_persons_reject_goes_before_an_older_approval(place: Path) -> None:
    store, worker = reviewed(place)
    found = worker.project
    end(worker, 0.3, "0")
    worker.change({"x.txt": b"x"})
    assert worker.judge(gates=MARKED) == ["ok", "pass"]
    votes(worker)
    store.kill()
    (found.config / "agents" / "judge").unlink()  # nobody is left who may pass what is marked
    store = found.start()
    worker = Worker(store)
    worker.claim()
    worker.client.ask("base", found.head)
    end(worker, 0.3, "0")
    worker.change({"x.txt": b"x"})
    assert worker.judge(gates=MARKED)[1] == "person"
    keep(found, worker, 2)
    back(found, ballot=ballot("reject", 2, worker.patch))
    worker.claim()
    worker.client.ask("base", found.head)
    worker.change({"x.txt": b"x"})
    worker.judge(gates=MARKED)
    assert worker.client.ask("vote-open", worker.base, worker.tree, worker.patch)[1] == "reject"
    store.kill()


def votes(worker: Worker) -> None:
    """The vote on what a worker has, which approves."""
    opened = worker.client.ask("vote-open", worker.base, worker.tree, worker.patch)
    out = Path(opened[3]) / "judge" / "out"
    out.mkdir(parents=True)
    (out / "result.json").write_text(json.dumps(YES))
    (Path(opened[3]) / "ballots.tsv").write_text("judge\t0\t\nlint\t0\tfine\n")
    assert worker.client.ask("vote-close", opened[2])[1] == "approve"


def test_a_revision_that_a_budget_refused_was_no_kill(place: Path) -> None:
    store, worker = reviewed(place, budget={"usd": 1})
    found = worker.project
    end(worker, 0.5, "0")
    assert judged(worker, "revise", 0.01)[1] == "spent"
    assert worker.client.ask("failed", "x") == ["ok", "kept"]
    assert worker.claim()[1] == "stop"
    store.end()
    before = len(found.journal())
    found.start().end()
    assert [one["event"] for one in found.journal()[before:] if one["event"] == "interrupted"] == []


def resumed(place: Path, **settings: Any) -> tuple[Store, Worker, list[str]]:
    """Work that was held for a person's edit, went on, and is sent back: what the worker is told."""
    store, worker = reviewed(place, **settings)
    found = worker.project
    end(worker, 0.3, "0")
    worker.change({"x.txt": b"x"})
    worker.judge()
    assert worker.client.ask("held", keep(found, worker, 1), "x.txt")[0] == "ok"
    assert worker.claim()[5] == "resume"
    worker.client.ask("base", found.head)
    return store, worker, judged(worker, "revise", 0.01)


def test_a_revision_of_resumed_work_is_an_attempt_for_the_budget(place: Path) -> None:
    store, _, told = resumed(place, budget={"usd": 0.5})
    assert told[1] == "spent"
    store.kill()


def test_a_revision_of_resumed_work_that_is_killed_begins_anew_and_was_not_free(place: Path) -> None:
    store, worker, told = resumed(place, budget={"usd": 5})
    assert told[1] == "revise"
    store.kill()
    before = len(worker.project.journal())
    store = worker.project.start()
    again = Worker(store)
    assert again.claim()[5] == "fresh"
    new = worker.project.journal()[before:]
    assert [one.get("basis") for one in new if one["event"] == "interrupted"] == ["unknown"], new
    store.kill()


def test_what_waited_for_an_edit_is_free_once_a_person_hands_it_over(place: Path) -> None:
    store, worker = reviewed(place)
    found = worker.project
    end(worker, 0.3, "0")
    worker.change({"x.txt": b"x"})
    worker.judge()
    assert worker.client.ask("held", keep(found, worker, 1, 2), "x.txt")[0] == "ok"
    back(found, submitted=2, status="pending")
    told = claims(worker)
    assert told is not None and told[1] == "task"
    store.kill()


def test_ballots_that_a_kill_cut_off_were_not_free(place: Path) -> None:
    store, worker = reviewed(place, budget={"usd": 5})
    found = worker.project
    end(worker, 0.3, "0")
    worker.change({"x.txt": b"x"})
    worker.judge()
    worker.client.ask("vote-open", worker.base, worker.tree, worker.patch)
    store.kill()
    before = len(found.journal())
    found.start().end()
    (cost,) = [one for one in found.journal()[before:] if one["event"] == "balloted"]
    assert (cost["agent"], cost["basis"]) == ("judge", "unknown") and cost["charged"]["usd"] > 0
    before = len(found.journal())
    found.start().end()
    assert [one for one in found.journal()[before:] if one["event"] == "balloted"] == [], "told twice"
