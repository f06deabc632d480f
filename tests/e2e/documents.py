"""README.md and docs/*.md as sessions: what they show is typed into a shell, and what it prints is compared.

A guide is one session in a fresh home; its checkout, `~/orkestra`, is the current folder. In ```console

    $ command            is typed; `> ` goes on with it
    text                 is what it must print, errors too; nothing shown: nothing printed
    ...                  as a line: any lines; within a line: anything. The home is shown as `~`

A command that fails is followed by `$ echo $?` and its status. Comments of Markdown, which no reader sees:

    <!-- not run: WHY -->     before a block: it is left out; test_documents.py lists each with its reason
    <!-- file: PATH -->       before a block of any language: its text is written there
    <!-- set: PATH -->        before a block of JSON: its keys are set in that JSON file
    <!-- run: COMMANDS -->    typed and not shown; each line must succeed

    python tests/e2e/documents.py docs/undo.md      types it, and writes what came into the page
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from world import FRAMEWORK

# What the models say: stand-ins for those of Claude Code and Codex.
APPROVES = {"choice": "approve", "reason": "It does what the task says.", "confidence": 90}
PLANNED = {
    "reason": "One page, and then the way to it.",
    "tasks": [
        {
            "id": "order-form",
            "title": "A form to order by",
            "description": "Name, address, what and how many.",
        },
        {"id": "order-link", "title": "A link to the form", "description": "", "depends_on": ["order-form"]},
    ],
}
EVERY = {"depends_on": [], "priority": "medium", "check": "", "allow_paths": []}
PLANNED["tasks"] = [{**EVERY, **task} for task in PLANNED["tasks"]]
WANTED = {
    "Which database": "SQLite",
    "What comes next": "Search",
    "A page on which one can order": "order-form",
}


def prefers(about: str, option: str, letter: str) -> dict[str, Any]:
    """A vote about something, by who sees that option under this letter: it alone is named."""
    ranks = {"reason": "It is the simplest that does.", "ranking": [[letter]], "confidence": 80}
    pattern = rf"(?s)# A vote.*{about}.*Option {letter}:\n\n\S+\n{option}"
    return {"match": {"text": pattern}, "turns": [{"json": ranks}]}


MODELS = {
    "rules": [
        {"match": {"text": "Review of a change"}, "turns": [{"json": APPROVES}]},
        {"match": {"text": "(?s)# A plan"}, "turns": [{"json": PLANNED}]},
        *(prefers(about, option, letter) for about, option in WANTED.items() for letter in "ABC"),
        {
            "match": {"text": "(?s)# A question.*What comes next"},
            "turns": [{"json": {"reason": "Nothing is found.", "options": ["Search"]}}],
        },
        {
            "match": {"text": "(?s)# A vote.*public API"},
            "turns": [{"json": {"reason": "There is no page on it.", "choice": "no", "confidence": 70}}],
        },
        {
            "match": {"text": "(?s)The task `how-we-write`"},
            "turns": [{"shell": "echo Be kind. >>AGENTS.md"}, {"text": "Written."}],
        },
        {
            "match": {"text": r"(?s)The task `([a-z-]+)`"},
            "turns": [{"write": {"path": "${1}.md", "content": "We are kind.\n"}}, {"text": "Written."}],
        },
    ]
}
BOUND = 600  # seconds that one command may take: a bound for what hangs
PROGRAMS = ("bin", "SCRIPTS", "orkestra_shim")
COMMENT = re.compile(r"<!-- (not run|file|set|run): *(.*?) *-->", re.DOTALL)
FENCE = re.compile(r"^( *)```(\S*)$")


@dataclass
class Step:
    """Something to type, or to write; `shown`: what the page shows, then what came."""

    kind: Literal["type", "prepare", "write", "set"]
    line: int
    text: str
    path: str = ""
    shown: list[str] = field(default_factory=list)


@dataclass
class Guide:
    """A page, what is done by it, and what is not: [(line, reason)]."""

    path: Path
    steps: list[Step]
    left_out: list[tuple[int, str]]

    @property
    def name(self) -> str:
        return self.path.stem


def guides() -> list[Path]:
    """Every page that shows commands."""
    pages = [FRAMEWORK / "README.md", *sorted((FRAMEWORK / "docs").glob("*.md"))]
    return [page for page in pages if "```console\n" in page.read_text("utf-8")]


def blocks(text: str) -> Iterator[tuple[int, str, str, list[str]]]:
    """Fenced blocks and comments in their order: (line, language or kind of comment, argument, lines)."""
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        fence = FENCE.match(lines[at])
        if fence:
            end = next(n for n in range(at + 1, len(lines)) if lines[n].strip() == "```")
            yield at + 2, f"```{fence[2]}", "", [line[len(fence[1]) :] for line in lines[at + 1 : end]]
            at = end + 1
        elif lines[at].startswith("<!--"):
            end = next(n for n in range(at, len(lines)) if lines[n].endswith("-->"))
            comment = COMMENT.fullmatch("\n".join(lines[at : end + 1]))
            if comment:
                yield at + 1, comment[1], comment[2], []
            at = end + 1
        else:
            at += 1


def read(page: Path) -> Guide:
    """What the page tells to do. A comment that stands before nothing raises ValueError."""
    guide = Guide(page, [], [])
    told: tuple[str, str] | None = None
    for line, kind, argument, content in blocks(page.read_text("utf-8")):
        if kind in ("not run", "file", "set"):
            told = (kind, argument)
            continue
        if kind == "run":
            guide.steps += [Step("prepare", line, argument)]
        elif told and told[0] in ("file", "set"):
            form: Literal["write", "set"] = "write" if told[0] == "file" else "set"
            guide.steps.append(Step(form, line, "\n".join(content) + "\n", path=told[1]))
        elif told and kind == "```console":
            guide.left_out.append((line, told[1]))
        elif kind == "```console":
            guide.steps += _typed(page, line, content)
        elif kind in ("```sh", "```bash", "```shell") or any(one.startswith("$ ") for one in content):
            raise ValueError(f"{page.name}:{line}: commands stand in a block ```console")
        told = None
    if told:
        raise ValueError(f"{page.name}: nothing comes after <!-- {told[0]}: {told[1]} -->")
    return guide


def _typed(page: Path, first: int, lines: list[str]) -> list[Step]:
    steps: list[Step] = []
    for number, line in enumerate(lines, first):
        if line.startswith("$ "):
            steps.append(Step("type", number, line[2:]))
        elif not steps:
            raise ValueError(f"{page.name}:{number}: output before a command")
        elif line.startswith("> ") and not steps[-1].shown:
            steps[-1].text += f"\n{line[2:]}"
        else:
            steps[-1].shown.append(line)
    for step in steps:
        if step.shown and not any(line != "..." for line in step.shown):
            raise ValueError(f"{page.name}:{step.line}: it shows nothing but ...")
    return steps


def pattern(shown: list[str]) -> re.Pattern[str]:
    """What matches the output that is shown so."""
    parts = [r"[^\n]*?".join(map(re.escape, line.split("..."))) + r"[ \t]*\n" for line in shown]
    whole = (r"(?:[^\n]*\n)*?" if line == "..." else part for line, part in zip(shown, parts, strict=True))
    return re.compile("".join(whole))


class Shell:
    """A person's shell in a fresh home, at noon: what a page says of 07:00 and 22:00 is not about to come."""

    def __init__(self, place: Path, more: dict[str, str]) -> None:
        self.home = place
        self.root = place / "orkestra"
        self.status = 0
        self.root.mkdir(parents=True)
        for name in PROGRAMS:
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(FRAMEWORK / name, self.root / name, ignore=ignore, symlinks=True)
        (self.root / "CONFIG").mkdir()
        for example in (FRAMEWORK / "CONFIG").glob("*.example"):
            shutil.copy(example, self.root / "CONFIG")
        (place / ".gitconfig").write_text("[user]\n\tname = Ann\n\temail = ann@example.org\n")
        self.environment = {
            "HOME": str(place),
            "ORKESTRA_VENV": os.environ.get("ORKESTRA_VENV", sys.prefix),
            "GIT_CONFIG_NOSYSTEM": "1",
            "LC_ALL": "C.UTF-8",
            "ORKESTRA_WORKERS": "1",  # two say what they do in either order
            "TZ": f"NOON{time.gmtime().tm_hour - 12:+d}",
            "PYTHONDONTWRITEBYTECODE": "1",
            **more,
            "PATH": f"{place / 'bin'}:{more['PATH']}",
        }
        (place / "bin").mkdir()
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def type(self, text: str) -> str:
        """What the command prints, the home as `~`; its exit status is kept."""
        command, output, done = (self.home / f".typed.{name}" for name in ("command", "output", "status"))
        command.write_text(f"(exit {self.status})\n{text}\n")
        done.unlink(missing_ok=True)
        os.mkfifo(done)
        assert self._bash.stdin is not None
        self._bash.stdin.write(f'. "$HOME/{command.name}" >"$HOME/{output.name}" 2>&1 </dev/null\n')
        self._bash.stdin.write(f'echo $? >"$HOME/{done.name}"\n')
        self._bash.stdin.flush()
        try:
            ended = subprocess.run(["cat", done], capture_output=True, text=True, timeout=BOUND, check=True)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{text}: not done after {BOUND} s: {output.read_text()}") from None
        self.status = int(ended.stdout)
        said = output.read_text("utf-8").replace(str(self.home), "~")
        return said if said.endswith("\n") or not said else f"{said}\n"

    def close(self) -> None:
        """Ends the shell."""
        os.killpg(self._bash.pid, signal.SIGKILL)
        self._bash.wait()
        assert self._bash.stdin is not None
        self._bash.stdin.close()


