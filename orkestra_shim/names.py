"""What a project or a template may be called, and why another name is refused."""

from __future__ import annotations

import re

from orkestra_shim.errors import EX_USAGE, OrkestraError
from orkestra_shim.text import printable

RULE = "1 to 64 of the letters a-z A-Z, digits, dot, underscore and dash, beginning with a letter or digit"
_GOOD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
# Names that some file system or Git itself gives a meaning to.
_RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    "head",
    *(f"com{n}" for n in range(1, 10)),
    *(f"lpt{n}" for n in range(1, 10)),
}


def check(name: str, what: str) -> str:
    """Returns `name` if it is allowed. Raises OrkestraError 64 with the reason and the rule."""
    reason = _reason(name)
    if reason:
        shown = printable(name if len(name) <= 80 else name[:77] + "...")
        raise OrkestraError(
            EX_USAGE, f"'{shown}' cannot be the name of a {what}: {reason}", f"a name is {RULE}"
        )
    return name


def _reason(name: str) -> str:
    if not name:
        return "it is empty"
    if len(name) > 64:
        return f"it has {len(name)} characters"
    if name in (".", ".."):
        return "it means a folder that exists already"
    if "/" in name or "\\" in name:
        return "it is a path"
    if name[0] in "-._":
        return f"it begins with '{name[0]}'"
    if not _GOOD.match(name):
        bad = next(letter for letter in name if not re.match(r"[A-Za-z0-9._-]", letter))
        return f"it has the character '{printable(bad)}'" if bad != " " else "it has a space"
    lower = name.lower()
    if lower.endswith((".git", ".lock", ".")):
        return "Git gives names that end so a meaning of their own"
    if lower.split(".", 1)[0] in _RESERVED:
        return "it is reserved"
    return ""


def fitting(text: str) -> str:
    """A name made of `text` (a folder's name, say): what is not allowed becomes a dash."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:64].rstrip(".-")
    return name if name and not _reason(name) else "project"
