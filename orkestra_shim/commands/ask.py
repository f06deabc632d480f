"""ask: a question to the committee."""

from __future__ import annotations

import click

from orkestra_shim.commands import as_json, say, say_json, session, with_project


@click.command()
@click.argument("question", metavar="QUESTION")
@with_project
@as_json
@click.option(
    "--options", multiple=True, metavar="A,B,C", help="The answers to choose from (may be given again)."
)
@click.option("--propose", is_flag=True, help="First each member may propose answers to choose from.")
@click.option("--discuss", is_flag=True, help="A second round, in which each has seen the reasons of all.")
@click.option("--method", metavar="M", help="How several options are counted (schulze).")
@click.option("--default", metavar="OPTION", help="An option that any other must beat, such as: wait.")
@click.option("--members", metavar="A,B", help="Who is asked, instead of all agents of the project.")
def ask(
    question: str,
    wanted: str | None,
    as_json: bool,
    options: tuple[str, ...],
    propose: bool,
    discuss: bool,
    method: str | None,
    default: str | None,
    members: str | None,
) -> int:
    """Ask the project's agents a question; they vote, each alone, and you get the answer with all reasons.

    Without --options and --propose it is a question of yes or no. They see the project as it is on its
    branch, and change nothing. The vote is on record like any other: orkestra vote show.

    The question stands in the queue as a task: a run that goes on takes it, else one is started for it
    alone. Exit 1: they did not decide; 75: those who could are limited, and it waits in the queue.
    """
    from orkestra_shim import asked, voted
    from orkestra_shim.questions import Raw

    said: Raw = {"options": _split(options)} if options else {}
    said |= {"propose": True} if propose else {}
    said |= {"discuss": True} if discuss else {}
    said |= {"method": method} if method else {}
    said |= {"default": default.strip()} if default is not None else {}
    said |= {"members": _split([members])} if members is not None else {}
    now = session()
    found = now.find(wanted)
    answer = asked.put(now, found, question, said, (lambda _: None) if as_json else say)
    if as_json:
        say_json(answer.told())
    else:
        for line in answer.lines():
            say(line)
        for line in voted.lines(answer.vote) if answer.vote else ():
            say(line)
    return answer.code


def _split(given: tuple[str, ...] | list[str]) -> list[str]:
    return [part.strip() for one in given for part in one.split(",")]