def put(file: Path, step: Step) -> None:
    """Writes the block, or sets its keys; braces round them may be left out on the page."""
    text = step.text
    if step.kind == "set":
        keys = json.loads(text if text.startswith("{") else f"{{{text}}}")
        text = json.dumps(json.loads(file.read_text("utf-8")) | keys, indent=2) + "\n"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")


@contextmanager
def surroundings(place: Path) -> Iterator[dict[str, str]]:
    """The environment of every guide: two vendors' tools, installed, and what answers for their models."""
    cache = Path(os.environ.get("ORKESTRA_TEST_AGENTS") or Path(sys.prefix) / "test-cache" / "agents")
    install = [FRAMEWORK / "tests" / "helpers" / "install-agents.sh", cache, "claude", "codex"]
    done = subprocess.run(install, capture_output=True, text=True, check=True)
    tools = [Path(line.split("\t")[1]) for line in done.stdout.splitlines()]
    place.mkdir()
    (place / "scenario.json").write_text(json.dumps(MODELS), "utf-8")
    program = FRAMEWORK / "tests" / "helpers" / "stub_model_server.py"
    options = ["--port", "0", "--scenario", "scenario.json", "--log", "log.jsonl"]
    command = [sys.executable, program, *options]
    server = subprocess.Popen(command, cwd=place, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        url = f"http://{server.stdout.readline().split()[1]}"
        path = ":".join([*(str(tool.parent) for tool in tools), os.environ["PATH"]])
        yield {"PATH": path, "ANTHROPIC_BASE_URL": url, "OPENAI_BASE_URL": f"{url}/v1"}
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def follow(guide: Guide, place: Path, more: dict[str, str]) -> list[str]:
    """Types all of it; gives what is not as the page says, in order. It ends where preparing fails."""
    shell = Shell(place, more)
    wrong: list[str] = []
    try:
        for at, step in enumerate(guide.steps):
            where = f"{guide.path.name}:{step.line}"
            if step.kind in ("write", "set"):
                put(shell.root / step.path, step)
                continue
            said = shell.type(f"(\nset -e\n{step.text}\n)" if step.kind == "prepare" else step.text)
            if step.kind == "prepare":
                step.shown = []
                if shell.status:
                    return [*wrong, f"{where}: `{step.text}` ended with {shell.status}\n{said}"]
                continue
            if not pattern(step.shown).fullmatch(said):
                shown = "\n".join(step.shown)
                wrong.append(f"{where}: $ {step.text}\n-- shows\n{shown}\n-- but it printed\n{said}")
            following = guide.steps[at + 1].text if at + 1 < len(guide.steps) else ""
            if shell.status and following != "echo $?":
                wrong.append(f"{where}: $ {step.text}\nended with {shell.status} and no `$ echo $?` says so")
            step.shown = said.splitlines()
    finally:
        shell.close()
    return wrong


# What differs each time, in what a page is to show.
VARIES = re.compile(r"\b[0-9a-f]{7,64}\b|\b\d{4}-\d\d-\d\d[T ][0-9:]+Z?|(?<=[ (])[0-9.]+ (?=s\b|GiB\b)")


def main() -> None:
    """Writes what was printed into the page where it shows something else."""
    for name in sys.argv[1:]:
        page = Path(name).resolve()
        guide = read(page)
        was = [list(step.shown) for step in guide.steps]
        with tempfile.TemporaryDirectory() as place, surroundings(Path(place) / "models") as more:
            wrong = follow(guide, Path(place) / "ann", more)
        lines = page.read_text("utf-8").splitlines()
        for step, shown in reversed(list(zip(guide.steps, was, strict=True))):
            said = "".join(f"{line}\n" for line in step.shown)
            if step.kind == "type" and not pattern(shown).fullmatch(said):
                begin = step.line + step.text.count("\n")
                lines[begin : begin + len(shown)] = [VARIES.sub("...", line) for line in step.shown]
        page.write_text("\n".join(lines) + "\n", "utf-8")
        print(*wrong, sep="\n")


if __name__ == "__main__":
    main()
