"""task ...: what is in the queue, and what a person does with it. Long: a group of nine commands."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from orkestra_shim.commands import (
    Group,
    as_json,
    is_terminal,
    say,
    say_json,
    session,
    task_line,
    with_project,
)
from orkestra_shim.errors import EX_FAILED, EX_USAGE, OrkestraError

if TYPE_CHECKING:
    from orkestra_shim.board import Board
    from orkestra_shim.project import Project
    from orkestra_shim.session import Session


@click.group(cls=Group)
def task() -> None:
    """Add, list, show and change tasks, put them back to work, give them up."""


def fields(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say what a task is."""
    for option in reversed(
        (
            click.option("--description", "-d", help="What is to be done; '-' reads it from stdin."),
            click.option("--depends-on", multiple=True, metavar="TASK", help="Must be completed before."),
            click.option(
                "--prefer-after", multiple=True, metavar="TASK", help="Better after this one, if it can be."
            ),
            click.option(
                "--priority",
                type=click.Choice(["critical", "high", "medium", "low"]),
                help="What is begun first; medium without one.",
            ),
            click.option("--agent", metavar="AGENT", help="Who does it; 'auto' without one."),
            click.option("--command", help="For the agent shell: what it executes."),
            click.option(
                "--input", "inputs", multiple=True, metavar="PATH", help="A file that must be there before."
            ),
            click.option(
                "--allow-path",
                "allow_paths",
                multiple=True,
                metavar="GLOB",
                help="What the change may touch.",
            ),
            click.option("--check", help="The command that must succeed; without one, the project's."),
            click.option("--timeout", type=int, metavar="SECONDS", help="For an attempt; 1800 without one."),
            click.option("--max-attempts", type=int, metavar="N", help="Then it has failed; 3 without."),
            click.option("--candidates", type=int, metavar="N", help="So many agents try it; one is chosen."),
            click.option(
                "--allow-empty", is_flag=True, default=None, help="Changing nothing is an answer too."
            ),
        )
    ):
        command = option(command)
    return command


def _given(values: dict[str, Any]) -> dict[str, Any]:
    """The fields that were given, as the queue file has them."""
    if values.get("description") == "-":
        values["description"] = sys.stdin.read()
    listed = {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
    return {key: value for key, value in listed.items() if value not in (None, [])}


@task.command()
@click.argument("title")
@with_project
@click.option("--id", "name", help="Without one, a short random id is made.")
@fields
def add(title: str, wanted: str | None, name: str | None, **values: Any) -> None:
    """Add a task to the queue."""
    from orkestra_shim import editing

    given = _given({"title": title, **values})
    usual = {"depends_on": [], "priority": "medium", "agent": "shell" if given.get("command") else "auto"}
    now = session()
    found = now.find(wanted)
    if "agent" in given:
        _need_agent(now, given["agent"])
    made = editing.add(found, {"id": name, **usual, **given, "status": "pending"})
    say(f"added {made} to {found.name}")


@task.command(name="list")
@with_project
@as_json
@click.option(
    "--state", "states", metavar="STATE", multiple=True, help="Only those in this state (may be given again)."
)
def task_list(wanted: str | None, as_json: bool, states: tuple[str, ...]) -> None:
    """List the tasks and where each stands."""
    from orkestra_shim import board

    now = session()
    seen = board.read(now, now.find(wanted))
    unknown = set(states) - set(board.ORDER) - {"pending"}
    if unknown:
        raise OrkestraError(
            EX_USAGE, f"unknown state {sorted(unknown)[0]}", "states: " + ", ".join(board.ORDER)
        )
    rows = [
        row for row in seen.rows.values() if not states or row["state"] in states or row["status"] in states
    ]
    if as_json:
        say_json(rows)
        return
    width = max((len(row["id"]) for row in rows), default=0)
    for row in rows:
        say(task_line(row, width))
    if not rows:
        say("no tasks" if not states else "no such tasks")


@task.command()
@click.argument("name", metavar="TASK")
@with_project
@as_json
def show(name: str, wanted: str | None, as_json: bool) -> None:
    """Show one task: what is wanted, what happened, what was kept."""
    from orkestra_shim import board, onetask

    now = session()
    details = onetask.everything(board.read(now, now.find(wanted)), name)
    if as_json:
        say_json(details)
        return
    raw = details["task"]
    say(f"{details['id']}: {' '.join(details['title'].split())}")
    say(
        f"  state: {details['state']}"
        + (f" ({' '.join(details['reason'].split())})" if details["reason"] else "")
    )
    for key in ("agent", "priority", "depends_on", "prefer_after", "inputs", "allow_paths", "check",
                "candidates", "note", "from_attempt", "source"):  # fmt: skip
        value = raw.get(key)
        if value:
            say(f"  {key}: {', '.join(map(str, value)) if isinstance(value, list) else value}")
    for key in ("description", "command"):
        if raw.get(key):
            say(f"  {key}:")
            for line in str(raw[key]).splitlines():
                say(f"    {line}")
    _say_history(details)


def _say_history(details: dict[str, Any]) -> None:
    from orkestra_shim import contenders

    for outcome in details["outcomes"]:
        change = outcome.get("change") or {}
        votes = ", ".join(str(vote.get("id")) for vote in outcome.get("votes", []) if isinstance(vote, dict))
        say(f"  {outcome['id']}: {outcome.get('decision')}, by {outcome.get('agent')}, reviewed by "
            f"{outcome.get('reviewed_by')}" + (f" ({votes})" if votes else ""))  # fmt: skip
        if change.get("commit"):
            say(f"    change {str(change['commit'])[:12]}: git show {str(change['commit'])[:12]}")
        if outcome.get("why"):
            say(f"    {' '.join(str(outcome['why']).split())[:300]}")
    for line in contenders.lines(details.get("candidates", []), details["id"]):
        say(line)
    for kept in details["kept"]:
        say(f"  kept work: {kept['ref']} {kept['commit'][:12]} ({kept['date']}) {kept['subject']}")
    for one in details["tries"]:
        by = f"{one['agent']} ({one['chosen']}): " if "chosen" in one else ""
        say(f"  try {one['try']}: {by}{one['folder']}")


@task.command()
@click.argument("names", metavar="TASK...", nargs=-1, required=True)
@with_project
@click.option("--yes", is_flag=True, help="What they execute has been looked at; do not ask.")
def accept(names: tuple[str, ...], wanted: str | None, yes: bool) -> None:
    """Let proposed tasks run, all of them or none. What they would execute is shown and asked about."""
    from orkestra_shim import board, editing

    found = session().find(wanted)
    shown = {task.id: dict(task.raw) for task in board.queue_of(found).tasks if task.id in names}
    executes = [
        (name, key)
        for name, raw in shown.items()
        for key in ("command", "check")
        if raw.get("status") == "proposed" and str(raw.get(key) or "").strip()
    ]
    for name, key in executes:
        say(f"{name} was proposed with this {key} ({shown[name].get('source') or 'by somebody'}):")
        for line in str(shown[name][key]).splitlines():
            say(f"    {line}")
    if executes and not yes:
        if not is_terminal():
            why = "nothing is accepted: look at what would be executed"
            raise OrkestraError(EX_USAGE, why, "then do the same with --yes")
        click.confirm("Shall it be executed?", abort=True)
    editing.accept(found, names, shown)
    for name in names:
        say(f"{name} is accepted; orkestra start works on it")


@task.command(name="import")
@click.argument("path", metavar="FILE|-")
@with_project
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "github", "taskmaster", "csv"]),
    help="Without it, told by the file's name and how it begins.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be added, in order; change nothing.")
