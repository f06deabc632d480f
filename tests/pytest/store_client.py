"""A project with a store to talk to: real Git, real FIFOs, no Bash and no sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
GIT_ENV = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "A",
    "LC_ALL": "C",
    "GIT_AUTHOR_EMAIL": "a@localhost",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@localhost",
}
ADAPTER = """#!/bin/sh
case $1 in
describe) printf '%s' '{description}' ;;
probe) {probe} ;;
esac
"""


def git(project: Path, *args: str, stdin: bytes | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        ["git", "-C", str(project), *args],
        input=stdin,
        capture_output=True,
        check=True,
        env={**os.environ, **GIT_ENV, **(env or {})},
    )
    return done.stdout.decode().strip()


class Project:
    """A repository with a queue, and the folders that a run needs around it."""

    def __init__(self, folder: Path, tasks: list[dict[str, Any]], **settings: Any) -> None:
        self.folder = folder
        self.path = folder / "projéct with space"
        self.runtime = folder / "runtime"
        self.config = folder / "CONFIG"
        for place in (
            self.path / "config",
            self.runtime,
            self.config / "agents",
            folder / "LOGS",
            folder / "cache",
        ):
            place.mkdir(parents=True)
        top = {
            "format": "orkestra.project/1",
            "id": "0123456789ab",
            "name": "demo",
            "branch": "main",
            "retry_delay": 0,
            **settings,
        }
        (self.path / "config/project.json").write_text(json.dumps(top))
        self.write_queue(tasks)
        (self.path / ".gitignore").write_text("logs/execution/\n")
        (self.path / "a.txt").write_text("one\n")
        git(self.path, "init", "-q", "-b", "main")
        git(self.path, "add", "-A")
        git(self.path, "commit", "-q", "-m", "first")
        self.adapter("shell", family="none", kind="shell", can=["work"], revises="base")

    def write_queue(self, tasks: list[dict[str, Any]]) -> None:
        self.write_text(json.dumps({"version": 1, "tasks": tasks}, indent=1))

    def write_text(self, text: str) -> None:
        other = self.path / "config/.new"
        other.write_text(text)
        other.replace(self.path / "config/task-queue.json")

    def adapter(self, name: str, probe: str = ":", **description: Any) -> None:
        path = self.config / "agents" / name
        path.write_text(ADAPTER.format(description=json.dumps({"name": name, **description}), probe=probe))
        path.chmod(0o755)

    @property
    def head(self) -> str:
        return git(self.path, "rev-parse", "refs/heads/main")

    def environment(self, **more: str) -> dict[str, str]:
        keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return {
            **keep,
            "PYTHONPATH": str(ROOT),
            "ORKESTRA_SCRIPTS": str(ROOT / "SCRIPTS"),
            "ORKESTRA_CONFIG": str(self.config),
            "ORKESTRA_LOGS": str(self.folder / "LOGS"),
            "ORKESTRA_PROJECT": str(self.path),
            "ORKESTRA_RUNTIME": str(self.runtime),
            "ORKESTRA_BRANCH": "main",
            "ORKESTRA_WORKSPACES": str(self.folder / "cache"),
            "ORKESTRA_GIT_DIR": str(self.path / ".git"),
            "ORKESTRA_DEBUG": "1",
            **more,
        }

    def start(self, **more: str) -> Store:
        return Store(self, **more)

    def journal(self) -> list[dict[str, Any]]:
        path = self.path / "logs/execution/task-execution.log"
        return [json.loads(line) for line in path.read_text().splitlines()]

    def commit_files(self, base: str, changes: dict[str, bytes], message: str) -> str:
        """A commit on base with files set, made without touching checkout or branch."""
        env = {"GIT_INDEX_FILE": str(self.folder / "index")}
        git(self.path, "read-tree", base, env=env)
        for name, content in changes.items():
            blob = git(self.path, "hash-object", "-w", "--stdin", stdin=content)
            git(self.path, "update-index", "--add", "--cacheinfo", f"100644,{blob},{name}", env=env)
        tree = git(self.path, "write-tree", env=env)
        return git(self.path, "commit-tree", tree, "-p", base, "-m", message)


class Store:
    """The store process and its clients."""

    def __init__(self, project: Project, **more: str) -> None:
        self.project = project
        self.folder = project.runtime / "run"
        self.folder.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "orkestra_shim.store", "--runtime", str(self.folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env=project.environment(**more),
            text=True,
        )
        assert self.process.stdout is not None
        self.ready = self.process.stdout.readline() == "ready\n"
        if self.ready:
            self.control = Client(self.folder, "control")

    def worker(self, name: str = "w1") -> Client:
        self.control.ask("worker", name, "1")
        return Client(self.folder, name)

    def end(self) -> tuple[int, str]:
        """(exit code, stderr) after bye."""
        if self.process.poll() is None:
            self.control.ask("bye")
        _, err = self.process.communicate(timeout=20)
        return self.process.returncode, err

    def failure(self) -> tuple[int, str]:
        _, err = self.process.communicate(timeout=20)
        return self.process.returncode, err

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


class Client:
    """One client over its pair of FIFOs, as the Bash client does it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.req = (folder / f"{name}.req").open("wb", buffering=0)
        self.seq = 0
        self.send("hello")
        self.rep = (folder / f"{name}.rep").open("rb")
        assert self.receive() == ["ok"]

    def send(self, *fields: str) -> None:
        self.seq += 1
        plain = [
            field.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
            for field in fields
        ]
        self.req.write("\t".join([str(self.seq), *plain]).encode() + b"\n")

    def receive(self) -> list[str]:
        line = self.rep.readline().decode().rstrip("\n")
        seq, *fields = line.split("\t")
        assert seq == str(self.seq), line
        names = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}
        plain = []
        for field in fields:
            out, at = "", 0
            while at < len(field):
                out += names[field[at + 1]] if field[at] == "\\" else field[at]
                at += 2 if field[at] == "\\" else 1
            plain.append(out)
        return plain

    def ask(self, *fields: str) -> list[str]:
        self.send(*fields)
        return self.receive()

    def close(self) -> None:
        self.req.close()
        self.rep.close()


