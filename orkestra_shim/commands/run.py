"""start, stop, pause, resume, status: a run over a project."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from orkestra_shim.commands import as_json, say, say_json, session, with_project

if TYPE_CHECKING:
    from orkestra_shim.session import Session


@click.command()
@with_project
@click.option("--stay", is_flag=True, help="Wait for more when nothing is left to do.")
@click.option("--workers", type=click.IntRange(1, 256), help="How many tasks at the same time.")
@click.option("--only", multiple=True, metavar="TASK", help="Nothing but this task and what it waits for.")
@click.option(
    "--until",
    metavar="TIME",
    help="Begin nothing from then on: 07:00, or an ISO time. What is under way is brought to its end.",
)
@click.option(
    "--no-wait", is_flag=True, help="Leave with 75 where all that is left waits for a limit to end."
)
@click.option(
    "--max-cost", metavar="USD", help="Begin nothing that may cost more than is left of these dollars."
)
@click.option(
    "--dry-run", is_flag=True, help="Say in which order who would do what, and at what cost; do nothing."
)
@click.option(
    "--anyway", is_flag=True, help="Go on although the project's check fails before anything was done."
)
@click.option("--plain", is_flag=True, help="Lines as they come, also in a terminal.")
def start(
    wanted: str | None,
    stay: bool,
    workers: int | None,
    only: tuple[str, ...],
    until: str | None,
    no_wait: bool,
    max_cost: str | None,
    dry_run: bool,
    anyway: bool,
    plain: bool,
) -> int:
    """Work through the queue until nothing is left to do.

    In a terminal it shows one screen of what every worker is at; `orkestra watch` shows it again elsewhere.

    Exit: 0 all done; 1 a task failed or needs a person; 16 another run holds the project; 69 no agent can
    work; 75 limited, or a budget is used up; 130, 143 stopped.
    """
    from orkestra_shim import scripts

    now = session()
    found = now.find(wanted)
    if dry_run:
        from orkestra_shim import dryrun

        say(f"project {found.name} ({found.path})")
        for line in dryrun.Plan(now, found, only, max_cost or "").lines():
            say(line)
        return 0
    arguments = ["start", "--project", str(found.path)]
    arguments += ["--stay"] * stay + ["--no-wait"] * no_wait + ["--anyway"] * anyway
    arguments += ["--workers", str(workers)] if workers else []
    arguments += ["--until", until] if until else []
    arguments += ["--max-cost", max_cost] if max_cost is not None else []
    for task in only:
        arguments += ["--only", task]
    say(f"project {found.name} ({found.path})")
    if not plain and sys.stdout.isatty():
        from orkestra_shim import screen

        code = screen.run(now, found, arguments)
        if code is not None:
            return code
    scripts.become(now.home, now.values, "CORE/orchestrator.sh", arguments)
    return 0


@click.command()
@with_project
def stop(wanted: str | None) -> None:
    """End the run that goes on; what is under way is kept."""
    from orkestra_shim import scripts

    now = session()
    found = now.find(wanted)
    say(f"project {found.name} ({found.path})")
    scripts.become(now.home, now.values, "CORE/orchestrator.sh", ["stop", "--project", str(found.path)])


def _with_part(command: Callable[..., None]) -> Callable[..., None]:
    agent = click.option("--agent", metavar="AGENT", help="Only what this agent would do.")
    task = click.option("--task", metavar="TASK", help="Only this task.")
    return agent(task(command))


@click.command()
@with_project
@_with_part
def pause(wanted: str | None, agent: str | None, task: str | None) -> None:
    """Give out no more tasks until `resume`; what is under way is brought to its end.

    It holds for the run that goes on, and for every later one.
    """
    _pause_or_resume(wanted, agent, task, True)


@click.command()
@with_project
@_with_part
def resume(wanted: str | None, agent: str | None, task: str | None) -> None:
    """Give out tasks again; without --agent and --task, everything that is paused."""
    _pause_or_resume(wanted, agent, task, False)


def _pause_or_resume(wanted: str | None, agent: str | None, task: str | None, stops: bool) -> None:
    from orkestra_shim import agents, board, pauses
    from orkestra_shim.home import scripts_folder

    if agent and task:
        raise click.UsageError("--agent and --task are two pauses: give one of them")
    now = session()
    found = now.find(wanted)
    git_dir = board.git_folder(found)
    known = pauses.read(git_dir)
    if task is not None and task not in known.tasks:
        board.row_of(board.read(now, found), task)
    if agent is not None and agent not in known.agents:
        agents.need_known(agent, scripts_folder(now.home.root), now.home.config)
    edit = pauses.Pauses.pause if stops else pauses.Pauses.resume
    before, after = pauses.change(git_dir, lambda old: edit(old, agent or "", task or ""))
    already = "already " if stops and before == after else ""
    told = f"{already}paused: {after.words()}" if after else "nothing is paused"
    say(f"{found.name}: {told}")


@click.command()
@with_project
@as_json
@click.option("--since", metavar="TIME", help="What happened from then on: yesterday, 8h, 22:00, 2026-11-22.")
def status(wanted: str | None, as_json: bool, since: str | None) -> None:
    """Show where the project stands, or what happened since a time."""
    from orkestra_shim import board, standing

    now = session()
    if since is not None:
        _since(now, wanted, as_json, since)
        return
    seen = board.read(now, now.find(wanted))
    if as_json:
        say_json(standing.told(now, seen))
        return
    for line in standing.lines(now, seen):
        say(line)


def _since(now: Session, wanted: str | None, as_json: bool, since: str) -> None:
    from orkestra_shim import board, clock, morning

    moment = clock.moment(since)
    found = now.find(wanted)
    told = morning.report(now, board.read(now, found), moment)
    if as_json:
        say_json({"project": {"name": found.name, "id": found.id, "path": str(found.path)}, **told})
        return
    say(f"project {found.name} ({found.path}) since {clock.shown(moment)}")
    for line in morning.lines(told):
        say(line)
