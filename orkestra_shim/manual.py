"""Manual pages (man(7) roff): of the command out of its own help, of each script out of its header.

`reference` makes one text of the same.

A header is what stands at the beginning of a script in comments: `# Summary:`, `# Usage:` with further usages
below it, `# Options:`, `# Environment:`, `# Exit:`; lines that belong to none of them describe it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from . import __version__
from .errors import EX_USAGE, OrkestraError
from .text import printable

_SECTION = re.compile(r"# (Summary|Usage|Options|Environment|Exit): ?(.*)")
TITLES = {"Options": "OPTIONS", "Environment": "ENVIRONMENT", "Exit": "EXIT STATUS"}


def names(root: click.Group, scripts: Path) -> list[str]:
    """What there is a page of."""
    return [*(name for name, _ in commands(root, "orkestra")), *(path.name for path in script_files(scripts))]


def page(name: str, root: click.Group, scripts: Path) -> str:
    """The page of a command (`orkestra`, `orkestra-task-add`, or `task-add`) or a script. Raises 64."""
    for known, command in commands(root, "orkestra"):
        if name in (known, known.removeprefix("orkestra-")):
            return _of_command(known, command)
    for path in script_files(scripts):
        if path.name == name:
            return _of_script(path)
    raise OrkestraError(
        EX_USAGE, f"there is no manual page '{printable(name[:80])}'", "orkestra manual lists them"
    )


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for one, below in sorted(command.commands.items()):
            yield from commands(below, f"{name}-{one}")


def script_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.sh"))


# --- roff ---------------------------------------------------------------------------------------------------


def _line(text: str) -> str:
    """A line of text as roff shows it, whatever is in it."""
    shown = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return f"\\&{shown}" if shown.startswith(".") else shown


def _plain(lines: list[str]) -> list[str]:
    return [".nf", *(_line(line) if line else ".sp" for line in lines), ".fi"]


def _head(name: str, summary: str) -> list[str]:
    title = f'.TH "{_line(name.upper())}" 1 "" "Orkestra {_line(__version__)}"'
    return [title, ".SH NAME", f"{_line(name)} \\- {_line(summary)}"]


def told(name: str, command: click.Command) -> tuple[str, str, list[str]]:
    """What a command says of itself: in a sentence, its usage, and the lines of its help."""
    # No command's own name has a dash.
    with click.Context(command, info_name=name.replace("-", " "), terminal_width=78) as context:
        lines = command.get_help(context).splitlines()
        return command.get_short_help_str(300), lines[0].removeprefix("Usage: "), trimmed(lines[1:])


def _of_command(name: str, command: click.Command) -> str:
    summary, usage, lines = told(name, command)
    head = [*_head(name, summary), ".SH SYNOPSIS", *_plain([usage])]
    return "\n".join([*head, ".SH DESCRIPTION", *_plain(lines), ""])


def parts_of(path: Path) -> dict[str, list[str]]:
    """The header of a script, by its sections; "" is what describes it."""
    parts: dict[str, list[str]] = {"": []}
    at = ""
    for line in _header(path):
        found = _SECTION.match(line)
        text = line.removeprefix("#").removeprefix(" ").rstrip()
        if found:
            at = found[1]
            parts[at] = [found[2].strip()] if found[2].strip() else []
        elif at == "Usage" and len(text) - len(text.lstrip()) >= 6:
            parts[at].append(text[7:])
        elif at in TITLES and (text.startswith("  ") or not text):
            parts[at].append(text[2:])
        elif at == "Summary" and text.startswith("  "):
            parts[at].append(text.strip())
        else:
            at = "Usage" if at == "Usage" else ""
            parts[""].append(text.removeprefix("  "))
    return {key: trimmed(lines) for key, lines in parts.items()}


def _of_script(path: Path) -> str:
    parts = parts_of(path)
    lines = _head(path.name, " ".join(parts.get("Summary", [])))
    lines += [".SH SYNOPSIS", *_plain(parts.get("Usage", []))]
    if parts[""]:
        lines += [".SH DESCRIPTION", *_plain(parts[""])]
    for key, title in TITLES.items():
        if key in parts:
            lines += [f".SH {title}", *_plain(parts[key])]
    return "\n".join([*lines, ""])


def _header(path: Path) -> Iterator[str]:
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        if not line.startswith("#") or line.startswith("# shellcheck"):
            return
        yield line


def trimmed(lines: list[str]) -> list[str]:
    """Without empty lines at both ends."""
    text = "\n".join(lines).strip("\n")
    return text.split("\n") if text else []
