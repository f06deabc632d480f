"""`orkestra doctor --fix`: each thing that it mends, and all that it leaves alone."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orkestra_shim import doctor, leftovers, mending
from orkestra_shim.cli import main
from orkestra_shim.place import Place
from orkestra_shim.session import open_session

SINCE = "2026-01-02T03:04:05+0000"


@pytest.fixture
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A project with one commit of a person's, as its home sees it."""
    monkeypatch.setenv("ORKESTRA_WORKSPACES_DIR", str(place / "wörkspaces"))
    monkeypatch.setenv("ORKESTRA_SANDBOX", "off")
    assert main(["new", "one"]) == 0
    session = open_session()
    here = Place(session, session.find("one"))
    (here.project.path / "src").mkdir(exist_ok=True)
    (here.project.path / "src" / "a.txt").write_text("old\n")
    git(here, "add", "-A")
    git(here, "commit", "-qm", "a file")
    return here


def git(here: Place, *arguments: str, check: bool = True, **more: str) -> str:
    """Git in the checkout, as a person would use it."""
    command = ["git", "-C", str(here.project.path), "-c", "user.name=P", "-c", "user.email=p@example.org"]
    done = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, check=False, env={**os.environ, **more}
    )
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout.strip()


def head(here: Place) -> str:
    return git(here, "rev-parse", "refs/heads/main")


def found(here: Place) -> list[str]:
    return [item.what.text for item in mending.find(here.session)]


def fix(capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """`orkestra doctor --fix --yes`: its exit code and its lines."""
    capsys.readouterr()
    code = main(["doctor", "--fix", "--yes"])
    return code, capsys.readouterr().out.splitlines()


def mended(here: Place, capsys: pytest.CaptureFixture[str], text: str, number: int = 1) -> None:
    """So many are listed, one of them with this text; all are mended, and then there is nothing left."""
    assert any(text in one for one in found(here)) and len(found(here)) == number
    code, lines = fix(capsys)
    assert code == 0 and sum(line.startswith("mended: ") for line in lines) == number, lines
    assert found(here) == []
    assert fix(capsys) == (0, ["nothing to mend"])


def dead() -> int:
    """The number of a process that has ended."""
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


def says_it_holds(here: Place, pid: int, host: str = "") -> None:
    here.own.mkdir(exist_ok=True)
    (here.own / "holder").write_text(f"{pid} {host or socket.gethostname()} {SINCE}\n")


@contextlib.contextmanager
def a_run(here: Place) -> Iterator[None]:
    """A living run, as far as anybody can see: another process holds the project."""
    here.own.mkdir(exist_ok=True)
    command = "exec 9>>run.lock; flock 9; echo; read -r _"
    child = subprocess.Popen(
        ["bash", "-c", command], cwd=here.own, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None and child.stdout.readline()
    says_it_holds(here, child.pid)
    try:
        yield
    finally:
        child.communicate(b"\n")
        (here.own / "holder").unlink()


# --- nothing to do ------------------------------------------------------------------------------------------


def test_a_healthy_home_is_left_alone(here: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert found(here) == []
    assert fix(capsys) == (0, ["nothing to mend"])


def test_without_a_terminal_nothing_is_done_unasked(here: Place, capsys: pytest.CaptureFixture[str]) -> None:
    says_it_holds(here, dead())
    capsys.readouterr()
    assert main(["doctor", "--fix"]) == 64
    said = capsys.readouterr()
    assert "a run was killed" in said.out and "--yes" in said.err
    assert len(found(here)) == 1


@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("y", 0)])
def test_in_a_terminal_it_asks(here: Place, framework: Path, answer: str, code: int) -> None:
    says_it_holds(here, dead())
    terminal, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "orkestra_shim", "doctor", "--fix"],
        env={**os.environ, "PYTHONPATH": str(framework)},
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    said = b""
    while b"Do this?" not in said:
        said += os.read(terminal, 4096)
    assert len(found(here)) == 1
    os.write(terminal, f"{answer}\n".encode())
    out = child.communicate()[0].decode()
    os.close(terminal)
    assert child.returncode == code and ("\nmended: " in out) == (code == 0)
    assert len(found(here)) == code


