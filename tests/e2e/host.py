"""A host of pull requests: a bare repository, and a stand-in for `gh` that keeps their list beside it.

It does what `gh` is asked for here and nothing else, and fails where it is told to. Merging is done by the
tests, with Git, in the three ways that hosts have.
"""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from world import Project

_GH = r"""#!/usr/bin/env python3
import json, os, pathlib, subprocess, sys, time

place = pathlib.Path(__file__).resolve().parent
words = sys.argv[1:]
with open(place / "calls", "a") as calls:
    calls.write(json.dumps(words) + "\n")


def option(name):
    return words[words.index(name) + 1]


def head(repository, branch):
    done = subprocess.run(
        ["git", "--git-dir", repository, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}"],
        capture_output=True, text=True,
    )
    return done.stdout.strip()


def meet(name):
    # A test waits for us here, and says when to go on.
    if (place / name).exists():
        (place / f"{name}.reached").touch()
        while (place / name).exists():
            time.sleep(0.05)


if (place / "fail").exists():
    text = (place / "fail").read_text()
    print(text.partition("\n")[2], file=sys.stderr)
    sys.exit(int(text.partition("\n")[0]))
file = place / "pulls.json"
pulls = json.loads(file.read_text()) if file.exists() else []
if words[:2] == ["pr", "list"]:
    repository, branch = option("--repo"), option("--head")
    assert option("--state") == "all"
    found = [pull for pull in pulls if pull["branch"] == branch]
    for pull in found:
        pull["headRefOid"] = head(repository, branch) or pull["headRefOid"]
    print(json.dumps([{key: pull[key] for key in option("--json").split(",")} for pull in found]))
elif words[:2] == ["pr", "create"]:
    repository, branch, base = option("--repo"), option("--head"), option("--base")
    meet("before")
    if not head(repository, branch) or not head(repository, base):
        sys.exit(f"GraphQL: Head ref must be a branch ({branch}, {base})")
    if any(pull["branch"] == branch and pull["state"] == "OPEN" for pull in pulls):
        sys.exit(f'a pull request for branch "{branch}" already exists')
    pulls.append({
        "url": f"https://host.example/x/y/pull/{len(pulls) + 1}", "state": "OPEN", "branch": branch,
        "headRefOid": head(repository, branch), "title": option("--title"),
        "body": pathlib.Path(option("--body-file")).read_text(),
    })
    file.write_text(json.dumps(pulls))
    meet("after")
    print(pulls[-1]["url"])
elif words[:2] == ["pr", "view"]:
    (pull,) = [pull for pull in pulls if pull["url"] == words[2]]
    print(json.dumps({key: pull[key] for key in option("--json").split(",")}))
else:
    sys.exit(f"unknown command {words}")
"""


@dataclass
class Host:
    """The other side of one project."""

    project: Project
    path: Path  # the bare repository
    tools: Path  # holds gh, and what it keeps

    @classmethod
    def of(cls, project: Project) -> Host:
        """Makes the host; the project's remote `origin` is it, and `gh` is on PATH."""
        world = project.world
        path, tools = world.place / "origin.git", world.place / "tools"
        subprocess.run(["git", "init", "--quiet", "--bare", "-b", "main", str(path)], check=True)
        project.git("remote", "add", "origin", str(path))
        project.git("push", "--quiet", "origin", "main")
        tools.mkdir()
        (tools / "gh").write_text(_GH)
        (tools / "gh").chmod(0o755)
        world.environment["PATH"] = f"{tools}:{world.env()['PATH']}"
        return cls(project, path, tools)

    def pulls(self) -> list[dict[str, Any]]:
        """All pull requests."""
        file = self.tools / "pulls.json"
        return json.loads(file.read_text()) if file.exists() else []

    def branches(self) -> list[str]:
        """The branches of all pull requests, in the order in which they were opened."""
        return [pull["branch"] for pull in self.pulls()]

    def calls(self) -> list[list[str]]:
        """How gh was called."""
        file = self.tools / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def git(self, *arguments: str) -> str:
        """Git in the bare repository."""
        done = subprocess.run(
            ["git", f"--git-dir={self.path}", *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def fail(self, code: int, text: str) -> None:
        """From now on gh fails like this."""
        (self.tools / "fail").write_text(f"{code}\n{text}")

    def mend(self) -> None:
        """It works again."""
        (self.tools / "fail").unlink()

    def hold(self, name: str) -> None:
        """gh is to wait `before` or `after` it opens a pull request."""
        (self.tools / name).touch()

    def wait_held(self, name: str, run: subprocess.Popen[str]) -> None:
        """Until it waits there."""
        end = time.monotonic() + 100
        while not (self.tools / f"{name}.reached").exists():
            assert time.monotonic() < end and run.poll() is None
            time.sleep(0.05)

    def let_go(self, name: str) -> None:
        """It goes on."""
        (self.tools / name).unlink()
        (self.tools / f"{name}.reached").unlink()

    def clone(self) -> Project:
        """A fresh clone of the bare repository."""
        count = len(list(self.project.world.place.glob("clone-*")))
        path = self.project.world.place / f"clone-{count}"
        self.git("clone", "--quiet", str(self.path), str(path))
        return Project(self.project.world, path)

    def merge(self, branch: str, how: str, extra: str = "") -> None:
        """As a host does it: `merge`, `squash` or `rebase`. `extra`: a file that a person adds before."""
        work = self.clone()
        if extra:
            work.git("switch", "--quiet", branch)
            (work.path / extra).write_text("by hand\n")
            work.git("add", extra)
            work.git("commit", "--quiet", "-m", "by hand")
            work.git("switch", "--quiet", "main")
            work.git("branch", "--force", "work", branch)
        else:
            work.git("branch", "--no-track", "work", f"origin/{branch}")
        if how == "merge":
            work.git("merge", "--quiet", "--no-ff", "-m", f"Merge pull request from {branch}", "work")
        elif how == "squash":
            said = work.git("log", "--reverse", "--format=* %B", "main..work")
            work.git("merge", "--quiet", "--squash", "work")
            work.git("commit", "--quiet", "-m", f"{branch} (#1)\n\n{said}")
        else:
            work.git("rebase", "--quiet", "--force-rebase", "main", "work")
            work.git("switch", "--quiet", "main")
            work.git("merge", "--quiet", "--ff-only", "work")
        work.git("push", "--quiet", "origin", "main")
        self._set(branch, "MERGED")

    def close(self, branch: str) -> None:
        """A person closes it."""
        self._set(branch, "CLOSED")

    def _set(self, branch: str, state: str) -> None:
        pulls = self.pulls()
        for pull in pulls:
            if pull["branch"] == branch:
                pull["state"] = state
        (self.tools / "pulls.json").write_text(json.dumps(pulls))
