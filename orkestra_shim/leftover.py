"""One thing that a killed run or a killed Git process has left behind."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod

from .place import Place

OBJECT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")


class Leftover(ABC):
    """One thing. Equal ones are the same thing: what was listed is found again by it."""

    area: str
    in_run = False  # whether it can be mended while a run goes on

    @property
    @abstractmethod
    def text(self) -> str:
        """What is wrong."""

    @property
    @abstractmethod
    def does(self) -> str:
        """What mending does."""

    @abstractmethod
    def mend(self, place: Place, lock: int | None) -> None:
        """Mends it. The project is held by us (`lock`), by a run (None) only where `in_run`. Raises."""


def given(*locks: int | None) -> tuple[int, ...]:
    """The locks that there are, to be handed down to a script."""
    return tuple(lock for lock in locks if lock is not None)
