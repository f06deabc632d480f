"""Tools' sessions that are kept for tasks which nobody goes on with any more."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from . import board, jsonfile, queue, records, resuming
from .leftover import Leftover
from .place import Place


@dataclass(frozen=True)
class Session(Leftover):
    """One that the next run would remove, should there be one."""

    task: str
    area = "sessions"

    @property
    def text(self) -> str:
        """What is wrong."""
        return f"a tool's session is kept for {self.task}, with which nobody goes on"

    @property
    def does(self) -> str:
        """What mending does."""
        return f"removes .git/{resuming.FOLDER}/{self.task}"

    def mend(self, place: Place, lock: int | None) -> None:
        """It holds no work, only what was said."""
        shutil.rmtree(resuming.folder(place.git_dir, self.task))


def find(place: Place) -> Iterator[Session]:
    """Those of tasks that are completed, cancelled or gone. Raises 65 for a queue that cannot be read."""
    names = resuming.kept(place.git_dir)
    if not names:
        return
    data, name = board.checkout(place.project).read(queue.FILE)
    document = queue.Document(jsonfile.decode(data, name), name)
    done = board.records_of(place.project).by_task
    for task in names:
        index = document.positions.get(task)
        if index is None:
            yield Session(task)
            continue
        status, _ = records.status_of(document.tasks[index].raw, done.get(task))
        if status in resuming.OVER:
            yield Session(task)