DIFF = ["diff-tree", "-p", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv"]


class Worker:
    """The stages of an attempt without agent, sandbox and gates: what Bash would report."""

    def __init__(self, store: Store, name: str = "w1") -> None:
        self.store, self.project, self.client = store, store.project, store.worker(name)
        self.ticket = self.project.runtime / name

    def claim(self) -> list[str]:
        reply = self.client.ask("claim")
        if reply[1] == "task":
            self.task, self.number = reply[2], reply[3]
        return reply

    @property
    def attempt(self) -> Path:
        return self.project.path / "logs/execution/attempts" / self.task / self.number

    def change(self, changes: dict[str, bytes], base: str = "") -> None:
        """A change on base: its commit, tree, diff and patch id, and a green check."""
        self.base = base or self.project.head
        commit = self.project.commit_files(self.base, changes, "work")
        self.tree = git(self.project.path, "rev-parse", f"{commit}^{{tree}}")
        diff = subprocess.run(
            ["git", "-C", str(self.project.path), *DIFF, self.base, self.tree],
            capture_output=True,
            check=True,
        ).stdout
        (self.attempt / "diff.patch").write_bytes(diff)
        self.patch = git(self.project.path, "patch-id", "--stable", stdin=diff).split(" ")[0] if diff else "-"

    def judge(
        self, check: int = 0, gates: str = "scope\tpass\t\nsecrets\tpass\t\nprotected\tpass\t\n"
    ) -> list[str]:
        (self.attempt / "check.log").write_text("checked\n")
        (self.attempt / "gates.tsv").write_text(gates)
        assert self.client.ask("checked", str(check), "1", self.tree) == ["ok"]
        return self.client.ask("gated", "0")

    def vote(self, *ballots: tuple[str, int, str]) -> list[str]:
        opened = self.client.ask("vote-open", self.base, self.tree, self.patch)
        if opened[1] != "vote":
            return opened
        lines = "".join(f"{name}\t{code}\t{text}\n" for name, code, text in ballots)
        (Path(opened[3]) / "ballots.tsv").write_text(lines)
        return self.client.ask("vote-close", opened[2])

    def land(self) -> str:
        """draw, record, the swap, landed; the outcome's id."""
        outcome = self.client.ask("draw")[1]
        new = self.record(outcome)
        assert self.client.ask("landed", outcome, new) == ["ok"]
        return outcome

    def record(self, outcome: str) -> str:
        """The commits of a landing by the store itself, and the move of the branch over both."""
        head = self.project.head
        told = self.client.ask("record", outcome, "-", head, self.tree, self.patch, "1")
        assert told[:2] == ["ok", "commit"], told
        git(self.project.path, "update-ref", "refs/heads/main", told[2], head)
        return told[2]

    def whole(self, changes: dict[str, bytes]) -> str:
        """A claimed task from base to landing."""
        assert self.client.ask("base", self.project.head)[0] == "ok"
        assert self.client.ask("worked", "0", "1", str(self.ticket)) == ["ok", "done"]
        self.change(changes)
        assert self.client.ask("taken", self.tree, "1")[:2] == ["ok", "changed"]
        assert self.judge() == ["ok", "pass"]
        assert self.vote(*APPROVE) == ["ok", "approve"]
        return self.land()


APPROVE = (("lint", 0, "fine"), ("size", 0, "small"), ("tidy", 0, "tidy"))


def finish(store: Store) -> int:
    """What the orchestrator does at the end; how many files were recorded."""
    told = store.control.ask("finish")[1:]
    if told == ["none"]:
        return 0
    head, kind, new = told
    assert kind == "commit" and head == store.project.head
    git(store.project.path, "update-ref", "refs/heads/main", new, head)
    git(store.project.path, "reset", "-q", "--hard", new)
    assert store.control.ask("recorded", new) == ["ok"]
    return len(git(store.project.path, "diff", "--name-only", head, new).splitlines())
