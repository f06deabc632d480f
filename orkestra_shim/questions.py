"""What is put to the committee besides changes: a question's options, rounds and members, as its task says.

A task with `ask` is a question. Other kinds of questions are further entries in KINDS.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import agentname, committee, polls, prompts
from .text import printable

if TYPE_CHECKING:
    from .agents import Agent
    from .run import Run
    from .tasks import Task

ASKED = "+asked"  # how the heap of questions begins; the members that are named follow
MOST_OPTIONS = 20
MOST_PROPOSED = 3  # by one member
MOST_CHARACTERS = 300  # of an option
_KEYS = ("options", "propose", "discuss", "method", "default", "members")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\ud800-\udfff]")
Raw = dict[str, Any]
Decided = tuple[str, str, Raw]  # (decision, why, what else the outcome says)
Proposed = Sequence[tuple[str, Raw]]  # (member, what it proposes)

PROPOSAL_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["reason", "options"],
    "properties": {
        "reason": {"type": "string"},
        "options": {"type": "array", "items": {"type": "string"}},
    },
}


# --- what a task may say ----------------------------------------------------------------------------------


def option_problem(option: object) -> str:
    """Why this cannot be an option, '' when it can."""
    if not isinstance(option, str) or not option.strip():
        return "an option must be a text that is not empty"
    if _CONTROL.search(option) or option != option.strip():
        return f"the option {printable(option[:40])!r} must be one line without space around it"
    if len(option) > MOST_CHARACTERS:
        return f"an option is longer than {MOST_CHARACTERS} characters"
    return ""


def problem(said: object) -> str:
    """Why this cannot be what a task has under `ask`, '' when it can."""
    if not isinstance(said, dict) or set(said) - set(_KEYS):
        return f"must be an object with any of {', '.join(_KEYS)}"
    options, method = said.get("options", []), said.get("method", "")
    if not isinstance(options, list) or len(options) == 1 or len(options) > MOST_OPTIONS:
        return f"has options that are no list of 2 to {MOST_OPTIONS}"
    for one in [*options, *([said["default"]] if "default" in said else [])]:
        if wrong := option_problem(one):
            return f"cannot be: {wrong}"
    if len({_plain(one) for one in options}) < len(options):
        return "has an option twice"
    if any(not isinstance(said.get(key, False), bool) for key in ("propose", "discuss")):
        return "has a propose or a discuss that is not true or false"
    if said.get("propose") and options:
        return "has options, and yet members are to propose them"
    if method and method not in polls.METHODS:
        return f"has a method that is none of {', '.join(polls.METHODS)}"
    if (method or "default" in said) and not (options or said.get("propose")):
        return "has a method or a default, which a question of yes or no has not"
    members = said.get("members", [])
    if not isinstance(members, list) or any(map(agentname.problem, members)):
        return "has members that are no list of agents"
    return "has a member twice" if len(set(members)) < len(members) else ""


def _plain(option: str) -> str:
    """Two options that differ in no more than case and spaces are one."""
    return " ".join(option.split()).casefold()


# --- a question -------------------------------------------------------------------------------------------


class Question:
    """A task that asks for an answer, in yes or no, or among options that are given or proposed."""

    kind = "ask"  # of the vote, and the key of the task
    key = "options"  # that every proposal has
    tries = 1  # how often a member may propose: what could not be taken is said back to it
    intro = "You answer for the people who own the project below."
    unknown = "orkestra task retry asks again"  # what a person may do where nothing was decided

    def __init__(self, task: Task) -> None:
        self.task = task
        self.said: Raw = task.raw[self.kind]
        self.text = str(task.raw.get("description") or task.title)

    @property
    def members(self) -> list[str]:
        """Who is asked, by name; none for all agents of the project that can vote."""
        return [str(one) for one in self.said.get("members", [])]

    @property
    def proposes(self) -> bool:
        """Whether the options come from the members, in a round before the vote."""
        return bool(self.said.get("propose"))

    @property
    def discusses(self) -> bool:
        """Whether the members vote once more, each with the reasons of all before it."""
        return bool(self.said.get("discuss"))

    @property
    def default(self) -> str:
        """The option that any other must beat; '' for none."""
        return str(self.said.get("default", ""))

    @property
    def method(self) -> str:
        """How it is counted; '' for yes or no."""
        several = self.proposes or self.said.get("options")
        return str(self.said.get("method") or polls.SCHULZE) if several else ""

    def options(self) -> dict[str, str]:
        """Those that are given, by name with what members read."""
        return self._with_default(self.said.get("options", []))

    def _with_default(self, names: Sequence[str]) -> dict[str, str]:
        known = {_plain(name) for name in names}
        more = [self.default] if self.default and _plain(self.default) not in known else []
        return {name: name for name in [*names, *more]} if names else {}

    @property
    def shown(self) -> str:
        """What the members read before they vote."""
        return self.text

    def decided(self, vote: Raw) -> Decided:
        """What follows from the closed vote."""
        return "answered", f"{vote['decision']}: {vote['why']}", {"answer": vote["decision"]}

    # --- proposals ----------------------------------------------------------------------------------------

    def proposal(self, run: Run, refused: str) -> tuple[str, Raw]:
        """(prompt, JSON Schema) by which a member is asked for options; `refused`: why not its last ones."""
        values = {"intro": self.intro, "question": self.text, "most": MOST_PROPOSED}
        return prompts.render(prompts.PROPOSE, values), PROPOSAL_SCHEMA

    def read_proposal(self, run: Run, answer: object) -> Raw | str:
        """What a member proposes, or why that is nothing."""
        if not isinstance(answer, Mapping) or not isinstance(answer.get("options"), list):
            return "its proposal is not an object with a list of options"
        reason, options = answer.get("reason"), answer["options"]
        if not isinstance(reason, str) or not reason.strip():
            return "its proposal gives no reason"
        if not 1 <= len(options) <= MOST_PROPOSED:
            return f"it proposes {len(options)} options, and 1 to {MOST_PROPOSED} are asked for"
        named = [" ".join(one.split()) if isinstance(one, str) else one for one in options]
        for one in named:
            if wrong := option_problem(one):
                return wrong
        return {"options": named, "reason": reason.strip()}

    def proposed(self, proposals: Proposed) -> dict[str, str]:
        """The options that come of what was proposed, as `options`; equal ones are one."""
        found: dict[str, str] = {}
        rows = [[str(one) for one in told["options"]] for _, told in proposals]
        for place in range(MOST_PROPOSED):  # of each member the first, then the second
            for options in rows:
                for one in options[place : place + 1]:
                    found.setdefault(_plain(one), one)
        return self._with_default(list(found.values())[:MOST_OPTIONS])

    def recorded(self, proposals: Proposed) -> Raw:
        """What the vote's record says of them besides."""
        return {}


