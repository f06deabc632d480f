"""Limits of accounts: one file for all projects and runs, whatever stands in it or the clock does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orkestra_shim import cooldowns, moments, resets
from orkestra_shim.cooldowns import LONGEST, UNSAID, Cooldowns, Limit
from store_client import ROOT

HOUR = 3600


class Time:
    """A wall clock and time that passes, each moved by itself."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.wall, self.gone = float(int(time.time())), 1000.0
        patch.setattr(time, "time", lambda: self.wall)
        patch.setattr(moments, "passed", lambda: self.gone)

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.gone += seconds

    @property
    def now(self) -> int:
        return int(self.wall)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


class Home:
    """CONFIG/RUNTIME, and what its stores say."""

    def __init__(self, place: Path) -> None:
        self.runtime = place / "CONFIG" / "RUNTIME"
        self.said: list[str] = []

    @property
    def file(self) -> Path:
        return self.runtime / cooldowns.FILE

    def store(self) -> Cooldowns:
        return Cooldowns(self.runtime, self.said.append)

    def write(self, data: object) -> None:
        self.runtime.mkdir(parents=True, exist_ok=True)
        self.file.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())


@pytest.fixture
def home(place: Path) -> Home:
    return Home(place)


# --- one file for all ---------------------------------------------------------------------------------------


def test_a_limit_holds_for_every_store_and_every_model_of_its_account(home: Home, clock: Time) -> None:
    one, other = home.store(), home.store()
    assert other.left("claude", "") == 0
    assert one.note("claude", "", clock.now + HOUR, "come back") == clock.now + HOUR
    clock.passes(1)  # the other looks once a second at most
    for model in ("", "opus"):
        assert one.left("claude", model) == other.left("claude", model) == HOUR - 1
    assert other.left("claude@work", "") == other.left("codex", "") == 0
    found = other.of("claude", "opus")
    assert found and (found.name, found.why) == ("claude", "come back")
    assert home.file.stat().st_mode & 0o777 == 0o600 and not home.said
    clock.passes(HOUR)
    assert not one.left("claude", "") and not other.left("claude", "")


def test_what_has_passed_is_dropped_from_the_file(home: Home, clock: Time) -> None:
    store = home.store()
    store.note("claude", "", clock.now + 60, "a")
    clock.passes(61)
    store.note("codex", "", clock.now + 60, "b")
    assert list(json.loads(home.file.read_text())["limits"]) == ["codex"]


def test_a_limit_of_a_model_leaves_the_other_models_of_its_account(home: Home, clock: Time) -> None:
    store = home.store()
    store.note("claude@work", "opus", clock.now + HOUR, "opus is at its end", of_model=True)
    store.note("gemini", "", clock.now + HOUR, "this model is at its end", of_model=True)
    again = home.store()
    assert again.left("claude@work", "opus") and not again.left("claude@work", "")
    assert not again.left("claude@work", "sonnet") and not again.left("claude", "opus")
    assert again.left("gemini", "") and not again.left("gemini", "flash")
    found = again.of("claude@work", "opus")
    assert found and found.name == "claude@work:opus"
    store.note("claude@work", "opus", clock.now + 60, "and all of it")
    assert store.left("claude@work", "sonnet") == 60 and store.left("claude@work", "opus") == HOUR


def test_a_person_ends_a_rest_and_the_run_hears_of_it(home: Home, clock: Time) -> None:
    store = home.store()
    store.note("claude", "opus", clock.now + HOUR, "a", of_model=True)
    store.note("claude", "", clock.now + HOUR, "b")
    store.note("codex", "", clock.now + HOUR, "c")
    assert [one.why for one in cooldowns.end(home.runtime, "claude")] == ["a", "b"]
    assert cooldowns.end(home.runtime, "claude") == []
    clock.passes(1)
    assert not store.left("claude", "opus") and store.left("codex", "")


WRITER = """
import sys, time
from pathlib import Path
from orkestra_shim.cooldowns import Cooldowns
store = Cooldowns(Path(sys.argv[1]), sys.stderr.write)
sys.stdin.readline()
for number in range(20):
    store.note(f"{sys.argv[2]}{number}", "", int(time.time()) + 3600, "full")
    store.note("shared", "", int(time.time()) + 3600 + number, "full")
"""


