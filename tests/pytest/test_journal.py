"""The execution log and what is remembered from it."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from orkestra_shim.journal import Journal, replay
from orkestra_shim.taskstate import TaskState


@given(st.integers(0, 400))
def test_cut_anywhere_only_the_last_line_is_lost(tmp_path_factory: object, cut: int) -> None:
    path = tmp_path_factory.mktemp("log") / "log"  # type: ignore[attr-defined]
    journal = Journal(path)
    for number in range(5):
        journal.append("claimed", durable=number == 4, task="a\nb", number=number)
    journal.close()
    data = path.read_bytes()[:cut]
    path.write_bytes(data)
    journal = Journal(path)
    journal.append("after", task="ü")
    journal.close()
    events = list(replay(path))
    assert [event["event"] for event in events] == ["claimed"] * data.count(b"\n") + ["after"]


def test_lines_that_are_no_events_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b'[]\n{"event": 3}\n\xff\n{"event":"x"}\n')
    assert [event["event"] for event in replay(path)] == ["x"]
    assert list(replay(tmp_path / "missing")) == []


def test_what_counts_as_an_attempt() -> None:
    state = TaskState()
    for kind in (
        "claimed",
        "attempt-failed",
        "claimed",
        "revision",
        "conflict",
        "released",
        "interrupted",
        "unknown",
    ):
        state.apply({"event": kind, "try": state.tries + 1, "why": kind})
    assert (state.failures, state.revisions, state.conflicts, state.tries) == (1, 1, 1, 8)
    state.apply({"event": "recorded"})
    assert (state.failures, state.tries, state.why) == (0, 8, "")
