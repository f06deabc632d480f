"""A project: its settings, read from config/project.json (`projectkeys` says what may stand there)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orkestra_shim import jsonfile, repo
from orkestra_shim.errors import EX_CONFIG, EX_DATA, OrkestraError
from orkestra_shim.files import make_folder, write_atomic
from orkestra_shim.projectkeys import FORMAT, check_settings
from orkestra_shim.text import printable, word

FILE = Path("config/project.json")
QUEUE = Path("config/task-queue.json")
DEFAULT_RETRY_DELAY = 5.0


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
    def assigns_by_vote(self) -> bool:
        """Whether members vote on who does an `auto` task."""
        return self.data.get("assign") == "vote"

    @property
    def calibrate(self) -> int:
        """About one in so many approved changes is put to a reviewer with a planted defect; 0 for none."""
        return int(self._section("committee").get("calibrate", 0))

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
            EX_DATA,
            f"{printable(path)} is not the top folder of a Git repository",
            f"give the top folder, or make it one: git init {word(path)}",
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
