"""Budgets: what is declared, and a run that starts nothing that would overrun one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from orkestra_shim import budgets, prices, project, queue, spending
from orkestra_shim.cli import main
from orkestra_shim.errors import OrkestraError
from orkestra_shim.estimates import Estimates
from store_client import ROOT, Project, Store, Worker

MINE = {"format": prices.FORMAT, "date": "2030-01-01", "source": "a contract"}


# --- what is declared -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "amounts"),
    [
        ({}, {}),
        ({"usd": 5}, {"usd": 5_000_000}),
        ({"usd": 0.1, "tokens": 7, "seconds": 0}, {"usd": 100_000, "tokens": 7, "seconds": 0}),
        ({"usd": 0.000001}, {"usd": 1}),
        ({"usd": 123456.789012}, {"usd": 123_456_789_012}),
        ({"attempt": {"usd": 1}}, {}),
    ],
)
def test_amounts(value: dict[str, Any], amounts: dict[str, int]) -> None:
    assert budgets.problem(value) == "" and budgets.amounts(value) == amounts


@pytest.mark.parametrize(
    "value",
    [
        *([], "5", None, {"usd": "5"}, {"usd": -1}, {"usd": 0.0000001}, {"usd": True}, {"usd": 1e300}),
        *({"tokens": 1.5}, {"tokens": -1}, {"minutes": 5}, {"attempt": 5}, {"attempt": {"attempt": {}}}),
        *({"task": {"usd": 1}}, {"usd": float("nan")}, {"usd": float("inf")}),
    ],
)
def test_what_is_no_budget_of_a_task(value: object) -> None:
    assert budgets.problem(value)
    with pytest.raises(OrkestraError) as error:
        queue.Document(json.dumps({"version": 1, "tasks": [{"id": "a", "budget": value}]}))
    assert error.value.code == 65 and "budget must be" in error.value.message.replace("attempt ", "")


def test_budget_of_a_project(tmp_path: Path) -> None:
    plain = project.settings("p", "main", "0123456789ab")
    good = {"usd": 5, "task": {"usd": 1, "seconds": 60}, "attempt": {"tokens": 9}}
    raw = json.dumps({**plain, "budget": good}).encode()
    found = project.parse(tmp_path, raw, "x").data["budget"]
    assert budgets.of_task(found, {"usd": 2}) == {"usd": 2_000_000, "seconds": 60}
    assert budgets.of_attempt(found, {"attempt": {"usd": 1}}) == {"tokens": 9, "usd": 1_000_000}
    wrong: object
    for wrong in (5, {"task": {"attempt": {}}}, {"day": {"usd": 1}}):
        with pytest.raises(OrkestraError) as error:
            project.parse(tmp_path, json.dumps({**plain, "budget": wrong}, indent=1).encode(), "x")
        assert error.value.code == 65 and "budget must be" in error.value.message


@pytest.mark.parametrize("text", ["", "x", "-1", "1e3", "1,5", "0.0000001", " 1", "none"])
def test_what_is_no_amount_of_dollars(text: str) -> None:
    with pytest.raises(ValueError):
        budgets.micros(text)


def test_the_ninetieth_percentile_of_what_is_known() -> None:
    lines = [{"agent": "bot", "kind": "work", "usd_micros": 7, "seconds": 1, "basis": "told", "tokens": None}]
    lines.append({**lines[0], "usd_micros": None, "basis": "unknown"})
    lines.append({**lines[0], "usd_micros": 99, "basis": "subscription"})
    estimates = Estimates(lambda: lines)
    assert estimates.likely("bot", "work", "usd") == 7 and estimates.count("bot", "work", "usd") == 2
    assert estimates.likely("bot", "work", "tokens") is estimates.likely("other", "work", "usd") is None
    for usd in (100, 300, 200, 500, 400, 600, 900, 800, 700, 1000):
        estimates.note("bot", "work", {"usd": usd, "tokens": None})
    assert estimates.likely("bot", "work", "usd") == 900
    assert estimates.span("bot", "work", "usd") == (100, 900)


# --- a run ------------------------------------------------------------------------------------------


def bots(place: Path, *tasks: dict[str, Any], name: str = "p", **settings: Any) -> Project:
    """A project of tasks for the agent `bot`, whose prices are a dollar for a million tokens of input."""
    filled = [{"title": task["id"], "agent": "bot", **task} for task in tasks or ({"id": "a"}, {"id": "b"})]
    settings = {"committee": {"reviewers": ["lint"]}, **settings}
    found = Project(place / name, filled, **settings)
    for one in ("bot", "judge"):
        can = ["work"] if one == "bot" else ["ballot"]
        found.adapter(one, family=one, kind="ai", can=can, env=[f"{one.upper()}_KEY"])
    (found.config / "api-keys.env").write_text("BOT_KEY=a-key-of-the-bot-7c1e\n")
    models = {"m": {"input": 1_000_000, "output": 0}}
    (found.config / prices.FILE).write_text(json.dumps({**MINE, "models": models}), "utf-8")
    return found


def end(worker: Worker, usd: float | None, code: str = "1", seconds: str = "3") -> list[str]:
    """The agent ends, having cost that many dollars; None: it does not say."""
    raw: dict[str, Any] = {"error": "broken"} if code == "1" else {}
    if usd is not None:
        raw |= {"usage": {"input": round(usd * 1_000_000)}, "model": "m"}
    (worker.attempt / "result.json").write_text(json.dumps(raw), "utf-8")
    return worker.client.ask("worked", code, seconds)


def fails(worker: Worker, usd: float | None) -> None:
    """One attempt from its claim to its end."""
    assert worker.claim()[1] == "task"
    assert worker.client.ask("base", worker.project.head)[0] == "ok"
    assert end(worker, usd)[1] == "failed"
    assert worker.client.ask("failed", "broken")[0] == "ok"


def said(store: Store) -> tuple[str, str]:
    """Exit code and the line of the budget in the summary."""
    code, text = store.control.ask("summary")[1:]
    return code, "".join(line for line in text.splitlines() if line.startswith("not started: "))


def reserved(found: Project) -> list[dict[str, int]]:
    return [one["reserved"] for one in found.journal() if one["event"] == "claimed"]


def test_two_workers_cannot_both_reserve_the_last_dollar(place: Path) -> None:
    found = bots(place, budget={"usd": 1, "attempt": {"usd": 0.6}})
    store = found.start()
    first, second = Worker(store), Worker(store, "w2")
    assert first.claim()[2] == "a"
    second.client.send("claim")  # is answered once there is enough
    assert first.client.ask("base", found.head)[0] == "ok"
    assert [one["event"] for one in found.journal()].count("claimed") == 1
    assert end(first, 0.2)[1] == "failed"
    assert second.client.receive()[2] == "b"
    assert reserved(found) == [{"usd": 600_000}, {"usd": 200_000}]
    store.kill()


def test_without_anything_to_go_by_one_attempt_has_all_that_is_left(place: Path) -> None:
    found = bots(place, budget={"usd": 1})
    store = found.start()
    first, second = Worker(store), Worker(store, "w2")
    assert first.claim()[2] == "a"
    assert b"ORKESTRA_MAX_USD=1.000000" in (first.ticket / "env").read_bytes()
    second.client.send("claim")
    assert first.client.ask("base", found.head)[0] == "ok"
    assert end(first, 0.4)[1] == "failed"
    assert second.client.receive()[2] == "b"
    assert b"ORKESTRA_MAX_USD=0.600000" in (second.ticket / "env").read_bytes()
    assert reserved(found) == [{"usd": 1_000_000}, {"usd": 400_000}]
    store.kill()


def test_what_would_overrun_is_not_started_until_the_budget_is_raised(place: Path) -> None:
    found = bots(place, {"id": "a", "max_attempts": 9}, budget={"usd": 1})
    store = found.start()
    worker = Worker(store)
    for usd in (0.1, 0.3, 0.2):
        fails(worker, usd)
    assert worker.claim()[1] == "task"  # 0.4 is left, and the 90th percentile is 0.3
    assert end(worker, 0.2)[1] == "failed"
    worker.client.ask("failed", "broken")
    assert worker.claim()[1] == "stop"
    code, line = said(store)
    assert code == "75"
    for part in ("not started: a: ", "the project is $1.00, $0.80 are spent", "by bot may take $0.30",
                 "90th percentile of 4", 'raise "usd" in the "budget" of config/project.json'):  # fmt: skip
        assert part in line, line
    near = [one["why"] for one in found.journal() if one["event"] == "budget-near"]
    assert near == ["the budget of the project is $1.00, $0.80 are spent"]
    store.end()
    store = found.start()  # as it stands, nothing has changed
    assert Worker(store).claim()[1] == "stop" and said(store) == (code, line)
    store.end()
    top = json.loads((found.path / "config/project.json").read_text())
    (found.path / "config/project.json").write_text(json.dumps({**top, "budget": {"usd": 2}}))
    store = found.start()
    assert Worker(store).claim()[1] == "task"
    store.kill()


def test_budget_of_a_task_is_raised_in_the_queue_while_the_run_goes_on(place: Path) -> None:
    task = {"id": "a", "title": "a", "agent": "bot", "budget": {"usd": 1}}
    found = bots(place, task, {"id": "z", "agent": "shell", "command": "true"})
    store = found.start()
    worker, other = Worker(store), Worker(store, "w2")
    assert other.claim()[2] == "a" and worker.claim()[2] == "z"
    other.client.ask("base", found.head)
    end(other, 0.7)
    other.client.ask("failed", "broken")
    other.client.send("claim")
    found.write_queue([{**task, "budget": {"usd": 2}}, {"id": "z", "agent": "shell", "command": "true"}])
    assert other.client.receive()[2] == "a"
    store.kill()


def test_work_of_unknown_cost_counts_as_what_was_reserved(place: Path) -> None:
    found = bots(place, budget={"usd": 1, "attempt": {"usd": 0.4}})
    store = found.start()
    worker = Worker(store)
    fails(worker, None)
    fails(worker, None)
    assert worker.claim()[1] == "stop"
    code, line = said(store)
    assert code == "75" and "$0.80 are spent ($0.80 of it reserved for work of unknown cost)" in line
    store.end()
    day = spending.today(found.config)
    assert (day.all.usd_micros, day.all.unknown) == (0, 2)
    store = found.start()  # the log knows it too
    assert Worker(store).claim()[1] == "stop"
    store.end()


def test_whoever_was_killed_counts_as_what_was_reserved(place: Path) -> None:
    found = bots(place, budget={"usd": 1, "attempt": {"usd": 0.6}})
    store = found.start()
    worker = Worker(store)
    worker.claim()
    worker.client.ask("base", found.head)
    store.kill()
    store = found.start()
    assert Worker(store).claim()[1] == "stop"
    assert "$0.60 of it reserved for work of unknown cost" in said(store)[1]
    store.end()


def test_whoever_was_turned_away_gives_back_what_was_reserved(place: Path) -> None:
    found = bots(place, budget={"usd": 1})
    store = found.start()
    worker = Worker(store)
    worker.claim()
    until = str(int(time.time()) + 3600)
    (worker.attempt / "result.json").write_text(json.dumps({"error": "limit", "retry_at": int(until)}))
    assert worker.client.ask("worked", "75", "1")[1] == "limited"
    assert said(store)[1] == ""
    store.kill()


def test_max_cost_is_of_one_run(place: Path) -> None:
    found = bots(place)
    for _ in range(2):
        store = found.start(ORKESTRA_MAX_COST="0.5")
        worker = Worker(store)
        fails(worker, 0.3)
        assert worker.claim()[1] == "stop"
        code, line = said(store)
        assert code == "75" and "--max-cost is $0.50, $0.30 are spent" in line and "higher --max-cost" in line
        store.end()
    wrong = found.start(ORKESTRA_MAX_COST="much")
    assert wrong.failure()[0] == 64


def test_seconds_bound_the_agent_at_once(place: Path) -> None:
    found = bots(place, {"id": "a", "timeout": 100, "budget": {"seconds": 130}}, {"id": "b", "timeout": 50})
    store = found.start()
    worker = Worker(store)
    worker.claim()
    assert (worker.ticket / "timeout").read_text() == "100"
    worker.client.ask("base", found.head)
    assert end(worker, None, "124", "101")[2] == "the agent timed out after 100 seconds"
    worker.client.ask("failed", "x")
    assert worker.claim()[2] == "b"  # 29 seconds are left for a, and such attempts take 101
    assert worker.client.ask("failed", "x")[1] == "again"
    assert "the budget of the task is 130 seconds, 101 seconds are spent" in said(store)[1]
    store.end()
    top = json.loads((found.path / "config/project.json").read_text())
    (found.path / "config/project.json").write_text(json.dumps({**top, "budget": {"task": {"seconds": 20}}}))
    found.write_queue([{"id": "c", "agent": "judge"}])
    found.adapter("judge", family="judge", kind="ai", can=["work"])
    store = found.start()
    worker = Worker(store)
    worker.claim()
    assert (worker.ticket / "timeout").read_text() == "20"
    worker.client.ask("base", found.head)
    assert "timed out after 20 seconds, all that its budget left it" in end(worker, None, "124", "21")[2]
    store.kill()
    worked = [one for one in found.journal() if one["event"] == "worked"]
    assert [one.get("beyond") for one in worked] == [{"seconds": 100}, {"seconds": 20}]


def test_a_command_and_a_subscription_are_not_held_by_money(place: Path) -> None:
    shell = {"id": "s", "agent": "shell", "command": "true"}
    found = bots(place, shell, {"id": "a"}, budget={"usd": 0, "tokens": 10})
    found.adapter("bot", family="acme", kind="ai", can=["work"], credentials=[".bot/login.json"])
    (place / "home" / ".bot").mkdir()
    (place / "home/.bot/login.json").write_text('{"access_token": "a-token-of-the-bot-that-is-long-enough"}')
    store = found.start(HOME=str(place / "home"))
    first, second = Worker(store), Worker(store, "w2")
    assert (first.claim()[2], second.claim()[2]) == ("s", "a")
    assert b"MAX_USD" not in (second.ticket / "env").read_bytes()
    second.client.ask("base", found.head)
    end(second, 0.00001)
    second.client.ask("failed", "x")
    first.client.ask("failed", "x")
    assert first.claim()[2] == "s"
    second.client.send("claim")
    while not said(store)[1]:  # the test's own bound ends what never comes
        time.sleep(0.05)
    assert "the budget of the project is 10 tokens, 10 tokens are spent" in said(store)[1]
    store.kill()


# --- reviews ----------------------------------------------------------------------------------------


def reviewed(place: Path, *more: dict[str, Any], **task: Any) -> tuple[Store, Worker]:
    found = bots(place, {"id": "a", **task}, *more, committee={"reviewers": ["judge", "lint"]})
    store = found.start()
    worker = Worker(store)
    worker.claim()
    worker.client.ask("base", found.head)
    return store, worker


def judged(worker: Worker, choice: str, usd: float) -> list[str]:
    worker.change({f"{worker.number}.txt": b"x"})
    assert worker.judge() == ["ok", "pass"]
    opened = worker.client.ask("vote-open", worker.base, worker.tree, worker.patch)
    if opened[1] != "vote":
        return opened
    (worker.project.path / "env-of-the-judge").write_bytes((worker.ticket / "ballots/judge/env").read_bytes())
    ballot = {"choice": choice, "reason": "so", "confidence": 50}
    out = Path(opened[3]) / "judge" / "out"
    out.mkdir(parents=True)
    cost = {"usage": {"input": round(usd * 1_000_000)}, "model": "m"}
    (out / "result.json").write_text(json.dumps({"ballot": ballot, **cost}), "utf-8")
    (Path(opened[3]) / "ballots.tsv").write_text("judge\t0\t\nlint\t0\tfine\n")
    return worker.client.ask("vote-close", opened[2])


def test_reviews_take_a_fifth_of_a_tasks_budget(place: Path) -> None:
    store, worker = reviewed(place, budget={"usd": 1})
    assert b"ORKESTRA_MAX_USD=0.800000" in (worker.ticket / "env").read_bytes()
    end(worker, 0.1, "0")
    assert judged(worker, "approve", 0.15)[1] == "approve"
    ticket = worker.project.path / "env-of-the-judge"
    assert ticket.read_bytes().count(b"ORKESTRA_MAX_USD=0.200000") == 1
    worker.client.ask("conflict", "with another")
    assert worker.claim()[1] == "stop"  # a second review would take 0.15 of the 0.05 that is left of a fifth
    assert "its review $0.15" in said(store)[1]
    store.kill()


def test_a_review_that_would_be_beyond_its_part_is_for_a_person(place: Path) -> None:
    store, worker = reviewed(place, {"id": "b"}, budget={"usd": 1})
    other = Worker(store, "w2")
    assert other.claim()[2] == "b"
    other.client.ask("base", other.project.head)
    end(worker, 0.1, "0")
    end(other, 0.1, "0")
    assert judged(other, "approve", 0.3)[1] == "approve"
    told = judged(worker, "approve", 0.3)
    assert told[1] == "person" and "its review may take $0.30 after $0.00" in told[2]
    assert "a fifth of its budget is $0.20" in told[2] and "task retry a --from-attempt 1" in told[2]
    store.kill()


def test_a_revision_that_would_overrun_waits_with_its_work_kept(place: Path) -> None:
    store, worker = reviewed(place, budget={"usd": 1})
    end(worker, 0.5, "0")
    told = judged(worker, "revise", 0.01)
    assert told[1] == "spent" and "by bot may take $0.50" in told[2]
    assert worker.client.ask("failed", "x") == ["ok", "kept"]
    assert worker.claim()[1] == "stop" and said(store)[0] == "75"
    store.kill()


def test_a_revision_is_reserved_like_an_attempt(place: Path) -> None:
    store, worker = reviewed(place, budget={"usd": 1})
    end(worker, 0.3, "0")
    told = judged(worker, "revise", 0.01)
    assert told[1] == "revise"
    assert b"ORKESTRA_MAX_USD=0.500000" in (worker.ticket / "env").read_bytes()
    store.kill()


# --- the day, over all projects ---------------------------------------------------------------------


def test_the_day_is_one_for_all_projects(place: Path) -> None:
    three = ({"id": "a"}, {"id": "b"}, {"id": "c"})
    one, other = bots(place), bots(place, *three, name="q", id="ba9876543210")
    other.config = one.config
    day = {"ORKESTRA_DAY_USD": "1.00"}
    with spending.locked(one.config) as folder:
        line = {"project": "x", "agent": "y", "kind": "work", "seconds": 1, "tokens": None, "basis": "told"}
        spending.append(folder, {**line, "at": spending.midnight(), "usd_micros": 100_000})
        spending.append(folder, {**line, "at": "2001-01-01T00:00:00Z", "usd_micros": 5_000_000})
    first = one.start(**day)
    worker = Worker(first)
    assert worker.claim()[1] == "task" and reserved(one) == [{"usd": 900_000}]
    second = other.start(**day)
    assert Worker(second).claim()[1] == "stop"
    code, text = said(second)
    assert code == "75" and "$0.10 are spent, $0.90 are reserved, nothing is left" in text
    assert "raise ORKESTRA_DAY_USD" in text and "(next_run_at " in text
    second.end()
    worker.client.ask("base", one.head)
    end(worker, 0.2)
    assert json.loads((folder / "reserved.json").read_text()) == {}
    second = other.start(**day)
    claimed = Worker(second)
    assert claimed.claim()[1] == "task" and reserved(other) == [{"usd": 200_000}]
    worker.client.ask("failed", "broken")
    assert worker.claim()[1] == "task" and reserved(one)[1:] == [{"usd": 200_000}]
    first.kill()  # what it had reserved is free
    more = [Worker(second, name) for name in ("w2", "w3")]
    assert [one.claim()[1] for one in more] == ["task", "task"]
    second.kill()


def test_what_a_clone_knows_of_the_project_is_in_its_records(place: Path) -> None:
    found = bots(place, {"id": "a"}, budget={"usd": 1})
    store = found.start()
    worker = Worker(store)
    worker.claim()
    worker.client.ask("base", found.head)
    end(worker, 0.9, "0")
    worker.change({"x.txt": b"x"})
    worker.judge()
    assert worker.vote(("lint", 0, "fine"))[1] == "approve"
    worker.land()
    store.end()
    (found.path / "logs/execution/task-execution.log").unlink()
    (found.config / "RUNTIME" / spending.FILE).unlink()
    found.write_queue([{"id": "a", "agent": "bot"}, {"id": "b", "agent": "bot"}])
    store = found.start()
    worker = Worker(store)
    assert worker.claim()[2] == "b" and reserved(found) == [{"usd": 100_000}]
    store.kill()


# --- what a run would do ----------------------------------------------------------------------------


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_a_dry_run_says_order_agents_attempts_and_cost_and_does_nothing(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = bots(
        place,
        {"id": "last", "depends_on": ["first"], "max_attempts": 1},
        {"id": "first", "priority": "low", "budget": {"usd": 0.5}},
        {"id": "command", "agent": "shell", "command": "touch done"},
        {"id": "unknown", "agent": "other", "priority": "low"},
        {"id": "nobody", "agent": "absent"},
        budget={"usd": 2},
        agents=["bot"],
        committee={"reviewers": ["judge", "lint"]},
    )
    found.adapter("other", family="other", kind="ai", can=["work"])
    found.adapter("absent", probe="echo 'absent is not installed' >&2; exit 69", kind="ai", can=["work"])
    monkeypatch.setenv("ORKESTRA_HOME", str(found.folder))
    line = {"at": "2030-01-01T00:00:00Z", "project": "x", "seconds": 9, "basis": "told", "tokens": None}
    with spending.locked(found.config) as folder:
        for usd in range(100_000, 1_100_000, 100_000):
            spending.append(folder, {**line, "agent": "bot", "kind": "work", "usd_micros": usd})
            spending.append(folder, {**line, "agent": "judge", "kind": "ballot", "usd_micros": 20_000})
    (found.folder / "PROJECTS").mkdir()
    (found.config / "api-keys.env").chmod(0o600)
    assert main(["status", "--project", str(found.path)]) == 0  # a new home gets its examples
    capsys.readouterr()
    before = tree(place)
    assert main(["start", "--project", str(found.path), "--dry-run", "--max-cost", "1"]) == 0
    told = [text.split(" (")[0] for text in capsys.readouterr().out.splitlines()]
    assert tree(place) == before
    assert told[1:5] == [
        "   1  command  shell: 1 to 3 attempts, $0.02 to $0.06",
        "   2  first    bot: 1 to 3 attempts, $0.12 to $0.50",
        "   3  last     bot: 1 attempt, $0.12 to $0.92",
        "   4  unknown  other: 1 to 3 attempts, cost unknown",
    ]
    assert told[5:] == [
        "not now: nobody: no agent can work: absent: absent is not installed",
        "in all: 4 tasks, 4 to 10 attempts, $0.26 to $1.48, and 1 of unknown cost",
        "the budget of the project is $2.00, $0.00 are spent",
        "--max-cost is $1.00, $0.00 are spent",
        "nothing was done, and no model was asked: this was a dry run",
    ]


def test_a_dry_run_of_some_tasks_and_of_none(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = bots(place, {"id": "a"}, {"id": "b", "depends_on": ["a"]}, {"id": "c", "status": "cancelled"})
    assert main(["start", "--project", str(found.path), "--dry-run", "--only", "a"]) == 0
    told = capsys.readouterr().out
    assert "not now: a: no agent can work: bot: no adapter is called 'bot'" in told and "a, b" not in told
    assert "nothing would be done" in told
    assert main(["start", "--project", str(found.path), "--dry-run", "--only", "x"]) == 65
    assert main(["start", "--project", str(found.path), "--dry-run", "--max-cost", "x"]) == 64


def test_status_says_what_was_spent(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = bots(place, {"id": "a"}, {"id": "b"}, budget={"usd": 2})
    store = found.start()
    worker = Worker(store)
    worker.claim()
    worker.client.ask("base", found.head)
    end(worker, 0.5, "0")
    worker.change({"x.txt": b"x"})
    worker.judge()
    assert worker.vote(("lint", 0, "fine"))[1] == "approve"
    worker.land()
    worker.client.send("claim")
    assert worker.client.receive()[2] == "b"
    worker.client.ask("base", found.head)
    end(worker, None)
    store.kill()
    other = {"at": spending.midnight(), "project": "x", "agent": "y", "kind": "work", "seconds": 1}
    with spending.locked(found.config) as folder:
        spending.append(folder, {**other, "tokens": None, "usd_micros": 250_000, "basis": "told"})
        spending.append(folder, {**other, "at": "2001-01-01T00:00:00Z", "tokens": None, "basis": "unknown"})
    own = {"PYTHONPATH": str(ROOT), "ORKESTRA_HOME": str(found.folder), "ORKESTRA_DAY_USD": "5"}
    command = [sys.executable, "-m", "orkestra_shim", "status", "--project", str(found.path)]
    done = subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True, check=True)
    told = done.stdout.splitlines()
    assert told[-3:] == [
        "spent          today $0.75, 500,000 tokens, 1 of unknown cost (all projects); "
        "this project $0.50, 500,000 tokens, 1 of unknown cost",
        "budget         the budget of the project is $2.00, $0.50 are spent",
        "budget         the budget of a day is $5.00, $0.75 are spent",
    ]
