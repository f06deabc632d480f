"""blame: what the records say of a line, and nothing that a message, a name or a forged record says of it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from orkestra_shim import canonical
from orkestra_shim.cli import main
from store_client import Project, Worker, git
from test_store import task

Capture = pytest.CaptureFixture[str]
# A change of `two` that one of three votes against.
AGAINST = (("lint", 0, "fine"), ("size", 11, "too\nlong"), ("tidy", 0, "tidy"))
HOSTILE = ["-f", "a\nb", "q\"'$(x)", ":(top)a", "a.txt:3", "ü\u202ex", "\x1b[2J"]


@pytest.fixture
def landed(place: Path) -> Project:
    """`one` wrote four lines, `two` changed the third, and a person added a fifth."""
    project = Project(place / "p", [task("one", check="true"), task("two", priority="low")])
    store = project.start()
    worker = Worker(store)
    assert worker.claim()[2] == "one"
    worker.whole({"src/n": b"1\n2\n3\n4\n"})
    assert worker.claim()[2] == "two"
    worker.client.ask("base", project.head)
    worker.client.ask("worked", "0", "1", str(worker.ticket))
    worker.change({"src/n": b"1\n2\nthree\n4\n"})
    worker.client.ask("taken", worker.tree, "1")
    worker.judge()
    assert worker.vote(*AGAINST) == ["ok", "approve"]
    worker.land()
    store.kill()
    git(project.path, "reset", "--hard", "-q")
    commit(project, "src/n", "1\n2\nthree\n4\nfive\n", "mine")
    return project


def commit(project: Project, path: str, text: str, message: str) -> None:
    """A person's commit of one file."""
    (project.path / path).write_text(text)
    git(project.path, "add", "-A")
    git(project.path, "commit", "-q", "-m", message)


