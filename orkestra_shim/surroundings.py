"""What the orchestrator tells the store: the ORKESTRA_* environment, project.json and the keys."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import canonical, committee, jsonfile
from .agents import api_keys
from .errors import EX_CONFIG, EX_DATA, OrkestraError
from .plumbing import Git
from .tasks import name_problem

PROJECT_FILE = "config/project.json"


def _need(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise OrkestraError(EX_CONFIG, f"{name} is not set", "the store is started by the orchestrator")
    return value


@dataclass
class Project:
    """The parts of project.json that a run decides by."""

    name: str = ""
    check: str = ""
    check_timeout: int = 900
    agents: list[str] = field(default_factory=list)
    reviewers: str | list[str] = "auto"
    rule: str = "majority"
    share: list[Any] = field(default_factory=list)


def _project_text(path: Path, git: Git, branch: str, on_branch: bool) -> bytes:
    if on_branch and path.is_file():
        return jsonfile.read_bytes(path)
    code, data, _ = git.attempt("cat-file", "blob", f"refs/heads/{branch}:{PROJECT_FILE}")
    if code != 0:
        raise OrkestraError(EX_DATA, f"the branch {branch} has no {PROJECT_FILE}", "orkestra adopt makes one")
    return data


def read_project(path: Path, git: Git, branch: str, on_branch: bool) -> Project:
    """project.json of the checkout, or of the branch where the checkout is on another. Raises 65, 78."""
    try:
        top = canonical.parse(_project_text(path, git, branch, on_branch), max_bytes=1 << 20)
    except ValueError as error:
        raise OrkestraError(EX_DATA, f"{path}: {error}") from None
    if not isinstance(top, dict):
        raise OrkestraError(EX_DATA, f"{path}: expected an object")
    project = Project(name=str(top.get("name") or path.parent.parent.name), check=_text(top, "check", path))
    timeout = top.get("check_timeout", 900)
    if type(timeout) is not int or timeout < 1:
        raise OrkestraError(EX_CONFIG, f"{path}: check_timeout must be a whole number of seconds")
    project.check_timeout = timeout
    project.agents = _names(top.get("agents", []), "agents", path)
    rules = top.get("committee") or {}
    if not isinstance(rules, dict):
        raise OrkestraError(EX_CONFIG, f"{path}: committee must be an object")
    reviewers = rules.get("reviewers", "auto")
    project.reviewers = "auto" if reviewers == "auto" else _names(reviewers, "committee.reviewers", path)
    project.rule = rules.get("rule", "majority")
    if not isinstance(project.rule, str) or not committee.RULE.match(project.rule):
        raise OrkestraError(
            EX_CONFIG, f"{path}: committee.rule must be majority, unanimity or supermajority p/q"
        )
    space = top.get("workspace") or {}
    share = space.get("share", []) if isinstance(space, dict) else []
    project.share = share if isinstance(share, list) else []
    return project


def _text(top: dict[str, Any], key: str, path: Path) -> str:
    value = top.get(key, "")
    if not isinstance(value, str) or "\0" in value:
        raise OrkestraError(EX_CONFIG, f"{path}: {key} must be a string")
    return value


def _names(value: object, key: str, path: Path) -> list[str]:
    if not isinstance(value, list):
        raise OrkestraError(EX_CONFIG, f"{path}: {key} must be a list of names")
    for name in value:
        problem = name_problem(name)
        if problem:
            raise OrkestraError(EX_CONFIG, f"{path}: {key}: {problem}")
    return list(value)


class Surroundings:
    """Paths and settings of this run."""

    def __init__(self) -> None:
        """Raises 78 when the environment is incomplete."""
        self.scripts = Path(_need("ORKESTRA_SCRIPTS"))
        self.config = Path(_need("ORKESTRA_CONFIG"))
        self.logs = Path(_need("ORKESTRA_LOGS"))
        self.project = Path(_need("ORKESTRA_PROJECT"))
        self.runtime = Path(_need("ORKESTRA_RUNTIME"))
        self.workspaces = Path(_need("ORKESTRA_WORKSPACES"))
        self.branch = _need("ORKESTRA_BRANCH")
        self.git = Git(Path(_need("ORKESTRA_GIT_DIR")))
        self.stay = os.environ.get("ORKESTRA_STAY", "0") == "1"
        self.only = [name for name in re.split(r"[\s,]+", os.environ.get("ORKESTRA_ONLY", "")) if name]
        self.keys = api_keys(self.config / "api-keys.env")
        self.secrets_file = Path(os.environ.get("ORKESTRA_SECRETS_FILE") or self.runtime / "secrets")

    def secret_values(self) -> list[str]:
        """Values of the keys file that are long enough to be secrets and not to be addresses."""
        return [value for name, value in self.keys.items() if len(value) >= 8 and not name.endswith("_URL")]
