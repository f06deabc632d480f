"""Published elections as profiles: PrefLib's text (.soc .soi .toc .toi, old and new) and BLT.

PrefLib: N. Mattei and T. Walsh, PrefLib: a library for preferences, ADT 2013, and its page on data formats.
BLT: I. D. Hill, B. A. Wichmann, D. R. Woodall, Algorithm 123: single transferable vote by Meek's method, The
Computer Journal 30 (1987); with `=` for equal places and `#` for comments, as other programs write it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .profiles import Ballot, Profile, Tiers, names, shown, wrong

_NAME = re.compile(r"#\s*ALTERNATIVE NAME ([0-9]{1,9})\s*:\s*(.*)\Z", re.IGNORECASE)
_TYPE = re.compile(r"#\s*DATA TYPE\s*:\s*(\w+)", re.IGNORECASE)
_ORDER = re.compile(r"\{[0-9, ]*\}|[0-9]+")
_WHOLE_ORDER = re.compile(r"(?:(?:\{[0-9, ]*\}|[0-9]+)\s*(?:,|\Z)\s*)*\Z")
_BLT_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|#[^\n]*|(\S+)')


def read(text: str, where: str) -> Profile | None:
    """The profile in a text that is PrefLib's or BLT, None when it is neither. Raises OrkestraError 65."""
    lines = [line.strip() for line in text.splitlines()]
    first = next((line for line in lines if line), "")
    if first.startswith("#") and any(_NAME.match(line) for line in lines):
        return _preflib(lines, where)
    if re.match(r"[0-9]+\Z", first):
        return _old_preflib(lines, where)
    if any(re.match(r"[0-9]+\s+[0-9]+(\s|\Z)", line) for line in lines[:50] if not line.startswith("#")):
        return _blt(text, where)
    return None


# --- PrefLib ------------------------------------------------------------------------------------------------


def _preflib(lines: list[str], where: str) -> Profile:
    found: dict[int, str] = {}
    ballots = []
    for number, line in enumerate(lines, 1):
        place = f"{where}:{number}"
        named, typed = _NAME.match(line), _TYPE.match(line)
        if named:
            _add(found, int(named[1]), named[2].strip(), place)
        elif typed and typed[1].lower() not in ("soc", "soi", "toc", "toi"):
            raise wrong(f"{place}: PrefLib's {shown(typed[1])} holds no rankings", "soc, soi, toc and toi do")
        elif line and not line.startswith("#"):
            count, colon, order = line.partition(":")
            ballots.append((place, count if colon else "", order))
    return _profile(found, ballots)


def _old_preflib(lines: list[str], where: str) -> Profile:
    rows = [(f"{where}:{number}", line) for number, line in enumerate(lines, 1) if line]
    count = int(rows[0][1]) if len(rows[0][1]) < 5 else 0
    found: dict[int, str] = {}
    for place, line in rows[1 : count + 1]:
        number, comma, name = line.partition(",")
        if not comma or not number.isascii() or not number.isdigit():
            raise wrong(f"{place}: expected an option's number, a comma and its name, not {shown(line)}")
        _add(found, int(number), name.strip(), place)
    voters = rows[count + 1][1] if len(rows) > count + 1 else ""
    if len(found) < count or not re.match(r"[0-9]+(\s*,\s*[0-9]+)*\Z", voters):
        raise wrong(f"{where}: not PrefLib's old form: options, their names, then how many voted")
    ballots = []
    for place, line in rows[count + 2 :]:
        number, _, order = line.partition(",")
        ballots.append((place, number, order))
    return _profile(found, ballots)


def _add(found: dict[int, str], number: int, name: str, place: str) -> None:
    if number in found:
        raise wrong(f"{place}: the option {number} is named twice")
    found[number] = name


