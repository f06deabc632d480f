"""Times for people: in their own zone; what is kept is UTC."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from .errors import EX_USAGE, OrkestraError
from .text import printable

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str, now: datetime | None = None) -> datetime:
    """A time as people say it, in UTC: yesterday, today, 8h, 22:00 (the last one), 2026-11-22, date and time.

    Without a zone it is the user's. Raises OrkestraError 64.
    """
    here = (now or datetime.now(timezone.utc)).astimezone()
    try:
        found = _moment(text.strip(), here)
    except (ValueError, OverflowError):
        found = None
    if found is None:
        raise OrkestraError(
            EX_USAGE,
            f"'{printable(text[:60])}' is no time",
            "such as: yesterday, 8h, 22:00, 2026-11-22, '2026-11-22 22:00'",
        )
    return found.astimezone(timezone.utc)


def _moment(text: str, here: datetime) -> datetime | None:
    if text in ("today", "yesterday"):
        return _at(here - timedelta(days=text == "yesterday"), 0, 0)
    if found := re.fullmatch(r"([0-9]{1,6}) ?([mhdw])", text):
        return here - timedelta(**{_UNITS[found[2]]: int(found[1])})
    if found := re.fullmatch(r"([0-9]{1,2}):([0-9]{2})", text):
        today = _at(here, int(found[1]), int(found[2]))
        return today if today <= here else _at(here - timedelta(days=1), int(found[1]), int(found[2]))
    if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        # Before Python 3.11 fromisoformat knows no Z.
        return datetime.fromisoformat(re.sub(r"Z\Z", "+00:00", text))
    return None


def _at(day: datetime, hour: int, minute: int) -> datetime:
    """That time of that day; the zone's offset is that day's."""
    return datetime(day.year, day.month, day.day, hour, minute).astimezone()


def shown(when: datetime) -> str:
    """In the user's zone, to the minute."""
    return when.astimezone().strftime("%Y-%m-%d %H:%M")


def length(seconds: float) -> str:
    """45 s, 12 min, 3 h 12 min, 2 d 3 h."""
    whole = max(0, int(seconds))
    if whole < 90:
        return f"{whole} s"
    if whole < 5400:
        return f"{round(whole / 60)} min"
    hours, minutes = divmod(round(whole / 60), 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} d {hours % 24} h"
