"""start, stop, status: a run over a project."""

from __future__ import annotations

import click

from orkestra_shim.commands import as_json, say, say_json, session, task_line, with_project


@click.command()
@with_project
@click.option("--stay", is_flag=True, help="Wait for more when nothing is left to do.")
@click.option("--workers", type=click.IntRange(1, 64), help="How many tasks at the same time.")
@click.option("--only", multiple=True, metavar="TASK", help="Nothing but this task and what it waits for.")
@click.option(
    "--anyway", is_flag=True, help="Go on although the project's check fails before anything was done."
)
def start(wanted: str | None, stay: bool, workers: int | None, only: tuple[str, ...], anyway: bool) -> None:
    """Work through the queue until nothing is left to do."""
    from orkestra_shim import scripts

    now = session()
    found = now.find(wanted)
    arguments = ["start", "--project", str(found.path)]
    arguments += ["--stay"] * stay + ["--anyway"] * anyway
    arguments += ["--workers", str(workers)] if workers else []
    for task in only:
        arguments += ["--only", task]
    say(f"project {found.name} ({found.path})")
    scripts.become(now.home, now.values, "CORE/orchestrator.sh", arguments)


@click.command()
@with_project
def stop(wanted: str | None) -> None:
    """End the run that goes on; what is under way is kept."""
    from orkestra_shim import scripts

    now = session()
    found = now.find(wanted)
    say(f"project {found.name} ({found.path})")
    scripts.become(now.home, now.values, "CORE/orchestrator.sh", ["stop", "--project", str(found.path)])


@click.command()
@with_project
@as_json
def status(wanted: str | None, as_json: bool) -> None:
    """Show where the project stands."""
    from orkestra_shim import board

    now = session()
    found = now.find(wanted)
    seen = board.read(now, found)
    if as_json:
        say_json(
            {
                "project": {
                    "name": found.name,
                    "id": found.id,
                    "path": str(found.path),
                    "branch": found.branch,
                },
                "run": seen.run,
                "counts": seen.counts(),
                "tasks": list(seen.rows.values()),
            }
        )
        return
    say(f"project {found.name} ({found.path}), branch {found.branch}")
    run = seen.run
    say(
        f"a run goes on since {run['since']} (process {run['process']} on {run['host']})"
        if run
        else "no run goes on"
    )
    counts = seen.counts()
    summary = ", ".join(f"{number} {state}" for state, number in counts.items())
    say(f"{len(seen.rows)} tasks: {summary}" if counts else "no tasks yet: orkestra task add TITLE")
    for row in seen.rows.values():
        if row["state"] in ("in_progress", "needs_human", "failed"):
            say(task_line(row, 0))
