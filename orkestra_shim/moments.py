"""Time: moments that a person names, and time that passes whatever somebody does to the clock."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta

from .errors import EX_USAGE, OrkestraError


def passed() -> float:
    """Seconds since some moment; goes on while the machine sleeps, and no change of the clock moves it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def next_moment(text: str, now: datetime | None = None) -> float:
    """The epoch second that `07:00` (the next time it is that late here) or an ISO time means.

    An ISO time without an offset is local. Raises 64 for anything else, and for a time that is over.
    """
    now = now or datetime.now()
    found = re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", text)
    if found:
        moment = now.replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0)
        return (moment if moment > now else moment + timedelta(days=1)).timestamp()
    try:
        if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]", text):
            raise ValueError
        moment = datetime.fromisoformat(re.sub(r"[zZ]\Z", "+00:00", text))
    except ValueError:
        raise OrkestraError(
            EX_USAGE, f"{text[:80]!r} is no time", "such as 07:00 or 2030-01-31T07:00"
        ) from None
    if moment.timestamp() <= now.timestamp():
        raise OrkestraError(EX_USAGE, f"{text[:80]} is over", "give a time that is to come, such as 07:00")
    return moment.timestamp()


class Deadline:
    """A moment by the clock that is never later than it was when it was made, whatever the clock does."""

    def __init__(self, epoch: float) -> None:
        self.epoch = epoch
        self._end = passed() + epoch - time.time()

    def left(self) -> float:
        """Seconds until then; 0 from then on."""
        return max(0.0, min(self._end - passed(), self.epoch - time.time()))