def test_forty_tasks_of_two_stores_that_meet_limits_at_once_lose_none(home: Home) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(home.runtime), name],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            text=True,
        )
        for name in ("a", "b")
    ]
    for one in writers:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    assert [one.communicate(timeout=60)[1] for one in writers] == ["", ""]
    found, wrong = cooldowns.read(home.runtime)
    assert not wrong and len(found) == 41
    assert sorted(home.runtime.iterdir()) == [home.file, home.runtime / "limits.lock"]


def test_a_look_is_one_stat_a_second(home: Home, clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    store = home.store()
    store.note("claude", "", clock.now + HOUR, "a")
    clock.passes(1)
    store.left("claude", "")
    looks: list[object] = []
    real = os.lstat
    monkeypatch.setattr(os, "lstat", lambda path: (looks.append(path), real(path))[1])
    monkeypatch.setattr(cooldowns, "_written", lambda _: pytest.fail("the file has not changed"))
    for _ in range(30):
        clock.passes(0.1)
        for _ in range(100):
            store.left("claude", "")
    assert 3 <= len(looks) <= 4


# --- time ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("until", "rests"),
    [(0, UNSAID), (-5, UNSAID), (1, 1), (10**12, LONGEST), (1 << 52, LONGEST)],
    ids=["unsaid", "negative", "over", "milliseconds", "absurd"],
)
def test_an_absurd_end_is_clamped(home: Home, clock: Time, until: int, rests: int) -> None:
    assert home.store().note("claude", "", until, "limit") == clock.now + rests
    assert home.store().left("claude", "") == rests


def test_a_year_is_no_rest(home: Home, clock: Time) -> None:
    year = clock.now + 365 * 86400
    assert home.store().note("claude", "", year, "in a year") == clock.now + LONGEST
    home.write({"version": 1, "limits": {"claude": [{"model": None, "at": clock.now, "until": year}]}})
    assert home.store().left("claude", "") == LONGEST


@pytest.mark.parametrize("jump", [-400 * 86400, -86400, 86400, 400 * 86400])
def test_a_clock_that_jumps_does_not_move_what_a_run_knows(home: Home, clock: Time, jump: int) -> None:
    store = home.store()
    store.note("claude", "", clock.now + HOUR, "a")
    clock.wall += jump
    clock.passes(2)
    assert store.left("claude", "") == HOUR - 2
    store.note("codex", "", clock.now + 60, "b")  # the file is written anew, and read
    assert store.left("claude", "") == HOUR - 2 or jump > 0
    clock.passes(HOUR)
    assert not store.left("claude", "")


def test_a_clock_that_was_set_back_makes_no_rest_longer_for_the_next_run(home: Home, clock: Time) -> None:
    home.store().note("claude", "", clock.now + HOUR, "a")
    clock.wall -= 6 * 86400
    assert home.store().left("claude", "") == HOUR


def test_who_is_limited_after_each_rest_rests_longer_each_time(home: Home, clock: Time) -> None:
    store, rests = home.store(), []
    for _ in range(12):
        for _ in range(40):  # at the same moment
            store.note("claude", "", 1, "slow down")
        rests.append(store.left("claude", ""))
        clock.passes(rests[-1])
    assert rests == [1, 5, 10, 20, 40, 80, 160, 300, 300, 300, 300, 300]
    store.answered("claude", "")
    store.note("claude", "", 1, "slow down")
    assert store.left("claude", "") == 1


# --- what somebody else has written -------------------------------------------------------------------------

GOOD = {"model": None, "at": 1, "until": 2, "why": "x"}


def entry(clock: Time, **more: object) -> dict[str, object]:
    return {"model": None, "at": clock.now - 10, "until": clock.now + 60, "why": "x", **more}


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"\xff\xfe", b"[]", b"null", b'{"version": 2, "limits": {}}', b'{"version": 1}', b"[" * 9999],
)
def test_a_broken_file_is_said_once_and_replaced(home: Home, clock: Time, data: bytes) -> None:
    store = home.store()
    store.note("claude", "", clock.now + HOUR, "a")
    home.write(data)
    for _ in range(3):
        clock.passes(1)
        assert store.left("claude", "")  # what the run knew stays
    assert len(home.said) == 1 and "limits.json" in home.said[0]
    assert not home.store().left("claude", "")
    store.note("codex", "", clock.now + HOUR, "b")
    assert cooldowns.read(home.runtime)[1] == "" and store.left("claude", "")
    assert home.store().left("codex", "")


