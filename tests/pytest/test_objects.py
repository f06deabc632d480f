"""Git objects that we write ourselves: real Git finds them sound, the same, and on the disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orkestra_shim.errors import OrkestraError
from orkestra_shim.objects import Objects, parse_tree, tree_bytes
from orkestra_shim.plumbing import Git

ENV = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{key}": "a@b" for who in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")},
}
WHO = ("A Person", "a@b")


def git(place: Path, *words: str, stdin: bytes = b"") -> str:
    done = subprocess.run(["git", "-C", str(place), *words], input=stdin, capture_output=True, env=ENV)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")


def repository(place: Path, form: str) -> tuple[Path, str]:
    place.mkdir(exist_ok=True)
    git(place, "init", "-q", "-b", "main", f"--object-format={form}")
    (place / "a").write_text("a\n")
    (place / "logs").mkdir()
    (place / "logs" / "x.json").write_text("{}\n")
    (place / "logs-b").write_text("sorted between logs and logs/\n")
    git(place, "add", "-A")
    git(place, "commit", "-qm", "start")
    return place, git(place, "rev-parse", "HEAD")


@pytest.mark.parametrize("form", ["sha1", "sha256"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_commit_with_new_files_is_what_git_would_have_made(tmp_path: Path, form: str, packed: bool) -> None:
    place, head = repository(tmp_path / "r", form)
    if packed:
        git(place, "gc", "-q")
    objects = Objects(Git(place / ".git"))
    files = {"logs/outcomes/o-1.json": b"{}\n", "logs/x.json": b"new\n", "b": b"", "logs.d/é\udcff": b"\0\n"}
    tree = objects.with_files(objects.tree_of(head), files)
    commit = objects.commit(tree, [head], "a message\n\nWith-A: trailer\n", WHO)
    objects.flush()
    objects.close()
    git(place, "update-ref", "refs/heads/main", commit, head)
    git(place, "fsck", "--strict", "--full")
    # The same by Git itself.
    for path, content in files.items():
        where = place / os.fsdecode(os.fsencode(path))
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_bytes(content)
    git(place, "read-tree", head)
    git(place, "add", "-A")
    assert git(place, "write-tree") == tree
    assert git(place, "log", "-1", "--format=%an <%ae>|%cn|%B", commit).rstrip() == (
        "A Person <a@b>|A Person|a message\n\nWith-A: trailer"
    )
    stamp = git(place, "log", "-1", "--format=%ad", "--date=raw", commit).split()[1]
    assert stamp == subprocess.run(["date", "+%z"], capture_output=True, text=True, check=True).stdout.strip()
    assert not list((place / ".git/objects").glob("tmp_obj_*"))


@pytest.mark.parametrize(
    "name", ["  spaced  ", "a <b> c", "new\nline", 'J. R. "Bob" Dobbs,', "ü", "...", "tail'"]
)
def test_an_identity_is_written_as_git_writes_it(tmp_path: Path, name: str) -> None:
    place, head = repository(tmp_path / "r", "sha1")
    objects = Objects(Git(place / ".git"))
    ours = objects.commit(objects.tree_of(head), [head], "m", (name, "a@b"))
    objects.flush()
    objects.close()
    git(place, "fsck", "--strict")
    env = {"GIT_AUTHOR_NAME": name, "GIT_COMMITTER_NAME": name}
    done = subprocess.run(
        ["git", "-C", str(place), "commit-tree", "-p", head, "-m", "m", f"{head}^{{tree}}"],
        env=ENV | env,
        capture_output=True,
        text=True,
    )
    if done.returncode == 0:
        theirs = git(place, "cat-file", "commit", done.stdout.strip())
        assert git(place, "cat-file", "commit", ours).split("> ")[0] == theirs.split("> ")[0]
    else:  # a name of which nothing is left
        assert git(place, "log", "-1", "--format=%an", ours) == "Orkestra"


def test_files_and_folders_are_on_the_disk_before_flush_ends(tmp_path: Path) -> None:
    place, _ = repository(tmp_path / "r", "sha1")
    trace = tmp_path / "trace"
    program = (
        "import sys; from pathlib import Path; from orkestra_shim.objects import Objects; "
        "from orkestra_shim.plumbing import Git; o = Objects(Git(Path(sys.argv[1]))); "
        "n = o.put('blob', b'durable', '0' * 40); o.flush(); o.close(); print(n)"
    )
    strace = ["strace", "-f", "-qq", "-y", "-e", "trace=fsync,rename,renameat,renameat2", "-o", str(trace)]
    try:
        done = subprocess.run(
            [*strace, sys.executable, "-c", program, str(place / ".git")],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
    except FileNotFoundError:
        pytest.skip("needs strace")
    name = done.stdout.strip()
    calls = trace.read_text()
    file, renamed = calls.index("tmp_obj_"), calls.index("rename")
    assert "fsync" in calls[:renamed] and file < renamed
    after = calls[renamed:]
    assert (
        f"objects/{name[:2]}>" in after and "objects>" in after
    )  # the folder, and the one that it is new in


def test_what_cannot_be_written_is_said_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, _ = repository(tmp_path / "r", "sha1")
    objects = Objects(Git(place / ".git"))
    name = objects.put("blob", b"never", "0" * 40)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OrkestraError) as found:
        objects.flush()
    assert found.value.code == 73 and "No space left" in found.value.message
    assert not (place / ".git/objects" / name[:2] / name[2:]).exists()
    assert not list((place / ".git/objects").glob("tmp_obj_*"))
    with pytest.raises(OrkestraError):
        objects.read(name)


def test_damaged_and_missing_objects_are_refused(tmp_path: Path) -> None:
    place, head = repository(tmp_path / "r", "sha1")
    objects = Objects(Git(place / ".git"))
    with pytest.raises(OrkestraError, match="missing"):
        objects.read("0" * 40)
    assert objects.read(head)[0] == "commit"  # the reader goes on
    file = place / ".git/objects" / head[:2] / head[2:]
    file.chmod(0o644)
    file.write_bytes(b"x")
    with pytest.raises(OrkestraError, match="damaged"):
        objects.read(head)
    with pytest.raises(OrkestraError, match="damaged"):
        parse_tree(b"100644 a\0short", 20)
    with pytest.raises(OrkestraError, match="damaged"):
        parse_tree(b"no end", 20)


NAMES = st.binary(min_size=1, max_size=12).filter(
    lambda name: not set(name) & {0, 47} and name.lower() not in (b".", b"..", b".git")
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(NAMES, st.booleans(), min_size=1, max_size=12))
def test_any_names_come_in_the_order_that_git_wants(
    tmp_path_factory: pytest.TempPathFactory, names: dict[bytes, bool]
) -> None:
    place = tmp_path_factory.getbasetemp() / "order"
    if not place.exists():
        repository(place, "sha1")
    empty = git(place, "mktree")
    blob = git(place, "hash-object", "-w", "--stdin")
    entries = {name: (b"40000", empty) if folder else (b"100644", blob) for name, folder in names.items()}
    lines = b"".join(
        (b"040000 tree %s\t" % empty.encode() if folder else b"100644 blob %s\t" % blob.encode())
        + name
        + b"\0"
        for name, folder in names.items()
    )
    theirs = git(place, "mktree", "-z", stdin=lines)
    content = tree_bytes(entries)
    assert git(place, "hash-object", "-t", "tree", "--literally", "--stdin", stdin=content) == theirs
    assert parse_tree(content, 20) == entries