@click.option("--agent", default="", metavar="AGENT", help="Who does what the file gives no agent.")
@click.option("--priority", type=click.Choice(["critical", "high", "medium", "low"]),
              help="Of what the file gives no priority.")  # fmt: skip
@click.option("--skip-unknown", is_flag=True, help="Leave out dependencies on what is not in the file.")
def import_(
    path: str,
    wanted: str | None,
    form: str | None,
    dry_run: bool,
    agent: str,
    priority: str | None,
    skip_unknown: bool,
) -> None:
    """Add the tasks of a checklist, of GitHub's issues, of Task Master or of a table.

    What was imported before is not added twice; what is done is left out. A task for which the file says
    what to execute, which agent, or what it may touch is a proposal until a person accepts it.
    """
    from orkestra_shim import board, editing, importing
    from orkestra_shim.incoming import line_of

    now = session()
    found = now.find(wanted)
    if agent:
        _need_agent(now, agent)
    read = importing.read(path, form or "")
    editing.need_no_key(read.file.text, read.file.name)
    read.agent, read.priority, read.skip_unknown = agent, priority or "", skip_unknown
    once = board.records_of(found).by_task
    plans = []

    def make(old: list[dict[str, Any]]) -> list[dict[str, Any]]:
        plans.append(read.plan(old, once))
        return plans[-1].new

    editing.extend(found, make, dry_run)
    plan = plans[-1]
    for raw in plan.new:
        proposed = ", a proposal" * (raw["status"] == "proposed")
        needs = f", after {', '.join(raw['depends_on'])}" if raw.get("depends_on") else ""
        say(f"{raw['id']}: {raw['title']} ({raw['agent']}, {raw['priority']}{needs}{proposed})")
    for name in dict.fromkeys(plan.left_out):
        say(f"left out: a dependency on '{line_of(name)[:80]}'", err=True)
    counts = {"imported before": len(plan.known), "done": plan.done}
    more = "".join(f", {count} {what}" for what, count in counts.items() if count)
    said = f"would be added to {found.name}" if dry_run else f"added to {found.name}"
    say(f"{len(plan.new)} {said}{more}" if read.items else f"no tasks in {read.file.name}")
    proposals = [raw["id"] for raw in plan.new if raw["status"] == "proposed"]
    if proposals and not dry_run:
        say(f"proposals are {len(proposals)}; look at each: orkestra task show {proposals[0]}")
        say("  then: orkestra task accept TASK...")


