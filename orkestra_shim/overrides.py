"""A project's own prompts: config/prompts/NAME.md.j2 on its branch, in place of the built-in ones.

They are read once, as a run begins, from the branch and never from a tree; what is wrong in one is said then,
with file and line. Files that begin with `_` are parts for others to include, and `built-in/NAME.md.j2` is
what there is without them. A template (Jinja) comes with a project, which anybody may have written: it is
parsed and rendered in Jinja's sandbox, by a process of its own that has two seconds and a bound on memory.
"""

from __future__ import annotations

import os
import re
import resource
import select
import signal
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from . import jsonfile
from .errors import EX_CONFIG, OrkestraError
from .plumbing import Git
from .text import printable

FOLDER = "config/prompts"
BUILT_IN = "built-in/"
MOST_BYTES = 64 << 10  # of one file
MOST_FILES = 64
LONGEST = 2 << 20  # bytes of a prompt
SECONDS = 2  # of a processor, for one prompt
MEMORY = 256 << 20  # bytes beyond what the store itself has
_WALL = 60.0  # seconds: a template cannot wait, but its process may be kept from running
_NAME = re.compile(r"_?[a-z][a-z0-9-]{0,60}\.md\.j2\Z")
_FRESH = Path(__file__).resolve().parent / "prompts"
Values = dict[str, Any]


class Broken(Exception):
    """A template that cannot be rendered; the text says where and why."""


class Overrides:
    """The templates of one project. `texts`: by name; `say` is told of one that breaks later."""

    def __init__(self, texts: dict[str, str], say: Callable[[str], None] = print) -> None:
        self.texts = texts
        self._say = say
        self._told: set[str] = set()

    def render(self, name: str, values: Values) -> str | None:
        """The prompt by the project's template; None where it has none, or it breaks on these values."""
        if name not in self.texts:
            return None
        try:
            return _apart(lambda: _rendered(self.texts, name, values))
        except Broken as error:
            if str(error) not in self._told:
                self._told.add(str(error))
                self._say(f"{error}; the built-in prompt is used instead")
            return None

    def check(self, samples: dict[str, list[Values]]) -> None:
        """Render each template with all samples of its prompt. Raises 78 with file and line."""
        known = {name: set().union(*values) for name, values in samples.items()}
        for name in sorted(self.texts):
            try:
                _apart(partial(_checked, self.texts, name, samples.get(name, []), known.get(name)))
            except Broken as error:
                raise OrkestraError(
                    EX_CONFIG, str(error), "mend it and commit that: the branch's version counts"
                ) from None


NONE = Overrides({})


def load(git: Git, head: str, names: Iterable[str], say: Callable[[str], None]) -> Overrides:
    """The templates at a commit; `names` are the prompts there are. Raises 78, and 65 for no text."""
    listed = git.run("ls-tree", "-r", "-l", "-z", "--full-tree", head, "--", FOLDER)
    wanted: dict[str, str] = {}
    for entry in listed.split(b"\0")[:-1]:
        words, _, path = entry.decode("utf-8", "surrogateescape").partition("\t")
        mode, _, blob, size = words.split()
        name = path.removeprefix(f"{FOLDER}/")
        if not name.endswith(".j2"):
            continue
        if not _NAME.match(name) or (name[0] != "_" and name not in names):
            there = ", ".join(sorted(names))
            raise _wrong(path, "there is no such prompt", f"there are {there}; parts begin with _")
        if mode not in ("100644", "100755"):
            raise _wrong(path, "it is no plain file", "put the text itself there")
        if int(size) > MOST_BYTES:
            raise _wrong(path, f"it has more than {MOST_BYTES >> 10} KiB", "make it shorter")
        wanted[name] = blob
    if len(wanted) > MOST_FILES:
        raise _wrong(FOLDER, f"it has more than {MOST_FILES} templates", "take some away")
    found = git.blobs(wanted.values())
    texts = {
        name: jsonfile.decode(data, printable(f"{FOLDER}/{name}"))
        for name, (_, _, data) in zip(wanted, found, strict=True)
    }
    return Overrides(texts, say)


def _wrong(path: str, why: str, hint: str) -> OrkestraError:
    return OrkestraError(EX_CONFIG, f"{printable(path)}: {why}", hint)


# --- in the process of its own ------------------------------------------------------------------------------


