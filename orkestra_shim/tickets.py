"""Tickets: what a worker needs to know of an attempt or a ballot, as plain files that Bash reads."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from . import agentname, committee, files, freshness, prompts, resuming, shares
from .agents import Agent
from .excerpt import Excerpt
from .plumbing import DIFF
from .tasks import DEFAULT_TIMEOUT
from .work import Place

if TYPE_CHECKING:
    from .agents import Agents
    from .run import Run
    from .work import Work

BALLOTS = "ballots"  # tickets of reviewers, in the worker's own
BALLOT_TIMEOUT = 600
_PATCH_LIMIT = 8 << 20  # bytes of an earlier change that are handed over
Exchange = dict[str, bytes | str]  # files that the agent gets to see, by name


class Learner(Protocol):
    """Who has to know a key when it sees one."""

    def learn_login(self, path: Path) -> None:
        """The tokens in this file are keys from now on."""


class Desk(Protocol):
    """Who writes tickets: a run, or a person who is attached."""

    @property
    def agents(self) -> Agents:
        """Of this home."""

    @property
    def redact(self) -> Learner:
        """What is told of the logins that are handed out."""


# --- a task -------------------------------------------------------------------------------------------------


def for_task(run: Run, work: Work) -> None:
    """Write the ticket of a try, and its prompt into the folder of the try. Raises 73."""
    raw = work.task.raw
    left = run.purse.most(work.task.id, work.number, "seconds")
    work.seconds = int(raw.get("timeout", DEFAULT_TIMEOUT))
    if left is not None:
        work.seconds = max(1, min(work.seconds, left))
    check = check_of(run, work)
    resuming.choose(run, work)
    exchange = _task_exchange(run, work, check)
    plain = {
        "task": work.task.id,
        "try": str(work.number),
        "timeout": str(work.seconds),
        "check": check,
        "check-timeout": str(run.project.check_timeout),
        "title": work.task.title,
        "session": work.session,
        "session-stamp": resuming.stamp(run, work),
    }
    lists = {
        "allow-paths": raw.get("allow_paths") or [],
        "inputs": raw.get("inputs") or [],
        "binds": shares.triples(work.place, run.project.share),
        "sessions": [] if work.mode == "candidate" else run.agents.get(work.agent).sessions,
    }
    usd = run.purse.attempt_usd(work.task.id, work.number, work.agent)
    write(run, work.place, run.agents.get(work.agent), plain, lists, exchange, usd)
    told = exchange["resume.md" if work.session else "prompt.md"]
    files.write_plain(work.folder / "prompt.md", told, 0o644)


def for_question(run: Run, work: Work) -> None:
    """The ticket of a question, which no agent works on; what is asked goes into the folder of the try."""
    folder = work.place.folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    files.write_plain(folder / "binds", nul(shares.triples(work.place, run.project.share)))
    raw = work.task.raw
    files.write_plain(
        work.folder / "prompt.md", run.redact(str(raw.get("description") or work.task.title)), 0o644
    )


def check_of(run: Run, work: Work) -> str:
    """The command that must succeed for this task: its own, else the project's."""
    return str(work.task.raw.get("check") or "") or run.project.check


def _task_exchange(run: Run, work: Work, check: str) -> Exchange:
    task, state = work.task, run.state(work.task.id)
    told = prompts.feedback_values(_placeless(run, state.why), _placeless(run, state.detail))
    feedback = prompts.render(prompts.FEEDBACK, told, run.own) if state.why else ""
    previous = _previous_patch(run, task.id, state.previous or work.handed)
    values = prompts.task_values(
        task, run.project.name, check, feedback, previous is not None, work.start, _rules(run)
    )
    prompt = prompts.render(prompts.TASK, values, run.own)
    exchange: Exchange = {
        "prompt.md": run.redact(prompt),
        "task.json": json.dumps(run.redact.deep(task.raw), ensure_ascii=False, indent=2).encode(
            "utf-8", "replace"
        ),
    }
    if run.agents.get(work.agent).kind == "shell":
        exchange["command"] = task.command
    if work.session:
        told = prompts.resume_values(task, feedback, check, work.place.workspace / "tree")
        resumed = prompts.render(prompts.RESUME, told, run.own)
        exchange["resume.md"] = run.redact(resumed)
    if feedback:
        exchange["feedback.md"] = run.redact(feedback)
    if previous is not None:
        exchange["previous.patch"] = run.redact.bytes(previous)
    return exchange


def _previous_patch(run: Run, task: str, number: int) -> bytes | None:
    if not number:
        return None
    patch = files.read_bounded(run.attempts_folder / task / str(number) / "diff.patch", _PATCH_LIMIT)
    if patch is not None:
        return patch
    # The logs stay where they were written; a mirror has the kept work alone.
    git, kept = run.here.git, f"refs/orkestra/attempts/{task}/{number}"
    code, base, _ = git.attempt("merge-base", kept, run.branch.head)
    return git.run("diff-tree", *DIFF, base.decode().strip(), kept)[:_PATCH_LIMIT] if code == 0 else None


