"""Runs that cron starts: with the real daemon, with cron's bare environment, for every project, said once."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from processes import below, wait_for
from world import RUN_BOUND, Project, World

FAILS = {"id": "bad", "command": "echo went wrong; exit 4", "max_attempts": 1}
WRITES = {"id": "good", "command": "echo good >good"}
# A minute passes until cron looks; the rest is the run.
MAIL_BOUND = 150


once = World.once


# --- the real daemon ----------------------------------------------------------------------------------------


def cron_or_skip() -> None:
    """Skips where a cron daemon of our own cannot be started."""
    if shutil.which("crontab") is None or not os.path.exists("/usr/sbin/cron"):
        pytest.skip("cron is not installed (Debian package cron)")
    if os.geteuid() != 0:
        pytest.skip("the cron daemon has to be started by root")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("mounts of our own are not allowed here, and the machine's crontab is not touched")


DAEMON = """
set -eu
mount -t tmpfs tmpfs /var/spool/cron
mkdir -m 1730 /var/spool/cron/crontabs
chgrp crontab /var/spool/cron/crontabs
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /etc/cron.d
mount --bind /dev/null /etc/crontab
mount --bind "$1/sbin" /usr/sbin
crontab - <"$1/theirs" # a name is cut after a hundred characters
"$2" cron install --all --schedule '* * * * *'
crontab -l >"$1/installed"
exec cron -f -L 15
"""


@pytest.fixture
def percent(tmp_path: Path) -> World:
    """A world below a path that is special to cron, too."""
    place = tmp_path / "100% of it's a plâce $HOME"
    (place / "home").mkdir(parents=True)
    (place / "orkestra hôme").mkdir()
    return World(place)


@pytest.fixture
def daemon(percent: World) -> Iterator[subprocess.Popen[bytes]]:
    """A cron daemon with a crontab, a /run and a sendmail of its own; the machine's are never touched."""
    cron_or_skip()
    place = percent.place
    (place / "sbin").mkdir()
    (place / "mails").mkdir()
    shutil.copy("/usr/sbin/cron", place / "sbin" / "cron")
    sendmail = place / "sbin" / "sendmail"
    sendmail.write_text(
        f"#!{sys.executable}\nimport os, sys\nplace = {str(place / 'mails')!r}\n"
        "new = os.path.join(place, f'.{os.getpid()}')\n"
        "open(new, 'wb').write(sys.stdin.buffer.read())\nos.rename(new, new.replace('/.', '/'))\n"
    )
    sendmail.chmod(0o755)
    (place / "theirs").write_text(
        f'# theirs\nMAILTO=root\nHOME="{place}/home"\nGIT_CONFIG_GLOBAL=/dev/null\n'
        "0 0 1 1 *\ttrue  # new\\% year\n"
    )
    env = percent.env() | {"PATH": os.environ["PATH"] + ":/usr/sbin"}
    running = subprocess.Popen(
        [
            "unshare",
            "--mount",
            "bash",
            "-c",
            DAEMON,
            "daemon",
            str(place),
            str(percent.root / "bin/orkestra"),
        ],
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    yield running
    running.kill()
    running.wait()


def test_the_real_daemon_lands_and_mails_what_needs_a_person(
    percent: World, request: pytest.FixtureRequest
) -> None:
    cron_or_skip()
    well = percent.new("well", [WRITES])
    ill = percent.new("ill", [FAILS])
    running: subprocess.Popen[bytes] = request.getfixturevalue("daemon")
    mails = percent.place / "mails"
    end = time.monotonic() + MAIL_BOUND
    while not any(not one.name.startswith(".") for one in mails.iterdir()):
        if running.poll() is not None or time.monotonic() > end:
            running.kill()
            pytest.fail(f"no mail; the daemon said: {running.communicate()[0].decode()}")
        time.sleep(0.5)
    (mail,) = (one.read_text() for one in mails.iterdir())
    assert "ill (" in mail and "bad failed: the agent failed: went wrong" in mail
    assert "orkestra task retry TASK --project ill" in mail and "well (" not in mail
    assert well.decided() == {"good": "landed"} and ill.decided() == {"bad": "failed"}
    assert well.verify().returncode == 0
    theirs = (percent.place / "theirs").read_bytes()
    installed = (percent.place / "installed").read_bytes()
    assert installed.startswith(theirs) and installed.count(b"\n") == theirs.count(b"\n") + 1


# --- cron's environment -------------------------------------------------------------------------------------


def test_a_tool_that_only_the_shell_found_is_found_by_its_kept_path(world: World) -> None:
    tool = world.place / "odd place" / "oddly"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    adapter = world.home / "CONFIG" / "agents" / "oddly"
    adapter.parent.mkdir(parents=True)
    adapter.write_text(
        "#!/bin/sh\ncase $1 in\n"
        'describe) echo \'{"name": "oddly", "family": "odd", "kind": "ai", "binary": "oddly",\'\n'
        '  echo \'"can": ["work"]}\' ;;\n'
        'probe) found=$(command -v oddly) || { echo "oddly is not installed" >&2; exit 69; }\n'
        '  printf "binary\\t%s\\n" "$found" ;;\n'
        "work) echo by oddly >\"$(sed -n 's/.*FILE=\\([a-z]*\\).*/\\1/p')\" ;;\nesac\n"
    )
    adapter.chmod(0o755)
    first = {"id": "first", "title": "FILE=first", "agent": "oddly"}
    project = world.new("odd", [first])
    lost = once(world, "--project", "odd")
    assert lost.returncode == 69 and "oddly is not installed" in lost.stdout
    world.environment["PATH"] = f"{tool.parent}:{os.environ['PATH']}"
    done = project.start()
    assert done.returncode == 0, done.stdout + done.stderr
    project.tasks([first, {"id": "second", "title": "FILE=second", "agent": "oddly"}])
    by_cron = once(world, "--project", "odd")
    assert (by_cron.returncode, by_cron.stdout, by_cron.stderr) == (0, "", "")
    assert project.decided() == {"first": "landed", "second": "landed"}


def test_all_projects_and_what_is_broken_is_named(world: World) -> None:
    well = world.new("well", [WRITES])
    elsewhere = world.place / "elsewhere"
    subprocess.run(["git", "init", "-q", "-b", "main", str(elsewhere)], check=True)
    outside = Project(world, elsewhere)
    outside.git("commit", "--quiet", "--allow-empty", "-m", "first")
    assert world.orkestra("adopt", str(elsewhere)).returncode == 0
    outside.tasks([WRITES])
    (world.home / "PROJECTS" / "broken" / "config").mkdir(parents=True)
    (world.home / "PROJECTS" / "broken" / "config" / "project.json").write_text("{")
    done = once(world, "--all")
    assert done.returncode == 65 and done.stderr == ""
    assert "broken/config/project.json" in done.stdout and "well" not in done.stdout
    assert well.decided() == outside.decided() == {"good": "landed"}
    again = once(world, "--all")
    assert (again.returncode, again.stdout, again.stderr) == (65, "", "")


def test_the_same_is_said_again_only_when_something_changed(world: World) -> None:
    project = world.new("ill", [FAILS])
    first = once(world, "--project", "ill")
    assert first.returncode == 1 and "bad failed" in first.stdout
    for _ in range(2):
        again = once(world, "--project", "ill")
        assert (again.returncode, again.stdout, again.stderr) == (1, "", "")
    # Another task that lands does not change what needs a person.
    added = world.orkestra(
        "task", "add", "x", "--id", "good", "--command", "echo good >good", "--project", "ill"
    )
    assert added.returncode == 0
    landed = once(world, "--project", "ill")
    assert (landed.returncode, landed.stdout, project.decided()["good"]) == (1, "", "landed")
    # Tried again and failed again, for the same reason: that is new.
    assert world.orkestra("task", "retry", "bad", "--project", "ill").returncode == 0
    retried = once(world, "--project", "ill")
    assert retried.returncode == 1 and "bad failed" in retried.stdout


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_what_ends_it_ends_its_run(world: World, how: signal.Signals) -> None:
    project = world.new("long", [{"id": "slow", "command": "echo begun >part; sleep 600"}])
    script = world.root / "SCRIPTS" / "CORE" / "orchestrator.sh"
    running = subprocess.Popen(
        [str(script), "once", "--all"],
        env=world.env() | {"ORKESTRA_GRACE": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    world.started.append(running)
    cache = world.place / "home" / ".cache"
    wait_for(lambda: list(cache.glob("orkestra/*/w*/tree/part")), "an agent at work")
    # Meanwhile cron calls again: that project is left alone.
    again = once(world, "--all")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    running.send_signal(how)
    out, _ = running.communicate(timeout=60)
    assert (running.returncode, out) == ((143, "") if how == signal.SIGTERM else (-9, ""))
    wait_for(lambda: not below(world.place), "the end of every process")
    assert project.decided() == {}


def test_as_many_at_once_as_is_reasonable_and_no_more(world: World) -> None:
    project = world.new("well", [WRITES])
    runtime = world.home / "CONFIG" / "RUNTIME"
    runtime.mkdir(parents=True, exist_ok=True)
    locks = [(runtime / f"once-{number}.lock").open("w") for number in (1, 2)]
    for lock in locks:
        fcntl.flock(lock, fcntl.LOCK_EX)
    done = once(world, "--all")
    assert (done.returncode, done.stdout, done.stderr, project.decided()) == (0, "", "", {})
    locks[1].close()
    done = once(world, "--all")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert project.decided() == {"good": "landed"}


def once_in_a_terminal(world: World, *arguments: str) -> tuple[int, str]:
    """(exit code, what a person sees)."""
    terminal, inside = pty.openpty()
    try:
        code = subprocess.run(
            [str(world.root / "SCRIPTS" / "CORE" / "orchestrator.sh"), "once", *arguments],
            env=world.env(),
            stdin=subprocess.DEVNULL,
            stdout=inside,
            stderr=inside,
            timeout=RUN_BOUND,
            check=False,
        ).returncode
        os.close(inside)
        shown = b""
        with contextlib.suppress(OSError):  # how a terminal says that nobody writes any more
            while part := os.read(terminal, 4096):
                shown += part
        return code, shown.decode()
    finally:
        os.close(terminal)


def test_a_limited_agent_is_no_reason_to_mail(world: World) -> None:
    project = world.new("resting", [{"id": "a", "agent": "shell", "command": "echo a >a"}])
    now = int(time.time())
    limit = {"model": None, "at": now, "until": now + 600, "why": "come back later"}
    file = world.home / "CONFIG" / "RUNTIME" / "limits.json"
    file.write_text(json.dumps({"version": 1, "limits": {"shell": [limit]}}))
    done = once(world, "--project", "resting")
    assert (done.returncode, done.stdout, done.stderr) == (75, "", "")
    assert project.statuses() == {"a": "pending"}
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + 600))
    done = world.orkestra("start", "--no-wait", "--project", "resting")
    assert done.returncode == 75 and f"shell is limited: come back later (next_run_at {when})" in done.stdout
    code, shown = once_in_a_terminal(world, "--project", "resting")
    assert code == 75 and f"shell is limited: come back later (next_run_at {when})" in shown


def test_wrong_usage_is_said_with_its_code(world: World) -> None:
    for arguments in (["--all", "--project", "x"], ["--fly"], ["--project"], ["--workers", "x"]):
        done = once(world, *arguments)
        assert done.returncode == 64 and done.stdout == ""
        assert done.stderr.startswith("orkestra: ") and "usage: orchestrator.sh once" in done.stderr
