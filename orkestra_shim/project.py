"""A project: what config/project.json may say, and what is missing or wrong in it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orkestra_shim import agentname, budgets, jsonfile, repo
from orkestra_shim.errors import EX_CONFIG, EX_DATA, OrkestraError
from orkestra_shim.files import make_folder, write_atomic
from orkestra_shim.text import printable, word

FORMAT = "orkestra.project/1"
FILE = Path("config/project.json")
QUEUE = Path("config/task-queue.json")
DEFAULT_RETRY_DELAY = 5.0
_ID = re.compile(r"[0-9a-f]{12}\Z")
_REMOTE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}\Z")
_RULE = re.compile(r"majority\Z|unanimity\Z|supermajority [1-9][0-9]{0,2}/[1-9][0-9]{0,2}\Z")


@dataclass(frozen=True)
class Project:
    """A project whose project.json is sound. `path` is the absolute path of its checkout."""

    path: Path
    data: dict[str, Any]

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits, made once; two projects of one name have different ones."""
        return str(self.data["id"])

    @property
    def name(self) -> str:
        """The name of the project."""
        return str(self.data["name"])

    @property
    def branch(self) -> str:
        """The branch on which work lands, in its short form."""
        return str(self.data["branch"])

    @property
    def check(self) -> str:
        """The command that every change has to pass, '' for none."""
        return str(self.data.get("check") or "")

    @property
    def check_timeout(self) -> int:
        """Seconds."""
        return int(self.data.get("check_timeout") or 900)

    @property
    def retry_delay(self) -> float:
        """Seconds between a failed attempt and the next; doubled from one to the next."""
        found = self.data.get("retry_delay")
        return DEFAULT_RETRY_DELAY if found is None else float(found)

    @property
    def agents(self) -> list[str]:
        """Names of the agents it may use."""
        return list(self.data.get("agents") or [])

    @property
    def specialties(self) -> dict[str, list[str]]:
        """Domains that an agent is for, by its name."""
        return self._section("specialties")

    @property
    def fallback(self) -> dict[str, list[str]]:
        """Who stands in for an agent that a task names and that cannot work, by its name."""
        return self._section("fallback")

    @property
    def workers(self) -> list[str]:
        """Names of all agents that may get its tasks: also those that stand in for others."""
        named = [*self.agents, *self.fallback, *(one for others in self.fallback.values() for one in others)]
        return list(dict.fromkeys(named))

    @property
    def reviewers(self) -> str | list[str]:
        """Members of the committee, or "auto"."""
        found: str | list[str] = self._section("committee").get("reviewers", "auto")
        return found

    @property
    def rule(self) -> str:
        """By which a vote is decided."""
        return str(self._section("committee").get("rule", "majority"))

    @property
    def share(self) -> list[Any]:
        """Untracked folders that workspaces see, as written."""
        return list(self._section("workspace").get("share", []))

    @property
    def setup(self) -> str:
        """The command that each fresh workspace begins with, '' for none."""
        return str(self._section("workspace").get("setup") or "")

    @property
    def check_network(self) -> bool:
        """Whether a check reaches the network."""
        return bool(self._section("network").get("check", False))

    @property
    def land(self) -> str:
        """Where accepted changes go: `branch`, or `pr` (a pull request for each)."""
        return str(self.data.get("land") or "branch")

    @property
    def push(self) -> bool:
        """Whether the branch is pushed after each landing."""
        return bool(self.data.get("push"))

    @property
    def remote(self) -> str:
        """The remote for both."""
        return str(self.data.get("remote") or "origin")

    def _section(self, key: str) -> dict[str, Any]:
        return self.data.get(key) or {}


def settings(name: str, branch: str, project_id: str) -> dict[str, Any]:
    """The content of a new project.json."""
    return {
        "format": FORMAT,
        "id": project_id,
        "name": name,
        "branch": branch,
        "check": "",
        "check_timeout": 900,
        "agents": [],
        "specialties": {},
        "fallback": {},
        "committee": {"reviewers": "auto", "rule": "majority"},
        "workspace": {"share": [], "setup": ""},
        "network": {"check": False},
        "land": "branch",
        "push": False,
    }


def new_id() -> str:
    """A fresh project id."""
    return os.urandom(6).hex()


# --- reading ------------------------------------------------------------------------------------------------


def load(path: Path, branch: str = "") -> Project:
    """The project whose checkout is `path`.

    Where the checkout is on a branch without config/project.json, it is read from `branch`, if given.
    Raises OrkestraError 65 or 78.
    """
    path = Path(os.path.realpath(path))
    if not path.is_dir():
        raise OrkestraError(
            EX_CONFIG, f"there is no folder {printable(path)}", "orkestra list shows the projects"
        )
    where = printable(path / FILE)
    raw = _bytes(path, branch)
    if raw is None:
        raise OrkestraError(
            EX_CONFIG,
            f"{printable(path)} is no Orkestra project: it has no {FILE}",
            f"orkestra adopt {word(path)}",
        )
    found = parse(path, raw, where)
    if not (path / ".git").exists():
        raise OrkestraError(
            EX_DATA, f"{printable(path)} is not the top folder of a Git repository", "git init there?"
        )
    return found


def parse(path: Path, raw: bytes, where: str) -> Project:
    """The project at `path` from the bytes of its project.json. Raises OrkestraError 65 naming `where`."""
    data = jsonfile.parse(jsonfile.decode(raw, where), where)
    check_settings(data, raw, where)
    return Project(path, data)


def _bytes(path: Path, branch: str) -> bytes | None:
    try:
        return (path / FILE).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise OrkestraError(EX_DATA, f"cannot read {printable(path / FILE)}: {error.strerror}") from error
    if branch:
        done = repo.run(path, "cat-file", "blob", f"refs/heads/{branch}:{FILE}")
        if done.returncode == 0:
            return done.stdout
    return None


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
        '"rule" (majority, unanimity or supermajority p/q)',
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
    ("land", '"branch" or "pr"', lambda v: v in (None, "branch", "pr")),
    ("push", "true or false", lambda v: v is None or isinstance(v, bool)),
    (
        "remote",
        'the name of a remote of the repository, such as "origin"',
        lambda v: v is None or (isinstance(v, str) and bool(_REMOTE.match(v)) and ".." not in v),
    ),
)


def prepare_logs(project: Project) -> None:
    """Makes logs/execution where it is missing (a clone has none) and sees to it that Git ignores it.

    The user's own .gitignore is not edited: the folder ignores itself.
    """
    folder = project.path / "logs" / "execution"
    make_folder(folder)
    own = folder / ".gitignore"
    if own.exists():
        return
    try:
        rules = (project.path / ".gitignore").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        rules = []
    if "/logs/execution/" not in rules:
        write_atomic(own, "*\n")
