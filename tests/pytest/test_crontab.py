"""Orkestra's lines in a crontab: every other byte stays, and cron and the shell get what was meant."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orkestra_shim import crontab, tools
from orkestra_shim.cli import main
from orkestra_shim.errors import OrkestraError

Capture = pytest.CaptureFixture[str]
HOME = Path("/home/a person/100% 'mine'")
THEIRS = (
    b'#  my  notes \n\nMAILTO="me@example.org"\n*/5\t*  * * *   echo  "a  b" \\% # x\n@reboot  foo\n'
    b"# \xff not UTF-8\n#*/5 * * * * env ORKESTRA_CRON=000000000000.all x\n"
)


def line(target: str = crontab.ALL, when: str = "*/10 * * * *", home: Path = HOME) -> str:
    return f"{when} {crontab.command(home, target, ['/opt/it s/once.sh', 'once', '--all'], {})}"


@pytest.mark.parametrize(
    ("every", "at", "fields", "expected"),
    [
        (None, None, None, "*/10 * * * *"),
        ("1m", None, None, "* * * * *"),
        ("30m", None, None, "*/30 * * * *"),
        ("1h", None, None, "0 * * * *"),
        ("6h", None, None, "0 */6 * * *"),
        ("1d", None, None, "0 0 * * *"),
        (None, "22:00", None, "0 22 * * *"),
        (None, "7:05", None, "5 7 * * *"),
        (None, None, " */10  22-6 * * mon-fri ", "*/10 22-6 * * mon-fri"),
        (None, None, "@hourly", "@hourly"),
    ],
)
def test_schedule(every: str | None, at: str | None, fields: str | None, expected: str) -> None:
    assert crontab.schedule(every, at, fields) == expected


@pytest.mark.parametrize(
    ("every", "at", "fields"),
    [
        ("7m", None, None),
        ("0m", None, None),
        ("5h", None, None),
        ("10", None, None),
        ("10s", None, None),
        (None, "24:00", None),
        (None, "22:60", None),
        (None, "22", None),
        (None, None, "* * * *"),
        (None, None, "* * * * * rm"),
        (None, None, "* * * * *\n* * * * *"),
        (None, None, "@never"),
        ("10m", "22:00", None),
        (None, "22:00", "* * * * *"),
    ],
)
def test_a_time_that_cron_cannot_keep(every: str | None, at: str | None, fields: str | None) -> None:
    with pytest.raises(OrkestraError) as raised:
        crontab.schedule(every, at, fields)
    assert raised.value.code == 64


def test_put_in_once_changed_in_place_and_taken_out() -> None:
    once = crontab.with_line(THEIRS, HOME, "all", line())
    assert once == THEIRS + line().encode() + b"\n"
    assert crontab.with_line(once, HOME, "all", line()) == once
    more = crontab.with_line(once, HOME, "0123456789ab", line("0123456789ab")) + b"# after\n"
    changed = crontab.with_line(more, HOME, "all", line(when="0 22 * * *"))
    assert changed.count(b"ORKESTRA_CRON") == 3 and changed.index(b"0 22 * * *") == len(THEIRS)
    assert [(one.index, one.target) for one in crontab.own(changed, HOME)] == [
        (7, "all"),
        (8, "0123456789ab"),
    ]
    assert crontab.without(changed, HOME, "all").count(b"ORKESTRA_CRON") == 2
    assert crontab.without(changed, HOME, None) == THEIRS + b"# after\n"


def test_another_homes_line_and_one_commented_out_are_not_ours() -> None:
    other = (line(home=Path("/elsewhere")) + "\n#" + line() + "\n").encode()
    assert crontab.own(other, HOME) == []
    assert crontab.without(other, HOME, None) == other
    doubled = other + (line() + "\n" + line() + "\n").encode()
    assert crontab.with_line(doubled, HOME, "all", line()) == other + line().encode() + b"\n"


@given(st.lists(st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b"")), max_size=8))
def test_other_lines_stay_byte_for_byte(lines: list[bytes]) -> None:
    table = b"".join(one + b"\n" for one in lines)
    put = crontab.with_line(table, HOME, "all", line())
    assert put.startswith(table)
    assert crontab.without(put, HOME, None) == table


def as_cron_does(text: str) -> tuple[str, str]:
    """What cron gives to the shell: up to the first plain `%`, with `%` for `\\%`; and the rest."""
    match = re.match(r"((?:[^%\\]|\\.)*)(.*)", text, re.DOTALL)
    assert match is not None
    return match[1].replace("\\%", "%"), match[2]


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="\\", min_codepoint=32), min_size=1, max_size=12
)


@given(NAMES.filter(lambda name: "\x7f" not in name))
def test_the_shell_gets_the_path_whatever_is_in_it(name: str) -> None:
    command = crontab.command(HOME, "all", ["printf", r"%s\n".replace("\\n", ""), name], {})
    for given_to_shell in (as_cron_does(command)[0], command):  # some crons leave `\%` as it is
        done = subprocess.run(["/bin/sh", "-c", given_to_shell], capture_output=True, check=True)
        assert done.stdout.decode() == name
    assert as_cron_does(command)[1] == ""


@pytest.mark.parametrize("name", ["back\\slash", "line\nbreak", "\x7f"])
def test_what_cron_cannot_be_given_is_refused(name: str) -> None:
    with pytest.raises(OrkestraError) as raised:
        crontab.command(HOME, "all", [name], {})
    assert raised.value.code == 78


# --- the command, with a stand-in for the program crontab ---------------------------------------------------


@pytest.fixture
def table(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The crontab of a `crontab` that keeps it in a file and refuses a line with REFUSE."""
    program = place / "bin" / "crontab"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\ncd "$(dirname "$0")" || exit 1\ncase $1 in\n'
        '-l) [ -e table ] || { echo "no crontab for me" >&2; exit 1; }; cat table ;;\n'
        "-r) rm table ;;\n"
        "-) cat >new; ! grep -q REFUSE new || { echo 'bad minute' >&2; exit 1; }; mv new table ;;\nesac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return program.parent / "table"


