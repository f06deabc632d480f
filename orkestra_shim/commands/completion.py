"""completion: what a shell needs to complete words of the command, and the words themselves."""

from __future__ import annotations

from collections.abc import Callable

import click
from click.shell_completion import CompletionItem, get_completion_class

from orkestra_shim.project import Project

VARIABLE = "_ORKESTRA_COMPLETE"  # click's: set by the shell's function when it asks for words


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what makes a shell complete commands, options, projects, tasks and agents.

    \b
    bash: eval "$(orkestra completion bash)"      in ~/.bashrc
    zsh:  eval "$(orkestra completion zsh)"       in ~/.zshrc, after compinit
    fish: orkestra completion fish | source       in ~/.config/fish/config.fish
    """
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(click.get_current_context().find_root().command, {}, "orkestra", VARIABLE).source())


def attach(command: click.Command) -> None:
    """Lets each parameter that stands for a task, an agent or a project know the words for it."""
    if isinstance(command, click.Group):
        for one in command.commands.values():
            attach(one)
    for parameter in command.params:
        find = _FINDERS.get((parameter.metavar or "").strip("[]."))
        if find is not None:
            parameter.shell_complete = _completer(find)  # type: ignore[method-assign, assignment]


Finder = Callable[[click.Context], list[str]]


def _completer(find: Finder) -> Callable[[click.Context, str], list[CompletionItem]]:
    def complete(context: click.Context, begun: str) -> list[CompletionItem]:
        try:
            words = find(context)
        except Exception:  # whatever is wrong is no matter for somebody who presses Tab
            return []
        return [CompletionItem(word) for word in words if word.startswith(begun)]

    return complete


def _tasks(context: click.Context) -> list[str]:
    from orkestra_shim import board
    from orkestra_shim.commands import session

    return list(board.queue_of(session().find(context.params.get("wanted"), quiet=True)).positions)


def _agents(context: click.Context) -> list[str]:
    from orkestra_shim import roster
    from orkestra_shim.commands import session

    now = session()
    wanted = context.params.get("wanted")
    found = roster.project(now, wanted if isinstance(wanted, str) else None)
    return roster.names(now, found)


def _projects(_context: click.Context) -> list[str]:
    from orkestra_shim import projects
    from orkestra_shim.commands import session

    now = session()
    found = projects.all_projects(now.home, now.projects)
    return [one.name for one in found if isinstance(one, Project)]


def _schemas(_context: click.Context) -> list[str]:
    from orkestra_shim import shapes

    return list(shapes.files())


def _pages(context: click.Context) -> list[str]:
    from orkestra_shim import home, manual

    root = context.find_root().command
    assert isinstance(root, click.Group)
    return manual.names(root, home.scripts_folder(home.framework_root()))


def _templates(_context: click.Context) -> list[str]:
    from orkestra_shim import templating
    from orkestra_shim.commands import session

    return templating.available(session().home)


def _settings(_context: click.Context) -> list[str]:
    from orkestra_shim import settings

    return list(settings.KEYS)


def _states(_context: click.Context) -> list[str]:
    from orkestra_shim import board

    return list(board.ORDER)


_FINDERS: dict[str, Finder] = {
    "TASK": _tasks,
    "AGENT": _agents,
    "NAME|PATH": _projects,
    "ID|TASK": _tasks,
    "SCHEMA": _schemas,
    "PAGE": _pages,
    "TEMPLATE": _templates,
    "SETTING": _settings,
    "STATE": _states,
}
