#!/usr/bin/env python3
"""Rules about how the code is written that no linter can state.

Usage: structure.py [--root DIR] RULE...      structure.py --list

Prints `path:line: what is wrong` for each breach. A line that breaks a rule for a good reason says so, on the
line itself or in the comment directly above it: `# allow RULE: the reason`. An empty reason does not count.

Exit: 0 nothing found; 1 something found; 64 no such rule.

A rule is a function named after it (with underscores) that yields breaches; its docstring is its statement.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple


class Breach(NamedTuple):
    path: Path
    line: int
    text: str


class Source:
    """One file: its lines, and the same lines with comments and here-documents blanked out."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = path.read_text("utf-8", errors="replace").splitlines()
        self.code = self._without_comments() if is_bash(path) else self.lines

    def _without_comments(self) -> list[str]:
        """A `#` inside quotes or ${...} starts no comment. Here-documents and long texts become empty."""
        code: list[str] = []
        closing, text = "", False
        for line in self.lines:
            if text:
                text = "'" not in line
                code.append("")
                continue
            if closing:
                closing = "" if line.strip() == closing else closing
                code.append("")
                continue
            stripped = re.sub(r"(^|\s)#.*$", "", line) if "#" in line and not _hash_is_quoted(line) else line
            code.append(stripped)
            # A constant whose text goes on over the next lines: `readonly TABLE='a`.
            if re.match(r"(readonly |declare \S+ )?\w+='[^']*$", stripped):
                text = True
            document = re.search(r"<<-?\s*(['\"]?)([A-Za-z_]+)\1", stripped)
            closing = document.group(2) if document else ""
        return code

    def start(self, number: int) -> int:
        """The first line (from 1) of the command that line `number` continues."""
        while number > 1 and re.search(r"(\\|&&|\|\||\{|\|)$", self.lines[number - 2]):
            number -= 1
        return number

    def allows(self, number: int, rule: str) -> bool:
        """Whether line `number` (from 1), or the comment above its command, allows a breach of the rule."""
        pattern = re.compile(rf"# allow {re.escape(rule)}: \S+")
        above = self.start(number) - 2
        while above >= 0 and self.lines[above].lstrip().startswith("#"):
            if pattern.search(self.lines[above]):
                return True
            above -= 1
        return bool(0 < number <= len(self.lines) and pattern.search(self.lines[number - 1]))


def _hash_is_quoted(line: str) -> bool:
    """Whether the first word that begins with # stands inside an open quote."""
    found = re.search(r"(^|\s)#", line)
    if not found:
        return True
    before = line[: found.start()]
    return before.count("'") % 2 == 1 or before.replace('\\"', "").count('"') % 2 == 1


def is_bash(path: Path) -> bool:
    if path.suffix in {".sh", ".bash", ".bats"}:
        return True
    if path.suffix:
        return False
    with path.open("rb") as stream:
        return bool(re.match(rb"#!.*\b(ba)?sh\b", stream.readline()))


def is_executable(path: Path) -> bool:
    return bool(path.stat().st_mode & 0o111)


def files_of(root: Path, *under: str) -> list[Path]:
    """The files that Git tracks or would take, below the given folders; without Git, all files."""
    listed = subprocess.run(
        [
            "git",
            "-C",
            str(root),
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
            "--",
            *under,
        ],
        capture_output=True,
    )
    if listed.returncode == 0:
        names = [name.decode("utf-8", "surrogateescape") for name in listed.stdout.split(b"\0") if name]
    else:
        names = [str(path.relative_to(root)) for path in root.rglob("*")]
        names = [name for name in names if not under or name.split("/")[0] in under]
    return sorted(
        path for path in {root / name for name in names} if path.is_file() and not path.is_symlink()
    )


def scripts(root: Path) -> Iterator[Source]:
    """Every Bash file of the framework itself."""
    for path in files_of(root, "SCRIPTS", "bin"):
        if is_bash(path):
            yield Source(path)


def commands(root: Path) -> Iterator[Source]:
    """What can be started: everything in SCRIPTS that is executable or looks like a command."""
    for path in files_of(root, "SCRIPTS"):
        if is_executable(path) or path.suffix == ".sh":
            yield Source(path)


def search(source: Source, pattern: str, text: str) -> Iterator[Breach]:
    for number, line in enumerate(source.code, 1):
        if re.search(pattern, line):
            yield Breach(source.path, number, text)


