"""Kills a real run at every stage of the way, again and again, and looks at what is left each time.

Where a run stands is read from outside: the stage that each worker shows, the lock and the refs of the
project's repository, the execution log. To hit a moment that lasts a millisecond a landing is let on in
small steps until that moment is seen: its processes are stopped and continued, or the programs that it
calls stand still before and after they did their work (Doors). Then the victim is killed while all stand
still.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import shlex
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nested
from nested import Nest
from world import Project, World

WORKERS = 4
BEFORE, LOCKED, BROUGHT, MOVED, INDEXED = (
    "land: before the lock",
    "land: lock taken",
    "land: files brought along",
    "land: branch moved, index not in place",
    "land: index in place, store not told",
)
LANDING = (BEFORE, LOCKED, BROUGHT, MOVED, INDEXED)
END = "the run's end, grouped records"
STAGES = ("prepare", "work", "check", "gates", "vote", *LANDING, END)
VICTIMS = ("the orchestrator", "a worker", "the store", "an agent", "a git process", "everything at once")
AGENTS = 5  # of them at least are killed
ENDS_WITHIN = 30.0  # seconds: a bound for what stays when its orchestrator is dead, on a busy machine
STEP = 0.0004  # seconds that a landing runs on between two looks
PROGRAMS = ("cp", "git", "ln", "mkdir", "mv", "rm", "sync")  # that a landing calls
SHORT = {BROUGHT, MOVED, INDEXED}  # moments between one program and the next


# --- the queue ----------------------------------------------------------------------------------------------


LINE = "$ORKESTRA_TASK.$ORKESTRA_TRY.$RANDOM$RANDOM"
OWN = f'mkdir -p src; echo "{LINE}" >"src/$ORKESTRA_TASK.txt"; sleep 0.1'


def a_task(number: int, kind: str, command: str) -> dict[str, Any]:
    """One of them."""
    made: dict[str, Any] = {"id": f"t{number:03d}-{kind}", "command": command, "max_attempts": 60}
    if kind == "empty":
        made["allow_empty"] = True
    if kind == "hopeless":
        made["max_attempts"] = 1
    if kind not in ("empty", "hopeless", "held"):
        made["check"] = f"sleep 0.03; test -s src/{made['id']}.txt"
    return made


def queue(count: int, dice: random.Random) -> list[dict[str, Any]]:
    """Tasks of every kind. Each leaves a line of its own in src/TASK.txt that no other try can leave."""
    told = '[ -e "$ORKESTRA_ATTEMPT_DIR/feedback.md" ]'
    kinds = {
        "plain": OWN,
        "fails": f"{OWN}; {told} || exit 3",
        "commits": f"{OWN}; git add -A; git commit -qm own; echo more >src/$ORKESTRA_TASK.more",
        "shares": f"{OWN}; echo $ORKESTRA_TASK >src/shared-GROUP.txt",
        "empty": "sleep 0.1",
        "hopeless": f"{OWN}; exit 4",
        "held": f"{OWN}; echo theirs >held.txt",
    }
    weights = {"plain": 40, "fails": 12, "commits": 15, "shares": 18, "empty": 8, "hopeless": 6, "held": 1}
    names = [kind for kind, weight in weights.items() for _ in range(max(1, round(weight * count / 100)))]
    names = (names + ["plain"] * count)[:count]
    dice.shuffle(names)
    tasks: list[dict[str, Any]] = []
    shared = 0
    for index, kind in enumerate(names):
        command = kinds[kind]
        if kind == "shares":
            command = command.replace("GROUP", str(shared // 3))
            shared += 1
        task = a_task(index, kind, command)
        before = [one["id"] for one in tasks[-30:] if one["id"].split("-")[1] not in ("hopeless", "held")]
        if before and dice.random() < 0.25:
            task["depends_on"] = [dice.choice(before)]
        tasks.append(task)
    return tasks


# --- a person's own edits -----------------------------------------------------------------------------------


@dataclass
class Edits:
    """What a person has in the checkout and did not commit; a task wants to change one of these files."""

    project: Project
    files: dict[str, str] = field(default_factory=dict)

    def make(self) -> None:
        """Unstaged in two tracked files, staged in a new one, untracked, ignored."""
        path = self.project.path
        (path / "held.txt").write_text("as it was\n")
        with open(path / ".gitignore", "a", encoding="utf-8") as file:
            file.write("*.ignored\n")
        self.project.git("add", "-A")
        self.project.git("commit", "--quiet", "-m", "a file that a task will change")
        self.files = {
            "held.txt": "mine, not committed\n",
            "README.md": "mine too\n",
            "staged.txt": "staged, and then edited\n",
            "untracked.txt": "nobody knows me\n",
            "scratch.ignored": "nor me\n",
        }
        (path / "staged.txt").write_text("staged\n")
        self.project.git("add", "staged.txt")
        self.staged = self.project.git("ls-files", "-s", "staged.txt")
        for name, text in self.files.items():
            (path / name).write_text(text)

    def check(self) -> None:
        """That all of it is as the person left it."""
        for name, text in self.files.items():
            assert (self.project.path / name).read_text() == text, f"{name} is not what the person left"
        assert self.project.git("ls-files", "-s", "staged.txt") == self.staged, "what was staged is not"


# --- what is on the branch, and what the log says -----------------------------------------------------------


class Books:
    """Records and log, looked at after each kill; only what is new is read."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.git_dir = project.path / ".git"
        self.log_file = project.path / "logs" / "execution" / "task-execution.log"
        self.blobs: dict[str, str] = {}
        self.done: dict[str, str] = {}  # task: its outcome
        self._read = 0
        self._events: list[dict[str, Any]] = []
        self.heads: set[str] = set()  # that the store was told, or that it read as it started
        self._done_at: dict[str, int] = {}  # task: events read when it was seen to be done

    def head(self) -> str:
        """The commit that the branch is on, without asking Git."""
        return (self.git_dir / "refs" / "heads" / "main").read_text().strip()

    def events(self) -> list[dict[str, Any]]:
        """The log so far; a last line that is not whole yet is not read."""
        with contextlib.suppress(FileNotFoundError), open(self.log_file, "rb") as file:
            file.seek(self._read)
            data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            for line in whole.splitlines():
                event = json.loads(line)
                self._events.append(event)
                if "head" in event:
                    self.heads.add(event["head"])
            self._read += len(whole)
        return self._events

    def restarted(self) -> None:
        """A run is gone: a half line it left in the log will be cut off."""
        self.heads.add(self.head())

    def check(self) -> None:
        """Every record parses, none was changed, nothing landed twice, and nothing done was begun again."""
        head = self.head()
        self.events()  # what was begun before the branch was on this head is in here
        listed = self.project.git("ls-tree", "-r", head, "logs/outcomes", "logs/voting").splitlines()
        found = {line.split("\t")[1]: line.split()[2] for line in listed if line.endswith(".json")}
        for path, blob in self.blobs.items():
            assert found.get(path) == blob, f"{path} was changed or taken away"
        new = {path: blob for path, blob in found.items() if path not in self.blobs}
        for path, text in zip(new, _contents(self.project, new.values()), strict=True):
            record = json.loads(text)
            if record["format"].startswith("orkestra.outcome/"):
                task = record["task"]
                assert task not in self.done, f"{task} has a second outcome, {path}"
                self.done[task] = record["decision"]
                self._done_at[task] = len(self._events)
        self.blobs |= new
        self._check_log()

    def _check_log(self) -> None:
        over: set[str] = set()
        for number, event in enumerate(self.events()):
            task = event.get("task")
            if event["event"] in ("landed", "recorded"):
                over.add(str(task))
            if event["event"] == "claimed":
                assert task not in over, f"{task} was given out again after it was recorded"
                late = self._done_at.get(str(task))
                assert late is None or number < late, f"{task} was given out again, and the branch had it"


