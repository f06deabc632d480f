"""Checklists in Markdown: `- [ ] Title (id: x, depends on: y)`; an item waits for those nested in it."""

from __future__ import annotations

import re

from .incoming import LONGEST_TEXT, Foreign, Item, line_of, numbered, visible

_ITEM = re.compile(r"([ \t]{0,200})(?:[-*+]|([0-9]{1,9})[.)])[ \t]{1,4}\[([ xX])\](?:[ \t]+(.*))?\Z")
_HEADING = re.compile(r"[ ]{0,3}(#{1,6})[ \t]+(.+)\Z")
_FENCE = re.compile(r"[ \t]*(```+|~~~+)")
_BULLET = re.compile(r"[ \t]*(?:[-*+]|[0-9]{1,9}[.)])[ \t]")
_MARK = re.compile(
    r"[(\[][ ]?((?:id|depends on|blocked by):[^()\[\]]*)[)\]]|\b((?:depends on|blocked by):.*)\Z",
    re.IGNORECASE,
)
_NUMBERS = re.compile(r"\b(?:depends on|blocked by) (#[\w.-]+(?:(?:,| and|, and) #[\w.-]+)*)", re.IGNORECASE)
_NUMBER = re.compile(r"(#[0-9]{1,9})\b")


def items(file: Foreign) -> list[Item]:
    """Each item with a box, in the order of the file. Raises 65 with the line."""
    reader = _Reader(file)
    for number, line in enumerate(visible(file.text.replace("\r\n", "\n")).split("\n"), 1):
        if len(line) > LONGEST_TEXT:
            raise file.error((number,), f"a line of more than {LONGEST_TEXT} characters")
        reader.take(number, line)
    return reader.items


class _Reader:
    def __init__(self, file: Foreign) -> None:
        self.file = file
        self.items: list[Item] = []
        self._open: list[tuple[int, Item, str]] = []  # items that this line may belong to: indent, key
        self._sections: list[tuple[int, str]] = []
        self._fence = ""
        self._blank = True
        self._seen: dict[str, int] = {}

    def take(self, number: int, line: str) -> None:
        """The next line."""
        indent = len(line[:400].expandtabs(4)) - len(line[:400].expandtabs(4).lstrip())
        fence = _FENCE.match(line)
        if self._fence or fence:
            if not self._fence and fence:
                self._close(indent)
                self._fence = fence.group(1)
            elif fence and fence.group(1).startswith(self._fence):
                self._fence = ""
            self._note(number, line)
        elif found := _ITEM.match(line):
            self._begin(number, indent, found)
        elif not line.strip():
            self._note(number, "")
        elif heading := _HEADING.match(line):
            self._open.clear()
            depth = len(heading.group(1))
            self._sections = [one for one in self._sections if one[0] < depth]
            self._sections.append((depth, line_of(heading.group(2)).rstrip("# ")))
        else:
            if self._blank or _BULLET.match(line):
                self._close(indent)
            self._note(number, line)
        self._blank = not line.strip()

    def _close(self, indent: int) -> None:
        while self._open and self._open[-1][0] >= indent:
            self._open.pop()

    def _note(self, number: int, line: str) -> None:
        """A line of the innermost open item's description."""
        if not self._open:
            return
        _, item, _ = self._open[-1]
        text = line.rstrip() if self._fence else line.strip()
        if not self._fence and text.lower().startswith(("depends on:", "blocked by:")):
            self._mark(item, text, number)
            return
        item.description += f"{text}\n"
        if len(item.description) > LONGEST_TEXT:
            raise self.file.error((number,), f"a description of more than {LONGEST_TEXT} characters")

    def _begin(self, number: int, indent: int, found: re.Match[str]) -> None:
        self._close(indent)
        item = Item(place=(number,), key="", title="", done=found.group(3) != " ")
        text = found.group(4) or ""
        for mark in _MARK.finditer(text):
            self._mark(item, mark.group(1) or mark.group(2), number)
        for mark in _NUMBERS.finditer(text):
            item.needs += [(name, item.place) for name in re.findall(r"#[\w.-]+", mark.group(1))]
        item.title = line_of(_MARK.sub(" ", text))
        above = self._open[-1] if self._open else None
        item.key = item.wish or numbered(self._seen, f"{above[2]} > {item.title}" if above else item.title)
        names = [item.title, item.wish]
        names += [f"#{found.group(2)}"] if found.group(2) else []
        names += [begun.group(1)] if (begun := _NUMBER.match(item.title)) else []
        item.names = tuple(dict.fromkeys(name for name in names if name))
        if self._sections:
            item.description = "Under: " + " / ".join(name for _, name in self._sections) + "\n\n"
        if above:
            above[1].needs.append((f"\n{number}", item.place))
            item.names += (f"\n{number}",)
        self._open.append((indent, item, item.key))
        self.items.append(item)

    def _mark(self, item: Item, text: str, line: int) -> None:
        """`id: x, depends on: y, z`: what an item says of itself."""
        for part in re.split(r"[,;][ \t]{0,4}(?=(?:id|depends on|blocked by):)", text, flags=re.IGNORECASE):
            word, _, value = part.partition(":")
            if word.strip().lower() == "id":
                if item.wish or not value.strip():
                    raise self.file.error((line,), "an item has one id")
                item.wish = line_of(value)
            else:
                named = re.split("[,;]| and (?=#)", value)
                item.needs += [(line_of(one), (line,)) for one in named if one.strip()]
