"""A task in a worker's hands: what is known of this try, and where it is kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .tasks import Task

Reply = tuple[str, ...]  # the fields of an answer to a worker


@dataclass(frozen=True)
class Place:
    """Where a ticket is written and which workspace it is for."""

    folder: Path
    workspace: Path
    project: Path


@dataclass
class Work:
    """One try of a task, from its claim to its end."""

    task: Task
    number: int  # of this try
    agent: str
    folder: Path  # of this try
    place: Place
    seconds: int = 0  # that the agent may take
    verdict: str = ""  # why it is to fail; counted when the worker says so
    detail: str = ""  # what the next try gets to see of it
    done: bool = False  # no longer in the worker's hands
    evidence: list[dict[str, Any]] = field(default_factory=list)
    gates: list[dict[str, Any]] = field(default_factory=list)
    subject: dict[str, str] = field(default_factory=dict)
    vote: dict[str, Any] | None = None
    asked: list[str] = field(default_factory=list)  # the vote's members that are judging now
    cast: list[dict[str, Any]] = field(default_factory=list)  # their ballots until now
    absent: list[dict[str, str]] = field(default_factory=list)
    second: str = ""  # who was called in after a reject
    stage: str = ""  # of a question's vote: what its members are asked for now
    tries: int = 0  # how often they have been
    refused: dict[str, str] = field(default_factory=dict)  # by member: why its last proposal was none
    waiting: dict[str, Any] = field(
        default_factory=dict
    )  # for which reviewers its change waits, and how many
    ballot: dict[str, Any] = field(default_factory=dict)  # of a person, on the work that it resumes
    rejected: bool = False  # by that ballot
    outcome: str = ""
    recording: bool = False
    first: int = 0  # its number when it was given out: a revision goes on with another in the same tree
    session: str = ""  # the tool's session that it goes on with
    start: int = 0  # the attempt whose kept work the agent begins from
    handed: int = 0  # the attempt whose patch the agent gets, since it does not go with the branch any more
    mode: str = ""  # as the worker knows it: fresh, from, resume, candidate or choose
    dropped: tuple[str, str] | None = None  # (status, reason) that a person gave the task meanwhile
    told: bool = False  # the worker knows that it was dropped
