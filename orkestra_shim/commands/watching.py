"""watch, log: a run that goes on, and what its attempts said."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from orkestra_shim.commands import say, session, with_project

if TYPE_CHECKING:
    from orkestra_shim.live import Watcher
    from orkestra_shim.project import Project
    from orkestra_shim.session import Session


@click.command()
@with_project
def watch(wanted: str | None) -> None:
    """Show the run that goes on, wherever it was started, until it ends. Ctrl-C leaves the run alone."""
    from orkestra_shim import live

    now = session()
    found = now.find(wanted)
    watcher = live.Watcher(now, found, from_now=False)
    if not watcher.is_running():
        say(f"{found.name}: no run goes on (orkestra status shows where it stands)")
        return
    if not sys.stdout.isatty():
        _plainly(watcher)
        return
    from orkestra_shim.screen import Screen, terminal

    console = terminal()
    if console is None:
        _plainly(watcher)
        return
    with Screen(watcher, console) as shown:
        shown.wait(lambda: not watcher.is_running())
    say(f"{found.name}: the run has ended (orkestra status shows where it stands)")


def _plainly(watcher: Watcher) -> None:
    """Lines as they come, for a pipe or a terminal that can do no more."""
    import time

    while True:
        goes_on = watcher.is_running()
        for task, what in watcher.news():
            say(f"{task:<24} {' '.join(what.split())}")
        sys.stdout.flush()
        if not goes_on:
            return
        time.sleep(1)


@click.command()
@click.argument("name", metavar="[TASK]", required=False)
@with_project
@click.option("-f", "--follow", "on", is_flag=True, help="Go on with what comes, while it is worked on.")
@click.option("--try", "number", type=click.IntRange(1), metavar="N", help="That attempt, not the newest.")
def log(name: str | None, wanted: str | None, on: bool, number: int | None) -> None:
    """Show what an attempt was asked, printed, and how it was judged; without TASK what happened."""
    if name is None and number is not None:
        raise click.UsageError("--try goes with a TASK")
    now = session()
    found = now.find(wanted)
    if name is None:
        _history(now, found, on)
    else:
        _attempt(now, found, name, on, number)


def _history(now: Session, found: Project, on: bool) -> None:
    from orkestra_shim import live

    watcher = live.Watcher(now, found, from_now=False, whole=True)
    if on:
        _plainly(watcher)
        return
    lines = [f"{task:<24} {' '.join(what.split())}" for task, what in watcher.news()]
    for line in lines or [
        f"no run of {found.name} is logged on this machine; orkestra vote list has the records"
    ]:
        say(line)


def _attempt(now: Session, found: Project, name: str, on: bool, number: int | None) -> None:
    from orkestra_shim import attemptlog, board

    board.row_of(board.read(now, found), name)
    chosen = attemptlog.last(found, name, number)

    def tell(line: str) -> None:
        say(line)
        sys.stdout.flush()

    for line in attemptlog.lines(found, name, chosen):
        tell(line)
    if on:
        attemptlog.follow(now, found, name, chosen, tell)
