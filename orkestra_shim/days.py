"""The bad days on which an agent is tried, and what has to come of each.

Each is played by the stand-in for the models (SCRIPTS/AGENTS/model-stand-in.py has the form of `turns`), or,
for a tool that says no address of its model, by a stand-in for the tool itself (`tool`: lines of Bash).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .errors import EX_LIMITED, EX_LOGIN, EX_OK, EX_TERMINATED, EX_TIMEOUT
from .evidence import Result

_LONGEST = 120  # seconds that a day may take
_HANGS = (4, 16, 90)  # seconds after which a hang is ended: as many as the tool needs to ask its model at all
BALLOT = {"choice": "approve", "reason": "fine", "confidence": 80}
_WORDS = {
    EX_OK: "done",
    65: "no result",
    69: "not installed",
    EX_LIMITED: "limited",
    EX_LOGIN: "not logged in",
    EX_TIMEOUT: "still at it when its time was up",
    EX_TERMINATED: "stopped",
}
_PROSE = (
    "Error: rate limit. API Error: 429. You've hit your limit, resets 3pm. 401 Unauthorized, quota exceeded."
)
_LONG = 5_000_000


@dataclass
class Seen:
    """What came of a day. `final`: the exit code that counts (0 done, 75 limited ...)."""

    final: int
    result: Result
    files: dict[str, bytes]  # of the tree
    left: list[str] = field(default_factory=list)  # processes

    def ended(self) -> str:
        """How it ended, in words."""
        why = self.result.error or self.result.problem
        return f"{_WORDS.get(self.final, 'failed')} ({self.final}){f': {why[:200]}' if why else ''}"


@dataclass(frozen=True)
class Day:
    """`verb`: work, ballot, or '' for whichever it can. `check` says what is wrong, '' where all is well."""

    name: str
    wants: str
    turns: tuple[dict[str, Any], ...]
    check: Callable[[Seen], str]
    verb: str = ""
    tool: str = ""
    seconds: tuple[int, ...] = (_LONGEST,)  # each is tried until the model was asked
    stop_at: str = ""  # TERM when this file is in the tree (work) or the model was asked (ballot)
    needs: str = ""  # a file without which the tool has not done what the model asked

    @property
    def mark(self) -> str:
        """By which the stand-in knows the day in a prompt."""
        return f"day-{self.name.replace(' ', '-')}."


def _ends(*codes: int) -> Callable[[Seen], str]:
    return lambda seen: "" if seen.final in codes else seen.ended()


def _fails(seen: Seen) -> str:
    """Not done, and not for as long as its time allows."""
    return seen.ended() if seen.final in (EX_OK, EX_TIMEOUT) else ""


def _does(seen: Seen) -> str:
    if seen.final != EX_OK:
        return seen.ended()
    if seen.files.get("hello.txt", b"").strip() != b"hi":
        return "said that it was done, and hello.txt is not there"
    litter = sorted(seen.files.keys() - {"hello.txt"})
    return f"left {', '.join(litter[:5])} in the change" if litter else ""


def _nothing(seen: Seen) -> str:
    """An empty answer is done or failed, as the tool has it; then the tree says that nothing was done."""
    if seen.files:
        return f"left {', '.join(sorted(seen.files)[:5])}"
    return seen.ended() if seen.final == EX_TIMEOUT else ""


def _votes(seen: Seen) -> str:
    if seen.final != EX_OK:
        return seen.ended()
    ballot = seen.result.raw.get("ballot")
    return "" if ballot == BALLOT else f"its ballot came back as {str(ballot)[:100]}"


def _no_vote(seen: Seen) -> str:
    ballot = seen.result.raw.get("ballot")
    return f"took {str(ballot)[:100]} for a ballot" if seen.final == EX_OK and ballot else ""


def _untouched(seen: Seen) -> str:
    return f"could write {', '.join(sorted(seen.files)[:5])}" if seen.files else ""


def _limit(name: str, kind: str, **more: Any) -> Day:
    return Day(name, "limited", ({"error": kind, **more},), _ends(EX_LIMITED))


DAYS = (
    Day(
        "a hang",
        "ended when its time is up",
        ({"hang": 600},),
        _ends(EX_TIMEOUT),
        tool="sleep 600",
        seconds=_HANGS,
    ),
    Day(
        "a task",
        "done, and nothing else in the tree",
        ({"write": {"path": "hello.txt", "content": "hi\n"}}, {"text": "Written."}),
        _does,
        "work",
        "printf 'hi\\n' >hello.txt",
    ),
    Day("prose about errors", "done", ({"text": _PROSE},), _ends(EX_OK), "work", f"echo {_PROSE!r}"),
    Day(
        "five megabytes",
        "done",
        ({"big": _LONG},),
        _ends(EX_OK),
        "work",
        f"head -c {_LONG} /dev/zero | tr '\\0' x",
    ),
    Day("an empty answer", "nothing done", ({"text": "", "raw": True},), _nothing, tool=":"),
    Day("the key is refused", "not logged in", ({"error": "auth"},), _ends(EX_LOGIN)),
    _limit("requests are limited", "rate_limit"),
    _limit("usage is limited", "usage_limit", retry_after=7200),
    _limit("the quota is used up", "quota"),
    _limit("the model is overloaded", "overloaded"),
    Day("the server fails", "failed", ({"error": "server"},), _fails, tool="echo 'it broke' >&2; exit 1"),
    Day("an error inside a success", "failed", ({"error": "server", "in_stream": True},), _fails),
    Day("the prompt is too long", "failed", ({"error": "too_long"},), _fails),
    Day("the line drops", "failed", ({"drop": "request"},), _fails),
    Day("the answer breaks off", "failed", ({"drop": "middle"},), _fails),
    Day(
        "TERM in the middle",
        "stopped at once",
        ({"shell": "touch begun.txt; sleep 600"}, {"text": "Never reached."}),
        _ends(EX_TERMINATED),
        "work",
        "touch begun.txt; sleep 600",
        stop_at="begun.txt",
    ),
    Day(
        "TERM while it asks", "stopped at once", ({"hang": 600},), _ends(EX_TERMINATED), "ballot", stop_at="?"
    ),
    Day(
        "a child that stays",
        "done, and the child has ended",
        ({"shell": "(setsid sleep 600 >/dev/null 2>&1 </dev/null &); touch begun.txt"}, {"text": "Done."}),
        _ends(EX_OK),
        "work",
        "(setsid sleep 600 >/dev/null 2>&1 </dev/null &); touch begun.txt",
        needs="begun.txt",
    ),
    Day("a vote", "a ballot", ({"json": BALLOT},), _votes, "ballot"),
    Day("a vote in prose", "no ballot", ({"text": "I approve of it.", "raw": True},), _no_vote, "ballot"),
    Day(
        "a reviewer that writes",
        "the tree as it was",
        (
            {"write": {"path": "hello.txt", "content": "x"}},
            {"shell": "echo y >hello.txt"},
            {"json": BALLOT},
        ),
        _untouched,
        "ballot",
    ),
)
