"""The store and accounts that are limited: who waits, until when, and who takes the task instead."""

from __future__ import annotations

import json
import os
import select
import time
from pathlib import Path
from typing import Any

import pytest

from orkestra_shim import canonical, cooldowns, judging, pauses, records, voted
from orkestra_shim.plumbing import Git
from orkestra_shim.verify import verify
from store_client import Client, Project, Store, Worker, finish, git

PATIENCE = 30  # seconds: a bound for what hangs
NO_WAIT = {"ORKESTRA_WAIT": "0"}


def task(name: str, **fields: object) -> dict[str, Any]:
    return {"id": name, "title": f"Do {name}", "agent": "one", **fields}


@pytest.fixture
def project(place: Path) -> Project:
    """Agents `one` and `two` of different families; nobody reviews but programs."""
    made = Project(place / "p", [task("a"), task("b")], agents=["one", "two"])
    for name in ("one", "two"):
        made.adapter(name, family=name, kind="ai", can=["work"])
    return made


def answered(client: Client, seconds: float) -> bool:
    return bool(select.select([client.rep], [], [], seconds)[0])


def limited(worker: Worker, seconds: float, **more: object) -> list[str]:
    """The worker's agent says that it is limited for so long."""
    told = {"error": "You've hit your limit", "retry_at": int(time.time() + seconds), **more}
    (worker.attempt / "result.json").write_text(json.dumps(told))
    return worker.client.ask("worked", "75", "1")


def bell(store: Store) -> list[str]:
    """What rang until now."""
    descriptor = os.open(store.folder / "bell", os.O_RDONLY | os.O_NONBLOCK)
    try:
        ready = select.select([descriptor], [], [], 0)[0]
        return os.read(descriptor, 4096).decode().split() if ready else []
    finally:
        os.close(descriptor)


def test_a_run_sleeps_until_the_limit_ends_and_goes_on(project: Project) -> None:
    store = project.start()
    worker = Worker(store)
    assert worker.claim()[2:4] == ["a", "1"]
    until = time.time() + 3
    told = limited(worker, 3)
    assert told[:2] == ["ok", "limited"] and told[3].startswith("one is limited until ")
    worker.client.send("claim")
    assert answered(worker.client, PATIENCE) and time.time() >= int(until)
    assert worker.client.receive()[2:4] == ["a", "2"]  # no attempt was counted
    events = [event for event in project.journal() if event["event"] in ("limited", "attempt-failed")]
    assert [event["event"] for event in events] == ["limited"] and events[0]["limited"] == "one"
    store.kill()


def test_what_a_waiting_run_waits_for_is_told_once_and_what_was_decided_is_recorded(project: Project) -> None:
    project.write_queue([task("x", agent="two", max_attempts=1), task("a")])
    store = project.start()
    worker = Worker(store)
    assert worker.claim()[2] == "x"
    assert worker.client.ask("failed", "no") == ["ok", "failed"]
    assert worker.claim()[2] == "a"
    limited(worker, 600)
    worker.client.send("claim")
    assert not answered(worker.client, 2.5)
    assert sorted(bell(store)) == ["rest", "told"]
    told = store.control.ask("told")[1]
    assert told.startswith("waiting until ") and told.endswith(": one is limited: You've hit your limit")
    assert finish(store) > 0
    assert not answered(worker.client, 1.5) and bell(store) == []
    store.control.ask("drain")
    assert worker.client.receive()[1] == "stop"  # a run that is told to stop does not wait for it
    store.kill()


def test_once_leaves_with_75_and_says_when_to_come_back(project: Project) -> None:
    store = project.start(**NO_WAIT)
    worker = Worker(store)
    worker.claim()
    until = int(limited(worker, 600)[2])
    assert worker.claim()[1] == "stop"
    code, text = store.control.ask("summary")[1:]
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until))
    assert code == "75" and f"one is limited: You've hit your limit (next_run_at {when})" in text
    assert store.end() == (0, "")


