"""Canonical JSON and bounded parsing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orkestra_shim import canonical
from orkestra_shim.errors import OrkestraError

WORDS = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | WORDS,
    lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner),
    max_leaves=20,
)


def test_keys_are_ordered_by_utf_16_and_escapes_are_those_of_the_rfc() -> None:
    value = {"\ufb33": 1, "\U0001f600": 2, "1": "\u20ac$\x0f\nA'B\"\\\x7f", "\r": None}
    assert (
        canonical.canonical(value)
        == ('{"\\r":null,"1":"\u20ac$\\u000f\\nA\'B\\"\\\\\x7f","\U0001f600":2,"\ufb33":1}').encode()
    )


@pytest.mark.parametrize("value", [1.5, float("nan"), 2**53, "\ud800", {"a": [0.1]}, {1: 2}, b"x"])
def test_what_has_no_exact_form_is_refused(value: object) -> None:
    with pytest.raises(OrkestraError):
        canonical.canonical(value)


@given(JSON)
def test_both_forms_give_the_value_back_and_depend_on_nothing_else(value: object) -> None:
    assert json.loads(canonical.canonical(value)) == value
    assert canonical.pretty(json.loads(canonical.canonical(value))) == canonical.pretty(value)


@given(JSON)
def test_the_quick_ways_give_what_the_library_gives(value: object) -> None:
    plain = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2) + "\n"
    assert canonical.pretty(value) == plain.encode()
    ordered = canonical._ordered(value, "record")
    assert (
        canonical.canonical(value) == json.dumps(ordered, ensure_ascii=False, separators=(",", ":")).encode()
    )


@given(st.dictionaries(WORDS, JSON), st.integers(0, 2**64))
def test_the_digest_leaves_out_only_itself(record: dict[str, object], _: int) -> None:
    record["format"] = "orkestra.vote/1"
    plain = canonical.digest(record)
    assert canonical.digest({**record, "sha256": "x"}) == plain
    assert canonical.digest({**record, "format": "orkestra.outcome/1"}) != plain


@pytest.mark.parametrize(
    "data", [b"[" * 100_000, b'{"a":' * 70 + b"1" + b"}" * 70, b"\xff", b"NaN", b"[1e", b"1" * 99999]
)
def test_hostile_json_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        canonical.parse(data)


def test_depth_counts_brackets_and_not_text() -> None:
    assert canonical.parse(json.dumps(["[" * 500, '"{' * 50]).encode()) == ["[" * 500, '"{' * 50]
    with pytest.raises(ValueError):
        canonical.parse(b'"' + b"x" * 50 + b'"', max_bytes=20)