def test_without_fix_it_lists_only(here: Place, capsys: pytest.CaptureFixture[str]) -> None:
    says_it_holds(here, dead())
    capsys.readouterr()
    main(["doctor"])
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("left    one: a run was killed") for line in lines)
    assert any("orkestra doctor --fix" in line for line in lines)
    main(["doctor", "--json"])
    (left,) = [one for one in json.loads(capsys.readouterr().out) if one["state"] == "left"]
    assert left["name"] == "one" and left["cure"].startswith("removes its traces")
    assert len(found(here)) == 1


# --- a run that was killed ----------------------------------------------------------------------------------


def test_traces_of_a_killed_run(here: Place, capsys: pytest.CaptureFixture[str]) -> None:
    says_it_holds(here, dead())
    (here.runtime / "run").mkdir(parents=True)
    (here.runtime / "w1").mkdir()
    (here.runtime / "w1" / "now").write_text("one\t1\tshell\twork\t1\n")
    os.mkfifo(here.runtime / "run" / "w1.req")
    mended(here, capsys, "a run was killed (process")
    assert not (here.runtime / "run").exists() and not (here.own / "holder").exists()


def test_what_outlived_a_killed_run_is_ended(here: Place, capsys: pytest.CaptureFixture[str]) -> None:
    here.own.mkdir(exist_ok=True)
    child = subprocess.Popen(
        ["bash", "-c", "exec 9>>run.lock; flock 9; echo; exec sleep 300"],
        cwd=here.own,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None and child.stdout.readline()
    says_it_holds(here, dead())
    mended(here, capsys, "processes of it still hold the project")
    assert child.wait(timeout=20) == -9


def test_a_run_on_another_machine_is_left_alone(here: Place) -> None:
    says_it_holds(here, dead(), "elsewhere")
    (here.runtime / "run").mkdir(parents=True)
    assert found(here) == []


def test_a_living_run_is_left_alone(here: Place, capsys: pytest.CaptureFixture[str]) -> None:
    git(here, "update-ref", "refs/orkestra/workspaces/w9", head(here))
    (item,) = mending.find(here.session)
    with a_run(here):
        assert found(here) == []
        # Listed just before the run began: what the run holds is not touched.
        ((again, problem),) = mending.mend(here.session, [item])
        assert (again, problem) == (item, "a run goes on: left alone")
        assert (here.own / "holder").exists()
    assert git(here, "rev-parse", "refs/orkestra/workspaces/w9") == head(here)
    mended(here, capsys, "pins the base")


# --- landings and Git's lock --------------------------------------------------------------------------------


def killed_landing(here: Place, place: Path) -> str:
    """A landing that is killed as it puts the new index in place; gives its new head."""
    stand_in = place / "stand-in"
    stand_in.mkdir()
    (stand_in / "mv").write_text(
        f"""#!/bin/sh
case "$*" in
  *orkestra-index*) kill -KILL $PPID; sleep 5 ;;
  *) exec {shutil.which("mv")} "$@" ;;
esac
"""
    )
    (stand_in / "mv").chmod(0o755)
    blob = subprocess.run(
        ["git", "-C", str(here.project.path), "hash-object", "-w", "--stdin"],
        input=b"new\n",
        capture_output=True,
        check=True,
    ).stdout.decode()
    index = {"GIT_INDEX_FILE": str(place / "other-index")}
    git(here, "read-tree", "main", **index)
    git(here, "update-index", "--cacheinfo", f"100644,{blob.strip()},src/a.txt", **index)
    tree = git(here, "write-tree", **index)
    (place / "message").write_text("A change\n\nOrkestra-Task: t\n")
    before = head(here)
    code, change, said = here.script("CORE/land.sh", "commit", before, tree, str(place / "message"))
    assert code == 0, said
    path = os.environ["PATH"]
    os.environ["PATH"] = f"{stand_in}:{path}"
    try:
        code, _, said = here.script("CORE/land.sh", "move", before, change.strip())
    finally:
        os.environ["PATH"] = path
    assert code == -9, (code, said)
    return change.strip()


@pytest.mark.parametrize("lock_removed", [False, True])
def test_an_interrupted_landing(
    here: Place, place: Path, capsys: pytest.CaptureFixture[str], lock_removed: bool
) -> None:
    (here.project.path / "README.md").write_text("a person's edit\n")
    new = killed_landing(here, place)
    assert head(here) == new
    if lock_removed:
        (here.git_dir / "index.lock").unlink()
        assert "src/a.txt" in git(here, "diff", "--cached", "--name-only")
    mended(here, capsys, "was interrupted")
    assert git(here, "status", "--porcelain") == "M README.md"
    assert (here.project.path / "src" / "a.txt").read_text() == "new\n"
    assert (here.project.path / "README.md").read_text() == "a person's edit\n"


def test_a_landing_that_goes_on_is_left_alone(here: Place, place: Path) -> None:
    killed_landing(here, place)
    with open(here.own / "landing.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert found(here) == []
    assert len(found(here)) == 1


def old_lock(here: Place) -> Path:
    lock = here.git_dir / "index.lock"
    lock.touch()
    os.utime(lock, (1_700_000_000, 1_700_000_000))
    return lock


def test_prune_that_a_killed_run_keeps_out(here: Place, capsys: pytest.CaptureFixture[str]) -> None:
    marker = here.git_dir / "orkestra" / "precious"
    marker.parent.mkdir(exist_ok=True)
    marker.touch()
    git(here, "config", "extensions.preciousObjects", "true")
    mended(here, capsys, "git prune and git repack -ad are still kept out")
    assert not marker.exists()
    git(here, "prune", "--expire=now")
    # Where a person has taken it out, only the file is left; what a person has put in stays.
    marker.touch()
    mended(here, capsys, "git prune")
    git(here, "config", "extensions.preciousObjects", "true")
    assert found(here) == []


def test_an_index_lock_of_nobody(here: Place, capsys: pytest.CaptureFixture[str]) -> None:
    lock = old_lock(here)
    mended(here, capsys, "belongs to no living process")
    assert not lock.exists()
    git(here, "commit", "-q", "--allow-empty", "-m", "Git works again")


def test_an_index_lock_of_a_linked_worktree(
    here: Place, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(here, "worktree", "add", "-q", "-b", "other", str(place / "a wörktree"))
    (lock,) = [one / "index.lock" for one in (here.git_dir / "worktrees").iterdir()]
    lock.touch()
    os.utime(lock, (1_700_000_000, 1_700_000_000))
    mended(here, capsys, "belongs to no living process")
    assert not lock.exists()


def test_an_index_lock_of_nobody_goes_while_a_run_goes_on(
    here: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = old_lock(here)
    with a_run(here):
        mended(here, capsys, "belongs to no living process")
        assert (here.own / "holder").exists()
    assert not lock.exists()


def test_an_index_lock_that_somebody_made_anew_is_left_alone(here: Place) -> None:
    lock = old_lock(here)
    (item,) = mending.find(here.session)
    lock.unlink()
    lock.touch()
    ((_, problem),) = mending.mend(here.session, [item])
    assert problem == "it is so no more" and lock.exists()


def test_an_index_lock_is_looked_at_again_once_nothing_lands(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = old_lock(here)
    (item,) = mending.find(here.session)
    turn = Place.turn

    @contextlib.contextmanager
    def a_long_wait(place: Place) -> Iterator[int]:
        lock.unlink()
        lock.touch()
        with turn(place) as descriptor:
            yield descriptor

    monkeypatch.setattr(Place, "turn", a_long_wait)
    assert [problem for _, problem in mending.mend(here.session, [item])] == [""]
    assert lock.exists()


def test_an_index_lock_that_is_open_is_left_alone(here: Place) -> None:
    with open(old_lock(here)) as lock:
        child = subprocess.Popen(["sleep", "300"], stdin=lock)
    try:
        assert found(here) == []
    finally:
        child.kill()
        child.wait()
    assert len(found(here)) == 1


def test_an_index_lock_of_a_git_that_waits_for_a_person(
    here: Place, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "LOCK_AGE", -60.0)
    (here.project.path / "README.md").write_text("more\n")
    os.mkfifo(place / "go")
    editor = place / "editor"
    editor.write_text(f'#!/bin/sh\necho editing\nread x <"{place}/go"\n'.replace("$HOME", "\\$HOME"))
    editor.chmod(0o755)
    quoted = str(editor).replace("'", "'\\''")
    child = subprocess.Popen(
        ["git", "-c", "user.name=P", "-c", "user.email=p@example.org", "commit", "-a"],
        cwd=here.project.path,
        env={**os.environ, "GIT_EDITOR": f"'{quoted}'"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert child.stdout is not None and child.stdout.readline() == b"editing\n"
    lock = here.git_dir / "index.lock"
    try:
        assert lock.exists() and found(here) == []
        # A Git that began after the lock was made cannot be whose it is.
        os.utime(lock, (1_700_000_000, 1_700_000_000))
        assert len(found(here)) == 1
    finally:
        (place / "go").write_text("\n")
        child.wait()


# --- work that did not land ---------------------------------------------------------------------------------


def a_workspace(here: Place, number: int, text: str) -> Path:
    """A workspace of a worker that was killed at work on `t`, try 3."""
    workspace = here.workspaces / f"w{number}"
    workspace.mkdir(parents=True)
    code, _, said = here.script("CORE/workspace.sh", "prepare", str(workspace), head(here))
    assert code == 0, said
    (workspace / "tree" / "src" / "a.txt").write_text(text)
    (workspace / "owner").write_text(f"t\t3\t{head(here)}\n")
    return workspace


def test_the_work_of_a_killed_attempt_is_kept(here: Place, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = a_workspace(here, 1, "half done\n")
    mended(here, capsys, "holds what attempt 3 at t left")
    assert git(here, "show", "refs/orkestra/attempts/t/3:src/a.txt") == "half done"
    assert (workspace / "tree" / "src" / "a.txt").exists()


def test_an_attempt_without_a_change_leaves_no_ref(here: Place, capsys: pytest.CaptureFixture[str]) -> None:
    a_workspace(here, 1, "old\n")
    mended(here, capsys, "holds what attempt 3 at t left")
    assert git(here, "for-each-ref", "refs/orkestra/attempts") == ""


def test_a_workspace_in_which_something_lives_is_left_alone(
    here: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = a_workspace(here, 1, "half done\n")
    with open(workspace / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, lines = fix(capsys)
        assert code == 1 and "still at work" in lines[-1]
    mended(here, capsys, "holds what attempt 3 at t left")


def test_a_change_that_only_the_landing_held(
    here: Place, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "message").write_text("A change\n\nOrkestra-Task: t\nOrkestra-Agent: shell\n")
    tree = git(here, "rev-parse", "main~1^{tree}")
    _, change, _ = here.script("CORE/land.sh", "commit", head(here), tree, str(place / "message"))
    git(here, "update-ref", "refs/orkestra/landing", change.strip())
    mended(here, capsys, "held by refs/orkestra/landing alone")
    assert git(here, "rev-parse", "refs/orkestra/attempts/t/interrupted") == change.strip()


# --- projects that are gone ---------------------------------------------------------------------------------


def test_workspaces_of_a_project_that_is_gone(here: Place, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = a_workspace(here, 1, "half done\n")
    (workspace / "tree" / "closed").mkdir(mode=0)
    (workspace / "tree" / "outside").symlink_to(here.session.home.folder)
    owner = workspace / "owner"
    text = owner.read_text()
    owner.unlink()
    assert found(here) == []
    away = here.session.home.folder / "away"
    here.project.path.rename(away)
    # Neither is it gone where it is only not known any more.
    (workspace / "git" / "objects" / "info" / "alternates").write_text(f"{away}/.git/objects\n")
    assert [one for one in found(here) if one.startswith("workspaces")] == []
    shutil.rmtree(away)
    owner.write_text(text)
    assert any(
        "workspaces of a project that is gone" in one and "t in it never landed" in one for one in found(here)
    )
    code, _ = fix(capsys)
    assert code == 0 and workspace.is_dir()  # a person has to look first
    owner.unlink()
    code, lines = fix(capsys)
    assert code == 0 and any(line.startswith("mended: home: workspaces of") for line in lines), lines
    assert not here.workspaces.exists() and here.session.home.config.is_dir()
    assert found(here) == []


def test_the_runtime_folder_of_a_project_that_is_gone(
    here: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    (here.runtime / "run").mkdir(parents=True)
    (here.runtime / "secrets").write_text("a key\n")
    os.mkfifo(here.runtime / "run" / "control.req")
    shutil.rmtree(here.project.path)
    pipe = os.open(here.runtime / "run" / "control.req", os.O_RDWR)
    child = subprocess.Popen(["sleep", "300"], stdin=pipe)
    os.close(pipe)
    assert found(here) == []
    child.kill()
    child.wait()
    mended(here, capsys, "the runtime folder of a project that is not known here")
    assert not here.runtime.exists()


# --- together -----------------------------------------------------------------------------------------------


def test_two_at_once(here: Place, framework: Path) -> None:
    a_workspace(here, 1, "half done\n")
    a_workspace(here, 2, "another half\n")
    (here.workspaces / "w2" / "owner").write_text(f"u\t1\t{head(here)}\n")
    git(here, "update-ref", "refs/orkestra/workspaces/w9", head(here))
    old_lock(here)
    says_it_holds(here, dead())
    both = [
        subprocess.Popen(
            [sys.executable, "-m", "orkestra_shim", "doctor", "--fix", "--yes", "--json"],
            env={**os.environ, "PYTHONPATH": str(framework)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    results = [json.loads(one.communicate(timeout=120)[0]) for one in both]
    assert [one.returncode for one in both] == [0, 0]
    problems = {item["problem"] for result in results for item in result}
    assert problems <= {"", "it is so no more"}, results
    assert found(here) == []
    assert git(here, "show", "refs/orkestra/attempts/t/3:src/a.txt") == "half done"
    assert git(here, "show", "refs/orkestra/attempts/u/1:src/a.txt") == "another half"


def test_one_waits_for_the_other(here: Place, framework: Path) -> None:
    says_it_holds(here, dead())
    with open(here.session.home.runtime / "doctor.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        child = subprocess.Popen(
            [sys.executable, "-m", "orkestra_shim", "doctor", "--fix", "--yes"],
            env={**os.environ, "PYTHONPATH": str(framework)},
            stdout=subprocess.PIPE,
        )
        while f"-> FLOCK  ADVISORY  WRITE {child.pid} " not in Path("/proc/locks").read_text():
            assert child.poll() is None
        assert len(found(here)) == 1
    assert b"mended: one: a run was killed" in child.communicate()[0]
    assert found(here) == []


def test_only_what_was_listed(here: Place) -> None:
    git(here, "update-ref", "refs/orkestra/workspaces/w8", head(here))
    listed = mending.find(here.session)
    git(here, "update-ref", "refs/orkestra/workspaces/w9", head(here))
    assert [problem for _, problem in mending.mend(here.session, listed)] == [""]
    assert found(here) == ["refs/orkestra/workspaces/w9 pins the base of a workspace that is gone"]


def test_a_home_that_cannot_be_read_is_no_reason_to_fail(place: Path) -> None:
    (Path(os.environ["ORKESTRA_HOME"]) / "CONFIG").mkdir()
    (Path(os.environ["ORKESTRA_HOME"]) / "CONFIG" / "settings.env").write_text("NONSENSE=1\n")
    assert doctor.left_behind() == []


def test_a_session_of_a_task_that_is_over(here: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["task", "add", "One", "--id", "one"]) == 0
    assert main(["task", "add", "Two", "--id", "two"]) == 0
    for name in ("one", "two", "gone"):
        (here.git_dir / "orkestra" / "sessions" / name / "home").mkdir(parents=True)
    assert main(["task", "cancel", "one"]) == 0
    mended(here, capsys, "a tool's session is kept for one, with which nobody goes on", 2)
    assert [one.name for one in (here.git_dir / "orkestra" / "sessions").iterdir()] == ["two"]