def _profile(found: dict[int, str], rows: list[tuple[str, str, str]]) -> Profile:
    numbers = sorted(found)
    candidates = names([found[number] for number in numbers])
    places = {number: at for at, number in enumerate(numbers)}
    ballots = []
    for place, count, order in rows:
        count = count.strip()
        if not re.match(r"[0-9]{1,30}\Z", count) or not _WHOLE_ORDER.match(order.strip()):
            raise wrong(f"{place}: expected a count and a ranking such as 12: 1,{{2,3}},4")
        tiers = tuple(
            tuple(_place(places, word, place) for word in re.findall(r"[0-9]+", part))
            for part in _ORDER.findall(order)
        )
        ballots.append(_ballot(tiers, int(count), place))
    return Profile(candidates, tuple(ballots))


def _place(places: dict[int, int], word: str, where: str) -> int:
    number = int(word) if len(word) < 10 else -1
    if number not in places:
        raise wrong(f"{where}: {shown(word)} is the number of no option")
    return places[number]


def _ballot(tiers: Tiers, count: int, where: str) -> Ballot:
    flat = [option for tier in tiers for option in tier]
    if len(set(flat)) < len(flat):
        raise wrong(f"{where}: an option stands there twice")
    return Ballot("ranking", tuple(tier for tier in tiers if tier), heads=count, weight=count)


# --- BLT ----------------------------------------------------------------------------------------------------


def _blt(text: str, where: str) -> Profile:
    words = _words(text, where)

    def number(what: str) -> int:
        quoted, word, place = next(words, (False, "", f"{where}: its end"))
        if quoted or not re.match(r"-?[0-9]{1,30}\Z", word):
            raise wrong(f"{place}: expected {what}, not {shown(word)}")
        return int(word)

    count, seats = number("the number of options"), number("the number of seats")
    if seats != 1:
        raise wrong(f"{where}: an election for {seats} seats; one option is elected here")
    places = {at: at - 1 for at in range(1, min(count, 10_000) + 1)}
    withdrawn: set[int] = set()
    rows: list[tuple[Tiers, int, str]] = []
    while (heads := number("a count, or 0 after the last ballot")) != 0:
        if heads < 0:
            withdrawn.add(_place(places, str(-heads), where))
        else:
            rows.append(_row(words, places, heads, where))
    titles = [word for _, word, _ in words]
    if len(titles) < count:
        raise wrong(f"{where}: {count} options, and names for {len(titles)} of them")
    candidates = names(titles[:count])
    kept = {old: new for new, old in enumerate(at for at in range(count) if at not in withdrawn)}
    if not kept:
        raise wrong(f"{where}: every option has withdrawn")
    ballots = tuple(_ballot(tiers, heads, place).among(kept) for tiers, heads, place in rows)
    return Profile(tuple(candidates[old] for old in kept), ballots)


def _row(
    words: Iterator[tuple[bool, str, str]], places: dict[int, int], heads: int, where: str
) -> tuple[Tiers, int, str]:
    """The preferences of one line of ballots, up to its 0."""
    tiers: list[tuple[int, ...]] = []
    place = where
    for quoted, word, place in words:
        if word == "0" and not quoted:
            return tuple(tiers), heads, place
        if word == "-" and not quoted:  # a place that was left empty
            continue
        if quoted or not re.match(r"[0-9]+(=[0-9]+)*\Z", word):
            raise wrong(
                f"{place}: expected an option's number, or 0 at the end of a ballot, not {shown(word)}"
            )
        tiers.append(tuple(_place(places, part, place) for part in word.split("=")))
    raise wrong(f"{place}: the last ballot has no 0 at its end")


def _words(text: str, where: str) -> Iterator[tuple[bool, str, str]]:
    """(is it quoted, the word, its place)"""
    line, seen = 1, 0
    for match in _BLT_WORD.finditer(text):
        line += text.count("\n", seen, match.start())
        seen = match.start()
        if match[2] is not None and not re.match(r"\(.*\)\Z", match[2]):  # (ID) of a ballot
            yield False, match[2], f"{where}:{line}"
        elif match[1] is not None:
            yield True, re.sub(r"\\(.)", r"\1", match[1]), f"{where}:{line}"
