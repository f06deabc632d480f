"""When a limited account may be used again, read from the words of a tool's own limit message.

Only a line that a tool itself marked as an error comes here, never what a model wrote. The wordings, and
where they come from, are in tests/pytest/test_resets.py.
"""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_LIMIT = 4000  # characters of a message that are looked at
_WORDS = 12  # of what follows "again" or "resets"
_EPOCH = re.compile(r"(?:\||_at\W{1,4}|\bat )(\d{10})(?:\d{3})?(?!\d)")
_SECONDS = re.compile(r"retry[-_ ]?after\W{1,4}(\d{1,9})(?![\w:.-])|_(?:in|after)_seconds\W{1,4}(\d{1,9})")
# What a time is said of: "a limit of 60 requests in 1 minute" says nothing of when it ends.
_SAID = re.compile(
    r"\b(?:resets?|retry|again|wait|available|renews?|until)\b(?:[-_ ](?:after|delay|in|at|on|by|for)\b)*"
)
_END = re.compile(r"[;\n]|[.!?](?!\d)(?!\s*m\b)(?<![ap]\.m\.)")
_PLACE = re.compile(r"\b[A-Z][A-Za-z]+(?:/[A-Z][A-Za-z_+-]+){1,2}\b")
_PLACES = {
    "pacific": "America/Los_Angeles",
    "mountain": "America/Denver",
    "central": "America/Chicago",
    "eastern": "America/New_York",
}
_SPOKEN = re.compile(rf"\b({'|'.join(_PLACES)})(?: standard| daylight)?(?: time)?\b", re.IGNORECASE)
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PART = re.compile(
    r"(\d{1,9}(?:\.\d{1,9})?|\ban?|\bone)[\s-]?"
    r"((?:ms|msec|s|m|h|d|w|sec|min|hr|(?:millisecond|second|minute|hour|day|week))s?)(?![a-z])\.?\s*(?:and\s+)?",
    re.IGNORECASE,
)
_NAMED = re.compile(r"\b(?:midnight|noon)\b", re.IGNORECASE)
_MONTH = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DATED = re.compile(
    rf"\d{{4}}-\d\d-\d\d|\b{_MONTH}\.?\s\d|\d\s{_MONTH}|\b(?:tomorrow|[mtwfs][a-z]{{1,5}}day)\b",
    re.IGNORECASE,
)
_BEGINS = re.compile(
    rf"\d|(?:an?|one|tomorrow|noon|midnight|{_MONTH}\.?|[mtwfs][a-z]{{1,5}}day)$", re.IGNORECASE
)
_OF_MODEL = re.compile(
    r"\b(?:your|the) (?:weekly |5-hour |hourly |daily )?(?:opus|sonnet|haiku)\b(?: weekly)? (?:usage )?limit"
    r"|\b(?:capacity|quota|limit)s? (?:on|for|of) th(?:is|e selected) model\b"
    r"|\bthis model('s)? (?:usage |rate )?limit"
    r"|\bselected model is at capacity\b|\bthe model is (?:currently )?overloaded\b"
    r"|\brate limit reached for [\w./:-]+ (?:\(.{0,80}\) )?(?:in|on) "
    r"|\bquota exceeded for metric\b.{0,400}\bmodel: [\w./-]+",
    re.IGNORECASE | re.DOTALL,
)
_TIMED = re.compile(r"\d:\d\d|\d\s?[ap]\.?m\b|\b(?:midnight|noon)\b", re.IGNORECASE)


def read(message: str, now: datetime) -> int | None:
    """The epoch second that a limit message names, None when it names none.

    now carries the local zone. A duration counts from now. A time without a date is the next such time in
    the zone that is named, else in the local one; a date without a year is the next such date.
    """
    message = message[:_LIMIT]
    if found := _EPOCH.search(message.lower()):
        return int(found[1])
    if found := _SECONDS.search(message.lower()):
        return math.ceil(now.timestamp()) + int(found[1] or found[2])
    for said in _SAID.finditer(message.lower()):
        rest = message[said.end() :]
        end = _END.search(rest)
        moment = _moment(rest[: end.start()] if end else rest, now)
        if moment is not None:
            return moment
    return None


def is_of_model(message: str) -> bool:
    """Whether a limit message speaks of one model; of the account where it does not say so."""
    return bool(_OF_MODEL.search(message[:_LIMIT]))


def _moment(words: str, now: datetime) -> int | None:
    """What the words begin with: the most of them that is a moment."""
    words, zone = _zone(words, now)
    parts = re.sub(r"[()\[\]{}\"',·~]", " ", words).split()[:_WORDS]
    while parts and not _BEGINS.match(parts[0]):
        parts = parts[1:]
    seconds = _duration(" ".join(parts))
    if seconds is not None:
        return math.ceil(now.timestamp() + seconds)
    for length in range(len(parts), 0, -1):
        moment = _parsed(" ".join(parts[:length]), zone, now)
        if moment is not None:
            return moment
    return None


def _duration(words: str) -> float | None:
    """The sum of the parts that the words begin with: "2 days 17 hours", "13h27m5s", "an hour, 5 min"."""
    seconds, at = 0.0, 0
    while found := _PART.match(words, at):
        number, unit = found[1].lower(), found[2].lower()
        seconds += (1.0 if number.isalpha() else float(number)) * _UNITS[
            "ms" if unit.startswith(("ms", "mil")) else unit[0]
        ]
        at = found.end()
    return seconds if at else None


def _zone(words: str, now: datetime) -> tuple[str, tzinfo | None]:
    """The zone that is named in words (UTC and the like are left to the parser), and the words without it."""
    for pattern in (_PLACE, _SPOKEN):
        if found := pattern.search(words):
            try:
                zone = ZoneInfo(_PLACES.get(found[0].split()[0].lower(), found[0]))
            except (ZoneInfoNotFoundError, ValueError, OSError):
                continue
            return f"{words[: found.start()]} {words[found.end() :]}", zone
    return words, now.tzinfo


def _parsed(words: str, zone: tzinfo | None, now: datetime) -> int | None:
    if not (_DATED.search(words) or _TIMED.search(words)):
        return None  # a number alone is no moment
    import dateparser  # type: ignore[import-untyped]  # half a second, and only a limit needs it

    here = now.astimezone(zone).replace(tzinfo=None)
    spoken = _NAMED.sub(lambda found: "00:00" if found[0].lower() == "midnight" else "12:00", words)
    # `here` is the zone's own time; the parser's look at the machine's fails where TZ is no zone's name.
    settings = {"PREFER_DATES_FROM": "future", "RELATIVE_BASE": here, "TIMEZONE": "UTC"}
    moment: datetime | None = dateparser.parse(spoken, languages=["en"], settings=settings)
    if moment is None:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    if not _DATED.search(words):
        # The next such time: the parser went by the local day, another zone may have been named.
        day = timedelta(days=1)
        if moment <= now:
            moment += day
        elif moment - day > now:
            moment -= day
    return math.ceil(moment.timestamp())
