"""Where agents' tools are, for runs that cron starts with a PATH of two folders.

Two things are kept: the setting ORKESTRA_PATH, which `cron install` takes from the shell it is called in,
and the full path of each agent's tool as a run last found it on PATH (CONFIG/RUNTIME/tools.tsv).
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from .errors import OrkestraError
from .files import locked, make_folder, read_bounded, write_atomic

_ALWAYS = ("/usr/local/bin", "/usr/bin", "/bin")  # where nothing needs to be remembered
_SHARED = 0o002


def keep(config: Path, agent: str, tool: str) -> None:
    """Remembers the full path of an agent's tool, if it is on PATH and nowhere usual."""
    found = shutil.which(tool) if tool and "/" not in tool else None
    if found is None or not found.startswith("/") or os.path.dirname(found) in _ALWAYS:
        return
    if "\n" in found or "\t" in found or kept(config).get(agent) == found:
        return
    # A run goes on without: the next one that can write remembers it.
    with contextlib.suppress(OrkestraError):
        make_folder(config / "RUNTIME", 0o700)
        with locked(config / "RUNTIME" / "tools.lock"):
            rows = kept(config) | {agent: found}
            text = "".join(f"{name}\t{path}\n" for name, path in sorted(rows.items()))
            write_atomic(config / "RUNTIME" / "tools.tsv", text, mode=0o600, sync=False)


def kept(config: Path) -> dict[str, str]:
    """Agent to the full path of its tool."""
    raw = read_bounded(config / "RUNTIME" / "tools.tsv", 1 << 16) or b""
    rows = (line.partition("\t") for line in os.fsdecode(raw).split("\n"))
    return {name: path for name, _, path in rows if name and path.startswith("/")}


def unattended_path(config: Path, setting: str) -> str:
    """PATH of a run that cron starts: ORKESTRA_PATH, what cron gives, then the folders of the kept tools."""
    tools = [os.path.dirname(path) for path in kept(config).values() if os.access(path, os.X_OK)]
    given = [*setting.split(":"), *os.environ.get("PATH", "").split(":"), *_ALWAYS, *tools]
    return ":".join(_plain(given))


def keepable(before: str) -> str:
    """The PATH of this shell as a setting: folders that are there and that not everybody may write.

    `before` (the setting so far) when this PATH has nothing that cron's does not have.
    """
    folders = [one for one in _plain(os.environ.get("PATH", "").split(":")) if _is_safe(one)]
    return ":".join(folders) if set(folders) - set(_ALWAYS) else before


def _plain(folders: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(os.path.abspath(one) for one in folders if one.startswith("/")))


def _is_safe(folder: str) -> bool:
    try:
        found = os.stat(folder)
    except OSError:
        return False
    is_known = found.st_uid in (0, os.getuid())
    return os.path.isdir(folder) and is_known and not found.st_mode & _SHARED and folder.isprintable()
