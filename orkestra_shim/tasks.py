"""What a task may say: names, fields, and the reason whenever one is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from . import agentname

PRIORITIES = {"critical": 0, "high": 1, "medium": 2, "low": 3}
STATUSES = ("pending", "in_progress", "completed", "failed", "needs_human", "cancelled", "proposed")
DEFAULT_TIMEOUT = 1800
DEFAULT_ATTEMPTS = 3
MOST_CANDIDATES = 9
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
_OUTCOME = re.compile(r"outcome-[0-9]{3,12}\Z")
_PATCH = re.compile(r"[0-9a-f]{40,64}\Z")
PLANNED = ("vote", "option", "tasks", "name", "email", "at")
QUESTIONS = ("ask", "plan")  # a task with one of these keys is put to the committee, and no agent's work
BALLOT = ("attempt", "agent", "patch_id", "choice", "reason", "name", "email", "cast_at")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
NAME_RULE = (
    "1 to 64 of a-z, 0-9, dot, underscore and dash, beginning with a letter or digit; "
    "not ending in .lock or a dot, without .."
)


class Refused(ValueError):
    """A value that is not allowed; `key` is the field it stands in ('' for the task itself)."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(reason)
        self.key = key


def name_problem(name: object) -> str:
    """Why name cannot be the id of a task or the name of an adapter; '' when it can."""
    if not isinstance(name, str):
        return "must be a string"
    if not _ID.match(name) or name.endswith((".lock", ".")) or ".." in name:
        return f"{name[:80]!r} is not a valid name: {NAME_RULE}"
    return ""


def path_problem(path: object) -> str:
    """Why path cannot name something inside the project; '' when it can."""
    if not isinstance(path, str):
        return "must be a list of strings"
    shown = repr(path[:80])
    if not path:
        return "an empty path names nothing"
    if _CONTROL.search(path):
        return f"{shown} holds a control character (newline, tab, NUL ...)"
    if path.startswith(("/", "~", "-")):
        return f"{shown} must be relative to the project and not begin with / ~ or -"
    parts = path.split("/")
    if ".." in parts:
        return f"{shown} leads out of the project (..)"
    if ".git" in (part.lower() for part in parts):
        return f"{shown} leads into .git"
    if len(path.encode("utf-8", "replace")) > 4096:
        return "a path is longer than 4096 bytes"
    return ""


def _text(key: str, value: object) -> None:
    if not isinstance(value, str):
        raise Refused(key, f"{key} must be a string")
    if "\0" in value:
        raise Refused(key, f"{key} holds a NUL character")


def _line(key: str, value: object) -> None:
    if not isinstance(value, str):
        raise Refused(key, f"{key} must be a string")
    if _CONTROL.search(value):
        raise Refused(key, f"{key} must be one line without control characters")
    if len(value) > 300:
        raise Refused(key, f"{key} is longer than 300 characters")


def _name(key: str, value: object) -> None:
    problem = name_problem(value)
    if problem:
        raise Refused(key, f"{key}: {problem}")


def _agent(key: str, value: object) -> None:
    if problem := agentname.problem(value):
        raise Refused(key, f"{key}: {problem}")


def _names(key: str, value: object) -> None:
    if not isinstance(value, list):
        raise Refused(key, f"{key} must be a list of task ids")
    for name in value:
        if not isinstance(name, str) or not _ID.match(name):
            raise Refused(key, f"{key}: {name_problem(name) or 'must be a list of task ids'}")


def _paths(key: str, value: object) -> None:
    if not isinstance(value, list):
        raise Refused(key, f"{key} must be a list of paths")
    for path in value:
        problem = path_problem(path)
        if problem:
            raise Refused(key, f"{key}: {problem}")


def _one_of(allowed: tuple[str, ...]) -> Callable[[str, object], None]:
    def check(key: str, value: object) -> None:
        if value not in allowed:
            raise Refused(key, f"{key} must be one of {', '.join(allowed)}")

    return check


def _integer(low: int, high: int) -> Callable[[str, object], None]:
    def check(key: str, value: object) -> None:
        if type(value) is not int or not low <= value <= high:
            raise Refused(key, f"{key} must be a whole number from {low} to {high}")

    return check


def _flag(key: str, value: object) -> None:
    if not isinstance(value, bool):
        raise Refused(key, f"{key} must be true or false")


def _budget(key: str, value: object) -> None:
    from . import budgets

    if problem := budgets.problem(value):
        raise Refused(key, f"{key} {problem}")


def _reopened(key: str, value: object) -> None:
    if not isinstance(value, str) or not _OUTCOME.match(value):
        raise Refused(key, f"{key} must name an outcome, such as outcome-007")