def _environment(texts: dict[str, str]) -> Any:
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def source(name: str) -> tuple[str, str, None] | None:
        if name.startswith(BUILT_IN) and _NAME.match(own := name.removeprefix(BUILT_IN)):
            file = _FRESH / own
            return (file.read_text(encoding="utf-8"), name, None) if file.is_file() else None
        return (texts[name], f"{FOLDER}/{name}", None) if name in texts else None

    return ImmutableSandboxedEnvironment(
        loader=jinja2.FunctionLoader(source),
        autoescape=False,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def _rendered(texts: dict[str, str], name: str, values: Values) -> str:
    return _render(_environment(texts), name, values)


def _render(environment: Any, name: str, values: Values) -> str:
    parts: list[str] = []
    length = 0
    for part in environment.get_template(name).generate(values):
        length += len(part)
        if length > LONGEST:
            raise ValueError(f"it makes a text of more than {LONGEST >> 20} MiB")
        parts.append(part)
    return "".join(parts)


def _checked(texts: dict[str, str], name: str, samples: list[Values], known: set[str] | None) -> str:
    """Parse, look for names that nobody gives, render. `known`: None for a part."""
    from jinja2 import meta, nodes

    environment = _environment(texts)
    environment.get_template(name)
    tree = environment.parse(texts[name], name, f"{FOLDER}/{name}")
    if known is not None:
        unknown = meta.find_undeclared_variables(tree) - known - {"mark"} - set(environment.globals)
        for node in tree.find_all(nodes.Name):
            if node.name in unknown:
                there = ", ".join(sorted(known | {"mark"}))
                raise Broken(
                    f"{FOLDER}/{name}:{node.lineno}: nothing is called '{node.name}' (there are {there})"
                )
    for values in samples:
        if not _render(environment, name, {"mark": "QUOTE", **values}).strip():
            raise Broken(f"{FOLDER}/{name}:1: it makes an empty text")
    return ""


def _apart(make: Callable[[], str]) -> str:
    """What `make` gives, by a process of its own that dies with us. Raises Broken."""
    import jinja2.sandbox  # once, here: each process has it then

    del jinja2
    away, back = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(away)
        _live(make, back)
    os.close(back)
    try:
        data = _hear(away)
    finally:
        os.close(away)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    if data[:1] == b"=":
        return data[1:].decode("utf-8", "replace")
    if data[:1] == b"!":
        raise Broken(printable(data[1:].decode("utf-8", "replace")[:600]))
    raise Broken(f"{FOLDER}: a template takes more than {SECONDS} seconds or {MEMORY >> 20} MiB")


def _live(make: Callable[[], str], back: int) -> None:
    """The child's whole life."""
    try:
        _confine()
        try:
            told = b"=" + make().encode("utf-8", "replace")
        except BaseException as error:
            told = b"!" + _where(error).encode("utf-8", "replace")
        with os.fdopen(back, "wb") as file:
            file.write(told)
    finally:
        os._exit(0)


def _confine() -> None:
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG (linux/prctl.h)
    with open("/proc/self/statm", encoding="ascii") as file:
        size = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    for what, most in (
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_AS, size + MEMORY),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def _where(error: BaseException) -> str:
    """`file:line: why` of what went wrong in a template."""
    import traceback

    from jinja2 import TemplateSyntaxError

    if isinstance(error, Broken):
        return str(error)
    if isinstance(error, TemplateSyntaxError):
        return f"{error.filename or error.name}:{error.lineno}: {error.message}"
    frames = [
        one for one in traceback.extract_tb(error.__traceback__) if one.filename.startswith(f"{FOLDER}/")
    ]
    why = str(error) or type(error).__name__
    if isinstance(error, MemoryError):
        why = f"it takes more than {MEMORY >> 20} MiB"
    return f"{frames[-1].filename}:{frames[-1].lineno}: {why}" if frames else f"{FOLDER}: {why}"


def _hear(away: int) -> bytes:
    """All that the child writes, within the bounds."""
    until, length = time.monotonic() + _WALL, 0
    parts: list[bytes] = []
    while (left := until - time.monotonic()) > 0 and length <= LONGEST * 4:
        if not select.select([away], [], [], left)[0]:
            break
        part = os.read(away, 1 << 16)
        if not part:
            return b"".join(parts)
        parts.append(part)
        length += len(part)
    return b""
