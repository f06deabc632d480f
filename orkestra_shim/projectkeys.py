"""What config/project.json may say: each key, and the words for one that says something else."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from orkestra_shim import agentname, budgets
from orkestra_shim.errors import EX_DATA, OrkestraError
from orkestra_shim.text import printable

FORMAT = "orkestra.project/1"
LEARNED = "learned"  # of committee.weights
_ID = re.compile(r"[0-9a-f]{12}\Z")
_REMOTE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}\Z")
_RULE = re.compile(r"majority\Z|unanimity\Z|supermajority [1-9][0-9]{0,2}/[1-9][0-9]{0,2}\Z")


def check_settings(data: dict[str, Any], raw: bytes, where: str) -> None:
    """Raises OrkestraError 65 naming file and line of the first thing that is not as it must be."""

    def wrong(key: str, expected: str) -> OrkestraError:
        place = raw.find(f'"{key}"'.encode())
        line = raw[:place].count(b"\n") + 1 if place >= 0 else 1
        return OrkestraError(EX_DATA, f"{where}:{line}: {key} must be {expected}")

    kind = data.get("format")
    if kind != FORMAT:
        newer = re.fullmatch(r"orkestra\.project/([0-9]{1,6})", kind) if isinstance(kind, str) else None
        if newer and int(newer[1]) > 1:
            raise OrkestraError(
                EX_DATA,
                f"{where} was written by a newer Orkestra ({kind}); this one reads {FORMAT}",
                "upgrade Orkestra",
            )
        raise OrkestraError(EX_DATA, f'{where} is not Orkestra\'s: expected "format": "{FORMAT}"')
    for key, expected, good in _RULES:
        if not good(data.get(key)):
            raise wrong(key, expected)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and "\0" not in value


def is_branch(value: object) -> bool:
    """Whether `value` can be the short name of a branch."""
    if not isinstance(value, str) or not value or len(value) > 1000:
        return False
    return (
        not re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/.]|/\.|/$|\.$|\.lock(/|$)", value)
        and value != "@"
    )


def is_share(value: object) -> bool:
    """Whether `value` may stand in workspace.share: a folder below the project, or {"path", "mode"}."""
    if isinstance(value, dict):
        return is_share(value.get("path")) and value.get("mode", "ro") in ("ro", "rw")
    if (
        not isinstance(value, str)
        or not value
        or re.search(r"[\x00-\x1f\x7f]", value)
        or value.startswith("/")
    ):
        return False
    parts = value.rstrip("/").split("/")
    # config and logs hold what tells Orkestra what to do and what was decided.
    return parts[0] not in ("config", "logs") and not any(
        part in ("", ".", "..") or part.lower() == ".git" for part in parts
    )


def _are_apart(share: list[Any]) -> bool:
    """Whether no folder is listed twice, nor one inside another that may be written.

    An agent that may write the outer one could put a link in the place of the inner one.
    """
    listed = [
        (str(entry["path"]), entry.get("mode") == "rw") if isinstance(entry, dict) else (str(entry), False)
        for entry in share
    ]
    paths = [path.rstrip("/") for path, _ in listed]
    outer = [path.rstrip("/") for path, writable in listed if writable]
    return len(set(paths)) == len(paths) and not any(
        path.startswith(f"{one}/") for path in paths for one in outer
    )


def _is_workspace(value: object) -> bool:
    if value is None:
        return True
    if not isinstance(value, dict) or not _is_text(value.get("setup", "")):
        return False
    share = value.get("share", [])
    return isinstance(share, list) and all(map(is_share, share)) and _are_apart(share)


def _is_committee(value: object) -> bool:
    if value is None:
        return True
    if not isinstance(value, dict):
        return False
    rule, reviewers = value.get("rule", "majority"), value.get("reviewers", "auto")
    return (
        isinstance(rule, str)
        and _RULE.match(rule) is not None
        and (reviewers == "auto" or _is_names(reviewers))
        and is_weights(value.get("weights", {}))
        and _is_rate(value.get("calibrate", 0))
    )


def _is_rate(value: object) -> bool:
    return type(value) is int and 0 <= value <= 1_000_000


def is_weights(value: object) -> bool:
    """Whether `value` may stand in committee.weights: "learned", or thousandths of a vote by member."""
    return value == LEARNED or (
        isinstance(value, dict)
        and not any(map(agentname.problem, value))
        and all(type(one) is int and 0 < one <= 1_000_000 for one in value.values())
    )


def _is_names(value: object) -> bool:
    return isinstance(value, list) and not any(map(agentname.problem, value))


def _is_by_agent(value: object, good: Callable[[object], bool]) -> bool:
    """Whether `value` is nothing, or an object with good lists for names of agents."""
    return value is None or (
        isinstance(value, dict)
        and not any(map(agentname.problem, value))
        and all(isinstance(one, list) and all(map(good, one)) for one in value.values())
    )


def _is_domain(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and printable(value) == value and len(value) <= 300


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 7 * 86400


def _is_delay(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 300


_RULES = (
    ("id", "twelve hexadecimal digits in quotes", lambda v: isinstance(v, str) and bool(_ID.match(v))),
    (
        "name",
        "a name in quotes, without control characters",
        lambda v: _is_text(v) and bool(v) and printable(v) == v,
    ),
    ("branch", "the short name of a branch, in quotes", is_branch),
    ("check", "a command in quotes (empty: none)", lambda v: v is None or _is_text(v)),
    ("check_timeout", "a number of seconds", lambda v: v is None or _is_whole(v)),
    ("retry_delay", "a number of seconds from 0 to 300", lambda v: v is None or _is_delay(v)),
    ("agents", "a list of names", lambda v: v is None or _is_names(v)),
    (
        "specialties",
        'an object with a list of domains for each agent, such as {"codex": ["web"]}',
        lambda v: _is_by_agent(v, _is_domain),
    ),
    (
        "fallback",
        'an object with a list of agents for each agent, such as {"claude": ["codex"]}',
        lambda v: _is_by_agent(v, lambda one: not agentname.problem(one)),
    ),
    (
        "committee",
        'an object with "reviewers" ("auto" or a list of names) and '
        '"rule" (majority, unanimity or supermajority p/q), "weights" ("learned", or an object '
        'such as {"codex": 1500} in thousandths of a vote) and "calibrate" (about one in N; 0: none)',
        _is_committee,
    ),
    (
        "workspace",
        'an object with "setup" (a command) and "share" (a list of folders below the project, none of them '
        "in config, logs or .git, none twice, none inside one that may be written)",
        _is_workspace,
    ),
    (
        "network",
        'an object with "check": true or false',
        lambda v: v is None or (isinstance(v, dict) and isinstance(v.get("check", False), bool)),
    ),
    (
        "budget",
        f'{budgets.RULE}, and "task" and "attempt" (the same): what each of them may take',
        lambda v: v is None or not budgets.problem(v, "project"),
    ),
    ("assign", '"rule" or "vote"', lambda v: v in (None, "rule", "vote")),
    ("land", '"branch" or "pr"', lambda v: v in (None, "branch", "pr")),
    ("push", "true or false", lambda v: v is None or isinstance(v, bool)),
    (
        "remote",
        'the name of a remote of the repository, such as "origin"',
        lambda v: v is None or (isinstance(v, str) and bool(_REMOTE.match(v)) and ".." not in v),
    ),
)
