"""The demo's second call, and what doctor says; the run itself is part of the end-to-end tests."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from orkestra_shim import demo, doctor, repo, scripts
from orkestra_shim.cli import main
from orkestra_shim.session import open_session

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Calls of the orchestrator, which does nothing."""
    calls: list[list[str]] = []

    def follow(_home: object, _values: object, name: str, arguments: list[str], _line: object) -> int:
        calls.append([name, *arguments])
        return 0

    monkeypatch.setattr(scripts, "follow", follow)
    return calls


def test_a_second_call_goes_on(place: Path, runs: list[list[str]], capsys: Capture) -> None:
    now = open_session()
    assert demo.run(now, ask=False, fresh=False) == 0
    assert demo.run(now, ask=False, fresh=False) == 0
    assert len(runs) == 2 and runs[0] == runs[1]
    assert runs[0][:2] == ["CORE/orchestrator.sh", "start"]
    out = capsys.readouterr().out
    assert "the demo is there already" in out and "to go on: orkestra demo" in out
    assert os.listdir(now.projects) == ["demo-website"]


def test_beginning_anew_keeps_the_old_one(
    place: Path, runs: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = open_session()
    demo.run(now, ask=False, fresh=False)
    (now.projects / "demo-website" / "mine.txt").write_text("mine", "utf-8")
    demo.run(now, ask=False, fresh=True)
    monkeypatch.setattr(demo, "ask_in_terminal", lambda _question: False)
    demo.run(now, ask=True, fresh=False)
    kept = sorted(now.projects.glob("demo-website-*"))
    assert len(kept) == 2
    assert [(one / "mine.txt").exists() for one in kept].count(True) == 1


def test_something_else_in_its_place_is_left_alone(
    place: Path, runs: list[list[str]], capsys: Capture
) -> None:
    now = open_session()
    (now.projects / "demo-website").mkdir(parents=True)
    (now.projects / "demo-website" / "file").write_text("mine", "utf-8")
    assert main(["demo", "--fresh"]) == 65
    assert "is in the way" in capsys.readouterr().err
    assert runs == []


def test_the_demos_committee_spends_nothing(place: Path, runs: list[list[str]]) -> None:
    now = open_session()
    demo.run(now, ask=False, fresh=False)
    data = json.loads((now.projects / "demo-website" / "config" / "project.json").read_text("utf-8"))
    assert data["agents"] == ["shell"] and data["committee"]["reviewers"] == ["lint", "size", "tidy"]
    tasks = json.loads((now.projects / "demo-website" / "config" / "task-queue.json").read_text("utf-8"))[
        "tasks"
    ]
    assert len(tasks) >= 12 and {task["agent"] for task in tasks} == {"shell"}
    assert all(task["check"] and task["allow_paths"] for task in tasks)
    assert any(task["depends_on"] for task in tasks) and any(task["prefer_after"] for task in tasks)


def test_doctor_names_what_is_missing_and_the_cure(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.exit_code(doctor.examine()) in (0, 69)
    monkeypatch.setattr(repo, "version", lambda: (2, 30))
    keys = Path(os.environ["ORKESTRA_HOME"]) / "CONFIG" / "api-keys.env"
    keys.write_text("A=b\n", "utf-8")
    keys.chmod(0o666)
    found = {one.name: one for one in doctor.examine()}
    assert found["git"].state == "missing" and "2.38" in found["git"].text and found["git"].cure
    assert found["keys"].state == "missing" and found["keys"].cure.startswith("chmod 600")
    assert doctor.exit_code(list(found.values())) == 69


def test_doctor_with_broken_settings(place: Path) -> None:
    open_session()
    (Path(os.environ["ORKESTRA_HOME"]) / "CONFIG" / "settings.env").write_text("ORKESTRA_X=1\n", "utf-8")
    found = doctor.examine()[-1]
    assert found.state == "missing" and "settings.env:1" in found.text


def test_a_sandbox_switched_off_is_said(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORKESTRA_SANDBOX", "off")
    (found,) = [one for one in doctor.examine() if one.name == "sandbox"]
    assert found.state == "note" and "switched off" in found.text
