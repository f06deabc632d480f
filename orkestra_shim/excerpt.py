"""What a reviewer's prompt shows of a large change: whole files while there is room, of the rest their names.

Small files come first into the room, so that most of a change is seen; they stand in the order of the diff.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from . import committee
from .text import printable

NAMED = 200  # files left out that a prompt names, and a vote record


@dataclass
class Excerpt:
    """The text, and the files that are not whole in it: path, and lines added and removed."""

    text: str
    left_out: list[dict[str, Any]] = field(default_factory=list)

    def unseen(self) -> dict[str, Any] | None:
        """For the vote's record; None where everything was shown."""
        if not self.left_out:
            return None
        return {"files": len(self.left_out), "paths": [one["path"] for one in self.left_out[:NAMED]]}


def of(diff: bytes, limit: int) -> Excerpt:
    """At most `limit` bytes of a diff as `git diff` writes it; where no file fits, the beginning of one."""
    if len(diff) <= limit:
        return Excerpt(diff.decode("utf-8", "replace"))
    parts = re.split(rb"(?m)^(?=diff --git )", diff)
    parts = [part for part in parts if part]
    shown: set[int] = set()
    room = limit
    for at in sorted(range(len(parts)), key=lambda at: len(parts[at])):
        if len(parts[at]) > room:
            break
        shown.add(at)
        room -= len(parts[at])
    text = b"".join(parts[at] for at in sorted(shown)) or parts[0][:limit]
    left = [_told(part) for at, part in enumerate(parts) if at not in shown]
    return Excerpt(text.decode("utf-8", "replace"), left)


def _told(part: bytes) -> dict[str, Any]:
    removed = sum(line[:1] == b"-" and line[:4] != b"--- " for line in part.split(b"\n"))
    return {
        "path": _path(part),
        "added": committee.changed_lines(part) - removed,
        "removed": removed,
    }


def _path(part: bytes) -> str:
    """The file of a part of a diff, by its new name where it has one."""
    for pattern in (rb'(?m)^\+\+\+ "?b/(.+?)"?\t?$', rb"(?m)^rename to (.+)$", rb'(?m)^--- "?a/(.+?)"?\t?$'):
        if found := re.search(pattern, part[:8192]):
            return printable(found[1].decode("utf-8", "replace"))
    head = part.split(b"\n", 1)[0].decode("utf-8", "replace")
    return printable(head.rpartition(" b/")[2][:400]) if head.startswith("diff --git ") else ""
