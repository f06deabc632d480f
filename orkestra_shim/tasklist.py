"""A list of tasks that a model wrote: read like a stranger's file (`importing`), all of it or nothing.

schemas/follow-ups.schema.json says what a task of it may hold; further keys are passed over.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .importing import Import
from .incoming import Foreign, Item, Place, a_list, a_text, an_object
from .tasks import name_problem

MOST_LISTED = 100  # entries of a list
LONGEST = {"title": 200, "description": 20_000, "command": 4_000, "check": 4_000, "domain": 100}
FIELDS = ("priority", "agent", "domain", "command", "check", "timeout", "allow_empty")
PATHS = ("inputs", "allow_paths")
Raw = dict[str, Any]


class Told(Foreign):
    """What was told, as JSON. `name` is for errors; `source` is how the source of its tasks begins."""

    def __init__(self, text: str, name: str, source: str) -> None:
        self.name, self.short, self.text, self.is_json = name, source, text, False


def read(told: Told, most: int) -> Import:
    """The tasks of an object with `tasks`, no more than `most`. Raises 65 with the place."""
    top = an_object(told, told.json(), ())
    tasks = a_list(told, top.get("tasks"), ("tasks",))
    if len(tasks) > most:
        raise told.error(("tasks", most), f"{len(tasks)} tasks, and {most} are the most")
    return Import(told, [_item(told, one, index) for index, one in enumerate(tasks)], "json")


def fit(found: Import, queued: Iterable[Raw], once: Iterable[str]) -> list[Raw]:
    """The list as tasks to add to those that are there; `once` are ids that records name. Raises 65.

    No task depends on one that is to come, so only those that the list names itself are looked at with it.
    """
    named = {name for item in found.items for name, _ in (*item.needs, *item.after)}
    taken: list[str] = list(once)
    beside: list[Raw] = []
    for raw in queued:
        taken.append(raw["id"])
        if raw["id"] in named or str(raw.get("source") or "").startswith(found.file.short):
            # What these depend on in turn cannot lead back to a new task.
            beside.append({key: raw[key] for key in ("id", "source") if key in raw})
    return found.plan(beside, taken).new


def _item(file: Foreign, value: object, index: int) -> Item:
    place: Place = ("tasks", index)
    raw = an_object(file, value, place)
    texts = {key: a_text(file, raw, key, place) for key in ("id", *LONGEST)}
    for key, longest in LONGEST.items():
        if len(texts[key]) > longest:
            raise file.error((*place, key), f"{key} has more than {longest} characters")
    if texts["id"] and (problem := name_problem(texts["id"])):
        raise file.error((*place, "id"), f"id: {problem}")
    fields = {key: raw[key] for key in FIELDS if raw.get(key) not in (None, "")}
    fields |= {key: named for key in PATHS if (named := [one for one, _ in _listed(file, raw, key, place)])}
    return Item(
        place,
        key=str(index + 1),
        title=texts["title"],
        names=tuple(dict.fromkeys(one for one in (texts["id"], texts["title"]) if one)),
        wish=texts["id"],
        description=texts["description"],
        needs=_listed(file, raw, "depends_on", place),
        after=_listed(file, raw, "prefer_after", place),
        fields=fields,
    )


def _listed(file: Foreign, raw: Raw, key: str, place: Place) -> list[tuple[str, Place]]:
    """The texts of a list, each with its place."""
    found = a_list(file, raw.get(key), (*place, key))
    if len(found) > MOST_LISTED:
        raise file.error((*place, key), f"{key} has more than {MOST_LISTED} entries")
    for at, one in enumerate(found):
        if not isinstance(one, str):
            raise file.error((*place, key, at), f"{key} must be a list of strings")
    return [(one, (*place, key, at)) for at, one in enumerate(found)]
