"""What is written in docs/ out of the code itself: `reference.md` and `messages.md`.

Commands and scripts say it in their help and headers (as on the manual pages), settings in the comments of
CONFIG/settings.env.example, files and output in their JSON Schemas, messages where they are raised.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from . import errors, manual, messages, settings, shapes, wording
from .home import PACKAGE

_MADE = "Made by `orkestra manual --docs docs` from the code: change that, and make it again."

# What a person may set besides settings.env; what a run sets for its parts is in the headers of the scripts.
ENVIRONMENT = {
    "ORKESTRA_HOME": "The folder of CONFIG, LOGS and PROJECTS; else the checkout, or `~/Orkestra`",
    "ORKESTRA_VENV": "The Python environment, instead of `.venv` in the checkout",
    "ORKESTRA_DEBUG": "`1`: what went wrong is shown with its place in the code",
    "ORKESTRA_CRON": "By which `orkestra cron` knows its own line in a crontab; nothing to set",
    "ORKESTRA_COMMAND": "What examples in messages call the command",
    "VISUAL": "The editor of `orkestra task edit`; `EDITOR` without it",
    "EDITOR": "The same",
    "XDG_CACHE_HOME": "Workspaces are in `orkestra` there, instead of `~/.cache`",
    "NO_COLOR": "Set to anything: no colours",
    "PATH": "Where agents' tools are looked for; ORKESTRA_PATH in settings.env for runs that cron starts",
}


def pages(root: click.Group, scripts: Path, examples: Path) -> dict[str, str]:
    """The text of each file, by its name. examples: settings.env.example."""
    return {"messages.md": _messages(scripts), "reference.md": _reference(root, scripts, examples)}


# --- Markdown -----------------------------------------------------------------------------------------------


def _code(text: str) -> str:
    """Text as it is, also in a table."""
    marks = "``" if "`" in text else "`"
    return f"{marks}{text}{marks}".replace("|", "\\|") if text else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("\n", " ")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [head, tuple("---" for _ in head), *rows]
    return [f"| {' | '.join(line)} |".replace("|  |", "| |") for line in lines]


def _block(lines: list[str]) -> list[str]:
    return ["```text", *lines, "```", ""]


# --- messages.md --------------------------------------------------------------------------------------------


def _messages(scripts: Path) -> str:
    found = messages.messages(PACKAGE, scripts)
    lines = [
        "# Messages and exit codes",
        "",
        _MADE,
        "",
        "What went wrong is said on stderr in a line that begins with `orkestra: `, what to do in the next.",
        "`‹path›` stands for what only a run knows. A command line that is not understood is 64, and",
        "`see: orkestra COMMAND --help` stands below what is wrong with it.",
        "",
        *_table(("exit", "means"), ((str(code), _cell(text)) for code, text in errors.MEANINGS.items())),
    ]
    for code in dict.fromkeys(one.code for one in found):
        if code == messages.GOES_ON:
            title = "Warnings: all goes on"
        elif code == wording.ANOTHERS:
            title = "The words and the exit code of another part, passed on"
        else:
            title = f"{code}: {errors.MEANINGS[code].split(';')[0]}"
        lines += ["", f"## {title}", ""]
        rows = ((_code(o.text), _code(o.hint), f"`{o.place}`") for o in found if o.code == code)
        lines += _table(("said", "what to do", "from"), rows)
    return "\n".join([*lines, ""])


# --- reference.md -------------------------------------------------------------------------------------------


def _reference(root: click.Group, scripts: Path, examples: Path) -> str:
    lines = ["# Reference", "", _MADE, ""]
    lines += [
        "Exit codes: 0, 64 for wrong usage, and those of [the table](messages.md).",
        "",
        "## Commands",
        "",
    ]
    for name, command in manual.commands(root, "orkestra"):
        _, usage, said = manual.told(name, command)
        lines += [f"### {name.replace('-', ' ')}", "", *_block([usage, "", *said])]
    lines += ["## Scripts", "", "In `SCRIPTS/`; each can be called by hand.", ""]
    for path in manual.script_files(scripts):
        lines += [f"### {path.relative_to(scripts)}", "", *_block(list(_script(path)))]
    lines += ["## settings.env", "", "In `CONFIG/`; `orkestra config` shows what is in force.", ""]
    lines += _table(("setting", "default", "says"), _settings(examples))
    lines += [
        "",
        "## Environment",
        "",
        "A setting, too, unless it says otherwise: it goes before the file then.",
        "",
    ]
    lines += _table(("variable", "says"), ((f"`{name}`", _cell(text)) for name, text in ENVIRONMENT.items()))
    lines += ["", "## Files and output", "", "`orkestra schema NAME` prints each as a JSON Schema.", ""]
    for name, path in shapes.files().items():
        lines += _schema(name, json.loads(path.read_text("utf-8")))
    return "\n".join(lines)


def _script(path: Path) -> Iterator[str]:
    parts = manual.parts_of(path)
    yield from parts.get("Usage", [])
    yield from ["", " ".join(parts.get("Summary", []))]
    if parts[""]:
        yield from ["", *parts[""]]
    for key in manual.TITLES:
        if key in parts:
            yield from ["", f"{key}:", *(f"  {line}".rstrip() for line in parts[key])]


def _settings(examples: Path) -> Iterator[tuple[str, ...]]:
    """A row for each key, with the comment above it; of several keys below one comment, that of all."""
    told: dict[str, str] = {}
    comment: list[str] = []
    after_key = False
    for line in examples.read_text("utf-8").splitlines():
        found = re.match(r"#([A-Z_]+)=", line)
        if found:
            told[found[1]] = " ".join(comment)
        elif after_key or not line:
            comment = []
        if line.startswith("# "):
            comment.append(line[2:])
        after_key = found is not None
    for key in settings.KEYS:
        yield f"`{key}`", _code(settings.DEFAULTS.get(key, "")), _cell(told[key])


def _schema(name: str, schema: dict[str, Any]) -> list[str]:
    lines = [f"### {name}", "", _cell(f"{schema['title']}. {schema.get('description', '')}".strip()), ""]
    rows = [*_keys(schema), *_keys(schema.get("$defs", {}).get("task", {}), "tasks[].")]
    return lines + ([*_table(("key", "is", "says"), rows), ""] if rows else [])


def _keys(schema: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, ...]]:
    """A row for each key, and for those of the objects in it."""
    if schema.get("type") == "array":
        schema, prefix = schema.get("items", {}), f"{prefix.removesuffix('.')}[]."
    for key, value in schema.get("properties", {}).items():
        yield f"`{prefix}{key}`", _kind(value), _cell(value.get("description", ""))
        yield from _keys(value, f"{prefix}{key}.")


def _kind(value: dict[str, Any]) -> str:
    """What a value is, in a word or two."""
    if "$ref" in value:
        kind = value["$ref"].removeprefix("#/$defs/").removeprefix("orkestra:").split("/")[0]
    elif "enum" in value:
        kind = ", ".join(_code(json.dumps(one)) for one in value["enum"])
    elif "const" in value:
        kind = _code(json.dumps(value["const"]))
    elif "anyOf" in value or "oneOf" in value:
        kind = " or ".join(dict.fromkeys(_kind(one) for one in value.get("anyOf") or value["oneOf"]))
    elif value.get("type") == "array":
        kind = f"list of {_kind(value.get('items', {}))}"
    else:
        types = value.get("type", "any")
        kind = types if isinstance(types, str) else " or ".join(types)
    return f"{kind} ({_code(json.dumps(value['default']))})" if "default" in value else kind
