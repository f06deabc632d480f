"""Tab in real shells, and --jq over what --json prints."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from world import FRAMEWORK, Project, World

LINES = {
    "bash": 'PS1="ready> "; eval "$({0} completion bash)"',
    "zsh": 'PS1="ready> "; autoload -U compinit; compinit -u; eval "$({0} completion zsh)"',
    "fish": "function fish_prompt; echo 'ready> '; end; {0} completion fish | source",
}
STARTS = {
    "bash": ["bash", "--norc", "--noprofile"],
    "zsh": ["zsh", "-f"],
    "fish": ["fish", "--no-config", "--private"],
}


def shop(world: World) -> Project:
    names = ["apple-pie", "apple-tart", "zebra"]
    return world.new("shop-of-pies", [{"id": name, "command": "true"} for name in names])


@pytest.mark.parametrize("shell", sorted(LINES))
def test_tab(world: World, shell: str) -> None:
    if shutil.which(shell) is None or shutil.which("tmux") is None:
        pytest.skip(f"this machine has no {shell} or no tmux")
    shop(world)
    world.orkestra("new", "other")
    world.orkestra("load", "shop-of-pies")
    (world.place / "bin").mkdir()
    (world.place / "bin" / "orkestra").symlink_to(FRAMEWORK / "bin" / "orkestra")
    world.environment |= {"TERM": "xterm", "PATH": f"{world.place / 'bin'}:{world.env()['PATH']}"}
    terminal = ["tmux", "-f", "/dev/null", "-S", str(world.place / "tmux")]

    def tmux(*words: str) -> str:
        done = subprocess.run(
            [*terminal, *words], env=world.env(), capture_output=True, text=True, check=True
        )
        return done.stdout

    def until(text: str) -> str:
        end = time.monotonic() + 90
        while time.monotonic() < end:
            shown = tmux("capture-pane", "-p")
            if text in shown:
                return shown
            time.sleep(0.2)
        raise AssertionError(f"no {text!r} in\n{shown}")

    tmux("new-session", "-d", "-x", "110", "-y", "40", *STARTS[shell])
    try:
        tmux("send-keys", LINES[shell].format("orkestra"), "Enter")
        tmux("send-keys", "echo begin", "Enter")
        until("\nbegin")
        tmux("send-keys", "orkestra task show zeb", "Tab")
        until("orkestra task show zebra")
        tmux("send-keys", "C-u", "orkestra task retry app", "Tab")
        until("orkestra task retry apple-")
        tmux("send-keys", "t", "Tab")
        until("orkestra task retry apple-tart")
        tmux("send-keys", "C-u", "orkestra load oth", "Tab")
        until("orkestra load other")
        tmux("send-keys", "C-u", "orkestra pause --agent gem", "Tab")
        until("orkestra pause --agent gemini")
    finally:
        subprocess.run([*terminal, "kill-server"], check=False)


def words(world: World, line: str) -> set[str]:
    """What a shell would be offered."""
    asking = {
        "_ORKESTRA_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }
    done = subprocess.run(
        [str(FRAMEWORK / "bin" / "orkestra")], env=world.env() | asking, capture_output=True, text=True
    )
    assert done.stderr == "", done.stderr
    return {word.split(",", 1)[1] for word in done.stdout.split()}


def test_what_is_offered(world: World) -> None:
    assert words(world, "orkestra task show ") == set(), "there is no project, and that is no matter"
    project = shop(world)
    tasks = {"apple-pie", "apple-tart", "zebra"}
    assert words(world, "orkestra task show ") == tasks
    assert words(world, "orkestra task cancel zebra ap") == tasks - {"zebra"}
    assert words(world, "orkestra start --only z") == {"zebra"}
    assert words(world, "orkestra task add x --depends-on z") == {"zebra"}
    assert words(world, "orkestra log app") == tasks - {"zebra"}
    assert words(world, "orkestra status --project ") == {"shop-of-pies"}
    assert words(world, "orkestra agents probe cl") == {"claude"}
    pages = {f"orkestra-cron-{one}" for one in ("install", "remove", "show")}
    assert words(world, "orkestra manual orkestra-cron-") == pages
    assert words(world, "orkestra config set ORKESTRA_SANDBOX_") == {"ORKESTRA_SANDBOX_READ"}
    assert words(world, "orkestra new x --template web") == {"website"}
    assert words(world, "orkestra task list --state need") == {"needs_human"}
    assert {"--json", "--jq"} <= words(world, "orkestra task list --j")
    (project.path / "config" / "task-queue.json").write_text("{")
    assert words(world, "orkestra task show ") == set()


def test_nobody_is_asked_for_a_set_up(world: World, tmp_path: Path) -> None:
    asking = {"_ORKESTRA_COMPLETE": "bash_complete", "ORKESTRA_VENV": str(tmp_path / "none")}
    done = subprocess.run(
        [str(FRAMEWORK / "bin" / "orkestra")], env=world.env() | asking, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (69, "", "")


def test_jq(world: World) -> None:
    project = shop(world)
    path = str(project.path)

    def jq(expression: str, *command: str) -> subprocess.CompletedProcess[str]:
        return world.orkestra(*command, "--project", path, "--jq", expression)

    assert jq(".[].id", "task", "list").stdout.split() == ["apple-pie", "apple-tart", "zebra"]
    rows = json.loads(world.orkestra("status", "--project", path, "--json").stdout)
    assert json.loads(jq(".", "status").stdout) == rows
    assert jq("1700000000000, 0.5, null, {a: 1}", "status").stdout.split() == [
        "1700000000000", "0.5", "null", "{", '"a":', "1", "}",
    ]  # fmt: skip
    wrong = jq(".[", "status")
    assert (wrong.returncode, wrong.stdout) == (64, "") and "--jq is not a jq program" in wrong.stderr
    fails = jq(".counts | .[0]", "status")
    assert fails.returncode == 65 and len(fails.stderr.splitlines()) <= 2