def test_install_show_remove(place: Path, table: Path, capsys: Capture) -> None:
    table.write_bytes(THEIRS)
    assert main(["cron", "show"]) == 0
    assert "nothing in your crontab" in capsys.readouterr().out
    assert main(["cron", "install", "--every", "30m"]) == 0
    first = table.read_bytes()
    assert first.startswith(THEIRS) and first.count(b"\n") == THEIRS.count(b"\n") + 1
    added = first[len(THEIRS) :].decode().rstrip("\n")
    assert added in capsys.readouterr().out and added.startswith("*/30 * * * * env ORKESTRA_CRON=")
    assert added.endswith("/SCRIPTS/CORE/orchestrator.sh once --all")
    assert main(["cron", "install", "--every", "30m"]) == 0
    assert table.read_bytes() == first and "already" in capsys.readouterr().out
    assert main(["new", "one"]) == 0
    assert main(["cron", "install", "--project", "one", "--at", "22:00"]) == 0
    capsys.readouterr()
    assert main(["cron", "show"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert main(["cron", "remove", "--project", "one"]) == 0
    assert table.read_bytes() == first
    assert main(["cron", "remove"]) == 0
    assert table.read_bytes() == THEIRS
    assert main(["cron", "remove"]) == 0


@pytest.mark.parametrize(("answer", "code"), [("n", 130), ("y", 0)])
def test_in_a_terminal_it_shows_and_asks(
    place: Path, table: Path, framework: Path, answer: str, code: int
) -> None:
    table.write_bytes(THEIRS)
    terminal, ours = pty.openpty()
    with os.fdopen(terminal, "wb", buffering=0) as keyboard:
        keyboard.write(f"{answer}\n".encode())
        done = subprocess.run(
            [sys.executable, "-I", str(framework / "orkestra_shim" / "__main__.py"), "cron", "install"],
            stdin=ours,
            stderr=ours,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        os.close(ours)
    assert done.returncode == code
    assert "into your crontab:\n  */10 * * * * env ORKESTRA_CRON=" in done.stdout
    assert (table.read_bytes() == THEIRS) == (answer == "n")


def test_the_last_line_removed_leaves_no_crontab(place: Path, table: Path) -> None:
    assert main(["cron", "install"]) == 0
    assert main(["cron", "remove"]) == 0
    assert not table.exists()


def test_a_refused_crontab_stays_as_it_was(place: Path, table: Path, capsys: Capture) -> None:
    assert main(["new", "REFUSE"]) == 0
    table.write_bytes(THEIRS)
    capsys.readouterr()
    assert main(["cron", "install", "--project", "REFUSE"]) == 78
    assert "nothing was changed: bad minute" in capsys.readouterr().err
    assert table.read_bytes() == THEIRS
    assert main(["config", "get", "ORKESTRA_PATH"]) == 0
    assert capsys.readouterr().out == "\n"


def test_without_cron(place: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(place))
    assert main(["cron", "show"]) == 69
    assert "apt-get install cron" in capsys.readouterr().err


# --- PATH ---------------------------------------------------------------------------------------------------


def test_the_path_of_the_shell_is_kept_without_what_everybody_may_write(
    place: Path, table: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    for name in ("mine", "everybody's"):
        (place / name).mkdir()
    (place / "everybody's").chmod(0o777)
    given = f"{place}/mine:relative::{place}/everybody's:{place}/missing:{table.parent}:/usr/bin:/bin"
    monkeypatch.setenv("PATH", given)
    assert main(["cron", "install"]) == 0
    capsys.readouterr()
    assert main(["config", "get", "ORKESTRA_PATH"]) == 0
    assert capsys.readouterr().out == f"{place}/mine:{table.parent}:/usr/bin:/bin\n"
    # Whatever an environment carries, it is read from the file.
    monkeypatch.setenv("ORKESTRA_PATH", "/tmp")
    assert main(["config", "get", "ORKESTRA_PATH"]) == 0
    assert "/mine:" in capsys.readouterr().out


def test_a_tools_full_path_is_kept(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = place / "odd" / "tool"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    config = place / "CONFIG"
    config.mkdir()
    monkeypatch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")
    tools.keep(config, "mine", "tool")
    tools.keep(config, "usual", "env")
    tools.keep(config, "none", "no-such-tool")
    assert tools.kept(config) == {"mine": str(tool)}
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert tools.unattended_path(config, "") == f"/usr/bin:/bin:/usr/local/bin:{tool.parent}"
    assert tools.unattended_path(config, "/first") == f"/first:/usr/bin:/bin:/usr/local/bin:{tool.parent}"
    tool.unlink()
    assert tools.unattended_path(config, "") == "/usr/bin:/bin:/usr/local/bin"
