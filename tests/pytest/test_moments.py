"""Moments that a person names, and deadlines over which the clock has no power."""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from orkestra_shim import moments
from orkestra_shim.errors import OrkestraError

NOW = datetime(2026, 3, 28, 8, 0)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("07:00", datetime(2026, 3, 29, 7, 0)),
        ("8:00", datetime(2026, 3, 29, 8, 0)),
        ("08:01", datetime(2026, 3, 28, 8, 1)),
        ("23:59", datetime(2026, 3, 28, 23, 59)),
        ("2026-04-01T00:00", datetime(2026, 4, 1)),
        ("2026-04-01 06:30:15", datetime(2026, 4, 1, 6, 30, 15)),
    ],
)
def test_the_next_moment(text: str, meant: datetime) -> None:
    assert moments.next_moment(text, NOW) == meant.timestamp()


def test_an_offset_counts() -> None:
    away = moments.next_moment("2026-04-01T02:00+02:00", NOW)
    assert away == moments.next_moment("2026-04-01T00:00Z", NOW) == 1775001600


def test_a_night_in_which_the_clocks_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        evening = datetime(2026, 3, 28, 22, 0)
        assert moments.next_moment("07:00", evening) - evening.timestamp() == 8 * 3600
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "text", ["", "x", "7", "24:00", "07:60", "2026-04-01", "1７:00", "2026-13-01T00:00", "07:00\n"]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(OrkestraError) as caught:
        moments.next_moment(text, NOW)
    assert caught.value.code == 64 and "07:00" in caught.value.hint


def test_a_time_that_is_over() -> None:
    with pytest.raises(OrkestraError) as caught:
        moments.next_moment("2026-03-28T07:59", NOW)
    assert caught.value.code == 64 and "is over" in caught.value.message


@pytest.mark.parametrize(("jump", "left"), [(0, 100), (-86400, 100), (60, 40), (86400, 0)])
def test_a_deadline_never_comes_later_than_it_was_meant(
    monkeypatch: pytest.MonkeyPatch, jump: int, left: int
) -> None:
    clock = time.time
    deadline = moments.Deadline(clock() + 100)
    monkeypatch.setattr(time, "time", lambda: clock() + jump)
    assert left - 2 <= deadline.left() <= left
