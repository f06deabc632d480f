"""Runs that cron starts: `python -m orkestra_shim.once [--project NAME|PATH | --all] [--workers N]`.

A project's run is `orchestrator.sh start --quiet`. Nothing is printed unless a person is needed, and then
one message on stdout about all projects. What was said is kept (CONFIG/RUNTIME/said), and said again only
when something in it changed; a terminal is always told, also of limits. `--all` takes one project after the
other; cron calls it again meanwhile, and then another project goes on beside it, `_BESIDE` at most.

Exit: that of the run; of several with different ones 1. 16 (another run is going) is 0: nothing to do here.
"""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from orkestra_shim import board, canonical, files, projects, scripts, settings, tools
from orkestra_shim import home as home_module
from orkestra_shim.errors import (
    EX_FAILED,
    EX_HELD,
    EX_INTERNAL,
    EX_INTERRUPTED,
    EX_LIMITED,
    EX_OK,
    EX_TERMINATED,
    EX_USAGE,
    OrkestraError,
)
from orkestra_shim.home import Home
from orkestra_shim.project import Project
from orkestra_shim.session import Session
from orkestra_shim.text import printable, word

_BESIDE = 2  # so many `once --all` of a home at the same time, each with one project
_LINES = 30  # that are said of one project
_SILENT = (EX_OK, EX_HELD, EX_LIMITED, EX_INTERRUPTED, EX_TERMINATED)  # no person is needed
_LIMIT = re.compile(r"\(next_run_at .*\)\Z")
_USAGE = "usage: orchestrator.sh once [--project NAME|PATH | --all] [--workers N]"


@dataclass
class Result:
    """What came of one project: `key` names it, `lines` are what a person reads, `state` what may change."""

    key: str
    title: str
    code: int
    lines: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    state: list[str] = field(default_factory=list)

    def text(self) -> str:
        """For people: the title, what is the matter, what to do."""
        shown = [f"  {printable(line)[:400]}" for line in self.lines[:_LINES]]
        if len(self.lines) > _LINES:
            shown.append(f"  and {len(self.lines) - _LINES} more")
        return "\n".join([printable(self.title), *shown, *(f"  {hint}" for hint in self.hints)])

    def digest(self) -> str:
        """The same as long as nothing changed."""
        return canonical.sha256(repr((self.code, self.lines, self.state)).encode("utf-8", "replace"))


# --- one project --------------------------------------------------------------------------------------------


def work(now: Session, found: Project, workers: str) -> Result:
    """A run on the project, to its end."""
    code, output = _run(now, found, workers)
    name = _name(now, found)
    said = [line.removeprefix("orkestra: ").strip() for line in output.splitlines()]
    if code in _SILENT:
        return Result(found.id, found.name, code, [line for line in said if _LIMIT.search(line)])
    lines = [
        line for line in said if line and not _LIMIT.search(line) and not re.match(r"\d+ tasks?: ", line)
    ]
    if code != EX_FAILED:
        return Result(found.id, f"{found.name} ({found.path}) cannot go on (exit {code}):", code, lines)
    state = _unfinished(now, found)
    hints = [f"more: orkestra status --project {name}"]
    if state:
        hints.append(
            f"why: orkestra task show TASK --project {name}; again: orkestra task retry TASK --project {name}"
        )
    return Result(found.id, f"{found.name} ({found.path}) needs you:", code, lines, hints, state)


def _name(now: Session, found: Project) -> str:
    """How a command names it: by name where that means this one."""
    try:
        if projects.find(now.home, now.projects, found.name).path == found.path:
            return word(found.name)
    except OrkestraError:
        pass
    return word(found.path)


def _unfinished(now: Session, found: Project) -> list[str]:
    """What failed or waits for a person, with the outcome that says so: one tried again is another."""
    try:
        rows = board.read(now, found).rows.values()
    except OrkestraError as error:
        return [error.message]
    return [
        f"{row['id']} {row['state']} {row['outcome']}"
        for row in rows
        if row["state"] in ("failed", "needs_human")
    ]


def _run(now: Session, found: Project, workers: str) -> tuple[int, str]:
    """(exit code, all it said). It dies with us; INT, TERM and HUP are passed on to it."""
    script = scripts.find(now.home, "CORE/orchestrator.sh")
    command = ["setpriv", "--pdeathsig", "KILL", "--", str(script), "start", "--quiet", "--no-wait"]
    command += ["--project", str(found.path), *(["--workers", workers] if workers else [])]
    with tempfile.TemporaryFile() as output, scripts.passing_on() as passing:
        running = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=now.home.folder,
            env=scripts.environment(now.home, now.values),
            start_new_session=True,
        )
        passing.to(running.send_signal)
        code = running.wait()
        output.seek(0)
        text = output.read(1 << 20).decode("utf-8", "replace")
    return (code if code >= 0 else 128 - code), text


