"""Record ids and paths, formats, and the status that records give."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orkestra_shim import records
from orkestra_shim.errors import OrkestraError


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("outcome-001", "logs/outcomes/outcome-001.json"),
        ("vote-999", "logs/voting/vote-999.json"),
        ("outcome-1000", "logs/outcomes/10xx/outcome-1000.json"),
        ("vote-12345", "logs/voting/123xx/vote-12345.json"),
    ],
)
def test_places(name: str, path: str) -> None:
    assert records.path_of(name) == path and records.is_record(path)


@given(st.integers(1, 10**9), st.sampled_from(["vote", "outcome"]))
def test_ids_and_numbers(number: int, kind: str) -> None:
    assert records.parse_id(records.record_id(kind, number)) == (kind, number)


@pytest.mark.parametrize(
    "path",
    [
        "logs/outcomes/outcome-0001.json",
        "logs/outcomes/vote-001.json",
        "outcome-001.json",
        "logs/outcomes/10xx/outcome-999.json",
        "logs/outcomes/outcome-1000.json",
    ],
)
def test_a_record_in_the_wrong_place_is_none(path: str) -> None:
    assert not records.is_record(path)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b'{"format": "orkestra.outcome/2", "id": "outcome-001"}', "newer"),
        (b"{}", "no format"),
        (b"[", "not a record"),
        (b'{"format": "other/1"}', "unknown format"),
        (b'{"format": "orkestra.outcome/1", "id": "outcome-002"}', "says"),
        (b'{"format": "orkestra.vote/1", "id": "outcome-001"}', "says"),
    ],
)
def test_what_is_no_record_of_ours(data: bytes, word: str) -> None:
    with pytest.raises(OrkestraError, match=word):
        records.load(data, "logs/outcomes/outcome-001.json")


def outcome(decision: str, number: int = 3) -> dict[str, str]:
    return {"id": records.record_id("outcome", number), "decision": decision, "why": "because"}


@pytest.mark.parametrize(
    ("raw", "decision", "status"),
    [
        ({}, None, "pending"),
        ({"status": "completed"}, None, "pending"),
        ({"status": "in_progress"}, None, "pending"),
        ({"status": "proposed"}, None, "proposed"),
        ({"status": "failed"}, None, "failed"),
        ({"status": "pending"}, "landed", "completed"),
        ({"status": "failed"}, "answered", "completed"),
        ({"status": "pending"}, "failed", "failed"),
        ({}, "needs_human", "needs_human"),
        ({"status": "cancelled"}, "failed", "cancelled"),
        ({"status": "cancelled"}, "landed", "completed"),
        ({"reopened": "outcome-003", "status": "failed"}, "failed", "pending"),
        ({"reopened": "outcome-002"}, "failed", "failed"),
        ({"reopened": "outcome-003"}, "landed", "pending"),
    ],
)
def test_the_branch_says_what_is_completed(raw: dict[str, str], decision: str | None, status: str) -> None:
    assert records.status_of(raw, outcome(decision) if decision else None)[0] == status
