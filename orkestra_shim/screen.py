"""The screen of a run in a terminal: a picture a second, cut to its size; above it what is to stay."""

from __future__ import annotations

import contextlib
import functools
import re
import threading
from collections.abc import Callable
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from . import scripts
from .live import Hand, Picture, Watcher, length, shown
from .morning import between
from .project import Project
from .session import Session

_MARKS = {"completed": "landed", "needs_human": "need you", "in_progress": "in hand"}
_STYLES = {"completed": "green", "failed": "red", "needs_human": "yellow", "in_progress": "blue"}
_OF_WORKER = re.compile(r"\S{1,24}\s{2,}\S|.{24} \S")  # what a worker says; the screen has it from the log
_FIXED = 6  # lines around workers and news: head, bar, two empty ones, spending, the end


def draw(picture: Picture, width: int, height: int) -> Group:
    """The lines of a picture, at most `height` of them, none wider than `width`."""
    needs = picture.needs[-3:]
    room = max(2, height - _FIXED - len(needs) - bool(picture.problem))
    news = picture.recent[-max(2, min(8, room // 3)) :]
    hands = _hands(picture.hands, max(1, room - len(news)))
    lines = [_head(picture), _bar(picture, width), Text(), *hands, Text()]
    wide = max((len(task) for task, _ in news), default=0)
    lines += [
        _text((f"{_fit(task, min(wide, 24))}  ", "bold"), (shown(what), _style_of(what)))
        for task, what in news
    ]
    if picture.spent:
        lines.append(_text(("spent  ", "dim"), (picture.spent, "")))
    lines += [_text(("waits for you  ", "yellow"), (shown(f"{task}: {why}"), "")) for task, why in needs]
    if picture.problem:
        lines.append(_text((shown(picture.problem), "red")))
    for line in lines:
        line.no_wrap = True
        line.truncate(width, overflow="ellipsis")
    return Group(*lines[:height])


def _text(*parts: tuple[str, str]) -> Text:
    return Text.assemble(*parts)


def _style_of(what: str) -> str:
    word = what.split(":")[0]
    if word.startswith("landed"):
        return "green"
    return {"failed": "red", "again": "red", "needs human": "yellow"}.get(word, "")


def _head(picture: Picture) -> Text:
    parts = [(picture.project, "bold")]
    if picture.elapsed is None:
        parts.append(("  no run goes on", "dim"))
    else:
        parts.append((f"  {length(picture.elapsed)}", ""))
    if picture.left:
        parts.append((f"  about {between(list(picture.left))} left", "dim"))
    return _text(*parts)


def _bar(picture: Picture, width: int) -> Text:
    done = sum(picture.counts.get(state, 0) for state in ("completed", "cancelled"))
    cells = max(10, min(40, width - 50))
    full = cells * done // max(1, picture.total)
    text = Text.assemble(("━" * full, "green"), ("─" * (cells - full), "dim"), f" {done}/{picture.total}")
    for state in ("completed", "failed", "needs_human", "in_progress"):
        if number := picture.counts.get(state):
            text.append(f"  {number} {_MARKS.get(state, state)}", _STYLES[state])
    return text


def _hands(hands: list[Hand], room: int) -> list[Text]:
    """A line for each worker; with more workers than room those that are at something first."""
    if len(hands) > room:
        busy = [hand for hand in hands if hand.task] + [hand for hand in hands if not hand.task]
        left = len(hands) - room + 1
        return [*map(_hand, busy[: room - 1]), Text(f"and {left} more workers", "dim")]
    return list(map(_hand, hands))


def _hand(hand: Hand) -> Text:
    if not hand.task:
        return Text(f"{hand.worker:<4} waits for a task", "dim")
    late = hand.usual is not None and hand.elapsed > hand.usual
    return _text(
        (f"{hand.worker:<4} ", "dim"),
        (f"{_fit(hand.task, 20)} ", "bold"),
        (f"{_fit(hand.agent, 12)} {hand.stage:<7}", ""),
        (f"{length(hand.elapsed):>7}  ", "yellow" if late else ""),
        (shown(hand.line), "dim"),
    )


def _fit(text: str, cells: int) -> str:
    text = shown(text)
    return f"{text:<{cells}}" if len(text) <= cells else text[: cells - 1] + "…"


# --- in a terminal ------------------------------------------------------------------------------------------


def terminal() -> Console | None:
    """The terminal on stdout; None where there is none, or one that cannot move its cursor."""
    console = Console()
    return console if console.is_terminal and not console.is_dumb_terminal else None


class Screen:
    """Shows a watcher's pictures until it is left; lines that are told meanwhile stay above."""

    def __init__(self, watcher: Watcher, console: Console) -> None:
        self._watcher, self._console = watcher, console
        self._live = Live(console=console, auto_refresh=False, transient=True, screen=False)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def __enter__(self) -> Screen:
        self._live.start()
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        self._thread.join()
        self._show(self._live.stop)

    def _show(self, write: Callable[[], object]) -> None:
        """A terminal that was closed takes nothing any more, and that is no matter for the run."""
        with contextlib.suppress(OSError):
            write()

    def tell(self, line: str) -> None:
        """A line of the run; what its workers say is in the picture."""
        if not _OF_WORKER.match(line):
            self.warn(shown(line) if line.strip() else "")

    def warn(self, line: str) -> None:
        """A line that is to be seen."""
        self._show(lambda: self._console.print(Text(line), soft_wrap=True))

    def wait(self, ends: Callable[[], bool]) -> None:
        """Until the time has come; looked at as often as a picture is made."""
        while not self._stop.wait(1.0):
            if ends():
                return

    def _go_on(self) -> None:
        while True:
            width, height = self._console.size
            picture = draw(self._watcher.look(), width, height - 1)
            self._show(functools.partial(self._live.update, picture, refresh=True))
            if self._stop.wait(1.0):
                return


def run(now: Session, found: Project, arguments: list[str]) -> int | None:
    """Calls the orchestrator and shows the run; its exit code, or None where no screen can be shown.

    A kill of this process leaves the run going on; it is stopped by `orkestra stop`.
    """
    console = terminal()
    if console is None:
        return None
    with Screen(Watcher(now, found, from_now=True), console) as screen:
        return scripts.follow(
            now.home, now.values, "CORE/orchestrator.sh", arguments, screen.tell, screen.warn
        )
