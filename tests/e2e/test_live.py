"""The screen of `start` and of `watch` in a real terminal (tmux), plain lines elsewhere, and `log`."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from world import FRAMEWORK, Project, World

WAITS = "echo I am at {0}; while [ ! -e go ]; do sleep 0.3; done; echo {0} >{0}"


class Terminal:
    """A tmux server of its own; each window is a terminal of a size."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._names: list[str] = []

    def tmux(self, *words: str) -> str:
        """A command of tmux, and what it prints."""
        command = ["tmux", "-f", "/dev/null", "-S", str(self.world.place / "tmux"), *words]
        done = subprocess.run(command, env=self.world.env(), capture_output=True, text=True, check=True)
        return done.stdout

    def open(self, name: str, width: int, height: int, *words: str, **more: str) -> None:
        """Starts a command there; when it has ended the terminal stays and says how."""
        variables = [f"{key}={value}" for key, value in more.items()]
        command = shlex.join(["env", *variables, str(FRAMEWORK / "bin" / "orkestra"), *words])
        size = ["-x", str(width), "-y", str(height)]
        shell = f"{command}; echo ended with $?; exec sleep 1000"
        self.tmux("new-session", "-d", "-s", name, *size, shell)
        self._names.append(name)

    def screen(self, name: str) -> list[str]:
        """What stands in it."""
        return self.tmux("capture-pane", "-p", "-t", name).rstrip("\n").split("\n")

    def until(self, name: str, good: Callable[[str], bool]) -> list[str]:
        """The screen once it is as it should be."""
        end = time.monotonic() + 120
        while time.monotonic() < end:
            lines = self.screen(name)
            if good("\n".join(lines)):
                return lines
            time.sleep(0.3)
        raise AssertionError("\n".join(lines))

    def close(self) -> None:
        """Ends all of it."""
        if self._names:
            subprocess.run(["tmux", "-S", str(self.world.place / "tmux"), "kill-server"], check=False)


@pytest.fixture
def terminal(world: World) -> Iterator[Terminal]:
    if shutil.which("tmux") is None:
        pytest.skip("this machine has no tmux")
    world.environment["TERM"] = "xterm-256color"
    found = Terminal(world)
    yield found
    found.close()


def let_go(project: Project, count: int) -> None:
    """The tasks in hand may end."""
    trees = list((project.world.place / "home" / ".cache" / "orkestra").glob("*/w*/tree"))
    assert len(trees) >= count
    for tree in trees:
        (tree / "go").touch()


def ended(text: str) -> bool:
    """Whether the command is gone; a worker's line may say how an agent ended."""
    return re.search(r"^ended with \d+$", text, re.M) is not None


def waiting(names: list[str]) -> list[dict[str, str]]:
    return [{"id": name, "command": WAITS.format(name)} for name in names]


def test_start_and_watch(world: World, terminal: Terminal) -> None:
    names = [f"t{at}" for at in range(8)]
    project = world.new(
        "shop", [*waiting(names), {"id": "judge", "command": "mkdir -p tests; echo >tests/x"}]
    )
    assert project.start("--only", "judge").returncode == 1
    path = str(project.path)
    plain = world.orkestra("watch", "--project", path)
    assert plain.returncode == 0 and "no run goes on" in plain.stdout
    terminal.open("run", 80, 24, "start", "--project", path, "--workers", "8")
    told = terminal.until("run", lambda text: text.count(" I am at t") == 8)
    clock = next(at for at, line in enumerate(told) if line.startswith("shop  0:"))
    assert len(told) <= 24 and "0/9" in told[clock + 1] and "8 in hand" in told[clock + 1]
    assert sum(line.startswith("w") and " work " in line for line in told) == 8
    assert any(line.startswith("waits for you  judge: ") for line in told)
    before = told
    terminal.open("other", 200, 50, "watch", "--project", path, NO_COLOR="1")
    told = terminal.until("other", lambda text: text.count(" I am at t") == 8)
    assert any("needs human" in line for line in told), "what was decided before is not shown"
    coloured = terminal.tmux("capture-pane", "-p", "-e", "-t", "other")
    colours = re.compile(r"\x1b\[[0-9;]*(3[0-7]|9[0-7])m")
    assert not colours.search(coloured)
    assert colours.search(terminal.tmux("capture-pane", "-p", "-e", "-t", "run"))
    terminal.until("run", lambda text: before[clock] not in text)  # its clock goes on
    let_go(project, 8)
    told = terminal.until("other", lambda text: "ended with 0" in text)
    assert "the run has ended" in "\n".join(told)
    told = terminal.until("run", ended)
    assert told[-1] == "ended with 1" and "9 tasks: 8 completed, 1 needs_human" in "\n".join(told)
    assert not [line for line in told if line.startswith("w1 ")], "the picture is left behind"
    assert sorted(project.decided().values()) == [*["landed"] * 8, "needs_human"]


