"""verify: what holds is passed, and whatever is changed is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orkestra_shim import canonical
from orkestra_shim.verify import verify
from store_client import Project, Worker, finish, git
from test_store import task


@pytest.fixture
def landed(place: Path) -> Project:
    """Two tasks landed, one failed for good."""
    project = Project(
        place / "p",
        [task("a", check="true"), task("b", check="true"), task("c", max_attempts=1, priority="low")],
    )
    store = project.start()
    worker = Worker(store)
    for name in ("a", "b"):
        assert worker.claim()[2] == name
        worker.whole({f"{name}.txt": f"{name}\n".encode()})
    assert worker.claim()[2] == "c"
    assert worker.client.ask("failed", "broken") == ["ok", "failed"]
    assert finish(store) > 0
    assert store.control.ask("summary")[1] == "1"
    assert store.end() == (0, "")
    return project


def rewrite(project: Project, changes: dict[str, dict[str, Any]], commit: bool = True) -> None:
    for path, record in changes.items():
        (project.path / path).write_bytes(canonical.pretty(record))
    if commit:
        git(project.path, "commit", "-qam", "forged")


def load(project: Project, path: str) -> dict[str, Any]:
    record = json.loads((project.path / path).read_text())
    assert isinstance(record, dict)
    return record


def rechain(project: Project) -> dict[str, dict[str, Any]]:
    """Every hash made to fit again, as a careful forger would."""
    out: dict[str, dict[str, Any]] = {}
    previous = None
    for path in sorted((project.path / "logs/outcomes").glob("outcome-*.json")):
        outcome = load(project, f"logs/outcomes/{path.name}")
        for entry in outcome["votes"]:
            entry["sha256"] = canonical.digest(load(project, f"logs/voting/{entry['id']}.json"))
        outcome["previous"] = previous
        outcome["sha256"] = previous = canonical.digest(outcome)
        out[f"logs/outcomes/{path.name}"] = outcome
    return out


def test_what_a_run_wrote_holds_also_in_a_clone(landed: Project, place: Path) -> None:
    report = verify(landed.path, "main")
    assert report.findings == [] and report.ok
    assert report.counts == {"outcomes": 3, "votes": 2}
    git(landed.path, "clone", "-q", str(landed.path), str(place / "clone"))
    assert verify(place / "clone", "main", since=landed.head).findings == []


def test_every_byte_of_every_record_counts(landed: Project) -> None:
    for path in sorted((landed.path / "logs").glob("*/*.json")):
        before = path.read_bytes()
        for at in range(0, len(before), 97):
            path.write_bytes(before[:at] + bytes([before[at] ^ 1]) + before[at + 1 :])
            assert [name for name, _ in verify(landed.path, "main").findings] == [path.stem]
        path.unlink()
        assert [name for name, _ in verify(landed.path, "main").findings] == [path.stem]
        path.write_bytes(before)


def test_a_committed_change_of_a_record_is_named(landed: Project) -> None:
    vote = load(landed, "logs/voting/vote-001.json")
    vote["ballots"][0]["reason"] = "bribed"
    rewrite(landed, {"logs/voting/vote-001.json": vote})
    assert verify(landed.path, "main").findings[0][0] == "vote-001"


Forge = Callable[[Project], dict[str, dict[str, Any]]]


def flip(project: Project) -> dict[str, dict[str, Any]]:
    vote = load(project, "logs/voting/vote-002.json")
    for ballot in vote["ballots"]:
        ballot["choice"] = "reject"
    return {"logs/voting/vote-002.json": vote}


def refuse(project: Project) -> dict[str, dict[str, Any]]:
    outcome = load(project, "logs/outcomes/outcome-002.json")
    outcome["gates"][0]["passed"] = False
    return {"logs/outcomes/outcome-002.json": outcome}


def redden(project: Project) -> dict[str, dict[str, Any]]:
    outcome = load(project, "logs/outcomes/outcome-002.json")
    outcome["evidence"][0]["exit"] = 1
    return {"logs/outcomes/outcome-002.json": outcome}


def rebind(project: Project) -> dict[str, dict[str, Any]]:
    vote = load(project, "logs/voting/vote-002.json")
    vote["subject"].update(diff_sha256="0" * 64, patch_id="0" * 40)
    return {"logs/voting/vote-002.json": vote}


def swap_change(project: Project) -> dict[str, dict[str, Any]]:
    outcome = load(project, "logs/outcomes/outcome-002.json")
    outcome["change"]["commit"] = load(project, "logs/outcomes/outcome-001.json")["change"]["commit"]
    return {"logs/outcomes/outcome-002.json": outcome}


def rename_kind(project: Project) -> dict[str, dict[str, Any]]:
    vote = load(project, "logs/voting/vote-002.json")
    vote["kind"] = "acclamation"
    return {"logs/voting/vote-002.json": vote}


def drop_vote(project: Project) -> dict[str, dict[str, Any]]:
    outcome = load(project, "logs/outcomes/outcome-002.json")
    outcome["votes"] = []
    return {"logs/outcomes/outcome-002.json": outcome}


@pytest.mark.parametrize(
    ("forge", "word"),
    [
        (flip, "decision"),
        (refuse, "gate"),
        (redden, "check ended"),
        (rebind, "another change"),
        (swap_change, "tree"),
        (drop_vote, "without an approving vote"),
        (rename_kind, "its kind 'acclamation' is none that there is"),
        (rename_kind, "without an approving vote"),
    ],
)
def test_a_forger_who_mends_every_hash_is_found_by_the_content(
    landed: Project, forge: Forge, word: str
) -> None:
    rewrite(landed, forge(landed), commit=False)
    rewrite(landed, rechain(landed), commit=False)
    git(landed.path, "commit", "-qam", "forged")
    findings = [text for _, text in verify(landed.path, "main").findings]
    assert any(word in text for text in findings), findings


def test_a_consistent_rewrite_is_found_against_a_pinned_commit(landed: Project) -> None:
    pinned = landed.head
    vote = load(landed, "logs/voting/vote-002.json")
    outcome = load(landed, "logs/outcomes/outcome-002.json")
    vote["ballots"][0]["reason"] = "bribed"
    outcome["votes"][0]["sha256"] = canonical.digest(vote)
    outcome["sha256"] = canonical.digest(outcome)
    git(landed.path, "reset", "-q", "--hard", outcome["change"]["commit"])
    for path, record in (("logs/voting/vote-002.json", vote), ("logs/outcomes/outcome-002.json", outcome)):
        (landed.path / path).write_bytes(canonical.pretty(record))
    git(landed.path, "add", "-A")
    git(landed.path, "commit", "-qm", "orkestra: record outcome-002 (b)\n\nOrkestra-Outcome: outcome-002")
    assert verify(landed.path, "main").findings == []
    findings = verify(landed.path, "main", since=pinned).findings
    assert findings[0][0] == pinned and "rewritten" in findings[0][1]
    assert {name for name, _ in findings[1:]} == {"vote-002", "outcome-002", "outcome-003"}


def test_a_persons_revert_and_later_commits_are_notes(landed: Project) -> None:
    change = load(landed, "logs/outcomes/outcome-001.json")["change"]["commit"]
    git(landed.path, "revert", "--no-edit", change)
    report = verify(landed.path, "main")
    assert report.findings == [] and "reverted" in report.notes[0]


def test_a_rebase_is_found_again_by_its_trailer(landed: Project) -> None:
    base = git(landed.path, "rev-list", "--max-parents=0", "main")
    git(landed.path, "checkout", "-q", "-b", "other", base)
    (landed.path / "z.txt").write_text("z\n")
    git(landed.path, "add", "-A")
    git(landed.path, "commit", "-qm", "person")
    git(landed.path, "checkout", "-q", "main")
    git(landed.path, "rebase", "-q", "other")
    report = verify(landed.path, "main")
    assert report.findings == [] and len([note for note in report.notes if "rebased" in note]) == 2
