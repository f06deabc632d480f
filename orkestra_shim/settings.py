"""Settings of CONFIG/settings.env and the keys of CONFIG/api-keys.env.

A value in the process environment wins over the file, the file over the default; so that nothing an
environment happens to carry opens the sandbox or is executed, ORKESTRA_SANDBOX_READ, ORKESTRA_PATH and
ORKESTRA_NOTIFY are read from the file only.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orkestra_shim.errors import EX_CONFIG, EX_USAGE, OrkestraError
from orkestra_shim.files import locked, write_atomic
from orkestra_shim.home import Home, cache_folder, expand
from orkestra_shim.text import printable, word

KEY_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z")


@dataclass(frozen=True)
class Value:
    """A setting in force and where it is from: `environment`, `settings.env:LINE` or `default`."""

    key: str
    text: str
    source: str


@dataclass(frozen=True)
class _Line:
    key: str
    text: str
    number: int


def _number(least: int, most: int) -> Callable[[str, Path], str]:
    def check(text: str, _base: Path) -> str:
        if not re.fullmatch(r"[0-9]{1,6}", text) or not least <= int(text) <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return str(int(text))

    return check


def _amount(broken: bool) -> Callable[[str, Path], str]:
    def check(text: str, _base: Path) -> str:
        if text and not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?" if broken else r"[0-9]{1,15}", text):
            raise ValueError("dollars, such as 12.50" if broken else "a whole number")
        return text

    return check


def _choice(*words: str) -> Callable[[str, Path], str]:
    def check(text: str, _base: Path) -> str:
        if text not in words:
            raise ValueError("one of " + ", ".join(words))
        return text

    return check


def _folder(text: str, base: Path) -> str:
    if not text or _has_control(text) or ":" in text:
        raise ValueError("a folder without line breaks and colons in its path")
    return os.path.abspath(base / expand(text))


def _folders(text: str, base: Path) -> str:
    for part in filter(None, text.split(":")):
        if _has_control(part) or not expand(part).startswith("/"):
            raise ValueError("absolute paths with colons between them")
    return ":".join(os.path.abspath(base / expand(part)) for part in text.split(":") if part)


def _words(text: str, _base: Path) -> str:
    if _has_control(text):
        raise ValueError("words with blanks between them")
    return text.strip()


def _has_control(text: str) -> bool:
    return re.search(r"[\x00-\x1f\x7f]", text) is not None


_CHECKS: dict[str, Callable[[str, Path], str]] = {
    "ORKESTRA_PROJECTS": _folder,
    "ORKESTRA_WORKERS": _number(1, 256),
    "ORKESTRA_GRACE": _number(0, 3600),
    "ORKESTRA_REMOTE_TIMEOUT": _number(1, 3600),
    "ORKESTRA_OUTPUT_LIMIT": _number(0, 999999),
    "ORKESTRA_DISK_LIMIT": _number(0, 999999),
    "ORKESTRA_FILE_LIMIT": _number(0, 999999),
    "ORKESTRA_PROCESSES_LIMIT": _number(0, 999999),
    "ORKESTRA_MEMORY_LIMIT": _number(0, 999999),
    "ORKESTRA_DAY_USD": _amount(broken=True),
    "ORKESTRA_DAY_TOKENS": _amount(broken=False),
    "ORKESTRA_DAY_SECONDS": _amount(broken=False),
    "ORKESTRA_LAUNCHER": _words,
    "ORKESTRA_LAUNCHER_LEASE": _number(5, 3600),
    "ORKESTRA_SANDBOX": _choice("required", "auto", "off"),
    "ORKESTRA_SANDBOX_READ": _folders,
    "ORKESTRA_WORKSPACES_DIR": _folder,
    "ORKESTRA_PATH": _folders,
    "ORKESTRA_PREFER_KEY": _number(0, 1),
    "ORKESTRA_STUCK_AFTER": _number(1, 10080),
    "ORKESTRA_LEAST_SPACE": _number(0, 999_999),
    "ORKESTRA_LOG_SIZE": _number(1, 10240),
    "ORKESTRA_NOTIFY": _words,
}
KEYS = tuple(_CHECKS)
_FILE_ONLY = ("ORKESTRA_SANDBOX_READ", "ORKESTRA_PATH", "ORKESTRA_NOTIFY")
LIMITS = tuple(key for key in KEYS if key.endswith("_LIMIT"))


DEFAULTS = {
    "ORKESTRA_PROJECTS": "PROJECTS",  # in the home
    "ORKESTRA_WORKERS": "2",
    "ORKESTRA_GRACE": "10",
    "ORKESTRA_REMOTE_TIMEOUT": "120",
    "ORKESTRA_OUTPUT_LIMIT": "256",
    "ORKESTRA_DISK_LIMIT": "20480",
    "ORKESTRA_FILE_LIMIT": "512",
    "ORKESTRA_PROCESSES_LIMIT": "4096",
    "ORKESTRA_MEMORY_LIMIT": "0",
    "ORKESTRA_DAY_USD": "",
    "ORKESTRA_DAY_TOKENS": "",
    "ORKESTRA_DAY_SECONDS": "",
    "ORKESTRA_LAUNCHER": "",
    "ORKESTRA_LAUNCHER_LEASE": "180",
    "ORKESTRA_SANDBOX": "auto",
    "ORKESTRA_SANDBOX_READ": "",
    "ORKESTRA_WORKSPACES_DIR": "",
    "ORKESTRA_PATH": "",
    "ORKESTRA_PREFER_KEY": "0",
    "ORKESTRA_STUCK_AFTER": "30",
    "ORKESTRA_LEAST_SPACE": "1024",
    "ORKESTRA_LOG_SIZE": "10",
    "ORKESTRA_NOTIFY": "",
}


def load(home: Home) -> dict[str, Value]:
    """Every setting with its source. Raises OrkestraError 78 naming file and line of what is wrong."""
    path = home.config / "settings.env"
    from_file = {line.key: line for line in _read(path, "setting")}
    for line in from_file.values():
        if line.key not in _CHECKS:
            raise _unknown(path, line)
    return {key: _effective(key, home, from_file.get(key)) for key in KEYS}


def projects(values: dict[str, Value]) -> Path:
    """The folder that holds the projects."""
    return Path(values["ORKESTRA_PROJECTS"].text)


def _effective(key: str, home: Home, line: _Line | None) -> Value:
    given = "" if key in _FILE_ONLY else os.environ.get(key, "")
    if given:
        return Value(
            key,
            _checked(key, given, Path.cwd() if _is_relative(key, given) else home.folder, key),
            "environment",
        )
    if line is not None and line.text:
        where = f"{home.config / 'settings.env'}:{line.number}: {key}"
        return Value(key, _checked(key, line.text, home.folder, where), f"settings.env:{line.number}")
    text = DEFAULTS[key]
    if key == "ORKESTRA_PROJECTS":
        text = str(home.folder / text)
    if key == "ORKESTRA_WORKSPACES_DIR":
        text = str(cache_folder())
    return Value(key, text, "default")


def _is_relative(key: str, text: str) -> bool:
    return _CHECKS[key] is _folder and not expand(text).startswith("/")


def _checked(key: str, text: str, base: Path, where: str) -> str:
    try:
        return _CHECKS[key](text, base)
    except ValueError as error:
        raise OrkestraError(
            EX_CONFIG, f"{printable(where)} is {printable(text)!s}; expected {error}"
        ) from error


def _unknown(path: Path, line: _Line) -> OrkestraError:
    hint = _perhaps(line.key, f"{path}.example has all of them")
    if re.search(r"KEY|TOKEN|SECRET|PASSWORD", line.key):
        hint = f"keys belong in {printable(path.with_name('api-keys.env'))} (mode 600)"
    return OrkestraError(
        EX_CONFIG, f"{printable(path)}:{line.number}: unknown setting {printable(line.key)}", hint
    )


def _perhaps(key: str, where: str) -> str:
    """What was meant, if something is like it; and where all of them stand."""
    from difflib import get_close_matches

    short = {name.removeprefix("ORKESTRA_"): name for name in KEYS}
    like = [short[one] for one in get_close_matches(key.upper().removeprefix("ORKESTRA_"), short, 2, 0.75)]
    return f"perhaps {' or '.join(like)}; {where}" if like else where


def need_known(key: str) -> None:
    """Raises 64 for what is no setting."""
    if key not in _CHECKS:
        raise OrkestraError(
            EX_USAGE,
            f"unknown setting {printable(key[:80])}",
            _perhaps(key, "orkestra config shows all of them"),
        )


def _read(path: Path, what: str) -> list[_Line]:
    """The lines of an env file; values as they stand, without interpolation. A missing file has none."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise OrkestraError(EX_CONFIG, f"cannot read {printable(path)}: {why}") from error
    if not any(line.strip() and not line.lstrip().startswith("#") for line in text.splitlines()):
        return []
    from io import StringIO

    from dotenv.parser import parse_stream

    lines: dict[str, _Line] = {}
    for binding in parse_stream(StringIO(text)):
        number = binding.original.line + len(re.match(r"\s*", binding.original.string)[0].split("\n")) - 1  # type: ignore[index]
        if binding.error or (binding.key is not None and binding.value is None):
            raise OrkestraError(EX_CONFIG, f"{printable(path)}:{number}: not a {what}; expected NAME=VALUE")
        if binding.key is None:
            continue
        if not KEY_NAME.match(binding.key) or "\0" in (binding.value or ""):
            raise OrkestraError(EX_CONFIG, f"{printable(path)}:{number}: not a name that a {what} can have")
        lines[binding.key] = _Line(binding.key, binding.value or "", number)
    return list(lines.values())


