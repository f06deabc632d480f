"""What scanners for secrets that are on this machine say of the lines that a change adds.

    python scan-secrets.py ADDED FOLDER SANDBOX TOOL...

ADDED has a line `PATH TAB NUMBER TAB TEXT` for each added line (added-lines.awk). The text goes, file by
file, into FOLDER, which is new and ours; each TOOL (gitleaks, detect-secrets, by its full path) looks at it
through SANDBOX, without network and for a minute at most. Neither a comment beside a line nor a setting in
the tree has anything to say: both are the agent's. stdout: PATH TAB NUMBER TAB TOOL: KIND for each finding,
never its value. Exit: 0, also with findings; 1 when a tool did not come to an end or cannot be understood,
with the reason.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

SECONDS = 60
DETECT = [
    *("scan", "--all-files", "--no-verify"),
    *("--disable-filter", "detect_secrets.filters.allowlist.is_line_allowlisted"),
]
LEAKS = [
    *("detect", "--no-git", "--no-banner", "--redact", "--ignore-gitleaks-allow"),
    *("--exit-code", "0", "--report-format", "json", "--report-path", "/dev/stdout", "--log-level", "error"),
]


def lay_out(added: Path, folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Writes each file's added lines as FOLDER/N/NAME; by that name: (path, number) of each line."""
    known: dict[str, list[tuple[str, str]]] = {}
    names: dict[str, str] = {}
    for line in added.read_bytes().decode("utf-8", "surrogateescape").split("\n"):
        path, _, rest = line.partition("\t")
        number, _, text = rest.partition("\t")
        if not re.fullmatch("[0-9]+", number):
            continue
        if path not in names:
            # Lock files and the like are told by their names; others may be anything.
            base = path.rpartition("/")[2]
            base = base if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", base) else "file"
            names[path] = f"{len(names) + 1}/{base}"
            (folder / names[path]).parent.mkdir()
        known.setdefault(names[path], []).append((path, number))
        with open(folder / names[path], "ab") as file:
            file.write(text.encode("utf-8", "surrogateescape") + b"\n")
    return known


def sees(tool: Path) -> list[str]:
    """The options that let the sandbox see a tool: a virtual environment as a whole."""
    environment = tool.parent.parent
    return ["--ro", str(environment if (environment / "pyvenv.cfg").exists() else tool)]


def found(tool: Path, folder: Path, sandbox: str) -> list[tuple[str, int, str]]:
    """(name, line, kind) of each finding; raises ValueError for what is no answer."""
    detects = tool.name == "detect-secrets"
    command = [str(tool), *DETECT, "."] if detects else [str(tool), *LEAKS, "--source", "."]
    done = subprocess.run(
        [
            sandbox,
            "--ro",
            str(folder),
            *sees(tool),
            "--chdir",
            str(folder),
            "--seconds",
            str(SECONDS),
            "--",
            *command,
        ],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode != 0:
        took = (
            f"took longer than {SECONDS} seconds"
            if done.returncode == 124
            else f"ended with {done.returncode}"
        )
        raise ValueError(took)
    told = json.loads(done.stdout or b"[]")
    if detects:
        return [
            (name, int(one["line_number"]), str(one["type"]))
            for name, all_ in told["results"].items()
            for one in all_
        ]
    return [(os.path.normpath(one["File"]), int(one["StartLine"]), str(one["RuleID"])) for one in told or []]


def main(words: list[str]) -> int:
    """Entry point."""
    added, folder, sandbox, *tools = words
    known = lay_out(Path(added), Path(folder))
    status = 0
    for tool in map(Path, tools) if known else ():
        try:
            for name, line, kind in found(tool, Path(folder), sandbox):
                path, number = place(known, name, line)
                shown = re.sub(r"[^A-Za-z0-9 _()./-]", "?", kind)[:60]
                sys.stdout.buffer.write(
                    f"{path}\t{number}\t{tool.name}: {shown}\n".encode("utf-8", "surrogateescape")
                )
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            print(f"{tool.name} gave no answer: {type(error).__name__} {str(error)[:80]}", file=sys.stderr)
            status = 1
    return status


def place(known: dict[str, list[tuple[str, str]]], name: str, line: int) -> tuple[str, str]:
    """Where a finding's line came from."""
    lines: Any = known[name]
    return lines[min(max(line, 1), len(lines)) - 1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
