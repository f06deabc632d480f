"""Known defects for copies of changes: one of a change's own added lines is made wrong, or taken away.

The same change and seed give the same defect. It knows no language: it looks for what conditions, numbers and
the handling of errors look like in most. What it plants may be what a check finds, too; nobody asks one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

_HUNK = re.compile(rb"@@ -[0-9]+(?:,[0-9]+)? \+([0-9]+)(?:,[0-9]+)? @@")
_NAME = re.compile(rb"\+\+\+ b/([^\t\n]+)\t?\Z")
_PLAIN = re.compile(rb"(?m)^(?:new file mode|new mode|index [0-9a-f]+\.\.[0-9a-f]+) (?:100644|100755)$")
_SILENT = re.compile(r"\s*(#|//|/?\*|--|<!--|$)")  # lines that do nothing
_CODE = re.compile(r"\b(if|elif|while|until|return|assert|unless|when|for)\b|=|\[\[|\(\(|\btest\b")
_PROSE = (".md", ".rst", ".txt", ".adoc")
_SHELL = (".sh", ".bash", ".bats", ".zsh")

Rule = tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]]


def _rules(*pairs: tuple[str, str | Callable[[re.Match[str]], str]]) -> tuple[Rule, ...]:
    return tuple((re.compile(pattern), into) for pattern, into in pairs)


_TESTS: dict[str, str] = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}
_WORDS: dict[str, str] = {"true": "false", "false": "true", "True": "False", "False": "True"}
_CONDITION = _rules(
    (r"(?<![=!<>])==(?!=)", "!="),
    (r"!=(?!=)", "=="),
    (r" <= ", " > "),
    (r" >= ", " < "),
    (r" < (?!<)", " >= "),
    (r"(?<!-) > (?!>)", " <= "),
    (r" -(eq|ne|lt|ge|gt|le) ", lambda m: f" -{_TESTS[m[1]]} "),
    (r" && ", " || "),
    (r" \|\| ", " && "),
    (r" and ", " or "),
    (r" or ", " and "),
    (r"\b(if|elif|while) not ", r"\1 "),
    (r"\b(if|while) \(!(?!=)", r"\1 ("),
    (r"\b(true|false|True|False)\b", lambda m: _WORDS[m[1]]),
)
_BOUND = _rules(
    (r" <= ", " < "),
    (r" >= ", " > "),
    (r" < (?!<)", " <= "),
    (r"(?<!-) > (?!>)", " >= "),
    (r"(?<![\w.#%-])([0-9]{1,4})(?![\w.%]|-[0-9])", lambda m: str(int(m[1]) + 1)),
)
_ERRORS = _rules(
    (r"^(\s*)raise\b.*$", r"\1pass"),
    (r"^\s*throw\b.*;$", ""),
    (r"^\s*set -[a-z]*e.*$", ""),
    (r"^\s*.*\.raise_for_status\(\);?$", ""),
    (r"^(\s*)return err;?$", r"\1return nil"),
    (r" \|\| (exit|return|die|fail|abort|panic)\b.*$", ""),
)
DEFECTS: tuple[tuple[str, tuple[Rule, ...]], ...] = (
    ("inverted condition", _CONDITION),
    ("off by one", _BOUND),
    ("dropped error handling", _ERRORS),
    ("removed line", ()),
)


@dataclass(frozen=True)
class Added:
    """A line that a change adds. line: its number in the file as it would be; text: without its end."""

    path: str
    line: int
    text: str  # bytes, one character each


@dataclass(frozen=True)
class Defect:
    """What is made of one added line; after: None where it is taken away."""

    kind: str
    at: Added
    after: str | None

    def told(self) -> dict[str, str | int | None]:
        """For the record."""
        return {
            "defect": self.kind,
            "path": self.at.path,
            "line": self.at.line,
            "before": _shown(self.at.text),
            "after": None if self.after is None else _shown(self.after),
        }

    def planted(self, content: bytes) -> bytes | None:
        """The file with it; None where its line is not there."""
        lines = content.split(b"\n")
        number = self.at.line - 1
        if number >= len(lines) or lines[number] != self.at.text.encode("latin-1"):
            return None
        lines[number : number + 1] = [] if self.after is None else [self.after.encode("latin-1")]
        return b"\n".join(lines)


def defects(diff: bytes) -> Iterator[Defect]:
    """Every defect that can be planted into a change, from its diff as Git writes it, in the diff's order."""
    for part in re.split(rb"(?m)^(?=diff --git )", diff):
        added = list(_added(part))
        for number, one in enumerate(added):
            if _SILENT.match(one.text) or len(one.text) > 400:
                continue
            around = added[max(0, number - 1) : number + 2]
            yield from _of_line(one, [other for other in around if other is not one])


def drawn(found: Sequence[Defect], seed: str) -> Defect | None:
    """One of them by the seed: first its kind, then which; None where there is none."""
    number = int.from_bytes(hashlib.sha256(f"planting/{seed}".encode()).digest(), "big")
    kinds = [kind for kind, _ in DEFECTS if any(one.kind == kind for one in found)]
    if not kinds:
        return None
    number, at = divmod(number, len(kinds))
    of_kind = [one for one in found if one.kind == kinds[at]]
    return of_kind[number % len(of_kind)]


def _added(part: bytes) -> Iterator[Added]:
    """The added lines of one file of a diff; none of what is no plain file or has no plain name."""
    head, _, body = part.partition(b"\n@@ ")
    name = _NAME.match(head.rsplit(b"\n", 1)[-1])
    if not body or not name or not _PLAIN.search(head):
        return
    try:
        path = name[1].decode("utf-8")
    except UnicodeDecodeError:
        return
    line = 0
    for row in (b"@@ " + body).split(b"\n"):
        if hunk := _HUNK.match(row):
            line = int(hunk[1])
        elif row[:1] == b"+":
            yield Added(path, line, row[1:].decode("latin-1"))
            line += 1
        elif row[:1] == b" ":
            line += 1


def _of_line(one: Added, around: Sequence[Added]) -> Iterator[Defect]:
    is_prose = one.path.endswith(_PROSE)
    for kind, rules in DEFECTS:
        if kind == "inverted condition" and (is_prose or not _CODE.search(one.text)):
            continue
        if kind == "dropped error handling" and is_prose:
            continue
        for pattern, into in rules:
            if one.path.endswith(_SHELL) and pattern.pattern in _REDIRECTS:
                continue
            after = pattern.sub(into, one.text, count=1)
            if after != one.text:
                yield Defect(kind, one, after or None)
                break
    if _can_go(one, around):
        yield Defect("removed line", one, None)


_REDIRECTS = (r" < (?!<)", r"(?<!-) > (?!>)")


def _can_go(one: Added, around: Sequence[Added]) -> bool:
    """Whether it is a statement among others: nothing around it opens or closes with it."""
    text = one.text.strip()
    if (
        len(text) < 4
        or text[-1] in ":{[(,\\"
        or text[0] in "})]@"
        or re.match(r"(else|elif|import|from|use)\b", text)
    ):
        return False
    same = [other for other in around if other.line in (one.line - 1, one.line + 1)]
    return any(_indent(other) == _indent(one) and other.text.strip() for other in same)


def _indent(one: Added) -> str:
    return one.text[: len(one.text) - len(one.text.lstrip())]


def _shown(text: str) -> str:
    return text.encode("latin-1").decode("utf-8", "replace")