def test_a_run_with_an_end_does_not_wait_for_a_limit_beyond_it(project: Project) -> None:
    store = project.start(ORKESTRA_UNTIL=time.strftime("%Y-%m-%dT%H:%M", time.localtime(time.time() + 600)))
    worker = Worker(store)
    worker.claim()
    limited(worker, 3600)
    worker.client.send("claim")
    assert answered(worker.client, PATIENCE) and worker.client.receive()[1] == "stop"
    assert store.control.ask("summary")[1] == "75"
    store.kill()


def test_another_run_of_another_project_knows_it_and_a_person_ends_it(project: Project, place: Path) -> None:
    other = Project(place / "q", [task("c"), task("d", agent="two")])
    first, second = project.start(), other.start(ORKESTRA_CONFIG=str(project.config))
    worker, neighbour = Worker(first), Worker(second)
    worker.claim()
    limited(worker, 3600)
    time.sleep(1)  # a store looks at the file once a second
    assert neighbour.claim()[2] == "d"
    neighbour.client.ask("worked", "0", "1")
    waiting = second.worker("w2")
    waiting.send("claim")
    assert not answered(waiting, 1.5)
    assert len(cooldowns.end(project.config / "RUNTIME", "one")) == 1
    assert answered(waiting, PATIENCE) and waiting.receive()[2] == "c"
    first.kill()
    second.kill()


def test_an_auto_task_goes_to_another_agent_and_the_others_wait(project: Project) -> None:
    project.write_queue([task("a"), task("b", agent="auto"), task("c")])
    store = project.start()
    worker = Worker(store)
    assert worker.claim()[2] == "a"
    limited(worker, 3600)
    assert worker.claim()[2:5] == ["b", "1", "two"]
    waiting = store.worker("w2")
    waiting.send("claim")
    assert not answered(waiting, 1.5)
    store.kill()


def test_a_limit_of_one_model_leaves_the_other_models_of_the_account(project: Project) -> None:
    project.write_queue([task("a", agent="one:x"), task("b", agent="one:x"), task("c", agent="one:y")])
    store = project.start()
    worker = Worker(store)
    assert worker.claim()[2] == "a"
    limited(worker, 3600, limit_of="model")
    assert worker.claim()[2] == "c"
    limited(worker, 3600)
    worker.client.send("claim")
    assert not answered(worker.client, 1.5)
    store.kill()


def test_forty_tasks_meet_a_limit_at_the_same_moment(place: Path) -> None:
    project = Project(place / "p", [task(f"t{n}") for n in range(40)])
    project.adapter("one", family="one", kind="ai", can=["work"])
    store = project.start(**NO_WAIT)
    workers = [Worker(store, f"w{n}") for n in range(1, 41)]
    assert len({worker.claim()[2] for worker in workers}) == 40
    assert {limited(worker, 3600 + n % 3)[1] for n, worker in enumerate(workers)} == {"limited"}
    assert {worker.claim()[1] for worker in workers} == {"stop"}
    found, wrong = cooldowns.read(project.config / "RUNTIME")
    assert [one.account for one in found] == ["one"] and not wrong
    code, text = store.control.ask("summary")[1:]
    assert code == "75" and "40 tasks: 40 pending" in text and text.count("next_run_at") == 1
    store.kill()


def test_a_broken_file_of_limits_stops_no_run(project: Project) -> None:
    (project.config / "RUNTIME").mkdir()
    (project.config / "RUNTIME" / "limits.json").write_text('{"version": 1, "limits": [')
    store = project.start()
    worker = Worker(store)
    assert worker.claim()[2] == "a"
    assert "limits.json" in (project.folder / "LOGS" / "orchestrator.log").read_text()
    store.kill()


# --- reviewers ----------------------------------------------------------------------------------------------

LATER = 3600


@pytest.fixture
def reviewed(place: Path) -> Project:
    """`one` does the tasks; it, `two` and `three` are of different families and may review."""
    made = Project(place / "r", [task("a"), task("b", agent="shell", command="true")])
    return among(made, "one", "two", "three")


