"""`land: pr`: accepted changes become pull requests, and tasks are completed once the branch holds them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from forger import Forger, path_of
from host import Host
from orkestra_shim import canonical
from orkestra_shim.verify import verify
from world import Project, World

WAYS = ("merge", "squash", "rebase")


def task(name: str, command: str = "", **more: Any) -> dict[str, Any]:
    """A task for the shell agent, which writes a file of its name."""
    return {"id": name, "command": command or f"echo {name} >{name}", **more}


def make(world: World, *tasks: dict[str, Any], **settings: Any) -> tuple[Project, Host]:
    """A project whose changes land by pull requests, and its host."""
    project = world.new("asks", list(tasks), land="pr", **settings)
    return project, Host.of(project)


def reason(project: Project, name: str) -> str:
    """Why a task stands where it stands, as `task list` says."""
    listed = project.world.orkestra("task", "list", "--project", str(project.path), "--json")
    return next(str(row["reason"]) for row in json.loads(listed.stdout) if row["id"] == name)


def holds(project: Project) -> str:
    """verify passes; gives what it said."""
    done = project.verify()
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("how", WAYS)
def test_a_task_is_completed_once_its_pull_request_is_merged(world: World, how: str) -> None:
    project, host = make(world, task("a"), task("b", depends_on=["a"]), task("c"))
    before = host.git("rev-parse", "main")
    done = project.start()
    assert done.returncode == 1, done.stdout + done.stderr
    assert host.git("rev-parse", "main") == before == project.git("rev-parse", "main")
    assert sorted(host.branches()) == ["orkestra/a", "orkestra/c"]
    assert project.statuses() == {"a": "needs_human", "b": "pending", "c": "needs_human"}
    assert "waits for the merge of https://host.example/x/y/pull/" in reason(project, "a")
    assert "waits for the merge" in done.stdout
    assert project.git("for-each-ref", "--format=%(refname)", "refs/heads") == "refs/heads/main"

    # Nothing has happened over there: nothing happens here, and no second pull request.
    assert project.start().returncode == 1
    assert len(host.pulls()) == 2

    host.merge("orkestra/a", how)
    done = project.start()
    assert done.returncode == 1, done.stdout + done.stderr
    assert project.statuses() == {"a": "completed", "b": "needs_human", "c": "needs_human"}
    assert project.file("a") == "a\n" and (project.path / "a").read_text() == "a\n"
    assert host.branches()[2:] == ["orkestra/b"]
    host.merge("orkestra/b", how)
    host.merge("orkestra/c", how)
    done = project.start()
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(project.statuses().values()) == {"completed"}
    assert project.git("rev-parse", "main") == host.git("rev-parse", "main")
    assert project.git("status", "--porcelain") == ""
    assert len(host.pulls()) == 3
    numbers = [outcome["id"] for outcome in project.outcomes()]
    assert numbers == ["outcome-001", "outcome-002", "outcome-003"]
    said = holds(project)
    if how != "merge":
        word = {"squash": "squashed with its records", "rebase": "rebased"}[how]
        assert said.count(f"its change was {word} and is") == 3, said
    # In any clone, too.
    assert verify(host.clone().path, "main").findings == []


@pytest.mark.parametrize("how", WAYS)
def test_merged_in_another_order_than_drawn(world: World, how: str) -> None:
    project, host = make(
        world, task("a"), task("b"), task("c"), task("d", depends_on=["a", "b", "c"]), task("e")
    )
    project.start("--workers", "1", "--only", "a", "--only", "b", "--only", "c")
    for name in ("c", "a"):
        host.merge(f"orkestra/{name}", how)
    project.start("--only", "e")  # made where 3 and 1 stand, and 2 does not
    for name in ("e", "b"):
        host.merge(f"orkestra/{name}", how)
    assert project.start().returncode == 1
    host.merge("orkestra/d", how)
    assert project.start().returncode == 0
    chains = {
        one["task"]: (one["id"], one["chain"]["parent"], len(one["chain"]["beside"]))
        for one in project.outcomes()
    }
    assert chains == {
        "a": ("outcome-001", None, 0),
        "b": ("outcome-002", None, 0),
        "c": ("outcome-003", None, 0),
        "e": ("outcome-004", "outcome-003", 1),
        "d": ("outcome-005", "outcome-004", 1),
    }
    holds(project)


def test_the_pull_request_says_who_decided_what_and_nothing_quoted_leaves_its_fence(world: World) -> None:
    description = "Say hello.\n````\n@everyone closes #1 <!-- x -->\n"
    project, host = make(
        world, task("a", title="--repo evil; $(touch pwned) `x`", description=description, check="test -s a")
    )
    project.start()
    (pull,) = host.pulls()
    assert pull["title"] == "--repo evil; $(touch pwned) `x`"
    body = pull["body"]
    assert body.startswith("`````\nSay hello.") and body.count("`````\n") >= 4
    for words in (
        "outcome-001",
        "vote-001: approve",
        "tidy: approve",
        "check | ended with 0",
        "gate scope | passed",
    ):
        assert words in body, body
    assert "programs" in body
    created = [words for words in host.calls() if words[:2] == ["pr", "create"]]
    assert len(created) == 1 and "--fill" not in created[0]
    change = project.git(
        "log",
        "-2",
        "--format=%s%n%(trailers:key=Orkestra-Outcome,valueonly)",
        "refs/orkestra/proposals/outcome-001",
    )
    assert change.count("outcome-001") >= 2


def test_closed_without_merging_waits_for_a_person_and_a_retry_has_a_branch_of_its_own(world: World) -> None:
    project, host = make(world, task("a", "echo $RANDOM >a"), task("b", depends_on=["a"]))
    project.start()
    host.close("orkestra/a")
    done = project.start()
    assert done.returncode == 1 and "was closed without merging" in done.stdout, done.stdout
    looks = len(host.calls())
    assert "was closed without merging" in project.start().stdout
    assert len(host.calls()) == looks  # nobody asks about it any more
    assert project.statuses() == {"a": "needs_human", "b": "pending"}
    host.git("branch", "--quiet", "-D", "orkestra/a")  # as hosts do
    project.git("update-ref", "-d", "refs/remotes/origin/orkestra/a")
    retried = world.orkestra("task", "retry", "a", "--project", str(project.path), "--note", "smaller")
    assert retried.returncode == 0, retried.stderr
    project.start()
    assert host.branches() == ["orkestra/a", "orkestra/a+2"]
    host.merge("orkestra/a+2", "squash")
    assert project.start().returncode == 1
    assert project.statuses()["a"] == "completed"
    # The first one took a number that nobody else gets.
    assert [outcome["id"] for outcome in project.outcomes()] == ["outcome-002"]
    holds(project)


def test_a_clone_without_the_log_takes_neither_number_nor_branch_of_an_open_pull_request(
    world: World,
) -> None:
    project, host = make(world, task("a"))
    project.start()
    clone = host.clone()
    clone.start()
    assert host.branches() == ["orkestra/a", "orkestra/a+2"]
    host.merge("orkestra/a+2", "merge")
    host.close("orkestra/a")
    assert project.start().returncode == 0
    assert [outcome["id"] for outcome in project.outcomes()] == ["outcome-002"]
    holds(project)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_around_the_opening_of_a_pull_request(world: World, moment: str) -> None:
    project, host = make(world, task("a"))
    host.hold(moment)
    run = world.start_in_background("--project", str(project.path))
    host.wait_held(moment, run)
    kill_all(project, run)
    host.let_go(moment)
    assert len(host.pulls()) == (1 if moment == "after" else 0)
    assert host.git("rev-parse", "--verify", "orkestra/a")
    done = project.start()
    assert done.returncode == 1, done.stdout + done.stderr
    assert host.branches() == ["orkestra/a"]
    assert "waits for the merge of https://host.example/x/y/pull/1" in reason(project, "a")
    assert len([one for one in events(project, "a") if one["event"] == "worked"]) == 1
    host.merge("orkestra/a", "merge")
    assert project.start().returncode == 0
    holds(project)


def kill_all(project: Project, run: subprocess.Popen[str]) -> None:
    """KILL to the orchestrator; its children go with it."""
    holder = project.path / ".git" / "orkestra" / "holder"
    os.kill(int(holder.read_text().split()[0]), signal.SIGKILL)
    run.wait(60)
    end = time.monotonic() + 60
    while any(_holds(project, entry) for entry in Path("/proc").glob("[0-9]*")):
        assert time.monotonic() < end
        time.sleep(0.05)


def _holds(project: Project, entry: Path) -> bool:
    """Whether a process is one of the project's run."""
    try:
        found = (entry / "environ").read_bytes()
    except OSError:
        return False
    return f"ORKESTRA_PROJECT={project.path}\0".encode() in found


