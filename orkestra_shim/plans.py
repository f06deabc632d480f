"""The question which tasks lead to a goal: members propose lists and rank them, and a person takes one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import agentname, canonical, planned, planning, polls, prompts, tasklist
from .errors import OrkestraError
from .incoming import Foreign, text_of
from .questions import Decided, Proposed, Question

if TYPE_CHECKING:
    from .run import Run

Raw = dict[str, Any]
_KEYS = ("members", "document")
_DOCUMENT = ("name", "text", "characters", "sha256")
_OPEN = ("pending", "in_progress", "needs_human", "failed", "proposed")


def problem(said: object) -> str:
    """Why this cannot be what a task has under `plan`, '' when it can."""
    if not isinstance(said, dict) or set(said) - set(_KEYS):
        return f"must be an object with any of {', '.join(_KEYS)}"
    members, document = said.get("members", []), said.get("document")
    if not isinstance(members, list) or any(map(agentname.problem, members)):
        return "has members that are no list of agents"
    if len(set(members)) < len(members):
        return "has a member twice"
    if document is None:
        return ""
    if not isinstance(document, dict) or set(document) != set(_DOCUMENT):
        return f"has a document that is no object with {', '.join(_DOCUMENT)}"
    texts = [document[key] for key in _DOCUMENT if key != "characters"]
    if not all(isinstance(one, str) for one in texts) or type(document["characters"]) is not int:
        return "has a document that is not what `orkestra plan` writes"
    if len(document["text"]) > planning.DOCUMENT:
        return f"has a document of which more than {planning.DOCUMENT} characters are to be shown"
    return ""


def document(file: Foreign) -> Raw:
    """A document as a task keeps it: of a large one its beginning."""
    data = file.text.encode("utf-8", "replace")
    text = text_of(file.text)[: planning.DOCUMENT]
    return {
        "name": file.short[:200],
        "text": text,
        "characters": len(text_of(file.text)),
        "sha256": canonical.sha256(data),
    }


class Plan(Question):
    """A task that asks for tasks."""

    kind = "plan"
    key = "tasks"
    tries = 2
    intro = (
        "Which list of tasks leads best to the goal below? Agents would do the tasks one by one, each alone "
        f"with the text of its task. Rank `{planning.NONE}` above whatever would do more harm than good."
    )

    @property
    def proposes(self) -> bool:
        """Always: there is nothing to vote on before."""
        return True

    @property
    def discusses(self) -> bool:
        """Never: a person has the last word."""
        return False

    @property
    def default(self) -> str:
        """What a list must beat."""
        return planning.NONE

    @property
    def method(self) -> str:
        """How the lists are ranked."""
        return polls.SCHULZE

    @property
    def _document(self) -> Raw:
        return dict(self.said.get("document") or {"text": "", "characters": 0})

    @property
    def _cut(self) -> int:
        return max(0, int(self._document["characters"]) - len(self._document["text"]))

    @property
    def shown(self) -> str:
        """What the members read before they vote: the goal, and of its document as much as there is."""
        text = self._document["text"]
        more = f", of which {self._cut} characters are not shown" if self._cut else ""
        return f"{self.text}\n\nThe document that belongs to it{more}:\n\n{text}" if text else self.text

    def proposal(self, run: Run, refused: str) -> tuple[str, Raw]:
        """(prompt, JSON Schema) by which a member is asked for a list; `refused`: why not its last one."""
        known = [task for task in run.queue.tasks if task.status in _OPEN and not task.asks]
        values = {
            "goal": self.text,
            "note": str(self.task.raw.get("note") or ""),
            "document": self._document["text"],
            "cut": self._cut,
            "known": [
                {"id": task.id, "title": task.title, "status": task.status}
                for task in known[-planning.KNOWN :]
            ],
            "more_known": max(0, len(known) - planning.KNOWN),
            "check": run.project.check,
            "refused": refused,
            "most": planning.MOST,
        }
        return prompts.render(prompts.PLAN, values), planning.SCHEMA

    def read_proposal(self, run: Run, answer: object) -> Raw | str:
        """A member's list, checked as the queue is; or what is wrong with it."""
        try:
            found = planning.read(answer, self.task.id)
            tasks = tasklist.fit(found, (task.raw for task in run.queue.tasks), run.branch.by_task)
        except OrkestraError as error:
            return error.message
        reason = answer.get("reason") if isinstance(answer, Mapping) else ""
        return {"tasks": planning.bare(tasks), "reason": reason.strip() if isinstance(reason, str) else ""}

    def proposed(self, proposals: Proposed) -> dict[str, str]:
        """The lists by name, with what members read of each."""
        lists = planning.ballot((member, one["tasks"]) for member, one in proposals)
        texts = {one["option"]: "\n".join(planning.lines(one["tasks"])) for one in lists}
        return texts | {planning.NONE: planning.NONE}

    def recorded(self, proposals: Proposed) -> Raw:
        """What the vote's record says besides: whose each list is, how much of the document was shown."""
        lists = planning.ballot((member, one["tasks"]) for member, one in proposals)
        told: Raw = {"lists": [{key: one[key] for key in ("option", "members", "sha256")} for one in lists]}
        if document := self.said.get("document"):
            kept = {key: document[key] for key in ("name", "characters", "sha256")}
            told["document"] = {**kept, "shown": len(document["text"])}
        return told

    def decided(self, vote: Raw) -> Decided:
        """A person says what becomes of the list that won; where none did the plan has failed."""
        option, why = vote["decision"], vote["why"]
        if option == planning.NONE:
            return "failed", f"the members would rather have {option}: {why}", {}
        return (
            "needs_human",
            f"{option} was chosen {why}; orkestra plan --of {self.task.id} shows it and imports it",
            {"asks": planned.ASKS},
        )
