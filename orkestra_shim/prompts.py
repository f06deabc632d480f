"""Prompts for agents, from Jinja2 templates; what is quoted is fenced, and keys never enter."""

from __future__ import annotations

import functools
import re
import secrets
from pathlib import Path
from typing import Any

from .tasks import Task
from .text import clean

DIFF_LIMIT = 200_000
RULES_LIMIT = 32_768


@functools.cache
def _template(name: str) -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).resolve().parent / "prompts"),
        autoescape=False,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(name)


def marker() -> str:
    """A fence that nobody can have written beforehand."""
    return f"QUOTE-{secrets.token_hex(12)}"


def render(template: str, **values: Any) -> str:
    """The text of prompts/TEMPLATE with values; `mark` is a fresh marker."""
    return str(_template(template).render(mark=marker(), **values))


def for_task(
    task: Task, project: str, check: str, feedback: str, previous: bool, start: int, rules: str
) -> str:
    """What the agent of a task is told.

    `previous`: the patch of an earlier attempt is handed over; `start`: the attempt whose work is in the
    folder already, 0 for none; `rules`: AGENTS.md.
    """
    raw = task.raw
    told = {
        "id": task.id,
        "title": task.title,
        "description": raw.get("description", ""),
        "command": task.command,
        "inputs": raw.get("inputs") or [],
        "allow_paths": raw.get("allow_paths") or [],
        "allow_empty": raw.get("allow_empty", False),
    }
    return render(
        "task.md.j2",
        project=project,
        check=check,
        feedback=feedback,
        previous=previous,
        start=start,
        note=str(raw.get("note") or ""),
        rules=rules,
        task=told,
    )


def for_resumed(task: Task, feedback: str, check: str, folder: Path) -> str:
    """What an agent is told whose session goes on: what is new since, and nothing else."""
    return render(
        "resume.md.j2",
        id=task.id,
        title=task.title,
        feedback=feedback,
        check=check,
        folder=folder,
        note=str(task.raw.get("note") or ""),
    )


def for_review(task: Task, evidence: list[dict[str, Any]], diff: bytes) -> str:
    """What a reviewer is asked about a change; a long diff is cut, and the prompt says so."""
    return render(
        "review.md.j2",
        title=task.title,
        description=str(task.raw.get("description") or ""),
        evidence=evidence,
        diff=diff[:DIFF_LIMIT].decode("utf-8", "replace"),
        cut=len(diff) > DIFF_LIMIT,
    )


def for_pull_request(
    outcome: dict[str, Any], votes: list[dict[str, Any]], description: str, riders: list[str]
) -> str:
    """The body of a pull request: what was asked, who decided what. Quoted text cannot leave its fence."""
    quoted = [description, str(outcome["title"])]
    quoted += [str(one["reason"]) for vote in votes for one in vote["ballots"]]
    quoted += [str(one["why"]) for vote in votes for one in vote["absent"]]
    longest = max((len(run) for text in quoted for run in re.findall("`+", text)), default=0)
    return render(
        "pull-request.md.j2",
        fence="`" * max(3, longest + 1),
        outcome=outcome,
        votes=votes,
        description=clean(description).strip(),
        riders=riders,
    )
