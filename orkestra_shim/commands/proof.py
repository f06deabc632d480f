"""demo, doctor, verify: that it works, here and in what it recorded."""

from __future__ import annotations

import sys

import click

from orkestra_shim.commands import as_json, is_terminal, say, say_json, session, with_project
from orkestra_shim.errors import EX_FAILED


@click.command()
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@click.option("--fresh", is_flag=True, help="Begin anew; the old demo is kept under another name.")
def demo(yes: bool, fresh: bool) -> None:
    """See it work: builds a small website, without any AI and at no cost."""
    from orkestra_shim import demo as showing

    sys.exit(showing.run(session(), ask=is_terminal() and not yes, fresh=fresh))


@click.command()
@as_json
def doctor(as_json: bool) -> None:
    """Say what is missing on this machine, and the command that mends it."""
    from orkestra_shim import doctor as checking

    found = checking.examine()
    if as_json:
        say_json([one.as_dict() for one in found])
    else:
        for one in found:
            say(f"{one.mark} {one.name}: {one.text}")
            if one.cure:
                say(f"      {one.cure}")
    sys.exit(checking.exit_code(found))


@click.command()
@with_project
@as_json
@click.option("--since", metavar="COMMIT", help="Hold the records against a head that was pinned elsewhere.")
def verify(wanted: str | None, as_json: bool, since: str | None) -> None:
    """Recompute every hash, tally and binding of the records."""
    from orkestra_shim import verify as proving

    found = session().find(wanted)
    result = proving.verify(found.path, found.branch, since)
    if as_json:
        findings = [{"record": record, "what": what} for record, what in result.findings]
        say_json({"ok": result.ok, "findings": findings, "notes": result.notes, "counts": result.counts})
    else:
        say(f"project {found.name} ({found.path}), branch {found.branch}")
        for note in result.notes:
            say(f"note: {note}")
        for record, what in result.findings:
            say(f"does not hold: {record}: {what}")
        counts = ", ".join(f"{number} {what}" for what, number in result.counts.items())
        say(f"everything holds: {counts}" if result.ok else f"looked at: {counts}")
    sys.exit(0 if result.ok else EX_FAILED)
