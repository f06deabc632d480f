"""The dependency graph of a queue: unknown ids, self-dependency, cycles with their path, chains."""

from __future__ import annotations

from collections.abc import Sequence

from .tasks import Refused, Task


class Graph:
    """Edges by position: dependents[i] wait for i, wishers[i] would rather come after i."""

    __slots__ = ("dependents", "wishers")

    def __init__(self, tasks: Sequence[Task], positions: dict[str, int]) -> None:
        """Raises GraphError naming the task; leaves each task's chain set."""
        self.dependents: list[list[int] | None] = [None] * len(tasks)
        self.wishers: list[list[int] | None] = [None] * len(tasks)
        for task in tasks:
            for key, edges in (("depends_on", self.dependents), ("prefer_after", self.wishers)):
                names = task.raw.get(key)
                if names:
                    _link(task, key, names, positions, edges)
        _set_chains(tasks, self.dependents)


class GraphError(Refused):
    """A refused edge; `index` is the position of the task that holds it."""

    def __init__(self, index: int, key: str, reason: str) -> None:
        super().__init__(key, reason)
        self.index = index


def _link(
    task: Task, key: str, names: list[str], positions: dict[str, int], edges: list[list[int] | None]
) -> None:
    for name in dict.fromkeys(names):
        other = positions.get(name)
        if other is None:
            raise GraphError(task.index, key, f"{key} names the unknown task {name!r}")
        if other == task.index:
            raise GraphError(task.index, key, f"{key} names the task itself")
        waiting = edges[other]
        if waiting is None:
            edges[other] = [task.index]
        else:
            waiting.append(task.index)


def _set_chains(tasks: Sequence[Task], dependents: list[list[int] | None]) -> None:
    missing = [len(set(task.raw.get("depends_on") or ())) for task in tasks]
    order = [task.index for task in tasks if not missing[task.index]]
    for index in order:  # grows while it is walked
        for after in dependents[index] or ():
            missing[after] -= 1
            if not missing[after]:
                order.append(after)
    if len(order) < len(tasks):
        raise _cycle(tasks, missing)
    for index in reversed(order):
        tasks[index].chain = max((tasks[after].chain + 1 for after in dependents[index] or ()), default=0)


NEVER = ("failed", "needs_human", "cancelled", "proposed")  # what waits for such a task waits for a person


def blocked(statuses: Sequence[str], dependents: Sequence[list[int] | None]) -> dict[int, int]:
    """By position: each pending task that can never be ready, and the task at the root of that."""
    roots: dict[int, int] = {}
    for root, status in enumerate(statuses):
        todo = list(dependents[root] or ()) if status in NEVER else []
        while todo:
            index = todo.pop()
            if statuses[index] == "pending" and index not in roots:
                roots[index] = root
                todo += dependents[index] or ()
    return roots


def _cycle(tasks: Sequence[Task], missing: list[int]) -> GraphError:
    """Follow unresolved depends_on from any unresolved task until one comes again."""
    positions = {task.id: task.index for task in tasks}
    at = next(index for index, count in enumerate(missing) if count)
    seen: dict[int, int] = {}
    path: list[int] = []
    while at not in seen:
        seen[at] = len(path)
        path.append(at)
        at = next(positions[name] for name in tasks[at].raw["depends_on"] if missing[positions[name]])
    circle = [*path[seen[at] :], at]
    names = [tasks[index].id for index in circle]
    shown = names if len(names) <= 12 else [*names[:6], "...", *names[-5:]]
    return GraphError(circle[0], "depends_on", f"depends_on makes a cycle: {' -> '.join(shown)}")