def events(project: Project, name: str) -> list[dict[str, Any]]:
    """What the execution log says of a task."""
    log = (project.path / "logs/execution/task-execution.log").read_text().splitlines()
    return [event for event in map(json.loads, log) if event.get("task") == name]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (4, "To get started with GitHub CLI, please run:  gh auth login"),
        (1, "Could not resolve to a Repository"),
    ],
)
def test_a_gh_that_refuses_costs_nothing_and_is_asked_again(world: World, code: int, words: str) -> None:
    project, host = make(world, task("a"), task("b"))
    host.fail(code, words)
    done = project.start()
    assert done.returncode == 1, done.stdout + done.stderr
    assert project.statuses() == {"a": "needs_human", "b": "needs_human"} and host.pulls() == []
    assert words in done.stderr and words in done.stdout
    assert "is not open yet" in reason(project, "a") and words.split()[0] in reason(project, "a")
    host.mend()
    assert project.start().returncode == 1
    assert sorted(host.branches()) == ["orkestra/a", "orkestra/b"]
    assert [one["event"] for one in events(project, "a")].count("worked") == 1


def test_no_gh_at_all(world: World) -> None:
    project, host = make(world, task("a"))
    (host.tools / "gh").unlink()
    done = project.start()
    assert done.returncode == 1 and "gh is not installed" in done.stdout, done.stdout + done.stderr


