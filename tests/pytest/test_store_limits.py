"""The store and accounts that are limited: who waits, until when, and who takes the task instead."""

from __future__ import annotations

import json
import os
import select
import time
from pathlib import Path
from typing import Any

import pytest

from orkestra_shim import cooldowns
from store_client import Client, Project, Store, Worker, finish

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
    until = time.time() + 4
    told = limited(worker, 4)
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
    assert worker.claim()[1] == "stop"
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
