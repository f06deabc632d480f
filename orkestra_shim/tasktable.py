"""Tasks in a table: CSV with a header row whose columns are called like the keys of the queue."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

from .incoming import DONE, Foreign, Item, line_of, numbered, text_of

_LISTS = ("inputs", "allow_paths")
_NUMBERS = ("timeout", "max_attempts")
_NAMES = ("depends_on", "prefer_after")
COLUMNS = ("id", "title", "description", *_NAMES, "priority", "agent", "domain", "command", *_LISTS, "check",
           *_NUMBERS, "allow_empty", "status")  # fmt: skip
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
Row = tuple[int, dict[str, str]]


def items(file: Foreign) -> list[Item]:
    """Each row. Raises 65 with the line on which a row begins, and the column."""
    rows = list(_rows(file))
    names = {name for _, row in rows for name in (row.get("id", ""), line_of(row.get("title", ""))) if name}
    seen: dict[str, int] = {}
    return [_item(file, line, row, names, seen) for line, row in rows]


def _rows(file: Foreign) -> Iterator[Row]:
    first = file.text.lstrip("\r\n").split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(file.text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    line = 1
    try:
        for cells in reader:
            begins, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = _header(file, begins, cells)
                continue
            if len(cells) > len(header):
                raise file.error((begins,), f"{len(cells)} cells, and the header has {len(header)}")
            yield (
                begins,
                {key: cell.strip() for key, cell in zip(header, cells, strict=False) if cell.strip()},
            )
    except csv.Error as error:
        raise file.error((line,), f"not readable as CSV: {error}") from None


def _header(file: Foreign, line: int, cells: list[str]) -> list[str]:
    header = [cell.strip().lower().replace(" ", "_").replace("-", "_") for cell in cells]
    for number, name in enumerate(header, 1):
        if name not in COLUMNS:
            raise file.error(
                (line, number), f"unknown column '{name[:80]}'", "columns: " + ", ".join(COLUMNS)
            )
        if name in header[: number - 1]:
            raise file.error((line, number), f"the column {name} is there twice")
    if "title" not in header:
        raise file.error((line,), "there is no column title", "columns: " + ", ".join(COLUMNS))
    return header


def _item(file: Foreign, line: int, row: dict[str, str], names: set[str], seen: dict[str, int]) -> Item:
    title, name = line_of(row.get("title", "")), row.get("id", "")
    status = row.get("status", "pending").lower()
    fields: dict[str, Any] = {}
    for key, cell in row.items():
        if key not in ("id", "title", "description", "status", *_NAMES):
            fields[key] = _value(file, line, key, cell)
    if status == "proposed":
        fields["status"] = status
    elif status not in ("pending", "open", "todo", *DONE):
        raise file.error((line, "status"), f"status must be pending, proposed, or one of {', '.join(DONE)}")
    return Item(
        place=(line,),
        key=name or numbered(seen, title),
        title=title,
        names=tuple({one: None for one in (name, title) if one}),
        wish=name,
        description=text_of(row.get("description", "")),
        needs=[(one, (line, "depends_on")) for one in _named(row.get("depends_on", ""), names)],
        after=[(one, (line, "prefer_after")) for one in _named(row.get("prefer_after", ""), names)],
        fields=fields,
        done=status in DONE,
    )


def _named(cell: str, names: set[str]) -> list[str]:
    """The tasks that a cell names: one that is called so, or several between ; , or line ends."""
    if line_of(cell) in names:
        return [line_of(cell)]
    return [line_of(one) for one in re.split("[;,\n]", cell) if one.strip()]


def _value(file: Foreign, line: int, key: str, cell: str) -> object:
    if key in _LISTS:
        return [one.strip() for one in re.split("[;\n]", cell) if one.strip()]
    if key in _NUMBERS:
        if not re.fullmatch("[0-9]{1,9}", cell):
            raise file.error((line, key), f"{key} must be a whole number")
        return int(cell)
    if key == "allow_empty":
        if cell.lower() not in _BOOLEANS:
            raise file.error((line, key), f"{key} must be true or false")
        return _BOOLEANS[cell.lower()]
    return cell.lower() if key == "priority" else cell
