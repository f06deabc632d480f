"""`orkestra new`: the tree as drawn, one commit, whole or nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from orkestra_shim import create, project, queue, templating
from orkestra_shim.errors import EX_DATA, EX_USAGE, OrkestraError
from orkestra_shim.session import Session, open_session


@pytest.fixture
def now(place: Path) -> Session:
    return open_session()


def git(path: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(path), *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def tree(path: Path) -> list[str]:
    found = []
    for folder, folders, files in os.walk(path):
        if ".git" in folders:
            folders.remove(".git")
        here = Path(folder).relative_to(path)
        found += [f"{here / name}/" for name in folders] + [str(here / name) for name in files]
    return sorted(found)


def test_the_tree_is_exactly_the_one_drawn(now: Session) -> None:
    made = create.new(now.home, now.projects, "my-website", "standard")
    assert tree(made.path) == sorted(
        [
            "src/", "config/", "config/project.json", "config/task-queue.json", "logs/", "logs/voting/",
            "logs/outcomes/", "logs/execution/", "AGENTS.md", "README.md", ".gitignore",
        ]
    )  # fmt: skip
    assert git(made.path, "rev-list", "--count", "HEAD").strip() == "1"
    assert git(made.path, "status", "--porcelain", "--ignored") == ""
    assert git(made.path, "symbolic-ref", "--short", "HEAD").strip() == "main"
    assert git(made.path, "fsck", "--strict").strip() == ""
    assert made.branch == "main" and made.name == "my-website" and len(made.id) == 12
    assert sorted(os.listdir(now.projects)) == ["my-website"]


def test_without_an_identity_one_is_used_for_this_commit_only(now: Session) -> None:
    made = create.new(now.home, now.projects, "a", "standard")
    assert git(made.path, "log", "--format=%an <%ae>").strip() == "Orkestra <orkestra@localhost>"
    assert git(made.path, "config", "--local", "--list").count("user.") == 0


def test_the_users_identity_and_branch_name(
    now: Session, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = place / "gitconfig"
    settings.write_text(
        "[user]\nname = Ada\nemail = ada@example.org\n[init]\ndefaultBranch = trunk\n", "utf-8"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    made = create.new(now.home, now.projects, "a", "standard")
    assert git(made.path, "log", "--format=%an <%ae> %D").strip() == "Ada <ada@example.org> HEAD -> trunk"
    assert made.branch == "trunk"


def test_a_surrounding_git_is_not_touched(
    now: Session, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = git(repository, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(repository / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(repository / ".git" / "index"))
    made = create.new(now.home, now.projects, "a", "standard")
    monkeypatch.delenv("GIT_DIR")
    monkeypatch.delenv("GIT_INDEX_FILE")
    assert git(repository, "rev-parse", "HEAD") == before
    assert git(repository, "status", "--porcelain") == ""
    assert git(made.path, "rev-list", "--count", "HEAD").strip() == "1"


@pytest.mark.parametrize("kind", ["folder", "file", "link", "project"])
def test_what_is_there_is_never_overwritten(now: Session, kind: str) -> None:
    target = now.projects / "taken"
    target.parent.mkdir(parents=True, exist_ok=True)
    if kind == "folder":
        target.mkdir()
    elif kind == "file":
        target.write_text("mine", "utf-8")
    elif kind == "link":
        target.symlink_to("/nowhere")
    else:
        create.new(now.home, now.projects, "taken", "standard")
    before = tree(now.projects)
    with pytest.raises(OrkestraError) as caught:
        create.new(now.home, now.projects, "taken", "standard")
    assert caught.value.code == EX_USAGE and "exists already" in caught.value.message
    assert tree(now.projects) == before


def test_of_two_at_once_one_wins(now: Session, framework: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(framework))
    code = "import sys; from orkestra_shim.cli import main; sys.exit(main(['new', 'same']))"
    both = [
        subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in "12"
    ]
    ends = sorted(one.wait() for one in both)
    for one in both:
        one.communicate()
    assert ends == [0, EX_USAGE]
    assert os.listdir(now.projects) == ["same"]
    assert project.load(now.projects / "same").name == "same"


def test_a_failure_half_way_leaves_nothing(now: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(create, "_commit", fail)
    with pytest.raises(OrkestraError) as caught:
        create.new(now.home, now.projects, "a", "standard")
    assert caught.value.code == 73
    assert os.listdir(now.projects) == []


def test_what_a_killed_one_left_is_swept_but_not_a_living_ones(now: Session) -> None:
    now.projects.mkdir(parents=True, exist_ok=True)
    (now.projects / ".new-dead.x").mkdir()
    inside, leave = threading.Event(), threading.Event()

    def slow() -> None:
        import fcntl

        living = now.projects / ".new-living.x"
        living.mkdir()
        descriptor = os.open(living, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        inside.set()
        leave.wait()
        os.close(descriptor)

    other = threading.Thread(target=slow)
    other.start()
    inside.wait()
    create.new(now.home, now.projects, "a", "standard")
    assert sorted(os.listdir(now.projects)) == [".new-living.x", "a"]
    leave.set()
    other.join()


@pytest.mark.parametrize("template", ["standard", "website", "python-package"])
def test_every_template_gives_a_project_whose_queue_is_valid_and_whose_check_is_green(
    now: Session, template: str
) -> None:
    made = create.new(now.home, now.projects, "a-b", template)
    document = queue.read(made.path / project.QUEUE)
    assert document.tasks
    clone = now.projects.parent / "clone"
    git(now.projects, "clone", "--quiet", str(made.path), str(clone))
    check = made.data["check"] or "true"
    assert subprocess.run(["bash", "-c", check], cwd=clone, check=False).returncode == 0


def test_the_standard_templates_task_does_nothing_until_it_is_accepted(now: Session) -> None:
    made = create.new(now.home, now.projects, "a", "standard")
    (task,) = json.loads((made.path / project.QUEUE).read_text("utf-8"))["tasks"]
    assert task["status"] == "proposed" and "command" not in task


def test_a_users_own_template_goes_first(now: Session) -> None:
    own = now.home.config / "templates" / "standard"
    (own / "src" / "deep").mkdir(parents=True)
    (own / "src" / "deep" / "hello.txt.j2").write_text("Hello {{ name }} & <{{ title }}>\n", "utf-8")
    (own / "raw.txt").write_text("{{ name }}\n", "utf-8")
    (own / "run.sh.j2").write_text("#!/bin/sh\n", "utf-8")
    (own / "run.sh.j2").chmod(0o755)
    made = create.new(now.home, now.projects, "my-x", "standard")
    assert (made.path / "src/deep/hello.txt").read_text("utf-8") == "Hello my-x & <My x>\n"
    assert (made.path / "raw.txt").read_text("utf-8") == "{{ name }}\n"
    assert os.access(made.path / "run.sh", os.X_OK)
    assert (made.path / "AGENTS.md").exists()
    assert "standard" in templating.available(now.home)


@pytest.mark.parametrize("name", ["../standard", "/etc", "nothing", "-x", "", "a\nb", ".hidden"])
def test_hostile_names_of_templates(now: Session, name: str) -> None:
    with pytest.raises(OrkestraError) as caught:
        create.new(now.home, now.projects, "a", name)
    assert caught.value.code == EX_USAGE
    assert not now.projects.exists() or os.listdir(now.projects) == []


@pytest.mark.parametrize(
    "text", ["{{ nothing_called_so }}", "{% if %}", "{{ ''.__class__.__mro__[1].__subclasses__() }}"]
)
def test_a_broken_or_hostile_template_names_file_and_line(now: Session, text: str) -> None:
    own = now.home.config / "templates" / "broken"
    own.mkdir(parents=True)
    (own / "x.txt.j2").write_text("first\n" + text + "\n", "utf-8")
    with pytest.raises(OrkestraError) as caught:
        create.new(now.home, now.projects, "a", "broken")
    assert caught.value.code == EX_DATA
    assert "x.txt.j2:2: " in caught.value.message
    assert os.listdir(now.projects) == []


def test_a_template_cannot_bring_links_or_git(now: Session) -> None:
    own = now.home.config / "templates" / "linked"
    own.mkdir(parents=True)
    (own / "link").symlink_to("/etc/passwd")
    with pytest.raises(OrkestraError):
        create.new(now.home, now.projects, "a", "linked")
    assert os.listdir(now.projects) == []
