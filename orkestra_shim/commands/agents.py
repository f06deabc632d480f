"""agents ...: which there are, what works here, their logins, and what they are able to do."""

from __future__ import annotations

import sys
from typing import Any

import click

from orkestra_shim.commands import Group, as_json, say, say_json, session
from orkestra_shim.errors import EX_FAILED, EX_UNAVAILABLE

one_name = click.argument("name", metavar="AGENT")
any_names = click.argument("wanted", metavar="[AGENT]...", nargs=-1)


@click.group(cls=Group)
def agents() -> None:
    """The agents: which there are and what works here; log in, try one out."""


@agents.command("list")
@click.option("--project", "wanted", metavar="NAME|PATH", help="Another project than the active one.")
@as_json
def list_(wanted: str | None, as_json: bool) -> None:
    """Show every agent, its state, and what it has done in the project.

    orkestra schema agents-list has the shape of what --json prints.
    """
    from orkestra_shim import roster

    now = session()
    rows = roster.table(now, roster.project(now, wanted))
    if as_json:
        say_json(rows)
        return
    width = max(len(row["agent"]) for row in rows)
    for row in rows:
        say(_line(row, width))
    if any(row["state"] == "rests" for row in rows):
        say("one that rests is used again at once after: orkestra agents wake NAME")


def _reviews(told: dict[str, Any]) -> list[str]:
    """How it votes, and what its vote weighs where that is not one vote."""
    from orkestra_shim import judging, voted

    counts = {key: value for key, value in told.items() if key not in ("approves_all", "weight")}
    weighs = "" if told["weight"] == judging.ONE else f"its vote weighs {voted.weight(told['weight'])}"
    return [words for words in (judging.Reviewer(**counts).words(), weighs) if words]


def _line(row: dict[str, Any], width: int) -> str:
    from orkestra_shim import roster, spending

    state = row["state"]
    if state == "rests":
        state += f" until {roster.until(row['until'])}"
    more = []
    record, tested = row["record"], row["tested"]
    if record and (record["landed"] or record["failed"]):
        more.append(f"{record['landed']} landed, {record['failed']} failed")
    more += _reviews(row["reviews"]) if row["reviews"] else []
    for when, told in (("in all", record), ("today", row["today"])):
        if told and (words := spending.total(told).words()):
            more.append(f"{words} {when}")
    if tested:
        of = tested["held"] + tested["not_held"]
        more.append(f"tested {tested['at'][:10]}: {tested['held']} of {of} held")
    if row["why"]:
        more.append(row["why"])
    family = row["family"] if row["kind"] == "ai" else "no model"
    return f"{row['agent']:<{width}}  {family:<10}  {state:<13}  {'; '.join(more)}".rstrip()


@agents.command()
@any_names
@as_json
def probe(wanted: tuple[str, ...], as_json: bool) -> None:
    """Say what works here and now, and what to do about the rest. No model is called.

    Exit: 0 one of them works; 69 none does.
    """
    from orkestra_shim import roster

    now = session()
    roster.need(now, wanted)
    asked = roster.known(now)
    found = (
        roster.ask(asked, list(wanted)) if wanted else roster.everyone(now, asked, roster.project(now, None))
    )
    rows = [roster.told(asked, agent) for agent in found]
    if as_json:
        say_json(rows)
    else:
        width = max(len(row["agent"]) for row in rows)
        for row in rows:
            text = row["why"] or row["binary"] or row["adapter"]
            say(f"{row['agent']:<{width}}  {row['state']:<13}  {text}")
    sys.exit(0 if any(row["state"] in ("works", "rests") for row in rows) else EX_UNAVAILABLE)


@agents.command()
@one_name
def login(name: str) -> None:
    """Run the tool's own login, in this terminal and your own HOME.

    For NAME@ACCOUNT in the account's, CONFIG/accounts/ACCOUNT/home.
    """
    from orkestra_shim import login as logging_in

    say(f"{name} is logged in; the login is in {logging_in.login(session(), name)}")


@agents.command()
@one_name
def wake(name: str) -> None:
    """End an agent's rest: its account, with all models, is used again at once, also by runs that go on."""
    from orkestra_shim import roster

    ended = roster.wake(session(), name)
    for one in ended:
        say(f"{one.name} rested until {roster.until(one.until)}; it is used again")
    if not ended:
        say(f"{name} does not rest")


@agents.command()
@one_name
@as_json
def test(name: str, as_json: bool) -> None:
    """Try an agent's adapter on its bad days: a hang, limits, a broken answer, a child that stays.

    The agent's own tool runs as in a task; a stand-in on this machine answers for its model, and nothing can
    reach the vendor. What came of it is kept in CONFIG/RUNTIME/agents/NAME.json, and `agents list` shows it.
    Where the tool needs a model's name: NAME:MODEL.

    Exit: 0 all that could be tested held; 1 something did not; 69 the tool is not installed.
    """
    from orkestra_shim import trial

    marks = {True: "held", False: "NOT HELD", None: "not tested"}

    def tell(row: dict[str, Any]) -> None:
        say(f"{marks[row['held']]:<10}  {row['day']}: {row['why'] or row['wants']}", err=as_json)
        sys.stdout.flush()

    record = trial.run(session(), name, tell)
    if as_json:
        say_json(record)
    elif record["network"] == "open":
        say("it was not cut off from the network here; its key was none")
    sys.exit(EX_FAILED if any(row["held"] is False for row in record["days"]) else 0)
