"""Tickets: what a worker needs to know of an attempt or a ballot, as plain files that Bash reads."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import files
from .agents import Agent, Agents


@dataclass(frozen=True)
class Place:
    """Where a ticket is written and which workspace it is for."""

    folder: Path
    workspace: Path
    project: Path


def nul(items: Iterable[str]) -> str:
    """A list as Bash reads it with mapfile -d ''."""
    return "".join(f"{item}\0" for item in items)


def _credentials(agent: Agent) -> list[str]:
    home = os.environ.get("HOME", "")
    pairs = []
    for name in agent.credentials:
        source = Path(home) / name
        if home and ".." not in Path(name).parts and not name.startswith("/") and source.is_file():
            pairs += [str(source), name]
    return pairs


def binds(place: Place, share: Iterable[Any]) -> list[str]:
    """MODE SRC DEST triples of workspace.share: "data" or {"path": "data", "mode": "rw"}."""
    triples = []
    for entry in share:
        path = entry.get("path") if isinstance(entry, dict) else entry
        mode = "rw" if isinstance(entry, dict) and entry.get("mode") == "rw" else "ro"
        if isinstance(path, str) and path and ".." not in path.split("/") and not path.startswith("/"):
            source = place.project / path
            if source.exists() and source.resolve().is_relative_to(place.project.resolve()):
                triples += [mode, str(source), str(place.workspace / "tree" / path)]
    return triples


def write(
    place: Place,
    agent: Agent,
    agents: Agents,
    plain: dict[str, str],
    lists: dict[str, Iterable[str]],
    exchange: dict[str, bytes | str],
) -> None:
    """Make the ticket folder anew. plain, lists and exchange add to what the agent itself gives."""
    folder = place.folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.rmtree(folder / "exchange", ignore_errors=True)
    (folder / "exchange").mkdir(mode=0o700)
    environment = [f"{name}={value}" for name, value in agents.environment(agent).items()]
    for name, text in {
        "agent": agent.name,
        "adapter": agent.adapter,
        "base-mode": agent.revises,
        **plain,
    }.items():
        files.write_plain(folder / name, text)
    every = {"env": environment, "credentials": _credentials(agent), "tool-read": agent.read, **lists}
    for name, items in every.items():
        files.write_plain(folder / name, nul(items))
    if agent.binary:
        files.write_plain(folder / "binary", agent.binary)
    else:
        (folder / "binary").unlink(missing_ok=True)
    for name, content in exchange.items():
        files.write_plain(folder / "exchange" / name, content)