def read_keys(path: Path) -> dict[str, str]:
    """Names and values of a keys file that are not empty, taken literally; the environment's are not used.

    Raises 78 for what is no key.
    """
    return {line.key: line.text for line in _read(path, "key") if line.text}


def need_private(path: Path) -> None:
    """Raises OrkestraError 78, with the command that mends it, when group or others may use the keys file."""
    try:
        mode = path.stat().st_mode & 0o777
    except FileNotFoundError:
        return
    except OSError as error:
        raise OrkestraError(EX_CONFIG, f"cannot read {printable(path)}: {error.strerror}") from error
    if mode & 0o077:
        raise OrkestraError(
            EX_CONFIG,
            f"{printable(path)} can be read by others (mode {mode:03o}; it has to be 600)",
            f"chmod 600 {word(path)}",
        )


def put(home: Home, key: str, text: str) -> None:
    """Writes one setting into settings.env, in its place if it is there; other lines stay."""
    need_known(key)
    _checked(key, text, home.folder, key)
    path = home.config / "settings.env"
    with locked(home.config / ".settings.lock"):
        load(home)
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        assignment = re.compile(rf"^[ \t]*(?:export[ \t]+)?{key}[ \t]*=.*$", re.MULTILINE)
        line = f"{key}={_quoted(text)}"
        if assignment.search(old):
            places = list(assignment.finditer(old))
            last = places[-1]
            new = old[: last.start()] + line + old[last.end() :]
        else:
            new = old + ("\n" if old and not old.endswith("\n") else "") + line + "\n"
        write_atomic(path, new)


def _quoted(text: str) -> str:
    """`text` as python-dotenv reads it back unchanged."""
    if re.fullmatch(r"[A-Za-z0-9_./:~+-]+", text):
        return text
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
