"""The queue edited by many at once beside a run: eight processes with the command, and a person's editor."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orkestra_shim.files import exchange
from test_person import LATCH, end, events, task, tree_with, wait_for
from world import Project, World

SEED = 4
PROCESSES = 8
EDITS = 12  # of each process
SAVES = 12  # of the editor; every third is no JSON at first


class Person:
    """One who works through the command, on tasks of their own; knows what has to come of them."""

    def __init__(self, project: Project, number: int) -> None:
        self.project, self.name = project, f"p{number}"
        self.dice = random.Random(SEED * 100 + number)
        self.wanted: dict[str, str | None] = {}  # by task: what it is to write; None: cancelled
        self.refused = 0

    def work(self) -> None:
        """All edits, one after the other."""
        for number in range(EDITS):
            waiting = [name for name in self.wanted if name.endswith("w")]
            open_ones = [name for name in waiting if self.wanted[name] is not None]
            gone = [name for name in waiting if self.wanted[name] is None]
            choice = self.dice.randrange(6)
            if choice == 0 and open_ones:
                self.cancel(self.dice.choice(open_ones))
            elif choice == 1 and gone:
                self.retry(self.dice.choice(gone), number)
            elif choice in (2, 3) and open_ones:
                self.edit(self.dice.choice(open_ones), number)
            else:
                self.add(f"{self.name}-{number}" + self.dice.choice(["", "w"]), number)

    def command(self, *words: str) -> None:
        """Done again while the editor has left something in the file that is no queue."""
        while True:
            done = self.project.world.orkestra("task", *words, "--project", str(self.project.path))
            if done.returncode != 65:
                assert done.returncode == 0, done.stderr
                return
            assert "task-queue.json:" in done.stderr, done.stderr
            self.refused += 1

    def add(self, name: str, number: int) -> None:
        """One that ends in `w` waits for the gate."""
        self.wanted[name] = str(number)
        waits = ["--depends-on", "gate"] if name.endswith("w") else []
        self.command("add", name, "--id", name, "--command", f"echo {number} >{name}", *waits)

    def edit(self, name: str, number: int) -> None:
        """Its command becomes another."""
        self.wanted[name] = str(number)
        self.command("edit", name, "--command", f"echo {number} >{name}", "--priority", "low")

    def cancel(self, name: str) -> None:
        """It is given up."""
        self.wanted[name] = None
        self.command("cancel", name)

    def retry(self, name: str, number: int) -> None:
        """It is put back to work, with another command."""
        self.command("retry", name, "--note", "after all")
        self.edit(name, number)


class Editor:
    """A person who opens the file and saves it: written elsewhere and renamed, unless it has changed."""

    def __init__(self, project: Project, others: list[Person]) -> None:
        self.others = others
        self.path = project.path / "config" / "task-queue.json"
        self.log = project.world.home / "LOGS" / "orchestrator.log"
        self.wanted: dict[str, str | None] = {}

    def work(self) -> None:
        """Adds a task with each save; a typing error is mended once the run has refused it.

        The first one also stays until it has met somebody else.
        """
        for number in range(SAVES):
            name = f"hand-{number}"
            self.wanted[name] = str(number)
            if number % 3 == 0:
                self.save(lambda text: text.replace('"tasks": [', '"tasks": [,', 1))
                wait_for(lambda number=number: self.refusals() > number // 3)
                wait_for(lambda: any(one.refused for one in self.others))
                self.save(lambda text: text.replace('"tasks": [,', '"tasks": [', 1))
            new = task(name, f"echo {number} >{name}", agent="shell", title=name)
            self.save(lambda text, new=new: _with(text, new))

    def refusals(self) -> int:
        """How often the run has said that it does not take the file."""
        return self.log.read_text().count("not taken in: config/task-queue.json:3:13: ")

    def save(self, change: Callable[[str], str]) -> None:
        """What has been saved in between by somebody else is seen, and the change is made on that."""
        temporary = self.path.with_name("task-queue.json~")
        while True:
            before = self.path.read_text()
            mine = change(before)
            temporary.write_text(mine)
            if self.path.read_text() != before:
                continue
            exchange(temporary, self.path)
            if temporary.read_text() == before:
                temporary.unlink()
                return
            exchange(temporary, self.path)
            if temporary.read_text() != mine:
                exchange(temporary, self.path)


def _with(text: str, new: dict[str, Any]) -> str:
    top = json.loads(text)
    top["tasks"].append(new)
    return json.dumps(top, indent=2) + "\n"


def test_edits_from_all_sides_beside_a_run(world: World) -> None:
    project = world.new("edits", [task("gate", LATCH + "; echo open >gate", priority="critical")])
    run = world.start_in_background("--project", str(project.path), "--workers", "2")
    tree: Path = tree_with(project, "started")
    people = [Person(project, number) for number in range(PROCESSES)]
    editor = Editor(project, people)
    failed: list[BaseException] = []

    def at_work(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # told by the test itself, below
            failed.append(error)

    threads = [threading.Thread(target=at_work, args=(one.work,)) for one in [*people, editor]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed[0]
    (tree / "go").touch()
    output = end(run)
    assert run.returncode == 0, output

    wanted = {name: text for one in [*people, editor] for name, text in one.wanted.items()}
    assert len(wanted) > PROCESSES * EDITS // 3 and None in wanted.values()
    statuses = project.statuses()
    assert {name: statuses.get(name) for name in wanted} == {
        name: "cancelled" if text is None else "completed" for name, text in wanted.items()
    }
    assert statuses.keys() == wanted.keys() | {"gate"}
    for name, text in wanted.items():
        assert project.file(name) == (None if text is None else f"{text}\n"), name
        assert events(project, name).count("worked") == (text is not None), name
    landed = [one["task"] for one in project.outcomes() if one["decision"] == "landed"]
    assert sorted(landed) == sorted([*(name for name, text in wanted.items() if text is not None), "gate"])
    verified = project.verify()
    assert verified.returncode == 0, verified.stdout
    assert project.git("status", "--porcelain") == ""
