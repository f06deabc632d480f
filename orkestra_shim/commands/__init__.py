"""The commands, a module for each noun; and what they share: options, the session, what they print.

Heavy modules are imported where they are used: `orkestra --help` reads every module here.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from orkestra_shim.session import Session

with_project = click.option(
    "--project", "wanted", metavar="NAME|PATH", help="Another project than the active one."
)
_EXPRESSION = "orkestra.jq"
_REASON = 240  # characters of a reason in a line


class Group(click.Group):
    """Its help has the whole first sentence of each command."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As click's own, without the three dots."""
        rows = [(name, self.commands[name].get_short_help_str(300)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def as_json(command: Callable[..., Any]) -> Callable[..., Any]:
    """--json, and --jq over what that prints; the command gets `as_json` for both."""

    @click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
    @click.option(
        "--jq",
        "expression",
        metavar="EXPR",
        help="Print what this jq program makes of that JSON, a text without its quotes.",
    )
    @functools.wraps(command)
    def wrapped(*arguments: Any, as_json: bool, expression: str | None, **values: Any) -> Any:
        if expression is not None:
            click.get_current_context().meta[_EXPRESSION] = expression
        return command(*arguments, as_json=as_json or expression is not None, **values)

    return wrapped


def session() -> Session:
    """Home and settings of this call."""
    from orkestra_shim.session import open_session

    return open_session()


def say(text: object = "", err: bool = False) -> None:
    """A line for people; what could move a terminal's cursor is shown escaped."""
    from orkestra_shim.text import printable

    print("\n".join(map(printable, str(text).split("\n"))), file=sys.stderr if err else sys.stdout)


def say_json(value: object) -> None:
    """A value for programs, or what --jq makes of it."""
    expression = click.get_current_context().meta.get(_EXPRESSION)
    if expression is None:
        _print_json(value)
        return
    from orkestra_shim import jq

    for result in jq.every(expression, value):
        if isinstance(result, str):
            # A terminal is moved by what a text from elsewhere holds; a program gets it as it is.
            say(result) if sys.stdout.isatty() else print(result)
        else:
            _print_json(result)


def _print_json(value: object) -> None:
    import json

    print(json.dumps(value, ensure_ascii=False, indent=2).encode("utf-8", "replace").decode("utf-8"))


def task_line(row: dict[str, Any], width: int) -> str:
    """A row of the board for people; `width` of the column of ids."""
    more = ""
    if row.get("blocked_by"):
        more = f" (blocked by {row['blocked_by']})"
    elif row.get("waits_for"):
        more = " (waits for " + ", ".join(row["waits_for"]) + ")"
    elif row.get("limited"):
        what = "its review waits" if row["waits_for_review"] else "waits"
        more = f" ({what} for {', '.join(row['limited'])}, limited)"
    elif row["reason"]:
        first = row["reason"].splitlines()[0]
        more = f" ({first if len(first) <= _REASON else first[:_REASON] + '…'})"
    elif row.get("source"):
        more = f" ({row['source']})"
    elif row["state"] == "in_progress":
        more = f" ({row.get('worker', '')}, try {row.get('try', 1)})"
    return f"{row['state']:<11}  {row['id']:<{width}}  {' '.join(row['title'].split())}{more}"


def is_terminal() -> bool:
    """Whether a question can be asked."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