def command_form(root: Path) -> Iterator[Breach]:
    """A command is executable, its header has Summary, Usage and Exit, and Bash ones end with `main "$@"`."""
    for source in commands(root):
        header: list[str] = []
        for line in source.lines[1:]:
            if not line.startswith(("#", '"""')) and header:
                break
            header.append(line)
        if not is_executable(source.path):
            yield Breach(source.path, 1, "a command must be executable")
        # What registers itself by being there (adapters, gates, ...) has a usage fixed by its kind.
        registered = bool(re.search(r"/(adapters|gates|launchers|reviewers|before|after)/", str(source.path)))
        for word in ("Summary:",) if registered else ("Summary:", "Usage:", "Exit:"):
            if not any(re.match(rf"(# |\"\"\")?{word} ?", line) for line in header):
                yield Breach(source.path, 1, f"the header has no {word}")
        last = [line for line in source.lines if line.strip()][-1:]
        if is_bash(source.path) and last != ['main "$@"']:
            yield Breach(source.path, len(source.lines), 'a command ends with main "$@"')


def library_form(root: Path) -> Iterator[Breach]:
    """A library is not executable and only defines when loaded: functions, constants, environment."""
    defines = re.compile(
        r"\s|$|[A-Za-z_][\w:.-]*\(\) [{(]|[})]|(readonly|declare|export|unset|use|source) "
        r"|[A-Za-z_]\w*(\[[^]]*\])?\+?="
    )
    for path in files_of(root, "SCRIPTS"):
        if path.suffix != ".bash":
            continue
        source = Source(path)
        if is_executable(path):
            yield Breach(path, 1, "a library is not executable")
        # The boot file is the one that acts: strict mode, the trap, the loader are what it is for.
        if path.name == "boot.bash":
            continue
        inside = False
        for number, line in enumerate(source.code, 1):
            if not inside and not defines.match(line):
                yield Breach(path, number, f"runs when loaded: {line.strip()}")
            if re.match(r"[A-Za-z_][\w:.-]*\(\) [{(]$", line):
                inside = True
            elif re.match(r"[})]", line):
                inside = False


LEVELS = {"CORE/lib": 0, "SAFETY": 1, "AGENTS": 2, "COMMITTEE": 3}


def _level(path: str) -> int | None:
    """0 to 3 for what has a place in the order; None for the commands of CORE, which put it all together."""
    if path.startswith("CORE/"):
        return 0 if path.startswith("CORE/lib") else None
    return LEVELS.get(path.split("/")[0])


def dependency_direction(root: Path) -> Iterator[Breach]:
    """Who uses whom runs one way: COMMITTEE -> AGENTS -> SAFETY -> CORE/lib. Commands of CORE may use all."""
    reference = re.compile(r"(?<![\w-])(CORE|SAFETY|AGENTS|COMMITTEE)/([\w./-]*)")
    for source in scripts(root):
        relative = source.path.relative_to(root).as_posix()
        own = _level(relative.removeprefix("SCRIPTS/")) if relative.startswith("SCRIPTS/") else None
        if own is None:
            continue
        for number, line in enumerate(source.code, 1):
            for match in reference.finditer(line):
                target = _level(f"{match.group(1)}/{match.group(2)}")
                if target is None or target > own:
                    yield Breach(source.path, number, f"uses {match.group(0)}, which stands above it")


def no_eval(root: Path) -> Iterator[Breach]:
    """No `eval`: whatever reaches it may come from an agent."""
    for source in scripts(root):
        yield from search(source, r"(^|[\s;&|({])eval(\s|$)", "eval")


def no_integer_declare(root: Path) -> Iterator[Breach]:
    """No `declare -i`: an assignment to such a variable runs code."""
    for source in scripts(root):
        yield from search(
            source, r"\b(declare|local|typeset)\s+-[a-zA-Z]*i", "an integer attribute runs code on assignment"
        )


def no_post_increment(root: Path) -> Iterator[Breach]:
    """No `((i++))` as a command: from 0 it is a failure."""
    for source in scripts(root):
        yield from search(
            source,
            r"(^|[;&|{]|\bdo|\bthen)\s*\(\(\s*\w+(\[[^]]*\])?\s*(\+\+|--)\s*\)\)",
            "((i++)) fails from 0: write ((++i))",
        )


