"""Known keys: their values, what these look like elsewhere, and how they leave a text.

    python -m orkestra_shim.keys learn FILE LOGIN...     the tokens of LOGIN files are known from now on
    python -m orkestra_shim.keys write FILE              what stands beside FILE is made from it

Known are the values of CONFIG/api-keys.env and of the accounts' files, and the tokens of logins that agents
were given. A run has them in FILE (ORKESTRA_SECRETS_FILE), one a line, and what Bash looks for beside it,
one a line, the longest first: FILE.forms (as they stand in a text: literally, as JSON, in a URL, reversed, in
hexadecimal, in Base64 wherever it begins) and FILE.squeezed (letters and digits of all these, for a text of
which nothing else is left either: so a value is found that was broken into pieces by line ends, quotes or
separators).
"""

from __future__ import annotations

import base64
import json
import os
import re
import sys
import urllib.parse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import credential, files
from .errors import EX_DATA, EX_USAGE, OrkestraError

SHORTEST = 8  # characters: a shorter value is no key, and would be found everywhere
_SHORTEST_TOKEN = 20  # of a login: other fields are shorter
_SHORTEST_SQUEEZED = 12
_LOGIN_LIMIT = 1 << 18
_NAMED = re.compile(r"token|key|secret|passw|auth|credential|session|cookie", re.IGNORECASE)
_BETWEEN = re.compile("[^0-9A-Za-z]+")
_HEADING = re.compile(r"-----[A-Z ]+-----")
_ASSIGNED = re.compile(
    r"(?:token|key|secret|passw\w*|auth)[\w.-]*[\"']?\s*[:=]\s*[\"']?([^\s\"',;]+)", re.IGNORECASE
)


def of_settings(keys: dict[str, str]) -> list[str]:
    """The values of a keys file that are secret: of an address only its password is."""
    found = []
    for name, value in keys.items():
        if name.endswith("_URL"):
            value = _password(value)
        found += [value, *value.splitlines()]
    # A private key over several lines is known by each of them, but not by what every such key begins with.
    return [one for one in dict.fromkeys(found) if len(one) >= SHORTEST and not _HEADING.fullmatch(one)]


def _password(url: str) -> str:
    try:
        return urllib.parse.unquote(urllib.parse.urlsplit(url).password or "")
    except ValueError:
        return ""


def of_login(data: bytes) -> list[str]:
    """The tokens in a tool's login file: JSON, or lines such as `token: ...`."""
    text = data.decode("utf-8", "replace")
    try:
        found = list(_tokens(credential.parsed(text), named=False))
    except (ValueError, RecursionError):
        found = _ASSIGNED.findall(text)
    return [one for one in found if len(one) >= _SHORTEST_TOKEN and not re.search(r"\s", one)]


