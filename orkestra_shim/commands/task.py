"""task ...: what is in the queue, and what a person does with it."""

from __future__ import annotations

import sys
from typing import Any

import click

from orkestra_shim.commands import as_json, say, say_json, session, task_line, with_project
from orkestra_shim.errors import EX_USAGE, OrkestraError


@click.group()
def task() -> None:
    """Add, list and show tasks."""


@task.command()
@click.argument("title")
@with_project
@click.option("--id", "name", help="Without one, a short random id is made.")
@click.option("--description", "-d", help="What is to be done; '-' reads it from stdin.")
@click.option("--depends-on", multiple=True, metavar="TASK", help="Must be completed before.")
@click.option("--prefer-after", multiple=True, metavar="TASK", help="Better after this one, if it can be.")
@click.option("--priority", type=click.Choice(["critical", "high", "medium", "low"]))
@click.option("--agent", help="Who does it; 'auto' without one.")
@click.option("--command", help="For the agent shell: what it executes (makes it the agent).")
@click.option("--input", "inputs", multiple=True, metavar="PATH", help="A file that must be there before.")
@click.option("--allow-path", "allow_paths", multiple=True, metavar="GLOB", help="What the change may touch.")
@click.option("--check", help="The command that must succeed; without one, the project's.")
@click.option("--timeout", type=int, metavar="SECONDS")
@click.option("--max-attempts", type=int, metavar="N")
@click.option("--allow-empty", is_flag=True, help="Changing nothing is an answer too.")
def add(title: str, wanted: str | None, name: str | None, description: str | None, **given: Any) -> None:
    """Add a task to the queue."""
    from orkestra_shim import editing

    if description == "-":
        description = sys.stdin.read()
    fields: dict[str, Any] = {"id": name, "title": title, "description": description}
    fields |= {key: list(value) if isinstance(value, tuple) else value for key, value in given.items()}
    if fields.get("command") and not fields.get("agent"):
        fields["agent"] = "shell"
    kept = {key: value for key, value in fields.items() if value not in (None, [], False)}
    now = session()
    found = now.find(wanted)
    usual = {"depends_on": [], "priority": "medium", "agent": "auto"}
    made = editing.add(found, {"id": name, **usual, **kept, "status": "pending"})
    say(f"added {made} to {found.name}")


@task.command(name="list")
@with_project
@as_json
@click.option("--state", "states", multiple=True, help="Only those in this state (may be given again).")
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
    from orkestra_shim import board

    now = session()
    details = board.task_details(board.read(now, now.find(wanted)), name)
    if as_json:
        say_json(details)
        return
    raw = details["task"]
    say(f"{details['id']}: {' '.join(details['title'].split())}")
    say(
        f"  state: {details['state']}"
        + (f" ({' '.join(details['reason'].split())})" if details["reason"] else "")
    )
    for key in ("agent", "priority", "depends_on", "prefer_after", "inputs", "allow_paths", "check", "note"):
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
    for outcome in details["outcomes"]:
        change = outcome.get("change") or {}
        votes = ", ".join(str(vote.get("id")) for vote in outcome.get("votes", []) if isinstance(vote, dict))
        say(f"  {outcome['id']}: {outcome.get('decision')}, by {outcome.get('agent')}, reviewed by "
            f"{outcome.get('reviewed_by')}" + (f" ({votes})" if votes else ""))  # fmt: skip
        if change.get("commit"):
            say(f"    change {str(change['commit'])[:12]}: git show {str(change['commit'])[:12]}")
        if outcome.get("why"):
            say(f"    {' '.join(str(outcome['why']).split())[:300]}")
    for kept in details["kept"]:
        say(f"  kept work: {kept['ref']} {kept['commit'][:12]} ({kept['date']}) {kept['subject']}")
    for one in details["tries"]:
        say(f"  try {one['try']}: {one['folder']}")


@task.command()
@click.argument("name", metavar="TASK")
@with_project
def accept(name: str, wanted: str | None) -> None:
    """Let a proposed task run."""
    from orkestra_shim import editing

    found = session().find(wanted)
    editing.accept(found, name)
    say(f"{name} is accepted; orkestra start works on it")


@task.command()
@click.argument("name", metavar="TASK")
@with_project
@click.option("--note", default="", help="What the agent is told.")
def retry(name: str, wanted: str | None, note: str) -> None:
    """Put a task that failed, waits for a person or was cancelled back to work."""
    from orkestra_shim import board, editing

    now = session()
    found = now.find(wanted)
    row = board.row_of(board.read(now, found), name)
    if row["status"] not in ("failed", "needs_human", "cancelled", "completed"):
        raise OrkestraError(EX_USAGE, f"{name} is {row['state']}: there is nothing to do again")
    editing.retry(found, name, row["outcome"], note)
    say(f"{name} is put back to work; orkestra start works on it")
