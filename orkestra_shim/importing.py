"""Tasks from a foreign file, made tasks of the queue: all or none, and none of them twice.

A task that was imported keeps where it came from under `source`; by that it is known again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from . import checklist, issuelist, queue, taskmaster, tasktable
from .errors import EX_USAGE, OrkestraError
from .graph import Graph, GraphError
from .incoming import (
    GIVES_POWER,
    LONGEST_TEXT,
    LONGEST_TITLE,
    MOST_ITEMS,
    Foreign,
    Item,
    Place,
    line_of,
    text_of,
)
from .tasks import Refused, Task, name_problem, validate

Raw = dict[str, Any]
FORMATS: dict[str, Callable[[Foreign], list[Item]]] = {
    "markdown": checklist.items,
    "github": issuelist.items,
    "taskmaster": taskmaster.items,
    "csv": tasktable.items,
}
_ENDINGS = {"md": "markdown", "markdown": "markdown", "csv": "csv", "tsv": "csv"}


@dataclass
class Plan:
    """What an import comes to."""

    new: list[Raw] = field(default_factory=list)
    known: list[str] = field(default_factory=list)  # ids of those that were imported before
    done: int = 0  # finished in the file: left out
    left_out: list[str] = field(default_factory=list)  # dependencies on what nobody knows


@dataclass
class Import:
    """A file that was read, and what the person who imports it wants."""

    file: Foreign
    items: list[Item]
    form: str
    agent: str = ""
    priority: str = ""
    skip_unknown: bool = False

    def plan(self, old: list[Raw], taken: Iterable[str]) -> Plan:
        """What comes to a queue that has the tasks `old`; `taken` are ids of tasks that once were.

        Raises 65 with the place in the file.
        """
        plan = Plan()
        ids = {raw["id"] for raw in old}
        sources = {raw["source"]: raw["id"] for raw in old if isinstance(raw.get("source"), str)}
        used = {*ids, *taken}
        counts: dict[str, int] = {}
        chosen: list[str] = []  # by item: its id; '' for one that is done
        for item in self.items:
            name = sources.get(self._source(item), "")
            if not name and not item.done:
                used.add(name := _name(item, used, counts))
            chosen.append(name)
        names = self._names()
        places: list[Place] = []
        for item, name in zip(self.items, chosen, strict=True):
            if name in ids:
                plan.known.append(name)
            elif not name:
                plan.done += 1
            else:
                plan.new.append(self._task(item, name, names, chosen, ids, plan))
                places.append(item.place)
        self._check(old, plan.new, places)
        return plan

    def _source(self, item: Item) -> str:
        whole = item.key.startswith(("github:", "https://", "http://"))
        return line_of(item.key if whole else f"{self.file.short}:{item.key}")

    def _names(self) -> dict[str, list[int]]:
        names: dict[str, list[int]] = {}
        for index, item in enumerate(self.items):
            for name in item.names:
                names.setdefault(name, []).append(index)
        return names

    def _task(
        self, item: Item, name: str, names: dict[str, list[int]], chosen: list[str], ids: set[str], plan: Plan
    ) -> Raw:
        title, description = line_of(item.title), text_of(item.description)
        if not title:
            raise self.file.error(item.place, "a task needs a title")
        if len(title) > LONGEST_TITLE:
            description = f"{title}\n\n{description}".strip()
            title = f"{title[:LONGEST_TITLE]}..."
        if len(description) > LONGEST_TEXT:
            raise self.file.error(item.place, f"a description of more than {LONGEST_TEXT} characters")
        raw: Raw = {"id": name, "title": title, "description": description}
        for key, wanted in (("depends_on", item.needs), ("prefer_after", item.after)):
            raw[key] = self._resolved(wanted, names, chosen, ids, plan)
        usual = "shell" if item.fields.get("command") else self.agent or "auto"
        raw |= {"priority": self.priority or "medium", "agent": usual, **item.fields}
        for key in ("command", "check"):
            if text_of(raw.get(key, "")) != str(raw.get(key, "")).replace("\r\n", "\n").strip():
                raise self.file.error((*item.place, key), f"{key} holds characters that are not shown")
        if any(item.fields.get(key, "auto") not in ("auto", []) for key in GIVES_POWER):
            raw["status"] = "proposed"
        raw.setdefault("status", "pending")
        raw["source"] = self._source(item)
        return {key: value for key, value in raw.items() if value not in ("", [])}

    def _resolved(
        self,
        wanted: list[tuple[str, Place]],
        names: dict[str, list[int]],
        chosen: list[str],
        ids: set[str],
        plan: Plan,
    ) -> list[str]:
        """The ids of the tasks that are named; of those that are done none is left."""
        found = []
        for name, place in wanted:
            meant = names.get(name) or names.get(name.lstrip("#"))
            if meant and len(meant) > 1:
                others = ", ".join(":".join(map(str, self.items[index].place)) for index in meant[:5])
                raise self.file.error(
                    place, f"'{name[:80]}' may be any of {len(meant)} tasks ({others})", "give them ids"
                )
            if meant:
                found.append(chosen[meant[0]])
            elif name in ids:
                found.append(name)
            elif self.skip_unknown:
                plan.left_out.append(name)
            else:
                raise self.file.error(
                    place,
                    f"depends on '{name[:80]}', which is not in the file",
                    "if it is done: --skip-unknown leaves such dependencies out"
                    + "; or export closed issues too: gh issue list --state all --limit 1000"
                    * (self.form == "github"),
                )
        return [name for name in dict.fromkeys(found) if name]

    def _check(self, old: list[Raw], new: list[Raw], places: list[Place]) -> None:
        """The checks of any task, with the place in this file."""
        for raw, place in zip(new, places, strict=True):
            try:
                validate(raw)
            except Refused as error:
                raise self.file.error(place, str(error)) from None
        tasks = [Task(raw, index) for index, raw in enumerate([*old, *new])]
        try:
            Graph(tasks, {task.id: task.index for task in tasks})
        except GraphError as error:
            raise self.file.error(places[error.index - len(old)], str(error)) from None


def read(path: str, form: str = "") -> Import:
    """The items of a file ('-': stdin). Raises 65 with the place of what is wrong, 64 without a format."""
    file = Foreign(path)
    form = form or _format(file)
    found = FORMATS[form](file)
    if len(found) > MOST_ITEMS:
        raise file.error((), f"{len(found)} tasks, and {MOST_ITEMS} are the most", "give it in pieces")
    seen: dict[str, Item] = {}
    for item in found:
        if seen.setdefault(item.key, item) is not item:
            raise file.error(item.place, f"'{line_of(item.key)[:80]}' is there twice", "give it another id")
    return Import(file, found, form)


def _format(file: Foreign) -> str:
    ending = file.short.rpartition(".")[2].lower()
    if ending in _ENDINGS:
        return _ENDINGS[ending]
    if re.match(r"\s*\[" if ending == "json" else r"\s*\[\s*[{\]]", file.text):
        return "github"
    if ending == "json" or re.match(r"\s*\{", file.text):
        return "taskmaster"
    if re.search(r"^[ \t]{0,40}(?:[-*+]|[0-9]{1,9}[.)])[ \t]\[[ xX]\]", file.text, re.MULTILINE):
        return "markdown"
    raise OrkestraError(EX_USAGE, f"cannot tell what format {file.name} has", "--format " + "|".join(FORMATS))


def _name(item: Item, used: set[str], counts: dict[str, int]) -> str:
    """An id: as wished, or made of the title; with a number when it is taken."""
    name = item.wish
    if name_problem(name):
        name = re.sub(r"[^a-z0-9]+", "-", (item.wish or item.title)[:400].lower()).strip("-")[:40].rstrip("-")
    if not name:
        return queue.new_id(used)
    made = name
    while made in used:
        counts[name] = counts.get(name, 1) + 1
        made = f"{name[:50].rstrip('.-')}-{counts[name]}"
    return made