def among(project: Project, *names: str, **committee: object) -> Project:
    path = project.path / "config" / "project.json"
    settings = {**json.loads(path.read_text()), "agents": list(names), "committee": committee}
    path.write_text(json.dumps(settings))
    git(project.path, "commit", "-qam", "settings")
    for name in names:
        project.adapter(name, family=name, kind="ai", can=["work", "ballot"])
    return project


def done(worker: Worker, changes: dict[str, bytes] | None = None, gates: str = "") -> list[str]:
    """A claimed task from base to its vote; the answer to vote-open."""
    assert worker.client.ask("base", worker.project.head)[0] == "ok"
    assert worker.client.ask("worked", "0", "1", str(worker.ticket)) == ["ok", "done"]
    worker.change(changes or {"a.txt": b"two\n"})
    return again(worker, gates)


def again(worker: Worker, gates: str = "") -> list[str]:
    told = worker.judge(gates=gates) if gates else worker.judge()
    assert told == ["ok", "pass"]
    return worker.client.ask("vote-open", worker.base, worker.tree, worker.patch)


def asked(opened: list[str], folder: str = "") -> list[str]:
    """Who is to judge now."""
    lines = (Path(folder or opened[3]) / "electorate").read_text().split("\0")[:-1]
    return [line.split("\t")[0] for line in lines]


def ballots(worker: Worker, opened: list[str], **said: object) -> list[str]:
    """What these say (a choice, a limit in seconds, or an exit code); the answer to vote-close."""
    folder, lines = Path(opened[3]), ""
    for name, what in said.items():
        told: dict[str, object] = {"choice": what, "reason": f"{name} says so", "confidence": 80}
        if isinstance(what, int):
            told = {"error": "You've hit your limit", "retry_at": int(time.time() + what)}
        (folder / name / "out").mkdir(parents=True, exist_ok=True)
        (folder / name / "out" / "result.json").write_text(json.dumps(told))
        lines += f"{name}\t{75 if isinstance(what, int) else 124 if what == 'late' else 0}\t\n"
    (folder / "ballots.tsv").write_text(lines)
    return worker.client.ask("vote-close", opened[2])


def put_off(worker: Worker) -> None:
    """What the worker does when it is told that the review waits."""
    commit = git(worker.project.path, "commit-tree", worker.tree, "-p", worker.base, "-m", "kept")
    ref = f"refs/orkestra/attempts/{worker.task}/{worker.number}"
    git(worker.project.path, "update-ref", ref, commit)
    assert worker.client.ask("put-off", commit) == ["ok"]


def votes(project: Project) -> list[dict[str, Any]]:
    """The records of all votes, in their order."""
    found = (project.path / "logs/execution/attempts").glob("*/*/votes/*/vote.json")
    return sorted((json.loads(path.read_text()) for path in found), key=lambda vote: str(vote["id"]))


def sound(project: Project) -> bool:
    """Whether the records hold, in a checkout that is in step."""
    git(project.path, "reset", "-q", "--hard", "main")
    return verify(project.path, "main").findings == []


def resting(project: Project, *names: str, seconds: int = LATER) -> None:
    runtime, now = project.config / "RUNTIME", int(time.time())
    for name in names:
        limit = cooldowns.Limit(name, None, now, now + seconds, "at its end")
        cooldowns.change(runtime, lambda known, limit=limit: cooldowns.add(known, limit))


def test_a_reviewer_that_turns_out_to_be_limited_is_stood_in_for(reviewed: Project) -> None:
    store = reviewed.start()
    worker = Worker(store)
    worker.claim()
    opened = done(worker)
    assert asked(opened) == ["two"]
    assert ballots(worker, opened, two=LATER) == ["ok", "more"]
    assert asked(opened) == ["three"]
    assert ballots(worker, opened, three="approve") == ["ok", "approve"]
    worker.land()
    vote = votes(reviewed)[0]
    assert [one["member"] for one in vote["electorate"]] == ["three"] and vote["absent"] == []
    assert vote["replaced"][0]["member"] == "two" and vote["replaced"][0]["by"] == "three"
    assert "two is limited until " in vote["replaced"][0]["why"]
    found, _ = cooldowns.read(reviewed.config / "RUNTIME")
    assert [one.account for one in found] == ["two"]
    assert sound(reviewed)
    store.kill()


