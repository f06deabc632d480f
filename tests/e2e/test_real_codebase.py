"""A real codebase: python-dotenv with a history of its own, adopted, its own test suite as the check.

Tasks change it by real tools in two runs. In the first the person's environment is activated (its `bin` is on
PATH); in the second the check names it, and settings.env makes its folder readable in the sandbox.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import codebase
from orkestra_shim.verify import verify
from world import Project, World

ADDED = ["config/project.json", "config/task-queue.json"]

_CHECKS = '''"""What a file must hold."""

from typing import Iterable, List

from .main import StrPath, dotenv_values


def missing_keys(path: StrPath, required: Iterable[str]) -> List[str]:
    """The required keys that the file at path does not set."""
    values = dotenv_values(path)
    return [key for key in required if values.get(key) is None]
'''

_TESTS = """import dotenv


def test_missing_keys(tmp_path):
    (tmp_path / ".env").write_text("a=b\\nc")
    assert dotenv.missing_keys(tmp_path / ".env", ["a", "b", "c"]) == ["b", "c"]
    assert dotenv.missing_keys(tmp_path / ".env", []) == []
"""

_ANNOTATE = """
from pathlib import Path

for name in ("main", "cli"):
    file = Path(f"src/dotenv/{name}.py")
    file.write_text("from __future__ import annotations\\n\\n" + file.read_text())
"""

_EXPORT = """
from pathlib import Path

file = Path("src/dotenv/__init__.py")
text = file.read_text()
text = text.replace("from .main import", "from .checks import missing_keys\\nfrom .main import", 1)
text = text.replace("'load_ipython_extension']", "'load_ipython_extension',\\n           'missing_keys']")
file.write_text(text)
"""

_REFERENCE = """
import ast
from pathlib import Path

lines = ["# Functions", ""]
for file in sorted(Path("src/dotenv").glob("*.py")):
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            about = (ast.get_docstring(node) or "").split("\\n")[0]
            lines.append(f"- `{file.stem}.{node.name}` {about}".rstrip())
Path("docs/functions.md").write_text("\\n".join(lines) + "\\n")
"""


def script(text: str) -> str:
    """A task's command that runs a Python program."""
    return f"python3 - <<'END'\n{text}\nEND"


def written(path: str, text: str) -> str:
    """A task's command that writes a file."""
    return (
        f"mkdir -p {shlex.quote(os.path.dirname(path) or '.')} && cat >{shlex.quote(path)} <<'END'\n{text}END"
    )


FIRST: list[dict[str, Any]] = [
    {
        "id": "release",
        "command": "sed -i 's/1.0.1/1.1.0/' src/dotenv/version.py",
        "allow_paths": ["src/dotenv/*"],
    },
    {"id": "format", "command": "ruff format --line-length 120 src/dotenv/{parser,variables,ipython}.py"},
    {
        "id": "rename",
        "command": "grep -rl with_warn_for src | xargs sed -i s/with_warn_for_invalid/warn_about_invalid/g",
        "priority": "high",
    },
    {"id": "annotate", "command": script(_ANNOTATE), "depends_on": ["rename"]},
    {"id": "checks", "command": written("src/dotenv/checks.py", _CHECKS)},
    {"id": "export", "command": script(_EXPORT), "depends_on": ["checks"]},
    {
        "id": "tests",
        "command": written("tests/test_checks.py", _TESTS),
        "depends_on": ["export"],
        "allow_paths": ["tests/**"],
    },
]
SECOND: list[dict[str, Any]] = [
    {
        "id": "reference",
        "command": script(_REFERENCE),
        "depends_on": ["export", "rename"],
        "allow_paths": ["docs/*.md"],
    },
    {
        "id": "move",
        "command": "git mv requirements-docs.txt docs/requirements.txt"
        " && sed -i 's,requirements-docs.txt,docs/requirements.txt,' MANIFEST.in *.md docs/contributing.md",
    },
    {
        "id": "tool",
        "command": written("tools/show énv", '#!/bin/sh\nexec python3 -m dotenv list "$@"\n')
        + "\nchmod +x 'tools/show énv'\nln -s 'show énv' tools/show",
    },
    {
        "id": "changelog",
        "command": "sed -i '0,/^## /s//## [1.1.0]\\n\\n* `missing_keys`\\n\\n## /' CHANGELOG.md"
        " && cp CHANGELOG.md docs/changelog.md",
        "depends_on": ["release", "export"],
        "prefer_after": ["reference"],
    },
    {
        "id": "readme",
        "command": "awk '/^## Get/ {sub(/S/, \"s\")} {print}' README.md >new && mv new README.md"
        " && git add -A && git commit -qm 'done by hand, with a message of its own'",
    },
]


