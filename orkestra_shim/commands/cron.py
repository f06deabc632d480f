"""cron ...: runs that cron starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orkestra_shim.commands import Group, as_json, is_terminal, say, say_json, session, with_project
from orkestra_shim.errors import EX_INTERRUPTED, EX_USAGE, OrkestraError

if TYPE_CHECKING:
    from orkestra_shim.session import Session

yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
all_option = click.option("--all", "every_project", is_flag=True, help="Every project that is known.")


@click.group(cls=Group)
def cron() -> None:
    """Let cron start runs; see what it was told, take it back."""


@cron.command()
@with_project
@all_option
@click.option("--every", metavar="10m", help="An interval: 5m, 10m, 1h, 1d.  [default: 10m]")
@click.option("--at", metavar="22:00", help="Once a day.")
@click.option("--schedule", metavar="'*/10 * * * *'", help="As cron has it.")
@yes_option
def install(
    wanted: str | None,
    every_project: bool,
    every: str | None,
    at: str | None,
    schedule: str | None,
    yes: bool,
) -> None:
    """Write the line into your crontab that starts runs; every other line stays as it is."""
    from orkestra_shim import crontab, settings, tools

    now = session()
    when = crontab.schedule(every, at, schedule)
    target, words = _target(now, wanted, every_project)
    line = f"{when} {_command(now, target, words)}"
    path = tools.keepable(now.values["ORKESTRA_PATH"].text)
    with crontab.changing():
        before = crontab.read()
        after = crontab.with_line(before, now.home.folder, target, line)
        if after == before and path == now.values["ORKESTRA_PATH"].text:
            say(f"it is in your crontab already:\n  {line}")
            return
        say(f"into your crontab:\n  {line}")
        if path != now.values["ORKESTRA_PATH"].text:
            say(f"into {now.home.config / 'settings.env'}, for what cron does not find by itself:")
            say(f"  ORKESTRA_PATH={path}")
        _ask(yes)
        crontab.write(before, after)
        if path != now.values["ORKESTRA_PATH"].text:
            settings.put(now.home, "ORKESTRA_PATH", path)
    say("written; what needs you is mailed by cron, once, and again when something changed")
    _notes(now)


def _target(now: Session, wanted: str | None, every_project: bool) -> tuple[str, list[str]]:
    from orkestra_shim import crontab

    if wanted is not None and every_project:
        raise OrkestraError(EX_USAGE, "--project and --all both say of what", "give one of them")
    if wanted is None:
        return crontab.ALL, ["--all"]
    found = now.find(wanted)
    return found.id, ["--project", str(found.path)]


def _command(now: Session, target: str, words: list[str]) -> str:
    import os

    from orkestra_shim import crontab, scripts

    environment = {"ORKESTRA_HOME": str(now.home.folder)}
    if os.environ.get("ORKESTRA_VENV"):
        environment["ORKESTRA_VENV"] = os.path.abspath(os.environ["ORKESTRA_VENV"])
    script = scripts.find(now.home, "CORE/orchestrator.sh")
    return crontab.command(now.home.folder, target, [str(script), "once", *words], environment)


def _ask(yes: bool) -> None:
    """In a terminal. Raises 130 when the answer is no."""
    if not yes and is_terminal() and not click.confirm("Go ahead?", default=True, err=True):
        raise OrkestraError(EX_INTERRUPTED, "the crontab stays as it is")


def _notes(now: Session) -> None:
    """What would make it do other than in this shell."""
    from orkestra_shim import crontab

    for key, one in now.values.items():
        if one.source == "environment":
            say(f"note: {key} is set in this shell only, not for cron: orkestra config set {key} VALUE")
    if not crontab.daemon_runs():
        say("note: no cron daemon runs here; as root: service cron start")


@cron.command()
@as_json
def show(as_json: bool) -> None:
    """Show what cron was told for this home."""
    from orkestra_shim import crontab

    now = session()
    found = crontab.own(crontab.read(), now.home.folder)
    if as_json:
        say_json([{"line": one.index + 1, "target": one.target, "text": one.text} for one in found])
        return
    for one in found:
        say(one.text)
    if not found:
        say(f"nothing in your crontab for {now.home.folder}; orkestra cron install")


@cron.command()
@with_project
@yes_option
def remove(wanted: str | None, yes: bool) -> None:
    """Take Orkestra's lines for this home out of your crontab, or the one of a project."""
    from orkestra_shim import crontab

    now = session()
    target = None if wanted is None else now.find(wanted).id
    with crontab.changing():
        before = crontab.read()
        gone = [one for one in crontab.own(before, now.home.folder) if target in (None, one.target)]
        if not gone:
            say("there is nothing of it in your crontab")
            return
        say("out of your crontab:")
        for one in gone:
            say(f"  {one.text}")
        _ask(yes)
        crontab.write(before, crontab.without(before, now.home.folder, target))
    say("removed")
