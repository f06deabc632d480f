"""Where landed work goes: pushed to a remote (a bare repository), or by pull requests (a stand-in for gh)."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from world import Project, World

KEY = "remote-test-key-5b1d9a7c3e"


def task(name: str, command: str, **more: Any) -> dict[str, Any]:
    """A task for the shell agent."""
    return {"id": name, "command": command, **more}


def bare(world: World, project: Project, name: str = "origin") -> Path:
    """A bare repository with the project's branch, as the project's remote of that name."""
    path = world.place / f"{name}.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", str(path)], check=True)
    project.git("remote", "add", name, str(path))
    project.git("push", "--quiet", name, "main")
    return path


def hook(path: Path, script: str) -> None:
    """A pre-receive hook of a bare repository."""
    file = path / "hooks" / "pre-receive"
    file.write_text(f"#!/bin/bash\n{script}\n")
    file.chmod(0o755)


def head(path: Path, branch: str = "main") -> str:
    """Where a branch of a repository is; '' when there is none."""
    done = subprocess.run(
        ["git", f"--git-dir={path}", "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


def processes(text: str) -> list[str]:
    """Command lines of living processes that hold a text."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if text in line:
            found.append(line)
    return found


# --- push: true ---------------------------------------------------------------------------------------------


def test_nothing_is_pushed_unasked(world: World) -> None:
    project = world.new("quiet", [task("a", "echo a >a")])
    path = bare(world, project)
    before = head(path)
    done = project.start()
    assert done.returncode == 0, done.stdout + done.stderr
    assert head(path) == before and "origin" not in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["origin", "elsewhere"])
def test_the_branch_is_pushed_with_the_last_records(world: World, name: str) -> None:
    tasks = [task(f"t{n}", f"echo {n} >{n}") for n in range(4)] + [task("f", "exit 1", max_attempts=1)]
    settings = {"push": True} if name == "origin" else {"push": True, "remote": name}
    project = world.new("pushed", tasks, **settings)
    path = bare(world, project, name)
    done = project.start()
    assert done.returncode == 1, done.stdout + done.stderr  # f failed
    assert head(path) == project.git("rev-parse", "main")
    assert project.git("ls-remote", name).count("refs/") == 1  # the branch, and nothing else of ours
    assert done.stderr == ""


def test_a_landing_is_pushed_while_the_run_goes_on(world: World) -> None:
    tasks = [task("a", "echo a >a"), task("b", "while ! test -e go; do sleep 0.05; done; rm go; echo b >b")]
    project = world.new("early", tasks, push=True)
    path = bare(world, project)
    run = world.start_in_background("--workers", "2", "--project", str(project.path))
    end = time.monotonic() + 60
    while "a" not in _files(path):
        assert time.monotonic() < end and run.poll() is None
        time.sleep(0.05)
    _tree_of(world, "b").joinpath("go").touch()
    output, _ = run.communicate(timeout=100)
    assert run.returncode == 0, output
    assert head(path) == project.git("rev-parse", "main")


