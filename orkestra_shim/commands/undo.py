"""undo: a person takes a landed change back."""

from __future__ import annotations

import click

from orkestra_shim.commands import session, with_project


@click.command()
@click.argument("name", metavar="TASK")
@with_project
@click.option("--outcome", metavar="ID", help="An earlier landing of the task than its last one.")
@click.option("--anyway", is_flag=True, help="Although the project's check fails without the change.")
def undo(name: str, wanted: str | None, outcome: str | None, anyway: bool) -> None:
    """Land the reverse of a task's change, and say what was built on it.

    Exit: 0 it is undone; 1 nothing was changed, or it is undone and not pushed: which, and why, is said.
    """
    from orkestra_shim import board, scripts

    now = session()
    found = now.find(wanted)
    board.row_of(board.read(now, found), name)
    arguments = ["--project", str(found.path), *(["--outcome", outcome] if outcome else [])]
    scripts.become(now.home, now.values, "CORE/undo.sh", [*arguments, *["--anyway"] * anyway, name])
