"""The words in which tools say when a limit ends, from their own output and their issue threads."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orkestra_shim import resets

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 3, 27, 8, 0, tzinfo=BERLIN)  # a Friday; 07:00 UTC; summer time begins on the 29th


def at(*parts: int, zone: str = "Europe/Berlin") -> int:
    return int(datetime(*parts, tzinfo=ZoneInfo(zone)).timestamp())  # type: ignore[arg-type,misc]


def after(**parts: float) -> int:
    return int(NOW.timestamp() + timedelta(**parts).total_seconds())


MOMENTS = {
    # codex
    "You've hit your usage limit. Upgrade to Pro (https://x.y/z), or try again at 10:53 AM.": at(
        2026, 3, 27, 10, 53
    ),
    "You've hit your usage limit. Try again at 7:15 AM.": at(2026, 3, 28, 7, 15),
    "You've hit your usage limit. Try again at Apr 2nd, 2026 4:07 PM.": at(2026, 4, 2, 16, 7),
    "You've hit your usage limit. Try again in 2 days 17 hours 5 minutes.": after(
        days=2, hours=17, minutes=5
    ),
    "You've hit your usage limit. Try again in 1 day 3 hours or upgrade.": after(days=1, hours=3),
    "Rate limit reached on requests per min (RPM): Limit 60, Used 60. Please try again in 20s.": after(
        seconds=20
    ),
    "Limit 10000 / min. Please try again in 6m0s. Visit https://platform.x/limits": after(minutes=6),
    "Rate limit reached. Please try again in 1.2s.": after(seconds=2),
    "Rate limit reached. Please try again in 240ms.": after(seconds=1),
    # claude
    "You've hit your session limit · resets 3pm (Europe/Berlin)": at(2026, 3, 27, 15),
    "You've hit your session limit · resets 4am (America/New_York)": at(
        2026, 3, 27, 4, zone="America/New_York"
    ),
    "You've hit your weekly limit · resets Apr 9, 5pm (UTC)": at(2026, 4, 9, 17, zone="UTC"),
    "You've hit your limit · resets Mar 29 at 9:30am (Asia/Kolkata)": at(
        2026, 3, 29, 9, 30, zone="Asia/Kolkata"
    ),
    "Claude AI usage limit reached|1774700000": 1774700000,
    "5-hour limit reached ∙ resets 11am": at(2026, 3, 27, 11),
    # gemini
    "You have exhausted your capacity. Your quota will reset after 13h27m5s.": after(
        hours=13, minutes=27, seconds=5
    ),
    "Quota exceeded for metric: generate_content_requests, limit: 250. Please retry in 27.3s.": after(
        seconds=28
    ),
    "Your quota resets at midnight Pacific Time.": at(2026, 3, 28, zone="America/Los_Angeles"),
    # copilot
    "You have exceeded your rate limit. Please try again in 2 hours.": after(hours=2),
    "Sorry, you've hit a rate limit that restricts the requests. Please try again in 45 minutes": after(
        minutes=45
    ),
    # general
    "Too many requests, retry-after: 120": after(seconds=120),
    '{"error": {"type": "usage_limit_reached", "resets_in_seconds": 3600}}': after(hours=1),
    '{"error": {"type": "usage_limit_reached", "resets_at": 1774710000}}': 1774710000,
    "limit will reset at 2026-03-28T00:00:00Z": at(2026, 3, 28, zone="UTC"),
    "available again on 2026-03-28 06:30:00 +0200": at(2026, 3, 28, 4, 30, zone="UTC"),
    "Try again tomorrow at 9am": at(2026, 3, 28, 9),
    "quota resets at 5:00 UTC": at(2026, 3, 28, 5, zone="UTC"),
    "try again in an hour": after(hours=1),
    "please wait about 3 minutes before the next request": after(minutes=3),
    "blocked until Monday 09:00": at(2026, 3, 30, 9),
}

NOTHING = [
    "",
    "429 Too Many Requests",
    "Rate limit: 60 requests per 1 minute, 3 tokens in 2 hours",
    "try again later",
    "Please try again.",
    "resets 25:99",
    "try again at " + "9" * 4000,
    "again " * 700,
    "retry with 3 of them",
]


@pytest.mark.parametrize(("message", "moment"), MOMENTS.items())
def test_the_moment_that_is_said(message: str, moment: int) -> None:
    assert resets.read(message, NOW) == moment


@pytest.mark.parametrize("message", NOTHING)
def test_no_moment_is_said(message: str) -> None:
    assert resets.read(message, NOW) is None


@given(st.integers(0, 6), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_durations_in_every_spelling(days: int, hours: int, minutes: int, seconds: int) -> None:
    parts = {"day": days, "hour": hours, "minute": minutes, "second": seconds}
    words = " ".join(f"{count} {unit}{'' if count == 1 else 's'}" for unit, count in parts.items() if count)
    short = "".join(f"{count}{unit[0]}" for unit, count in parts.items() if count)
    if words:
        moment = after(days=days, hours=hours, minutes=minutes, seconds=seconds)
        assert resets.read(f"You are limited. Try again in {words}.", NOW) == moment
        assert resets.read(f"Your quota will reset after {short}. Thank you", NOW) == moment


@given(st.integers(0, 23), st.integers(0, 59), st.integers(-11, 11))
def test_a_time_without_a_date_is_the_next_one_in_the_local_zone(
    hours: int, minutes: int, offset: int
) -> None:
    now = NOW.astimezone(timezone(timedelta(hours=offset)))
    moment = resets.read(f"try again at {hours % 12 or 12}:{minutes:02} {'PM' if hours > 11 else 'AM'}", now)
    assert moment is not None and 0 <= moment - now.timestamp() <= 86400
    said = datetime.fromtimestamp(moment, now.tzinfo)
    assert (said.hour, said.minute) == (hours, minutes)


@given(st.text(max_size=300))
def test_nothing_that_a_tool_says_breaks_it(text: str) -> None:
    for before in ("", "resets ", "try again at ", "in "):
        moment = resets.read(before + text, NOW)
        assert moment is None or type(moment) is int


def test_a_time_where_tz_is_no_zones_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "NOON+8")
        time.tzset()
        now = datetime(2026, 7, 3, 12, 0).astimezone()
        moment = resets.read("Your limit resets tomorrow at 3pm", now)
    time.tzset()
    assert moment is not None and datetime.fromtimestamp(moment, now.tzinfo).isoformat() == (
        "2026-07-04T15:00:00-08:00"
    )
