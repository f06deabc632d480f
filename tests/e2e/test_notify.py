"""ORKESTRA_NOTIFY: a person's command is told what happens, and never slows or breaks a run."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from orkestra_shim import notify
from world import World

TASKS = [
    {"id": "good", "command": "echo 1 >1"},
    {"id": "bad", "title": 'It "fails" $(touch owned)', "command": "exit 3", "max_attempts": 1},
    {"id": "judge", "command": "mkdir -p tests; echo >tests/x"},
]


def set_command(world: World, command: str) -> None:
    file = world.home / "CONFIG" / "settings.env"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"ORKESTRA_NOTIFY={command}\n")


def events(file: Path, count: int) -> list[dict[str, Any]]:
    """As many as are awaited."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        lines = file.read_text().splitlines() if file.exists() else []
        if len(lines) >= count:
            return [json.loads(line) for line in lines]
        time.sleep(0.2)
    raise AssertionError(lines)


def test_a_run_is_told(world: World) -> None:
    told = world.place / "told"
    set_command(world, f'cat >>"{str(told).replace("$", chr(92) + "$")}"')
    project = world.new("shop", TASKS)
    assert project.start().returncode == 1
    found = events(told, 4)
    by_kind = {one["event"]: one for one in found}
    assert found[-1]["event"] == "run_ended" and set(by_kind) == {
        "landed",
        "failed",
        "needs_human",
        "run_ended",
    }
    assert "1 failed" in by_kind["run_ended"]["text"] and by_kind["run_ended"]["task"] is None
    assert by_kind["landed"]["text"].startswith("good landed as outcome-")
    assert (by_kind["needs_human"]["task"], by_kind["failed"]["task"]) == ("judge", "bad")
    for one in found:
        assert set(one) == {"schema", "event", "at", "project", "task", "text"}
        assert one["schema"] == "orkestra.event/1" and one["project"]["path"] == str(project.path)
    assert not (world.place / "owned").exists()


@pytest.mark.parametrize("command", ["sleep 1000", "/no/such/command"])
def test_whatever_the_command_does(world: World, command: str) -> None:
    set_command(world, command)
    project = world.new("shop", TASKS[:1])
    began = time.monotonic()
    done = project.start()
    assert done.returncode == 0 and project.decided() == {"good": "landed"}, done.stderr
    assert time.monotonic() - began < 25, "the run has waited for it"
    assert "the command" not in done.stderr + done.stdout
    again = project.start()
    assert again.returncode == 0, "its process holds the project"
    subprocess.run(["pkill", "-f", f"^/bin/sh -c {command}$"], check=False)


def test_an_environment_names_no_command(world: World) -> None:
    world.environment["ORKESTRA_NOTIFY"] = "touch owned"
    project = world.new("shop", TASKS[:1])
    assert project.start().returncode == 0
    time.sleep(1.5)
    assert not list(world.place.rglob("owned"))


def test_time_and_numbers_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "logs" / "execution" / "task-execution.log"
    log.parent.mkdir(parents=True)
    log.touch()
    monkeypatch.setattr(notify, "SECONDS", 1)
    notifier = notify.Notifier("sleep 987654 & sleep 987654", tmp_path, "shop", "0" * 12)
    event = {"event": "landed", "task": "t", "outcome": "outcome-001"}
    log.write_text("no json\n" + (json.dumps(event) + "\n") * 150 + '{"half')
    notifier.look()
    assert notifier.tell()
    assert "it took longer than 1 seconds" in capfd.readouterr().err
    assert subprocess.run(["pgrep", "-f", "^sleep 987654$"], capture_output=True).returncode == 1
    notifier._command = f"cat >>{tmp_path / 'told'}"  # what is left, quickly
    notifier.end()
    while notifier.tell():
        pass
    found = events(tmp_path / "told", 100)
    assert len(found) == 100 and found[-1]["event"] == "run_ended"
    assert "150 landed" in found[-1]["text"] and "50 events were not told" in found[-1]["text"]
