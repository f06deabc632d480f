"""kill -9 while the committee is at it: reviews, revisions, candidates, questions, assignments, calibration.

ORKESTRA_CRASH_SEED and ORKESTRA_COMMITTEE_KILLS change what is thrown and how often.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

import crash
import nested
from nested import Nest
from processes import below, wait_for
from world import Project, World

SEED = int(os.environ.get("ORKESTRA_CRASH_SEED", "20240229"))
KILLS = int(os.environ.get("ORKESTRA_COMMITTEE_KILLS", "30"))
MEMBERS = ("ada", "bob", "cyd")
CODE = "def within(count, limit):\n    if count == limit:\n        raise ValueError(count)\n    return 7\n"
MADE = (f"# draft\n{CODE}", f"# final\n{CODE}")
# A member sends a first version back, finds what was planted, and ranks by what it reads alone.
MEMBER = """#!/usr/bin/env python3
import json, os, random, re, sys, time
NAME, CODE = {told!r}
place = os.environ.get("ORKESTRA_ATTEMPT_DIR", "")
def say(**told):
    with open(place + "/result.json", "w") as file:
        json.dump(told, file)
if sys.argv[1] == "describe":
    print(json.dumps({{"name": NAME, "family": NAME, "kind": "ai", "can": ["work", "ballot"]}}))
elif sys.argv[1] == "probe":
    print("binary\\t/usr/bin/python3")
elif sys.argv[1] == "work":
    task, number = os.environ["ORKESTRA_TASK"], os.environ["ORKESTRA_TRY"]
    version = "final" if os.path.exists(place + "/feedback.md") else "draft"
    os.makedirs("src", exist_ok=True)
    with open(f"src/{{task}}.txt", "w") as file:
        file.write(f"{{task}}.{{number}}.{{random.getrandbits(60)}}\\n")
    with open(f"src/{{task}}.py", "w") as file:
        file.write(f"# {{version}}\\n{{CODE}}")
    time.sleep(0.1)
    say(text="made")
else:
    prompt = sys.stdin.read()
    time.sleep(0.05)
    with open(place + "/schema.json") as file:
        keys = list(json.load(file)["properties"])
    form = next(key for key in keys if key not in ("reason", "confidence"))
    letters = re.findall(r"^Option ([A-Z]+):$", prompt, re.M)
    first = re.findall(r"Option ([A-Z]+):\\n\\n(QUOTE-\\w+)\\nyes", prompt)
    answers = {{"ranking": [[one] for one in letters], "approve": letters[:1], "options": [NAME, "both"]}}
    said = answers.get(form, "yes")
    if "Review of a change" in prompt and form not in answers:
        made = "".join("+" + line + "\\n" for line in CODE.splitlines())
        found = "revised" in prompt and "# draft" in prompt
        said = "revise" if found else "approve" if made in prompt else "reject"
    say(**{{"reason": "it is what I saw", form: said, "confidence": 70}})
