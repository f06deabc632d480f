"""The store, when jobs on other machines leave no word of their end."""

from __future__ import annotations

from pathlib import Path

from store_client import Project, Worker


def one(place: Path) -> Project:
    return Project(
        place / "p", [{"id": "a", "title": "a", "agent": "shell", "command": "true", "max_attempts": 1}]
    )


def lose(project: Project, begun: str, kept: str = "", works: bool = False) -> list[str]:
    """What the next loss of the task is answered with, in a run of its own: nothing has to be waited for."""
    store = project.start()
    worker = Worker(store)
    assert worker.claim()[1] == "task"
    if works:
        assert worker.client.ask("worked", "0", "1") == ["ok", "done"]
    reply = worker.client.ask("lost", begun, "the node is gone", kept)
    store.kill()
    return reply


def test_a_lost_job_is_no_attempt_waits_from_the_second_on_and_is_for_a_person_after_five(
    place: Path,
) -> None:
    project = one(place)
    said = [lose(project, "1")[1] for _ in range(4)]
    assert said == ["again", "again in 5 s", "again in 10 s", "again in 20 s"]
    reply = lose(project, "1")
    assert reply[1] == "person" and "5 jobs of it were lost one after the other: the node is gone" in reply[2]


def test_what_does_not_begin_waits_for_the_cluster_five_minutes_at_most(place: Path) -> None:
    project = one(place)
    said = [lose(project, "0")[1] for _ in range(10)]
    assert said[-1] == "again in 300 s"


def test_a_job_that_came_back_in_between_ends_the_row(place: Path) -> None:
    project = one(place)
    for _ in range(4):
        lose(project, "1")
    assert lose(project, "1", works=True)[1] == "again"


def test_the_second_loss_in_one_run_is_waited_for_and_what_was_kept_is_gone_on_with(place: Path) -> None:
    project = one(place)
    store = project.start()
    worker = Worker(store)
    assert worker.claim()[5] == "fresh"
    assert worker.client.ask("lost", "1", "gone", project.head) == ["ok", "again"]
    assert worker.claim()[5:7] == ["resume", project.head]
    assert worker.client.ask("lost", "1", "gone", "") == ["ok", "again in 5 s"]
    assert store.control.ask("plan")[1:3] == ["0", "1"], "not ready, and not done"
    store.kill()
