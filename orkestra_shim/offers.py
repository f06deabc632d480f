"""A plan that waits for a person: its lists as they go with the queue now, and the person's word on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from . import board, editing, journal, onetask, planned, planning, records, repo, tasklist, voted
from .errors import EX_USAGE, OrkestraError
from .plumbing import Git
from .project import Project
from .session import Session
from .tasks import PLANNED

Raw = dict[str, Any]


@dataclass
class Offer:
    """What the committee made of a goal."""

    project: Project
    plan: str  # the id of the task that asked for it
    vote: Raw
    outcome: Raw  # by which it waits, recorded or not

    @property
    def chosen(self) -> str:
        """The list that won; planning.NONE where none did."""
        return str(self.vote["decision"])

    def options(self) -> list[str]:
        """What the lists are called."""
        return [str(one["option"]) for one in self.vote["lists"]]

    def proposal(self, option: str) -> Raw:
        """{"option", "members", "tasks", "sha256"}. Raises 64 where there is none, 65 for a broken record."""
        with records.reading(str(self.vote["id"])):
            told = [(one["member"], one["tasks"]) for one in self.vote["proposals"]]
            for one in planning.ballot(told):
                if one["option"] == option:
                    return one
        hint = f"there are: {', '.join(self.options())}"
        raise OrkestraError(EX_USAGE, f"{self.plan} has no {option[:40]}", hint)

    def tasks(self, option: str, queued: list[Raw] | None = None) -> list[Raw]:
        """A list as tasks of the queue as it is, or as `queued`. Raises 65 where it does not go with it."""
        if queued is None:
            queued = [task.raw for task in board.queue_of(self.project).tasks]
        found = planning.read(self.proposal(option), f"{self.plan}, {self.vote['id']}")
        return tasklist.fit(found, queued, board.records_of(self.project).by_task)

    def lines(self, option: str, shown: list[Raw]) -> Iterator[str]:
        """A list for the person who is to say a word on it, and how it came about."""
        with records.reading(str(self.vote["id"])):
            told, by = self.vote["lists"], self.proposal(option)["members"]
            yield f"{self.vote['id']}: {self.chosen}, {self.vote['why']}"
            if len(self.vote["electorate"]) == 1:
                yield f"  nobody but {', '.join(by)} was asked: it has ranked its own list"
            yield from (f"  no list of {one['member']}: {one['why']}" for one in self.vote["unproposed"])
            if (document := self.vote.get("document")) and document["shown"] < document["characters"]:
                of = f"{document['shown']} of {document['characters']} characters"
                yield f"  of {document['name']} they saw {of}"
            count = f"{len(shown)} task{'s' * (len(shown) != 1)}"
            yield f"{option} of {len(told)}, by {' and '.join(by)}: {count}"
        yield from planning.lines(shown)

    def told(self, taken: str | None, new: list[Raw]) -> Raw:
        """For programs. taken: the list that was imported, '' for none, None where nobody has said a word."""
        with records.reading(str(self.vote["id"])):
            return {
                "task": self.plan,
                "goal": self.vote["question"],
                "status": "waits" if taken is None else "imported" if taken else "declined",
                "why": self.vote["why"],
                "vote": self.vote["id"],
                "chosen": self.chosen,
                "lists": [self.proposal(option) for option in self.options()],
                "without_list": self.vote["unproposed"],
                "taken": taken or None,
                "tasks": new,
            }

    def take(
        self, option: str, shown: list[Raw], written: list[Raw] | None, accepted: bool | None
    ) -> list[Raw]:
        """Import a list as it was `shown`, or what the person has `written` instead; the new tasks.

        accepted: True lets all of them run, False all but those with powers, None none of them.
        """

        def say(queued: list[Raw]) -> Raw:
            if written is None and self.tasks(option, queued) != shown:
                why = "nothing is imported: the queue has been changed meanwhile"
                raise OrkestraError(EX_USAGE, why, f"look again: orkestra plan --of {self.plan}")
            new[:] = [self._as_accepted(raw, accepted) for raw in (shown if written is None else written)]
            return self._word(option, new) | {"new": new}

        new: list[Raw] = []
        self._say(say)
        return new

    def decline(self) -> None:
        """None of the lists becomes tasks."""
        self._say(lambda _: self._word("", []) | {"new": []})

    def _as_accepted(self, raw: Raw, accepted: bool | None) -> Raw:
        waits = accepted is None or (not accepted and bool(planning.powers(raw)))
        usual = {"priority": "medium", "agent": "auto", "source": planning.source(self.plan)}
        return {**usual, **raw, "status": "proposed" if waits else "pending"}

    def _word(self, option: str, new: list[Raw]) -> Raw:
        name, email = who(self.project)
        told = (self.vote["id"], option, [raw["id"] for raw in new], name, email, journal.now())
        return dict(zip(PLANNED, told, strict=True))

    def _say(self, say: Callable[[list[Raw]], Raw]) -> None:
        recorded = self.outcome if "id" in self.outcome else None
        editing.agree(self.project, self.plan, recorded, say)


def who(found: Project) -> tuple[str, str]:
    """Name and address of the person. Raises 64 where Git does not know them."""
    name, email = repo.identity(repo.config(found.path, "user.name", "user.email"))
    if (name, email) == repo.NOBODY:
        raise OrkestraError(EX_USAGE, "Git does not know who you are", "git config user.name, and user.email")
    return name, email


def read(session: Session, found: Project, plan: str) -> Offer:
    """Raises 64 where the plan does not wait for a person, 65 for a record that cannot be read."""
    outcome = onetask.asking(board.read(session, found), plan, planned.ASKS)
    held = voted.read(found.path, Git(board.git_folder(found)), found.branch)
    return Offer(found, plan, voted.about(held, plan)[0].record, outcome)
