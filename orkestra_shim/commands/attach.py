"""attach: a person in the workspace of a task."""

from __future__ import annotations

import click

from orkestra_shim.commands import is_terminal, say, session, with_project
from orkestra_shim.errors import EX_USAGE, OrkestraError


@click.command()
@click.argument("name", metavar="TASK")
@with_project
@click.option("--shell", is_flag=True, help="A shell, also where the tool's own session could be opened.")
def attach(name: str, wanted: str | None, shell: bool) -> int | None:
    """Work on a task yourself: its sandboxed workspace opens, in the tool's own session where it has one.

    When you leave, what you have changed goes on at the check, the gates and the vote, as any attempt.
    """
    import sys

    from orkestra_shim import board, scripts, terminal
    from orkestra_shim.attaching import Attachment
    from orkestra_shim.place import Place

    now = session()
    found = now.find(wanted)
    seen = board.read(now, found)
    board.row_of(seen, name)
    if seen.document.tasks[seen.document.positions[name]].asks:
        raise OrkestraError(
            EX_USAGE, f"{name} is a question: nobody works on it", f"orkestra task show {name} shows it"
        )
    if not (is_terminal() and sys.stdout.isatty()):
        raise OrkestraError(EX_USAGE, "attach needs a terminal", "call it in one")
    place = Place(now, found)
    attached = Attachment(place, seen, name)
    begun = attached.open()
    agent, known = attached.session() if not shell else (attached.agents.get("shell"), "")
    what = f"the session of {agent.name}" if known else "a shell"
    say(f"{name}: {what}, in its workspace {begun.said}")
    say("  what you change goes to the check, the gates and the vote when you leave")
    try:
        attached.let_in(agent, known)
    except terminal.Gone as gone:
        say(f"{name}: what was done stays where it is: orkestra attach {name} goes on", err=True)
        return 128 + gone.signal
    number = attached.hand_over(begun)
    if not number:
        say(f"{name}: nothing has changed")
        return None
    attached.hands.close()
    waits = attached.waits_for()
    if place.is_running:
        say(f"{name}: handed over as attempt {number}; the run that goes on takes it in")
    elif waits:
        say(f"{name}: kept as attempt {number}; goes on when {', '.join(waits)} is done: orkestra start")
    else:
        say(f"{name}: handed over as attempt {number}")
        arguments = ["start", "--project", str(found.path), "--only", name]
        scripts.become(now.home, now.values, "CORE/orchestrator.sh", arguments)
    return None