def test_a_reviewer_that_gives_no_ballot_is_stood_in_for(reviewed: Project) -> None:
    among(reviewed, "one", "two", "three", "four")
    store = reviewed.start()
    worker = Worker(store)
    worker.claim()
    opened = done(worker)
    assert ballots(worker, opened, two="late") == ["ok", "more"] and asked(opened) == ["three"]
    assert ballots(worker, opened, three="maybe") == ["ok", "more"] and asked(opened) == ["four"]
    assert ballots(worker, opened, four="approve") == ["ok", "approve"]
    worker.land()
    vote = votes(reviewed)[0]
    assert [(one["member"], one["why"], one["by"]) for one in vote["replaced"]] == [
        ("two", "timed out", "three"),
        ("three", "its choice is not one of approve, revise, reject, abstain", "four"),
    ]
    assert [one["member"] for one in vote["electorate"]] == ["four"] and vote["absent"] == []
    assert sound(reviewed)
    store.kill()


def test_where_nobody_can_stand_in_a_reviewer_is_asked_once_more_and_then_a_person(reviewed: Project) -> None:
    store = reviewed.start()
    worker = Worker(store)
    worker.claim()
    opened = done(worker)
    assert ballots(worker, opened, two="late") == ["ok", "more"] and asked(opened) == ["three"]
    assert ballots(worker, opened, three="late") == ["ok", "more"] and asked(opened) == ["three"]
    told = ballots(worker, opened, three="perhaps")
    assert told[:2] == ["ok", "person"] and "no quorum: 0 of 1 reviewers voted" in told[2]
    vote = votes(reviewed)[0]
    assert [(one["member"], one["why"], one["by"]) for one in vote["replaced"]] == [
        ("two", "timed out", "three"),
        ("three", "timed out", "three"),
    ]
    assert [one["member"] for one in vote["absent"]] == ["three"]
    assert "its choice is not one of" in vote["absent"][0]["why"] and vote["weights"] == {"three": 1000}
    store.kill()


def test_of_named_reviewers_one_is_asked_once_more_only_where_there_is_no_quorum(reviewed: Project) -> None:
    among(reviewed, "one", "two", "three", "four", reviewers=["two", "three", "four"])
    store = reviewed.start()
    worker = Worker(store)
    worker.claim()
    opened = done(worker)
    told = ballots(worker, opened, two="approve", three="late", four=LATER)
    assert told == ["ok", "more"] and asked(opened) == ["three"]  # not who is limited
    assert ballots(worker, opened, three="approve") == ["ok", "approve"]
    worker.land()
    vote = votes(reviewed)[0]
    assert [one["member"] for one in vote["ballots"]] == ["two", "three"]
    assert [one["member"] for one in vote["absent"]] == ["four"]
    assert sound(reviewed)
    [told] = voted.read(reviewed.path, Git(reviewed.path / ".git"), "main")
    assert "  three: gave no ballot: it was asked once more\n      | timed out" in "\n".join(
        voted.lines(told)
    )
    worker.claim()
    opened = done(worker, {"b.txt": b"two\n"})
    assert asked(opened) == ["two", "three"]
    assert ballots(worker, opened, two="approve", three="approve") == ["ok", "approve"]
    store.kill()


def resumed(worker: Worker, first: Worker) -> list[str]:
    """The worker that was given the kept change of `first` brings it to its vote; the answer to vote-open."""
    worker.base, worker.tree, worker.patch = first.base, first.tree, first.patch
    (worker.attempt / "diff.patch").write_bytes((first.attempt / "diff.patch").read_bytes())
    return again(worker)


