"""demo, doctor, verify: that it works, here and in what it recorded."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from orkestra_shim.commands import as_json, is_terminal, say, say_json, session, with_project
from orkestra_shim.errors import EX_FAILED, EX_USAGE, OrkestraError
from orkestra_shim.text import counted

if TYPE_CHECKING:
    from orkestra_shim.mending import Item


@click.command()
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@click.option("--fresh", is_flag=True, help="Begin anew; the old demo is kept under another name.")
def demo(yes: bool, fresh: bool) -> None:
    """See it work: builds a small website, without any AI and at no cost."""
    from orkestra_shim import demo as showing

    sys.exit(showing.run(session(), ask=is_terminal() and not yes, fresh=fresh))


@click.command()
@as_json
@click.option("--fix", is_flag=True, help="Mend what killed runs left behind, after showing it.")
@click.option("--yes", "-y", is_flag=True, help="With --fix: ask nothing.")
def doctor(as_json: bool, fix: bool, yes: bool) -> None:
    """Say what is missing on this machine, and what killed runs left; both with what mends it.

    Exit: 0 nothing is missing; 69 something is. With --fix: 0 all of it is mended; 1 not all.
    """
    from orkestra_shim import doctor as checking

    found = checking.examine()
    items = checking.left_behind()
    if as_json and not fix:
        say_json([*(one.as_dict() for one in found), *map(checking.as_dict, items)])
    elif not fix:
        for one in found:
            say(f"{one.mark} {one.name}: {one.text}")
            if one.cure:
                say(f"      {one.cure}")
        for line in checking.lines(items):
            say(line)
    if not fix:
        sys.exit(checking.exit_code(found))
    sys.exit(_mend(items, as_json, yes))


def _mend(items: list[Item], as_json: bool, yes: bool) -> int:
    """Shows what can be mended, asks, mends exactly that."""
    from orkestra_shim import doctor as checking
    from orkestra_shim import mending
    from orkestra_shim.adopt import ask_in_terminal

    for line in checking.lines(items) if not as_json else []:
        say(line)
    todo = [item for item in items if item.what.does]
    if todo and not yes:
        if not is_terminal():
            raise OrkestraError(
                EX_USAGE, "nobody can be asked whether to do this", "orkestra doctor --fix --yes"
            )
        if not ask_in_terminal("Do this?"):
            say("nothing was changed")
            return EX_FAILED
    results = list(mending.mend(session(), todo)) if todo else []
    if as_json:
        say_json([{**checking.as_dict(item), "problem": problem} for item, problem in results])
    else:
        for item, problem in results:
            done = f"not mended ({problem})" if problem else "mended"
            say(f"{done}: {item.name}: {item.what.text}")
        if not todo:
            say("nothing to mend")
    return EX_FAILED if any(problem not in ("", mending.GONE) for _, problem in results) else 0


@click.command()
@with_project
@as_json
@click.option("--since", metavar="COMMIT", help="Hold the records against a head that was pinned elsewhere.")
@click.option(
    "--require-signatures",
    "signed",
    is_flag=True,
    help="Every commit of a landing (after --since) is signed, by a key known here.",
)
def verify(wanted: str | None, as_json: bool, since: str | None, signed: bool) -> None:
    """Recompute every hash, tally, weight and binding of the records; check signatures where there are any.

    Exit: 0 everything holds; 1 something does not.
    """
    from orkestra_shim import verify as proving

    found = session().find(wanted)
    signatures = proving.REQUIRE if signed else proving.LOOK
    result = proving.verify(found.path, found.branch, since, signatures)
    if as_json:
        findings = [{"record": record, "what": what} for record, what in result.findings]
        say_json({"ok": result.ok, "findings": findings, "notes": result.notes, "counts": result.counts})
    else:
        say(f"project {found.name} ({found.path}), branch {found.branch}")
        for note in result.notes:
            say(f"note: {note}")
        for record, what in result.findings:
            say(f"does not hold: {record}: {what}")
        counts = ", ".join(counted(number, what[:-1]) for what, number in result.counts.items())
        say(f"everything holds: {counts}" if result.ok else f"looked at: {counts}")
    sys.exit(0 if result.ok else EX_FAILED)