def _tokens(value: Any, named: bool) -> Iterable[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            # {"tokens": {"https://host:user": "..."}}: what is no name says nothing.
            yield from _tokens(inner, bool(_NAMED.search(key)) or (named and not key.isidentifier()))
    elif isinstance(value, list):
        for inner in value:
            yield from _tokens(inner, named)
    elif isinstance(value, str) and named:
        yield value


# --- what a value looks like elsewhere ----------------------------------------------------------------------


def forms(value: str) -> list[str]:
    """A value as it may stand in a text."""
    data = value.encode("utf-8", "surrogateescape")
    plain = json.dumps(value, ensure_ascii=False)[1:-1]
    found = [
        value,
        plain,
        plain.replace("/", "\\/"),
        urllib.parse.quote(data, safe=""),
        value[::-1],
        data.hex(),
        data.hex().upper(),
        *_base64(data),
    ]
    return [one for one in dict.fromkeys(found) if len(one) >= SHORTEST]


def _base64(data: bytes) -> Iterable[str]:
    """What Base64 makes of it wherever it begins, without the characters that neighbours have a part in."""
    for before in range(3):
        encoded = base64.b64encode(b"x" * before + data).decode()
        core = encoded.rstrip("=")
        core = core[before and before + 1 : -1 if len(core) < len(encoded) else None]
        yield core
        yield core.replace("+", "-").replace("/", "_")


def squeezed(value: str) -> list[str]:
    """The letters and digits of every form that has enough of them, and of bytes written as numbers."""
    data = value.encode("utf-8", "surrogateescape")
    written = ["".join(mark + f"{byte:02x}" for byte in data) for mark in ("x", "0x")]
    found = [_BETWEEN.sub("", one) for one in (*forms(value), *written)]
    return [one for one in dict.fromkeys(found) if len(one) >= _SHORTEST_SQUEEZED]


# --- a run's keys -------------------------------------------------------------------------------------------


class Keys:
    """Takes known values out of whatever is about to be written; FILE, where there is one, is theirs."""

    def __init__(self, values: Iterable[str], file: Path | None = None) -> None:
        """Makes FILE anew. Raises 73."""
        self._file = file
        self._stamp: tuple[int, int] | None = None
        self._set(values)
        if file is not None:
            _write(file, self._values)
            self._stamp = self._now()

    def _set(self, values: Iterable[str]) -> None:
        self._values = list(dict.fromkeys(value for value in values if len(value) >= SHORTEST))
        self._forms = _longest_first(forms(value) for value in self._values)
        self._squeezed = _longest_first(squeezed(value) for value in self._values)

    def _now(self) -> tuple[int, int] | None:
        if self._file is None:
            return None
        try:
            found = os.stat(self._file)
        except OSError:
            return self._stamp
        return found.st_size, found.st_mtime_ns

    def _look(self) -> None:
        """Whoever ran an agent has seen a refreshed login: it is in FILE."""
        now = self._now()
        if now != self._stamp and self._file is not None:
            self._stamp = now
            self._set([*self._values, *_read(self._file)])

    def learn_login(self, path: Path) -> None:
        """The tokens of a login file that an agent is given."""
        found = of_login(files.read_bounded(path.resolve(), _LOGIN_LIMIT) or b"")
        if self._file is not None and not set(found) <= set(self._values):
            learn(self._file, found)

    def __call__(self, text: str) -> str:
        """The text without them, also where they are in pieces."""
        self._look()
        return self._without(text)

    def _without(self, text: str) -> str:
        for form in self._forms:
            if form in text:
                text = text.replace(form, "[redacted]")
        left = _BETWEEN.sub("", text) if self._squeezed else ""
        for one in self._squeezed:
            if one in left:
                text = re.sub("[^0-9A-Za-z]*".join(one), "[redacted]", text)
        return text

    def bytes(self, data: bytes) -> bytes:
        """The same for the content of a file, but in pieces they stay."""
        self._look()
        for form in self._forms:
            data = data.replace(form.encode("utf-8", "surrogateescape"), b"[redacted]")
        return data

    def deep(self, value: Any) -> Any:
        """The same for every text in lists and objects, their keys left alone."""
        self._look()
        return self._deep(value) if self._forms else value

    def _deep(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._without(value)
        if isinstance(value, list):
            return [self._deep(one) for one in value]
        if isinstance(value, dict):
            return {key: self._deep(one) for key, one in value.items()}
        return value

    def line_of(self, text: str) -> int:
        """The number of the first line that holds one; 0 when none does."""
        self._look()
        places = [place for place in map(text.find, self._forms) if place >= 0]
        return text.count("\n", 0, min(places)) + 1 if places else 0

    def need_none(self, text: str, name: str) -> None:
        """Raises 65 when the text of a file that is committed and shown to agents holds one."""
        if line := self.line_of(text):
            raise OrkestraError(
                EX_DATA,
                f"{name}:{line}: a key of yours stands here",
                "keys belong into CONFIG/api-keys.env alone: each agent gets its own from there",
            )


def _longest_first(of_values: Iterable[list[str]]) -> list[str]:
    """One may be the beginning of another."""
    return sorted({form for found in of_values for form in found}, key=lambda form: (-len(form), form))


def _lines(values: Iterable[str]) -> bytes:
    return "".join(f"{one}\n" for one in values if "\n" not in one).encode("utf-8", "surrogateescape")


def _read(file: Path) -> list[str]:
    data = files.read_bounded(file, 16 << 20) or b""
    return data.decode("utf-8", "surrogateescape").split("\n")[:-1]


def _write(file: Path, values: list[str]) -> None:
    """The values last: who sees them finds what is looked for beside them."""
    beside = {
        ".forms": _longest_first(forms(value) for value in values),
        ".squeezed": _longest_first(squeezed(value) for value in values),
        "": values,
    }
    for suffix, lines in beside.items():
        files.write_atomic(file.with_name(file.name + suffix), _lines(lines), mode=0o600, sync=False)


def learn(file: Path, values: Iterable[str]) -> None:
    """These are known from now on, by whoever looks into FILE. Raises 73."""
    with files.locked(file.with_name(f"{file.name}.lock")):
        known = [one for one in _read(file) if one]
        new = [one for one in dict.fromkeys(values) if one not in known and len(one) >= SHORTEST]
        if new:
            _write(file, known + new)


def main(arguments: list[str]) -> int:
    """Entry point."""
    if len(arguments) < 2 or arguments[0] not in ("learn", "write"):
        print("usage: python -m orkestra_shim.keys learn FILE LOGIN... | write FILE", file=sys.stderr)
        return EX_USAGE
    file = Path(arguments[1])
    try:
        if arguments[0] == "write":
            _write(file, [one for one in _read(file) if len(one) >= SHORTEST])
        for login in arguments[2:]:
            learn(file, of_login(files.read_bounded(Path(login), _LOGIN_LIMIT) or b""))
    except OrkestraError as error:
        print(error.lines(), file=sys.stderr)
        return error.code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
