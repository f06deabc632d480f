"""Project templates: a folder of files; those that end in .j2 are rendered by Jinja2 and lose the ending.

A folder named __package__ gets the value `package` as its name. Built-in templates lie in
orkestra_shim/templates/, the user's own in CONFIG/templates/ and go first.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from orkestra_shim import names
from orkestra_shim.errors import EX_DATA, EX_USAGE, OrkestraError
from orkestra_shim.home import PACKAGE, Home
from orkestra_shim.text import printable

BUILT_IN = PACKAGE / "templates"


def available(home: Home) -> list[str]:
    """Names of all templates."""
    found: set[str] = set()
    for place in (home.config / "templates", BUILT_IN):
        if place.is_dir():
            found |= {
                one.name for one in place.iterdir() if one.is_dir() and not one.name.startswith((".", "_"))
            }
    return sorted(found)


def find(home: Home, name: str) -> Path:
    """The folder of a template. Raises OrkestraError 64 for a name that is none or cannot be one."""
    names.check(name, "template")
    for place in (home.config / "templates", BUILT_IN):
        folder = place / name
        if folder.is_dir():
            return folder
    raise OrkestraError(
        EX_USAGE, f"there is no template '{printable(name)}'", "templates: " + ", ".join(available(home))
    )


def render(template: Path, target: Path, values: Mapping[str, object]) -> None:
    """Copies `template` into the folder `target`, rendering. Raises 65 naming template file and line."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError
    from jinja2.sandbox import SandboxedEnvironment

    environment: Environment = SandboxedEnvironment(
        loader=FileSystemLoader(template),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)
    for relative in _files(template):
        source = template / relative
        destination = target / _named(relative, values)
        destination.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink() or not source.is_file():
            if source.is_dir() and not source.is_symlink():
                destination.mkdir(exist_ok=True)
                continue
            raise OrkestraError(
                EX_DATA,
                f"template file {printable(source)} is neither a file nor a folder",
                "take it out of the template",
            )
        if source.suffix != ".j2":
            shutil.copyfile(source, destination)
            shutil.copymode(source, destination)
            continue
        destination = destination.with_suffix("")
        try:
            text = environment.get_template(relative.as_posix()).render(values)
        except (TemplateError, UnicodeDecodeError) as error:
            line = getattr(error, "lineno", None) or _line_of(error, str(source))
            raise OrkestraError(
                EX_DATA, f"template {printable(source)}:{line}: {printable(error)}", "mend it: it is Jinja2"
            ) from error
        destination.write_text(text, encoding="utf-8")
        shutil.copymode(source, destination)
        os.chmod(destination, destination.stat().st_mode | 0o200)


def _named(relative: Path, values: Mapping[str, object]) -> Path:
    """A path part of the form `__value__` is replaced by that value."""
    parts = [part[2:-2] if part.startswith("__") and part.endswith("__") else "" for part in relative.parts]
    return Path(*(str(values.get(key, part)) for key, part in zip(parts, relative.parts, strict=True)))


def _files(folder: Path) -> Iterator[Path]:
    """Every file and folder below, relative, parents first, in a fixed order."""
    for one in sorted(folder.rglob("*")):
        relative = one.relative_to(folder)
        if relative.parts[0] == ".git" or "__pycache__" in relative.parts:
            continue
        yield relative


def _line_of(error: BaseException, file: str) -> int:
    """The line of the template in which rendering failed."""
    import traceback

    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return lines[-1] or 1 if lines else 1
