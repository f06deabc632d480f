"""orkestra_shim.keys: what a key looks like elsewhere, and how it leaves a text."""

from __future__ import annotations

import base64
import json
import re
import stat
import urllib.parse
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orkestra_shim import keys
from orkestra_shim.errors import EX_DATA, OrkestraError

KEY = "sk-test/0123+456789_abcdef=XY"
values = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=16, max_size=80)
around = st.binary(max_size=40)


@given(values, around, around)
def test_base64_of_anything_around_a_value_holds_a_form(value: str, before: bytes, after: bytes) -> None:
    encoded = base64.b64encode(before + value.encode() + after).decode()
    safe = base64.urlsafe_b64encode(before + value.encode() + after).decode()
    for text in (encoded, safe):
        assert any(form in text for form in keys.forms(value))


@given(values.filter(lambda value: len(re.sub("[^0-9A-Za-z]", "", value)) >= 12), st.data())
def test_a_value_in_pieces_is_there_when_squeezed(value: str, data: st.DataObject) -> None:
    cut = data.draw(st.integers(1, len(value) - 1))
    glue = data.draw(st.sampled_from(["\n", '" + "', " \\\n  ", "\0", ", ", "' .. '"]))
    for text in (value, value[::-1], value.encode().hex(), base64.b64encode(value.encode()).decode()):
        text = f"x = '{text[:cut]}{glue}{text[cut:]}';"
        left = re.sub("[^0-9A-Za-z]", "", text)
        assert any(one in left for one in keys.squeezed(value))


@given(values, st.text(max_size=30))
def test_no_form_of_a_value_is_left_in_a_text(value: str, rest: str) -> None:
    known = keys.Keys([value])
    written = [value, json.dumps(value), urllib.parse.quote(value, safe=""), value[::-1]]
    for form in (*written, base64.b64encode(value.encode()).decode()):
        left = known(f"{rest}{form}{rest}")
        assert value not in left.replace(rest, "")
        assert "[redacted]" in left


def test_the_longest_goes_first_and_short_values_are_no_keys() -> None:
    known = keys.Keys(["sesame-open", "sesame-open-and-more", "short"])
    assert known("sesame-open-and-more, sesame-open, short") == "[redacted], [redacted], short"
    assert known.deep({"a": ["sesame-open", 1, None]}) == {"a": ["[redacted]", 1, None]}
    assert known("a name: src/sesame_open_and.more/x") == "a name: src/[redacted]/x"
    assert known.bytes(b"\xff sesame-open\0") == b"\xff [redacted]\0"


def test_what_is_secret_in_a_keys_file() -> None:
    found = keys.of_settings(
        {
            "A_KEY": KEY,
            "BASE_URL": "https://user:pass%2Fword-1234@host.example/path",
            "OTHER_URL": "https://host.example/a/long/path",
            "PEM": "-----BEGIN PRIVATE KEY-----\nMIIEabcdefgh\n-----END PRIVATE KEY-----",
            "SHORT": "abc",
        }
    )
    assert KEY in found and "pass/word-1234" in found and "MIIEabcdefgh" in found
    assert not any(one.startswith("https") for one in found)
    assert "-----END PRIVATE KEY-----" not in found
    assert "abc" not in found


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(
            {
                "claudeAiOauth": {
                    "accessToken": "tok-0123456789abcdefghij",
                    "scopes": ["user:inference:all-of-it"],
                }
            }
        ),
        "github.com:\n    oauth_token: tok-0123456789abcdefghij\n    user: somebody-with-a-long-name\n",
        'API_KEY="tok-0123456789abcdefghij"\n',
        json.dumps(
            {"tokens": {"id_token": ["tok-0123456789abcdefghij"]}, "account": "account-0123456789-abcdef"}
        ),
        '// Managed automatically.\n{"copilotTokens": {"https://github.com:me": "tok-0123456789abcdefghij"},'
        ' "loggedInUsers": [{"host": "https://some.long.host.example"}]}',
    ],
)
def test_the_tokens_of_a_login_and_nothing_else_of_it(text: str) -> None:
    assert keys.of_login(text.encode()) == ["tok-0123456789abcdefghij"]


def test_a_refreshed_login_is_known_to_whoever_holds_the_keys(tmp_path: Path) -> None:
    file, login = tmp_path / "secrets", tmp_path / "login"
    known = keys.Keys(["sesame-open"], file)
    login.write_text(json.dumps({"accessToken": "fresh-0123456789abcdefghij"}))
    assert known("fresh-0123456789abcdefghij").startswith("fresh")
    assert keys.main(["learn", str(file), str(login)]) == 0
    assert known("fresh-0123456789abcdefghij sesame-open") == "[redacted] [redacted]"
    for suffix in ("", ".forms", ".squeezed"):
        written = file.with_name(file.name + suffix)
        assert stat.S_IMODE(written.stat().st_mode) == 0o600
        assert re.sub("[^0-9A-Za-z]", "", "fresh-0123456789abcdefghij") in re.sub(
            "[^0-9A-Za-z\n]", "", written.read_text()
        )


def test_a_file_that_is_committed_holds_none(tmp_path: Path) -> None:
    known = keys.Keys([KEY])
    known.need_none('{"title": "fine"}', "queue.json")
    with pytest.raises(OrkestraError) as refused:
        known.need_none('{\n "a": 1,\n "title": ' + json.dumps(f"use {KEY}") + "}", "queue.json")
    assert refused.value.code == EX_DATA and refused.value.message.startswith("queue.json:3:")
    assert KEY not in refused.value.lines()
