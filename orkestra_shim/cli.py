"""The command `orkestra`. One place turns errors into exit codes and a line or two on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orkestra_shim import __version__
from orkestra_shim.errors import (
    EX_CANNOT_WRITE,
    EX_FAILED,
    EX_INTERNAL,
    EX_INTERRUPTED,
    EX_USAGE,
    OrkestraError,
)

if TYPE_CHECKING:
    from orkestra_shim.session import Session

F = TypeVar("F", bound=Callable[..., Any])
with_project = click.option(
    "--project", "wanted", metavar="NAME|PATH", help="Another project than the active one."
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 a task failed or needs a person, 16 another run holds the project, "
    "64 usage, 65 bad data, 69 something is missing, 73 cannot write, 75 limited, 78 configuration, "
    "130/143 stopped.",
)
@click.version_option(__version__, "-V", "--version", prog_name="orkestra", message="%(prog)s %(version)s")
def orkestra() -> None:
    """Several agents work through a project's tasks; what passes its check and its committee lands."""


def session() -> Session:
    """Home and settings of this call."""
    from orkestra_shim.session import open_session

    return open_session()


def say(text: object = "", err: bool = False) -> None:
    """A line for people; what could move a terminal's cursor is shown escaped."""
    from orkestra_shim.text import printable

    print("\n".join(map(printable, str(text).split("\n"))), file=sys.stderr if err else sys.stdout)


def say_json(value: object) -> None:
    """A value for programs."""
    import json

    print(json.dumps(value, ensure_ascii=False, indent=2).encode("utf-8", "replace").decode("utf-8"))


