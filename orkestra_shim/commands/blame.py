"""blame: who answers for a line."""

from __future__ import annotations

import click

from orkestra_shim.commands import as_json, say, say_json, session, with_project


@click.command()
@click.argument("place", metavar="FILE[:LINE]")
@with_project
@as_json
def blame(place: str, wanted: str | None, as_json: bool) -> None:
    """Say which task gave a line, who wrote and who approved it, on what evidence, and what undoes it.

    FILE is meant from the current folder inside the project, else from its top; lines are counted as in the
    checkout while that is on the project's branch. Without LINE: who answers for which lines.

    A commit is a task's when a record names it with what it holds, whatever its message says; so is what a
    rebase or a host has made of it, with the same patch. orkestra verify says whether the records hold.

    orkestra schema blame has the shape of what --json prints.
    """
    from orkestra_shim import blame as asking
    from orkestra_shim.text import word

    found = session().find(wanted)
    told = asking.blame(found, place, f" --project {word(wanted)}" if wanted else "")
    if as_json:
        say_json(told)
        return
    for line in asking.lines(told):
        say(line)