def silenced_failure(root: Path) -> Iterator[Breach]:
    """No `|| true` without a comment that says why the failure does not matter."""
    for source in scripts(root):
        for breach in search(
            source, r"\|\|\s*(true|:)\s*(\)|;|$|\})", "|| true without the reason beside it"
        ):
            here = source.lines[breach.line - 1]
            # `read -d ''` always fails at the end of its input: the idiom needs no reason.
            if re.search(r"\bread\b.* -?\w*d ''", here):
                continue
            first = source.start(breach.line)
            above = source.lines[first - 2].strip() if first > 1 else ""
            explained = re.search(r"\s#\s+\S+", here) or (above.startswith("#") and "shellcheck" not in above)
            if not explained:
                yield breach


# Run for each task or more often: a start of Python or jq there is what makes a pipeline slow.
HOT = re.compile(
    r"SCRIPTS/(CORE/(worker|workspace|land|tree-\w+)\.sh|AGENTS/spawn\.sh|SAFETY/(check|run-gates|sandbox)\.sh"
    r"|SAFETY/gates/[^/]+|COMMITTEE/(hold-vote|run-programs)\.sh)$"
)
STARTS = re.compile(
    r"(^|[;&|({]|\$\(|\b(exec|then|do|else|--)) *\"?"
    r"(\$\{?ORKESTRA_PYTHON\b|[\w/.$-]*\b(python3?|jq)(\s|\"|$))"
)


def hot_path(root: Path) -> Iterator[Breach]:
    """No Python and no jq is started in what runs for each task, nor in the libraries that it loads."""
    waiting = [source for source in scripts(root) if HOT.search(source.path.relative_to(root).as_posix())]
    seen: set[Path] = set()
    while waiting:
        source = waiting.pop()
        if source.path in seen:
            continue
        seen.add(source.path)
        for number, line in enumerate(source.code, 1):
            if STARTS.search(line):
                yield Breach(source.path, number, "starts Python or jq for each task")
            for name in line.split()[1:] if line.startswith("use ") else ():
                area, _, noun = name.rpartition("/")
                library = root / "SCRIPTS" / (area or "CORE") / "lib" / f"{noun}.bash"
                if library.is_file():
                    waiting.append(Source(library))


TOP_FOLDERS = {"SCRIPTS", "bin", "orkestra_shim", "CONFIG", "PROJECTS", "LOGS", "tests", "docs", ".ci"}
TOP_FILES = {
    *(
        "setup.cfg",
        "setup.py",
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "MANIFEST.in",
    ),
    *(".gitignore", ".gitattributes", ".editorconfig", ".shellcheckrc", "ruff.toml", "mypy.ini"),
}


def top_level(root: Path) -> Iterator[Breach]:
    """The top level holds what was fixed once, and no other folder."""
    for name in sorted({path.relative_to(root).parts[0] for path in files_of(root)}):
        allowed = TOP_FOLDERS if (root / name).is_dir() else TOP_FILES
        if name not in allowed:
            yield Breach(root / name, 1, "has no place at the top level")


# Where packages come from is the user's own setting of pip, npm and apt.
SOURCE_OF_PACKAGES = re.compile(r"--(extra-)?index-[u]rl|--[r]egistry|^\s*[r]egistry\s*=")


def foreign_places(root: Path) -> Iterator[Breach]:
    """No text names the folder that this checkout lies in, or says where packages are to come from."""
    here = str(root.resolve())
    for path in files_of(root):
        for number, line in enumerate(Source(path).lines, 1):
            found = SOURCE_OF_PACKAGES.search(line)
            if found:
                yield Breach(path, number, f"says where packages come from: {found.group(0).strip()}")
            elif here in line:
                yield Breach(path, number, f"names {here}")


RULES: dict[str, Callable[[Path], Iterator[Breach]]] = {
    rule.__name__.replace("_", "-"): rule
    for rule in (
        command_form,
        library_form,
        dependency_direction,
        no_eval,
        no_integer_declare,
        no_post_increment,
        silenced_failure,
        hot_path,
        top_level,
        foreign_places,
    )
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("--list", action="store_true")
    parser.add_argument("rules", nargs="*")
    arguments = parser.parse_args()
    if arguments.list:
        for name, rule in RULES.items():
            print(f"{name}\t{rule.__doc__}")
        return 0
    found = 0
    for name in arguments.rules or RULES:
        if name not in RULES:
            print(f"structure.py: no rule {name}", file=sys.stderr)
            return 64
        for breach in RULES[name](arguments.root):
            if breach.path.is_file() and Source(breach.path).allows(breach.line, name):
                continue
            print(f"{breach.path.relative_to(arguments.root)}:{breach.line}: {breach.text} [{name}]")
            found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
