"""`orkestra ask`: a question becomes a task, which the run that goes on takes, or one of its own."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from . import board, editing, journal, planned, plans, questions, scripts, voted
from .board import Board
from .errors import EX_FAILED, EX_HELD, EX_LIMITED, EX_OK, EX_USAGE, OrkestraError
from .plumbing import Git
from .project import Project
from .session import Session
from .tasks import QUESTIONS
from .text import clean, printable

LOOK = 1.0  # seconds between two looks at a run that somebody else has started
MOST_CHARACTERS = 8000  # of a question
_TITLE = 200


@dataclass
class Answer:
    """What came of a question."""

    task: str
    question: str
    status: str  # answered, undecided, limited, or stopped: it still waits in the queue
    answer: str | None
    why: str
    vote: voted.Vote | None
    code: int

    def told(self) -> dict[str, Any]:
        """For programs."""
        return {
            "task": self.task,
            "question": self.question,
            "status": self.status,
            "answer": self.answer,
            "why": self.why,
            "vote": self.vote.as_dict() if self.vote else None,
        }

    def lines(self) -> Iterator[str]:
        """For people, before the vote itself."""
        if self.status == "answered":
            yield f"answer: {printable(self.answer)}"
        elif self.status == "undecided":
            yield f"not decided: {printable(self.why)}"
        else:
            yield f"no answer yet: {printable(self.why)}"
            yield f"it waits in the queue: orkestra start --only {self.task}"


def fields(question: str, said: questions.Raw, key: str = QUESTIONS[0]) -> dict[str, Any]:
    """The task that a question is. Raises 64 for one that cannot be."""
    text = clean(question).strip()
    if not text or len(text) > MOST_CHARACTERS:
        raise OrkestraError(EX_USAGE, f"a question has 1 to {MOST_CHARACTERS} characters")
    title = re.sub(r"\s+", " ", text)
    short = title if len(title) <= _TITLE else f"{title[: _TITLE - 3]}..."
    made: dict[str, Any] = {"title": short, key: said}
    return made | ({"description": text} if short != text else {})


def put(
    now: Session,
    found: Project,
    question: str,
    said: questions.Raw,
    say: Callable[[str], None],
    kind: str = QUESTIONS[0],
) -> Answer:
    """Put a question, and wait for what comes of it; `say` gets what goes on meanwhile."""
    if wrong := (plans if kind == "plan" else questions).problem(said):
        raise OrkestraError(EX_USAGE, f"the question {wrong}", f"orkestra {kind} --help")
    start = mark(found)
    task = editing.add(found, fields(question, said, kind), prefix=kind)
    say(f"{task}: {printable(question)}")
    waits = _Wait(now, found, task, start, say)
    status, why, code = waits.ended()
    vote = _vote(found, task)
    answer = vote.record["decision"] if vote and status == "answered" else None
    return Answer(
        task, question, status, answer, why, vote if status in ("answered", "undecided") else None, code
    )


def mark(found: Project) -> int:
    """How much the execution log has now: what it says later is news."""
    log = found.path / journal.FILE
    return log.stat().st_size if log.is_file() else 0


def follow(now: Session, found: Project, task: str, start: int) -> tuple[str, str, int]:
    """Waits until a run has taken in what a person has said since `start`: (status, why, exit code)."""
    return _Wait(now, found, task, start, lambda _: None).ended()


class _Wait:
    """For the end of a question that stands in the queue."""

    def __init__(
        self, now: Session, found: Project, task: str, start: int, say: Callable[[str], None]
    ) -> None:
        self.now, self.found, self.task, self.say = now, found, task, say
        self.start = start
        self.said = False

    def ended(self) -> tuple[str, str, int]:
        """(status, why, exit code)"""
        git_dir = board.git_folder(self.found)
        while (known := self._known()) is None:
            if board.holder(git_dir) is None:
                if (left := self._run()) is not None:
                    return self._known() or left
            else:
                seen = board.read(self.now, self.found)
                if (left := self._waits(seen)) is not None:
                    return left
                if not self.said:
                    self.said = True
                    self.say("the run that goes on takes it")
            time.sleep(LOOK)
        return known

    def _known(self) -> tuple[str, str, int] | None:
        """What the execution log knows of it."""
        for event in journal.replay(self.found.path / journal.FILE, self.start, about=self.task):
            draft = event.get("draft")
            if event["event"] == "outcome-drafted" and isinstance(draft, dict):
                if draft.get("decision") in ("answered", "planned"):
                    return "answered", str(draft.get("why")), EX_OK
                if draft.get("asks") == planned.ASKS:
                    return "asks", str(draft.get("why")), EX_OK
                return "undecided", str(draft.get("why")), EX_FAILED
        return None

    def _waits(self, seen: Board) -> tuple[str, str, int] | None:
        """Why a run that goes on does not put it to the members now, where that is so."""
        row = seen.rows.get(self.task)
        if row is None or row["status"] == "cancelled":
            return "stopped", "it was taken out of the queue", EX_FAILED
        if row.get("limited"):
            return "limited", f"{', '.join(row['limited'])}: limited", EX_LIMITED
        if seen.pauses.everything:
            return "stopped", "the project is paused (orkestra resume)", EX_FAILED
        return None

    def _run(self) -> tuple[str, str, int] | None:
        """A run for this question alone; None where another one was quicker."""
        said: list[str] = []
        code = scripts.follow(
            self.now.home,
            self.now.values,
            "CORE/orchestrator.sh",
            ["start", "--project", str(self.found.path), "--only", self.task, "--no-wait"],
            said.append,
            said.append,
        )
        if code == EX_HELD:
            return None
        told = [line.removeprefix("orkestra: ") for line in said if _tells(line)]
        why = "; ".join(told[-3:]) or f"its run ended with {code}"
        # With what else there is in the queue a run may end otherwise than with 75.
        row = board.read(self.now, self.found).rows.get(self.task, {})
        if code == EX_LIMITED or row.get("limited"):
            return "limited", why, EX_LIMITED
        return "stopped", why, code or EX_FAILED


def _tells(line: str) -> bool:
    """Whether a line of a run says why something was not done."""
    return line.startswith(("orkestra: ", "no agent ", "not started")) or " is limited" in line


def _vote(found: Project, task: str) -> voted.Vote | None:
    """The last vote on a question."""
    held = voted.read(found.path, Git(board.git_folder(found)), found.branch)
    return next((one for one in reversed(held) if one.record.get("task") == task), None)