def test_a_review_that_nobody_can_give_waits_with_its_change_kept(reviewed: Project) -> None:
    resting(reviewed, "three")
    store = reviewed.start()
    worker, other = Worker(store), Worker(store, "w2")
    assert worker.claim()[2] == "a"
    told = ballots(worker, done(worker), two=4)
    assert told[:2] == ["ok", "waits"] and "two is limited until" in told[2]
    ends = min(one.until for one in cooldowns.read(reviewed.config / "RUNTIME")[0])
    put_off(worker)
    assert other.claim()[2] == "b"  # independent tasks go on
    worker.client.send("claim")
    assert answered(worker.client, PATIENCE) and time.time() >= ends
    reply = worker.client.receive()
    assert reply[2:6] == ["a", "2", "one", "resume"]  # its agent need not work for it again
    assert git(reviewed.path, "rev-parse", f"{reply[6]}^{{tree}}") == worker.tree
    first = Worker.__new__(Worker)
    first.__dict__ = dict(worker.__dict__)
    worker.number = "2"
    opened = resumed(worker, first)
    assert asked(opened) == ["two"]
    assert ballots(worker, opened, two="approve") == ["ok", "approve"]
    worker.land()
    assert [vote["decision"] for vote in votes(reviewed)] == ["no-quorum", "approve"]
    assert "attempt-failed" not in [event["event"] for event in reviewed.journal()]
    assert sound(reviewed)
    store.kill()


def put_off_at_once(project: Project, **environment: str) -> tuple[Store, Worker]:
    """A store whose only task is done, and waits for the review of `two` and `three`."""
    project.write_queue([task("a", agent="auto")])
    resting(project, "two", "three")
    store = project.start(**environment)
    worker = Worker(store)
    assert worker.claim()[2:5] == ["a", "1", "one"]
    assert done(worker)[:2] == ["ok", "waits"]
    put_off(worker)
    return store, worker


def test_nobody_is_asked_whose_account_is_known_to_be_limited_and_once_leaves(reviewed: Project) -> None:
    store, worker = put_off_at_once(reviewed, **NO_WAIT)
    assert votes(reviewed) == []
    assert worker.claim()[1] == "stop"
    code, text = store.control.ask("summary")[1:]
    lines = [line for line in text.splitlines() if "next_run_at" in line]
    assert code == "75" and lines[0].startswith(
        "two is limited: at its end; its review of a waits (next_run_at"
    )
    assert store.end() == (0, "")
    store = reviewed.start(**NO_WAIT)  # the next run knows it
    again_worker = Worker(store)
    assert again_worker.claim()[1] == "stop"
    assert store.control.ask("summary")[1] == "75"
    resting(reviewed, "one")  # who made the change is not needed for its review
    cooldowns.end(reviewed.config / "RUNTIME", "three")
    time.sleep(1)
    assert again_worker.claim()[2:6] == ["a", "2", "one", "resume"]
    assert asked(resumed(again_worker, worker)) == ["three"]
    store.kill()


def test_who_made_a_change_does_not_vote_on_it_whoever_could_go_on_with_the_task(reviewed: Project) -> None:
    store, worker = put_off_at_once(reviewed)
    resting(reviewed, "one")
    cooldowns.end(reviewed.config / "RUNTIME", "two")
    store.control.ask("plan")
    time.sleep(1)
    assert worker.claim()[4] == "one"
    first = Worker.__new__(Worker)
    first.__dict__ = {**worker.__dict__, "number": "1"}
    opened = resumed(worker, first)
    assert asked(opened) == ["two"]
    ballots(worker, opened, two="approve")
    assert votes(reviewed)[0]["recused"] == ["one"]
    store.kill()


def test_what_a_person_has_done_waits_for_its_review_as_that_persons(reviewed: Project) -> None:
    made = reviewed.commit_files(reviewed.head, {"a.txt": b"mine\n"}, "a person's")
    git(reviewed.path, "update-ref", "refs/orkestra/attempts/a/1", made)
    reviewed.write_queue([task("a", submitted=1)])
    resting(reviewed, "one", "two", "three")
    store = reviewed.start()
    worker = Worker(store)
    assert worker.claim()[4:6] == ["person", "resume"]
    worker.change({"a.txt": b"mine\n"})
    assert again(worker)[:2] == ["ok", "waits"]
    put_off(worker)
    first = Worker.__new__(Worker)
    first.__dict__ = dict(worker.__dict__)
    cooldowns.end(reviewed.config / "RUNTIME", "one")
    time.sleep(1)
    assert worker.claim()[4:6] == ["person", "resume"]
    assert asked(resumed(worker, first)) == ["one"]
    store.kill()


