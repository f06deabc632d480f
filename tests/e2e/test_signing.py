"""Landings are signed with the key that the person's own `git commit` would take, and with no other.

What is signed is asked of `git verify-commit`, with a file of allowed signers that has that one key for
that one address; the same question with another's key is answered with no.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from test_cases import task
from world import Project, World

MAIL = "a.person@example.org"


@dataclass
class Key:
    """An ssh key, and the file of allowed signers that knows no other."""

    file: Path

    def __post_init__(self) -> None:
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a key", "-f", str(self.file)]
        subprocess.run(words, check=True)
        self.allowed = self.file.with_suffix(".allowed")
        self.allowed.write_text(f"{MAIL} {self.public}\n")

    @property
    def public(self) -> str:
        """The line that others get."""
        return self.file.with_suffix(".pub").read_text().strip()


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Key, Key]:
    """A person's, and another."""
    return Key(tmp_path / "mine"), Key(tmp_path / "another")


def signs(world: World, key: str) -> None:
    """A person who signs everywhere: it stands in their own settings, not in the project's."""
    settings = world.place / "home" / ".gitconfig"
    values = {
        "user.name": "A. Person",
        "user.email": MAIL,
        "commit.gpgSign": "true",
        "gpg.format": "ssh",
        "user.signingKey": key,
    }
    for name, value in values.items():
        subprocess.run(["git", "config", "--file", str(settings), name, value], check=True)
    world.environment["GIT_CONFIG_GLOBAL"] = str(settings)


def holds(project: Project, commit: str, key: Key) -> bool:
    """Whether it is signed with that key, by that address; the words of Git are what makes it so."""
    words = ["git", "-C", str(project.path), "-c", f"gpg.ssh.allowedSignersFile={key.allowed}"]
    done = subprocess.run(
        [*words, "verify-commit", commit],
        env=project.world.env(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == (f'Good "git" signature for {MAIL} ' in done.stderr), done.stderr
    return done.returncode == 0


def by_kind(project: Project, since: str) -> dict[str, list[str]]:
    """{its first words: commits} of what came onto the branch."""
    found: dict[str, list[str]] = {"change": [], "record": [], "queue": [], "undo": []}
    for line in project.git("log", "--format=%H %s", f"{since}..main").splitlines():
        commit, subject = line.split(" ", 1)
        kinds = {"orkestra: record ": "record", "orkestra: checkpoint ": "queue", "Undo ": "undo"}
        kind = next((kind for words, kind in kinds.items() if subject.startswith(words)), "change")
        found[kind].append(commit)
    return found


def test_whatever_lands_is_signed_with_the_persons_key(world: World, keys: tuple[Key, Key]) -> None:
    """Changes, of which some are brought onto others; their records; the queue at the end; an undo."""
    mine, another = keys
    signs(world, str(mine.file))
    tasks = [task(name, f"echo {name} >{name}.txt", check=f"test -e {name}.txt") for name in ("a", "b", "c")]
    project = world.new("signed", [*tasks, task("fails", "false", max_attempts=1)])
    since = project.git("rev-parse", "main")
    done = project.start("--workers", "3")
    assert done.returncode == 1, done.stdout + done.stderr
    undone = world.orkestra("undo", "--project", str(project.path), "b")
    assert undone.returncode == 0, undone.stdout + undone.stderr
    found = by_kind(project, since)
    counted = {kind: len(commits) for kind, commits in found.items()}
    assert counted.pop("record") in (4, 5)  # that of the failure goes with another, or alone
    assert counted == {"change": 3, "queue": 1, "undo": 1}
    for commit in [one for commits in found.values() for one in commits]:
        assert holds(project, commit, mine), project.git("show", "--stat", commit)
        assert not holds(project, commit, another)
        assert project.git("log", "-1", "--format=%ae %ce", commit) == f"{MAIL} {MAIL}"
    assert project.outcomes()[-1]["by"] == {"name": "A. Person", "email": MAIL}
    verified = project.verify()
    assert verified.returncode == 0 and "signed by a key that cannot be checked" in verified.stdout
    assert project.verify("--require-signatures").returncode == 1
    for key, code in ((mine, 0), (another, 1)):
        project.git("config", "gpg.ssh.allowedSignersFile", str(key.allowed))
        verified = project.verify("--require-signatures")
        assert verified.returncode == code, verified.stdout + verified.stderr
    assert "which gpg.ssh.allowedSignersFile does not have" in verified.stdout
    assert project.verify("--require-signatures", "--since", "main").returncode == 0


def test_the_projects_own_key_goes_before_the_persons(world: World, keys: tuple[Key, Key]) -> None:
    mine, projects = keys
    signs(world, str(mine.file))
    project = world.new("own-key", [task("a", "echo a >a")])
    project.git("config", "user.signingKey", str(projects.file))
    since = project.git("rev-parse", "main")
    done = project.start()
    assert done.returncode == 0, done.stdout + done.stderr
    commits = project.git("rev-list", f"{since}..main").splitlines()
    assert len(commits) == 3
    assert all(holds(project, one, projects) and not holds(project, one, mine) for one in commits)


def test_a_key_that_only_an_ssh_agent_has(world: World, keys: tuple[Key, Key]) -> None:
    mine, _ = keys
    told = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True).stdout
    agent = dict(part.split("=", 1) for part in told.replace("\n", ";").split(";") if "=" in part)
    try:
        subprocess.run(["ssh-add", "-q", str(mine.file)], env=os.environ | agent, check=True)
        mine.file.unlink()
        signs(world, f"key::{mine.public}")
        world.environment["SSH_AUTH_SOCK"] = agent["SSH_AUTH_SOCK"]
        project = world.new("agent", [task("a", "echo a >a")])
        since = project.git("rev-parse", "main")
        done = project.start()
        assert done.returncode == 0, done.stdout + done.stderr
        commits = project.git("rev-list", f"{since}..main").splitlines()
        assert len(commits) == 3 and all(holds(project, one, mine) for one in commits)
    finally:
        os.kill(int(agent["SSH_AGENT_PID"]), 15)


def test_nothing_lands_unsigned_when_the_key_is_gone(world: World, keys: tuple[Key, Key]) -> None:
    mine, _ = keys
    signs(world, str(mine.file))
    project = world.new("keyless", [task("a", "echo a >a")])
    head = project.git("rev-parse", "main")
    away = mine.file.rename(mine.file.with_name("away"))
    done = project.start("--workers", "1")
    assert done.returncode == 73, done.stdout + done.stderr
    assert done.stderr.startswith("orkestra: the commit cannot be signed: "), done.stderr
    assert "where it should not have" not in done.stderr
    assert project.git("rev-parse", "main") == head and project.statuses() == {"a": "pending"}
    assert project.git("status", "--porcelain") == ""
    away.rename(mine.file)
    done = project.start()
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(holds(project, one, mine) for one in project.git("rev-list", f"{head}..main").splitlines())
