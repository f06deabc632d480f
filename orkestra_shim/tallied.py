"""A tally for people: lines of text, in which no option's name can do more than be read."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from typing import Any

from .text import printable

_WIDTH = 40  # characters of a name
_MATRIX = 12  # options of which all pairs are shown
# Letters that look like Latin ones, to be told apart: Cyrillic and Greek.
_LIKE = str.maketrans("авекмнорстухіјѕԁԛԝαβεικμνορτυχѵ", "abekmhopctyxijsdqwabeikuvoptuxv")


def name(text: str) -> str:
    """An option's name, short, with everything escaped that is not seen."""
    visible = "".join(
        char if char.isprintable() else f"\\u{ord(char):04x}" for char in printable(text[: _WIDTH + 1])
    )
    return visible if len(text) <= _WIDTH else f"{visible[:_WIDTH]}..."


def lines(result: dict[str, Any]) -> Iterator[str]:
    """What `tally` says, in lines."""
    if "rule" in result:
        yield from _motion(result)
        return
    yield f"{result['method']}: {_outcome(result)}"
    yield _voters(result)
    yield from _alike(result["candidates"])
    yield from _default(result)
    yield from _ranking(result)
    yield from _rounds(result)
    yield from _runoffs(result)
    yield from _matrix(result)


def _voters(result: dict[str, Any]) -> str:
    of = "" if result["members"] is None else f" of {result['members']} members"
    needed = "" if result["quorum"] < 2 else f", quorum {result['quorum']}"
    unit = "" if result["unit"] == 1 else "; numbers are thousandths of a vote"
    return f"{result['present']} voters{of}{needed}{unit}"


def _motion(result: dict[str, Any]) -> Iterator[str]:
    yield f"{result['outcome']}: {result['rule']} of {result['of']} ({result['base']})"
    yield f"yes {result['yes']}, no {result['no']}, abstain {result['abstain']}"
    yield _voters(result)


def _outcome(result: dict[str, Any]) -> str:
    if result["outcome"] == "no-quorum":
        return "no quorum, nothing is decided"
    tie = result["tie_break"]
    if tie is None:
        return f"{name(result['elected'])} is elected"
    among = ", ".join(map(name, tie["among"]))
    if tie["elected"] is None:
        return f"a tie between {among} (a seed would break it by lot)"
    return f"{name(tie['elected'])} is elected, of the winners {among}, by the {tie['by']}"


def _alike(candidates: list[str]) -> Iterator[str]:
    """Names that can be taken for one another are told apart by their characters."""
    groups: dict[str, list[str]] = {}
    for one in candidates:
        letters = unicodedata.normalize("NFKD", one).casefold().translate(_LIKE)
        seen = "".join(char for char in letters if char.isprintable() and not unicodedata.combining(char))
        groups.setdefault("".join(seen.split())[:_WIDTH], []).append(one)
    for group in groups.values():
        if len(group) > 1:
            spelled = (f"{name(one)} ({one[:_WIDTH]!a}, {len(one)} characters)" for one in group)
            yield f"look alike: {'; '.join(spelled)}"


def _default(result: dict[str, Any]) -> Iterator[str]:
    default = result.get("default")
    if default is None:
        return
    for one in default["dropped"]:
        dropped, over = name(one["option"]), name(default["option"])
        if one["why"] == "quorum":
            why = f"{one['for']} prefer it to {over}, {one['against']} are needed"
        else:
            needed = default["majority"].get(one["option"], "1:1")
            why = f"{one['for']} to {one['against']} over {over}, and {needed} is needed"
        yield f"dropped: {dropped}: {why}"


def _ranking(result: dict[str, Any]) -> Iterator[str]:
    scores = result["scores"]
    for place, tier in enumerate(result["ranking"] or [], 1):
        for one in tier:
            yield f"{place:>3}  {name(one)}" + ("" if scores is None else f"  {scores[one]}")
    if scores is not None and result["ranking"] is None:
        for one, score in scores.items():
            yield f"     {name(one)}  {score}"


def _rounds(result: dict[str, Any]) -> Iterator[str]:
    for number, one in enumerate(result["rounds"] or [], 1):
        having = [f"{name(option)} {count}" for option, count in one["counts"].items() if count != 0]
        without = len(one["counts"]) - len(having)
        counts = ", ".join([*having, *([f"{without} without a vote"] if without else [])])
        yield f"round {number}: {counts}; exhausted {one['exhausted']}"
        if one["dropped"]:
            yield f"  dropped: {', '.join(map(name, one['dropped']))}{_lowest(one['tie'])}"


def _lowest(tie: dict[str, Any] | None) -> str:
    if tie is None:
        return ""
    if tie["by"] == "no votes":
        return " (no votes)"
    among = ", ".join(map(name, tie["among"]))
    return f" (equally low: {among}; {'by ' + tie['by'] if tie['by'] else 'without a seed any may be it'})"


def _runoffs(result: dict[str, Any]) -> Iterator[str]:
    for one in result.get("runoffs", ()):
        yield "runoff: " + ", ".join(f"{name(option)} {count}" for option, count in one.items())


def _matrix(result: dict[str, Any]) -> Iterator[str]:
    candidates = result["candidates"]
    if not 1 < len(candidates) <= _MATRIX:
        return
    yield "preferred by, over the option with that number:"
    pairwise = result["pairwise"]
    rows = [["."] * len(candidates) for _ in candidates]
    for a, one in enumerate(candidates):
        for b, other in enumerate(candidates):
            if a != b:
                rows[a][b] = str(pairwise[one][other])
    width = max(len(cell) for row in rows for cell in row)
    width = max(width, len(str(len(candidates))))
    yield "     " + " ".join(f"{number:>{width}}" for number in range(1, len(candidates) + 1))
    for number, (one, row) in enumerate(zip(candidates, rows, strict=True), 1):
        yield f"{number:>3}  " + " ".join(f"{cell:>{width}}" for cell in row) + f"  {name(one)}"