def test_entries_that_are_no_limits_are_passed_over_and_the_others_hold(home: Home, clock: Time) -> None:
    wrong = [
        entry(clock, at="1"), entry(clock, until=1.5), entry(clock, until=clock.now - 20),
        entry(clock, at=clock.now + 10**9, until=clock.now + 2 * 10**9), entry(clock, model="../x"),
        entry(clock, model=3), entry(clock, why=None), entry(clock, at=True), None, "x",
    ]  # fmt: skip
    limits: dict[str, object] = {"claude": [*wrong, entry(clock, why="\x1b[31mred\x00\x1b")]}
    limits |= {"../../etc": [entry(clock)], "claude:opus": [entry(clock)], "": [entry(clock)], "x": 3}
    home.write({"version": 1, "limits": limits})
    found, said = cooldowns.read(home.runtime)
    assert [(one.account, one.why) for one in found] == [("claude", "red")]
    assert f"{len(wrong) + 4} of its entries" in said


def test_no_flood_of_entries_is_taken_in(home: Home, clock: Time) -> None:
    home.write({"version": 1, "limits": {f"a{n}": [entry(clock, why="")] for n in range(3000)}})
    found, said = cooldowns.read(home.runtime)
    assert len(found) == 1000 and "2000 of its entries" in said
    home.write(b" " * (2 << 20))
    assert cooldowns.read(home.runtime)[0] == []


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_file_is_said_and_neither_followed_nor_waited_for(
    home: Home, clock: Time, kind: str
) -> None:
    home.runtime.mkdir(parents=True)
    target = home.runtime / "target"
    target.write_text("mine")
    make: dict[str, Callable[[], None]] = {
        "link": lambda: home.file.symlink_to(target),
        "pipe": lambda: os.mkfifo(home.file),
        "folder": home.file.mkdir,
    }
    make[kind]()
    store = home.store()
    assert not store.left("claude", "") and "is not a file" in home.said[0]
    assert store.note("claude", "", clock.now + HOUR, "a") == clock.now + HOUR
    assert store.left("claude", "") and target.read_text() == "mine"
    assert (home.store().left("claude", "") == 0) == (
        kind == "folder"
    )  # it cannot be replaced: this run knows
    clock.passes(5)
    assert store.left("claude", "")


@settings(max_examples=40)
@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps).map(str.encode)
)
def test_no_bytes_break_it(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    home = Home(tmp_path_factory.mktemp("home"))
    home.write(data)
    found, said = cooldowns.read(home.runtime)
    assert found == [] and said


# --- account or model ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "of_model"),
    [
        ("You've hit your limit · resets 3pm", False),
        ("You've hit your weekly limit", False),
        ("You've hit your Opus limit · resets 3pm", True),
        ("You've hit your weekly Sonnet limit", True),
        ("You have exhausted your capacity on this model. Your quota will reset after 2h", True),
        ("You have exhausted your daily quota on this model.", True),
        ("Quota exceeded for metric: x/requests, limit: 50, model: gemini-2.5-pro. Please retry in 9s", True),
        ("Rate limit reached for gpt-4.1 in organization org-x on tokens per min (TPM)", True),
        ("Selected model is at capacity. Please try a different model.", True),
        ("You exceeded your current quota, please check your plan and billing details.", False),
        ("You've hit your usage limit. Upgrade to Pro or try again in 2 hours", False),
        ("429 Too Many Requests", False),
        ("", False),
    ],
)
def test_whether_a_limit_is_the_models_alone_is_read_from_the_tools_words(
    message: str, of_model: bool
) -> None:
    assert resets.is_of_model(message) is of_model


def test_a_limit_tells_of_whom_it_is() -> None:
    whole, part = Limit("claude", None, 1, 2), Limit("claude", "opus", 1, 2)
    assert whole.holds_for("claude", "x") and part.holds_for("claude", "opus")
    assert not part.holds_for("claude", "") and not whole.holds_for("claude@x", "")
