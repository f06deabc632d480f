"""README.md and the guides in docs/ say the truth: their commands are typed, what they print is compared.

How a page is written for this: documents.py. A failure shows the page's line, what it shows and what came.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import click
import pytest

from documents import blocks, follow, guides, read, surroundings
from world import FRAMEWORK

# Blocks that nobody can type here: the page, and the reason that it gives.
NOT_RUN = {
    ("README.md", "it is what runs all tests, this one among them"),
    ("agents.md", "a login at a vendor, by a person in a browser"),
    ("agents.md", "it takes a minute; tests/e2e/test_trial_vendors.py does it"),
    ("cluster.md", "there is no cluster here; tests/e2e/test_slurm.py has one"),
    ("installing.md", "it installs packages; tests/e2e/test_packaging.py does it without"),
}
PAGES = [FRAMEWORK / "README.md", FRAMEWORK / "CONTRIBUTING.md", *sorted((FRAMEWORK / "docs").glob("*.md"))]
Followed = dict[str, "Future[list[str]]"]


@pytest.fixture(scope="module")
def followed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Followed]:
    """What is wrong with each guide that is asked for; two are typed at once."""
    asked = {item.callspec.params["page"] for item in request.session.items if _is_a_guide(item)}
    probe = [FRAMEWORK / "SCRIPTS" / "SAFETY" / "sandbox.sh", "--probe"]
    if subprocess.run(probe, capture_output=True, check=False).returncode != 0:
        pytest.skip("no sandbox here: each run would say so, and no page does")
    place = tmp_path_factory.mktemp("documents")
    with surroundings(place / "models") as more, ThreadPoolExecutor(2) as pool:
        slow_first = sorted(asked, key=lambda page: (page.stem not in ("agents", "README"), page))
        yield {
            str(page): pool.submit(follow, read(page), place / page.stem / "ann", more) for page in slow_first
        }


def _is_a_guide(item: pytest.Item) -> bool:
    return item.path == Path(__file__) and hasattr(item, "callspec") and "page" in item.callspec.params


@pytest.mark.parametrize("page", guides(), ids=lambda page: page.stem)
def test_what_a_guide_shows(page: Path, followed: Followed) -> None:
    wrong = followed[str(page)].result()
    assert not wrong, "\n".join(wrong)


def test_what_is_not_run_is_listed() -> None:
    left_out = {(page.name, reason) for page in PAGES for _, reason in read(page).left_out}
    assert left_out == NOT_RUN


def test_links_lead_somewhere() -> None:
    broken = []
    for page in PAGES:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
            path, _, anchor = link.partition("#")
            if "://" in link:
                continue
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or (anchor and anchor not in anchors(target)):
                broken.append(f"{page.name}: {link}")
    assert not broken


def anchors(page: Path) -> set[str]:
    """As a repository's host makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


def test_files_that_are_named_are_there() -> None:
    named = re.compile(r"\b(?:bin|docs|orkestra_shim|SCRIPTS|tests)/[\w./-]+[\w/]")
    lost = [
        f"{page.name}: {path}"
        for page in PAGES
        for code in re.findall(r"`([^`\n]+)`", page.read_text("utf-8"))
        for path in named.findall(code)
        if "NAME" not in path and not (FRAMEWORK / path).exists()
    ]
    assert not lost


def test_commands_within_the_text_are_there() -> None:
    from orkestra_shim.cli import orkestra

    wrong = []
    for page in PAGES:
        prose = re.sub(r"^ *```.*?^ *```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
        for code in re.findall(r"`(?:bin/)?orkestra ([^`]+)`", " ".join(prose.split("\n"))):
            if "‹" not in code and (problem := unknown(orkestra, code.partition("|")[0].split())):
                wrong.append(f"{page.name}: `orkestra {code}`: {problem}")
    assert not wrong, "\n".join(wrong)


def unknown(command: click.Command, words: list[str]) -> str:
    """Which word of a command line there is not: a command's name, or an option of it."""
    while isinstance(command, click.Group) and words and words[0][0] != "-":
        if not words[0].islower():
            return ""  # COMMAND
        if words[0] not in command.commands:
            return f"there is no {words[0]}"
        command = command.commands[words.pop(0)]
    options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    options |= {"-h", "--help", "--setup-only"}  # the last is bin/orkestra's own
    given = (one.split("=")[0] for one in words if one[0] == "-")
    return next((f"no option {one}" for one in given if one not in options), "")


def test_a_page_that_says_something_else_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- file: note -->\n```\nhello\n```\n```console\n$ cat note\nhello\n$ cat note # other\nhell\n"
        "$ cat note # nothing\n$ cat note # more\n...\nhello\n...\n"
        "$ echo ~\n~\n$ false\n$ false\n$ echo $?\n1\n```\n"
        "<!-- not run: no -->\n```console\n$ cat note\n```\n"
    )
    wrong = follow(read(page), tmp_path / "ann", {"PATH": "/usr/bin:/bin"})
    assert [one.split("\n")[0] for one in wrong] == [
        "page.md:8: $ cat note # other",
        "page.md:10: $ cat note # nothing",
        "page.md:17: $ false",
    ]
    bad = [
        "```console\n$ ls\n...\n```\n",
        "```sh\nls\n```\n",
        "```\n$ ls\n```\n",
        "<!-- file: x -->\n",
        "```console\nls\n```\n",
    ]
    for text in bad:
        page.write_text(text)
        with pytest.raises(ValueError, match=r"page\.md"):
            read(page)
    assert [kind for _, kind, _, _ in blocks("<!-- an aside -->\n```json\n{}\n```\n")] == ["```json"]
