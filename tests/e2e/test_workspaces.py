"""Workspaces from end to end: what they share, what is set up in them, repositories of every kind."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from world import Project, World


def _share(project: Project, *share: Any, **more: Any) -> None:
    project.set(workspace={"share": list(share), **more})


SEEN = "data [x]*?!/in "  # a name that a pattern could take for another


def _with_data(world: World, tasks: list[dict[str, Any]], **settings: Any) -> Project:
    """A project with a folder to read and one to write, neither in Git."""
    project = world.new("shared", tasks, **settings)
    for path, text in ((f"{SEEN}/big.txt", "big"), ("out/there.txt", "there")):
        (project.path / path).parent.mkdir(parents=True, exist_ok=True)
        (project.path / path).write_text(text + "\n")
    return project


SHARES = [
    {
        "id": "reads",
        "command": f'cat "{SEEN}/big.txt" >read.txt && cat out/there.txt >>read.txt'
        f" && git status --porcelain >said.txt && git add -A && git commit -qm mine"
        f'; ! echo x 2>/dev/null >"{SEEN}/written"',
        "check": f'cmp <(cat "{SEEN}/big.txt" out/there.txt) read.txt',
    },
    {
        "id": "writes",
        "depends_on": ["reads"],
        "command": "echo new >out/new.txt; echo done >done.txt; rm -rf out/there.txt",
        "check": "test -s out/new.txt",
    },
]


@pytest.mark.parametrize("sandbox", ["required", "off"])
def test_a_shared_folder_is_there_for_agent_and_check_and_no_part_of_the_change(
    world: World, sandbox: str
) -> None:
    project = _with_data(world, SHARES, check="test -e out")
    _share(project, SEEN, {"path": "out", "mode": "rw"})
    world.environment["ORKESTRA_SANDBOX"] = sandbox
    if sandbox == "off":
        # Nothing keeps an agent from writing then; a link in its place is no change, whatever patterns say.
        project.tasks([SHARES[0] | {"command": SHARES[0]["command"].split("; !")[0]}, SHARES[1]])
        (project.path / ".gitignore").write_text("/logs/execution/\n!/out\n")
        project.git("commit", "--quiet", "--all", "-m", "patterns")
    said = "?? read.txt\n?? said.txt\n" if sandbox == "required" else "?? out\n?? read.txt\n?? said.txt\n"
    done = project.start("--workers", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.file("read.txt") == "big\nthere\n" and project.file("said.txt") == said
    assert [one["change"]["files"] for one in project.outcomes()] == [2, 1]
    assert sorted(path.name for path in (project.path / "out").iterdir()) == ["new.txt"]
    assert not (project.path / SEEN / "written").exists() and (project.path / SEEN / "big.txt").exists()
    assert project.verify().returncode == 0


def test_a_setup_is_done_once_while_tasks_land_and_what_it_makes_is_there_for_all(world: World) -> None:
    count = "echo $ORKESTRA_TASK >>counts/tasks; test -s made/x && "
    project = world.new(
        "setup",
        [
            {"id": "a", "command": count + "echo a >a"},
            {
                "id": "b",
                "command": count + "test -e counts/b && echo b >b || ! touch counts/b",
                "depends_on": ["a"],
            },
            {"id": "c", "command": count + "echo c >c", "depends_on": ["b"]},
        ],
        check="test -s made/x && test ! -e litter",
    )
    (project.path / ".gitignore").write_text("/logs/execution/\nmade/\ncounts/\n")
    (project.path / "counts").mkdir()
    _share(
        project,
        {"path": "counts", "mode": "rw"},
        setup="echo >>counts/setup; mkdir made; echo >made/x; echo >litter",
    )
    done = project.start("--workers", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project.path / "counts" / "tasks").read_text().split() == ["a", "b", "b", "c"]
    # For the check of the branch before the run; for the first task; and after the attempt that failed.
    assert len((project.path / "counts" / "setup").read_text()) == 3
    assert [one["change"]["files"] for one in project.outcomes()] == [1, 1, 1]
    # An undo, too, needs it for its check.
    assert world.orkestra("undo", "--project", str(project.path), "c").returncode == 0


@pytest.mark.parametrize("check", ["", "true"])
def test_a_setup_that_fails_ends_the_run_and_is_no_attempt(world: World, check: str) -> None:
    project = world.new("setup", [{"id": "a", "command": "echo a >a", "max_attempts": 1}], check=check)
    _share(project, setup="echo no such package; exit 7")
    done = project.start("--workers", "2")
    assert done.returncode == 78, done.stdout + done.stderr
    assert "the setup of a workspace failed (exit 7)" in done.stderr and "setup-w" in done.stderr
    log = next((project.path / "logs" / "execution").glob("setup-w*.log"))
    assert log.read_text() == "no such package\n"
    _share(project, setup="")
    assert project.start().returncode == 0
    assert project.decided() == {"a": "landed"}


def test_a_share_that_leads_elsewhere_is_refused_and_one_that_is_missing_is_told(world: World) -> None:
    project = world.new("shared", [{"id": "a", "command": "echo a >a; ! test -e data"}])
    (project.path / "data").symlink_to(world.place / "home")
    _share(project, "data")
    refused = project.start()
    assert refused.returncode == 65, refused.stdout + refused.stderr
    assert "data cannot be shared with workspaces: it is a link" in refused.stderr
    (project.path / "data").unlink()
    done = project.start()
    assert done.returncode == 0 and "workspaces do without data" in done.stderr, done.stderr


def _once_it_is_read(pipe: Path, by: subprocess.Popen[str]) -> int:
    end = time.monotonic() + 120
    while time.monotonic() < end and by.poll() is None:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            assert error.errno == errno.ENXIO, error  # nobody yet
            time.sleep(0.05)
    raise AssertionError("nobody has read it")


def test_a_gc_while_an_undo_is_being_checked_does_no_harm(world: World) -> None:
    project = world.new("undo", [{"id": "a", "command": "echo a >a"}], check="test -e a || cat sync/go")
    (project.path / "sync").mkdir()
    go = project.path / "sync" / "go"
    _share(project, "sync")
    go.write_text("")
    assert project.start().returncode == 0
    go.unlink()
    os.mkfifo(go)
    undo = subprocess.Popen(
        [str(world.root / "bin" / "orkestra"), "undo", "--project", str(project.path), "a"],
        env=world.env(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    world.started.append(undo)
    pipe = _once_it_is_read(go, undo)
    project.git("reflog", "expire", "--expire=now", "--all")
    project.git("gc", "--quiet", "--prune=now")
    os.close(pipe)
    output, _ = undo.communicate(timeout=120)
    assert undo.returncode == 0, output
    assert project.file("a") is None and project.verify().returncode == 0
    project.git("fsck", "--strict")
    assert "refs/orkestra/undo" not in project.git("for-each-ref", "--format=%(refname)").splitlines()


# --- repositories of every kind -----------------------------------------------------------------------------

EVERY_BYTE = bytes(byte for byte in range(1, 256) if byte not in b"/.")
NAMES = [
    *(
        EVERY_BYTE[:127],
        EVERY_BYTE[127:],
        b"x" * 255,
        b"-dash",
        b" lead",
        b"trail ",
        b"two\nlines",
        b"\xff\xfe",
    ),
    *(b"back\\slash", b"c:d", b"*", b"?", b"[x]", b"...", b'"', b"'", b"$(id)", b"@", b"HEAD", b"#x", b"!x"),
    *(b"e\xcc\x81", b"\xc3\xa9", b"Same", b"same", "\u202egnp.日本".encode()),
]
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 5\n"
BRANCH = "feature/ünï\"q'$(id)&;#%{}=,+@!-" + "x" * 200 + "/HEAD"
CHANGES = r"""
printf 'two\r\n' >>crlf.bat
shopt -s dotglob; for file in odd/*; do echo two >>"$file"; done
chmod -x run.sh; chmod +x plain.sh
ln -sf plain.sh link; rm dangling; ln -s ../odd odd/loop
git mv big.bin moved.bin; git commit -qam 'moved'
"""


def _git(place: Path, *words: str) -> bytes:
    who = ("-c", "user.name=A Person", "-c", "user.email=p@example.org")
    return subprocess.run(["git", "-C", place, *who, *words], check=True, capture_output=True).stdout


def _adopt(world: World, top: Path, tasks: list[dict[str, Any]]) -> Project:
    done = world.orkestra("adopt", str(top))
    assert done.returncode == 0, done.stderr
    project = Project(world, top)
    project.tasks(tasks)
    return project


def _run_to_the_end(project: Project, files: list[int]) -> None:
    """A run that lands everything; the records hold, the objects are whole, the checkout is in step."""
    done = project.start("--workers", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [one["change"]["files"] for one in project.outcomes()] == files
    verified = project.verify()
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert project.git("status", "--porcelain") == ""
    project.git("fsck", "--strict")


def test_names_modes_links_and_line_ends_are_kept_as_they_are(world: World) -> None:
    top = world.place / "a repository"
    _git(world.place, "init", "--quiet", "-b", BRANCH, str(top))
    # As on a machine whose editors write CR LF; in the repository there is none.
    _git(top, "config", "core.autocrlf", "true")
    _git(top, "config", "core.safecrlf", "false")  # it would warn, by names that are no text
    odd = os.path.join(os.fsencode(top), b"odd")
    os.mkdir(odd)
    for name in NAMES:
        Path(os.fsdecode(os.path.join(odd, name))).write_bytes(b"one\n")
    (top / "crlf.bat").write_bytes(b"one\r\n")
    (top / "run.sh").write_bytes(b"echo\n")
    (top / "run.sh").chmod(0o755)
    (top / "plain.sh").write_bytes(b"echo\n")
    (top / "big.bin").write_bytes(POINTER)
    (top / ".gitattributes").write_text("*.bat text eol=crlf\n*.bin filter=lfs diff=lfs merge=lfs -text\n")
    for name, to in (("link", "run.sh"), ("dangling", "/nowhere"), ("folder", "odd")):
        (top / name).symlink_to(to)
    _git(top, "add", "--all")
    _git(top, "commit", "--quiet", "-m", "one")
    project = _adopt(
        world, top, [{"id": "a", "command": CHANGES, "check": "test -L link && test -x plain.sh"}]
    )
    before = _git(top, "rev-parse", "HEAD^{tree}").decode().strip()
    _run_to_the_end(project, [len(NAMES) + 8])
    assert _git(top, "cat-file", "-p", "HEAD:crlf.bat") == b"one\ntwo\n"
    assert (top / "crlf.bat").read_bytes() == b"one\r\ntwo\r\n"
    assert (top / "odd" / "-dash").read_bytes() == b"one\r\ntwo\r\n"
    assert _git(top, "cat-file", "-p", "HEAD:moved.bin") == POINTER
    listed = dict(
        reversed(line.split(b"\t", 1))  # type: ignore[arg-type]
        for line in _git(top, "ls-tree", "-r", "-z", "HEAD").split(b"\0")[:-1]
    )
    modes = {
        name: listed[name].split()[0] for name in (b"link", b"run.sh", b"plain.sh", b"odd/loop", b"folder")
    }
    assert list(modes.values()) == [b"120000", b"100644", b"100755", b"120000", b"120000"]
    assert {b"odd/" + name for name in NAMES} <= listed.keys() and b"dangling" not in listed
    assert os.readlink(top / "link") == "plain.sh" and not os.path.lexists(top / "dangling")
    # The reverse brings back every byte of it.
    assert world.orkestra("undo", "a", "--project", str(top)).returncode == 0
    changed = _git(top, "diff", "--name-only", before, "HEAD").decode().split()
    assert [path for path in changed if not path.startswith("logs/")] == ["config/task-queue.json"]


@pytest.mark.parametrize("kind", ["empty", "sha256 elsewhere", "borrowed", "sparse"])
def test_a_repository_of_another_kind(world: World, kind: str) -> None:
    top = world.place / "a repository"
    words = ["--object-format=sha256", "--separate-git-dir", str(world.place / "else.git")]
    _git(
        world.place, "init", "--quiet", "-b", "main", *(words if kind == "sha256 elsewhere" else []), str(top)
    )
    if kind != "empty":
        for name in ("in", "out"):
            (top / name).mkdir()
            (top / name / "file").write_text("one\n")
        _git(top, "add", "--all")
        _git(top, "commit", "--quiet", "-m", "one")
    if kind == "borrowed":  # twice, and not by an absolute path
        for name in ("once", "twice"):
            _git(world.place, "clone", "--quiet", "--shared", str(top), str(world.place / name))
            top = world.place / name
        (top / ".git" / "objects" / "info" / "alternates").write_text("../../../once/.git/objects\n")
    if kind == "sparse":
        _git(top, "sparse-checkout", "set", "--sparse-index", "in", "config", "logs")
    project = _adopt(
        world, top, [{"id": "a", "command": "mkdir -p in out; echo a | tee -a in/file >>out/file"}]
    )
    _run_to_the_end(project, [2])
    assert (top / "in" / "file").read_text().endswith("a\n") and (project.file("out/file") or "").endswith(
        "a\n"
    )
    assert (top / "out").exists() == (kind != "sparse")


GIB = 1 << 30
MEMORY = 400_000_000  # bytes that each process of the run may have for itself


def test_two_gigabytes_in_git_and_ten_beside_it(world: World) -> None:
    """No process has any of it in memory, and the ten are nowhere but in their place."""
    top = world.place / "a repository"
    _git(world.place, "init", "--quiet", "-b", "main", str(top))
    with (top / "tracked").open("wb") as file:
        file.truncate(2 * GIB)
    (top / ".gitignore").write_text("/data/\n")
    _git(top, "-c", "core.compression=1", "add", "--all")
    _git(top, "commit", "--quiet", "-m", "one")
    (top / "data").mkdir()
    for number in range(5):
        with (top / "data" / str(number)).open("wb") as file:
            file.truncate(2 * GIB)
            file.seek(GIB)
            file.write(b"here")
    command = "stat -c %s data/* tracked >said; tail -c 1073741824 data/3 | head -c 4 >>said; echo >>said"
    project = _adopt(world, top, [{"id": "a", "command": command}])
    _share(project, "data")
    try:
        words = [
            "prlimit",
            f"--data={MEMORY}",
            str(world.root / "bin" / "orkestra"),
            "start",
            "--workers",
            "1",
        ]
        done = subprocess.run(words, cwd=top, env=world.env(), capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stdout + done.stderr
        assert project.file("said") == f"{2 * GIB}\n" * 6 + "here\n"
        used = subprocess.run(["du", "-s", "-B1", str(world.place)], capture_output=True, text=True).stdout
        assert int(used.split()[0]) < 2.5 * GIB
    finally:
        shutil.rmtree(world.place / "home" / ".cache", ignore_errors=True)
