"""What agents spent: prices, what a tool's own account of its work comes to, and where it is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orkestra_shim import evidence, prices, spending
from orkestra_shim.errors import OrkestraError
from orkestra_shim.prices import Prices, Usage
from orkestra_shim.spending import Day, Total
from store_client import Project, Store, Worker, git

PRICES = Prices(
    {
        "m": {"input": 3_000_000, "cached_input": 300_000, "cache_write": 3_750_000, "output": 15_000_000},
        "plain": {"input": 1_000_000, "output": 2_000_000},
        "cheap": {"input": 1, "output": 0},
        "free": {"input": 0, "output": 0},
    }
)
MINE = {"format": prices.FORMAT, "date": "2030-01-01", "source": "my contract"}


@pytest.mark.parametrize(
    ("model", "usage", "micros"),
    [
        (
            "m",
            Usage(1_000_000, 1_000_000, 1_000_000, 1_000_000),
            3_000_000 + 300_000 + 3_750_000 + 15_000_000,
        ),
        ("m", Usage(9159, 0, 0, 31), 27_942),
        ("plain", Usage(10, 20, 30, 40), 140),
        ("cheap", Usage(1), 1),  # a broken micro-dollar is a whole one
        ("free", Usage(5, 5, 5, 5), 0),
        ("openai/plain", Usage(10), 10),
        ("azure/openai/plain", Usage(10), 10),
        ("m-20300101", Usage(10), 30),
        ("x/m@2030-01-01", Usage(10), 30),
        ("m[1m]", Usage(10), 30),
        ("m-latest", Usage(10), 30),
        ("m-mini", Usage(10), None),
        ("mm", Usage(10), None),
        ("", Usage(10), None),
    ],
)
def test_price_of_tokens(model: str, usage: Usage, micros: int | None) -> None:
    assert PRICES.of(model, usage) == micros


def test_the_shipped_table_and_the_users_own(tmp_path: Path) -> None:
    shipped = prices.load(tmp_path)
    table = json.loads((Path(prices.__file__).parent / prices.FILE).read_text("utf-8"))
    assert table["source"] and table["date"] >= "2026" and len(table["models"]) > 50
    assert all(price["output"] >= price["input"] > 0 for price in table["models"].values())
    assert shipped.of("gpt-5.1-codex", Usage(1_000_000)) == 1_250_000
    assert shipped.of("my-model", Usage(1)) is None
    mine = {"my-model": {"input": 7_000_000, "output": 0}, "gpt-5.1-codex": {"input": 0, "output": 0}}
    (tmp_path / prices.FILE).write_text(json.dumps({**MINE, "models": mine}), "utf-8")
    both = prices.load(tmp_path)
    assert both.of("my-model", Usage(2)) == 14
    assert both.of("gpt-5.1-codex", Usage(1_000_000)) == 0
    assert both.of("gpt-5-mini", Usage(1_000_000)) == 250_000


@pytest.mark.parametrize(
    ("table", "word"),
    [
        ("{", "not valid JSON"),
        ({"format": "x"}, "format"),
        ({"format": prices.FORMAT, "source": "s"}, "date"),
        ({"format": prices.FORMAT, "date": "d"}, "source"),
        ({**MINE, "models": []}, "models"),
        ({**MINE, "models": {"x": {"input": 1}}}, "price of x"),
        ({**MINE, "models": {"x": {"input": 1.5, "output": 1}}}, "price of x"),
        ({**MINE, "models": {"x": {"input": -1, "output": 1}}}, "price of x"),
        ({**MINE, "models": {"x": {"input": 1, "output": 1, "inptu": 1}}}, "price of x"),
    ],
)
def test_a_table_that_is_none_is_refused_with_its_place(tmp_path: Path, table: object, word: str) -> None:
    (tmp_path / prices.FILE).write_text(table if isinstance(table, str) else json.dumps(table), "utf-8")
    with pytest.raises(OrkestraError) as error:
        prices.load(tmp_path)
    assert error.value.code == 78 and prices.FILE in error.value.message and word in error.value.message


def result(**raw: Any) -> evidence.Result:
    return evidence._parsed(raw, 0)


@pytest.mark.parametrize(
    ("raw", "subscription", "expected"),
    [
        ({"usage": {"input": 10, "output": 1}, "cost_usd_micros": 77, "model": "m"}, False, (11, 77, "told")),
        ({"usage": {"input": 10, "output": 1}, "model": "m"}, False, (11, 45, "table")),
        ({"usage": {"input": 10, "output": 1}}, False, (11, 12, "table")),  # the model of the agent's name
        ({"usage": {"input": 10, "output": 1}, "model": "new"}, False, (11, None, "unknown")),
        # A tool that does not know its model's price says 0.
        ({"usage": {"input": 10, "output": 1}, "cost_usd_micros": 0, "model": "m"}, False, (11, 45, "table")),
        ({"usage": {"output": 1}, "cost_usd_micros": 0, "model": "new"}, False, (1, None, "unknown")),
        ({"usage": {"input": 3, "output": 4}, "model": "free"}, False, (7, 0, "table")),
        ({"usage": {"input": 0, "output": 0}, "cost_usd_micros": 0}, False, (None, 0, "told")),
        ({}, False, (None, None, "unknown")),
        ({"usage": {"input": 0}, "cost_usd_micros": None}, False, (None, None, "unknown")),
        ({"usage": {"input": -5, "output": "many", "cache_read": 2.5}}, False, (None, None, "unknown")),
        ({"usage": [1], "cost_usd_micros": True}, False, (None, None, "unknown")),
        ({"usage": {"input": 10, "output": 1}, "model": "m"}, True, (11, 45, "subscription")),
        ({"usage": {"input": 10, "output": 1}, "model": "new"}, True, (11, None, "subscription")),
        ({"usage": {"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 4, "total_tokens": 7}},
         False, (7, 9, "table")),
    ],
)  # fmt: skip
def test_what_a_tools_account_comes_to(
    raw: dict[str, Any], subscription: bool, expected: tuple[int | None, int | None, str]
) -> None:
    cost = spending.cost(result(**raw), PRICES, "plain", subscription)
    assert (cost.tokens, cost.usd_micros, cost.basis) == expected
    told = cost.told()
    assert told["usd_micros"] == (0 if subscription else expected[1] or 0)
    assert told.get("notional_usd_micros") == (expected[1] if subscription else None)


CLAUDE = {"claudeAiOauth": {"accessToken": "a", "refreshToken": "b"}}
CODEX = {"OPENAI_API_KEY": None, "tokens": {"id_token": "x", "access_token": "y", "refresh_token": "z"}}
STORED_KEY = {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-x", "tokens": None}


@pytest.mark.parametrize(
    ("login", "keys", "prefers_key", "subscription"),
    [
        (CLAUDE, [], False, True),
        (CLAUDE, ["ANTHROPIC_API_KEY"], False, True),
        (CLAUDE, ["ANTHROPIC_API_KEY"], True, False),
        (CODEX, [], True, True),
        (STORED_KEY, [], False, False),
        (None, ["ANTHROPIC_API_KEY"], False, False),
        (None, ["CLAUDE_CODE_OAUTH_TOKEN"], False, True),
        (None, ["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"], False, True),
        (None, ["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN"], True, False),
        (None, [], False, False),
    ],
)
def test_whether_a_subscription_is_used(
    tmp_path: Path, login: object, keys: list[str], prefers_key: bool, subscription: bool
) -> None:
    files = [tmp_path / "login.json", tmp_path / "missing"]
    if login:
        files[0].write_text(json.dumps(login), "utf-8")
    assert spending.is_subscription(files, keys, prefers_key) is subscription


# --- the file ---------------------------------------------------------------------------------------


def line(at: str = "2030-01-01T00:00:00Z", **fields: Any) -> dict[str, Any]:
    plain = {"at": at, "project": "p", "agent": "bot", "seconds": 5, "basis": "told", "usd_micros": 10}
    return {**plain, "tokens": {"input": 1, "cached": 2, "output": 3}, **fields}


def test_sums_say_what_is_not_in_them() -> None:
    day = Day()
    for one in (
        line(),
        line(basis="table", seconds=None),
        line(project="q", basis="unknown", usd_micros=None, tokens=None),
        line(agent="other", basis="subscription", usd_micros=7),
    ):
        day.add(one)
    assert day.all == Total(20, 7, 18, 15, 1)
    assert (day.projects["q"], day.agents["other"]) == (Total(0, 0, 0, 5, 1), Total(0, 7, 6, 5, 0))
    assert (
        day.all.words() == "$0.00002, by subscription what would be $0.000007, 18 tokens, 1 of unknown cost"
    )
    assert Total(1_234_567_890, 0, 1000).words() == "$1,234.57, 1,000 tokens" and Total().words() == ""


def test_lines_are_read_on_and_a_half_one_is_mended(tmp_path: Path) -> None:
    book = spending.Book(tmp_path)
    assert book.new() == []
    with spending.locked(tmp_path) as folder:
        spending.append(folder, line(agent="ä"))
    file = folder / spending.FILE
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one["agent"] for one in book.new() or ()] == ["ä"] and book.new() == []
    with file.open("ab") as half:
        half.write(b'{"at": "2030')
    assert book.new() == []
    with spending.locked(tmp_path):
        spending.append(folder, line(agent="b"))
    assert [one["agent"] for one in book.new() or ()] == ["b"]
    assert [one["agent"] for one in spending.read(tmp_path)] == ["ä", "b"]
    file.unlink()
    assert book.new() is None and book.new() == []


def test_the_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spending, "_MOST", 4000)
    monkeypatch.setattr(spending, "_KEPT", 2000)
    book = spending.Book(tmp_path)
    with spending.locked(tmp_path) as folder:
        for number in range(100):
            spending.append(folder, line(usd_micros=number))
            if number == 10:
                assert len(book.new() or ()) == 11
    found = spending.read(tmp_path)
    assert (folder / spending.FILE).stat().st_size <= 4000 + 200
    assert [one["usd_micros"] for one in found] == list(range(100 - len(found), 100)) and len(found) > 5
    assert book.new() is None and book.new() == found


def test_a_day_is_that_of_this_place(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        now = 1_793_515_000.0  # on the day the clocks go back
        assert spending.midnight(now) == "2026-11-01T04:00:00Z"
        assert spending.next_midnight(now) == 1_793_505_600 + 25 * 3600
    finally:
        monkeypatch.setenv("TZ", "UTC")
        time.tzset()


# --- a run ------------------------------------------------------------------------------------------


def with_bot(place: Path, **settings: Any) -> Project:
    task = {"id": "a", "title": "Do a", "agent": "bot:m"}
    committee = {"reviewers": ["judge", "lint"]}
    project = Project(place / "p", [task], committee=committee, **settings)
    project.adapter("bot", family="acme", kind="ai", can=["work"], env=["BOT_KEY"])
    project.adapter("judge", family="other", kind="ai", can=["ballot"])
    (project.config / "api-keys.env").write_text("BOT_KEY=a-key-of-the-bot-7c1e\n")
    mine = {"m": {"input": 1_000_000, "output": 2_000_000}}
    (project.config / prices.FILE).write_text(json.dumps({**MINE, "models": mine}), "utf-8")
    return project


def leave(folder: Path, **raw: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "result.json").write_text(json.dumps(raw), "utf-8")


def lines(project: Project) -> list[tuple[Any, ...]]:
    keys = ("task", "try", "agent", "kind", "usd_micros", "basis")
    return [tuple(one[key] for key in keys) for one in spending.read(project.config)]


def work(worker: Worker, code: str = "0", **raw: Any) -> list[str]:
    assert worker.claim()[1] == "task"
    assert worker.client.ask("base", worker.project.head)[0] == "ok"
    leave(worker.attempt, **raw)
    return worker.client.ask("worked", code, "3")


def test_attempts_and_ballots_are_told_to_log_file_vote_and_outcome(place: Path) -> None:
    project = with_bot(place)
    store = project.start()
    worker = Worker(store)
    assert work(worker, "1", error="broken", usage={"input": 100, "output": 50})[1] == "failed"
    assert worker.client.ask("failed", "broken")[1] == "again"
    assert work(worker, usage={"input": 10, "cache_read": 5, "output": 1}) == ["ok", "done"]
    worker.change({"x.txt": b"x"})
    assert worker.judge() == ["ok", "pass"]
    opened = worker.client.ask("vote-open", worker.base, worker.tree, worker.patch)
    vote = Path(opened[3])
    leave(vote / "judge" / "out", ballot={"choice": "approve", "reason": "fine", "confidence": 50},
          cost_usd_micros=400, usage={"input": 20, "output": 2})  # fmt: skip
    (vote / "ballots.tsv").write_text("judge\t0\t\nlint\t0\tfine\n")
    assert worker.client.ask("vote-close", opened[2]) == ["ok", "approve"]
    worker.land()
    store.end()
    assert lines(project) == [
        ("a", 1, "bot:m", "work", 200, "table"),
        ("a", 2, "bot:m", "work", 17, "table"),
        ("a", 2, "judge", "ballot", 400, "told"),
    ]
    last = spending.read(project.config)[1]
    assert (last["project"], last["account_id"], last["model"]) == ("0123456789ab", "bot", "m")
    assert (last["seconds"], last["tokens"]) == (3, {"input": 10, "cached": 5, "output": 1})
    outcome = json.loads(git(project.path, "show", "main:logs/outcomes/outcome-001.json"))
    assert outcome["cost"] == {"usd_micros": 617, "tokens": 150 + 16 + 22, "seconds": 7}
    told = json.loads(git(project.path, "show", "main:logs/voting/vote-001.json"))["cost"]
    assert told == {"usd_micros": 400, "notional_usd_micros": 0, "tokens": 22, "unknown": 0}


def test_what_was_cut_off_is_unknown_also_after_a_kill(place: Path) -> None:
    project = with_bot(place)
    store = project.start()
    worker = Worker(store)
    worker.claim()
    assert worker.client.ask("base", project.head)[0] == "ok"
    worker.client.close()  # the worker is gone
    second = Worker(store, "w2")
    second.claim()
    store.kill()  # before anybody was at work
    assert lines(project) == [("a", 1, "bot:m", "work", None, "unknown")]
    third = Worker(project.start())
    assert lines(project) == [("a", 1, "bot:m", "work", None, "unknown")]
    third.claim()
    assert third.client.ask("base", project.head)[0] == "ok"
    third.store.kill()
    store = project.start()
    assert lines(project)[1:] == [("a", 3, "bot:m", "work", None, "unknown")]
    store.end()
    project.start().end()  # said once
    assert len(lines(project)) == 2
    cut_off = [one for one in project.journal() if one["event"] == "interrupted"]
    assert [(one["basis"], one["agent"]) for one in cut_off] == [("unknown", "bot:m")] * 2


def test_whoever_was_turned_away_spent_nothing(place: Path) -> None:
    project = with_bot(place)
    store = project.start()
    worker = Worker(store)
    assert work(worker, "75", error="limit", usage={"input": 0, "output": 0})[1] == "limited"
    store.end()
    assert lines(project) == []
    assert "basis" not in next(one for one in project.journal() if one["event"] == "worked")


def test_a_subscription_is_counted_in_tokens(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = with_bot(place)
    project.adapter(
        "bot", family="acme", kind="ai", can=["work"], env=["BOT_KEY"], credentials=[".bot/login.json"]
    )
    login = place / "home" / ".bot" / "login.json"
    login.parent.mkdir()
    login.write_text('{"access_token": "a-token-of-the-bot-that-is-long-enough"}')
    store = Store(project, HOME=str(place / "home"))
    worker = Worker(store)
    work(worker, "1", error="broken", usage={"input": 100, "output": 50})
    store.end()
    assert lines(project) == [("a", 1, "bot:m", "work", 200, "subscription")]
    worked = next(one for one in project.journal() if one["event"] == "worked")
    assert (worked["tokens"], worked["usd_micros"], worked["notional_usd_micros"]) == (150, 0, 200)


def test_a_command_costs_nothing_and_is_not_kept(place: Path) -> None:
    project = Project(place / "p", [{"id": "a", "title": "a", "agent": "shell", "command": "true"}])
    store = project.start()
    worker = Worker(store)
    worker.claim()
    worker.whole({"x.txt": b"x"})
    store.end()
    assert not (project.config / "RUNTIME").exists()
    assert "basis" not in next(one for one in project.journal() if one["event"] == "worked")
