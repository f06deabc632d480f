"""report: what was built, who decided it and what it cost, as one page."""

from __future__ import annotations

from pathlib import Path

import click

from orkestra_shim.commands import as_json, say, say_json, session, with_project


@click.command()
@with_project
@as_json
@click.option("--format", "kind", type=click.Choice(["html", "markdown"]), default="html", show_default=True,
              help="A page for a browser, or one for a repository.")  # fmt: skip
@click.option("-o", "--output", "target", metavar="FILE", help="Write there instead; - is standard output.")
@click.option("--open", "show", is_flag=True, help="Show it in the browser.")
def report(wanted: str | None, as_json: bool, kind: str, target: str | None, show: bool) -> None:
    """Write one page: what was built, every decision with its ballots, and what it cost.

    It stands in the project's logs/execution/, which Git ignores, and needs no network to be read.
    """
    from orkestra_shim import board, files, project, report

    if show and (as_json or target == "-" or kind != "html"):
        raise click.UsageError("--open shows the page that is written: leave --json, --format and -o - out")
    now = session()
    found = now.find(wanted)
    told = report.gather(now, board.read(now, found))
    if as_json:
        say_json(told)
        return
    text = report.page(told, kind)
    if target == "-":
        click.echo(text, nl=False)
        return
    ending = {"html": "html", "markdown": "md"}[kind]
    if target is None:
        project.prepare_logs(found)
    path = Path(target) if target else found.path / "logs" / "execution" / f"report.{ending}"
    try:
        files.write_atomic(path, text)
    except OSError as error:
        raise files.cannot_write(path, error) from None
    say(path)
    if show:
        _open(path)


def _open(path: Path) -> None:
    """In the user's own browser; where there is none the path is all that can be said."""
    import webbrowser

    if not webbrowser.open(path.resolve().as_uri()):
        say("no browser could be started here: open that file in one", err=True)
