"""Escaping and parsing of protocol lines."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orkestra_shim import wire

FIELD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(st.integers(0, 10**17), st.lists(FIELD))
def test_fields_come_through_unchanged(seq: int, fields: list[str]) -> None:
    line = wire.reply(str(seq), "verb", *fields)
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    if len(line) < 60_000:
        request = wire.parse(line[:-1])
        assert (request.seq, request.verb, request.fields) == (str(seq), "verb", fields)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_a_wire_error(line: bytes) -> None:
    with contextlib.suppress(wire.WireError):
        wire.parse(line)


@pytest.mark.parametrize(
    "line", [b"", b"x\ty", b"1", b"1\t", b"-1\thello", b"1\tclaim\t\\q", b"1\tclaim\t\\"]
)
def test_broken_lines_are_refused(line: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.parse(line)


@given(st.lists(st.text("\\\n\tx", min_size=1, max_size=30), min_size=1, max_size=3))
def test_a_long_reply_is_cut_to_a_line_that_still_parses(pieces: list[str]) -> None:
    line = wire.reply("1", "ok", *[piece * 20_000 for piece in pieces])
    assert len(line) <= wire.MAX_LINE
    wire.parse(line[:-1])
