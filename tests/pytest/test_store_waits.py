"""The store, when tasks wait: paused, between attempts, until a time, behind what will not be done."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from orkestra_shim import agents, keyring, moments, pauses
from orkestra_shim.pauses import Pauses
from store_client import Client, Project, Worker


def task(name: str, **fields: object) -> dict[str, object]:
    return {"id": name, "title": f"Do {name}", "agent": "shell", "command": "true", **fields}


def one(place: Path, *tasks: dict[str, object], **settings: object) -> Project:
    return Project(place / "p", list(tasks) or [task("a")], **settings)


def pause(project: Project, edit: Callable[[Pauses], Pauses] = Pauses.pause) -> None:
    pauses.change(project.path / ".git", edit)


def resume(project: Project) -> None:
    pause(project, Pauses.resume)


def answered(client: Client, seconds: float) -> bool:
    """Whether an answer comes within so many seconds."""
    return bool(select.select([client.rep], [], [], seconds)[0])


# --- paused -------------------------------------------------------------------------------------------------


def test_a_paused_project_says_so_at_the_start_and_gives_nothing_out_until_resume(place: Path) -> None:
    project = one(place, task("a"), task("b"))
    pause(project)
    store = project.start()
    assert store.control.ask("plan") == ["ok", "2", "2", "0", "1"]
    worker = Worker(store)
    worker.client.send("claim")
    assert not answered(worker.client, 1.5)
    resume(project)
    assert answered(worker.client, 10) and worker.client.receive()[2] == "a"
    worker.task, worker.number = "a", "1"
    pause(project)
    worker.whole({"a.txt": b"x\n"})  # what is under way is brought to its end
    worker.client.send("claim")
    assert not answered(worker.client, 1.5)
    assert "paused: the project (orkestra resume)" in store.control.ask("summary")[2]
    store.kill()
    store = project.start()  # it survives a restart
    assert store.control.ask("plan")[4] == "1"
    store.kill()


def test_a_run_that_is_paused_when_nothing_is_left_ends(place: Path) -> None:
    project = one(place)
    store = project.start()
    worker = Worker(store)
    worker.claim()
    pause(project)
    worker.whole({"a.txt": b"x\n"})
    assert worker.claim()[1] == "stop"
    assert store.control.ask("summary")[1] == "0"
    store.kill()


def test_paused_tasks_and_agents_are_left_and_the_others_done(place: Path) -> None:
    project = one(place, task("a"), task("b", agent="other"), task("c"), task("d", depends_on=["a"]))
    project.adapter("other", family="none", kind="shell", can=["work"])
    pause(project, lambda old: old.pause(task="a"))
    pause(project, lambda old: old.pause(agent="other"))
    store = project.start()
    worker = Worker(store)
    assert worker.claim()[2] == "c"
    project.write_queue(
        [task("a", title="edited"), task("b", agent="other"), task("c"), task("d", depends_on=["a"])]
    )
    worker.whole({"c.txt": b"x\n"})
    assert worker.claim()[1] == "stop"
    code, text = store.control.ask("summary")[1:]
    assert code == "0" and "paused: the agent other and the task a (orkestra resume)" in text
    store.kill()
    store = project.start()
    worker = Worker(store)
    pause(project, lambda old: old.resume(task="a"))
    assert worker.claim()[2] == "a"
    worker.whole({"a.txt": b"x\n"})
    assert worker.claim()[2] == "d"
    worker.client.ask("failed", "x")
    pause(project, lambda old: old.resume(agent="other"))
    assert worker.claim()[2] in ("b", "d")
    store.kill()


# --- between attempts ---------------------------------------------------------------------------------------


def test_a_failed_task_waits_for_its_next_attempt_and_others_go_on(place: Path) -> None:
    project = one(place, task("a"), task("b"), retry_delay=0.4)
    store = project.start()
    worker = Worker(store)
    assert worker.claim()[2] == "a"
    failed = time.monotonic()
    assert worker.client.ask("failed", "no") == ["ok", "again"]
    assert worker.claim()[2] == "b"  # though a comes first in the queue
    worker.whole({"b.txt": b"x\n"})
    assert worker.claim()[2:4] == ["a", "2"]  # the run waits for it and does not end
    assert time.monotonic() - failed >= 0.4
    failed = time.monotonic()
    worker.client.ask("failed", "no")
    assert worker.claim()[2:4] == ["a", "3"]
    assert time.monotonic() - failed >= 0.8
    assert worker.client.ask("failed", "no") == ["ok", "failed"]
    assert worker.claim()[1] == "stop"
    store.kill()


def test_the_delay_is_bounded_and_a_revision_or_a_conflict_has_none(place: Path) -> None:
    project = one(place, task("a", max_attempts=100), retry_delay=200)
    store = project.start()
    worker = Worker(store)
    worker.claim()
    assert worker.client.ask("conflict", "in conflict")[1] == "again"
    assert worker.claim()[2:4] == ["a", "2"]
    worker.client.ask("released", "told to stop")
    assert worker.claim()[2:4] == ["a", "3"]
    worker.client.ask("failed", "no")
    worker.client.send("claim")
    assert not answered(worker.client, 1.2)
    # A wait is no work: the store slept but for its looks at the queue, once a second.
    before = _ticks(store.process.pid)
    assert not answered(worker.client, 2.0)
    assert _ticks(store.process.pid) - before <= 2  # hundredths of a second
    store.control.ask("drain")
    assert worker.client.receive()[1] == "stop"  # a run that is told to stop does not wait for it
    store.kill()


def test_a_run_does_not_wait_for_a_task_that_was_cancelled_meanwhile(place: Path) -> None:
    project = one(place, task("a", max_attempts=100), retry_delay=200)
    store = project.start()
    worker = Worker(store)
    worker.claim()
    assert worker.client.ask("failed", "no")[1] == "again"
    worker.client.send("claim")
    assert not answered(worker.client, 1.2)
    project.write_queue([task("a", status="cancelled")])
    assert answered(worker.client, 10) and worker.client.receive()[1] == "stop"
    store.kill()


def _ticks(pid: int) -> int:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(words[11]) + int(words[12])


# --- until a time -------------------------------------------------------------------------------------------


def test_from_the_time_on_nothing_is_given_out_and_what_is_under_way_lands(place: Path) -> None:
    project = one(place, task("a"), task("b"), task("c"))
    store = project.start(ORKESTRA_UNTIL=(datetime.now() + timedelta(seconds=2)).isoformat())
    first, second = Worker(store, "w1"), Worker(store, "w2")
    assert first.claim()[2] == "a"
    wait = moments.passed() + 2
    assert second.claim()[2] == "b"
    while moments.passed() < wait:
        time.sleep(0.05)
    assert second.client.ask("failed", "no") == ["ok", "again"]
    assert second.claim()[1] == "stop"
    first.whole({"a.txt": b"x\n"})
    assert first.claim()[1] == "stop"
    code, text = store.control.ask("summary")[1:]
    assert code == "0" and "the time is up" in text and "2 tasks left" in text
    store.kill()


def test_a_claim_that_waits_hears_that_the_time_is_up(place: Path) -> None:
    project = one(place, task("a"))
    store = project.start(
        ORKESTRA_STAY="1", ORKESTRA_UNTIL=(datetime.now() + timedelta(seconds=3)).isoformat()
    )
    worker = Worker(store)
    worker.claim()
    worker.whole({"a.txt": b"x\n"})
    assert worker.claim()[1] == "stop"
    store.kill()


def test_a_wrong_time_is_told_in_a_line(place: Path) -> None:
    store = one(place).start(ORKESTRA_UNTIL="later", ORKESTRA_DEBUG="0")
    code, err = store.failure()
    assert code == 64 and "'later' is no time" in err and err.count("\n") <= 2


# --- behind what will not be done ---------------------------------------------------------------------------


def test_what_can_never_be_ready_is_reported_with_the_root_of_it(place: Path) -> None:
    project = one(
        place,
        task("bad", max_attempts=1),
        task("next", depends_on=["bad"]),
        task("last", depends_on=["next"]),
        task("idea", status="proposed"),
        task("after", depends_on=["idea"]),
        task("free"),
    )
    store = project.start()
    worker = Worker(store)
    assert worker.claim()[2] == "bad"
    worker.client.ask("failed", "no")
    assert worker.claim()[2] == "free"
    worker.whole({"free.txt": b"x\n"})
    assert worker.claim()[1] == "stop"
    code, text = store.control.ask("summary")[1:]
    assert code == "1"
    assert "blocked: next, last (behind bad, which is failed)" in text
    assert "blocked: after (behind idea, which is proposed)" in text
    store.kill()


def test_behind_a_proposal_alone_a_person_is_needed(place: Path) -> None:
    project = one(place, task("idea", status="cancelled"), task("after", depends_on=["idea"]))
    store = project.start()
    assert Worker(store).claim()[1] == "stop"
    code, text = store.control.ask("summary")[1:]
    assert code == "1" and "behind idea, which is cancelled" in text
    store.kill()


# --- the clock ----------------------------------------------------------------------------------------------


def test_a_clock_that_jumps_does_not_move_a_cooldown(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = one(place)
    known = agents.Agents(project.folder, project.config, keyring.read(project.config))
    clock = time.time
    known.limit("shell", int(clock()) + 100, "slow down")
    for jump in (-86400, 86400):
        monkeypatch.setattr(time, "time", lambda jump=jump: clock() + jump)
        assert 98 <= known.rests("shell") <= 100
