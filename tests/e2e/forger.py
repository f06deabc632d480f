"""A project with a record of every kind that a run writes, and a forger who rewrites records and history."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orkestra_shim import canonical, committee
from world import Project, World

Record = dict[str, Any]

_REVISED = 'if test -e "$ORKESTRA_ATTEMPT_DIR/feedback.md"; then echo clean >b; else echo "trailing  " >b; fi'
# Waits until somebody makes `go`, but not on a tree that has what the person commits meanwhile.
_LATCH = """test -e person.txt || {
  for ((i = 0; i < 1200; i++)); do test -e go && break; sleep 0.05; done
  rm -f go
}"""

_TASKS: list[dict[str, Any]] = [
    {"id": "plain", "command": "mkdir -p src; seq 9 >src/a.txt", "check": "test -s src/a.txt"},
    {"id": "revised", "command": _REVISED, "depends_on": ["plain"]},
    {"id": "fails", "command": "exit 3", "max_attempts": 1, "depends_on": ["plain"]},
    {"id": "asks", "command": "true", "allow_empty": True, "depends_on": ["plain"]},
    {"id": "judges", "command": "mkdir tests; echo 'exit 0' >tests/run.sh", "depends_on": ["plain"]},
]
_MEETS = {"id": "meets", "command": "sed -i s/5/five/ src/a.txt; echo m >m", "check": _LATCH}


def run_all(world: World) -> Project:
    """A project whose runs left every kind of record; a person committed while `meets` was being checked."""
    project = world.new("recorded", _TASKS)
    done = project.start("--workers", "1")  # one: so that the records always have the same numbers
    assert done.returncode == 1, done.stdout + done.stderr
    project.tasks([*_TASKS, _MEETS])
    run = world.start_in_background("--project", str(project.path))
    tree = _tree_being_checked(project, run)
    (project.path / "person.txt").write_text("by hand\n")
    project.git("add", "person.txt")
    project.git("commit", "--quiet", "-m", "by hand")
    (tree / "go").touch()
    output, _ = run.communicate(timeout=120)
    assert run.returncode == 1, output
    return project


def _tree_being_checked(project: Project, run: subprocess.Popen[str]) -> Path:
    """The working tree of `meets`, once its check has begun."""
    workspaces = project.world.place / "home" / ".cache" / "orkestra"
    logs = project.path / "logs" / "execution" / "attempts" / "meets"
    end = time.monotonic() + 100
    while time.monotonic() < end and run.poll() is None:
        for owner in workspaces.glob("*/w*/owner"):
            if owner.read_text().startswith("meets\t") and list(logs.glob("*/check.log")):
                return owner.parent / "tree"
        time.sleep(0.05)
    raise AssertionError("the check of `meets` never began")


@dataclass
class Forger:
    """Rewrites the records of one clone."""

    project: Project

    def paths(self) -> list[str]:
        """Every record on the branch."""
        names = self.project.git("ls-tree", "-r", "--name-only", "main", "logs").splitlines()
        return [name for name in names if name.endswith(".json")]

    def data(self, path: str) -> bytes:
        """The bytes of a record in the checkout."""
        return (self.project.path / path).read_bytes()

    def record(self, name: str) -> Record:
        """A record by its id."""
        record = json.loads(self.data(path_of(name)))
        assert isinstance(record, dict)
        return record

    def outcome_of(self, task: str) -> Record:
        """The outcome of a task."""
        found = [self.record(Path(path).stem) for path in self.paths() if "/outcomes/" in path]
        return next(record for record in found if record["task"] == task)

    def rehashed(self, *changed: Record, leave_out: str = "") -> dict[str, bytes]:
        """The changed records and all others, with every hash made to fit again; one may stay out."""
        records = {Path(path).stem: self.record(Path(path).stem) for path in self.paths()}
        records |= {record["id"]: record for record in changed}
        previous = None
        for name in sorted(name for name in records if name.startswith("outcome-") and name != leave_out):
            outcome = records[name]
            for entry in outcome["votes"]:
                entry["sha256"] = canonical.digest(records[entry["id"]])
            outcome["previous"] = previous
            outcome["sha256"] = previous = canonical.digest(outcome)
        return {path_of(name): canonical.pretty(record) for name, record in records.items()}

    def commit(self, files: dict[str, bytes], remove: Iterable[str] = ()) -> None:
        """Writes the files, deletes others, and commits that on top of the branch."""
        for path, data in files.items():
            (self.project.path / path).parent.mkdir(parents=True, exist_ok=True)
            (self.project.path / path).write_bytes(data)
        for path in remove:
            (self.project.path / path).unlink()
        self.project.git("add", "--all")
        self.project.git("commit", "--quiet", "-m", "forged")

    def rewrite_history(self, files: dict[str, bytes], branch: str = "main") -> str:
        """A history in which these files always were as given, as the head of `branch`."""
        stream = self.export()
        marks = {f"<{number}>".encode() * 20: path for number, path in enumerate(files)}
        for mark, path in marks.items():
            assert stream.count(_as_data(self.blob(path))) == 1
            stream = stream.replace(_as_data(self.blob(path)), mark)
        for mark, path in marks.items():
            stream = stream.replace(mark, _as_data(files[path]))
        return self.import_as(stream, branch)

    def blob(self, path: str) -> bytes:
        """A file's bytes on main."""
        command = ["git", "-C", str(self.project.path), "cat-file", "blob", f"main:{path}"]
        return subprocess.run(command, capture_output=True, check=True).stdout

    def export(self) -> bytes:
        """The history of main as `git fast-export` writes it."""
        command = ["git", "-C", str(self.project.path), "fast-export", "main"]
        return subprocess.run(command, capture_output=True, check=True).stdout

    def import_as(self, stream: bytes, branch: str) -> str:
        """Makes a stream's history the head of a branch; brings the checkout along. Gives the head."""
        stream = stream.replace(b" refs/heads/main\n", f" refs/heads/{branch}\n".encode())
        command = ["git", "-C", str(self.project.path), "fast-import", "--quiet", "--force"]
        subprocess.run(command, input=stream, capture_output=True, check=True)
        if branch == "main":
            self.project.git("reset", "--quiet", "--hard")
        return self.project.git("rev-parse", f"refs/heads/{branch}")


def path_of(name: str) -> str:
    """Where a record stands (below 1000)."""
    return f"logs/{'voting' if name.startswith('vote-') else 'outcomes'}/{name}.json"


def _as_data(data: bytes) -> bytes:
    return b"data %d\n%s" % (len(data), data)


def recount(vote: Record, change: Callable[[Record], None]) -> Record:
    """A vote after a change of its ballots, with tally, decision and the rest counted anew."""
    change(vote)
    body = {
        key: value for key, value in vote.items() if key not in ("tally", "decision", "why", "reviewed_by")
    }
    return body | committee.decide(body)