"""


def member(world: World, name: str) -> None:
    path = world.home / "CONFIG" / "agents" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(MEMBER.format(told=(name, CODE)))
    path.chmod(0o755)


def queue(dice: random.Random) -> list[dict[str, Any]]:
    """Tasks of every kind that a committee has to do with, some behind others."""
    tasks: list[dict[str, Any]] = []
    for number in range(KILLS):
        kind = dice.choice(("plain", "plain", "several", "question", "proposed", "revised"))
        task: dict[str, Any] = {"id": f"t{number:03d}-{kind}", "agent": "auto", "max_attempts": 20}
        if kind == "several":
            task["candidates"] = 3
        if kind == "question":
            task["ask"] = {"options": ["this", "that", "neither"], "discuss": True}
        if kind == "proposed":
            task["ask"] = {"propose": True, "default": "wait"}
        if kind == "revised":
            task["description"] = "It is to be revised."
        if tasks and dice.random() < 0.2:
            task["depends_on"] = [dice.choice(tasks)["id"]]
        tasks.append(task)
    return tasks


class Killing:
    """Runs that are killed at random moments until there have been enough kills, then one that is not."""

    def __init__(self, world: World, project: Project, dice: random.Random) -> None:
        self.world, self.project, self.dice = world, project, dice
        self.books = crash.Books(project)
        self.sight = crash.Sight(project, self.books)
        self.place = world.place / "run"
        self.place.mkdir()
        self.hit: Counter[str] = Counter()
        self.stages: Counter[str] = Counter()
        self.tokens: dict[str, str] = {}
        self.nest: Nest | None = None

    def go(self) -> str:
        """Until a run in which nothing was killed has come to its end; what it said."""
        while True:
            before = self.hit.total()
            nest = self._run()
            status, output = nest.status(), nest.output_file.read_text()
            self.books.check()
            if self.hit.total() == before:
                assert status in (0, 1), output
                return output

    def _run(self) -> Nest:
        """One run, to its last process."""
        script = str(self.world.root / "SCRIPTS" / "CORE" / "orchestrator.sh")
        words = [script, "start", "--project", str(self.project.path), "--workers", str(crash.WORKERS)]
        (self.place / "output").write_text("")
        self.books.restarted()
        self.nest = nest = Nest(self.place, words, self.world.env())
        fatal = False
        while nest.status() is None and not fatal:
            moment = time.monotonic() + (self.dice.uniform(0.2, 1.4) if self.hit.total() < KILLS else 3600)
            while time.monotonic() < moment and nest.status() is None:
                self.tokens |= self.sight.left_in_workspaces()
                time.sleep(0.02)
            if nest.status() is None:
                fatal = self._kill(nest)
        assert nest.gone_within(60, self._stop), "\n".join(map(nested.described, nest.everything()))
        self.nest = None
        return nest

    def _stop(self) -> None:
        self.stages["stop, for a sandbox that was killed while it was made"] += 1
        done = self.world.orkestra("stop", "--project", str(self.project.path))
        assert done.returncode == 0, done.stderr

    def _kill(self, nest: Nest) -> bool:
        """Somebody who lives. Whether the run is over by that."""
        everything, top = nest.everything(), nest.orchestrator
        some = {
            "everything at once": everything,
            "the orchestrator": [top] if top else [],
            "the store": list(nest.below("orkestra_shim.store")),
            "a worker": list(nest.below("worker.sh")),
            "any of its processes": everything[1:],
        }
        victim = self.dice.choice([one for one, pids in some.items() if pids] or ["everything at once"])
        self.stages.update(self.sight.shown(number) for number in range(1, crash.WORKERS + 1))
        self.hit[victim] += 1
        fatal = victim in ("everything at once", "the orchestrator", "the store")
        nested.send(everything if victim == "everything at once" else [self.dice.choice(some[victim])], 9)
        return fatal

    def lost(self) -> list[str]:
        """Tries whose work is reachable from no ref."""
        words = ("rev-list", "--objects", "--no-object-names", "--all")
        there = set(self.project.git(*words).splitlines())
        return [name for name, text in self.tokens.items() if crash.blob(text) not in there]


@pytest.fixture
def killing(world: World, capsys: pytest.CaptureFixture[str]) -> Iterator[Killing]:
    dice = random.Random(SEED)
    for name in MEMBERS:
        member(world, name)
    settings = {"assign": "vote", "committee": {"calibrate": 2, "weights": "learned"}}
    project = world.new("jury", queue(dice), agents=list(MEMBERS), **settings)
    made = Killing(world, project, dice)
    yield made
    if made.nest is not None:
        made.nest.end()
    with capsys.disabled():
        print(f"\nORKESTRA_CRASH_SEED={SEED} ORKESTRA_COMMITTEE_KILLS={KILLS}")
        for counted in (made.hit, made.stages):
            print(", ".join(f"{number} {name or 'between'}" for name, number in counted.most_common()))


def test_a_committee_comes_to_its_end_however_often_it_is_killed(killing: Killing, world: World) -> None:
    project, books = killing.project, killing.books
    output = killing.go()
    assert killing.hit.total() >= KILLS / 2
    tasks = project.statuses()
    # Where all who could judge were killed, or the same work too often, a person is asked: once more.
    asked = [name for name, status in tasks.items() if status == "needs_human"]
    assert len(asked) <= KILLS / 10, output
    for name in asked:
        done = world.orkestra("task", "retry", name, "--note", "once more", "--project", "jury")
        assert done.returncode == 0, done.stderr
    books.done = {name: decision for name, decision in books.done.items() if name not in asked}
    if asked:
        done = project.start()
        assert done.returncode == 0, done.stdout + done.stderr
    assert set(project.statuses().values()) == {"completed"}
    decided = project.decided()
    assert sorted(decided) == sorted(tasks) and set(decided.values()) == {"landed", "answered"}
    verified = project.verify()
    assert verified.returncode == 0, verified.stdout + verified.stderr

    # Whatever was voted on has its one vote; who was killed is in none of them for somebody else.
    votes = project.votes()
    kinds = Counter(vote["kind"] for vote in votes)
    assert all(kinds[kind] for kind in ("review", "choose", "ask", "assign", "calibration")), kinds
    assert len({vote["id"] for vote in votes}) == len(votes)
    for name in (name for name, decision in decided.items() if decision == "landed"):
        made = project.file(f"src/{name}.py") or ""
        assert made in MADE, f"a planted defect, or none of it: {made}"
        assert made == MADE[1] or "revised" not in name
    # No copy with a planted defect is anybody's work.
    for ref in project.git("for-each-ref", "--format=%(refname)", "refs/orkestra/attempts").splitlines():
        made = project.git("show", f"{ref}:src/{ref.split('/')[-2]}.py", check=False)
        assert made + "\n" in (*MADE, "\n"), f"{ref}: {made}"
    assert len(killing.tokens) > KILLS / 4 and killing.lost() == []

    assert project.git("status", "--porcelain") == ""
    project.git("fsck", "--strict")
    git_dir = project.path / ".git"
    assert not [str(path) for path in git_dir.rglob("*.lock") if path.parent.name != "orkestra"]
    wait_for(lambda: not below(world.place), "nothing of it is left")
