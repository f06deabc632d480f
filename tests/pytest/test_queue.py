"""The task queue: what is refused and how it is said, the order of claims, writing back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orkestra_shim import files, jsonfile, queue
from orkestra_shim.errors import OrkestraError
from orkestra_shim.queue import IN_HAND, Document, Queue
from orkestra_shim.tasks import name_problem, path_problem


def text(*tasks: Any, **top: Any) -> str:
    return json.dumps({"version": 1, "tasks": list(tasks), **top}, indent=1)


def pending(_: object) -> tuple[str, str]:
    return "pending", ""


def drain(q: Queue) -> list[str]:
    """Claim and complete until nothing is ready."""
    order = []
    while (task := q.best(list(q.heaps))) is not None:
        q.hold(task, IN_HAND)
        q.set_status(task, "in_progress")
        q.set_status(task, "completed")
        order.append(task.id)
    return order


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{", "q:1:2: not valid JSON"),
        ("[]", "q:1:1: expected an object"),
        ('{"version": 2, "tasks": []}', "q:1:13: version 2 was written by a newer Orkestra"),
        ('{"tasks": 3}', "q:1:11: tasks must be a list"),
        ('{"tasks": [\n 3]}', "q:2:2: task number 1: a task must be an object"),
        ('{"tasks": [\n {"id": "a"},\n  {"id": "a"}]}', "q:3:10: the id 'a' is used twice"),
        (
            '{"tasks": [{"id": "a",\n "priority": "urgent"}]}',
            "q:2:14: task 'a': priority must be one of critical",
        ),
        (
            '{"tasks": [{"id": "a",\n "depends_on": ["b"]}]}',
            "q:2:16: task 'a': depends_on names the unknown task 'b'",
        ),
        ('{"tasks": [{"id": "a", "depends_on": ["a"]}]}', "task 'a': depends_on names the task itself"),
        ('{"tasks": [{"id": "a", "prefer_after": ["z"]}]}', "prefer_after names the unknown task 'z'"),
        ('{"tasks": [{"id": "a", "agent": "shell"}]}', "the agent 'shell' needs a command"),
        ('{"tasks": [{"id": "a", "timeout": true}]}', "timeout must be a whole number"),
        ('{"tasks": [{"id": "a", "candidates": 10}]}', "candidates must be a whole number from 1 to 9"),
        ('{"tasks": [{"id": "a", "title": "x\\ny"}]}', "title must be one line"),
        ('{"tasks": [{"id": "a", "status": "done"}]}', "status must be one of"),
        ('{"tasks": [{"id": "a", "inputs": ["../x"]}]}', "leads out of the project"),
        ('{"tasks": [{"id": "a", "allow_paths": ["/etc/**"]}]}', "must be relative"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(source: str, message: str) -> None:
    with pytest.raises(OrkestraError) as caught:
        Document(source, "q")
    assert caught.value.code == 65 and message in caught.value.message


def test_a_cycle_is_refused_with_its_path() -> None:
    with pytest.raises(OrkestraError, match="a -> b -> c -> a"):
        Document(
            text(
                {"id": "x"},
                {"id": "a", "depends_on": ["b", "x"]},
                {"id": "b", "depends_on": ["c"]},
                {"id": "c", "depends_on": ["a"]},
            )
        )


def test_wishes_may_form_cycles_and_rank_after_priority() -> None:
    q = Queue(
        Document(
            text(
                {"id": "a", "prefer_after": ["b"]},
                {"id": "b", "prefer_after": ["a"]},
                {"id": "c", "prefer_after": ["d"], "priority": "high"},
                {"id": "d"},
            )
        ),
        pending,
    )
    assert drain(q) == ["c", "d", "a", "b"]


def test_the_longer_chain_goes_first() -> None:
    q = Queue(
        Document(
            text(
                {"id": "short"},
                {"id": "long"},
                {"id": "m", "depends_on": ["long"]},
                {"id": "e", "depends_on": ["m"]},
            )
        ),
        pending,
    )
    assert drain(q) == ["long", "m", "short", "e"]


def test_what_depends_on_failed_work_stays() -> None:
    q = Queue(Document(text({"id": "a"}, {"id": "b", "depends_on": ["a"]})), pending)
    q.set_status(q["a"], "failed", "why")
    assert drain(q) == [] and q.unfinished() == 1


@pytest.mark.parametrize(
    "name",
    ["", "A", "-a", ".a", "a b", "a/b", "..", "a..b", "a.lock", "a.", "a\n", "é", "x" * 65, "$(id)", 3],
)
def test_names_that_are_refused(name: object) -> None:
    assert name_problem(name)


@pytest.mark.parametrize(
    "path", ["", "/x", "../x", "a/../b", "-x", "~x", "a\nb", "a\0b", ".git/config", "a/.GIT/x"]
)
def test_paths_that_are_refused(path: str) -> None:
    assert path_problem(path)


@pytest.mark.parametrize("path", ["src/**", "a b/ü*.txt", "x..y", "docs/[a-z]?.md", ".github/x", "a.git"])
def test_paths_that_are_allowed(path: str) -> None:
    assert path_problem(path) == ""


def test_unknown_keys_and_order_survive_writing(tmp_path: Path) -> None:
    path = tmp_path / "q.json"
    files.write_atomic(
        path, jsonfile.dump({"$schema": "x", "tasks": [{"id": "a", "mine": {"b": 1.5}}], "zzz": [1]})
    )
    assert list(queue.read(path).top) == ["$schema", "tasks", "zzz"]
    assert queue.read(path).tasks[0].raw == {"id": "a", "mine": {"b": 1.5}}
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []


def test_new_ids_are_valid_and_free() -> None:
    assert name_problem(queue.new_id([])) == ""


@st.composite
def graphs(draw: st.DrawFn) -> list[dict[str, Any]]:
    count = draw(st.integers(1, 14))
    order = draw(st.permutations(range(count)))
    tasks = []
    for index in range(count):
        earlier = [other for other in range(count) if order[other] < order[index]]
        others = [other for other in range(count) if other != index]
        tasks.append(
            {
                "id": f"t{index}",
                "priority": draw(st.sampled_from(["critical", "high", "medium", "low"])),
                "depends_on": [f"t{n}" for n in draw(st.lists(st.sampled_from(earlier), unique=True))]
                if earlier
                else [],
                "prefer_after": [f"t{n}" for n in draw(st.lists(st.sampled_from(others), unique=True))]
                if others
                else [],
            }
        )
    return tasks


@given(graphs())
def test_every_task_is_claimed_once_in_the_order_of_the_rule(tasks: list[dict[str, Any]]) -> None:
    q = Queue(Document(text(*tasks)), pending)
    done: set[str] = set()
    by_id = {task["id"]: task for task in tasks}

    def chain(name: str) -> int:
        return max((chain(other["id"]) + 1 for other in tasks if name in other["depends_on"]), default=0)

    while (task := q.best(list(q.heaps))) is not None:
        ready = [one for one in tasks if one["id"] not in done and set(one["depends_on"]) <= done]

        def key(one: dict[str, Any]) -> tuple[int, int, int, int]:
            rank = ["critical", "high", "medium", "low"].index(one["priority"])
            return (rank, len(set(one["prefer_after"]) - done), -chain(one["id"]), tasks.index(one))

        assert by_id[task.id] == min(ready, key=key)
        q.hold(task, IN_HAND)
        q.set_status(task, "completed")
        done.add(task.id)
    assert done == set(by_id)


@given(st.text())
def test_any_text_is_a_queue_or_a_word_about_it(source: str) -> None:
    try:
        Document(source, "q")
    except OrkestraError as error:
        assert error.code == 65 and error.message.startswith("q:")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "id",
                "title",
                "depends_on",
                "priority",
                "agent",
                "inputs",
                "timeout",
                "status",
                "check",
                "allow_paths",
                "reopened",
                "x",
            ]
        ),
        JSON,
    )
)
def test_any_task_is_taken_or_refused_with_a_place(task: dict[str, Any]) -> None:
    try:
        Queue(Document(text(task), "q"), pending)
    except OrkestraError as error:
        assert error.code == 65 and error.message.startswith("q:")
