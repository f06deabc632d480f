"""orkestra_shim.credential: what may replace a person's login."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orkestra_shim import credential

LOGIN = {"oauth": {"access": "a", "refresh": "b", "expires": 1, "scopes": ["x"]}, "last": None}


def login(**changes: Any) -> dict[str, Any]:
    return {**LOGIN, "oauth": {**LOGIN["oauth"], **changes}}  # type: ignore[dict-item]


@pytest.mark.parametrize(
    "now",
    [
        LOGIN,
        login(access="c", refresh="d", expires=2),
        login(scopes=["x", "y"]),
        login(account="new plain value"),
        {**LOGIN, "last": "2026-01-01"},
    ],
)
def test_a_refresh_is_taken(now: Any) -> None:
    assert credential.check(json.dumps(LOGIN).encode(), json.dumps(now).encode()) is None


@pytest.mark.parametrize(
    "now",
    [
        {},
        [],
        "text",
        {"oauth": LOGIN["oauth"]},
        {**LOGIN, "mcp": {}},
        {**LOGIN, "hook": "sh"},
        {**LOGIN, "last": {"run": "sh"}},
        login(access={"run": "sh"}),
        login(access=["a"]),
        login(scopes="x"),
        login(scopes=[{"run": "sh"}]),
        login(added={"run": "sh"}),
        {**LOGIN, "oauth": "none"},
    ],
)
def test_anything_else_is_refused(now: Any) -> None:
    assert credential.check(json.dumps(LOGIN).encode(), json.dumps(now).encode()) is not None


@pytest.mark.parametrize("now", [b"", b"no json", b"{", b'{"oauth"', b"\xff\xfe", b"[" * 100_000])
def test_broken_json_is_refused(now: bytes) -> None:
    assert credential.check(json.dumps(LOGIN).encode(), now) is not None


def test_comments_in_a_login_open_no_door() -> None:
    before = b'// Managed automatically.\n{"tokens": {"https://host:me": "a"}}\n'
    assert credential.check(before, b'// Managed.\n{"tokens": {"https://host:me": "b"}}') is None
    for now in (b'// Managed.\n{"tokens": {}, "hooks": {"run": "sh"}}', b'{"hooks": "sh"}', b"// gone"):
        assert credential.check(before, now) is not None


def test_a_plain_token_file() -> None:
    assert credential.check(b"token-1\n", b"token-2\n") is None
    assert credential.check(b"token-1\n", b" \n") is not None


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=3), values, max_size=4))
def test_what_did_not_change_is_always_taken(before: dict[str, Any]) -> None:
    assert credential.refusal(before, before) is None


@given(st.dictionaries(st.text(max_size=3), values, max_size=4), values)
def test_no_new_object_ever_enters(before: dict[str, Any], now: Any) -> None:
    def objects(value: Any, at: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
        found = {at} if isinstance(value, dict) else set()
        if isinstance(value, dict):
            for key, inner in value.items():
                found |= objects(inner, (*at, key))
        return found

    if credential.refusal(before, now) is None:
        assert objects(now) == objects(before)