def test_forty_workers_and_ctrl_c(world: World, terminal: Terminal) -> None:
    project = world.new("wide", waiting([f"t{at:02d}" for at in range(40)]))
    terminal.open("run", 80, 24, "start", "--project", str(project.path), "--workers", "40")
    told = terminal.until("run", lambda text: "40 in hand" in text and "more workers" in text)
    (more,) = [line for line in told if line.endswith("more workers")]
    hands = sum(line.startswith("w") and " t" in line for line in told)
    assert hands + int(more.split()[1]) == 40 and len(told) <= 24
    terminal.tmux("send-keys", "-t", "run", "C-c")
    told = terminal.until("run", ended)
    text = "\n".join(told)
    assert told[-1] == "ended with 130" and "40 tasks: 40 pending" in text
    assert "stopsatonce" in "".join(text.split())  # wherever the terminal breaks the line
    assert "should not have" not in text
    assert len(project.git("for-each-ref", "refs/orkestra/attempts/").splitlines()) == 0
    assert set(project.statuses().values()) == {"pending"}


def test_lines_where_there_is_no_screen(world: World, terminal: Terminal) -> None:
    project = world.new(
        "plain", [*waiting(["one"]), {"id": "bad", "command": "echo oh no; exit 3", "max_attempts": 1}]
    )
    path = str(project.path)
    terminal.open("run", 80, 24, "start", "--project", path, "--workers", "2", TERM="dumb")
    told = terminal.until("run", lambda text: "failed: " in text)
    assert any(line.startswith("one ") and line.endswith("given to shell") for line in told)
    follower = subprocess.Popen(
        [str(FRAMEWORK / "bin" / "orkestra"), "log", "-f", "one", "--project", path],
        env=world.env(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    watcher = subprocess.Popen(
        [str(FRAMEWORK / "bin" / "orkestra"), "watch", "--project", path],
        env=world.env(), stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert follower.stdout is not None and watcher.stdout is not None
    line = follower.stdout.readline()
    assert line.startswith("one, try 1: ")
    while "I am at one" not in line:
        line = follower.stdout.readline()
        assert line, "the follower has left, and the agent is still at it"
    let_go(project, 1)
    follower.communicate(timeout=120)
    seen, _ = watcher.communicate(timeout=120)
    assert follower.returncode == watcher.returncode == 0
    assert "one                      landed as outcome-" in seen and "\x1b" not in seen
    terminal.until("run", lambda text: "ended with 1" in text)

    shown = world.orkestra("log", "bad", "--project", path).stdout
    assert "what the agent was asked (prompt.md)" in shown and "  | oh no" in shown
    voted = world.orkestra("log", "one", "--project", path).stdout
    assert "who voted what" in voted and "  | I am at one" in voted
    everything = world.orkestra("log", "--project", path).stdout.splitlines()
    assert any(line.startswith("one ") and "landed" in line for line in everything)
    assert any(line.startswith("bad ") and "failed" in line for line in everything)
    for words, code in ((("nobody",), 64), (("one", "--try", "7"), 64), (("--try", "1"), 64)):
        done = world.orkestra("log", *words, "--project", path)
        assert (done.returncode, len(done.stderr.splitlines())) == (code, 2), done.stderr