class Codebase(Project):
    """The adopted repository, with the environment of its person."""

    bin: Path

    @property
    def root_limits(self) -> list[str]:
        """What makes root as weak as a user: two of its tests need a file that may not be written."""
        return ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []

    def suite(self, place: Path) -> subprocess.CompletedProcess[str]:
        """Its test suite on a checkout, outside of any sandbox."""
        env = self.world.env() | {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "PYTHONPATH": str(place / "src"),
        }
        command = [
            *self.root_limits,
            str(self.bin / "python"),
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
        ]
        return subprocess.run(
            command, cwd=place, env=env, capture_output=True, text=True, timeout=120, check=False
        )

    def changes(self) -> dict[str, str]:
        """{task: change commit} of what landed."""
        return {o["task"]: o["change"]["commit"] for o in self.outcomes() if o["decision"] == "landed"}


@pytest.fixture
def project(world: World) -> Codebase:
    """Not adopted yet; with things staged, edited, untracked and ignored that must stay as they are."""
    found = Codebase(world, world.place / "my côde" / "dotenv")
    # No `$` in this path: pip's own scripts cannot be started from such a one.
    found.bin = codebase.environment(world.place.parent / "a person's venv")
    codebase.repository(found.path, found.git)
    (found.path / ".editorconfig").write_text("root = true\n")
    found.git("add", ".editorconfig")
    (found.path / "Makefile").write_text("all:\n")
    (found.path / "notes").mkdir()
    (found.path / "notes" / "todo.txt").write_text("mine\n")
    (found.path / ".env").write_text("mine=1\n")
    return found


def ours(project: Codebase) -> tuple[str, ...]:
    """All that is the person's own and not committed, and their .gitignore."""
    files = [".gitignore", ".editorconfig", "Makefile", "notes/todo.txt", ".env"]
    return (
        project.git("status", "--porcelain", "--untracked-files=all"),
        project.git("diff", "--cached"),
        project.git("diff"),
        *((project.path / file).read_text() for file in files),
    )


def adopt(project: Codebase, *arguments: str) -> None:
    done = project.world.orkestra("adopt", str(project.path), *arguments)
    assert done.returncode == 0, done.stdout + done.stderr


def add_tasks(project: Codebase, tasks: list[dict[str, Any]]) -> None:
    """Tasks written into the queue by hand and committed, and nothing else committed with them."""
    file = project.path / ADDED[1]
    queue = json.loads(file.read_text())
    queue["tasks"] += [{"title": f"Task {task['id']}", "agent": "shell", **task} for task in tasks]
    file.write_text(json.dumps(queue, indent=2, ensure_ascii=False) + "\n")
    project.git("commit", "--quiet", "-m", "What there is to do", "--", ADDED[1])


