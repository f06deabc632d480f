"""tests/helpers/totals.py: bin/test may never say that all is well when it is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

JUNIT = """<?xml version="1.0"?><testsuites><testsuite name="pytest">
<testcase classname="t" name="good"/>
<testcase classname="t" name="bad"><failure message="x">y</failure></testcase>
<testcase classname="t" name="broken"><error message="x">y</error></testcase>
<testcase classname="t" name="left_out"><skipped type="pytest.skip" message="no tool">y</skipped></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def totals(framework: Path, place: Path, monkeypatch: pytest.MonkeyPatch):
    """Calls totals.py on (suites.tsv, {file: text}, CI, allowed skips); gives exit status and lines."""

    def call(
        suites: str, files: dict[str, str], ci: bool = False, allowed: str = ""
    ) -> tuple[int, list[str]]:
        results = place / "results"
        results.mkdir()
        (results / "suites.tsv").write_text(suites)
        (place / "allowed.tsv").write_text(allowed)
        for name, text in files.items():
            (results / name).write_text(text)
        monkeypatch.setenv("CI", "true" if ci else "")
        done = subprocess.run(
            [
                sys.executable,
                framework / "tests" / "helpers" / "totals.py",
                results,
                place / "allowed.tsv",
            ],
            capture_output=True,
            text=True,
        )
        return done.returncode, (done.stdout + done.stderr).splitlines()

    return call


def test_totals_over_both_runners(totals) -> None:
    tap = "1..3\nok 1 good in 12ms\nnot ok 2 bad in 3ms\n# why\nok 3 left out in 0ms # skip no tool\n"
    code, lines = totals("pytest\t1\t3\nbats\t1\t2\n", {"pytest.xml": JUNIT, "bats.tap": tap})
    assert code == 1
    assert lines[-1] == "2 passed, 3 failed, 2 skipped"


def test_all_passed(totals) -> None:
    code, lines = totals("lint\t0\t1\nbats\t0\t2\n", {"bats.tap": "1..2\nok 1 a # in a name\nok 2 b\n"})
    assert (code, lines[-1]) == (0, "2 passed, 0 failed, 0 skipped")


@pytest.mark.parametrize(
    ("suites", "files", "word"),
    [
        ("bats\t0\t1\n", {"bats.tap": "1..3\nok 1 a\n"}, "the runner ended early"),
        ("bats\t124\t1\n", {"bats.tap": "1..1\nok 1 a\n"}, "ended with exit 124"),
        ("lint\t1\t1\n", {}, "lint (ended with exit 1)"),
        ("pytest\t0\t1\n", {}, "ran no test"),
        ("pytest\t0\t1\n", {"pytest.xml": "<testsuites><test"}, "unreadable"),
        ("bats\t0\t1\n", {"bats.tap": ""}, "ran no test"),
    ],
)
def test_what_is_missing_is_a_failure(totals, suites: str, files: dict[str, str], word: str) -> None:
    code, lines = totals(suites, files)
    assert code == 1
    assert word in "\n".join(lines)
    assert ", 0 failed" not in lines[-1]


@pytest.mark.parametrize(
    ("ci", "allowed", "code"),
    [(False, "", 0), (True, "", 1), (True, "^bats: b$\tneeds a kernel that CI lacks\n", 0)],
)
def test_a_skip_fails_ci_unless_it_is_listed(totals, ci: bool, allowed: str, code: int) -> None:
    tap = "1..2\nok 1 a\nok 2 b # skip no such thing here\n"
    got, lines = totals("bats\t0\t1\n", {"bats.tap": tap}, ci, allowed)
    assert got == code
    assert lines[-1] == "1 passed, 0 failed, 1 skipped"
    assert "no such thing here" in "\n".join(lines)


def test_a_listed_skip_needs_its_reason(totals) -> None:
    code, _ = totals("bats\t0\t1\n", {"bats.tap": "1..1\nok 1 a\n"}, True, "^bats: b$\n")
    assert code == 1


def junit(**results: bool) -> str:
    cases = "".join(
        f'<testcase classname="t" name="{name}">{"" if good else "<failure/>"}</testcase>'
        for name, good in results.items()
    )
    return f"<testsuites><testsuite>{cases}</testsuite></testsuites>"


@pytest.mark.parametrize(
    ("first", "again", "last", "unsteady"),
    [
        ({"a": True, "b": False}, {"b": True}, "2 passed, 0 failed, 0 skipped", 1),
        ({"a": True, "b": False}, {"b": False}, "1 passed, 1 failed, 0 skipped", 0),
        ({"a": False, "b": False}, {"a": True, "b": False}, "1 passed, 1 failed, 0 skipped", 1),
        # Its runner ended before it came to that.
        ({"a": False, "b": False}, {"a": True}, "0 passed, 2 failed, 0 skipped", 0),
        # That is no chance any more.
        (dict.fromkeys("abc", False), dict.fromkeys("abc", True), "0 passed, 3 failed, 0 skipped", 0),
        # A rare one is what such a test is for.
        ({"killed_at": False}, {"killed_at": True}, "0 passed, 1 failed, 0 skipped", 0),
    ],
)
def test_what_passes_alone_is_named(
    totals, first: dict[str, bool], again: dict[str, bool], last: str, unsteady: int
) -> None:
    status = 0 if all(again.values()) else 1
    files = {"e2e-pytest.xml": junit(**first), "e2e-again.xml": junit(**again)}
    code, lines = totals(f"e2e\t{status}\t9\n", files)
    assert lines[-1] == last and code == (0 if " 0 failed" in last else 1)
    assert sum("UNSTEADY" in line for line in lines) == unsteady
