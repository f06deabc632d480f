"""plan: from a goal to tasks, which a person sees before they come into the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from orkestra_shim.commands import as_json, is_terminal, say, say_json, session, with_project
from orkestra_shim.errors import EX_OK

if TYPE_CHECKING:
    from orkestra_shim.asked import Answer
    from orkestra_shim.offers import Offer

Raw = dict[str, Any]


@click.command()
@click.argument("goal", required=False)
@with_project
@as_json
@click.option("--from", "path", metavar="FILE|-", help="A document that says what is wanted.")
@click.option("--members", metavar="A,B", help="Who is asked, instead of all agents of the project.")
@click.option("--of", "plan_of", metavar="PLAN", help="No new goal: a plan that waits for your word.")
@click.option("--list", "number", type=click.IntRange(1), metavar="N",
              help="Another list of its vote than the one that won.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Import without asking; what has powers stays a proposal.")
@click.option(
    "--with-powers",
    is_flag=True,
    help="With --yes: let those run, too, that say what to execute, who does it, or what it may touch.",
)
def plan(
    goal: str | None,
    wanted: str | None,
    as_json: bool,
    path: str | None,
    members: str | None,
    plan_of: str | None,
    number: int | None,
    yes: bool,
    with_powers: bool,
) -> int:
    """Let the project's agents propose lists of tasks for a goal, and rank them; import the one you agree to.

    Each member proposes a list, alone; what is no valid list is said back to it once. Then all rank the
    lists, blind, against "none of these". You see the one that won, and answer y, N, or e to edit it first.
    Without a terminal or with --json nothing is asked: without --yes its tasks come in as proposals
    (orkestra task accept).

    The plan stands in the queue as a task: a run that goes on takes it, else one is started for it alone.
    Exit 1: none of the lists was chosen, or they did not decide; 75: those who could are limited.
    """
    from orkestra_shim import asked, offers

    if (goal is None) == (plan_of is None):
        raise click.UsageError("give a GOAL, or --of PLAN")
    if plan_of is not None and (path is not None or members is not None):
        raise click.UsageError("--from and --members belong to a new GOAL")
    if with_powers and not yes:
        raise click.UsageError("--with-powers goes with --yes")
    now = session()
    found = now.find(wanted)
    offers.who(found)
    tell = (lambda _: None) if as_json else say
    name = plan_of or ""
    if goal is not None:
        answer = asked.put(now, found, goal, _said(path, members), tell, "plan")
        name = answer.task
        if answer.status != "asks":
            return _undecided(answer, as_json)
    offer = offers.read(now, found, name)
    start = asked.mark(found)
    new, taken = _word(offer, f"list {number}" if number else offer.chosen, yes, with_powers, as_json)
    if taken is not None:
        status, why, _ = asked.follow(now, found, name, start)
        if status != "answered":
            say(f"it is recorded with the next run; now it could not be: {why}", err=True)
    if as_json:
        say_json(offer.told(taken, new))
    return EX_OK


def _said(path: str | None, members: str | None) -> Raw:
    """What the plan's task has under `plan`."""
    from orkestra_shim import editing, plans
    from orkestra_shim.incoming import Foreign

    said: Raw = {"members": [one.strip() for one in members.split(",")]} if members is not None else {}
    if path is not None:
        document = Foreign(path)
        editing.need_no_key(document.text, document.name)
        said["document"] = plans.document(document)
    return said


def _undecided(answer: Answer, quiet: bool) -> int:
    """There is nothing to agree to."""
    if quiet:
        say_json(
            {
                "task": answer.task,
                "goal": answer.question,
                "status": answer.status,
                "why": answer.why,
                "vote": answer.vote.record["id"] if answer.vote else None,
                "chosen": None,
                "lists": [],
                "without_list": [],
                "taken": None,
                "tasks": [],
            }
        )
    else:
        for line in answer.lines():
            say(line)
    return answer.code


def _word(
    offer: Offer, option: str, yes: bool, with_powers: bool, quiet: bool
) -> tuple[list[Raw], str | None]:
    """(the new tasks, the list that they are of: '' for none, None where nothing was said)."""
    shown = offer.tasks(option)
    if not quiet:
        for line in offer.lines(option, shown):
            say(line)
    asks = is_terminal() and not yes and not quiet
    written: list[Raw] | None = None
    while asks and (answer := _ask()) != "y":
        if answer == "n":
            offer.decline()
            say(f"nothing is imported; the lists are kept: orkestra vote show {offer.vote['id']}")
            return [], ""
        written = _edited(offer, shown if written is None else written)
    accepted = _accepted(shown if written is None else written, yes, with_powers, asks)
    new = offer.take(option, shown, written, accepted)
    if not quiet:
        _say_imported(offer, new)
    return new, option


def _ask() -> str:
    """y, n or e."""
    while True:
        answer = str(click.prompt("Import this list? [y/N/e]", default="n", show_default=False, err=True))
        answer = answer.strip().lower()[:1]
        if answer in ("y", "n", "e"):
            return answer


def _edited(offer: Offer, before: list[Raw]) -> list[Raw]:
    """The list as the person leaves it, shown once more."""
    from orkestra_shim import editor, planning

    before = planning.bare(before)
    after = editor.edited_list(before, offer.plan, editor.command() or ["vi"])
    after = before if after is None else after
    for line in planning.lines(after):
        say(line)
    return after


def _accepted(tasks: list[Raw], yes: bool, with_powers: bool, asks: bool) -> bool | None:
    """Which of them may run: all, those without powers, or none (None)."""
    from orkestra_shim import planning

    strong = [raw["id"] for raw in tasks if planning.powers(raw)]
    if asks and strong:
        say(f"{', '.join(strong)}: they say what to execute, who does it, or what it may touch (see above)")
        return bool(click.confirm("Let these run, too? Otherwise they wait as proposals", err=True))
    return (with_powers or not strong) if yes or asks else None


def _say_imported(offer: Offer, new: list[Raw]) -> None:
    say(f"added to {offer.project.name}: {', '.join(raw['id'] for raw in new)}")
    waiting = [raw["id"] for raw in new if raw["status"] == "proposed"]
    if waiting:
        say(f"proposals are {', '.join(waiting)}; look at each: orkestra task show {waiting[0]}")
        say("  then: orkestra task accept TASK...")
