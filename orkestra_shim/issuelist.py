"""Issues of GitHub: the JSON of `gh issue list --json number,title,body,labels,state,milestone`."""

from __future__ import annotations

import re
from typing import Any

from .incoming import Foreign, Item, Place, a_list, a_text, an_object, described, line_of, visible

_NEEDS = re.compile(
    r"\b(?:blocked by|depends (?:up)?on)\b[ \t]{0,4}:?"
    r"((?:[ \t]{0,4}(?:,|and\b|&|\n{1,2}[ ]{0,4}[-*+](?: \[ \])?)?[ \t]{0,4}#[0-9]{1,9}\b)+)",
    re.IGNORECASE,
)
_PART = re.compile(
    r"^[ \t]{0,12}[-*+][ \t]{1,4}\[ \][ \t]{1,4}(#[0-9]{1,9}|https://[^\s/]+/[^\s/]+/[^\s/]+/issues/[0-9]{1,9})\b",
    re.MULTILINE,
)
_DOMAIN = re.compile(r"(?:area|domain|component)[ ]?[:/][ ]?(.+)\Z", re.IGNORECASE)
_PRIORITY = re.compile(
    r"(?:prio(?:rity)?[ ]?[:/-]?[ ]?)?(p[0-4]|critical|urgent|high|medium|low)(?:[ -]?priority)?\Z",
    re.IGNORECASE,
)
_RANKS = {"p0": "critical", "p1": "high", "p2": "medium", "p3": "low", "p4": "low", "urgent": "critical"}


def items(file: Foreign) -> list[Item]:
    """Each issue, the oldest first. Raises 65 with line and column."""
    found = file.json()
    if not isinstance(found, list):
        raise file.error((), "expected a list of issues, as gh issue list --json prints it")
    numbered = [(_number(file, raw, index), index) for index, raw in enumerate(found)]
    return [_item(file, found[index], number, (index,)) for number, index in sorted(numbered)]


def _number(file: Foreign, raw: object, index: int) -> int:
    number = an_object(file, raw, (index,)).get("number")
    if type(number) is not int or number < 1:
        raise file.error(
            (index, "number"), "an issue needs its number: gh issue list --json number,title,..."
        )
    return number


def _item(file: Foreign, raw: dict[str, Any], number: int, at: Place) -> Item:
    url = a_text(file, raw, "url", at)
    body = visible(a_text(file, raw, "body", at).replace("\r\n", "\n"))
    labels = [
        _name(file, label, (*at, "labels", n))
        for n, label in enumerate(a_list(file, raw.get("labels"), (*at, "labels")))
    ]
    milestone = an_object(file, raw.get("milestone") or {}, (*at, "milestone"))
    fields: dict[str, Any] = {}
    others = []
    for label in labels:
        if known := _PRIORITY.match(label):
            word = known.group(1).lower()
            fields.setdefault("priority", _RANKS.get(word, word))
        elif known := _DOMAIN.match(label):
            fields.setdefault("domain", known.group(1)[:300])
        else:
            others.append(label)
    return Item(
        place=at,
        key=url or f"github:#{number}",
        title=a_text(file, raw, "title", at),
        names=(f"#{number}", *([url] if url else [])),
        wish=f"issue-{number}",
        description=described(
            ("", body),
            ("", url and f"Issue: {url}"),
            ("", "Labels: " + ", ".join(others) if others else ""),
            ("", milestone.get("title") and f"Milestone: {line_of(milestone['title'])}"),
        ),
        needs=[(name, (*at, "body")) for name in _needs(body, url)],
        fields=fields,
        done=a_text(file, raw, "state", at).lower() == "closed",
    )


def _name(file: Foreign, label: object, at: Place) -> str:
    return line_of(label if isinstance(label, str) else a_text(file, an_object(file, label, at), "name", at))


def _needs(body: str, url: str) -> list[str]:
    """`blocked by #12`, and the open boxes of a task list that name an issue of this repository."""
    shown = visible(body, code=False)
    names = [
        f"#{digits}" for found in _NEEDS.finditer(shown) for digits in re.findall("[0-9]+", found.group(1))
    ]
    home = url.rpartition("/")[0]
    for found in _PART.finditer(shown):
        where, _, last = found.group(1).rpartition("/")
        if not where or (home and where == home):
            names.append(f"#{last.lstrip('#')}")
    return list(dict.fromkeys(names))
