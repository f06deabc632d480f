"""schema: the shape of what commands print for programs, and of what Orkestra reads."""

from __future__ import annotations

import click

from orkestra_shim.commands import say, say_json


@click.command()
@click.argument("name", metavar="[SCHEMA]", required=False)
def schema(name: str | None) -> None:
    """Print a JSON Schema (draft 2020-12) of what --json gives; without SCHEMA, list them.

    That of `orkestra task list --json` is task-list. Later versions may add keys; what takes one away or
    changes its meaning gets a new number at the end of "$id".
    """
    from orkestra_shim import shapes

    if name is not None:
        say_json(shapes.schema(name))
        return
    titles = shapes.titles()
    width = max(map(len, titles))
    for one, title in titles.items():
        say(f"{one:<{width}}  {title}")