def test_a_change_that_was_reviewed_at_last_and_refused_waits_for_nobody(reviewed: Project) -> None:
    store, worker = put_off_at_once(reviewed)
    cooldowns.end(reviewed.config / "RUNTIME", "two")
    time.sleep(1)
    first = Worker.__new__(Worker)
    first.__dict__ = dict(worker.__dict__)
    assert worker.claim()[5] == "resume"
    assert ballots(worker, resumed(worker, first), two="reject")[1] == "reject"
    assert worker.client.ask("failed", "x") == ["ok", "again"]
    resting(reviewed, "two")
    store.kill()
    store = reviewed.start(**NO_WAIT)
    assert Worker(store).claim()[2:6] == ["a", "3", "one", "fresh"]
    store.kill()


def test_a_task_that_a_person_cancels_does_not_wait_any_more(reviewed: Project) -> None:
    store, worker = put_off_at_once(reviewed)
    worker.client.send("claim")
    assert not answered(worker.client, 1.5)
    reviewed.write_queue([task("a", agent="auto", status="cancelled")])
    assert answered(worker.client, PATIENCE) and worker.client.receive()[1] == "stop"
    store.kill()


MANY = {"a.txt": b"".join(b"%d\n" % n for n in range(500))}
MARK = "scope\tpass\t\nsecrets\tpass\t\nprotected\tmark\ttests/x\n"


@pytest.mark.parametrize(
    ("changes", "gates"), [(MANY, ""), (None, MARK)], ids=["more than 400 lines", "marked"]
)
def test_two_review_what_is_large_or_marked(
    reviewed: Project, changes: dict[str, bytes] | None, gates: str
) -> None:
    store = reviewed.start()
    worker = Worker(store)
    worker.claim()
    opened = done(worker, changes, gates)
    assert asked(opened) == ["two", "three"]
    assert ballots(worker, opened, two="approve", three=LATER)[:2] == ["ok", "waits"]  # nobody stands in
    store.kill()


def test_what_is_marked_waits_for_who_may_pass_it_and_is_not_a_persons_yet(reviewed: Project) -> None:
    resting(reviewed, "two", "three")
    store = reviewed.start()
    worker = Worker(store)
    worker.claim()
    assert done(worker, gates=MARK)[:2] == ["ok", "waits"]
    store.kill()


@pytest.mark.parametrize(
    ("second", "reply", "decision", "members"),
    [
        ("approve", "person", "needs-person", ["two", "three"]),
        ("reject", "reject", "reject", ["two", "three"]),
        ("revise", "revise", "revise", ["two", "three"]),
        ("abstain", "reject", "reject", ["two", "three"]),
        ("late", "reject", "reject", ["two"]),
        (LATER, "reject", "reject", ["two"]),
    ],
)
def test_after_a_reject_a_second_one_is_asked(
    reviewed: Project, second: str | int, reply: str, decision: str, members: list[str]
) -> None:
    store = reviewed.start()
    worker = Worker(store)
    worker.claim()
    opened = done(worker)
    assert ballots(worker, opened, two="reject") == ["ok", "more"]
    assert asked(opened) == ["three"]
    assert ballots(worker, opened, three=second)[1] == reply
    vote = votes(reviewed)[0]
    assert vote["decision"] == decision
    assert [entry["member"] for entry in vote["electorate"]] == members
    assert [ballot["member"] for ballot in vote["ballots"]] == members
    if reply != "revise":
        assert worker.client.ask("failed", "x")[1] in ("again", "kept")
        worker.claim()
    assert finish(store) > 0 or reply != "person"
    assert sound(reviewed)
    store.kill()


