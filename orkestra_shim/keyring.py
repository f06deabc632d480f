"""The user's keys and logins, and those of the accounts in CONFIG/accounts.

The user's own keys are in CONFIG/api-keys.env, the own logins in HOME. An account has a folder
CONFIG/accounts/ACCOUNT of the same kind: `api-keys.env` (mode 600) and `home` (mode 700), the HOME in which
the tools of that account are logged in. One account may serve several tools (claude@work, codex@work).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from . import agentname, keys, settings
from .errors import EX_CONFIG, EX_USAGE, OrkestraError
from .files import make_folder
from .text import printable, word

_FILE = "api-keys.env"


@dataclass(frozen=True)
class Keyring:
    """All keys of CONFIG as they were when it was read; account '' is the user's own."""

    config: Path
    by_account: dict[str, dict[str, str]]

    def keys(self, account: str) -> dict[str, str]:
        """Names and values; none of an account that is not there."""
        return self.by_account.get(account, {})

    def has(self, account: str) -> bool:
        """Whether there is such an account; the user's own is always there."""
        return account in self.by_account

    def secret_values(self) -> list[str]:
        """The values, of all accounts, that nobody may see."""
        return list(dict.fromkeys(one for own in self.by_account.values() for one in keys.of_settings(own)))

    def home(self, account: str) -> str:
        """The HOME with the logins of an account; '' where the user has none."""
        return str(_folder(self.config, account) / "home") if account else os.environ.get("HOME", "")


def read(config: Path) -> Keyring:
    """The keys of all accounts. Raises 78 for a file that cannot be read, or is none of keys."""
    found = {name: settings.read_keys(_keys_file(config, name)) for name in ("", *accounts(config))}
    return Keyring(config, found)


def need_private(config: Path) -> None:
    """Raises 78, with the command that mends it, when others may use the keys or a login of any account."""
    for name in ("", *accounts(config)):
        settings.need_private(_keys_file(config, name))
        home = _folder(config, name) / "home"
        if name and home.is_dir() and home.stat().st_mode & 0o077:
            raise OrkestraError(
                EX_CONFIG,
                f"{printable(home)} can be used by others (it has to have the mode 700)",
                f"chmod 700 {word(home)}",
            )


def accounts(config: Path) -> list[str]:
    """The accounts beside the user's own. Raises 78 for a folder that cannot be one."""
    place = config / "accounts"
    if not place.is_dir():
        return []
    found = sorted(one.name for one in place.iterdir() if one.is_dir() and not one.name.startswith("."))
    for name in found:
        if agentname.problem(f"tool@{name}"):
            raise OrkestraError(
                EX_CONFIG,
                f"{printable(place / name)}: no account can have this name",
                f"a name is 1 to 32 of a-z, 0-9, dot, underscore and dash: mv {word(place / name)} ...",
            )
    return found


def make_home(config: Path, account: str) -> Path:
    """The HOME in which the tools of an account are logged in, made where it is missing. Raises 64, 73."""
    if agentname.problem(f"tool@{account}"):
        raise OrkestraError(EX_USAGE, f"no account can be called '{printable(account[:80])}'", agentname.RULE)
    home = _folder(config, account) / "home"
    for folder in (home.parent, home):
        make_folder(folder, 0o700)
    return home


def shown(account: str) -> str:
    """Where the keys of an account belong, for people."""
    return f"CONFIG/accounts/{account}/{_FILE}" if account else f"CONFIG/{_FILE}"


def _folder(config: Path, account: str) -> Path:
    return config / "accounts" / account if account else config


def _keys_file(config: Path, account: str) -> Path:
    return _folder(config, account) / _FILE
