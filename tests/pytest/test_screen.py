"""The screen of a run fits whatever the terminal's size and the number of workers, and shows what counts."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from orkestra_shim import files
from orkestra_shim.live import Hand, Picture, length
from orkestra_shim.screen import draw

EVIL = "\x1b[2J\x1b]0;owned\x07 \u202eabc"


def picture(workers: int, news: int = 20, needs: int = 5) -> Picture:
    hands = [
        Hand("w1", "a-task-with-a-long-name-that-goes-on", "claude@work", "work", 75, 30, EVIL + "x" * 300)
    ]
    hands += [
        Hand(f"w{at}", f"task-{at}", "codex", "check", 3700 * at, None, "ok") for at in range(2, workers)
    ]
    hands += [Hand(f"w{workers}")] if workers > 1 else []
    recent = [(f"t{at}", f"landed as outcome-{at:03d}") for at in range(news)]
    waiting = [(f"n{at}", "a gate refused: " + "why " * 60) for at in range(needs)]
    counts = {"in_progress": workers, "needs_human": needs, "failed": 2, "completed": 33, "ready": 4}
    return Picture("shop", counts, sum(counts.values()), hands, 4000, (60, 600), "$1.25", waiting, recent)


def lines(shown: Picture, width: int, height: int) -> list[str]:
    """What the terminal gets, without its empty end."""
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, force_terminal=True, color_system=None)
    console.print(draw(shown, width, height))
    return [line.rstrip() for line in out.getvalue().rstrip("\n").split("\n")]


@pytest.mark.parametrize("workers", [1, 8, 40])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 50), (40, 10)])
def test_it_fits(workers: int, width: int, height: int) -> None:
    told = lines(picture(workers), width, height)
    assert len(told) <= height and max(map(len, told)) <= width
    text = "\n".join(told)
    assert "\x1b" not in text and "\u202e" not in text
    assert told[0].startswith("shop  1:06:40")
    if height >= 24:
        assert "33/" in told[1] and "33 landed" in told[1]
        assert "landed as outcome-019" in text and "spent  $1.25" in text
        assert text.count("waits for you") == 3 and "n4: a gate refused" in text
        assert "a-task-with-a-long-…" in text and "1:15" in text
    shown = sum(line.startswith("w") and line[1].isdigit() for line in told)
    if workers == 40 and height >= 24:
        (more,) = [line for line in told if line.endswith("more workers")]
        assert shown + int(more.split()[1]) == 40 and shown >= (3 if height == 24 else 25)
    elif height >= 24:
        assert shown == workers


def test_a_wide_terminal_shows_more_of_the_output() -> None:
    narrow, wide = (lines(picture(1), width, 24)[3] for width in (80, 200))
    assert "\\x1b[2J" in narrow and len(narrow) == 80 and wide.count("x") > narrow.count("x")


def test_before_anything_is_known() -> None:
    told = lines(Picture("new", {}, 0, [], None, None, "", [], [], "config/task-queue.json:3: no"), 80, 24)
    assert (
        "no run goes on" in told[0] and "0/0" in told[1] and told[-1].startswith("config/task-queue.json:3")
    )


def test_times() -> None:
    assert [length(one) for one in (-3, 0, 59.9, 3599, 3600, 90061)] == [
        "0:00", "0:00", "0:59", "59:59", "1:00:00", "25:01:01",
    ]  # fmt: skip


def test_a_log_that_grows_is_read_once_and_from_its_beginning_when_it_was_put_aside(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert files.read_from(log, 0) == (b"", 0)
    log.write_bytes(b"one\ntwo\n")
    data, at = files.read_from(log, 4)
    assert (data, at) == (b"two\n", 8) and files.read_from(log, at) == (b"", 8)
    log.write_bytes(b"new\n")
    assert files.read_from(log, at) == (b"new\n", 4)
    (tmp_path / "link").symlink_to(log)
    assert files.read_from(tmp_path / "link", 0) == (b"", 0)
