"""The table of messages is read out of the code, and a new message is a new row."""

from __future__ import annotations

import re
from pathlib import Path

import click

from orkestra_shim import errors, manual, messages, reference, settings
from orkestra_shim.cli import orkestra

ROOT = Path(__file__).resolve().parents[2]
PYTHON = """
from errors import EX_DATA, EX_USAGE, OrkestraError

def bad(where, what, hint=""):
    return OrkestraError(EX_DATA, f"{where}: {what}", hint)

def reader(path, asked):
    why = "it is a link" if path else "it is no file"
    if not path:
        raise bad(path, "no list", "make it one")
    raise OrkestraError(EX_USAGE if asked else EX_DATA, f"{printable(path)!r} cannot be read: {why}")

class Other:
    def bad(self, what):
        return None

def other(thing):
    thing.bad("of another kind")
"""
BASH = """#!/usr/bin/env bash
# die "$EX_DATA" "a comment"
first() {
  [[ -d $1 ]] || die "$EX_USAGE" "there is no ${1%/}: $(ls -d "$1")" "make it: mkdir $1" # why
  x=$(one) || die "$EX_CANNOT_WRITE" "cannot write $ORKESTRA_LOGS" \\
    'see "its" owner'
  warn "going on with ${NAME//x/"y"}"; die "$STATUS" "$WHY"
}
"""


def test_what_is_said_and_by_whom(tmp_path: Path) -> None:
    package, scripts = tmp_path / "package", tmp_path / "scripts"
    package.mkdir()
    scripts.mkdir()
    (package / "one.py").write_text(PYTHON)
    (scripts / "one.sh").write_text(BASH)
    python, bash = "orkestra_shim/one.py", "SCRIPTS/one.sh"
    assert [tuple(one) for one in messages.messages(package, scripts)] == [
        (64, "there is no ‹argument›: ‹number›", "make it: mkdir ‹argument›", bash),
        (64, "'‹path›' cannot be read: it is a link", "", python),
        (64, "'‹path›' cannot be read: it is no file", "", python),
        (65, "'‹path›' cannot be read: it is a link", "", python),
        (65, "'‹path›' cannot be read: it is no file", "", python),
        (65, "‹path›: no list", "make it one", python),
        (73, "cannot write ‹logs›", 'see "its" owner', bash),
        (0, "going on with ‹name›", "", bash),
        (-1, "‹why›", "", bash),
    ]


def test_every_code_has_a_meaning_and_every_meaning_a_code() -> None:
    told = {one.code for one in messages.messages(ROOT / "orkestra_shim", ROOT / "SCRIPTS")}
    assert told - {messages.GOES_ON, -1} <= set(errors.MEANINGS)
    known = {value for name, value in vars(errors).items() if name.startswith("EX_")}
    bash = re.search(r"^readonly (EX_OK.*\n.*)$", (ROOT / "SCRIPTS/CORE/lib/error.bash").read_text(), re.M)
    assert bash is not None
    assert set(errors.MEANINGS) == known | set(map(int, re.findall(r"=(\d+)", bash[1])))
    table = (ROOT / "docs/scripting.md").read_text().split("## Exit codes")[1]
    rows = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", table, re.M) for code in row.split(",")}
    assert {0, 1, 16, 64, 65, 69, 70, 73, 75, 78, 130, 143} <= rows <= set(errors.MEANINGS)


def test_the_reference_leaves_nothing_out() -> None:
    text = reference.pages(orkestra, ROOT / "SCRIPTS", ROOT / "CONFIG/settings.env.example")["reference.md"]
    for key in settings.KEYS:
        assert re.search(rf"^\| `{key}` \|.*\| \w.{{10,}} \|$", text, re.M), key
    for name in ("start", "task add", "vote tally", "cron install", "manual"):
        assert f"\n### orkestra {name}\n\n```text\norkestra {name} " in text
    for path in sorted((ROOT / "SCRIPTS").glob("*/*.sh")):
        assert f"\n### {path.parent.name}/{path.name}\n" in text
    for key in ("committee.rule", "workspace.setup", "tasks[].depends_on", "[].state", "recorded_at"):
        assert f"\n| `{key}` | " in text, key
    # Whatever else the guides tell a person to set is there, too.
    guides = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    words = "".join(path.read_text() for path in guides if path.name not in ("reference.md", "messages.md"))
    told = set(re.findall(r"\b(ORKESTRA_[A-Z_]+)=", words))
    assert len(told) > 4 and told - set(settings.KEYS) - set(reference.ENVIRONMENT) == set()


def test_every_help_fits_a_narrow_terminal_and_says_what_each_option_does() -> None:
    for name, command in manual.commands(orkestra, "orkestra"):
        with click.Context(command, info_name=name.replace("-", " "), terminal_width=80) as context:
            lines = command.get_help(context).splitlines()
        assert [line for line in lines if len(line) > 80] == [], name
        assert [line for line in lines if line.endswith("...") and "Usage" not in line] == [], name
        silent = [one.name for one in command.params if isinstance(one, click.Option) and not one.help]
        assert silent == [], name