@task.command()
@click.argument("name", metavar="TASK")
@with_project
@click.option("--note", default="", help="What the agent is told.")
@click.option("--agent", default="", metavar="AGENT", help="Another agent for this task.")
@click.option(
    "--from-attempt",
    "attempt",
    type=click.IntRange(1),
    metavar="N",
    help="Go on from its kept work (task show).",
)
def retry(name: str, wanted: str | None, note: str, agent: str, attempt: int | None) -> None:
    """Put a task that failed, waits for a person or was cancelled back to work."""
    from orkestra_shim import board, editing, onetask

    now = session()
    found = now.find(wanted)
    seen = board.read(now, found)
    row = board.row_of(seen, name)
    if onetask.decided(seen, name) not in ("failed", "needs_human", "cancelled", "completed"):
        hint = "orkestra task cancel takes it from its worker" if row["state"] == "in_progress" else ""
        raise OrkestraError(EX_USAGE, f"{name} is {row['state']}: there is nothing to do again", hint)
    if agent:
        _need_agent(now, agent)
    if attempt and attempt not in (kept := onetask.kept_attempts(found, name)):
        shown = ", ".join(map(str, kept)) or "none"
        raise OrkestraError(EX_USAGE, f"attempt {attempt} at {name} is not kept", f"kept are: {shown}")
    outcome = seen.branch.by_task.get(name)
    if row["outcome"] and (outcome is None or outcome["id"] != row["outcome"]):
        outcome = {"id": row["outcome"]}  # of a pull request that is not merged
    editing.retry(found, name, outcome, note, agent, attempt or 0)
    say(f"{name} is put back to work; {_who_works(seen)}")


def _need_agent(now: Session, name: str) -> None:
    from orkestra_shim import agents
    from orkestra_shim.home import scripts_folder

    agents.need_known(name, scripts_folder(now.home.root), now.home.config, "auto")


def _who_works(seen: Board) -> str:
    return "the run that goes on takes it in" if seen.run else "orkestra start works on it"


@task.command()
@click.argument("name", metavar="TASK")
@with_project
@click.option("--title", help="One line; the subject of the commit.")
@fields
@click.option("--unset", multiple=True, metavar="KEY", help="Take a field away, such as check or depends_on.")
def edit(name: str, wanted: str | None, unset: tuple[str, ...], **values: Any) -> None:
    """Change a task; without options in your editor ($VISUAL or $EDITOR), as JSON."""
    from orkestra_shim import board, editing

    now = session()
    found = now.find(wanted)
    seen = board.read(now, found)
    row = board.row_of(seen, name)
    given = _given(values)
    if "agent" in given:
        _need_agent(now, given["agent"])
    unset = tuple(key.replace("-", "_") for key in unset)
    if "id" in unset:
        raise OrkestraError(EX_USAGE, "a task needs its id", "--unset takes the other keys")
    if given or unset:
        editing.edit(found, name, given, unset)
    elif not _edit_by_hand(found, seen.document.tasks[seen.document.positions[name]].raw):
        say(f"{name} is as it was")
        return
    say(f"{name} is changed" + ("; it counts from its next attempt on" * (row["state"] == "in_progress")))


def _edit_by_hand(found: Project, raw: dict[str, Any]) -> bool:
    from orkestra_shim import editing, editor

    command = editor.command() or (["vi"] if is_terminal() else [])
    if not command:
        raise OrkestraError(EX_USAGE, "nothing to change was given", "give options (--help), or set EDITOR")
    after = editor.edited(raw, command)
    if after is not None:
        editing.replace(found, raw, after)
    return after is not None


@task.command()
@click.argument("names", metavar="TASK...", nargs=-1, required=True)
@with_project
@click.option("--why", default="", help="A reason, for whoever looks at it later.")
def cancel(names: tuple[str, ...], wanted: str | None, why: str) -> None:
    """Give tasks up. One that is being worked on is stopped, and what was done is kept."""
    from orkestra_shim import board, editing, onetask

    now = session()
    found = now.find(wanted)
    seen = board.read(now, found)
    for name in names:
        if onetask.decided(seen, name) == "completed":
            raise OrkestraError(
                EX_USAGE, f"{name} is completed", f"orkestra undo {name} takes its change back"
            )
    editing.cancel(found, names, why)
    onetask.let_land(now, found, names)
    after = board.read(now, found)
    for name in names:
        if after.rows[name]["status"] == "completed":
            raise OrkestraError(
                EX_FAILED,
                f"{name} landed as {after.rows[name]['outcome']} before it could be cancelled",
                f"orkestra undo {name} takes its change back",
            )
        stopped = seen.rows[name]["state"] == "in_progress"
        waiting = [
            row["id"] for row in after.rows.values() if name in row["depends_on"] and "waits_for" in row
        ]
        say(
            f"{name} is cancelled"
            + ("; its agent is being stopped, what was done is kept" if stopped else "")
            + (f"; {', '.join(waiting)} cannot be done without it" if waiting else "")
        )
        if pull := after.rows[name].get("pull_request"):
            say(f"  its pull request stays open, and counts if it is merged: close {pull}")