@pytest.mark.parametrize(("used", "reply"), [(50, "more"), (200, "reject")])
def test_a_second_one_is_asked_within_the_fifth_of_a_budget_that_is_for_reviews(
    reviewed: Project, used: int, reply: str
) -> None:
    reviewed.write_queue([task("a", budget={"tokens": 1000})])
    store = reviewed.start()
    worker = Worker(store)
    worker.claim()
    opened = done(worker)
    folder = Path(opened[3]) / "two"
    (folder / "out").mkdir()
    usage = {"usage": {"input": used, "output": 0}}
    told = {"choice": "reject", "reason": "no", "confidence": 9}
    (folder / "out" / "result.json").write_text(json.dumps(usage | {"ballot": told}))
    (folder.parent / "ballots.tsv").write_text("two\t0\t\n")
    assert worker.client.ask("vote-close", opened[2])[1] == reply
    store.kill()


def test_a_reject_stands_where_nobody_else_of_another_family_is_left(reviewed: Project) -> None:
    among(reviewed, "one", "two")
    store = reviewed.start()
    worker = Worker(store)
    worker.claim()
    assert ballots(worker, done(worker), two="reject")[1] == "reject"
    store.kill()


def test_of_named_reviewers_one_that_rests_is_absent_where_the_others_suffice(reviewed: Project) -> None:
    among(reviewed, "one", "two", "three", "four", reviewers=["two", "three", "four"])
    resting(reviewed, "two")
    store = reviewed.start()
    worker = Worker(store)
    worker.claim()
    opened = done(worker)
    assert asked(opened) == ["three", "four"]
    assert ballots(worker, opened, three="approve", four="approve") == ["ok", "approve"]
    vote = votes(reviewed)[0]
    assert vote["absent"][0]["member"] == "two" and "two is limited until" in vote["absent"][0]["why"]
    store.kill()


def test_a_named_reviewer_that_is_limited_is_never_taken_for_a_refusal(reviewed: Project) -> None:
    among(reviewed, "one", "two", reviewers=["two", "lint"])
    store = reviewed.start()
    worker = Worker(store)
    worker.claim()
    opened = done(worker)
    assert ballots(worker, opened, two=LATER, lint="approve")[:2] == ["ok", "waits"]
    store.kill()


def test_a_reviewer_that_is_logged_out_is_stood_in_for_and_not_asked_again(reviewed: Project) -> None:
    reviewed.write_queue([task("a"), task("b")])
    store = reviewed.start()
    worker = Worker(store)
    worker.claim()
    opened = done(worker)
    (Path(opened[3]) / "ballots.tsv").write_text("two\t77\t\n")
    assert worker.client.ask("vote-close", opened[2]) == ["ok", "more"]
    assert asked(opened) == ["three"]
    assert ballots(worker, opened, three="approve") == ["ok", "approve"]
    worker.land()
    worker.claim()
    assert asked(done(worker, {"b.txt": b"x\n"})) == ["three"]
    store.kill()


# --- ballots that stand, and reviewers that a person has paused ---------------------------------------------


def named(reviewed: Project) -> Store:
    """A run in which `two`, `three` and `four` are the reviewers; one task."""
    among(reviewed, "one", "two", "three", "four", reviewers=["two", "three", "four", "lint"])
    reviewed.write_queue([task("a")])
    return reviewed.start()


