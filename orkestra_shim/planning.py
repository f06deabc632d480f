"""Plans: lists of tasks that members of the committee propose for a goal, of which one may be imported.

A member's answer is a stranger's (`tasklist`): a list is taken whole and valid, or not at all, and why. What
is chosen becomes tasks only by a person (`commands/plan.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from . import canonical, tasklist
from .errors import EX_DATA, OrkestraError
from .importing import Import
from .incoming import GIVES_POWER

NONE = "none of these"
MOST = 50  # tasks of a list: more than that nobody reads
MOST_BYTES = 32 << 10  # of an answer
DOCUMENT = 100_000  # characters of a document that members get to see
KNOWN = 200  # tasks of the queue that members are told of
Raw = dict[str, Any]

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_TASK = {
    "id": _TEXT,
    "title": _TEXT,
    "description": _TEXT,
    "depends_on": _TEXTS,
    "priority": {"type": "string", "enum": ["critical", "high", "medium", "low"]},
    "check": _TEXT,
    "allow_paths": _TEXTS,
}


def _object(properties: Raw) -> Raw:
    # Some vendors take a schema only if all that may be there must be there.
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }


# The reason comes first: a model thinks while it writes.
SCHEMA = _object({"reason": _TEXT, "tasks": {"type": "array", "items": _object(_TASK)}})


def source(plan: str) -> str:
    """How the source of a task begins that was imported from this plan: by it, it is known again."""
    return f"planned by {plan}"


def read(answer: object, plan: str) -> Import:
    """The list in a member's answer. Raises 65 with what is wrong and where."""
    if not isinstance(answer, Mapping) or not isinstance(answer.get("tasks"), list):
        raise OrkestraError(EX_DATA, 'the answer is not an object {"reason": "...", "tasks": [...]}')
    # Written out line by line, so that an error says where.
    text = json.dumps({"tasks": answer["tasks"]}, ensure_ascii=False, indent=1)
    if len(text.encode("utf-8", "replace")) > MOST_BYTES:
        raise OrkestraError(EX_DATA, f"the list has more than {MOST_BYTES >> 10} KiB")
    told = tasklist.Told(text, "the list", source(plan))
    found = tasklist.read(told, MOST)
    if not found.items:
        raise OrkestraError(EX_DATA, "the list has no task")
    return found


def powers(raw: Raw) -> list[str]:
    """The fields of a task by which it executes, spends or may touch more than usual."""
    return [key for key in GIVES_POWER if raw.get(key) not in (None, "", [], "auto")]


def bare(tasks: Iterable[Raw]) -> list[Raw]:
    """A list as it is voted on: without what it says of its coming into a queue."""
    return [{key: raw[key] for key in raw if key not in ("status", "source")} for raw in tasks]


def digest(tasks: list[Raw]) -> str:
    """By which a list is known: SHA-256 of it in canonical form."""
    return canonical.sha256(b"orkestra.plan/1\n" + canonical.canonical(tasks))


def ballot(proposals: Iterable[tuple[str, list[Raw]]]) -> list[Raw]:
    """The lists to be voted on, of (member, tasks): {"option", "members", "tasks", "sha256"}.

    They stand in the order of their hashes, which says nothing of who proposed them; equal ones are one.
    """
    by_hash: dict[str, Raw] = {}
    for member, tasks in proposals:
        name = digest(tasks)
        by_hash.setdefault(name, {"members": [], "tasks": tasks, "sha256": name})["members"].append(member)
    return [{"option": f"list {n}", **by_hash[name]} for n, name in enumerate(sorted(by_hash), 1)]


def lines(tasks: Iterable[Raw]) -> list[str]:
    """A list as a person and the members see it: all of it that means something."""
    shown: list[str] = []
    for raw in tasks:
        needs = f", after {', '.join(raw['depends_on'])}" if raw.get("depends_on") else ""
        wishes = f", rather after {', '.join(raw['prefer_after'])}" if raw.get("prefer_after") else ""
        by = f"{raw.get('agent', 'auto')}, {raw.get('priority', 'medium')}"
        shown.append(f"{raw['id']}: {raw.get('title', raw['id'])} ({by}{needs}{wishes})")
        shown += _indented(str(raw.get("description") or ""), "    ")
        for key in ("domain", "timeout", "allow_empty"):
            shown += [f"    {key}: {raw[key]}"] if key in raw else []
        for key in ("inputs", "allow_paths"):
            shown += [f"    {key}: {', '.join(raw[key])}"] if raw.get(key) else []
        for key in ("command", "check"):
            if raw.get(key):
                shown += [f"    {key}, which would be executed:", *_indented(raw[key], "        ")]
    return shown


def _indented(text: str, by: str) -> list[str]:
    return [by + line for line in text.splitlines()]
