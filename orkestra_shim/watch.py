"""The queue file while a run goes on: which version was read, and whether there is a newer one."""

from __future__ import annotations

import os
import time

from . import canonical, files, jsonfile, queue
from .checkout import Checkout
from .keys import Keys

_Stamp = tuple[int, int, int]
EVERY = 1.0  # seconds between two looks when nothing else happens


class QueueFile:
    """The version last read, and whether there is a newer one."""

    def __init__(self, checkout: Checkout, known: Keys) -> None:
        self.path = checkout.path / queue.FILE
        self._checkout = checkout
        self._known = known
        self._seen: _Stamp | None = None
        self._looked = 0.0
        self._digest = ""

    def _stamp(self, descriptor: int | None = None) -> _Stamp | None:
        try:
            found = os.stat(self.path if descriptor is None else descriptor)
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def first(self) -> queue.Document:
        """The queue as the run begins: the checkout's file, or the branch's if the checkout is on another.

        Raises 65, also where it was removed from a checkout that is on the branch.
        """
        if self._checkout.on_branch():
            self._checkout.need(queue.FILE)
            self._seen = self._stamp()
        data, _ = self._checkout.read(queue.FILE)
        self._digest = canonical.sha256(data)
        text = jsonfile.decode(data, queue.FILE)
        del data  # a queue of 100,000 tasks is 60 MB of text
        self._known.need_none(text, queue.FILE)
        return queue.Document(text)

    def due(self) -> float:
        """Seconds until the next look is allowed."""
        return max(0.0, EVERY - (time.monotonic() - self._looked))

    def changed(self, now: bool = False) -> queue.Document | None:
        """A version not seen yet, or None. Looks at most once a second unless `now`. Raises 65."""
        if not now and self.due() > 0:
            return None
        self._looked = time.monotonic()
        stamp = self._stamp()
        if stamp is None or stamp == self._seen or not self._checkout.on_branch():
            return None
        try:
            with open(self.path, "rb") as file:
                # Of the file that is read: another may have come since, and this one may come back.
                self._seen = self._stamp(file.fileno())
                data = file.read()
        except OSError:
            return None
        digest = canonical.sha256(data)
        if digest == self._digest:
            return None
        self._digest = digest
        text = jsonfile.decode(data, queue.FILE)
        del data
        self._known.need_none(text, queue.FILE)
        return queue.Document(text)

    def wrote(self, digest: str) -> None:
        """We replaced the file ourselves: that version is known, whatever stands there at the next look."""
        self._digest, self._seen = digest, None

    def put(self, data: bytes) -> bool:
        """Replace the checkout's file, unless somebody has written it since it was last read.

        A checkout that is on another branch is left alone: that is no failure. Raises 73, and 65 where
        it was removed.
        """
        if not self._checkout.on_branch():
            return True
        self._checkout.need(queue.FILE)
        with self._checkout.queue_lock():
            if not files.replace_known(self.path, data, lambda old: canonical.sha256(old) == self._digest):
                return False
        self.wrote(canonical.sha256(data))
        return True

    def forget(self) -> None:
        """Read the file again at the next look, whatever it says."""
        self._seen, self._digest, self._looked = None, "", 0.0
