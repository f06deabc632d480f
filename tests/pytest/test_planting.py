"""Known defects in copies of changes: the same from the same change and seed, and nothing else changed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orkestra_shim import planting
from orkestra_shim.plumbing import DIFF
from store_client import git

SEED = "0123456789abcdef"


def made(place: Path, before: dict[str, str], after: dict[str, str]) -> bytes:
    """The diff of a change, as Git writes it."""
    git(place, "init", "-q", "-b", "main")
    for files in (before, after):
        for name, text in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(text.encode("utf-8", "surrogateescape"))
        git(place, "add", "-A")
        git(place, "commit", "-q", "--allow-empty", "-m", "x")
    command = ["git", "-C", str(place), "diff-tree", *DIFF, "HEAD^", "HEAD"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def lines(text: str, name: str = "a.py", around: str = "keep = 7\n") -> bytes:
    """The diff of a new file."""
    rows = (around + text).split("\n")[:-1]
    body = "".join(f"+{row}\n" for row in rows)
    return (
        f"diff --git a/{name} b/{name}\nnew file mode 100644\nindex 000..111\n--- /dev/null\n+++ b/{name}\n"
        f"@@ -0,0 +1,{len(rows)} @@\n{body}"
    ).encode()


@pytest.mark.parametrize(
    ("name", "line", "kind", "after"),
    [
        ("a.py", "    if a == b:", "inverted condition", "    if a != b:"),
        ("a.js", "  if (a && b) {", "inverted condition", "  if (a || b) {"),
        ("a.js", "  if (!ready) {", "inverted condition", "  if (ready) {"),
        ("a.sh", "[[ $a -lt 3 ]]", "inverted condition", "[[ $a -ge 3 ]]"),
        ("a.go", "for i := 0; i < n; i++ {", "off by one", "for i := 0; i <= n; i++ {"),
        ("a.py", "    return size[3]", "off by one", "    return size[4]"),
        ("a.py", "    raise ValueError(text)", "dropped error handling", "    pass"),
        ("a.ts", "    throw new Error(text);", "dropped error handling", None),
        ("a.go", "\treturn err", "dropped error handling", "\treturn nil"),
        ("a.sh", "cd there || exit 1", "dropped error handling", "cd there"),
        ("a.py", "written = store(item)", "removed line", None),
        ("notes.md", "It takes 30 seconds.", "off by one", "It takes 31 seconds."),
    ],
)
def test_what_a_line_becomes(name: str, line: str, kind: str, after: str | None) -> None:
    found = list(planting.defects(lines(f"{line}\n", name)))
    assert [one.after for one in found if one.kind == kind and one.at.text == line] == [after]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.py", "# if a == b"),
        ("a.js", "// a && b"),
        ("a.py", "import json"),
        ("a.py", "def f():"),
        ("a.js", "}"),
        ("a.sh", "echo one > two"),
        ("notes.md", "This and that or nothing"),
        ("a.py", "version = 'v1.2.3'"),
    ],
)
def test_what_is_left_alone(name: str, line: str) -> None:
    found = [one for one in planting.defects(lines(f"{line}\n", name, "")) if one.at.text == line]
    assert [one.kind for one in found] == []


def test_the_copy_differs_in_exactly_that_line(tmp_path: Path) -> None:
    before = {"deep/a.py": "".join(f"line{number} = {number}\n" for number in range(30))}
    text = before["deep/a.py"].replace("line7 = 7\n", "line7 = 7\nif line7 == 8:\n    raise E\n")
    after = {
        "deep/a.py": text.replace("line20 = 20\n", "line20 = 21\n"),
        "n\u00e4me b.txt": "one\ntwo = 2\r\n",
    }
    diff = made(tmp_path, before, after)
    found = list(planting.defects(diff))
    assert {one.at.path for one in found} == {"deep/a.py"}  # a quoted name is no plain one
    assert {one.at.line for one in found} == {9, 10, 23}
    for one in found:
        content = after[one.at.path].encode()
        planted = one.planted(content)
        assert planted is not None and planted != content
        was, now = content.split(b"\n"), planted.split(b"\n")
        rest = [] if one.after is None else [one.after.encode()]
        assert now == was[: one.at.line - 1] + rest + was[one.at.line :]
        assert one.planted(b"something else\n") is None


def test_the_draw_is_the_seeds(tmp_path: Path) -> None:
    text = "a = 1\nb = call(a)\nif a == b:\n    raise E\nc = 3\n"
    found = list(planting.defects(lines(text)))
    drawn = [planting.drawn(found, f"{number:032x}") for number in range(80)]
    assert drawn == [planting.drawn(found, f"{number:032x}") for number in range(80)]
    assert {one.kind for one in drawn if one} == {kind for kind, _ in planting.DEFECTS}
    assert planting.drawn([], SEED) is None


@pytest.mark.parametrize("mode", ["120000", "160000"])
def test_no_link_is_touched(mode: str) -> None:
    assert list(planting.defects(lines("a == b\n").replace(b"100644", mode.encode()))) == []


@given(st.binary(max_size=400))
def test_any_bytes_are_read(data: bytes) -> None:
    head = b"diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n@@ -1,3 +1,4 @@\n"
    for one in planting.defects(head + data):
        assert one.told()["line"] == one.at.line
    list(planting.defects(data))
