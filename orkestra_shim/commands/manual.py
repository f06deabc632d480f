"""manual: the manual pages."""

from __future__ import annotations

from pathlib import Path

import click

from orkestra_shim.commands import say


@click.command()
@click.argument("name", metavar="[PAGE]", required=False)
@click.option(
    "--install", "folder", metavar="DIR", help="Write all pages into DIR/man1, such as ~/.local/share/man."
)
@click.option("--docs", metavar="DIR", help="Write reference.md and messages.md into DIR.")
def manual(name: str | None, folder: str | None, docs: str | None) -> None:
    """Print a manual page for man, or list them.

    \b
    orkestra manual task-add | man -l -
    orkestra manual orchestrator.sh | man -l -
    """
    from orkestra_shim import files, home
    from orkestra_shim import manual as pages

    root = click.get_current_context().find_root().command
    assert isinstance(root, click.Group)
    scripts = home.scripts_folder(home.framework_root())
    if [name, folder, docs].count(None) < 2:
        raise click.UsageError("PAGE, --install and --docs are three things to write: give one of them")
    if docs is not None:
        _write_docs(Path(docs).expanduser(), root, scripts)
        return
    if name is not None:
        click.echo(pages.page(name, root, scripts), nl=False)
        return
    found = pages.names(root, scripts)
    if folder is None:
        for one in found:
            say(one)
        return
    place = Path(folder).expanduser() / "man1"
    files.make_folder(place)
    for one in found:
        files.write_atomic(place / f"{one}.1", pages.page(one, root, scripts), sync=False)
    say(f"{len(found)} pages in {place}")


def _write_docs(folder: Path, root: click.Group, scripts: Path) -> None:
    from orkestra_shim import files, home, reference

    files.make_folder(folder)
    examples = home.framework_root() / "CONFIG" / "settings.env.example"
    for name, text in reference.pages(root, scripts, examples).items():
        files.write_atomic(folder / name, text, sync=False)
        say(str(folder / name))