def _files(path: Path) -> list[str]:
    command = ["git", f"--git-dir={path}", "ls-tree", "--name-only", "main"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def _tree_of(world: World, name: str) -> Path:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        for owner in (world.place / "home" / ".cache" / "orkestra").glob("*/w*/owner"):
            if owner.read_text().startswith(f"{name}\t"):
                return owner.parent / "tree"
        time.sleep(0.05)
    raise AssertionError(f"{name} never began")


def test_a_protected_branch_is_said_once_and_in_the_end_and_the_work_goes_on(world: World) -> None:
    tasks = [task(f"t{n}", f"echo {n} >{n}") for n in range(3)]
    project = world.new("protected", tasks, push=True)
    path = bare(world, project)
    keys = world.home / "CONFIG" / "api-keys.env"
    keys.touch(mode=0o600)
    keys.write_text(f"SOME_API_KEY={KEY}\n")
    hook(path, rf"printf 'GH006: Protected branch \033[2Jupdate failed {KEY}\n' >&2; exit 1")
    before = head(path)
    done = project.start("--workers", "1")
    assert done.returncode == 1, done.stdout + done.stderr
    assert set(project.decided().values()) == {"landed"} and head(path) == before
    assert done.stderr.count("Protected branch") == 1, done.stderr
    assert "the work goes on" in done.stderr
    last = done.stdout.splitlines()[-1]
    assert (
        "main is not pushed to origin" in last and "Protected branch" in last and "push origin main" in last
    )
    everything = done.stdout + done.stderr
    assert "\033" not in everything and KEY not in everything and "[redacted]" in everything
    for file in [*(project.path / "logs").rglob("*.log"), *(world.home / "LOGS").glob("*")]:
        assert KEY not in file.read_text(), file
    # Allowed again: the next run pushes it, without anything else to do.
    (path / "hooks" / "pre-receive").unlink()
    done = project.start()
    assert done.returncode == 0, done.stdout + done.stderr
    assert head(path) == project.git("rev-parse", "main")


def test_a_rejected_push_is_never_forced(world: World) -> None:
    project = world.new("rejected", [task("a", "echo a >a")], push=True)
    path = bare(world, project)
    other = world.place / "other"
    subprocess.run(["git", "clone", "--quiet", str(path), str(other)], check=True, env=world.env())
    (other / "theirs").write_text("theirs\n")
    theirs = Project(world, other)
    theirs.git("add", "theirs")
    theirs.git("commit", "--quiet", "-m", "theirs")
    theirs.git("push", "--quiet")
    project.git("config", "push.default", "matching")
    project.git("config", "remote.origin.push", "+refs/heads/*:refs/heads/*")
    done = project.start()
    assert done.returncode == 1, done.stdout + done.stderr
    assert head(path) == theirs.git("rev-parse", "HEAD")
    assert "has commits that are not here" in done.stdout and "pull" in done.stdout
    project.git("pull", "--quiet", "--no-rebase", "--no-edit", "origin", "main")
    assert project.start().returncode == 0
    assert head(path) == project.git("rev-parse", "main")


def test_a_remote_that_is_gone(world: World) -> None:
    project = world.new("gone", [task("a", "echo a >a")], push=True)
    path = bare(world, project)
    path.rename(world.place / "moved.git")
    project.git("remote", "set-url", "origin", f"https://user:{KEY}@localhost:1/x.git")
    done = project.start()
    assert done.returncode == 1 and project.decided() == {"a": "landed"}
    assert "not pushed" in done.stdout and KEY not in done.stdout + done.stderr
    assert "not answer" not in done.stdout


def test_a_slow_remote_holds_up_nothing_but_the_push(world: World) -> None:
    """Everything lands while the first push hangs at a latch, then one push brings the rest."""
    tasks = [task(f"t{n}", f"echo {n} >{n}") for n in range(4)]
    project = world.new("slow", tasks, push=True)
    path = bare(world, project)
    gate = world.place / "gate"
    hook(
        path,
        f"echo >>'{_quoted(world.place / 'pushes')}'; while ! test -e '{_quoted(gate)}'; do sleep 0.05; done",
    )
    run = world.start_in_background("--workers", "2", "--project", str(project.path))
    end = time.monotonic() + 100
    while len(project.outcomes()) < 4:
        assert time.monotonic() < end and run.poll() is None
        time.sleep(0.1)
    assert not gate.exists()
    gate.touch()
    output, _ = run.communicate(timeout=100)
    assert run.returncode == 0, output
    assert head(path) == project.git("rev-parse", "main")
    # The first, what came meanwhile, the last records.
    assert 2 <= len((world.place / "pushes").read_text()) <= 3


def test_a_push_that_hangs_is_ended_in_time_and_leaves_no_process(world: World) -> None:
    project = world.new("hangs", [task("a", "echo a >a")], push=True)
    path = bare(world, project)
    world.environment |= {"ORKESTRA_REMOTE_TIMEOUT": "1", "ORKESTRA_GRACE": "1"}
    hook(path, "exec sleep 987")
    began = time.monotonic()
    done = project.start()
    assert time.monotonic() - began < 45
    assert done.returncode == 1 and project.decided() == {"a": "landed"}
    assert "did not answer in time" in done.stdout, done.stdout + done.stderr
    assert not processes(str(path))


def test_what_is_undone_is_pushed_too(world: World) -> None:
    """Without a run by undo itself, beside one by the run; and what is refused is said, and pushed later."""
    tasks = [task(name, f"echo {name} >{name}") for name in ("a", "b", "c")]
    project = world.new("undone", tasks, push=True)
    path = bare(world, project)
    assert project.start().returncode == 0
    done = world.orkestra("undo", "a", "--project", "undone")
    assert done.returncode == 0 and "pushed to origin" in done.stdout, done.stdout + done.stderr
    assert head(path) == project.git("rev-parse", "main") and _files(path).count("a") == 0
    # Refused: the undo stands.
    hook(path, "echo 'GH006: Protected branch' >&2; exit 1")
    before = head(path)
    done = world.orkestra("undo", "b", "--project", "undone")
    assert done.returncode == 1 and "undone as outcome-005" in done.stdout, done.stdout + done.stderr
    assert "it is undone, and main is not pushed to origin" in done.stderr
    assert "Protected branch" in done.stderr and "push origin main" in done.stderr
    assert head(path) == before and "b" not in project.git("ls-tree", "--name-only", "main").splitlines()
    (path / "hooks" / "pre-receive").unlink()
    # Beside a run, which pushes what came before as well.
    added = world.orkestra(
        "task",
        "add",
        "d",
        "--id",
        "d",
        "--command",
        "until test -e go; do sleep 0.05; done; rm go; echo d >d",
    )
    assert added.returncode == 0
    run = world.start_in_background("--project", str(project.path))
    tree = _tree_of(world, "d")
    done = world.orkestra("undo", "c", "--project", "undone")
    assert done.returncode == 0 and "the run that goes on pushes it" in done.stdout, done.stdout + done.stderr
    end = time.monotonic() + 60
    while "c" in _files(path):
        assert time.monotonic() < end and run.poll() is None
        time.sleep(0.05)
    (tree / "go").touch()
    output, _ = run.communicate(timeout=100)
    assert run.returncode == 0, output
    assert head(path) == project.git("rev-parse", "main")
    assert project.verify().returncode == 0


def test_stopped_in_a_hanging_push(world: World) -> None:
    tasks = [task("a", "echo a >a"), task("b", "while ! test -e go; do sleep 0.05; done")]
    project = world.new("stopped", tasks, push=True)
    path = bare(world, project)
    world.environment |= {"ORKESTRA_GRACE": "1"}
    reached = world.place / "reached"
    hook(path, f"touch '{_quoted(reached)}'; exec sleep 986")
    run = world.start_in_background("--workers", "2", "--project", str(project.path))
    end = time.monotonic() + 60
    while not reached.exists():
        assert time.monotonic() < end and run.poll() is None
        time.sleep(0.05)
    began = time.monotonic()
    stopped = world.orkestra("stop", "--project", str(project.path))
    assert stopped.returncode == 0, stopped.stderr
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 143, output
    assert time.monotonic() - began < 20
    assert "main is not pushed" in output
    assert not processes(str(path))


def _quoted(path: Path) -> str:
    return str(path).replace("'", "'\\''")


def test_no_hook_of_the_project_runs(world: World) -> None:
    """The repository's own hooks have no part in a push."""
    project = world.new("hooks", [task("a", "echo a >a")], push=True)
    path = bare(world, project)
    marker = world.place / "ran"
    for name in ("pre-push", "reference-transaction", "post-commit"):
        file = project.path / ".git" / "hooks" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/sh\necho {name} >>'{_quoted(marker)}'\n")
        file.chmod(0o755)
    done = project.start()
    assert done.returncode == 0, done.stdout + done.stderr
    assert head(path) == project.git("rev-parse", "main")
    assert not marker.exists()


class _WantsAName(http.server.BaseHTTPRequestHandler):
    """A host that lets nobody in."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="here"')
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.mark.parametrize("way", ["GIT_ASKPASS", "SSH_ASKPASS", "core.askPass"])
def test_a_host_that_wants_a_name_and_a_password_brings_up_no_question(world: World, way: str) -> None:
    project = world.new("asks", [task("a", "echo a >a")], push=True)
    bare(world, project)
    asked = world.place / "asked"
    asking = world.place / "ask"
    asking.write_text(f"#!/bin/sh\ntouch '{_quoted(asked)}'\n")
    asking.chmod(0o755)
    if way == "core.askPass":
        project.git("config", way, str(asking))
    else:
        world.environment |= {way: str(asking), "DISPLAY": ":9"}
    with http.server.HTTPServer(("127.0.0.1", 0), _WantsAName) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        project.git("remote", "set-url", "origin", f"http://127.0.0.1:{server.server_port}/x.git")
        done = project.start()
        server.shutdown()
    assert done.returncode == 1 and "not pushed" in done.stdout, done.stdout + done.stderr
    assert "could not read Username" in done.stdout
    assert not asked.exists()


def test_ssh_is_told_to_ask_nothing_and_has_no_terminal(world: World) -> None:
    project = world.new("ssh", [task("a", "echo a >a")], push=True)
    bare(world, project)
    project.git("remote", "set-url", "origin", "git@example.invalid:x/y.git")
    tools = world.place / "tools"
    tools.mkdir()
    told = world.place / "told"
    (tools / "ssh").write_text(
        "#!/bin/bash\n"
        f"(printf '%s\\n' \"$@\"; : </dev/tty && echo terminal) >'{_quoted(told)}' 2>&1; exit 255\n"
    )
    (tools / "ssh").chmod(0o755)
    world.environment["PATH"] = f"{tools}:{os.environ['PATH']}"
    # From a terminal, as a person starts it.
    command = f"'{world.root}/bin/orkestra' start --project '{_quoted(project.path)}'"
    done = subprocess.run(
        ["script", "-qec", command, "/dev/null"],
        env=world.env(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 1 and "not pushed" in done.stdout, done.stdout + done.stderr
    words = told.read_text().splitlines()
    assert "BatchMode=yes" in words and "terminal" not in words


def test_settings_that_are_none(world: World) -> None:
    project = world.new("wrong", [])
    for bad in (
        {"land": "main"},
        {"push": "yes"},
        {"remote": "--all"},
        {"remote": "ext::sh -c x"},
        {"remote": "a/b"},
    ):
        file = project.path / "config" / "project.json"
        before = file.read_text()
        file.write_text(json.dumps(json.loads(before) | bad, indent=2))
        done = project.start()
        assert done.returncode == 65 and "project.json:" in done.stderr, (bad, done.stderr)
        file.write_text(before)