def is_terminal() -> bool:
    """Whether a question can be asked."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


# --- projects -----------------------------------------------------------------------------------------------


@orkestra.command()
@click.argument("name")
@click.option("--template", "-t", default="standard", show_default=True, help="What it starts from.")
def new(name: str, template: str) -> None:
    """Make a new project and load it."""
    from orkestra_shim import create, projects

    now = session()
    made = create.new(now.home, now.projects, name, template)
    projects.point_to(now.home, now.projects, made)
    say(f"made {made.path} from the template {template}; it is the active project")
    say("next: edit config/task-queue.json there, or: orkestra task add TITLE; then: orkestra start")


@orkestra.command()
@click.argument("path", type=click.Path(), default=".")
@click.option("--name", help="Its name; without one, the folder's.")
@click.option("--check", help="The command that must succeed for a change to land.")
@click.option(
    "--share", multiple=True, metavar="DIR[:rw]", help="A large untracked folder that workspaces see."
)
def adopt(path: str, name: str | None, check: str | None, share: tuple[str, ...]) -> None:
    """Make an existing Git repository a project; adds two files in one commit."""
    from orkestra_shim import adopt as adopting
    from orkestra_shim import project, projects

    now = session()
    ask = adopting.ask_in_terminal if is_terminal() else None
    done = adopting.adopt(Path(os.path.abspath(path)), name, check, list(share), ask)
    project.prepare_logs(done.project)
    projects.point_to(now.home, now.projects, done.project)
    for line in done.lines:
        say(line)


@orkestra.command()
@click.argument("wanted", metavar="NAME|PATH")
def load(wanted: str) -> None:
    """Make a project the active one, also one that was moved or cloned."""
    from orkestra_shim import project, projects

    now = session()
    found = now.find(wanted)
    project.prepare_logs(found)
    projects.point_to(now.home, now.projects, found)
    say(f"{found.name} is the active project ({found.path})")


@orkestra.command(name="list")
@as_json
def list_(as_json: bool) -> None:
    """List the projects."""
    from orkestra_shim import board, projects

    now = session()
    active = projects.read_pointer(now.home).get("path")
    rows: list[dict[str, Any]] = []
    for one in projects.all_projects(now.home, now.projects):
        if isinstance(one, OrkestraError):
            rows.append({"problem": one.message})
            continue
        row: dict[str, Any] = {"name": one.name, "path": str(one.path), "active": str(one.path) == active}
        try:
            row["tasks"] = board.read(now, one).counts()
        except OrkestraError as error:
            row["problem"] = error.message
        rows.append(row)
    if as_json:
        say_json(rows)
        return
    if not rows:
        say(f"no projects in {now.projects}; make one: orkestra new NAME")
    width = max((len(row.get("name", "")) for row in rows), default=0)
    for row in rows:
        counts = ", ".join(f"{count} {state}" for state, count in row.get("tasks", {}).items()) or "no tasks"
        if "name" not in row:
            say(f"! {row['problem']}")
        else:
            mark = "*" if row["active"] else " "
            say(f"{mark} {row['name']:<{width}}  {row.get('problem') or counts}  ({row['path']})")


# --- a run --------------------------------------------------------------------------------------------------


@orkestra.command()
@with_project
@click.option("--stay", is_flag=True, help="Wait for more when nothing is left to do.")
@click.option("--workers", type=click.IntRange(1, 64), help="How many tasks at the same time.")
@click.option("--only", multiple=True, metavar="TASK", help="Nothing but this task and what it waits for.")
@click.option(
    "--anyway", is_flag=True, help="Go on although the project's check fails before anything was done."
)
def start(wanted: str | None, stay: bool, workers: int | None, only: tuple[str, ...], anyway: bool) -> None:
    """Work through the queue until nothing is left to do."""
    from orkestra_shim import scripts

    now = session()
    found = now.find(wanted)
    arguments = ["start", "--project", str(found.path)]
    arguments += ["--stay"] * stay + ["--anyway"] * anyway
    arguments += ["--workers", str(workers)] if workers else []
    for task in only:
        arguments += ["--only", task]
    say(f"project {found.name} ({found.path})")
    scripts.become(now.home, now.values, "CORE/orchestrator.sh", arguments)


@orkestra.command()
@with_project
def stop(wanted: str | None) -> None:
    """End the run that goes on; what is under way is kept."""
    from orkestra_shim import scripts

    now = session()
    found = now.find(wanted)
    say(f"project {found.name} ({found.path})")
    scripts.become(now.home, now.values, "CORE/orchestrator.sh", ["stop", "--project", str(found.path)])


@orkestra.command()
@with_project
@as_json
def status(wanted: str | None, as_json: bool) -> None:
    """Show where the project stands."""
    from orkestra_shim import board

    now = session()
    found = now.find(wanted)
    seen = board.read(now, found)
    if as_json:
        say_json(
            {
                "project": {
                    "name": found.name,
                    "id": found.id,
                    "path": str(found.path),
                    "branch": found.branch,
                },
                "run": seen.run,
                "counts": seen.counts(),
                "tasks": list(seen.rows.values()),
            }
        )
        return
    say(f"project {found.name} ({found.path}), branch {found.branch}")
    run = seen.run
    say(
        f"a run goes on since {run['since']} (process {run['process']} on {run['host']})"
        if run
        else "no run goes on"
    )
    counts = seen.counts()
    summary = ", ".join(f"{number} {state}" for state, number in counts.items())
    say(f"{len(seen.rows)} tasks: {summary}" if counts else "no tasks yet: orkestra task add TITLE")
    for row in seen.rows.values():
        if row["state"] in ("in_progress", "needs_human", "failed"):
            say(_line(row, 0))


@orkestra.group()
def task() -> None:
    """Add, list and show tasks."""


@task.command()
@click.argument("title")
@with_project
@click.option("--id", "name", help="Without one, a short random id is made.")
@click.option("--description", "-d", help="What is to be done; '-' reads it from stdin.")
@click.option("--depends-on", multiple=True, metavar="TASK", help="Must be completed before.")
@click.option("--prefer-after", multiple=True, metavar="TASK", help="Better after this one, if it can be.")
@click.option("--priority", type=click.Choice(["critical", "high", "medium", "low"]))
@click.option("--agent", help="Who does it; 'auto' without one.")
@click.option("--command", help="For the agent shell: what it executes (makes it the agent).")
@click.option("--input", "inputs", multiple=True, metavar="PATH", help="A file that must be there before.")
@click.option("--allow-path", "allow_paths", multiple=True, metavar="GLOB", help="What the change may touch.")
@click.option("--check", help="The command that must succeed; without one, the project's.")
@click.option("--timeout", type=int, metavar="SECONDS")
@click.option("--max-attempts", type=int, metavar="N")
@click.option("--allow-empty", is_flag=True, help="Changing nothing is an answer too.")
def add(title: str, wanted: str | None, name: str | None, description: str | None, **given: Any) -> None:
    """Add a task to the queue."""
    from orkestra_shim import editing

    if description == "-":
        description = sys.stdin.read()
    fields: dict[str, Any] = {"id": name, "title": title, "description": description}
    fields |= {key: list(value) if isinstance(value, tuple) else value for key, value in given.items()}
    if fields.get("command") and not fields.get("agent"):
        fields["agent"] = "shell"
    kept = {key: value for key, value in fields.items() if value not in (None, [], False)}
    now = session()
    found = now.find(wanted)
    usual = {"depends_on": [], "priority": "medium", "agent": "auto"}
    made = editing.add(found, {"id": name, **usual, **kept, "status": "pending"})
    say(f"added {made} to {found.name}")


@task.command(name="list")
@with_project
@as_json
@click.option("--state", "states", multiple=True, help="Only those in this state (may be given again).")
def task_list(wanted: str | None, as_json: bool, states: tuple[str, ...]) -> None:
    """List the tasks and where each stands."""
    from orkestra_shim import board

    now = session()
    seen = board.read(now, now.find(wanted))
    unknown = set(states) - set(board.ORDER) - {"pending"}
    if unknown:
        raise OrkestraError(
            EX_USAGE, f"unknown state {sorted(unknown)[0]}", "states: " + ", ".join(board.ORDER)
        )
    rows = [
        row for row in seen.rows.values() if not states or row["state"] in states or row["status"] in states
    ]
    if as_json:
        say_json(rows)
        return
    width = max((len(row["id"]) for row in rows), default=0)
    for row in rows:
        say(_line(row, width))
    if not rows:
        say("no tasks" if not states else "no such tasks")


def _line(row: dict[str, Any], width: int) -> str:
    more = ""
    if row.get("waits_for"):
        more = " (waits for " + ", ".join(row["waits_for"]) + ")"
    elif row["reason"]:
        more = f" ({row['reason'].splitlines()[0][:160]})"
    elif row["state"] == "in_progress":
        more = f" ({row.get('worker', '')}, try {row.get('try', 1)})"
    return f"{row['state']:<11}  {row['id']:<{width}}  {' '.join(row['title'].split())}{more}"


@task.command()
@click.argument("name", metavar="TASK")
@with_project
@as_json
def show(name: str, wanted: str | None, as_json: bool) -> None:
    """Show one task: what is wanted, what happened, what was kept."""
    from orkestra_shim import board

    now = session()
    details = board.task_details(board.read(now, now.find(wanted)), name)
    if as_json:
        say_json(details)
        return
    raw = details["task"]
    say(f"{details['id']}: {' '.join(details['title'].split())}")
    say(
        f"  state: {details['state']}"
        + (f" ({' '.join(details['reason'].split())})" if details["reason"] else "")
    )
    for key in ("agent", "priority", "depends_on", "prefer_after", "inputs", "allow_paths", "check", "note"):
        value = raw.get(key)
        if value:
            say(f"  {key}: {', '.join(map(str, value)) if isinstance(value, list) else value}")
    for key in ("description", "command"):
        if raw.get(key):
            say(f"  {key}:")
            for line in str(raw[key]).splitlines():
                say(f"    {line}")
    _say_history(details)


def _say_history(details: dict[str, Any]) -> None:
    for outcome in details["outcomes"]:
        change = outcome.get("change") or {}
        votes = ", ".join(str(vote.get("id")) for vote in outcome.get("votes", []) if isinstance(vote, dict))
        say(f"  {outcome['id']}: {outcome.get('decision')}, by {outcome.get('agent')}, reviewed by "
            f"{outcome.get('reviewed_by')}" + (f" ({votes})" if votes else ""))  # fmt: skip
        if change.get("commit"):
            say(f"    change {str(change['commit'])[:12]}: git show {str(change['commit'])[:12]}")
        if outcome.get("why"):
            say(f"    {' '.join(str(outcome['why']).split())[:300]}")
    for kept in details["kept"]:
        say(f"  kept work: {kept['ref']} {kept['commit'][:12]} ({kept['date']}) {kept['subject']}")
    for one in details["tries"]:
        say(f"  try {one['try']}: {one['folder']}")


@task.command()
@click.argument("name", metavar="TASK")
@with_project
def accept(name: str, wanted: str | None) -> None:
    """Let a proposed task run."""
    from orkestra_shim import editing

    found = session().find(wanted)
    editing.accept(found, name)
    say(f"{name} is accepted; orkestra start works on it")


@task.command()
@click.argument("name", metavar="TASK")
@with_project
@click.option("--note", default="", help="What the agent is told.")
def retry(name: str, wanted: str | None, note: str) -> None:
    """Put a task that failed, waits for a person or was cancelled back to work."""
    from orkestra_shim import board, editing

    now = session()
    found = now.find(wanted)
    row = board.row_of(board.read(now, found), name)
    if row["status"] not in ("failed", "needs_human", "cancelled", "completed"):
        raise OrkestraError(EX_USAGE, f"{name} is {row['state']}: there is nothing to do again")
    editing.retry(found, name, row["outcome"], note)
    say(f"{name} is put back to work; orkestra start works on it")


# --- settings, help, proof ----------------------------------------------------------------------------------


@orkestra.group(invoke_without_command=True)
@as_json
@click.pass_context
def config(context: click.Context, as_json: bool) -> None:
    """Show or change the settings."""
    if context.invoked_subcommand is not None:
        return
    now = session()
    if as_json:
        say_json(
            {
                "home": str(now.home.folder),
                "framework": str(now.home.root),
                "settings": {
                    key: {"value": one.text, "source": one.source} for key, one in now.values.items()
                },
                "keys": _key_names(now),
            }
        )
        return
    say(f"home       {now.home.folder}")
    say(f"framework  {now.home.root}")
    width = max(map(len, now.values))
    for key, one in now.values.items():
        say(f"{key:<{width}}  {one.text or '(empty)'}  [{one.source}]")
    keys = _key_names(now)
    say("keys: " + (", ".join(keys) if keys else f"none in {now.home.config / 'api-keys.env'}"))


def _key_names(now: Session) -> list[str]:
    from orkestra_shim import settings

    return sorted(settings.api_keys(now.home))


@config.command(name="get")
@click.argument("key")
def config_get(key: str) -> None:
    """Print the value of one setting."""
    values = session().values
    if key not in values:
        raise OrkestraError(EX_USAGE, f"unknown setting {key}", "known settings: " + ", ".join(values))
    say(values[key].text)


@config.command(name="set")
@click.argument("key")
@click.argument("value")
def config_set(key: str, value: str) -> None:
    """Write one setting into CONFIG/settings.env."""
    from orkestra_shim import settings

    now = session()
    settings.put(now.home, key, value)
    say(f"{key} is set in {now.home.config / 'settings.env'}")
    if settings.load(now.home)[key].source == "environment":
        say(f"note: the environment has another value of {key}, which wins", err=True)


@orkestra.command()
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@click.option("--fresh", is_flag=True, help="Begin anew; the old demo is kept under another name.")
def demo(yes: bool, fresh: bool) -> None:
    """See it work: builds a small website, without any AI and at no cost."""
    from orkestra_shim import demo as showing

    sys.exit(showing.run(session(), ask=is_terminal() and not yes, fresh=fresh))


@orkestra.command()
@as_json
def doctor(as_json: bool) -> None:
    """Say what is missing on this machine, and the command that mends it."""
    from orkestra_shim import doctor as checking

    found = checking.examine()
    if as_json:
        say_json([one.as_dict() for one in found])
    else:
        for one in found:
            say(f"{one.mark} {one.name}: {one.text}")
            if one.cure:
                say(f"      {one.cure}")
    sys.exit(checking.exit_code(found))


@orkestra.command()
@with_project
@as_json
@click.option("--since", metavar="COMMIT", help="Hold the records against a head that was pinned elsewhere.")
def verify(wanted: str | None, as_json: bool, since: str | None) -> None:
    """Recompute every hash, tally and binding of the records."""
    from orkestra_shim import verify as proving

    found = session().find(wanted)
    result = proving.verify(found.path, found.branch, since)
    if as_json:
        findings = [{"record": record, "what": what} for record, what in result.findings]
        say_json({"ok": result.ok, "findings": findings, "notes": result.notes, "counts": result.counts})
    else:
        say(f"project {found.name} ({found.path}), branch {found.branch}")
        for note in result.notes:
            say(f"note: {note}")
        for record, what in result.findings:
            say(f"does not hold: {record}: {what}")
        counts = ", ".join(f"{number} {what}" for what, number in result.counts.items())
        say(f"everything holds: {counts}" if result.ok else f"looked at: {counts}")
    sys.exit(0 if result.ok else EX_FAILED)


# --- one place for errors -----------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    debug = os.environ.get("ORKESTRA_DEBUG") == "1"
    try:
        code = orkestra.main(args=arguments, prog_name="orkestra", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except SystemExit as leaving:
        # click leaves with 1 when nobody reads its output any more; for us that is no failure.
        if type(sys.stdout).__name__.endswith("PacifyFlushWrapper"):
            return 0
        return _flushed(leaving.code)
    except (KeyboardInterrupt, click.exceptions.Abort):
        print("orkestra: stopped", file=sys.stderr)
        return EX_INTERRUPTED
    except BrokenPipeError:
        _quiet_stdout()
        return 0
    except click.UsageError as error:
        return _usage(error)
    except OrkestraError as error:
        if debug:
            raise
        print(_shown(error), file=sys.stderr)
        return error.code
    except Exception as error:
        if debug:
            raise
        return _unexpected(error)


def _flushed(code: object) -> int:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _quiet_stdout()
    return code if isinstance(code, int) else 0 if code is None else EX_FAILED


def _shown(error: OrkestraError) -> str:
    from orkestra_shim.text import printable

    lines = [f"orkestra: {printable(error.message)}"]
    return "\n".join([*lines, *(f"  {printable(line)}" for line in error.hint.splitlines())])


def _usage(error: click.UsageError) -> int:
    from orkestra_shim.text import printable

    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return EX_USAGE
    path = error.ctx.command_path if error.ctx is not None else "orkestra"
    print(f"orkestra: {printable(error.format_message())}\n  see: {path} --help", file=sys.stderr)
    return EX_USAGE


def _quiet_stdout() -> None:
    """Nobody reads any more: what is left in the buffer goes nowhere, without a complaint at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unexpected(error: Exception) -> int:
    from orkestra_shim.text import printable

    if isinstance(error, OSError) and error.filename is not None:
        print(f"orkestra: {printable(error.filename)}: {error.strerror}", file=sys.stderr)
        return EX_CANNOT_WRITE
    print(
        f"orkestra: something went wrong that should not have: {type(error).__name__}: "
        f"{printable(error)[:300]}\n"
        "  set ORKESTRA_DEBUG=1 and do the same again to see where",
        file=sys.stderr,
    )
    return EX_INTERNAL
