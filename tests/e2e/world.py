"""A framework, a home and projects, used through the installed command only: what the tests work with."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FRAMEWORK = Path(__file__).resolve().parents[2]
PERSON = ("-c", "user.name=A Person", "-c", "user.email=p@example.org")
ANY_OWNER = ("-c", "safe.directory=*")
RUN_BOUND = 170  # seconds that one command may take: a bound for what hangs
CRONS = {"PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "LOGNAME": "somebody"}


def of_the_guide(name: str, language: str) -> str:
    """The text of an agent that docs/agents.md shows as `CONFIG/agents/NAME`."""
    guide = (FRAMEWORK / "docs" / "agents.md").read_text("utf-8")
    found = re.search(
        rf"`CONFIG/agents/{name}`:\n\n(?:<!--.*?-->\n)?```{language}\n(.*?)```", guide, re.DOTALL
    )
    assert found, f"docs/agents.md shows no {name}"
    return found[1]


@dataclass
class World:
    """One home with its projects. `root` is the framework: the checkout, or a copy that a test may weaken.

    `through`: words in front of every command, which run it as somebody else, for example.
    """

    place: Path
    root: Path = FRAMEWORK
    environment: dict[str, str] = field(default_factory=dict)
    through: list[str] = field(default_factory=list)
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def home(self) -> Path:
        """ORKESTRA_HOME."""
        return self.place / "orkestra hôme"

    def env(self) -> dict[str, str]:
        """The environment of every command: no settings of the caller's."""
        keep = {key: os.environ[key] for key in ("PATH", "TMPDIR") if key in os.environ}
        return keep | {
            # A copy of the framework uses the environment of the checkout.
            "ORKESTRA_VENV": os.environ.get("ORKESTRA_VENV", str(FRAMEWORK / ".venv")),
            "HOME": str(self.place / "home"),
            "ORKESTRA_HOME": str(self.home),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONDONTWRITEBYTECODE": "1",
            **self.environment,
        }

    def orkestra(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Runs the command; gives exit code, output and errors."""
        return subprocess.run(
            [*self.through, str(self.root / "bin" / "orkestra"), *arguments],
            cwd=cwd or self.place,
            env=self.env(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_BOUND,
            check=False,
        )

    def once(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """`orchestrator.sh once` in the environment that cron gives."""
        home = {"HOME": str(self.place / "home"), "ORKESTRA_HOME": str(self.home)}
        venv = {"ORKESTRA_VENV": self.env()["ORKESTRA_VENV"]}
        return subprocess.run(
            [str(self.root / "SCRIPTS" / "CORE" / "orchestrator.sh"), "once", *arguments],
            cwd=self.place / "home",
            env=CRONS | home | venv | more,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=RUN_BOUND,
            check=False,
        )

    def start_in_background(self, *arguments: str, errors: bool = False) -> subprocess.Popen[str]:
        """`orkestra start` that goes on while the test does something; the test waits for it.

        `errors`: they come through a pipe of their own.
        """
        run = subprocess.Popen(
            [*self.through, str(self.root / "bin" / "orkestra"), "start", *arguments],
            cwd=self.place,
            env=self.env(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if errors else subprocess.STDOUT,
            text=True,
        )
        self.started.append(run)
        return run

    def end(self) -> None:
        """Ends what a failed test left running."""
        for run in self.started:
            if run.poll() is None:
                run.kill()
                run.wait()

    def new(self, name: str, tasks: list[dict[str, Any]], **project: Any) -> Project:
        """A project made by `orkestra new` with these tasks, committed."""
        made = self.orkestra("new", name)
        assert made.returncode == 0, made.stderr
        found = Project(self, self.home / "PROJECTS" / name)
        found.set(**{"retry_delay": 0, **project})
        found.tasks(tasks)
        return found

    def weakened(self, *paths: str, edits: Mapping[str, tuple[str, str]] | None = None) -> World:
        """The same home with a copy of the framework that lacks some files: a defence switched off.

        `edits`: for each path a text that must be there, and what stands in all its places then.
        """
        edits = edits or {}
        lacks = "+".join(path.rpartition("/")[2] for path in (*paths, *edits))
        copy = self.place / f"framework {len(list(self.place.glob('framework *')))} without {lacks}"
        ignore = shutil.ignore_patterns(".git", ".venv", "PROJECTS", "LOGS", "tests", "__pycache__")
        shutil.copytree(self.root, copy, ignore=ignore, symlinks=True)
        for path in paths:
            (copy / path).unlink()
        for path, (old, new) in edits.items():
            text = (copy / path).read_text()
            assert old in text, f"{path} has no {old!r} any more"
            (copy / path).write_text(text.replace(old, new))
        return World(self.place, copy, dict(self.environment), list(self.through))


@dataclass
class Project:
    """One project of a world."""

    world: World
    path: Path

    def git(self, *arguments: str, check: bool = True) -> str:
        """Git in the checkout, as a person would use it."""
        done = subprocess.run(
            [*self.world.through, "git", "-C", str(self.path), *PERSON, *arguments],
            env=self.world.env(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout.strip()

    def set(self, **values: Any) -> None:
        """Settings of config/project.json, committed."""
        file = self.path / "config" / "project.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | values, indent=2) + "\n")
        self.git("commit", "--quiet", "--allow-empty", "--all", "-m", "settings")

    def tasks(self, tasks: list[dict[str, Any]]) -> None:
        """The queue, committed. A task without an agent is done by `shell`."""
        filled = [{"title": task["id"], "agent": "shell", **task} for task in tasks]
        file = self.path / "config" / "task-queue.json"
        file.write_text(json.dumps({"version": 1, "tasks": filled}, indent=2) + "\n")
        self.git("commit", "--quiet", "--allow-empty", "--all", "-m", "tasks")

    def start(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`orkestra start` on this project."""
        return self.world.orkestra("start", "--project", str(self.path), *arguments)

    def outcomes(self) -> list[dict[str, Any]]:
        """Every outcome on the branch, in order."""
        names = self.git("ls-tree", "-r", "--name-only", self.branch(), "logs/outcomes").splitlines()
        names = [name for name in names if name.endswith(".json")]
        return [json.loads(self.git("cat-file", "-p", f"{self.branch()}:{name}")) for name in names]

    def votes(self) -> list[dict[str, Any]]:
        """Every vote on the branch, in order."""
        names = self.git("ls-tree", "-r", "--name-only", self.branch(), "logs/voting").splitlines()
        names = [name for name in names if name.endswith(".json")]
        return [json.loads(self.git("cat-file", "-p", f"{self.branch()}:{name}")) for name in names]

    def branch(self) -> str:
        """The branch that work lands on."""
        return str(json.loads((self.path / "config" / "project.json").read_text())["branch"])

    def decided(self) -> dict[str, str]:
        """The last decision for each task."""
        return {outcome["task"]: outcome["decision"] for outcome in self.outcomes()}

    def statuses(self) -> dict[str, str]:
        """What `task list` says of each task."""
        listed = self.world.orkestra("task", "list", "--project", str(self.path), "--json")
        assert listed.returncode == 0, listed.stderr
        return {task["id"]: task["status"] for task in json.loads(listed.stdout)}

    def file(self, path: str) -> str | None:
        """A file's text on the branch; None when it is not there."""
        done = subprocess.run(
            ["git", "-C", str(self.path), *ANY_OWNER, "cat-file", "-p", f"{self.branch()}:{path}"],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout if done.returncode == 0 else None

    def verify(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`orkestra verify` on this project."""
        return self.world.orkestra("verify", "--project", str(self.path), *arguments)