def of(task: Task) -> Question | None:
    """The question that a task is; None for work."""
    if "plan" in task.raw:
        from .plans import Plan

        return Plan(task)
    return Question(task) if "ask" in task.raw else None


# --- who votes --------------------------------------------------------------------------------------------


def heap(task: Task) -> str:
    """The name of a question's heap: those of one heap are put to the same members."""
    question = of(task)
    return " ".join([ASKED, *(question.members if question else ())])


def is_heap(name: str) -> bool:
    """Whether that is the heap of questions."""
    return name.split(" ", 1)[0] == ASKED


def named(run: Run, heap: str) -> list[str]:
    """Names of those to whom the questions of a heap are put, whether or not they can vote."""
    project, members = run.project, heap.split()[1:]
    if members:
        return members
    reviewers = project.reviewers if isinstance(project.reviewers, list) else []
    found = dict.fromkeys([*project.agents, *reviewers])
    return [name for name in found if name not in committee.PROGRAMS and run.agents.get(name).kind == "ai"]


def voters(run: Run, heap: str) -> list[Agent]:
    """The members: whoever was named, else all who can give a ballot."""
    agents = [run.agents.get(name) for name in named(run, heap)]
    if len(heap.split()) > 1:
        return agents
    return [one for one in agents if not one.problem and "ballot" in one.can]


def can_vote(run: Run, agent: Agent) -> bool:
    """Whether a member may be asked now."""
    return not agent.problem and "ballot" in agent.can and not run.agents.rests(agent.name)


def has_quorum(run: Run, heap: str) -> bool:
    """Whether so many of the members may be asked now that something can be decided."""
    members = voters(run, heap)
    there = [one for one in members if can_vote(run, one) and one.name not in run.pauses.now.agents]
    return bool(members) and len(there) >= polls.quorum(len(members))