def test_a_real_codebase(project: Codebase) -> None:
    mine, before = ours(project), project.git("rev-parse", "trunk")
    index = project.git("ls-files", "--stage").splitlines()

    # Adopted: two files in one commit, and nothing else.
    adopt(project, "--check", "PYTHONPATH=src python -m pytest -q -p no:cacheprovider")
    assert project.git("rev-list", "--parents", "-1", "trunk").split()[1:] == [before]
    assert project.git("diff", "--name-status", before, "trunk").splitlines() == [
        f"A\t{path}" for path in ADDED
    ]
    assert [
        line for line in project.git("ls-files", "--stage").splitlines() if line.split("\t")[1] not in ADDED
    ] == index
    assert ours(project) == mine
    adopted = project.git("rev-parse", "trunk")

    # The first run, with the environment activated.
    add_tasks(project, FIRST)
    project.world.environment["PATH"] = f"{project.bin}:{os.environ['PATH']}"
    done = project.start("--workers", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.statuses() == {task["id"]: "completed" for task in FIRST}
    assert ours(project) == mine

    # The second, from a shell that knows nothing of it.
    del project.world.environment["PATH"]
    settings = project.world.home / "CONFIG" / "settings.env"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text(f'ORKESTRA_SANDBOX_READ="{project.bin.parent}"\nORKESTRA_WORKERS=2\n')
    python = shlex.quote(str(project.bin))
    adopt(project, "--check", f'PATH={python}:"$PATH" PYTHONPATH=src python -m pytest -q -p no:cacheprovider')
    add_tasks(project, SECOND)
    done = project.start()
    assert done.returncode == 0, done.stdout + done.stderr
    assert project.statuses() == {task["id"]: "completed" for task in FIRST + SECOND}
    assert ours(project) == mine

    exactly_one_landing_for_each(project, adopted)
    the_suite_passes_in_a_clone(project)
    any_change_can_be_reverted(project)


def exactly_one_landing_for_each(project: Codebase, adopted: str) -> None:
    tasks = [task["id"] for task in FIRST + SECOND]
    assert Counter((o["task"], o["decision"]) for o in project.outcomes()) == {
        (task, "landed"): 1 for task in tasks
    }
    parents = [
        line.split()[1:] for line in project.git("rev-list", "--parents", f"{adopted}..trunk").splitlines()
    ]
    assert {len(each) for each in parents} == {1}  # linear
    # What changed anything but records and queue are the changes that outcomes name, each once.
    changes = project.git("rev-list", f"{adopted}..trunk", "--", ".", ":!config", ":!logs").splitlines()
    assert sorted(changes) == sorted(project.changes().values())
    for task, commit in project.changes().items():
        trailers = project.git("log", "-1", "--format=%(trailers:key=Orkestra-Task,valueonly)", commit)
        assert trailers.strip() == task
    log = (project.path / "logs/execution/task-execution.log").read_text().splitlines()
    workers = {event.get("worker") for event in map(json.loads, log) if event["event"] == "claimed"}
    assert workers >= {"w1", "w2"}, workers
    # Dependencies: nothing was begun before what it depends on had landed.
    order = list(project.changes())
    for task in FIRST + SECOND:
        for other in task.get("depends_on", []):
            assert order.index(other) < order.index(task["id"])


def the_suite_passes_in_a_clone(project: Codebase) -> None:
    clone = project.world.place / "fresh clone"
    project.git("clone", "--quiet", str(project.path), str(clone))
    suite = project.suite(clone)
    assert suite.returncode == 0, suite.stdout[-3000:]
    files = project.git("-C", str(clone), "-c", "core.quotePath=false", "ls-files", "--stage").splitlines()
    modes = {line.split("\t")[1]: line[:6] for line in files}
    assert modes["tools/show énv"] == "100755" and modes["tools/show"] == "120000"
    assert "docs/requirements.txt" in modes and "requirements-docs.txt" not in modes
    assert (clone / "src/dotenv/version.py").read_text() == '__version__ = "1.1.0"\n'
    # The suite is a real one: it sees a change of what it tests.
    parser = clone / "src/dotenv/main.py"
    parser.write_text(parser.read_text().replace("if v is not None", "if v is None", 1))
    assert project.suite(clone).returncode == 1
    verified = project.world.orkestra("verify", "--project", str(clone))
    assert verified.returncode == 0, verified.stdout + verified.stderr


def any_change_can_be_reverted(project: Codebase) -> None:
    """Each alone, in a clone; one for good, in the project itself, where the person has work uncommitted."""
    clone = Project(project.world, project.world.place / "reverting")
    project.git("clone", "--quiet", str(project.path), str(clone.path))
    numbers = {outcome["task"]: outcome["id"] for outcome in project.outcomes()}
    for task, commit in project.changes().items():
        clone.git("revert", "--no-edit", commit)
        assert clone.git("diff", f"{commit}~1", commit, "-R", "--stat") == clone.git(
            "diff", "HEAD~1", "--stat"
        )
        report = verify(clone.path, "trunk")
        assert report.findings == []
        assert [note.split(" by ")[0] for note in report.notes] == [
            f"{numbers[task]}: its change was reverted"
        ]
        clone.git("reset", "--quiet", "--hard", "origin/trunk")
    mine = project.git("diff"), (project.path / "notes/todo.txt").read_text()
    project.git("stash", "--quiet", "--staged")
    project.git("revert", "--no-edit", project.changes()["rename"])
    assert "with_warn_for_invalid_lines" in (project.path / "src/dotenv/main.py").read_text()
    verified = project.verify()
    assert (
        verified.returncode == 0 and f"note: {numbers['rename']}: its change was reverted" in verified.stdout
    )
    assert project.statuses()["rename"] == "completed"
    assert (project.git("diff"), (project.path / "notes/todo.txt").read_text()) == mine
