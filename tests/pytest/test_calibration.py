"""Jury calibration: a copy of an approved change with a planted defect, which no reviewer can tell."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from orkestra_shim import calibration, canonical, judging, records
from orkestra_shim.objects import Objects
from orkestra_shim.plumbing import Git
from orkestra_shim.verify import verify
from orkestra_shim.voted import Vote, lines
from store_client import Project, Store, Worker, git
from test_store_limits import LATER, among, ballots, done, task
from test_verify import load, rechain, rewrite

CODE = b"def within(count, limit):\n    if count == limit:\n        raise ValueError(count)\n    return 7\n"
Record = dict[str, Any]


@pytest.fixture
def judged(place: Path) -> tuple[Project, Store, Worker, list[str]]:
    """`two` approved a change, and every approved one is put to it once more; what the store answered."""
    project = Project(place / "c", [task("a"), task("b", agent="shell", command="true")])
    among(project, "one", "two", calibrate=1)
    store = project.start()
    worker = Worker(store)
    worker.claim()
    opened = done(worker, {"a.py": CODE})
    told = ballots(worker, opened, two="approve")
    assert told[:2] == ["ok", "calibrate"] and told[2] != opened[2]
    return project, store, worker, told


def diff_in(folder: Path) -> str:
    return (folder / "exchange/diff.patch").read_text()


def recorded(project: Project, number: int) -> Record:
    return load(project, records.path_of(records.record_id("vote", number)))


def in_step(project: Project) -> list[tuple[str, str]]:
    git(project.path, "reset", "-q", "--hard", "main")
    return verify(project.path, "main").findings


@pytest.mark.parametrize(
    ("choice", "decision", "counts"), [("reject", "caught", (1, 0)), ("approve", "missed", (0, 1))]
)
def test_the_change_lands_and_the_record_says_what_the_copy_was(
    judged: tuple[Project, Store, Worker, list[str]], choice: str, decision: str, counts: tuple[int, int]
) -> None:
    project, store, worker, told = judged
    assert ballots(worker, told[:1] + told[1:], two=choice) == ["ok", "approve"]
    worker.land()
    store.kill()
    assert in_step(project) == []
    assert (project.path / "a.py").read_bytes() == CODE
    real, copy = recorded(project, 1), recorded(project, 2)
    assert (real["kind"], copy["kind"], copy["decision"]) == ("review", "calibration", decision)
    assert copy["planted"]["of"] == real["id"] and copy["planted"]["path"] == "a.py"
    before = CODE.decode().split("\n")[copy["planted"]["line"] - 1]
    assert copy["planted"]["before"] == before != copy["planted"]["after"]
    assert copy["subject"]["tree"] == told[4] != real["subject"]["tree"] and copy["evidence"] == []
    two = judging.by_member([real, copy], [])["two"]
    assert (two.caught, two.missed) == counts and two.approve == 1 and two.decided == 1
    assert f"found {counts[0]} of 1 planted defects" in two.words()
    shown = "\n".join(lines(Vote(copy, None, True)))
    assert "which can never land; planted: " in shown and "counted again from its ballots: the same" in shown


def test_a_member_cannot_tell_the_copy_by_its_form(place: Path) -> None:
    project = Project(place / "c", [task("a", check="make test")])
    among(project, "one", "two", calibrate=1)
    store = project.start()
    worker = Worker(store)
    worker.claim()
    opened = done(worker, {"a.py": CODE})

    def given(vote: Path) -> tuple[dict[str, str], dict[str, int], str]:
        """All that is put before it; the modes; the change."""
        ticket = worker.ticket / "ballots/two"
        texts = {
            str(path.relative_to(ticket)): path.read_text() for path in ticket.rglob("*") if path.is_file()
        }
        modes = {str(path.relative_to(ticket)): path.stat().st_mode for path in ticket.rglob("*")}
        diff = texts.pop("exchange/diff.patch")
        prompt = texts["exchange/prompt.md"].replace(diff, "CHANGE\n")
        texts["exchange/prompt.md"] = re.sub(r"QUOTE-[0-9a-f]{24}", "FENCE", prompt)
        listed = {str(path.relative_to(vote)) for path in vote.rglob("*")}
        texts["folder of the vote"] = " ".join(sorted(listed))
        return texts, modes, diff

    real = given(Path(opened[3]))
    told = ballots(worker, opened, two="approve")
    copy = given(Path(told[3]))
    assert copy[0] == real[0] and copy[1] == real[1]
    assert "the check `make test` ended with 0" in real[0]["exchange/prompt.md"]
    shape = re.compile(r"(?m)^(diff|index|new|---|\+\+\+|@@).*$")
    heads = [[found[0] for found in shape.finditer(diff)] for diff in (real[2], copy[2])]
    assert len(heads[0]) == len(heads[1]) and heads[0][0] == heads[1][0] and real[2] != copy[2]
    tree = git(project.path, "ls-tree", told[4], "a.py")
    assert tree.startswith("100644 blob ") and git(project.path, "diff", "--stat", worker.tree, told[4])
    store.kill()


def test_what_was_approved_as_a_copy_lands_by_no_way(
    judged: tuple[Project, Store, Worker, list[str]],
) -> None:
    project, store, worker, told = judged
    assert ballots(worker, told, two="approve") == ["ok", "approve"]
    real_tree, real_patch = worker.tree, worker.patch
    worker.tree = told[4]
    outcome = worker.client.ask("draw")[1]
    refused = worker.client.ask("record", outcome, "-", worker.base, told[4], worker.patch, "1")
    assert refused[0] == "err" and "not what was voted on" in " ".join(refused), refused
    store.kill()
    store = project.start()
    again = Worker(store)
    assert again.claim()[2] == "a"
    worker.client, worker.store, worker.number = again.client, store, again.number
    diff = git(project.path, "diff-tree", "-p", "--full-index", worker.base, told[4])
    patch = git(project.path, "patch-id", "--stable", stdin=f"{diff}\n".encode()).split(" ")[0]
    assert patch != real_patch and real_tree != told[4]
    assert worker.client.ask("base", worker.base)[0] == "ok"
    assert worker.client.ask("worked", "0", "1", str(worker.ticket)) == ["ok", "done"]
    (worker.attempt / "diff.patch").write_text(f"{diff}\n")
    assert worker.judge() == ["ok", "pass"]
    opened = worker.client.ask("vote-open", worker.base, told[4], patch)
    assert opened[1] == "vote"  # no approval stands for it: it is judged like anything else
    store.kill()


def test_a_forged_landing_of_the_copy_is_found(judged: tuple[Project, Store, Worker, list[str]]) -> None:
    project, store, worker, told = judged
    assert ballots(worker, told, two="approve") == ["ok", "approve"]
    worker.land()
    store.kill()
    copy = json.loads((Path(told[3]) / "vote.json").read_text())
    base = git(project.path, "rev-parse", "main~2")
    git(project.path, "reset", "-q", "--hard", "main")
    outcome = load(project, "logs/outcomes/outcome-001.json")
    commit = git(project.path, "commit-tree", told[4], "-p", base, "-m", "a\n\nOrkestra-Outcome: outcome-001")
    outcome["change"] |= {key: copy["subject"][key] for key in ("tree", "patch_id", "diff_sha256")}
    outcome["change"]["commit"] = commit
    outcome["evidence"] = []
    records_now = {path: (project.path / path).read_bytes() for path in ("logs/voting/vote-001.json",)}
    votes = {path: load(project, path) for path in (*records_now, "logs/voting/vote-002.json")}
    attributes = (project.path / "logs/voting/.gitattributes").read_bytes()
    git(project.path, "reset", "-q", "--hard", commit)
    for folder in ("voting", "outcomes"):
        (project.path / "logs" / folder).mkdir(parents=True, exist_ok=True)
        (project.path / "logs" / folder / ".gitattributes").write_bytes(attributes)
    rewrite(project, {**votes, "logs/outcomes/outcome-001.json": outcome}, commit=False)
    rewrite(project, rechain(project), commit=False)
    git(project.path, "add", "-A")
    git(project.path, "commit", "-qm", "r\n\nOrkestra-Outcome: outcome-001")
    found = verify(project.path, "main").findings
    assert found == [("outcome-001", "its approving vote was on another change than the one that landed")]


@pytest.mark.parametrize(
    ("forge", "words"),
    [
        (lambda vote: vote["planted"].update(of="vote-009"), "vote-009 is no vote that approved"),
        (lambda vote: vote["planted"].update(one_in=0), "did not draw it"),
        (lambda vote: vote.update(decision="caught"), "its decision is 'caught', its ballots give 'missed'"),
        (lambda vote: vote["subject"].update(base="0" * 40), "is not about a copy"),
        (lambda vote: vote.update(decision="approve"), "its decision is 'approve'"),
    ],
)
def test_a_forged_calibration_is_found(
    judged: tuple[Project, Store, Worker, list[str]], forge: Any, words: str
) -> None:
    project, store, worker, told = judged
    ballots(worker, told, two="approve")
    worker.land()
    store.kill()
    git(project.path, "reset", "-q", "--hard", "main")
    vote = recorded(project, 2)
    forge(vote)
    rewrite(project, {"logs/voting/vote-002.json": vote}, commit=False)
    rewrite(project, rechain(project), commit=False)
    git(project.path, "commit", "-qam", "forged")
    found = [what for name, what in verify(project.path, "main").findings if name == "vote-002"]
    assert any(words in what for what in found), found


def test_others_land_while_one_is_judged(judged: tuple[Project, Store, Worker, list[str]]) -> None:
    project, store, worker, told = judged
    other = Worker(store, "w2")
    assert other.claim()[2] == "b"
    assert other.client.ask("base", project.head)[0] == "ok"
    assert other.client.ask("worked", "0", "1", str(other.ticket)) == ["ok", "done"]
    other.change({"README": b"just words\n"})
    assert other.judge() == ["ok", "pass"]
    opened = other.client.ask("vote-open", other.base, other.tree, other.patch)
    answer = ballots(other, opened, two="approve", one="approve")
    while answer[1] == "calibrate":
        answer = ballots(other, answer, two="reject", one="reject")
    assert answer == ["ok", "approve"] and other.land() == "outcome-001"
    assert ballots(worker, told, two="reject") == ["ok", "approve"]
    store.kill()


def test_a_juror_that_is_limited_keeps_nothing_waiting(
    judged: tuple[Project, Store, Worker, list[str]],
) -> None:
    project, store, worker, told = judged
    assert ballots(worker, told, two=LATER) == ["ok", "approve"]
    worker.land()
    store.kill()
    assert in_step(project) == []
    copy = recorded(project, 2)
    assert copy["decision"] == "absent" and judging.by_member([copy], []) == {}


@pytest.mark.parametrize("reason", ["off", "not drawn", "nothing to plant", "rejected", "budget"])
def test_when_there_is_none(place: Path, reason: str) -> None:
    rate = {"off": 0, "not drawn": 1_000_000}.get(reason, 1)
    more = {"budget": {"task": {"usd": 0.10}}} if reason == "budget" else {}
    project = Project(place / "c", [task("a")], **more)
    among(project, "one", "two", calibrate=rate)
    if reason == "budget":
        git(project.path, "commit", "-q", "--allow-empty", "-m", "x")
    store = project.start()
    worker = Worker(store)
    worker.claim()
    opened = done(worker, {"a.txt": b"words\n"} if reason == "nothing to plant" else {"a.py": CODE})
    if reason == "rejected":
        assert ballots(worker, opened, two="reject")[1] == "reject"
    elif reason == "budget":
        folder = Path(opened[3])
        said = {"choice": "approve", "reason": "good", "confidence": 80, "cost_usd_micros": 15_000}
        (folder / "two/out").mkdir(parents=True)
        (folder / "two/out/result.json").write_text(json.dumps(said))
        (folder / "ballots.tsv").write_text("two\t0\t\n")
        assert worker.client.ask("vote-close", opened[2]) == ["ok", "approve"]
    else:
        assert ballots(worker, opened, two="approve") == ["ok", "approve"]
    store.kill()


def test_a_file_keeps_its_mode(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/tool").write_text("a == b\n")
    (tmp_path / "bin/tool").chmod(0o755)
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "x")
    objects = Objects(Git(tmp_path / ".git"))
    tree = objects.with_content(git(tmp_path, "rev-parse", "HEAD^{tree}"), "bin/tool", b"a != b\n")
    objects.flush()
    objects.close()
    assert git(tmp_path, "ls-tree", "-r", tree).startswith("100755 blob ")
    assert git(tmp_path, "cat-file", "-p", f"{tree}:bin/tool") == "a != b"


def test_the_draw_is_about_one_in_n() -> None:
    seeds = [canonical.sha256(str(number).encode())[:32] for number in range(4000)]
    assert not any(calibration.is_drawn(seed, 0) for seed in seeds)
    assert 300 < sum(calibration.is_drawn(seed, 10) for seed in seeds) < 500
