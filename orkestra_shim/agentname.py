"""What an agent is called: ADAPTER[@ACCOUNT][:MODEL], such as claude, claude@work, codex:gpt-x."""

from __future__ import annotations

import re
from dataclasses import dataclass

RULE = (
    "ADAPTER, ADAPTER@ACCOUNT, ADAPTER:MODEL or ADAPTER@ACCOUNT:MODEL: adapter and account of a-z, 0-9, dot, "
    "underscore and dash; the model of letters, digits and . _ - / : @ +; 128 characters at most, without .. "
    "and //, not ending in a dot or a slash"
)
LONGEST = 128
# Adapter, account, model, as the schemas of queue and project have it, too; auto and shell stand alone.
PATTERN = (
    r"(?!.*\.\.)(?!.*//)(?!.*[./]$)(?!(?:auto|shell)[@:])([a-z0-9][a-z0-9._-]{0,63})"
    r"(?:@([a-z0-9][a-z0-9._-]{0,31}))?(?::([A-Za-z0-9][A-Za-z0-9._:/@+-]*))?"
)
_NAME = re.compile(rf"{PATTERN}\Z")


@dataclass(frozen=True)
class AgentName:
    """The parts of a name; account and model are '' where none is named."""

    adapter: str
    account: str = ""
    model: str = ""

    @property
    def account_id(self) -> str:
        """The key under which limits and logins are kept: all models of an account share them."""
        return f"{self.adapter}@{self.account}" if self.account else self.adapter


def _match(name: object) -> re.Match[str] | None:
    return _NAME.match(name) if isinstance(name, str) and len(name) <= LONGEST else None


def problem(name: object) -> str:
    """Why `name` cannot be the name of an agent or a reviewer; '' when it can."""
    if not isinstance(name, str):
        return "must be a string"
    return "" if _match(name) else f"{name[:80]!r} cannot be the name of an agent: it is {RULE}"


def parse(name: str) -> AgentName:
    """The parts of a sound name. Raises ValueError for another one."""
    found = _match(name)
    if found is None:
        raise ValueError(problem(name))
    return AgentName(*found.groups(""))


def folder(name: str) -> str:
    """The name as that of one folder: a model may have slashes. No two names have the same."""
    return name.replace("/", "%2F")
