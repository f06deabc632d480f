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

    \b
    --json prints one object:
      file, line, text           as asked for; without a line, line and text are null
      branch, head, checkout     what was read; checkout: with what is not committed there
      lines                      [{first, last, kind, commit, task, outcome, records, author, mail, date,
                                 subject, claims, undo}]; kind is task, undo (a task taken back), record,
                                 person or uncommitted; claims: what a message says and no record
      outcomes                   {ID: {outcome, task, title, decision, why, attempt, recorded_at, commit,
                                 agent, family, by, undoes, reviewed_by, approved, abstained, dissented,
                                 votes, evidence, gates, cost, prompt, undone_by, undo}}; of these
                                 approved, abstained, dissented are [{member, is, vote, choice,
                                 reason}], prompt is {path, text} or null

    A commit is a task's when a record names it with what it holds, whatever its message says; so is what a
    rebase or a host has made of it, with the same patch. orkestra verify says whether the records hold.
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
