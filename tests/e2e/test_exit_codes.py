"""Each exit code with what is said then: by the command, in a terminal, by the script, and by cron.

What cron prints is mailed: there it is the same words below the project's name, and nothing where no person
is needed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import time

from processes import wait_for
from world import RUN_BOUND, Project, World

ORCHESTRATOR = "SCRIPTS/CORE/orchestrator.sh"


def terminal(world: World, *arguments: str, press: bytes = b"", when: object = None) -> tuple[int, str]:
    """(exit code, what a person sees) of the command in a terminal of its own, 80 columns wide.

    `press`: what is typed as soon as `when()` is true. A run shows its lines here, and no screen.
    """
    if arguments[0] == "start":
        arguments = ("start", "--plain", *arguments[1:])
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        ["setsid", "--ctty", "--wait", str(world.root / "bin" / "orkestra"), *arguments],
        cwd=world.place,
        env=world.env() | {"TERM": "xterm", "COLUMNS": "80"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        if press and callable(when):
            wait_for(when, "what is waited for")
            os.write(ours, press)
        shown = b""
        with contextlib.suppress(OSError):  # how a terminal says that nobody writes any more
            while part := os.read(ours, 4096):
                shown += part
        return running.wait(RUN_BOUND), shown.decode().replace("\r\n", "\n")
    finally:
        os.close(ours)


def script(world: World, *arguments: str) -> tuple[int, str]:
    """The same of SCRIPTS/CORE/orchestrator.sh."""
    done = subprocess.run(
        [str(world.root / ORCHESTRATOR), *arguments],
        cwd="/",
        env=world.env(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_BOUND,
        check=False,
    )
    return done.returncode, done.stdout


def command(world: World, *arguments: str) -> tuple[int, str]:
    """The same of the command, without a terminal."""
    done = world.orkestra(*arguments)
    return done.returncode, done.stdout + done.stderr


def told(said: tuple[int, str], project: Project) -> tuple[int, str]:
    """Without the line that the command begins with: which project it is about."""
    return said[0], said[1].removeprefix(f"project {project.path.name} ({project.path})\n")


def cron(world: World, *arguments: str) -> tuple[int, str]:
    """The same of what cron calls."""
    done = world.once(*arguments)
    return done.returncode, done.stdout + done.stderr


def everywhere(project: Project, code: int, what: str, hint: str = "") -> None:
    """A start ends with the code and says just that, however it is made; by cron it is mailed once."""
    world, words = project.world, ["--project", "p"]
    said = f"orkestra: {what}\n" + (f"  {hint}\n" if hint else "")
    for by in (command, terminal, script):
        assert told(by(world, "start", *words), project) == (code, said), by.__name__
    got, mail = cron(world, *words)
    assert (got, mail.splitlines()) == (
        code,
        [f"p ({project.path}) cannot go on (exit {code}):", f"  {what}", *([f"  {hint}"] if hint else [])],
    )
    assert cron(world, *words) == (code, ""), "it is said again although nothing changed"


def test_0_nothing_to_do(world: World) -> None:
    project = world.new("p", [])
    for by in (command, terminal, script):
        said = by(world, "stop", "--project", "p")
        assert told(said, project) == (0, "no run is going on in p\n"), by.__name__
    assert cron(world, "--project", "p") == (0, "")


def test_1_paused_or_a_task_failed(world: World) -> None:
    project = world.new("p", [{"id": "bad", "command": "exit 4", "max_attempts": 1}])
    assert world.orkestra("pause", "--project", "p").returncode == 0
    for by in (command, terminal, script):
        said = told(by(world, "start", "--project", "p"), project)
        assert said == (1, "orkestra: the project p is paused\n  orkestra resume --project p\n"), by.__name__
    assert cron(world, "--project", "p") == (0, "")
    assert world.orkestra("resume", "--project", "p").returncode == 0
    code, said = cron(world, "--project", "p")
    assert code == 1
    assert said.splitlines() == [
        f"p ({project.path}) needs you:",
        "  bad failed: the agent failed: shell: the command ended with 4 (attempt 1 of 1)",
        "  more: orkestra status --project p",
        "  why: orkestra task show TASK --project p; again: orkestra task retry TASK --project p",
    ]
    for by in (command, script):
        code, said = by(world, "start", "--project", "p")
        assert "1 task: 1 failed" in said
        assert code == 1 and "bad failed: the agent failed: shell: the command ended with 4" in said, said


def test_16_held_by_another_run(world: World) -> None:
    project = world.new("p", [{"id": "a", "command": "echo a >a"}])
    folder = project.path / ".git" / "orkestra"
    folder.mkdir(exist_ok=True)
    with (folder / "run.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / "holder").write_text(f"{os.getpid()} a-host 2026-11-23T20:00:00+0000\n")
        for by in (command, terminal, script):
            code, said = told(by(world, "start", "--project", "p"), project)
            assert code == 16, said
            what, hint = said.splitlines()
            assert what.startswith(f"orkestra: another run holds this project: process {os.getpid()}"), what
            assert hint == "  wait for it, or stop it: orkestra stop --project p"
        assert cron(world, "--project", "p") == (0, "")


def test_64_wrong_usage(world: World) -> None:
    world.new("p", [])
    for by in (command, terminal):
        said = "orkestra: No such option '--fly'. Did you mean '--only'?\n  see: orkestra start --help\n"
        assert by(world, "start", "--fly") == (64, said)
    head = f"see the head of {world.root / ORCHESTRATOR}"
    assert script(world, "start", "--fly") == (
        64,
        f"orkestra: orchestrator.sh: unknown option '--fly'\n  {head}\n",
    )
    usage = "usage: orchestrator.sh once [--project NAME|PATH | --all] [--workers N]"
    assert cron(world, "--fly") == (64, f"orkestra: once: cannot do anything with '--fly'\n  {usage}\n")


def test_65_bad_data(world: World) -> None:
    project = world.new("p", [])
    queue = project.path / "config" / "task-queue.json"
    queue.write_text('{"version": 1, "tasks": [\n  {"id": "a", "priority": "soon"}]}\n')
    where = "config/task-queue.json:2:27: task 'a'"
    everywhere(project, 65, f"{where}: priority must be one of critical, high, medium, low")


def test_69_no_agent_can_work(world: World) -> None:
    world.new("p", [{"id": "a", "agent": "claude"}])
    for by in (command, script, cron):
        code, said = by(world, *(["start"] if by is not cron else []), "--project", "p")
        assert code == 69, said
        assert "claude" in said and "not installed" in said, said


def test_70_a_defect_is_two_lines_and_no_traceback(world: World) -> None:
    world.new("p", [])
    edit = ("def read(", "def read_no_more(")
    broken = world.weakened(edits={"orkestra_shim/board.py": edit})
    for by, words in ((command, ["status"]), (terminal, ["status"]), (script, ["status"])):
        code, said = by(broken, *words, "--project", "p")
        assert code == 70, said
        what, hint = said.splitlines()
        assert what.startswith("orkestra: something went wrong that should not have: AttributeError: "), what
        assert hint == "  set ORKESTRA_DEBUG=1 and do the same again to see where"


def test_73_cannot_write(world: World) -> None:
    world.new("p", [{"id": "a", "command": "echo a >a"}])
    logs = world.home / "LOGS"
    shutil.rmtree(logs)
    logs.write_text("in the way")
    what = f"orkestra: cannot write {logs}: File exists"
    hint = (
        "  something else stands in its place: move that elsewhere; or set ORKESTRA_HOME to a folder of yours"
    )
    for by in (command, terminal, script, cron):
        words = ["--project", "p"] if by is cron else ["start", "--project", "p"]
        assert by(world, *words) == (73, f"{what}\n{hint}\n"), by.__name__


def test_75_limited(world: World) -> None:
    world.new("p", [{"id": "a", "command": "echo a >a"}])
    now = int(time.time())
    limit = {"model": None, "at": now, "until": now + 6000, "why": "come back later"}
    file = world.home / "CONFIG" / "RUNTIME" / "limits.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"version": 1, "limits": {"shell": [limit]}}))
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + 6000))
    for by in (command, script):
        code, said = by(world, "start", "--no-wait", "--project", "p")
        assert code == 75 and f"shell is limited: come back later (next_run_at {when})" in said, said
    assert cron(world, "--project", "p") == (75, "")


def test_77_a_login_that_is_none(world: World) -> None:
    tool = world.place / "tools" / "claude"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\nexit 3\n")
    tool.chmod(0o755)
    world.environment["PATH"] = f"{tool.parent}:{os.environ['PATH']}"
    said = f"orkestra: claude is not logged in: {tool} ended with 3\n  again: orkestra agents login claude\n"
    for by in (command, terminal):
        assert by(world, "agents", "login", "claude") == (77, said)


def test_78_bad_configuration(world: World) -> None:
    world.new("p", [])
    settings = world.home / "CONFIG" / "settings.env"
    settings.write_text("# mine\nORKESTRA_WORKERS=many\n")
    what = f"{settings}:2: ORKESTRA_WORKERS is many; expected a whole number from 1 to 256"
    for by in (command, terminal, script):
        assert by(world, "start", "--project", "p") == (78, f"orkestra: {what}\n"), by.__name__
    assert cron(world, "--project", "p") == (78, f"orkestra: {what}\n")


def part(world: World) -> bool:
    """Whether an agent has begun."""
    return bool(list((world.place / "home" / ".cache").glob("orkestra/*/w*/tree/part")))


def test_130_and_143_stopped_by_a_person(world: World) -> None:
    world.environment["ORKESTRA_GRACE"] = "1"
    project = world.new("p", [{"id": "slow", "command": "echo begun >part; sleep 600"}])
    code, said = terminal(world, "start", "--project", "p", press=b"\x03", when=lambda: part(world))
    assert code == 130
    assert re.search(r"stopping: slow \(work\) within 1 seconds; what is under way is kept", said), said
    for one in (world.place / "home" / ".cache").glob("orkestra/*/w*/tree/part"):
        one.unlink()
    running = subprocess.Popen(
        [str(world.root / ORCHESTRATOR), "start", "--project", "p"],
        env=world.env(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    world.started.append(running)
    wait_for(lambda: part(world), "an agent at work")
    running.send_signal(signal.SIGTERM)
    said = running.communicate(timeout=RUN_BOUND)[0]
    assert running.returncode == 143 and "stopping: slow (work) within 1 seconds" in said, said
    assert project.decided() == {}
