"""Which agent gets a task: by name, by fallback, or by specialty, record, load and order; and the reason."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orkestra_shim import canonical, project, projectkeys, tries
from orkestra_shim.merits import Merits
from store_client import Project, Store, Worker, git

Raw = dict[str, Any]


def made(place: Path, *tasks: Raw, agents: tuple[str, ...] = ("a", "b", "c"), **more: Any) -> Project:
    """A project with these AI agents, of which each can work."""
    found = Project(place / "p", list(tasks), agents=list(agents), **more)
    for name in ("a", "b", "c"):
        probe = "printf 'binary\\t/bin/true\\n'"
        found.adapter(name, probe, family=name, kind="ai", can=["work"], env=[f"{name.upper()}_KEY"])
    return found


def record(project: Project, *outcomes: tuple[str, str, str]) -> None:
    """Outcomes (task, agent, decision) as the branch of an earlier time holds them."""
    before = None
    changes = {"logs/outcomes/.gitattributes": b"* -text -filter\n"}
    for number, (task, agent, decision) in enumerate(outcomes, 101):
        name = f"outcome-{number:03d}"
        body = {"format": "orkestra.outcome/1", "id": name, "task": task, "agent": agent, "attempt": 1,
                "decision": decision, "previous": before, "why": ""}  # fmt: skip
        body["sha256"] = before = canonical.digest(body)
        changes[f"logs/outcomes/{name}.json"] = canonical.pretty(body)
    head = project.commit_files(project.head, changes, "records")
    git(project.path, "update-ref", "refs/heads/main", head)
    git(project.path, "reset", "-q", "--hard")


def claims(store: Store, count: int) -> list[tuple[str, str]]:
    """(task, agent) of so many claims by as many workers, who keep what they get."""
    workers = [Worker(store, f"w{at}") for at in range(1, count + 1)]
    store.workers = workers  # type: ignore[attr-defined]  # else their pipes would be closed
    return [(reply[2], reply[4]) for reply in (worker.claim() for worker in workers)]


def chosen(project: Project) -> list[str]:
    return [event["chosen"] for event in project.journal() if event["event"] == "claimed"]


def fail(worker: Worker) -> None:
    assert worker.client.ask("failed", "it broke")[0] == "ok"


# --- what agents have to show -----------------------------------------------------------------------------


def outcomes(*rows: tuple[str, str, int]) -> list[Raw]:
    return [
        {"id": f"{agent}-{decision}-{at}", "task": "t", "agent": agent, "decision": decision}
        for agent, decision, count in rows
        for at in range(count)
    ]


def test_one_success_is_no_proof_and_one_failure_no_verdict() -> None:
    told = Merits(
        lambda _: "", outcomes(("a", "landed", 9), ("a", "failed", 1), ("b", "landed", 1), ("d", "failed", 1))
    )
    a, b, c, d = (told.share(name, "", "abcd") for name in "abcd")
    assert a > b > c > d and b - c < 100 and c - d < 200
    assert (told.words("a", ""), told.words("b", ""), told.words("c", "")) == (
        "9 of 10 landed", "1 of 1 landed", "no record yet",
    )  # fmt: skip


def test_a_record_in_a_domain_counts_more_than_one_elsewhere() -> None:
    told = Merits({"w": "web", "x": ""}.get)  # type: ignore[arg-type]
    for task, agent, decision, count in (
        ("w", "a", "failed", 6), ("x", "a", "landed", 30), ("w", "b", "landed", 6), ("x", "b", "failed", 4),
    ):  # fmt: skip
        for one in outcomes((agent, decision, count)):
            told.take({**one, "task": task})
    assert told.share("b", "web", "ab") > told.share("a", "web", "ab")
    assert told.share("a", "", "ab") > told.share("b", "", "ab")
    assert told.share("a", "never seen", "ab") > told.share("b", "never seen", "ab")
    assert told.words("a", "web") == "0 of 6 landed in web" and told.words("a", "docs") == "30 of 36 landed"


def test_what_was_taken_back_did_not_land_and_a_person_has_no_record() -> None:
    told = Merits(
        lambda _: "web", outcomes(("a", "landed", 2), ("a", "needs_human", 3), ("a", "answered", 1))
    )
    assert told.words("a", "web") == "3 of 3 landed in web"
    undone = {"id": "outcome-9", "task": "t", "agent": "person", "decision": "undone", "undoes": "a-landed-0"}
    for one in (undone, undone, {"decision": "landed", "agent": ["x"]}, {"agent": "a"}, {}):
        told.take(one)
    assert told.words("a", "web") == "2 of 3 landed in web" and told.words("person", "") == "no record yet"


# --- by rule ----------------------------------------------------------------------------------------------


def test_a_specialist_is_first_and_the_domain_is_compared_as_people_write_it(place: Path) -> None:
    tasks = [{"id": "t1", "domain": " Web  Pages"}, {"id": "t2"}, {"id": "t3", "domain": "docs"}]
    project = made(place, *tasks, specialties={"c": ["web pages"], "b": ["docs", "x"]})
    store = project.start()
    assert claims(store, 3) == [("t1", "c"), ("t2", "a"), ("t3", "b")]
    assert chosen(project) == [
        "for web pages, no record yet, none in hand; of 3 that can work now",
        "no record yet, none in hand; of 3 that can work now",
        "for docs, no record yet, none in hand; of 3 that can work now",
    ]
    store.kill()


def test_the_record_on_the_branch_decides_and_tasks_in_hand_count_against_it(place: Path) -> None:
    project = made(place, *({"id": f"t{at}"} for at in range(4)), {"id": "old", "status": "completed"})
    record(project, *[("old", "a", "failed")] * 3, *[("old", "b", "landed")] * 9)
    store = project.start()
    # b is so much better that it gets two more before the next one, who is nobody's worst.
    assert [agent for _, agent in claims(store, 4)] == ["b", "b", "c", "b"]
    assert chosen(project)[:3] == [
        "9 of 9 landed, none in hand; of 3 that can work now",
        "9 of 9 landed, 1 in hand; of 3 that can work now",
        "no record yet, none in hand; of 3 that can work now",
    ]
    store.kill()


def test_what_lands_while_the_run_goes_on_counts(place: Path) -> None:
    tasks = [{"id": "one", "agent": "b", "priority": "high"}, *({"id": f"t{at}"} for at in range(3))]
    project = made(place, *tasks)
    store = project.start()
    worker = Worker(store)
    assert worker.claim()[4] == "b"
    worker.whole({"x.txt": b"x\n"})
    assert worker.claim()[4] == "b"
    assert chosen(project)[-1] == "1 of 1 landed, none in hand; of 3 that can work now"
    # Nor does it matter who brought an outcome onto the branch.
    first = project.head
    record(project, *[("one", "c", "landed")] * 9)
    assert first != project.head
    assert Worker(store, "w2").claim()[4] == "c"
    store.kill()


def test_without_a_record_tasks_go_round_by_account(place: Path) -> None:
    project = made(place, *({"id": f"t{at}"} for at in range(4)), agents=("a", "a:big", "b"))
    store = project.start()
    # a and a:big are one account: what one has in hand the other has.
    assert [agent for _, agent in claims(store, 4)] == ["a", "b", "a", "b"]
    store.kill()


def test_who_failed_twice_at_a_task_comes_last(place: Path) -> None:
    project = made(place, {"id": "t", "domain": "web", "max_attempts": 9}, specialties={"a": ["web"]})
    store = project.start()
    worker = Worker(store)
    agents = []
    for _ in range(7):
        agents.append(worker.claim()[4])
        fail(worker)
    # Each has a second chance, in the session in which it has begun.
    assert agents == ["a", "a", "b", "b", "c", "c", "a"]
    assert chosen(project)[1] == "it has begun this task"
    assert (
        chosen(project)[2] == "another has failed at it, no record yet, none in hand; of 3 that can work now"
    )
    store.kill()


def test_who_was_interrupted_goes_on(place: Path) -> None:
    project = made(place, {"id": "t"}, {"id": "u"})
    store = project.start()
    assert claims(store, 2) == [("t", "a"), ("u", "b")]
    store.kill()
    # The next run knows as much from the log.
    store = project.start()
    assert claims(store, 2) == [("t", "a"), ("u", "b")]
    assert chosen(project)[2:] == ["it has begun this task"] * 2
    store.kill()
    # Where it cannot work another one does.
    (project.config / "agents" / "a").unlink()
    store = project.start()
    assert claims(store, 2) == [("t", "b"), ("u", "b")]
    store.kill()


def test_limits_and_pauses_take_an_agent_out(place: Path) -> None:
    project = made(place, *({"id": f"t{at}"} for at in range(4)))
    store = project.start()
    worker = Worker(store)
    assert worker.claim()[4] == "a"
    assert worker.client.ask("worked", "75", "1")[1] == "limited"
    subprocess.run(
        [sys.executable, "-c", "import sys; from pathlib import Path; from orkestra_shim import pauses; "
         "pauses.change(Path(sys.argv[1]), lambda old: old.pause(agent='b'))", str(project.path / ".git")],
        check=True, env=project.environment(),
    )  # fmt: skip
    assert worker.claim()[4] == "c" and chosen(project)[-1] == "the only one that can work now"
    store.kill()


# --- named, and in place of the named ---------------------------------------------------------------------


def test_a_named_agent_is_waited_for_and_never_replaced_unasked(place: Path) -> None:
    project = made(place, {"id": "t", "agent": "a"}, {"id": "u", "agent": "a"})
    store = project.start()
    worker = Worker(store)
    assert worker.claim()[4] == "a" and chosen(project) == ["the task names it"]
    assert worker.client.ask("worked", "77", "1")[1] == "unavailable"
    assert worker.claim()[1] == "stop"
    code, said = store.control.ask("summary")[1:]
    assert code == "69" and "no agent for t: a:" in said
    store.kill()


def test_a_fallback_stands_in_where_the_named_agent_cannot_work(place: Path) -> None:
    tasks = [{"id": "t", "agent": "a"}, {"id": "u", "agent": "b"}]
    project = made(place, *tasks, fallback={"a": ["gone", "c", "b"]})
    project.adapter("a", "echo 'not installed' >&2; exit 69", family="a", kind="ai", can=["work"])
    store = project.start()
    assert claims(store, 2) == [("t", "c"), ("u", "b")]
    assert chosen(project) == ["in place of a: not installed", "the task names it"]
    store.kill()


def test_another_agent_does_what_the_first_has_no_budget_for(place: Path) -> None:
    tasks = [{"id": "t", "agent": "a"}, {"id": "u"}, {"id": "v", "agent": "c", "priority": "high"}]
    # a and c are billed, b is a subscription: what is left of the money holds only the two.
    budget = {"usd": 0.5, "attempt": {"usd": 0.6}}
    project = made(
        place, *tasks, fallback={"a": ["c", "b"]}, budget=budget, committee={"reviewers": ["lint"]}
    )
    (project.config / "api-keys.env").write_text("A_KEY=a-key-of-a-0123\nC_KEY=a-key-of-c-0123\n")
    (place / "home" / ".b").write_text('{"access_token": "a-token-of-b-that-is-long-enough"}')
    project.adapter("b", "true", family="b", kind="ai", can=["work"], credentials=[".b"])
    store = project.start()
    assert claims(store, 2) == [("t", "b"), ("u", "b")]
    assert chosen(project) == [
        "in place of a: a budget has not enough left for it", "the only one that can work now",
    ]  # fmt: skip
    # Nobody is named in place of c.
    store.workers[0].client.ask("failed", "x")  # type: ignore[attr-defined]
    assert store.workers[0].claim()[2:5:2] == ["t", "b"]  # type: ignore[attr-defined]
    store.control.ask("drain")
    text = store.control.ask("summary")[2]
    assert "not started: v: the budget of the project is $0.50" in text and "not started: t" not in text
    store.kill()


def test_what_had_no_budget_is_not_held_back_once_another_does_it(place: Path) -> None:
    budget = {"usd": 0.5, "attempt": {"usd": 0.6}}
    task = {"id": "t", "agent": "a", "command": "true"}
    project = made(place, task, fallback={"a": ["shell"]}, budget=budget, committee={"reviewers": ["lint"]})
    store = project.start()
    worker = Worker(store)
    for _ in range(2):
        assert worker.claim()[4] == "shell"
        fail(worker)
    store.kill()


def test_who_stands_in_may_work_here() -> None:
    found = project.Project(Path("."), {"agents": ["a"], "fallback": {"a": ["b"], "c": ["a", "d"]}})
    assert found.workers == ["a", "c", "b", "d"]


def test_nobody_stands_in_for_what_a_person_has_paused(place: Path) -> None:
    project = made(place, {"id": "t", "agent": "a"}, fallback={"a": ["b"]})
    pauses = {"version": 1, "everything": False, "agents": ["a"], "tasks": []}
    (project.path / ".git" / "orkestra").mkdir()
    (project.path / ".git" / "orkestra" / "paused.json").write_text(json.dumps(pauses))
    store = project.start()
    assert Worker(store).claim()[1] == "stop"
    store.kill()


def test_what_an_agent_finished_is_judged_as_its_work_whoever_is_named(place: Path) -> None:
    project = made(place, {"id": "t", "agent": "a"}, fallback={"a": ["c"]})
    project.adapter("a", "exit 69", family="a", kind="ai", can=["work"])
    store = project.start()
    worker = Worker(store)
    assert worker.claim()[4] == "c"
    (project.path / "new.txt").write_text("a person's edit\n")
    kept = project.commit_files(project.head, {"new.txt": b"x\n"}, "kept")
    assert worker.client.ask("held", kept, "new.txt")[0] == "ok"
    store.kill()
    project.adapter("a", "printf 'binary\\t/bin/true\\n'", family="a", kind="ai", can=["work"])
    (project.path / "new.txt").unlink()
    store = project.start()
    reply = Worker(store).claim()
    assert reply[4:7] == ["c", "resume", kept]
    assert chosen(project)[-1] == "its own finished work is judged again"
    store.kill()


# --- project.json -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("specialties", ["web"]), ("specialties", {"a": "web"}), ("specialties", {"A b": ["web"]}),
        ("specialties", {"a": [""]}), ("specialties", {"a": ["x\ny"]}), ("specialties", {"a": [7]}),
        ("fallback", ["a"]), ("fallback", {"a": "b"}), ("fallback", {"a": ["b c"]}),
        ("fallback", {"": ["b"]}),
    ],
)  # fmt: skip
def test_what_cannot_stand_in_project_json(place: Path, key: str, value: object) -> None:
    told = {**project.settings("p", "main", "0123456789ab"), key: value}
    with pytest.raises(Exception, match=rf"where:[0-9]+: {key} must be an object"):
        projectkeys.check_settings(told, json.dumps(told, indent=1).encode(), "where")


def test_what_may_stand_there() -> None:
    told = project.settings("p", "main", "0123456789ab")
    assert (told["specialties"], told["fallback"]) == ({}, {})
    told |= {
        "specialties": {"claude@work:opus": ["Web", "docs"]},
        "fallback": {"claude": ["codex:x", "gemini"]},
    }
    projectkeys.check_settings(told, b"", "where")
    del told["specialties"], told["fallback"]
    projectkeys.check_settings(told, b"", "where")


def test_the_reason_is_shown_with_the_task(place: Path) -> None:
    project = made(place, {"id": "t", "domain": "web"}, specialties={"b": ["web"]})
    store = project.start()
    worker = Worker(store)
    worker.claim()
    fail(worker)
    worker.claim()
    store.kill()
    shown = tries.of_task(project.path, "t")
    assert [(one["try"], one["agent"], one["chosen"]) for one in shown] == [
        ("1", "b", "for web, no record yet, none in hand; of 3 that can work now"),
        ("2", "b", "it has begun this task"),
    ]
    assert all(Path(one["folder"]).is_dir() for one in shown)
    assert tries.of_task(project.path, "other") == []
