"""What agents are told: a project's own templates, checked as a run begins, and what never enters."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orkestra_shim import overrides, prompts
from orkestra_shim.errors import OrkestraError
from store_client import Project, Worker, git

KEY = "sk-prompt-5a1b9c7d3e2f"


def task(name: str, **fields: object) -> dict[str, object]:
    return {"id": name, "title": f"Do {name}", "agent": "shell", "command": "true", **fields}


def one(place: Path, templates: dict[str, str], *tasks: dict[str, object]) -> Project:
    """A project whose branch holds these templates."""
    project = Project(place / "p", list(tasks) or [task("a")])
    write(project, templates)
    return project


def write(project: Project, templates: dict[str, str], commit: bool = True) -> None:
    folder = project.path / overrides.FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in templates.items():
        (folder / name).write_text(text)
    if commit:
        git(project.path, "add", "-A", overrides.FOLDER)
        git(project.path, "commit", "-q", "-m", "prompts")


def prompt(worker: Worker) -> str:
    assert worker.claim()[1] == "task"
    return (worker.attempt / "prompt.md").read_text()


MINE = """{% extends "built-in/task.md.j2" %}
{% block intro %}
# {{ task.title }}, as we do it
{% include "_house.md.j2" %}
{% endblock %}
"""


def test_the_branchs_template_is_used_and_no_other_version_of_it(place: Path) -> None:
    project = one(
        place, {"task.md.j2": MINE, "_house.md.j2": "Be brief, {{ project }}.\n"}, task("a"), task("b")
    )
    write(project, {"task.md.j2": "not committed"}, commit=False)
    store = project.start()
    worker = Worker(store)
    told = prompt(worker)
    assert told.startswith("# Do a, as we do it\nBe brief, demo.\n\n## The task `a`\n")
    assert "You work alone" not in told and told == (worker.ticket / "exchange/prompt.md").read_text()
    git(project.path, "checkout", "-q", "--", overrides.FOLDER)
    # What an agent lands does not instruct the agents of the same run.
    worker.whole({f"{overrides.FOLDER}/task.md.j2": b"changed by an agent\n"})
    assert prompt(worker).startswith("# Do b, as we do it\n")
    store.kill()
    store = project.start()
    assert prompt(Worker(store)) == "changed by an agent\n"
    store.kill()


def test_feedback_and_review_are_a_projects_own_too(place: Path) -> None:
    mine = {
        "feedback.md.j2": "WHY {{ why }} DETAIL {{ detail }}",
        "review.md.j2": "JUDGE {{ title }} {{ mark[:6] }}\n{{ diff }}",
    }
    project = Project(place / "p", [task("a")], agents=["judge"], committee={"reviewers": ["judge"]})
    project.adapter("judge", family="judges", kind="ai", can=["ballot"])
    write(project, mine)
    store = project.start()
    worker = Worker(store)
    prompt(worker)
    assert worker.client.ask("failed", "it broke") == ["ok", "again"]
    assert "WHY it broke DETAIL " in prompt(worker)
    assert worker.client.ask("base", project.head)[0] == "ok"
    assert worker.client.ask("worked", "0", "1") == ["ok", "done"]
    worker.change({"x.txt": b"new\n"})
    worker.judge()
    opened = worker.client.ask("vote-open", worker.base, worker.tree, worker.patch)
    asked = (Path(opened[3]) / "judge/prompt.md").read_text()
    assert asked.startswith("JUDGE Do a QUOTE-\ndiff --git") and "+new" in asked
    store.kill()


BROKEN: list[tuple[str, str, str]] = [
    ("task.md.j2", "one\n{% if %}\n", "task.md.j2:2: "),
    ("task.md.j2", "one\ntwo\n{{ titel }}\n", "task.md.j2:3: nothing is called 'titel' (there are check, "),
    ("task.md.j2", "{% if false %}\n{{ titel }}{% endif %}x", "task.md.j2:2: nothing is called 'titel'"),
    ("task.md.j2", "one\n{{ task.titel }}", "task.md.j2:2: "),
    ("task.md.j2", "one\n{{ note | shout }}", "task.md.j2:2: No filter named 'shout'"),
    ("task.md.j2", "one\n{% include '_none.md.j2' %}", "task.md.j2:2: _none.md.j2"),
    ("task.md.j2", "one\n{% include '/etc/passwd' %}", "task.md.j2:2: /etc/passwd"),
    ("task.md.j2", "{% include 'built-in/../tickets.py' %}", "task.md.j2:1: built-in/../tickets.py"),
    ("task.md.j2", "\n{% include 'task.md.j2' %}", "task.md.j2:2: "),
    (
        "task.md.j2",
        "one\n{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "task.md.j2:2: access to attribute",
    ),
    ("task.md.j2", "{% if note %}one\n{{ 1 // 0 }}{% endif %}x", "task.md.j2:2: "),
    (
        "task.md.j2",
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "2 seconds",
    ),
    ("task.md.j2", "{% set x = 'a' * 600000000 %}x", "256 MiB"),
    ("task.md.j2", "{% set x = 'a'.center(600000000) %}x", "256 MiB"),
    ("task.md.j2", "{% for i in range(99999) %}{{ 'a' * 999 }}{% endfor %}", "more than 2 MiB"),
    ("task.md.j2", "{{ 'a' * 3000000 }}", "more than 2 MiB"),
    ("task.md.j2", "(" * 50_000 + "{{" + "(" * 10_000, "config/prompts"),
    ("task.md.j2", "  \n", "task.md.j2:1: it makes an empty text"),
    ("_part.md.j2", "one\n{% endif %}", "_part.md.j2:2: "),
    ("tasks.md.j2", "x", "tasks.md.j2: there is no such prompt"),
    ("task.md.j2", "x" * (overrides.MOST_BYTES + 1), "task.md.j2: it has more than 64 KiB"),
]


@pytest.mark.parametrize(("name", "text", "why"), BROKEN, ids=range(len(BROKEN)))
def test_what_is_wrong_in_one_is_said_as_a_run_begins(place: Path, name: str, text: str, why: str) -> None:
    store = one(place, {name: text}).start()
    code, told = store.failure()
    assert (store.ready, code) == (False, 78) and why in told and "Traceback" not in told
    assert len(told.splitlines()) == 2


def test_links_and_other_encodings_are_none(place: Path) -> None:
    project = Project(place / "p", [task("a")])
    (project.path / overrides.FOLDER).mkdir()
    (project.path / overrides.FOLDER / "task.md.j2").symlink_to("/etc/hostname")
    git(project.path, "add", "-A")
    git(project.path, "commit", "-q", "-m", "link")
    code, told = project.start().failure()
    assert code == 78 and "task.md.j2: it is no plain file" in told
    (project.path / overrides.FOLDER / "task.md.j2").unlink()
    (project.path / overrides.FOLDER / "task.md.j2").write_bytes(b"one\n\xff")
    git(project.path, "commit", "-q", "-a", "-m", "bytes")
    code, told = project.start().failure()
    assert code == 65 and "task.md.j2:2:1: not UTF-8" in told


def test_one_that_breaks_later_gives_way_to_the_built_in(place: Path) -> None:
    text = "mine\n{% if task.id == 'a' %}\n{{ 1 // 0 }}\n{% endif %}\n"
    project = one(place, {"task.md.j2": text}, task("a"), task("b"))
    store = project.start()
    worker = Worker(store)
    assert prompt(worker).startswith("# Do a\n\nYou work alone")
    worker.whole({"x.txt": b"x\n"})
    assert prompt(worker) == "mine\n"
    store.kill()
    log = (project.folder / "LOGS/orchestrator.log").read_text()
    assert "task.md.j2:3: " in log and "the built-in prompt is used instead" in log


def test_a_template_writes_no_file_and_leaves_no_process(place: Path) -> None:
    before = set(os.listdir("/proc"))
    own = overrides.Overrides({"task.md.j2": "{% for i in range(99999999) %}x{% endfor %}"})
    with pytest.raises(OrkestraError):
        own.check(prompts.samples())
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    assert not set(children) - before
    with pytest.raises(overrides.Broken):
        overrides._apart(lambda: str((place / "written").write_text("x")))
    assert not (place / "written").read_text()


def test_a_key_in_a_template_is_refused_and_none_reaches_a_prompt(place: Path) -> None:
    pieces = f"{KEY[:9]}\n{KEY[9:]}"
    project = Project(place / "p", [task("a", description=f"use {pieces}", check="make test")])
    (project.config / "api-keys.env").write_text(f"SOME_KEY={KEY}\n")
    (project.config / "api-keys.env").chmod(0o600)
    (project.path / "AGENTS.md").write_text(f"Our key is {KEY}, {KEY[::-1]}.\n")
    store = project.start()
    worker = Worker(store)
    told = prompt(worker)
    assert "Our key is [redacted], [redacted]." in told and "use [redacted]" in told
    (worker.attempt / "check.log").write_text(f"FAIL {KEY}\n{pieces}\n")
    worker.client.ask("base", project.head)
    worker.client.ask("worked", "0", "1")
    worker.change({"x.txt": b"x"})
    worker.client.ask("checked", "1", "1", worker.tree)
    assert worker.client.ask("failed", f"the check failed with {KEY}") == ["ok", "again"]
    told = prompt(worker)
    assert "the check failed with [redacted]" in told and "FAIL [redacted]\n[redacted]" in told
    store.kill()
    write(project, {"task.md.j2": f"one\n{KEY}\n"})
    code, told = project.start().failure()
    assert code == 65 and "config/prompts/task.md.j2:2: a key of yours stands here" in told


def test_evidence_names_no_place_outside_of_the_workspace(place: Path) -> None:
    project = Project(place / "p", [task("a", check="make test")])
    store = project.start()
    worker = Worker(store)
    prompt(worker)
    worker.client.ask("base", project.head)
    worker.client.ask("worked", "0", "1")
    worker.change({"x.txt": b"x"})
    tree = project.folder / "cache/w1/tree"
    home = os.environ["HOME"]
    log = f"{tree}/src/a.py:3: bad\ncd {tree}\n{project.path}/config {home}/.netrc {tree}ish\n"
    (worker.attempt / "check.log").write_text(log)
    worker.client.ask("checked", "1", "1", worker.tree)
    assert worker.client.ask("failed", f"see {tree}/x") == ["ok", "again"]
    told = prompt(worker)
    assert "see ./x" in told and "./src/a.py:3: bad\ncd .\n[elsewhere]/config ~/.netrc" in told
    assert str(project.folder) not in told and home not in told
    store.kill()


def test_rules_come_from_the_branch_while_the_checkout_is_on_another(place: Path) -> None:
    project = Project(place / "p", [task("a"), task("b")])
    (project.path / "AGENTS.md").write_text("Rules of main.\n")
    git(project.path, "add", "-A")
    git(project.path, "commit", "-q", "-m", "rules")
    git(project.path, "switch", "-q", "-c", "other")
    (project.path / "AGENTS.md").write_text("Rules of another branch.\n")
    store = project.start()
    worker = Worker(store)
    assert "Rules of main." in prompt(worker)
    worker.whole({"x.txt": b"x\n"})
    store.kill()
