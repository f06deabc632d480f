"""One run over a queue: what was before, statuses, and who gets which task.

The file is long since it is the one state that every verb of the store works on.
"""

from __future__ import annotations

import heapq
import time
from pathlib import Path
from typing import Any

from . import (
    candidates,
    files,
    followups,
    journal,
    moments,
    overrides,
    pauses,
    project,
    prompts,
    queue,
    records,
    watch,
)
from .agents import Agents
from .assignment import Assignment
from .edits import Edits
from .errors import EX_DATA, OrkestraError
from .keys import Keys
from .ledger import Ledger, numbers_in
from .meter import Meter
from .purse import Purse
from .remote import Remote
from .resting import Resting
from .surroundings import Surroundings
from .tasks import Task, is_spoken_on
from .taskstate import TaskState
from .work import Work

HELD_AGAIN = 30.0  # seconds after which --stay tries again what waits for a person's edit
LOSS_DELAY = 5.0  # seconds after the second job in a row that was lost
MANY_LOSSES = 10  # so many in a row, of whatever tasks, count as one more of each
# Events after which candidates of a task may all be there, or none of them may count any more.
_OF_ROUNDS = ("candidate", "candidate-out", "chosen", "attempt-failed", "reopened", "recorded")
LONGEST_DELAY = 300.0  # seconds that a failed task waits at most for its next attempt


