"""What a run remembers of one task, built from the execution log's events, live and at the next start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class TaskState:
    """Tries are all tries; failures are those that count toward max_attempts."""

    tries: int = 0
    failures: int = 0
    revisions: int = 0
    conflicts: int = 0
    why: str = ""  # why the last try was not taken
    detail: str = ""  # the evidence of it
    previous: int = 0  # the try whose diff is handed over after a conflict
    kept: str = ""  # commit from which finished work is resumed
    waits: str = ""  # what a person has to move out of the way first
    votes: list[dict[str, Any]] = field(default_factory=list)
    cost: dict[str, int] = field(default_factory=lambda: {"usd_micros": 0, "tokens": 0, "seconds": 0})
    draft: dict[str, Any] | None = None  # an outcome without a change that no record holds yet

    def apply(self, event: dict[str, Any]) -> None:
        """Take in one event about this task. Unknown events are passed over."""
        handler = getattr(self, "_" + str(event.get("event")).replace("-", "_"), None)
        if isinstance(event.get("try"), int):
            self.tries = max(self.tries, event["try"])
        if handler is not None:
            handler(event)

    def _told(self, event: dict[str, Any]) -> None:
        self.why, self.detail = str(event.get("why", "")), str(event.get("detail", ""))

    def _claimed(self, event: dict[str, Any]) -> None:
        if event.get("mode") != "resume":
            self.kept = ""
        self.waits = ""

    def _worked(self, event: dict[str, Any]) -> None:
        for key in self.cost:
            if isinstance(event.get(key), int):
                self.cost[key] += event[key]

    def _checked(self, event: dict[str, Any]) -> None:
        if isinstance(event.get("seconds"), int):
            self.cost["seconds"] += event["seconds"]

    def _attempt_failed(self, event: dict[str, Any]) -> None:
        self.failures += 1
        self.kept, self.previous = "", 0
        self._told(event)

    def _revision(self, event: dict[str, Any]) -> None:
        self.revisions += 1
        self.previous = 0
        self._told(event)

    def _conflict(self, event: dict[str, Any]) -> None:
        self.conflicts += 1
        self.kept = ""
        self.previous = int(event.get("try", 0))
        self._told(event)

    def _held(self, event: dict[str, Any]) -> None:
        self.kept, self.waits = str(event.get("commit", "")), str(event.get("paths", ""))

    def _kept_for_votes(self, event: dict[str, Any]) -> None:
        self.kept = str(event.get("commit", ""))

    def _vote_closed(self, event: dict[str, Any]) -> None:
        self.votes.append({key: event.get(key) for key in ("vote", "try", "decision", "patch_id")})

    def _outcome_drafted(self, event: dict[str, Any]) -> None:
        self.draft = event.get("draft")

    def _settle(self, event: dict[str, Any]) -> None:
        self.__init__(tries=self.tries)  # type: ignore[misc]

    _landed = _recorded = _reopened = _settle
