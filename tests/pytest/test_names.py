"""Names of projects and templates: what is refused, and that the reason is given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orkestra_shim import names
from orkestra_shim.errors import EX_USAGE, OrkestraError

HOSTILE = [
    "", ".", "..", "../x", "a/b", "/etc", "a\nb", "a\0b", "$(touch x)", "`id`", "-x", "--force", ".hidden",
    "_x", "a" * 65, "é" * 128, "a b", "a'b", 'a"b', "x.git", "x.lock", "x.", "con", "NUL.txt", "a\\b",
    "\u202eabc", "日本", "HEAD",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_refused_with_the_reason(name: str) -> None:
    with pytest.raises(OrkestraError) as caught:
        names.check(name, "project")
    assert caught.value.code == EX_USAGE
    assert "cannot be the name of a project: " in caught.value.message
    assert names.RULE in caught.value.hint
    assert "\n" not in caught.value.message and len(caught.value.message) < 300


@pytest.mark.parametrize("name", ["a", "my-website", "Project_1.2", "0", "a" * 64, "console"])
def test_allowed(name: str) -> None:
    assert names.check(name, "project") == name


@given(st.text(max_size=100))
def test_a_fitting_name_is_always_allowed(text: str) -> None:
    assert names.check(names.fitting(text), "project")