def test_without_the_remote_nothing_is_begun(world: World) -> None:
    project = world.new("asks", [task("a")], land="pr", remote="upstream")
    done = project.start()
    assert done.returncode == 78 and "upstream" in done.stderr, done.stdout + done.stderr
    assert not (project.path / "logs/execution/attempts/a").exists()


def test_a_remote_that_refuses_the_branch_or_has_one_of_that_name(world: World) -> None:
    project, host = make(world, task("a"), task("b"))
    other = host.clone()
    other.git("switch", "--quiet", "-c", "orkestra/a")
    (other.path / "x").write_text("x\n")
    other.git("add", "x")
    other.git("commit", "--quiet", "-m", "somebody else's")
    other.git("push", "--quiet", "origin", "orkestra/a")
    theirs = host.git("rev-parse", "orkestra/a")
    hook = host.path / "hooks" / "pre-receive"
    hook.write_text(
        "#!/bin/sh\ngrep -q orkestra/b && { echo no branches of that name >&2; exit 1; }\nexit 0\n"
    )
    hook.chmod(0o755)
    done = project.start()
    assert done.returncode == 1 and "origin refuses it: no branches of that name" in done.stdout, done.stdout
    assert host.branches() == ["orkestra/a+2"] and host.git("rev-parse", "orkestra/a") == theirs


