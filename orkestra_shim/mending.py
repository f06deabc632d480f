"""`orkestra doctor --fix`: what it would mend in this home, and the mending of exactly that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from . import abandoned, files, leftovers, projects, settings
from .abandoned import Abandoned
from .errors import OrkestraError
from .leftover import Leftover
from .leftovers import DeadRun
from .place import Place
from .project import Project
from .session import Session

_BUSY = "a run goes on: left alone"
GONE = "it is so no more"  # no failure: another one may have mended it


@dataclass(frozen=True)
class Item:
    """One thing, and the project that it is in; None for one of the home's own."""

    place: Place | None
    what: Leftover | Abandoned

    @property
    def name(self) -> str:
        """Where it is, for people."""
        return self.place.project.name if self.place else "home"


def find(session: Session) -> list[Item]:
    """What killed runs left in every project that can be read, and in the home."""
    items: list[Item] = []
    for found in projects.all_projects(session.home, settings.projects(session.values)):
        if not isinstance(found, Project):
            continue
        place = Place(session, found)
        try:
            items += [Item(place, one) for one in leftovers.find(place)]
        except OrkestraError:
            continue  # consistency.sh says what is wrong with it
    return items + [Item(None, one) for one in abandoned.find(session)]


def mend(session: Session, items: list[Item]) -> Iterator[tuple[Item, str]]:
    """Each item with why it was not mended, '' when it was. Nothing else is touched.

    One at a time in a home: what another one has mended meanwhile is found to be so.
    """
    files.make_folder(session.home.runtime, 0o700)
    with files.locked(session.home.runtime / "doctor.lock"):
        for path, place in {item.place.project.path: item.place for item in items if item.place}.items():
            yield from _in_project(
                place, [item for item in items if item.place and item.place.project.path == path]
            )
        still = abandoned.find(session)
        for item in items:
            if isinstance(item.what, Abandoned):
                yield item, _done(partial(item.what.mend, session)) if item.what in still else GONE


def _in_project(place: Place, items: list[Item]) -> Iterator[tuple[Item, str]]:
    wanted = [(item, item.what) for item in items if isinstance(item.what, Leftover)]
    if any(isinstance(what, DeadRun) for _, what in wanted) and place.is_locked and not place.is_running:
        place.script("CORE/orchestrator.sh", "stop", "--project", str(place.project.path))
    with place.held() as lock:
        still = leftovers.find_held(place) if lock is not None else leftovers.find(place)
        for item, what in wanted:
            if lock is None and not what.in_run:
                yield item, _BUSY
            elif what in still or isinstance(what, DeadRun):
                yield item, _done(partial(what.mend, place, lock))
            else:
                yield item, GONE


def _done(mending: Callable[[], None]) -> str:
    try:
        mending()
    except OrkestraError as error:
        return error.message
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return ""
