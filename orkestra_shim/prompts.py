"""Prompts for agents, from Jinja2 templates; what is quoted is fenced, and keys never enter.

A project may have its own for those of OWN (`overrides`).
"""

from __future__ import annotations

import functools
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import excerpt, polled
from .excerpt import Excerpt
from .overrides import NONE, Overrides
from .ranking import Paper
from .tasks import Task
from .text import clean

DIFF_LIMIT = 200_000
RULES_LIMIT = 32_768
TASK, RESUME, REVIEW, FEEDBACK = "task.md.j2", "resume.md.j2", "review.md.j2", "feedback.md.j2"
OWN = (TASK, RESUME, REVIEW, FEEDBACK)
POLL, PROPOSE, PLAN = "poll.md.j2", "propose.md.j2", "plan.md.j2"


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


def render(template: str, values: dict[str, Any], own: Overrides = NONE) -> str:
    """The text of the project's own TEMPLATE, else of prompts/TEMPLATE; `mark` is a fresh marker."""
    values = {"mark": marker(), **values}
    made = own.render(template, values)
    return str(_template(template).render(values)) if made is None else made


def task_values(
    task: Task, project: str, check: str, feedback: str, previous: bool, start: int, rules: str
) -> dict[str, Any]:
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
    return {
        "project": project,
        "check": check,
        "feedback": feedback,
        "previous": previous,
        "start": start,
        "note": str(raw.get("note") or ""),
        "rules": rules,
        "task": told,
    }


def resume_values(task: Task, feedback: str, check: str, folder: Path) -> dict[str, Any]:
    """What an agent is told whose session goes on: what is new since, and nothing else."""
    return {
        "id": task.id,
        "title": task.title,
        "feedback": feedback,
        "check": check,
        "folder": folder,
        "note": str(task.raw.get("note") or ""),
    }


def review_values(task: Task, evidence: list[dict[str, Any]], shown: Excerpt) -> dict[str, Any]:
    """What a reviewer is asked about a change; of a large one it names the files that are not shown."""
    return {
        "title": task.title,
        "description": str(task.raw.get("description") or ""),
        "evidence": evidence,
        "diff": shown.text,
        "cut": bool(shown.left_out),
        "left_out": shown.left_out[: excerpt.NAMED],
        "more_left_out": max(0, len(shown.left_out) - excerpt.NAMED),
    }


def poll_values(
    intro: str, question: str, paper: Paper, texts: Mapping[str, str], views: Sequence[Mapping[str, str]] = ()
) -> dict[str, Any]:
    """What a member is asked in a vote that is no review. intro: a sentence of ours on what it is about.

    views: {"vote", "reason"} of the ballots of a round before, of nobody's.
    """
    return {
        "intro": intro,
        "question": question,
        "form": paper.form,
        "options": paper.rows(texts) if paper.options else [],
        "example": json.dumps([[one] for one in paper.letters[:1]] + [list(paper.letters[1:3])]),
        "views": views,
    }


def feedback_values(why: str, detail: str) -> dict[str, Any]:
    """Why the last try was not taken, and the evidence of it."""
    return {"why": why, "detail": detail}


def samples() -> dict[str, list[dict[str, Any]]]:
    """For each prompt that a project may have its own of: values with all there can be, and with nothing."""
    bare = Task({"id": "sample", "title": "A sample"}, 0)
    full = Task(
        {
            **bare.raw,
            "description": "What is to be done.\nIn two lines.",
            "command": "make it\nso",
            "inputs": ["src/brief.md"],
            "allow_paths": ["src/**", "docs/*.md"],
            "allow_empty": True,
            "note": "A person's word.",
        },
        0,
    )
    evidence = [{"check": "make test", "exit": 0, "log_sha256": "0" * 64, "tree": "0" * 40}]
    return {
        TASK: [
            task_values(bare, "sample", "", "", False, 0, ""),
            task_values(full, "sample", "make test", "It failed.", True, 2, "Be kind."),
        ],
        RESUME: [
            resume_values(bare, "", "", Path("/there")),
            resume_values(full, "It failed.", "make test", Path("/there")),
        ],
        REVIEW: [
            review_values(bare, [], excerpt.of(b"+one\n", DIFF_LIMIT)),
            review_values(full, evidence, excerpt.of(b"+one\n" * (DIFF_LIMIT // 5 + 1), DIFF_LIMIT)),
        ],
        FEEDBACK: [feedback_values("It failed.", ""), feedback_values("It failed.", "assert 7 == 8")],
    }


def for_pull_request(
    outcome: dict[str, Any], votes: list[dict[str, Any]], description: str, riders: list[str]
) -> str:
    """The body of a pull request: what was asked, who decided what. Quoted text cannot leave its fence."""
    quoted = [description, str(outcome["title"])]
    quoted += [str(one["reason"]) for vote in votes for one in vote["ballots"]]
    quoted += [polled.said(one) for vote in votes for one in vote["ballots"]]
    quoted += [str(one["why"]) for vote in votes for one in vote["absent"]]
    longest = max((len(run) for text in quoted for run in re.findall("`+", text)), default=0)
    values = {
        "fence": "`" * max(3, longest + 1),
        "outcome": outcome,
        "votes": votes,
        "said": polled.said,
        "description": clean(description).strip(),
        "riders": riders,
    }
    return render("pull-request.md.j2", values)
