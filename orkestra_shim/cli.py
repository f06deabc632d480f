"""The command `orkestra`. One place turns errors into exit codes and a line or two on stderr."""

from __future__ import annotations

import os
import sys

import click

from orkestra_shim import __version__
from orkestra_shim.commands import (
    Group,
    agents,
    ask,
    attach,
    blame,
    completion,
    cron,
    manual,
    plan,
    projects,
    proof,
    report,
    run,
    schema,
    settings,
    task,
    undo,
    vote,
    watching,
)
from orkestra_shim.errors import (
    EX_CANNOT_WRITE,
    EX_FAILED,
    EX_INTERNAL,
    EX_INTERRUPTED,
    EX_UNAVAILABLE,
    EX_USAGE,
    OrkestraError,
)


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 a task failed or needs a person, 16 another run holds the project, "
    "64 usage, 65 bad data, 69 something is missing, 73 cannot write, 75 limited, 78 configuration, "
    "130/143 stopped.",
)
@click.version_option(__version__, "-V", "--version", prog_name="orkestra", message="%(prog)s %(version)s")
def orkestra() -> None:
    """Several agents work through a project's tasks; what passes its check and its committee lands."""


for command in (
    projects.new,
    projects.adopt,
    projects.load,
    projects.list_,
    run.start,
    run.stop,
    run.pause,
    run.resume,
    run.status,
    watching.watch,
    watching.log,
    task.task,
    attach.attach,
    undo.undo,
    plan.plan,
    ask.ask,
    vote.vote,
    blame.blame,
    agents.agents,
    report.report,
    cron.cron,
    settings.config,
    schema.schema,
    proof.demo,
    proof.doctor,
    proof.verify,
    completion.completion,
    manual.manual,
):
    orkestra.add_command(command)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command and returns its exit code."""
    debug = os.environ.get("ORKESTRA_DEBUG") == "1"
    if completion.VARIABLE in os.environ:
        completion.attach(orkestra)
    try:
        _need_linux()
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


def _need_linux() -> None:
    """Raises 69 elsewhere, as bin/orkestra does: installed with pip this is the first that is asked."""
    if not sys.platform.startswith("linux"):
        raise OrkestraError(
            EX_UNAVAILABLE,
            f"it runs on Linux only, and this is {sys.platform}: there is no bubblewrap, flock or setpriv "
            "here; nothing was done",
            "use a Linux container or virtual machine; what its projects hold is read with Git on any system",
        )


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

    if isinstance(error, ImportError):
        from orkestra_shim import lacking

        missing = lacking.names()
        if missing:
            print(lacking.error(missing).lines(), file=sys.stderr)
            return EX_UNAVAILABLE
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
