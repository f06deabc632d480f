"""What the courier's last command printed, read as what it is: the words of somebody else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import files
from .text import clean, printable

_LIMIT = 500  # characters of what a remote says that are shown
_TIMED_OUT = (124, 137)
_NOT_THERE = 127


class Said:
    """out and err of one command in a folder."""

    def __init__(self, folder: Path, redact: Callable[[str], str]) -> None:
        self._folder = folder
        self._redact = redact

    def output(self) -> str:
        """Its standard output."""
        return self._read("out")

    def json(self) -> Any:
        """Its standard output as JSON; None when it is none."""
        try:
            return json.loads(self.output())
        except ValueError:
            return None

    def _read(self, name: str) -> str:
        return (files.read_bounded(self._folder / name, 1 << 20) or b"").decode("utf-8", "replace")

    def is_taken(self) -> bool:
        """Whether a push was rejected because the other side's branch holds something else."""
        return bool(re.search(r"^!\t.*\t\[rejected\]", self.output(), re.MULTILINE))

    def why(self, code: int, remote: str, tool: str) -> str:
        """Why a command failed, in a line: no key in it, and nothing that moves a cursor."""
        if code in _TIMED_OUT:
            return f"{remote} did not answer in time (ORKESTRA_REMOTE_TIMEOUT)"
        if code == _NOT_THERE:
            return f"{tool} is not installed"
        # A line of `git push --porcelain`: flag, refs, [reason].
        if self.is_taken():
            return f"{remote} has commits that are not here"
        words = self._words()
        refused = re.search(r"^!\t.*\t\[remote rejected\] \((.*)\)", self.output(), re.MULTILINE)
        if refused:
            words = "; ".join(part for part in (words, self.shown(refused.group(1))) if part)
            return f"{remote} refuses it: {words}"
        return f"{tool}: {words}" if words else f"{tool} ended with {code}"

    def _words(self) -> str:
        found = []
        for line in clean(self._read("err")).splitlines():
            line = re.sub(r"^(remote: *|fatal: |error: )+", "", line.strip()).strip()
            if line and not line.startswith(("hint:", "failed to push some refs", "warning:")):
                found.append(line)
        return self.shown("; ".join(dict.fromkeys(found)))

    def shown(self, text: str) -> str:
        """Somebody else's words for a person."""
        text = re.sub(r"(\w://)[^/@\s]+@", r"\1", text)  # a name and key in an address
        return printable(self._redact(text))[:_LIMIT]