# --- all of them --------------------------------------------------------------------------------------------


def work_all(now: Session, workers: str) -> list[Result]:
    """Every known project, one after the other; those that are being worked on are passed over."""
    slot = _slot(now.home)
    if slot is None:
        return []
    try:
        results = []
        for found in projects.all_projects(now.home, now.projects):
            if isinstance(found, OrkestraError):
                results.append(_broken(found, found.message))
                continue
            results.append(work(now, found, workers))
            if results[-1].code in (EX_INTERRUPTED, EX_TERMINATED):
                break
        return results
    finally:
        os.close(slot)


def _slot(home: Home) -> int | None:
    """A lock that ends with us, or None when so many are at work already."""
    files.make_folder(home.runtime, 0o700)
    for number in range(1, _BESIDE + 1):
        path = home.runtime / f"once-{number}.lock"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise files.cannot_write(path, error) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            continue
        return descriptor
    return None


def _broken(error: OrkestraError, which: str) -> Result:
    key = canonical.sha256(which.encode("utf-8", "replace"))[:12]
    lines = [line for line in (error.message, error.hint) if line]
    return Result(key, "Orkestra cannot work on a project:", error.code, lines)


# --- what is said -------------------------------------------------------------------------------------------


def tell(home: Home, results: list[Result]) -> None:
    """One message on stdout about what changed since it was last said; nothing when nothing did."""
    said = home.runtime / "said"
    files.make_folder(said, 0o700)
    new = []
    for one in results:
        if one.code == EX_OK:
            (said / one.key).unlink(missing_ok=True)
        elif one.code in _SILENT:
            if one.lines and sys.stdout.isatty():
                print(one.text(), flush=True)
        elif sys.stdout.isatty() or _is_new(said, one):
            new.append(one)
    if new:
        print("\n\n".join(one.text() for one in new), flush=True)
    for one in new:
        files.write_atomic(said / one.key, one.digest(), mode=0o600, sync=False)


def _is_new(said: Path, one: Result) -> bool:
    return files.read_bounded(said / one.key, 128) != one.digest().encode()


def exit_code(results: list[Result]) -> int:
    """Of all: 0, the one code that there is, or 1."""
    codes = {one.code for one in results} - {EX_OK, EX_HELD}
    stopped = codes & {EX_INTERRUPTED, EX_TERMINATED}
    if stopped:
        return stopped.pop()
    return EX_OK if not codes else codes.pop() if len(codes) == 1 else EX_FAILED


# --- the command --------------------------------------------------------------------------------------------


def _parse(arguments: list[str]) -> tuple[str | None, bool, str]:
    """(project, all, workers). Raises 64."""
    given: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        name, _, value = rest.pop(0).partition("=")
        if name == "--all" and not value:
            given[name] = "1"
        elif name in ("--project", "--workers") and (value or rest):
            given[name] = value or rest.pop(0)
        else:
            raise OrkestraError(EX_USAGE, f"once: cannot do anything with '{printable(name)}'", _USAGE)
    if "--all" in given and "--project" in given:
        raise OrkestraError(EX_USAGE, "once: --project and --all both say of what: give one of them", _USAGE)
    if not re.fullmatch(r"[0-9]{0,12}", given.get("--workers", "")):
        raise OrkestraError(EX_USAGE, "--workers must be a whole number", _USAGE)
    return given.get("--project"), "--all" in given, given.get("--workers", "")


def main(arguments: list[str]) -> int:
    """Works and tells; returns the exit code."""
    # Where LANG is unset or strange, as with cron, a title must still be printed.
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    try:
        wanted, every, workers = _parse(arguments)
        home = home_module.open_home()
        now = Session(home, settings.load(home))
        os.environ["PATH"] = tools.unattended_path(home.config, now.values["ORKESTRA_PATH"].text)
        if every:
            results = work_all(now, workers)
        else:
            try:
                results = [work(now, now.find(wanted, quiet=True), workers)]
            except OrkestraError as error:
                if sys.stdout.isatty():
                    raise
                results = [_broken(error, wanted or "")]
        tell(home, results)
    except OrkestraError as error:
        print(error.lines(), file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return EX_INTERRUPTED
    except Exception as error:  # the one place that keeps a traceback from a user
        if os.environ.get("ORKESTRA_DEBUG") == "1":
            raise
        print(
            f"orkestra: once failed: {type(error).__name__}: {printable(error)[:300]}\n"
            "  ORKESTRA_DEBUG=1 shows where",
            file=sys.stderr,
        )
        return EX_INTERNAL
    return exit_code(results)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