def test_a_persons_edits_and_commits_in_the_way_are_said_and_kept(world: World) -> None:
    project, host = make(world, task("a", "echo theirs >README.md"))
    project.start()
    host.merge("orkestra/a", "merge")
    (project.path / "README.md").write_text("mine\n")
    done = project.start()
    assert done.returncode == 1 and "commit or stash your edits in README.md" in done.stdout, done.stdout
    assert (project.path / "README.md").read_text() == "mine\n"
    assert project.statuses() == {"a": "needs_human"}
    project.git("checkout", "--quiet", "README.md")
    (project.path / "mine").write_text("mine\n")
    project.git("add", "mine")
    project.git("commit", "--quiet", "-m", "mine")
    head = project.git("rev-parse", "main")
    done = project.start()
    assert done.returncode == 1 and "have gone different ways" in done.stdout, done.stdout
    assert project.git("rev-parse", "main") == head
    project.git("pull", "--quiet", "--rebase", "origin", "main")
    done = project.start()
    assert "origin does not have" in done.stdout and project.statuses() == {"a": "completed"}
    project.git("push", "--quiet", "origin", "main")
    assert project.start().returncode == 0
    holds(project)


def test_the_branch_follows_the_remote_before_the_work_begins(world: World) -> None:
    project, host = make(world, task("a", "cat theirs >a", inputs=["theirs"]))
    other = host.clone()
    (other.path / "theirs").write_text("theirs\n")
    other.git("add", "theirs")
    other.git("commit", "--quiet", "-m", "theirs")
    other.git("push", "--quiet", "origin", "main")
    project.start()
    assert (project.path / "theirs").read_text() == "theirs\n"
    assert host.branches() == ["orkestra/a"]
    assert host.git("cat-file", "-p", "orkestra/a:a") == "theirs"


def test_no_network_at_the_start(world: World) -> None:
    project, host = make(world, task("a"))
    host.path.rename(host.path.with_suffix(".away"))
    done = project.start()
    assert done.returncode == 1 and "origin cannot be asked" in done.stdout, done.stdout
    host.path.with_suffix(".away").rename(host.path)
    project.start()
    assert host.branches() == ["orkestra/a"]
    assert [one["event"] for one in events(project, "a")].count("worked") == 1


def test_decisions_without_a_change_come_with_the_next_pull_request(world: World) -> None:
    project, host = make(
        world, task("fails", "exit 3", max_attempts=1), task("asks", "true", allow_empty=True), task("later")
    )
    done = project.start("--workers", "1", "--only", "fails", "--only", "asks")
    assert done.returncode == 1 and host.pulls() == []
    assert project.statuses() == {"fails": "failed", "asks": "pending", "later": "pending"}
    assert "recorded with the next pull request" in reason(project, "asks")
    project.start()
    host.merge("orkestra/later", "squash")
    assert project.start().returncode == 1
    assert project.decided() == {"fails": "failed", "asks": "answered", "later": "landed"}
    assert project.statuses() == {"fails": "failed", "asks": "completed", "later": "completed"}
    holds(project)
    assert [one["event"] for one in events(project, "asks")].count("worked") == 1


def test_a_failed_task_that_no_record_holds_can_be_retried(world: World) -> None:
    project, host = make(
        world, task("a", 'test -e "$ORKESTRA_ATTEMPT_DIR/feedback.md" && echo a >a', max_attempts=1)
    )
    command = json.loads((project.path / "config/task-queue.json").read_text())["tasks"]
    assert project.start().returncode == 1 and project.statuses() == {"a": "failed"}
    assert project.start().returncode == 1  # stays so
    assert [one["event"] for one in events(project, "a")].count("worked") == 1
    command[0]["command"] = "echo a >a"
    project.tasks(command)
    project.git("push", "--quiet", "origin", "main")
    assert world.orkestra("task", "retry", "a", "--project", str(project.path)).returncode == 0
    project.start()
    assert host.branches() == ["orkestra/a"]