def _rules(run: Run) -> str:
    """The project's own instructions for agents."""
    if run.here.checkout.on_branch():
        data = files.read_bounded(run.here.project / "AGENTS.md", prompts.RULES_LIMIT)
    else:
        data = (run.here.git.blob(f"{run.branch.head}:AGENTS.md") or b"")[: prompts.RULES_LIMIT]
    return data.decode("utf-8", "replace").strip() if data else ""


def _placeless(run: Run, text: str) -> str:
    """Evidence without the places where it arose: the next try may be in another workspace."""
    here = run.here
    text = re.sub(rf"{re.escape(str(here.workspaces))}/w[0-9]+/tree(?![^/\s:'\"),\]])", ".", text)
    for place in (here.workspaces, here.runtime, here.project, here.config, here.logs):
        text = text.replace(str(place), "[elsewhere]")
    home = os.environ.get("HOME", "")
    return text.replace(f"{home}/", "~/") if home.strip("/") else text


# --- a ballot -----------------------------------------------------------------------------------------------


def for_ballot(run: Run, work: Work, vote: Path, member: str, diff: bytes, shown: Excerpt) -> Path:
    """Write a reviewer's ticket and return its folder; its prompt goes into the folder of the vote too.

    The ticket holds the reviewer's key: it is never in the logs, and goes when the vote is closed.
    """
    prompt = run.redact(
        prompts.render(prompts.REVIEW, prompts.review_values(work.task, work.evidence, shown), run.own)
    )
    given: Exchange = {"diff.patch": run.redact.bytes(diff)}
    return for_member(run, work, vote, member, prompt, committee.BALLOT_SCHEMA, given)


def for_member(
    run: Run,
    work: Work,
    vote: Path,
    member: str,
    prompt: str,
    schema: dict[str, Any],
    given: Exchange | None = None,
) -> Path:
    """The same for whatever is asked, with further files that the member gets."""
    timeout = min(BALLOT_TIMEOUT, int(work.task.raw.get("timeout", DEFAULT_TIMEOUT)))
    name = agentname.folder(member)
    place = Place(work.place.folder / BALLOTS / name, work.place.workspace, work.place.project)
    files.write_plain(files.make_below(vote, name) / "prompt.md", prompt, 0o644)
    exchange: Exchange = {"prompt.md": prompt, "schema.json": json.dumps(schema), **(given or {})}
    plain = {"timeout": str(timeout)}
    usd = run.purse.ballot_usd(work.task, work.number, member)
    write(run, place, run.agents.get(member), plain, {"binds": []}, exchange, usd)
    return place.folder


# --- the files ----------------------------------------------------------------------------------------------


def nul(items: Iterable[str]) -> str:
    """A list as Bash reads it with mapfile -d ''."""
    return "".join(f"{item}\0" for item in items)


def write(
    run: Desk,
    place: Place,
    agent: Agent,
    plain: Mapping[str, str],
    lists: Mapping[str, Iterable[str]],
    exchange: Exchange,
    usd: int | None = None,
) -> None:
    """Make the ticket folder anew. plain, lists and exchange add to what the agent itself gives.

    usd: micro-dollars that it may cost, for tools that can end themselves.
    """
    folder = place.folder
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.rmtree(folder / "exchange", ignore_errors=True)
    (folder / "exchange").mkdir(mode=0o700)
    texts = {"agent": agent.name, "adapter": agent.adapter, "base-mode": agent.revises, **plain}
    pairs = _credentials(run, agent)
    environment = run.agents.environment(agent)
    if usd:
        environment["ORKESTRA_MAX_USD"] = f"{usd // 1_000_000}.{usd % 1_000_000:06}"
    own = {
        "env": [f"{name}={value}" for name, value in environment.items()],
        "credentials": pairs,
        "stale": [one for one in pairs[::2] if freshness.stale(Path(one), float(plain["timeout"]))],
        "tool-read": agent.read,
    }
    for name, items in {**own, **lists}.items():
        texts[name] = nul(items)
    (folder / "binary").unlink(missing_ok=True)
    if agent.binary:
        texts["binary"] = agent.binary
    for name, text in texts.items():
        files.write_plain(folder / name, text)
    for name, content in exchange.items():
        files.write_plain(folder / "exchange" / name, content)


def logins(run: Desk, agent: Agent) -> list[Path]:
    """The login files that the agent gets."""
    return [Path(source) for source in _credentials(run, agent)[::2]]


def login_is_new(run: Run, work: Work) -> bool:
    """Whether the agent's login is another one than when the ticket was written."""
    written = (work.place.folder / "credentials").stat().st_mtime_ns
    return any(one.stat().st_mtime_ns > written for one in logins(run, run.agents.get(work.agent)))


def _credentials(run: Desk, agent: Agent) -> list[str]:
    """Pairs of what is copied and where to; the tokens in it are keys like any other from now on."""
    home = run.agents.home(agent)
    pairs = []
    for name in agent.credentials:
        source = Path(home) / name
        if home and ".." not in Path(name).parts and not name.startswith("/") and source.is_file():
            pairs += [str(source), name]
            run.redact.learn_login(source)
    return pairs