def test_ballots_stand_while_a_vote_waits_for_the_others(reviewed: Project) -> None:
    store = named(reviewed)
    worker = Worker(store)
    worker.claim()
    opened = done(worker)
    said = ballots(worker, opened, two="approve", three=2, four=2, lint="approve")
    assert said[:2] == ["ok", "waits"]
    put_off(worker)
    first = Worker.__new__(Worker)
    first.__dict__ = dict(worker.__dict__)
    worker.client.send("claim")
    assert answered(worker.client, PATIENCE) and worker.client.receive()[2:4] == ["a", "2"]
    worker.number = "2"
    opened = resumed(worker, first)
    assert asked(opened) == ["three", "four", "lint"]
    assert ballots(worker, opened, three="reject", four="approve", lint="approve") == ["ok", "approve"]
    worker.land()
    early, late = votes(reviewed)
    [cast] = [ballot for ballot in early["ballots"] if ballot["member"] == "two"]
    assert late["ballots"][0] == {**cast, "from": early["id"]} and late["tally"]["present"] == 3
    assert judging.by_member([early, late], [])["two"].approve == 1
    assert sound(reviewed)
    forged = json.loads((reviewed.path / records.path_of(late["id"])).read_text())
    forged["ballots"][0]["reason"] = "something else"
    (reviewed.path / records.path_of(late["id"])).write_bytes(canonical.pretty(forged))
    git(reviewed.path, "commit", "-qam", "forged")
    told = " ".join(what for _, what in verify(reviewed.path, "main").findings)
    assert f"the ballot of two was not cast in {early['id']}" in told
    store.kill()


def test_ballots_on_another_patch_do_not_stand(reviewed: Project) -> None:
    store = named(reviewed)
    worker = Worker(store)
    worker.claim()
    opened = done(worker)
    assert ballots(worker, opened, two="approve", three=2, four=2, lint="approve")[1] == "waits"
    put_off(worker)
    worker.client.send("claim")
    assert answered(worker.client, PATIENCE) and worker.client.receive()[2:4] == ["a", "2"]
    worker.number = "2"
    worker.change({"a.txt": b"three\n"})
    assert asked(again(worker)) == ["two", "three", "four", "lint"]
    store.kill()


def pause(project: Project, name: str, *, on: bool = True) -> None:
    change = pauses.Pauses.pause if on else pauses.Pauses.resume
    pauses.change(project.path / ".git", lambda old: change(old, agent=name))


def heard(project: Project, words: str) -> None:
    """Once the run has taken it in."""
    log, end = project.folder / "LOGS" / "orchestrator.log", time.monotonic() + PATIENCE
    while not log.exists() or words not in log.read_text("utf-8"):
        assert time.monotonic() < end, words
        time.sleep(0.05)


def test_a_paused_agent_is_not_asked_for_a_ballot_and_another_one_takes_its_seat(reviewed: Project) -> None:
    pause(reviewed, "two")
    store = reviewed.start()
    worker = Worker(store)
    worker.claim()
    assert asked(done(worker)) == ["three"]
    store.kill()


def test_what_only_paused_agents_could_review_waits_until_they_are_resumed(reviewed: Project) -> None:
    among(reviewed, "one", "two")
    reviewed.write_queue([task("a")])
    store = reviewed.start()
    worker = Worker(store)
    worker.claim()
    pause(reviewed, "two")  # while the run goes on
    heard(reviewed, "paused: the agent two")
    told = done(worker)
    assert told == ["ok", "waits", "for its review: two is paused"]
    put_off(worker)
    assert worker.claim()[1] == "stop"
    code, text = store.control.ask("summary")[1:]
    assert code == "0" and "paused: the agent two (orkestra resume)" in text
    assert "a waits for its review: two paused" in text
    store.end()
    store = reviewed.start()
    later = Worker(store)
    later.client.send("claim")
    assert answered(later.client, PATIENCE) and later.client.receive()[1] == "stop"
    store.end()
    pause(reviewed, "two", on=False)
    store = reviewed.start()
    later = Worker(store)
    assert later.claim()[2:6] == ["a", "2", "one", "resume"]
    later.number = "2"
    assert asked(resumed(later, worker)) == ["two"]
    store.kill()


def test_an_agent_paused_while_a_vote_goes_on_does_not_stand_in(reviewed: Project) -> None:
    store = reviewed.start()
    worker = Worker(store)
    worker.claim()
    opened = done(worker)
    assert asked(opened) == ["two"]
    pause(reviewed, "three")
    heard(reviewed, "paused: the agent three")
    assert ballots(worker, opened, two=LATER)[:2] == ["ok", "waits"]
    store.kill()