def test_undo_names_the_way_where_the_branch_is_the_hosts(world: World) -> None:
    project, host = make(world, task("a"))
    project.start()
    (pull,) = host.pulls()

    def undo() -> str:
        done = world.orkestra("undo", "a", "--project", str(project.path))
        assert (done.returncode, done.stdout) == (64, ""), done.stdout
        return done.stderr

    said = undo()
    assert f"waits for the merge of {pull['url']}" in said and "orkestra task cancel a gives it up" in said
    host.merge("orkestra/a", "merge")
    project.start()
    said = undo()
    assert "lands by pull requests" in said and f"revert {pull['url']} at the host" in said
    # The way that is named works.
    way = re.search(r"git revert ([0-9a-f]{40}) ", said)
    assert way and project.file("a") == "a\n"
    project.git("revert", "--no-edit", way[1])
    assert project.file("a") is None
    holds(project)


def test_a_cancelled_task_is_not_proposed_and_what_is_open_is_named(world: World) -> None:
    project, host = make(world, task("open"), task("failed"), task("next", depends_on=["open"]))
    assert project.start("--only", "open").returncode == 1
    (pull,) = host.pulls()
    host.fail(1, "not now")
    assert project.start("--only", "failed").returncode == 1
    assert host.branches() == ["orkestra/open"]
    host.mend()
    for name, words in (("open", f"close {pull['url']}"), ("failed", "failed is cancelled\n")):
        done = world.orkestra("task", "cancel", name, "--project", str(project.path), "--why", "not wanted")
        assert done.returncode == 0 and words in done.stdout, done.stdout + done.stderr
        assert ("pull request" in done.stdout) == (name == "open")
    given_up = {"open": "cancelled", "failed": "cancelled", "next": "pending"}
    for _ in range(2):
        assert project.statuses() == given_up and reason(project, "open") == "not wanted"
        done = project.start()
        assert "waits for the merge" not in done.stdout, done.stdout
    assert host.branches() == ["orkestra/open"], "a pull request of a cancelled task was opened"
    # What a person merges all the same is what the branch says.
    host.merge("orkestra/open", "merge")
    project.start()
    assert project.statuses()["open"] == "completed"
    assert host.branches() == ["orkestra/open", "orkestra/next"]
    # And what was given up before anybody saw it can be taken up again.
    assert world.orkestra("task", "retry", "failed", "--project", str(project.path)).returncode == 0
    project.start()
    assert sorted(host.branches())[0].startswith("orkestra/failed"), host.branches()


def test_staying_it_sees_a_merge_and_goes_on(world: World) -> None:
    project, host = make(world, task("a"), task("b", depends_on=["a"]))
    run = world.start_in_background("--stay", "--project", str(project.path))
    wait(lambda: host.branches() == ["orkestra/a"], run)
    host.merge("orkestra/a", "merge")
    wait(lambda: host.branches() == ["orkestra/a", "orkestra/b"], run)
    stopped = world.orkestra("stop", "--project", str(project.path))
    assert stopped.returncode == 0, stopped.stderr
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 143, output
    fetched = len([one for one in host.calls() if one[:2] == ["pr", "view"]])
    assert fetched <= 4, host.calls()  # not faster than a minute
    assert project.statuses()["a"] == "completed"


def wait(event: Any, run: subprocess.Popen[str]) -> None:
    """Until it has happened."""
    end = time.monotonic() + 150
    while not event():
        assert time.monotonic() < end and run.poll() is None
        time.sleep(0.2)


def test_back_to_landing_on_the_branch_while_a_pull_request_is_open(world: World) -> None:
    project, host = make(world, task("a"), task("b"))
    project.start("--only", "a")
    project.set(land="branch")
    assert project.start("--only", "b").returncode in (0, 1)
    assert project.decided() == {"b": "landed"}
    project.git("push", "--quiet", "origin", "main")
    host.merge("orkestra/a", "merge")
    project.git("pull", "--quiet", "--ff-only", "origin", "main")
    assert project.start().returncode == 0
    assert project.statuses() == {"a": "completed", "b": "completed"}
    project.tasks([task("a"), task("b"), task("c"), task("d", depends_on=["c"])])
    assert project.start().returncode == 0
    assert ["chain" in outcome for outcome in project.outcomes()] == [True, True, True, False]
    holds(project)


