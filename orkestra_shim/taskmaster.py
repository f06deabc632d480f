"""Tasks of Task Master: a tasks.json with tags, or a plain {"tasks": [...]}."""

from __future__ import annotations

from typing import Any

from .incoming import DONE, Foreign, Item, Place, a_list, a_text, an_object, described
from .tasks import PRIORITIES

_UNDECIDED = ("deferred", "review", "blocked")  # there is a reason to look at them before an agent does


def items(file: Foreign) -> list[Item]:
    """Each task and subtask of every tag. Raises 65 with line and column."""
    top = an_object(file, file.json(), ())
    if isinstance(top.get("tasks"), list):
        return _tag(file, "master", top["tasks"], ("tasks",))
    found: list[Item] = []
    tags = [(tag, value) for tag, value in top.items() if isinstance(value, dict) and "tasks" in value]
    if not tags:
        raise file.error((), 'no tasks: expected "tasks", or tags that have "tasks"')
    for tag, value in tags:
        found += _tag(file, tag, a_list(file, value["tasks"], (tag, "tasks")), (tag, "tasks"))
    return found


def _tag(file: Foreign, tag: str, tasks: list[Any], place: Place) -> list[Item]:
    found = []
    for index, value in enumerate(tasks):
        at = (*place, index)
        raw = an_object(file, value, at)
        number = _number(file, raw.get("id"), (*at, "id"))
        one = _item(file, tag, number, raw, at)
        one.needs = [
            (f"{tag}:{_number(file, need, (*at, 'dependencies', n))}", (*at, "dependencies", n))
            for n, need in enumerate(a_list(file, raw.get("dependencies"), (*at, "dependencies")))
        ]
        parts = _parts(file, tag, number, raw, at, list(one.needs))
        one.needs += [(part.names[0], part.place) for part in parts]
        found += [*parts, one]
    return found


def _parts(
    file: Foreign, tag: str, number: str, raw: dict[str, Any], at: Place, above: list[tuple[str, Place]]
) -> list[Item]:
    """The subtasks: each waits for what its task waits for, and the task waits for them."""
    values = a_list(file, raw.get("subtasks"), (*at, "subtasks"))
    subtasks = [an_object(file, value, (*at, "subtasks", n)) for n, value in enumerate(values)]
    siblings = {str(one.get("id")) for one in subtasks}
    found = []
    for index, one in enumerate(subtasks):
        place = (*at, "subtasks", index)
        own = _number(file, one.get("id"), (*place, "id"))
        part = _item(file, tag, own if own.startswith(f"{number}.") else f"{number}.{own}", one, place)
        part.needs = list(above)
        for n, need in enumerate(a_list(file, one.get("dependencies"), (*place, "dependencies"))):
            where = (*place, "dependencies", n)
            name = _number(file, need, where)
            part.needs.append((f"{tag}:{number}.{name}" if name in siblings else f"{tag}:{name}", where))
        found.append(part)
    return found


def _item(file: Foreign, tag: str, number: str, raw: dict[str, Any], at: Place) -> Item:
    status = a_text(file, raw, "status", at).lower()
    priority = a_text(file, raw, "priority", at).lower()
    if priority and priority not in PRIORITIES:
        raise file.error((*at, "priority"), f"priority must be one of {', '.join(PRIORITIES)}")
    texts = {key: a_text(file, raw, key, at) for key in ("title", "description", "details", "testStrategy")}
    fields = {"priority": priority} if priority else {}
    if status in _UNDECIDED:
        fields["status"] = "proposed"
    return Item(
        place=at,
        key=f"{tag}:{number}",
        title=texts["title"],
        names=(f"{tag}:{number}",),
        wish=f"task-{number}" if tag == "master" else f"{tag}-{number}",
        description=described(
            ("", texts["description"]),
            ("Details:", texts["details"]),
            ("How it is tested:", texts["testStrategy"]),
        ),
        fields=fields,
        done=status in DONE,
    )


def _number(file: Foreign, value: object, place: Place) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, str)) or not str(value).strip():
        raise file.error(place, 'expected the number of a task, such as 3 or "3.1"')
    return str(value).strip()
