"""`orkestra attach`: a person, at a terminal, in the sandboxed workspace of a task."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from world import Project, World

PATIENCE = 60  # bound for what hangs, seconds


TOOL = """\
#!/bin/bash
case $1 in
  describe)
    printf '%s' '{"name": "mytool", "family": "mine", "kind": "ai", "can": ["work", "attach"],'
    printf '%s' ' "revises": "tree", "env": ["MYTOOL_KEY"], "sessions": [".mytool"]}'
    ;;
  work)
    mkdir ~/.mytool && echo "as it was told" >~/.mytool/talk.json && echo wrong >a.txt
    printf '{"text": "done", "session": "session-0001"}' >"$ORKESTRA_ATTEMPT_DIR/result.json"
    ;;
  attach)
    read -r -p "$ORKESTRA_SESSION: $(cat ~/.mytool/talk.json); $MYTOOL_KEY? " answer
    echo "$answer" >a.txt
    ;;
esac
"""


class Terminal:
    """A person at the command, who types and reads."""

    def __init__(self, world: World, *words: str) -> None:
        self.screen = b""
        self.master, slave = pty.openpty()
        self.command = subprocess.Popen(
            [str(world.root / "bin" / "orkestra"), *words],
            cwd=world.place,
            env=world.env() | {"TERM": "xterm"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)

    def sees(self, text: str) -> str:
        """What is on the screen up to this text, once it is there."""
        end = time.monotonic() + PATIENCE
        while text.encode() not in self.screen:
            assert time.monotonic() < end, f"{text!r} never came: {self.screen.decode('utf-8', 'replace')}"
            self._read()
        before, _, self.screen = self.screen.partition(text.encode())
        return before.decode("utf-8", "replace")

    def _read(self) -> bool:
        ready, _, _ = select.select([self.master], [], [], 0.5)
        if not ready:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.screen += data
        return bool(data)

    def types(self, line: str) -> None:
        os.write(self.master, f"{line}\n".encode())

    def leaves(self, line: str = "exit") -> tuple[int, str]:
        """The exit code, and all that was still said."""
        self.types(line)
        end = time.monotonic() + PATIENCE
        while self._read():
            assert time.monotonic() < end, self.screen.decode("utf-8", "replace")
        return self.command.wait(PATIENCE), self.screen.decode("utf-8", "replace")


@contextmanager
def attached(project: Project, name: str, *words: str) -> Iterator[Terminal]:
    terminal = Terminal(project.world, "attach", "--project", str(project.path), name, *words)
    try:
        yield terminal
    finally:
        if terminal.command.poll() is None:
            terminal.command.kill()
            terminal.command.wait()
        os.close(terminal.master)


def test_a_person_mends_what_an_agent_could_not(world: World) -> None:
    wrong = {"id": "a", "command": "echo one >a.txt", "check": "grep -q two a.txt", "max_attempts": 1}
    project = world.new("one", [wrong])
    assert project.start().returncode == 1 and project.statuses() == {"a": "failed"}
    with attached(project, "a") as person:
        person.sees("with the work of attempt 1")
        person.sees("[a] ")
        person.types(
            "cat a.txt; stty size; tty -s && echo at-a-$TERM; ls -A ~ ../../.. | wc -l; echo half >a.txt"
        )
        person.sees("one\r\n")
        person.sees("at-a-xterm")
        code, said = person.leaves("echo two >>a.txt; exit")
    assert code == 0, said
    assert project.file("a.txt") == "half\ntwo\n" and project.statuses() == {"a": "completed"}
    landed = project.outcomes()[-1]
    assert (landed["agent"], landed["attempt"], landed["decision"]) == ("person", 2, "landed")
    assert project.verify().returncode == 0


def test_it_opens_in_the_tools_own_session(world: World) -> None:
    tool = world.home / "CONFIG" / "agents" / "mytool"
    tool.parent.mkdir(parents=True)
    tool.write_text(TOOL)
    tool.chmod(0o755)
    (world.home / "CONFIG" / "api-keys.env").write_text("MYTOOL_KEY=a-key-of-its-own-77c1\n")
    (world.home / "CONFIG" / "api-keys.env").chmod(0o600)
    task = {"id": "a", "agent": "mytool", "check": "grep -qx right a.txt", "max_attempts": 1}
    project = world.new("one", [task], agents=["mytool"])
    assert project.start().returncode == 1
    with attached(project, "a") as person:
        person.sees("the session of mytool")
        person.sees("session-0001: as it was told; a-key-of-its-own-77c1? ")
        code, said = person.leaves("right")
    assert code == 0 and "orkestra: " not in said, said
    assert project.file("a.txt") == "right\n" and project.statuses() == {"a": "completed"}
    assert not (project.path / ".git" / "orkestra" / "sessions" / "a").exists()
    left = [path for path in (world.place / "home").rglob("*") if path.is_file()]
    assert not [path for path in left if b"a-key-of-its-own" in path.read_bytes()]


def test_beside_a_run_it_is_the_persons_until_they_leave_and_the_runs_afterwards(world: World) -> None:
    project = world.new(
        "one", [{"id": "a", "command": "echo by the agent >a.txt"}, {"id": "b", "command": "echo b >b.txt"}]
    )
    with attached(project, "a") as person:
        person.sees("main as it is")
        person.sees("[a] ")
        run = world.start_in_background("--project", str(project.path), "--stay", "--workers", "2")
        until(lambda: project.file("b.txt") is not None)
        again = world.orkestra("attach", "--project", str(project.path), "a")
        with attached(project, "a") as other:
            assert other.leaves("")[0] == 16
        assert again.returncode == 64 and "terminal" in again.stderr
        code, said = person.leaves("echo by a person >a.txt; exit")
        assert code == 0 and "the run that goes on takes it in" in said, said
    until(lambda: project.file("a.txt") == "by a person\n")
    stopped = world.orkestra("stop", "--project", str(project.path))
    assert stopped.returncode == 0 and run.wait(PATIENCE) == 143
    assert {one["task"]: one["agent"] for one in project.outcomes()} == {"a": "person", "b": "shell"}
    assert project.verify().returncode == 0


def test_what_was_killed_goes_on_and_where_nothing_changed_nothing_happens(world: World) -> None:
    project = world.new("one", [{"id": "a", "command": "true", "check": "grep -q two a.txt"}])
    before = project.git("rev-parse", "HEAD")
    with attached(project, "a") as person:
        person.sees("[a] ")
        person.types("echo two >a.txt; echo wri''tten")
        person.sees("written")
        person.command.kill()
        person.command.wait()
    with attached(project, "a") as person:
        person.sees("as you left it when it was killed")
        person.sees("[a] ")
        person.types("cat a.txt")
        person.sees("two\r\n")
        person.command.kill()
        person.command.wait()
    # Or it is kept with all other work.
    until(lambda: "a person did in a" in world.orkestra("doctor", "--fix", "--yes").stdout)
    assert project.git("show", "refs/orkestra/attempts/a/1:a.txt") == "two"
    with attached(project, "a") as person:
        person.sees("with the work of attempt 1")
        person.sees("[a] ")
        code, said = person.leaves()
        assert code == 0 and "nothing has changed" in said, said
    assert project.git("rev-parse", "HEAD") == before and project.statuses() == {"a": "pending"}
    # What a check refuses comes back to the person, and is no matter for an agent.
    with attached(project, "a") as person:
        person.sees("[a] ")
        code, said = person.leaves("echo one >a.txt; exit")
        assert code == 1, said
    assert project.statuses() == {"a": "needs_human"}
    with attached(project, "a") as person:
        person.sees("with the work of attempt 2")
        person.sees("[a] ")
        assert person.leaves("sed -i s/one/two/ a.txt; exit")[0] == 0
    assert project.file("a.txt") == "two\n" and project.statuses() == {"a": "completed"}


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.1)