def _ballot(key: str, value: object) -> None:
    if not isinstance(value, dict) or set(value) != set(BALLOT):
        raise Refused(key, f"{key} must be what `orkestra vote cast` writes: {', '.join(BALLOT)}")
    _integer(1, 999_999)(f"{key}.attempt", value["attempt"])
    _one_of(("approve", "reject"))(f"{key}.choice", value["choice"])
    for name in ("name", "email", "cast_at", "agent", "patch_id"):
        _line(f"{key}.{name}", value[name])
    _text(f"{key}.reason", value["reason"])
    if not value["reason"].strip() or not _PATCH.match(value["patch_id"]):
        raise Refused(key, f"{key} needs a reason and the patch_id of a change")


def _question(key: str, value: object) -> None:
    from . import questions

    if problem := questions.problem(value):
        raise Refused(key, f"{key} {problem}")


def _planned(key: str, value: object) -> None:
    if not isinstance(value, dict) or set(value) != set(PLANNED):
        raise Refused(key, f"{key} must be what `orkestra plan` writes: {', '.join(PLANNED)}")
    for name in ("vote", "option", "name", "email", "at"):
        _line(f"{key}.{name}", value[name])
    _names(f"{key}.tasks", value["tasks"])


def _plan(key: str, value: object) -> None:
    from . import plans

    if problem := plans.problem(value):
        raise Refused(key, f"{key} {problem}")


CHECKS: dict[str, Callable[[str, object], None]] = {
    "id": _name,
    "title": _line,
    "description": _text,
    "depends_on": _names,
    "prefer_after": _names,
    "priority": _one_of(tuple(PRIORITIES)),
    "agent": _agent,
    "domain": _line,
    "command": _text,
    "inputs": _paths,
    "allow_paths": _paths,
    "check": _text,
    "timeout": _integer(1, 604_800),
    "max_attempts": _integer(1, 100),
    "budget": _budget,
    "candidates": _integer(1, MOST_CANDIDATES),
    "status": _one_of(STATUSES),
    "allow_empty": _flag,
    "reopened": _reopened,
    "retried": _integer(1, 999_999),
    "from_attempt": _integer(1, 999_999),
    "submitted": _integer(1, 999_999),
    "ballot": _ballot,
    "planned": _planned,
    "reason": _text,
    "note": _text,
    "ask": _question,
    "plan": _plan,
}


def is_spoken_on(raw: dict[str, Any]) -> bool:
    """Whether a person's word on what was voted waits in a task: the votes until then go with it."""
    return "ballot" in raw or "planned" in raw


_allowed: dict[tuple[str, str], str] = {}


def validate(raw: object) -> None:
    """Raises Refused with the first thing wrong in one task; unknown keys are allowed."""
    if not isinstance(raw, dict):
        raise Refused("", "a task must be an object")
    if "id" not in raw:
        raise Refused("", "a task needs an id")
    for key, value in raw.items():
        check = CHECKS.get(key)
        if check is None:
            continue
        if type(value) is str:  # most fields of a long queue say the same again and again
            known = _allowed.get((key, value))
            if known is not None:
                raw[key] = known  # and need not be kept a hundred thousand times
                continue
            check(key, value)
            if len(_allowed) < 4096:
                _allowed[key, value] = value
        else:
            check(key, value)
    if raw.get("agent") == "shell" and not str(raw.get("command", "")).strip():
        raise Refused("agent", "the agent 'shell' needs a command")
    if raw.get("candidates", 1) != 1 and raw.get("allow_empty"):
        raise Refused("candidates", "candidates have to change something: it does not go with allow_empty")


class Task:
    """One task of a queue: what was written (raw) and what is derived from it."""

    __slots__ = ("busy", "chain", "full", "index", "raw", "reason", "status", "waiting", "wishes")

    def __init__(self, raw: dict[str, Any], index: int) -> None:
        self.raw = raw
        self.index = index
        self.status = "pending"
        self.reason = ""
        self.waiting = 0  # depends_on that are not completed
        self.wishes = 0  # prefer_after that are not finished
        self.chain = 0  # tasks in the longest chain waiting behind it
        self.full = False  # all of its candidates are in, or out: what comes next is the choice
        self.busy = 0  # why it is kept out of the heaps (queue.IN_HAND and the like), several at once

    @property
    def id(self) -> str:
        """Its name."""
        return str(self.raw["id"])

    @property
    def title(self) -> str:
        """One line; the id where none was written."""
        return str(self.raw.get("title") or self.raw["id"])

    @property
    def agent(self) -> str:
        """As written; 'auto' when nothing is."""
        return str(self.raw.get("agent") or "auto")

    @property
    def asks(self) -> bool:
        """Whether it is a question, and no work."""
        return any(key in self.raw for key in QUESTIONS)

    @property
    def command(self) -> str:
        """What the shell agent executes, or ''."""
        return str(self.raw.get("command") or "")

    @property
    def candidates(self) -> int:
        """How many agents try it at once, to be chosen from."""
        return int(self.raw.get("candidates", 1))

    @property
    def rank(self) -> int:
        """0 for critical ... 3 for low."""
        return PRIORITIES[self.raw.get("priority", "medium")]

    def key(self) -> tuple[int, int, int, int]:
        """Order of claims: priority, open wishes, longest chain first, position."""
        return (self.rank, self.wishes, -self.chain, self.index)
