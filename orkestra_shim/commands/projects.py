"""new, adopt, load, list: the projects of a home."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from orkestra_shim.commands import as_json, is_terminal, say, say_json, session
from orkestra_shim.errors import OrkestraError


@click.command()
@click.argument("name")
@click.option(
    "--template",
    "-t",
    metavar="TEMPLATE",
    default="standard",
    show_default=True,
    help="What it starts from: website, python-package, or a folder of CONFIG/templates.",
)
def new(name: str, template: str) -> None:
    """Make a new project and load it."""
    from orkestra_shim import create, projects

    now = session()
    made = create.new(now.home, now.projects, name, template)
    projects.point_to(now.home, now.projects, made)
    say(f"made {made.path} from the template {template}; it is the active project")
    say("next: edit config/task-queue.json there, or: orkestra task add TITLE; then: orkestra start")


@click.command()
@click.argument("path", type=click.Path(), default=".")
@click.option("--name", help="Its name; without one, the folder's.")
@click.option("--check", help="The command that must succeed for a change to land.")
@click.option(
    "--share", multiple=True, metavar="DIR[:rw]", help="A large untracked folder that workspaces see."
)
def adopt(path: str, name: str | None, check: str | None, share: tuple[str, ...]) -> None:
    """Make an existing Git repository a project; adds two files in one commit."""
    from orkestra_shim import adopt as adopting
    from orkestra_shim import project, projects

    now = session()
    ask = adopting.ask_in_terminal if is_terminal() else None
    done = adopting.adopt(Path(os.path.abspath(path)), name, check, list(share), ask)
    project.prepare_logs(done.project)
    projects.point_to(now.home, now.projects, done.project)
    for line in done.lines:
        say(line)


@click.command()
@click.argument("wanted", metavar="NAME|PATH")
def load(wanted: str) -> None:
    """Make a project the active one, also one that was moved or cloned."""
    from orkestra_shim import project, projects

    now = session()
    found = now.find(wanted)
    project.prepare_logs(found)
    projects.point_to(now.home, now.projects, found)
    say(f"{found.name} is the active project ({found.path})")


@click.command(name="list")
@as_json
def list_(as_json: bool) -> None:
    """List the projects."""
    from orkestra_shim import board, projects

    now = session()
    active = projects.read_pointer(now.home).get("path")
    rows: list[dict[str, Any]] = []
    for one in projects.all_projects(now.home, now.projects):
        if isinstance(one, OrkestraError):
            rows.append({"problem": one.message})
            continue
        row: dict[str, Any] = {"name": one.name, "path": str(one.path), "active": str(one.path) == active}
        try:
            row["tasks"] = board.read(now, one).counts()
        except OrkestraError as error:
            row["problem"] = error.message
        rows.append(row)
    if as_json:
        say_json(rows)
        return
    if not rows:
        say(f"no projects in {now.projects}; make one: orkestra new NAME")
    width = max((len(row.get("name", "")) for row in rows), default=0)
    for row in rows:
        counts = ", ".join(f"{count} {state}" for state, count in row.get("tasks", {}).items()) or "no tasks"
        if "name" not in row:
            say(f"! {row['problem']}")
        else:
            mark = "*" if row["active"] else " "
            say(f"{mark} {row['name']:<{width}}  {row.get('problem') or counts}  ({row['path']})")