def told(capsys: Capture, place: str, path: Path) -> dict[str, Any]:
    """The command's JSON."""
    assert main(["blame", "--json", "--project", str(path), "--", place]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert isinstance(answer, dict)
    return answer


def said(capsys: Capture, place: str, path: Path, code: int = 0) -> str:
    """What the command says."""
    assert main(["blame", "--project", str(path), "--", place]) == code
    out, err = capsys.readouterr()
    assert "Traceback" not in err and "\x1b" not in out + err and "\u202e" not in out + err
    return out if code == 0 else err


def whose(capsys: Capture, place: str, path: Path) -> list[tuple[int, int, str, str | None]]:
    """(first, last, kind, task) of each run of lines."""
    return [
        (one["first"], one["last"], one["kind"], one["task"]) for one in told(capsys, place, path)["lines"]
    ]


LANDED = [(1, 2, "task", "one"), (3, 3, "task", "two"), (4, 4, "task", "one"), (5, 5, "person", None)]


def test_who_wrote_and_who_judged_a_line(landed: Project, capsys: Capture) -> None:
    assert whose(capsys, "src/n", landed.path) == LANDED
    lines = said(capsys, "src/n:3", landed.path).splitlines()
    assert lines[:2] == ["src/n:3: three", "task two: Do two"]
    for line in (
        "wrote: shell; reviewed by: programs",
        "approved: lint (program) in vote-002",
        "dissented: size (program) in vote-002, reject",
        "evidence: no check was run",
        "cost: $0.00, 0 tokens, 2 s",
    ):
        assert line in lines, line
    assert lines[-1].startswith("undo: orkestra undo --project ") and lines[-1].endswith(" two")
    assert [line for line in lines if line.startswith("prompt: ") and line.endswith("two/1/prompt.md")]
    assert "    | # Do two" in lines
    assert "evidence: the check 'true' ended with 0" in said(capsys, "src/n:1", landed.path)
    # What is not committed, as the checkout has it; a clone has neither that nor the prompt.
    (landed.path / "src/n").write_text("0\n1\n2\nthree\n4\nfive\n")
    assert whose(capsys, "src/n", landed.path)[:2] == [(1, 1, "uncommitted", None), (2, 3, "task", "one")]
    assert said(capsys, "src/n:4", landed.path).startswith("src/n:4: three\ntask two: ")
    clone = landed.folder / "clone"
    git(landed.path, "clone", "-q", str(landed.path), str(clone))
    assert whose(capsys, "src/n", clone) == LANDED
    assert told(capsys, "src/n:3", clone)["outcomes"]["outcome-002"]["prompt"] is None
    git(clone, "switch", "-q", "--detach", "HEAD~3")  # elsewhere, the branch counts
    git(clone, "branch", "-q", "-D", "main")
    assert whose(capsys, "src/n", clone) == LANDED
    record = told(capsys, "logs/outcomes/outcome-001.json:1", clone)["lines"][0]
    assert (record["kind"], record["records"]) == ("record", ["outcome-001"])


def test_a_message_or_a_record_that_lies_is_not_believed(landed: Project, capsys: Capture) -> None:
    claim = "task two\n\nOrkestra-Task: two\nOrkestra-Outcome: outcome-002\n"
    commit(landed, "src/n", "1\n2\nmine\n4\nfive\n", claim)
    assert whose(capsys, "src/n", landed.path)[1] == (3, 3, "person", None)
    shown = said(capsys, "src/n:3", landed.path)
    assert "its message names two, outcome-002, but no record names it so: not believed" in shown
    assert "nobody voted on it" in shown and f"revert {landed.head}" in shown
    # A record that is made to name that commit does not fit what the commit holds.
    path = landed.path / "logs/outcomes/outcome-002.json"
    record = json.loads(path.read_text())
    record["change"]["commit"] = landed.head
    record["sha256"] = canonical.digest(record)
    commit(landed, "logs/outcomes/outcome-002.json", canonical.pretty(record).decode(), "forged")
    assert whose(capsys, "src/n", landed.path)[1] == (3, 3, "person", None)
    assert whose(capsys, "src/n", landed.path)[0] == (1, 2, "task", "one")
    # Ballots that were changed afterwards are not those that the outcome names.
    vote = json.loads((landed.path / "logs/voting/vote-001.json").read_text())
    vote["ballots"][0]["reason"] = "bribed\nundo: rm -rf /\x1b[2J"
    commit(landed, "logs/voting/vote-001.json", canonical.pretty(vote).decode(), "forged")
    shown = said(capsys, "src/n:1", landed.path)
    assert "does not hold: vote-001 is not the vote that outcome-001 names" in shown
    assert [line for line in shown.splitlines() if line.startswith("undo: ")] == shown.splitlines()[-1:]
    for broken in ({"votes": 5}, {"cost": {}}, {"attempt": "../.."}, {"change": {"commit": []}}):
        record = json.loads((landed.path / "logs/outcomes/outcome-001.json").read_text())
        text = canonical.pretty({**record, **broken}).decode()
        commit(landed, "logs/outcomes/outcome-001.json", text, "forged")
        code = 65 if {"votes", "cost"} & broken.keys() else 0
        shown = said(capsys, "src/n:1", landed.path, code)
        assert ("orkestra verify" in shown) == (code == 65), broken
        git(landed.path, "reset", "--hard", "-q", "HEAD~1")


def test_renamed_rebased_and_squashed(landed: Project, capsys: Capture) -> None:
    git(landed.path, "mv", "src/n", "moved")
    git(landed.path, "commit", "-q", "-m", "moved")
    assert whose(capsys, "moved", landed.path) == LANDED
    # Other commits with the same patches: known by them.
    root = git(landed.path, "rev-list", "--max-parents=0", "main")
    git(landed.path, "rebase", "-q", "--force-rebase", root, env={"GIT_COMMITTER_NAME": "B"})
    assert whose(capsys, "moved", landed.path) == LANDED
    now = told(capsys, "moved:3", landed.path)["outcomes"]["outcome-002"]["commit"]
    record = json.loads((landed.path / "logs/outcomes/outcome-002.json").read_text())
    assert now != record["change"]["commit"] and now in git(landed.path, "rev-list", "main").split()
    # All in one commit: nobody voted on that.
    git(landed.path, "reset", "-q", "--soft", root)
    git(landed.path, "commit", "-q", "-m", "all\n\nOrkestra-Outcome: outcome-002")
    assert whose(capsys, "moved", landed.path) == [(1, 5, "person", None)]


def test_names_and_lines_that_there_are_not(landed: Project, capsys: Capture) -> None:
    for name in HOSTILE:
        (landed.path / name).write_text("x\ny\n")
    (landed.path / "binary").write_bytes(b"a\0b\n")
    (landed.path / "empty").write_bytes(b"")
    commit(landed, "last", "no newline at its end", "hostile")
    for name in HOSTILE:
        assert told(capsys, name, landed.path)["file"] == name
        assert whose(capsys, f"{name}:2", landed.path) == [(2, 2, "person", None)], name
        said(capsys, name, landed.path)
    assert whose(capsys, "last:1", landed.path) == [(1, 1, "person", None)]
    # What came with a merge alone is undone as Git wants it.
    git(landed.path, "switch", "-q", "-c", "side", "HEAD~1")
    commit(landed, "side", "x\n", "side")
    git(landed.path, "switch", "-q", "main")
    git(landed.path, "merge", "-q", "--no-ff", "--no-commit", "side")
    commit(landed, "with merge", "x\n", "merge")
    undo = shlex.split(told(capsys, "with merge:1", landed.path)["lines"][0]["undo"])
    git(landed.path, *undo[3:], "--no-edit")
    assert not (landed.path / "with merge").exists() and (landed.path / "last").exists()
    assert told(capsys, "empty", landed.path)["lines"] == []
    (landed.path / "new").write_text("x\n")
    (landed.path / "out").symlink_to("/etc")
    for place, words in {
        "src/n:0": "src/n has no line 0: it has 5 lines",
        "src/n:6": "src/n has no line 6: it has 5 lines",
        "empty:1": "empty has no line 1: it has 0 lines",
        "last:2": "it has 1 line\n",
        "binary": "binary is binary",
        "src": "src is a folder",
        ".": ". is a folder",
        "src/..": "src/.. is a folder",
        "": " is a folder",
        "../x": "../x is outside of the project",
        "/etc/passwd:1": "/etc/passwd is outside of the project",
        "out/passwd": "out/passwd is outside of the project",
        "none": "none is not there",
        "n\x1bone:7": "n\\x1bone is not there",
        "new": "new is in no commit yet",
    }.items():
        assert words in said(capsys, place, landed.path, 64), place
    git(landed.path, "clone", "-q", "--depth=1", f"file://{landed.path}", str(landed.folder / "shallow"))
    assert "shallow clone" in said(capsys, "src/n", landed.folder / "shallow", 65)


def test_a_file_is_meant_from_the_current_folder(
    landed: Project, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert whose(capsys, str(landed.path / "src/n"), landed.path) == LANDED
    monkeypatch.chdir(landed.path / "src")
    assert whose(capsys, "n", landed.path) == LANDED
    assert told(capsys, "../a.txt", landed.path)["file"] == "a.txt"