# --- verify -------------------------------------------------------------------------------------------------


def test_what_a_person_added_before_the_squash_was_not_voted_on(world: World) -> None:
    project, host = make(world, task("a"), task("b"))
    project.start("--workers", "1")
    host.merge("orkestra/a", "merge", extra="more")
    host.merge("orkestra/b", "squash", extra="evil")
    assert project.start().returncode == 0
    done = project.verify()
    lines = [line for line in done.stdout.splitlines() if "does not hold" in line]
    assert done.returncode == 1 and len(lines) == 1, done.stdout
    assert "outcome-002" in lines[0] and "not the same change" in lines[0]


@pytest.fixture
def woven(world: World) -> Forger:
    """Outcomes 1 and 2 drawn on the same commit and merged as 2, 1; then 3 on top of both."""
    project, host = make(world, task("a"), task("b"), task("c", depends_on=["a", "b"]))
    project.start("--workers", "1")
    for name in ("b", "a"):
        host.merge(f"orkestra/{name}", "rebase")
    project.start()
    host.merge("orkestra/c", "rebase")
    assert project.start().returncode == 0
    holds(project)
    return Forger(project)


def test_forgeries_of_the_chain_do_not_pass(woven: Forger) -> None:
    last = woven.record("outcome-003")
    one, two = woven.record("outcome-001"), woven.record("outcome-002")
    assert last["chain"]["parent"] == "outcome-002" and last["chain"]["beside"] == [one["sha256"]]
    forged: list[dict[str, Any]] = [
        {"chain": {**last["chain"], "beside": []}},  # an outcome is left out
        {"chain": {**last["chain"], "beside": [one["sha256"], two["sha256"]]}},
        {"chain": {**last["chain"], "beside": ["0" * 64]}},
        {"chain": {**last["chain"], "parent": "outcome-001"}, "previous": one["sha256"]},
        {"chain": {**last["chain"], "parent": None, "beside": []}, "previous": None},
        {"chain": {**last["chain"], "parent": "outcome-003"}, "previous": last["sha256"]},
        {"previous": one["sha256"]},
        {"previous": None},
        {
            "chain": {**last["chain"], "base": one["chain"]["base"], "parent": None, "beside": []},
            "previous": None,
        },
        {"chain": {}},
        {"chain": None},
        {"chain": []},
    ]
    for changes in forged:
        record = {**last, **changes}
        record["sha256"] = canonical.digest(record)
        head = woven.rewrite_history({path_of("outcome-003"): canonical.pretty(record)}, "forged")
        found = verify(woven.project.path, "forged").findings
        assert head and found and found[0][0] == "outcome-003", (changes, found)


def test_an_outcome_beside_the_others_cannot_be_taken_away(woven: Forger) -> None:
    import re

    line = rb"M 100644 \S+ logs/outcomes/outcome-001.json\n"
    woven.import_as(re.sub(line, b"", woven.export()), "forged")
    names = [name for name, _ in verify(woven.project.path, "forged").findings]
    assert "outcome-003" in names and "outcome-001" in names


def test_a_squash_that_hides_something_is_named(world: World) -> None:
    project, host = make(world, task("a"))
    project.start()
    host.merge("orkestra/a", "squash")
    assert project.start().returncode == 0
    holds(project)
    forger = Forger(project)
    stream = forger.export()
    assert stream.count(b"data 2\na\n") == 1
    forger.import_as(stream.replace(b"data 2\na\n", b"data 5\nevil\n"), "forged")
    found = verify(project.path, "forged").findings
    assert found and found[0][0] == "outcome-001" and "not the same change" in found[0][1], found
