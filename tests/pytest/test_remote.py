"""What is pushed and when, asked as the courier asks it; and what is shown of another program's words."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from orkestra_shim import keys
from orkestra_shim.proposals import branch_name
from orkestra_shim.said import Said
from store_client import Client, Project, Store, Worker, git


def task(name: str, **fields: object) -> dict[str, object]:
    return {"id": name, "title": f"Do {name}", "agent": "shell", "command": "true", **fields}


def remote(project: Project) -> Path:
    """A bare repository as its origin, with the branch."""
    path = project.folder / "origin.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", str(path)], check=True)
    git(project.path, "remote", "add", "origin", str(path))
    git(project.path, "push", "--quiet", "origin", "main")
    return path


def courier(store: Store, phase: str) -> Client:
    assert store.control.ask("courier", phase) == ["ok"]
    return Client(store.folder, "courier")


def test_a_failed_push_is_tried_with_the_next_landing_and_at_the_end(tmp_path: Path) -> None:
    project = Project(tmp_path, [task("a"), task("b")], push=True)
    remote(project)
    store = project.start()
    assert store.control.ask("remote") == ["ok", "1"]
    out = project.runtime / "remote"
    assert courier(store, "start").ask("errand") == ["ok", "stop"]
    going = courier(store, "run")
    going.send("errand")  # waits
    worker = Worker(store)
    worker.claim()
    worker.whole({"a.txt": b"x\n"})
    first = project.head
    assert going.receive() == ["ok", "push", "origin", first, "refs/heads/main"]
    (out / "out").write_text("!\trefs/heads/main:refs/heads/main\t[remote rejected] (hook declined)\n")
    (out / "err").write_text("remote: no\n")
    told = going.ask("back", "1")
    assert told[1] == "warn" and "origin refuses it: no; hook declined" in told[2]
    going.send("errand")  # nothing new: it waits
    worker.claim()
    worker.whole({"b.txt": b"x\n"})
    second = project.head
    assert going.receive() == ["ok", "push", "origin", second, "refs/heads/main"]
    assert going.ask("back", "1") == ["ok"]  # said already
    going.send("errand")
    assert store.control.ask("courier-end") == ["ok"]
    assert going.receive() == ["ok", "stop"]
    # The same head, but it is the end.
    ending = courier(store, "end")
    assert ending.ask("errand") == ["ok", "push", "origin", second, "refs/heads/main"]
    code, text = store.control.ask("summary")[1:]
    assert code == "1" and "main is not pushed to origin: origin refuses it" in text
    assert ending.ask("back", "0") == ["ok", "say", "pushed to origin again"]
    assert ending.ask("errand") == ["ok", "stop"]
    assert store.control.ask("summary")[1] == "0"
    assert store.end() == (0, "")


def test_a_courier_that_is_killed_leaves_its_errand_to_the_next(tmp_path: Path) -> None:
    project = Project(tmp_path, [task("a")], push=True)
    remote(project)
    store = project.start()
    going = courier(store, "run")
    worker = Worker(store)
    worker.claim()
    worker.whole({"a.txt": b"x\n"})
    assert going.ask("errand")[1] == "push"
    going.close()
    assert courier(store, "end").ask("errand")[1] == "push"
    assert store.end() == (0, "")


def test_without_the_settings_there_is_no_courier(tmp_path: Path) -> None:
    project = Project(tmp_path, [task("a")])
    remote(project)
    store = project.start()
    assert store.control.ask("remote") == ["ok", "0"]
    assert courier(store, "end").ask("errand") == ["ok", "stop"]
    assert store.end() == (0, "")


@pytest.mark.parametrize(
    ("code", "out", "err", "shown"),
    [
        (124, "", "", "origin did not answer in time (ORKESTRA_REMOTE_TIMEOUT)"),
        (127, "", "setpriv: failed to execute gh", "git push is not installed"),
        (1, "!\tx:main\t[rejected] (fetch first)\n", "hint: x", "origin has commits that are not here"),
        (
            128,
            "",
            "fatal: unable to access 'https://u:s3cret@host/x/': \033[2Jrefused\u202e\r\nhint: do\n",
            "git push: unable to access 'https://host/x/': refused",
        ),
        (1, "", "error: a key-of-mine-0123 b\nerror: failed to push some refs\n", "git push: a [redacted] b"),
        (3, "", "", "git push ended with 3"),
    ],
)  # fmt: skip
def test_the_words_of_others(tmp_path: Path, code: int, out: str, err: str, shown: str) -> None:
    (tmp_path / "out").write_bytes(out.encode())
    (tmp_path / "err").write_bytes(err.encode())
    said = Said(tmp_path, keys.Keys(["key-of-mine-0123"]))
    assert said.why(code, "origin", "git push") == shown


def test_the_words_of_others_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "err").write_bytes(b"\xff" + b"x" * 5_000_000)
    assert len(Said(tmp_path, lambda text: text).why(1, "origin", "gh")) < 600


def test_no_two_tasks_have_one_branch() -> None:
    names = [branch_name(task, before) for task in ("a", "a-2", "a.2") for before in range(3)]
    assert len(set(names)) == 9 and names[:2] == ["orkestra/a", "orkestra/a+2"]
    for name in names:
        subprocess.run(["git", "check-ref-format", "--branch", name], check=True, stdout=subprocess.DEVNULL)