class Run:
    """The state that every verb of the store works on."""

    def __init__(self, here: Surroundings) -> None:
        """Reads project, records, log and queue. Raises OrkestraError for whatever is wrong in them."""
        self.here = here
        self.redact = Keys(here.secret_values(), here.secrets_file)
        head = here.git.commit(f"refs/heads/{here.branch}")
        if head is None:
            raise OrkestraError(
                EX_DATA,
                f"the project has no branch {here.branch!r}",
                "name an existing branch in config/project.json",
            )
        file = watch.QueueFile(here.checkout, self.redact)
        self.project = project.parse(here.project, *here.checkout.read(str(project.FILE)))
        self.own = overrides.load(here.git, head, prompts.OWN, lambda why: self.say("warning", why))
        self.own.check(prompts.samples() if self.own.texts else {})
        for name, text in self.own.texts.items():
            self.redact.need_none(text, f"{overrides.FOLDER}/{name}")
        self.branch = records.read_branch(here.git, head)
        self.ledger = Ledger(self.branch)
        self.agents = Agents(here.scripts, here.config, here.keys, lambda line: self.say("warning", line))
        self.attempts_folder = files.make_below(here.project, "logs", "execution", "attempts")
        self.states: dict[str, TaskState] = {}
        self._proposed: dict[str, TaskState] = {}
        self.owed: set[str] = set()  # tasks whose follow-ups are to be proposed
        self.agreed: set[str] = set()  # plans on which a person has said their word
        self.drafted = 0  # how often an outcome without a change was decided
        self._apart: set[int] = set()  # numbers that may come onto the branch after higher ones
        self.purse = Purse(self)
        self._replay()
        self.journal = journal.Journal(here.project / journal.FILE, self.redact.deep)
        # While the queue is made, its tasks' statuses may have to be told as events: of no task of it yet.
        self.queue = queue.Queue(queue.Document.of({"tasks": []}), self.first_status)
        self.queue = queue.Queue(file.first(), self.first_status)
        self.look_at_rounds()
        self.assignment = Assignment(self)
        self.edits = Edits(self, file)
        # By task id: what is in workers' hands, to follow a rebuilt queue.
        self.works: dict[str, list[Work]] = {}
        self.draining = False
        self.until = moments.Deadline(here.until) if here.until else None
        self.held_tried: dict[str, float] = {}
        self.losses = 0  # jobs that were lost since one came back
        self.later: list[tuple[float, str]] = []  # heap: when a task that failed may be tried again
        self.pauses = pauses.PauseFile(here.git.git_dir)
        self.resting = Resting(self)
        self._only()
        self.meter = Meter(self)
        self._account_for_killed()
        for name, state in self.states.items():
            task = self.queue.get(name)
            if task is not None and (state.stale(task.raw) or state.is_before(task.raw)):
                self.event("reopened", name, ballot=is_spoken_on(task.raw))
            if task is not None and state.reviewers and task.status == "pending":
                self.resting.put_off(task)
            if state.draft and self._is_recorded(name, state):
                state.draft = None
        self.remote = Remote(self)
        self.purse.go_live()

    def _account_for_killed(self) -> None:
        """What agents spent that a run's own death ended is unknown, and said to be."""
        for name, state in list(self.states.items()):
            for member in list(state.judging):
                told = self.meter.cut_off(name, state.tries, member, judges=True)
                self.event("balloted", name, state.tries, **told)
            for number, agent in list(state.at_work.items()):
                if told := self.meter.cut_off(name, number, agent):
                    self.event("interrupted", name, number, why="the run was killed", **told)

    def look(self, now: bool = False) -> None:
        """What people did meanwhile, to the branch and to the queue; at most once a second unless `now`."""
        if now or self.edits.file.due() == 0:
            if not self.ledger.open:  # what lands just now is told by the worker that lands it
                self.sync()
            self.edits.take_in(now=True)
            self._look_at_pauses()
            followups.propose(self)

    def drop(self, name: str, status: str, reason: str) -> None:
        """A person decided over a task in a worker's hands: the worker is told, and lands nothing of it."""
        for work in self.in_hand(name):
            work.dropped = work.dropped or (status, reason)

    def forget(self, work: Work) -> None:
        """No worker has this any more."""
        if left := [one for one in self.in_hand(work.task.id) if one is not work]:
            self.works[work.task.id] = left
        else:
            self.works.pop(work.task.id, None)

    def in_hand(self, name: str) -> list[Work]:
        """What workers have of a task: candidates of it may be several."""
        return [work for work in self.works.get(name, ()) if not work.done]

    def sync(self) -> None:
        """Take in records that the branch holds without our having been told (a worker died there)."""
        head = self.here.git.head(self.here.branch)
        if head and head != self.branch.head:
            self.refresh(head)

    def refresh(self, head: str) -> None:
        """The branch is at another commit: its records count."""
        known = self.branch
        self.branch = self.ledger.branch = records.read_branch(self.here.git, head, known)
        for number in sorted(self.branch.outcomes.keys() - known.outcomes.keys()):
            self.assignment.merits.take(self.branch.outcomes[number])
            self._came(self.branch.outcomes[number])

    def _came(self, outcome: dict[str, Any]) -> None:
        """An outcome is on the branch and this run did not land it: a merge, a person, a worker that died."""
        self.ledger.saw("outcome", records.parse_id(outcome["id"])[1])
        task = self.queue.get(str(outcome.get("task")))
        if task is None or records.is_reopened(task.raw, outcome):
            return
        told = {"outcome": outcome["id"], "head": self.branch.head, "decision": outcome.get("decision")}
        self.event("recorded", task.id, durable=True, **told)
        status, reason = records.status_of(task.raw, self.branch.by_task[task.id])
        if task.status == "in_progress" and self.in_hand(task.id):
            self.drop(task.id, status, reason)
        else:
            self.queue.set_status(task, status, reason)

    # --- what was before -----------------------------------------------------------------------------------

    def _replay(self) -> None:
        for event in journal.replay(self.here.project / journal.FILE):
            self._note_numbers(event)
            name = event.get("task")
            if isinstance(name, str):
                self._apply(name, event)

    def _apply(self, name: str, event: dict[str, Any]) -> None:
        state = self.state(name)
        state.apply(event)
        if state.owed:
            self.owed.add(name)
        self.purse.apply(name, event)
        self.drafted += event["event"] == "outcome-drafted"
        if event["event"] == "proposed":
            numbers = [event["outcome"], *event["riders"]]
            self._apart.update(records.parse_id(outcome)[1] for outcome in numbers)
        if state.proposal:
            self._proposed[name] = state
        elif self._proposed:
            self._proposed.pop(name, None)

    def _note_numbers(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        for number in numbers_in(event):
            self.ledger.saw("outcome", number)
        try:
            if kind == "vote-opened":
                self.ledger.saw("vote", records.parse_id(event["vote"])[1])
        except (KeyError, TypeError, ValueError):
            pass  # a line that somebody else wrote: the log is not evidence

    def _is_recorded(self, name: str, state: TaskState) -> bool:
        """Whether the branch holds a draft already: the run died between the swap and the log."""
        outcome = self.branch.by_task.get(name)
        return bool(
            outcome
            and state.draft
            and outcome.get("attempt") == state.draft.get("attempt")
            and outcome.get("decision") == state.draft.get("decision")
        )

    def first_status(self, task: Task) -> tuple[str, str]:
        """(status, reason) of a task from its record, the log and the file."""
        outcome = self.branch.by_task.get(task.id)
        state = self.states.get(task.id)
        if state and state.proposal and self.is_on_branch(str(state.proposal["outcome"])):
            merged = {"outcome": state.proposal["outcome"], "head": self.branch.head, "decision": "landed"}
            self.event("recorded", task.id, durable=True, **merged)
        open_draft = state.draft if state and not self._is_recorded(task.id, state) else None
        if state and (state.proposal or (open_draft and "id" in open_draft)):
            if told := state.waiting(task.raw):
                return told[0], told[1]
            self.event("reopened", task.id, ballot=is_spoken_on(task.raw))
            open_draft = None
        if outcome is not None and not records.is_reopened(task.raw, outcome):
            open_draft = None
        if state and open_draft and not state.stale(task.raw):
            return records.decided(task.raw, open_draft)
        status = records.status_of(task.raw, outcome)
        if "planned" in task.raw and status[0] == "pending":
            self.agreed.add(task.id)
        if state and status[0] == "completed":
            self.states[task.id] = state = state.completed(outcome)
            self.owed |= {task.id} if state.owed else set()
            self._proposed.pop(task.id, None)
        return status

    def is_on_branch(self, outcome: str) -> bool:
        """Whether the branch holds the outcome of that id."""
        return records.parse_id(outcome)[1] in self.branch.outcomes

    def proposed(self) -> dict[str, TaskState]:
        """By task: changes that wait for the merge of a pull request, those that were closed among them."""
        return {
            name: state
            for name, state in self._proposed.items()
            if state.proposal and not self.is_on_branch(str(state.proposal["outcome"]))
        }

    def chain_base(self, base: str) -> str:
        """The commit that an outcome has to name as its place; '' while all come onto the branch in order."""
        self._apart -= self.branch.outcomes.keys()
        return base if self.project.land == "pr" or len(self.branch.ends) > 1 or self._apart else ""

    def _only(self) -> None:
        """--only: the named tasks and what they wait for; every other one is held back."""
        self.wanted: set[str] = set()
        todo = list(self.here.only)
        while todo:
            name = todo.pop()
            task = self.queue.get(name)
            if task is None:
                raise OrkestraError(EX_DATA, f"no task is called {name!r}", "orkestra task list shows them")
            if name not in self.wanted:
                self.wanted.add(name)
                todo += task.raw.get("depends_on") or []
        self.hold_others()

    def hold_others(self) -> None:
        """Keep back what --only did not name and what is paused, after the queue was made anew."""
        if self.wanted:
            for task in self.queue.tasks:
                self.queue.hold(task, queue.NOT_NAMED, task.id not in self.wanted)
        self._hold_paused(self.pauses.now.tasks)
        self.purse.release()

    def _look_at_pauses(self) -> None:
        """Take in what a person has paused or resumed meanwhile."""
        before = self.pauses.now.tasks
        try:
            if self.pauses.changed():
                self._hold_paused(before | self.pauses.now.tasks)
                self.say("info", f"paused: {self.pauses.now.words() or 'nothing'}")
        except OrkestraError as error:
            self.say("warning", f"what is paused stays as it was: {error.message}")

    def _hold_paused(self, names: frozenset[str]) -> None:
        for name in names:
            if (task := self.queue.get(name)) is not None:
                self.queue.hold(task, queue.PAUSED, name in self.pauses.now.tasks)

    # --- small things --------------------------------------------------------------------------------------

    def state(self, name: str) -> TaskState:
        """What is remembered of a task."""
        return self.states.setdefault(name, TaskState())

    def try_folder(self, task: str, number: int) -> Path:
        """The durable folder of a try, made where it is missing."""
        return files.make_below(self.attempts_folder, task, str(number))

    def event(self, kind: str, task: str, number: int = 0, durable: bool = False, **fields: Any) -> None:
        """Write an event about a task (and its try of that number) to the log and take it in."""
        told = {"task": task, "try": number, **fields} if number else {"task": task, **fields}
        self.journal.append(kind, durable, **told)
        self._apply(task, {"event": kind, **told})
        if kind in _OF_ROUNDS and (found := self.queue.get(task)) is not None:
            self.queue.set_full(found, self.state(task).is_full(found.candidates))

    def look_at_rounds(self) -> None:
        """Whose candidates are all there is to be chosen from, after the queue was made anew."""
        for name, state in self.states.items():
            if (state.passed or state.out) and (task := self.queue.get(name)) is not None:
                self.queue.set_full(task, state.is_full(task.candidates))

    def say(self, level: str, message: str) -> None:
        """A line in LOGS/orchestrator.log; losing it is no reason to stop."""
        line = f"{journal.now()} {level} store: {self.redact(message)}".replace("\n", "\\n") + "\n"
        try:
            with open(self.here.logs / "orchestrator.log", "a", encoding="utf-8", errors="replace") as log:
                log.write(line)
        except OSError:
            pass

    # --- who does what -------------------------------------------------------------------------------------

    def choose(self) -> tuple[Task, str, str] | None:
        """The next task, the agent for it and why, or None when nothing can be given out now."""
        if self.pauses.now.everything:
            return None
        if found := self.resting.reviewable():
            return *found, "its own finished work is to be reviewed"
        able = self._able()
        task = self.queue.best(able)
        beside = candidates.beside(self)
        if beside is not None and (task is None or beside[0].key() < task.key()):
            return beside[0], *self.assignment.pick(*beside)
        if task is None:
            return None
        return task, *self.assignment.pick(task, able[queue.Queue.heap_name(task)])

    def _able(self) -> dict[str, list[str]]:
        """For each heap with a ready task the agents that can do it now, where there are any."""
        ready = [heap for heap in list(self.queue.heaps) if self.queue.first(heap) is not None]
        return {heap: usable for heap in ready if (usable := self.assignment.usable(heap))}

    def waits(self) -> bool:
        """Whether something can be given out later by itself, or once a person resumes the whole project."""
        later = (self.queue.get(name) for _, name in self.later)
        if any(task is not None and task.status == "pending" for task in later):
            return True
        return self.limit_left() is not None or (self.pauses.now.everything and bool(self._able()))

    def limit_left(self) -> float | None:
        """Seconds until a limit ends for which the run waits; None when it does not."""
        left = self.resting.left() if self.here.patient and not self.draining else None
        return None if left is None or (self.until and left >= self.until.left()) else left

    def look_at_time(self) -> None:
        """What time brings: the next attempt of what failed, and the end of claims."""
        while self.later and self.later[0][0] <= moments.passed():
            task = self.queue.get(heapq.heappop(self.later)[1])
            if task is not None:
                self.queue.hold(task, queue.LATER, False)
        self.purse.look_at_time()
        if self.until and not self.draining and not self.until.left():
            self.draining = True

    def retry_later(self, task: Task, failures: int) -> None:
        """Let a task that failed so many times wait for its next attempt."""
        self._wait(task, self.project.retry_delay * 2.0 ** min(failures - 1, 30))

    def lost_again(self, task: Task, losses: int) -> float:
        """Let a task whose jobs were lost so many times in a row wait; the seconds (none after the first)."""
        count = max(losses - 1, self.losses // MANY_LOSSES)
        return self._wait(task, LOSS_DELAY * 2.0 ** min(count - 1, 30) if count else 0)

    def _wait(self, task: Task, seconds: float) -> float:
        seconds = min(seconds, LONGEST_DELAY)
        if seconds > 0:
            self.queue.hold(task, queue.LATER)
            heapq.heappush(self.later, (moments.passed() + seconds, task.id))
        return seconds

    def release_held(self) -> bool:
        """Let tasks that wait for a person's edit try once more; True when one may."""
        now = time.monotonic()
        freed = False
        for name, state in self.states.items():
            task = self.queue.get(name) if state.waits else None
            if task is None or not task.busy & queue.FOR_PERSON or task.status != "pending":
                continue
            last = self.held_tried.get(name)
            if last is None or (self.here.stay and now - last >= HELD_AGAIN):
                self.held_tried[name] = now
                self.queue.hold(task, queue.FOR_PERSON, False)
                freed = True
        return freed

    def next_time(self) -> float | None:
        """Seconds until time brings something new, or None."""
        times = [self.later[0][0] - moments.passed()] if self.later else []
        if (left := self.purse.next_time()) is not None:
            times.append(left)
        if self.until and not self.draining:
            times.append(self.until.left())
        return min(times, default=None)