def _contents(project: Project, blobs: Iterable[str]) -> list[str]:
    wanted = list(blobs)
    if not wanted:
        return []
    out = subprocess.run(
        ["git", "-C", str(project.path), "cat-file", "--batch"],
        input="".join(f"{blob}\n" for blob in wanted).encode(),
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    texts, at = [], 0
    for _ in wanted:
        end = out.index(b"\n", at)
        size = int(out[at:end].split()[2])
        texts.append(out[end + 1 : end + 1 + size].decode())
        at = end + size + 2
    return texts


# --- where a run stands -------------------------------------------------------------------------------------


class Sight:
    """Where the workers are, and how far a landing has come."""

    def __init__(self, project: Project, books: Books) -> None:
        self.project, self.books = project, books
        home = project.world.home
        name = json.loads((project.path / "config" / "project.json").read_text())["id"]
        self.runtime = home / "CONFIG" / "RUNTIME" / name
        self.workspaces = project.world.place / "home" / ".cache" / "orkestra" / name
        self._added: dict[str, list[str]] = {}

    def shown(self, number: int) -> str:
        """The stage that a worker shows, '' between two tasks."""
        try:
            fields = (self.runtime / f"w{number}" / "now").read_text().rstrip("\n").split("\t")
        except OSError:
            return ""
        return fields[3] if len(fields) == 5 else ""

    def landing(self) -> str:
        """How far the landing has come that is under way. To be asked while all of it stands still."""
        git_dir = self.project.path / ".git"
        marker, lock = git_dir / "orkestra-landing", git_dir / "index.lock"
        try:
            ours = marker.samefile(lock)
        except OSError:
            ours = False
        head = self.books.head()
        if not ours:
            self.books.events()
            return BEFORE if head in self.books.heads else INDEXED
        old, new = marker.read_text().split()
        if head == new:
            return MOVED if (git_dir / "orkestra-index").exists() else INDEXED
        assert head == old, f"the branch is on {head}, and the landing goes from {old} to {new}"
        there = any((self.project.path / path).exists() for path in self._adds(old, new))
        return BROUGHT if there else LOCKED

    def _adds(self, old: str, new: str) -> list[str]:
        if new not in self._added:
            words = ("diff-tree", "-r", "--name-only", "--diff-filter=A", old, new)
            self._added[new] = self.project.git(*words).splitlines()
        return self._added[new]

    def left_in_workspaces(self) -> dict[str, str]:
        """{task.try: the line that only this try can have left} of what lies in the workspaces now."""
        found = {}
        for number in range(1, WORKERS + 1):
            place = self.workspaces / f"w{number}"
            with contextlib.suppress(OSError, ValueError):
                task, attempt, _ = (place / "owner").read_text().rstrip("\n").split("\t")
                text = (place / "tree" / "src" / f"{task}.txt").read_text()
                if text.endswith("\n") and text.startswith(f"{task}.{attempt}."):
                    found[f"{task}.{attempt}"] = text
        return found


class Doors:
    """Stand-ins for programs, first on PATH: while shut, each stops itself before and after its work."""

    def __init__(self, place: Path) -> None:
        self.folder = place / "doors"
        self.folder.mkdir()
        self._shut = place / "shut"
        shut = shlex.quote(str(self._shut))
        for name in PROGRAMS:
            real = shutil.which(name)
            assert real
            door = self.folder / name
            door.write_text(
                f'#!/bin/sh\n[ -e {shut} ] || exec {real} "$@"\nkill -STOP $$\n{real} "$@"\nstatus=$?\n'
                f"[ ! -e {shut} ] || kill -STOP $$\nexit $status\n"
            )
            door.chmod(0o755)

    def shut(self) -> None:
        """From here on programs stop."""
        self._shut.touch()

    def open(self) -> None:
        """Programs that begin do not stop any more."""
        self._shut.unlink(missing_ok=True)


# --- killing ------------------------------------------------------------------------------------------------


class Harness:
    """Starts, kills and checks until the wanted number of kills is reached; then lets the queue be done."""

    def __init__(self, world: World, kills: int, seed: int, tasks: int) -> None:
        self.dice = random.Random(seed)
        self.world, self.kills = world, kills
        self.project = world.new("crash", [])
        self.edits = Edits(self.project)
        self.tasks = tasks  # at first
        self.project.tasks(queue(tasks, self.dice))
        self.edits.make()
        self.books = Books(self.project)
        self.sight = Sight(self.project, self.books)
        self.nest: Nest | None = None
        self.starts = 0
        self.stops = 0  # that were needed to end what was killed while it was made
        self.stages: Counter[str] = Counter()
        self.victims: Counter[str] = Counter()
        self.tokens: dict[str, str] = {}
        self.last_words = ""
        self.bereft: list[int] = []  # what the last victim had started
        self.doors = Doors(world.place)
        self._verified = ""  # the head of the branch that was looked at last
        self.slowest = 0.0  # seconds from an orchestrator's death to the end of its last process
        extra = [self.dice.choice(STAGES) for _ in range(max(0, kills - 10 * len(STAGES)))]
        self.wanted = Counter([*extra, *(stage for stage in STAGES for _ in range(10))])
        self._verifier = ThreadPoolExecutor(1)
        self._verdicts: list[tuple[str, Future[str]]] = []

    # --- a run ---

    def start(self) -> Nest:
        """A run that goes on; the one that is there, or a new one."""
        if self.nest is not None:
            return self.nest
        self.starts += 1
        place = self.world.place / "run"
        place.mkdir(exist_ok=True)
        (place / "output").write_text("")
        script = str(self.world.root / "SCRIPTS" / "CORE" / "orchestrator.sh")
        words = [script, "start", "--project", str(self.project.path), "--workers", str(WORKERS)]
        self.books.restarted()
        env = self.world.env()
        self.nest = Nest(place, words, env | {"PATH": f"{self.doors.folder}:{env['PATH']}"})
        return self.nest

    def over(self, within: float) -> int:
        """Waits for the run's last process. Gives the orchestrator's exit code."""
        assert self.nest is not None
        started = time.monotonic()
        if not self.nest.gone_within(within, self._stop):
            left = "\n".join(nested.described(pid) for pid in self.nest.everything())
            raise AssertionError(f"left behind {within} s after {self.last_words}:\n{left}")
        self.slowest = max(self.slowest, time.monotonic() - started)
        status = self.nest.status()
        assert status is not None
        self.nest = None
        return status

    def _stop(self) -> None:
        self.stops += 1
        done = self.world.orkestra("stop", "--project", str(self.project.path))
        assert done.returncode == 0, done.stderr

    # --- choosing ---

    def go(self) -> None:
        """All the kills. Raises AssertionError with what is needed to do it again."""
        while sum(self.stages.values()) < self.kills or any(self.stages[stage] < 10 for stage in STAGES):
            self.one()
            self.gather(wait=len(self._verdicts) > 3)
        self.gather(wait=True)

    def one(self) -> None:
        """Runs until one of a few stages is met, kills there, and looks at what is left."""
        left = [stage for stage in STAGES for _ in range(max(0, self.wanted[stage] - self.stages[stage]))]
        chosen = {self.dice.choice(left) for _ in range(3)} if left else set(STAGES)
        nest = self.start()
        if chosen == {END} or (END in chosen and self.dice.random() < 0.4):
            hit = self._at_the_end(nest)
        else:
            hit = self._in_a_worker(nest, chosen - {END})
        if hit:
            self.after()
        elif nest.status() is not None:
            status = self.over(ENDS_WITHIN)
            output = nest.output_file.read_text()
            assert status in (1, 69, 70, 73, 143), f"a run ended with {status} by itself: {output}"
            if status == 1 and "again and again" not in output:
                self.more_tasks()

    def more_tasks(self) -> None:
        """The queue is done, and some stages want more kills: tasks are added to it by hand."""
        file = self.project.path / "config" / "task-queue.json"
        top = json.loads(file.read_text())
        assert len(top["tasks"]) < 4 * self.tasks, f"the wanted stages are not met\n{self.report()}"
        for number in range(len(top["tasks"]), len(top["tasks"]) + 20):
            task = a_task(number, "plain", OWN)
            top["tasks"].append({"title": task["id"], "agent": "shell", **task})
        file.write_text(json.dumps(top, indent=2) + "\n")

    def _in_a_worker(self, nest: Nest, chosen: set[str]) -> bool:
        end = time.monotonic() + 6
        while time.monotonic() < end and nest.status() is None:
            if time.monotonic() > end - 3:
                chosen = {stage for stage in STAGES if self.stages[stage] < self.wanted[stage]} - {END}
            nest.go_on()  # what came to a door just as it opened
            numbers = list(range(1, WORKERS + 1))
            self.dice.shuffle(numbers)
            for number in numbers:
                stage = self.sight.shown(number)
                if stage in chosen and self._at_a_stage(nest, number, stage):
                    return True
                if stage == "land" and chosen & set(LANDING):
                    walk = self._step_by_step if chosen & SHORT else self._while_landing
                    if walk(nest, number, chosen):
                        return True
            time.sleep(0.001)
        return False

    def _worker(self, nest: Nest, number: int) -> int:
        for pid in nest.below("worker.sh"):
            if nested.command(pid)[-1:] == [str(number)]:
                return pid
        return 0

    def _at_a_stage(self, nest: Nest, number: int, stage: str) -> bool:
        worker = self._worker(nest, number)
        if not worker:
            return False
        time.sleep(self.dice.uniform(0, 0.05 if stage in ("work", "check") else 0.015))
        stopped = nested.halt(worker)
        # Agents can be met in one stage only, and not in all of it.
        wants_agent = stage == "work" and self.victims["an agent"] < AGENTS
        missed = wants_agent and _agent(nested.descendants(worker)) == 0
        if self.sight.shown(number) == stage and not missed:
            return self._kill(nest, stage, worker, stopped)
        nested.go_on(stopped)
        return False

    def _while_landing(self, nest: Nest, number: int, chosen: set[str]) -> bool:
        """Lets a landing go on in small steps until one of the moments is seen."""
        worker = self._worker(nest, number)
        end = time.monotonic() + 60  # a bound: a landing ends
        while worker and time.monotonic() < end and self.sight.shown(number) == "land":
            below = nested.descendants(worker)
            if any(nested.name(pid) == "flock" for pid in below):
                return False  # it waits for its turn
            stopped = nested.halt(worker, *nest.below("orkestra_shim.store"))
            stage = self.sight.landing() if self.sight.shown(number) == "land" else ""
            if stage in chosen:
                return self._kill(nest, stage, worker, stopped)
            nested.go_on(stopped)
            # Near a wanted moment the steps are as small as they can be.
            time.sleep(0 if stage in (LOCKED, BROUGHT, MOVED) else STEP)
        return False

    def _step_by_step(self, nest: Nest, number: int, chosen: set[str]) -> bool:
        """Lets a landing go on from program to program until one of the moments is seen."""
        worker = self._worker(nest, number)
        end = time.monotonic() + 60  # as above
        look = 1.0 if chosen <= SHORT else 0.5  # so that each moment has its share
        self.doors.shut()
        try:
            while worker and time.monotonic() < end and self.sight.shown(number) == "land":
                below = nested.descendants(worker)
                if any(nested.name(pid) == "flock" for pid in below):
                    return False  # it waits for its turn
                at_a_door = [pid for pid in nest.everything() if nested.state(pid) == "T"]
                if any(pid in below for pid in at_a_door) and self.dice.random() < look:
                    stopped = nested.halt(worker, *nest.below("orkestra_shim.store"))
                    stage = self.sight.landing() if self.sight.shown(number) == "land" else ""
                    if stage in chosen:
                        self.doors.open()
                        return self._kill(nest, stage, worker, stopped)
                    nested.go_on(stopped)
                nested.go_on(at_a_door)
                time.sleep(STEP)
        finally:
            self.doors.open()
            nest.go_on()
        return False

    def _at_the_end(self, nest: Nest) -> bool:
        """A person stops the run: what has no change of its own, and the queue's state, are committed."""
        end = time.monotonic() + 6
        # What a killed run shows stays there: that of a living worker counts.
        while not any(self._worker(nest, one) and self.sight.shown(one) for one in range(1, WORKERS + 1)):
            if nest.status() is not None or time.monotonic() > end:
                return False
            time.sleep(0.002)
        time.sleep(self.dice.uniform(0, 0.3))
        top = nest.orchestrator
        nested.send([top] if top else [], signal.SIGTERM)
        while time.monotonic() < end and nest.status() is None:
            if any(nest.below("worker.sh")):
                time.sleep(0.002)
                continue
            break
        # How far it then gets is chance.
        steps = self.dice.randrange(25)
        while top := nest.orchestrator:
            stopped = nested.halt(top)
            if steps == 0 and nest.status() is None:
                return self._kill(nest, END, 0, stopped)
            nested.go_on(stopped)
            steps -= 1
            time.sleep(0.002)
        return False

    # --- the kill ---

    def _kill(self, nest: Nest, stage: str, worker: int, stopped: list[int]) -> bool:
        """Kills a victim while everything that matters stands still; then the others go on."""
        below = nested.descendants(worker) if worker else stopped[1:]
        possible = self._possible(nest, stage, worker, below)
        victim = min(self.dice.sample(sorted(possible), len(possible)), key=lambda one: self._had(one))
        number = sum(self.stages.values()) + 1
        self.last_words = f"kill {number} ({victim}, {stage})"
        self.tokens |= self.sight.left_in_workspaces()
        self.stages[stage] += 1
        self.victims[victim] += 1
        if victim == "everything at once":
            while nest.everything():
                nested.send(nest.everything(), signal.SIGKILL)
        else:
            self.bereft = nested.descendants(possible[victim])
            nested.send([possible[victim]], signal.SIGKILL)
            nested.go_on(stopped)
        return True

    def _had(self, victim: str) -> float:
        """How often it was the victim, so that each gets its share; with some chance in it."""
        return self.victims[victim] * self.dice.uniform(0.5, 1.5)

    def _possible(self, nest: Nest, stage: str, worker: int, below: list[int]) -> dict[str, int]:
        found = {"the orchestrator": nest.orchestrator, "everything at once": 0}
        if worker:
            found["a worker"] = worker
        for pid in nest.below("orkestra_shim.store"):
            found["the store"] = pid
        gits = [pid for pid in below if nested.name(pid) == "git"]
        if gits:
            found["a git process"] = self.dice.choice(gits)
        if stage == "work" and (agent := _agent(below)):
            found["an agent"] = agent
        return found

    # --- afterwards ---

    def after(self) -> None:
        """What must hold after every kill."""
        nest = self.nest
        assert nest is not None
        ended = self.last_words.split("(")[1].split(",")[0]
        try:
            if ended in ("the orchestrator", "everything at once"):
                status, at_the_end = self.over(ENDS_WITHIN), self.last_words.endswith(f"{END})")
                # At its end it may be past being killed.
                assert status == -signal.SIGKILL or (status in (0, 1) and at_the_end), (
                    f"it ended with {status}"
                )
            elif ended == "the store":
                status, at_the_end = self.over(ENDS_WITHIN), self.last_words.endswith(f"{END})")
                assert status == 70 or (status == 143 and at_the_end), nest.output_file.read_text()
            else:
                self.wait_for_the_bereft(nest)
            self.books.check()
            self.edits.check()
            if self.books.head() != self._verified:
                self._verified = self.books.head()
                self._verdicts.append((self.last_words, self._verifier.submit(self._verify)))
        except AssertionError as error:
            raise AssertionError(f"after {self.last_words}: {error}\n{self.report()}") from error

    def wait_for_the_bereft(self, nest: Nest) -> None:
        """The run goes on; what the victim had started does not."""
        end = time.monotonic() + ENDS_WITHIN
        while left := [pid for pid in self.bereft if nested.state(pid) not in ("", "X", "Z")]:
            assert time.monotonic() < end, "left behind:\n" + "\n".join(map(nested.described, left))
            nest.go_on()
            time.sleep(0.005)

    def _verify(self) -> str:
        """`orkestra verify` in a fresh clone; '' when all holds."""
        clone = self.world.place / "clone"
        subprocess.run(["rm", "-rf", str(clone)], check=True)
        self.project.git("clone", "--quiet", "--shared", str(self.project.path), str(clone))
        done = self.world.orkestra("verify", "--project", str(clone))
        return "" if done.returncode == 0 else done.stdout + done.stderr

    def gather(self, wait: bool) -> None:
        """The verdicts that have come."""
        kept = []
        for words, future in self._verdicts:
            if wait or future.done():
                assert future.result() == "", f"verify after {words}: {future.result()}\n{self.report()}"
            else:
                kept.append((words, future))
        self._verdicts = kept

    def report(self) -> str:
        """Stages and victims that were hit, and how often."""
        names = [*STAGES, *sorted(set(self.stages) - set(STAGES))]
        lines = [f"{self.stages[name]:5d}  {name}" for name in names]
        lines += ["", *(f"{self.victims[name]:5d}  {name}" for name in VICTIMS), ""]
        lines += [
            f"{sum(self.stages.values())} kills, {self.starts} starts, {self.stops} stops, "
            f"the last process gone after {self.slowest:.2f} s at most"
        ]
        return "\n".join(lines)

    def end(self) -> None:
        """Nothing of it is left running."""
        if self.nest is not None:
            self.nest.end()
        self._verifier.shutdown(wait=True, cancel_futures=True)

    # --- at last ---

    def finish(self) -> None:
        """The queue is done, and everything that was ever begun is accounted for."""
        for _ in range(10):
            nest = self.start()
            while nest.status() is None:
                self.tokens |= self.sight.left_in_workspaces()
                time.sleep(0.05)
            if self.over(ENDS_WITHIN) == 1:
                return
        raise AssertionError(f"the queue does not come to its end: {nest.output_file.read_text()}")

    def lost(self) -> list[str]:
        """Tries whose work is reachable from no ref."""
        words = ("rev-list", "--objects", "--no-object-names", "--all")
        there = set(self.project.git(*words).splitlines())
        return [name for name, text in self.tokens.items() if blob(text) not in there]


def _agent(below: list[int]) -> int:
    """Of what a worker has started the innermost process of its agent, 0 where there is none."""
    return below[-1] if any("spawn.sh" in " ".join(nested.command(pid)) for pid in below) else 0


def blob(text: str) -> str:
    """The name that Git gives to a file with this text."""
    data = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
