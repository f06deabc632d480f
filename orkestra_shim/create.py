"""`orkestra new`: a project from a template, in one commit; whole, or nothing is left."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import keyword
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from orkestra_shim import jsonfile, names, project, projectkeys, repo, templating
from orkestra_shim.errors import (
    EX_CANNOT_WRITE,
    EX_DATA,
    EX_INTERRUPTED,
    EX_TERMINATED,
    EX_USAGE,
    OrkestraError,
)
from orkestra_shim.files import cannot_write, make_folder
from orkestra_shim.home import Home
from orkestra_shim.jsonfile import dump
from orkestra_shim.project import Project
from orkestra_shim.text import printable

_HALF = ".new-"
# Empty folders of the tree as drawn; Git keeps none of them, so the run makes them anew in a clone.
_FOLDERS = ("src", "config", "logs/voting", "logs/outcomes", "logs/execution")


def new(home: Home, projects: Path, name: str, template: str) -> Project:
    """Creates PROJECTS/name from a template and returns it. Raises OrkestraError; then nothing was made."""
    names.check(name, "project")
    source = templating.find(home, template)
    repo.need_version()
    make_folder(projects)
    target = projects / name
    _refuse_existing(target)
    with _half_made(projects, name) as half:
        _fill(half, source, name)
        _commit(half)
        with _only_one(projects):
            _refuse_existing(target)
            os.rename(half, target)
    return project.load(target)


def _refuse_existing(target: Path) -> None:
    if os.path.lexists(target):
        try:
            other = project.load(target)
        except OrkestraError:
            raise OrkestraError(
                EX_USAGE, f"{printable(target)} exists already; nothing was changed", "choose another name"
            ) from None
        raise OrkestraError(
            EX_USAGE,
            f"the project '{other.name}' exists already in {printable(target)}; nothing was changed",
            f"go on with it: orkestra load {other.name}",
        )


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Serialises those who put a new project into `folder`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _half_made(projects: Path, name: str) -> Iterator[Path]:
    """A hidden folder beside the target; gone afterwards, unless it was renamed. TERM is an error."""
    import signal

    def stop(number: int, _frame: object) -> None:
        raise OrkestraError(
            EX_INTERRUPTED if number == signal.SIGINT else EX_TERMINATED, "stopped; nothing was made"
        )

    before = {
        number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    half: Path | None = None
    descriptor = -1
    try:
        with _only_one(projects):
            _sweep(projects)
            half = Path(tempfile.mkdtemp(prefix=f"{_HALF}{name}.", dir=projects))
            descriptor = os.open(half, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield half
    except OSError as error:
        raise cannot_write(half or projects, error) from error
    except UnicodeError as error:
        raise OrkestraError(
            EX_CANNOT_WRITE,
            f"cannot write {printable(projects)}: a name or a text there is not Unicode",
            "see the template; or set LANG to a UTF-8 locale",
        ) from error
    finally:
        if half is not None:
            shutil.rmtree(half, ignore_errors=True)
        if descriptor >= 0:
            os.close(descriptor)
        for number, handler in before.items():
            signal.signal(number, handler)


def _sweep(projects: Path) -> None:
    """Removes what a killed `new` left: half-made folders that nobody holds a lock on."""
    for left in projects.glob(f"{_HALF}*"):
        with contextlib.suppress(OSError):
            descriptor = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    raise
            finally:
                os.close(descriptor)


def _fill(folder: Path, template: Path, name: str) -> None:
    os.chmod(folder, 0o777 & ~_umask())
    for one in _FOLDERS:
        (folder / one).mkdir(parents=True, exist_ok=True)
    branch = _first_branch()
    settings = project.settings(name, branch, project.new_id())
    templating.render(
        template, folder, {"name": name, "branch": branch, "title": _title(name), "package": _package(name)}
    )
    path = folder / project.FILE
    if path.exists():
        settings |= {key: value for key, value in jsonfile.read(path).items() if key in _FROM_TEMPLATE}
    path.write_bytes(dump(settings))
    _complete(folder, name)
    data = path.read_bytes()
    projectkeys.check_settings(settings, data, printable(path))


# What a template's own config/project.json may set; the rest is made for each project.
_FROM_TEMPLATE = (
    "check",
    "check_timeout",
    "retry_delay",
    "agents",
    "specialties",
    "fallback",
    "committee",
    "workspace",
    "network",
    "land",
    "push",
    "remote",
)
_IGNORED = "# What runs leave behind: kept here, not in Git.\n/logs/execution/\n"


def _complete(folder: Path, name: str) -> None:
    """What every project has, where the template brought none."""
    queue = folder / project.QUEUE
    if not queue.exists():
        queue.write_bytes(dump({"version": 1, "tasks": []}))
    ignore = folder / ".gitignore"
    lines = ignore.read_text(encoding="utf-8") if ignore.exists() else ""
    if "/logs/execution/" not in lines.splitlines():
        ignore.write_text(lines + _IGNORED, encoding="utf-8")
    for file, text in (("README.md", f"# {name}\n"), ("AGENTS.md", "# Instructions for agents\n")):
        if not (folder / file).exists():
            (folder / file).write_text(text, encoding="utf-8")
    if (folder / ".git").exists():
        raise OrkestraError(
            EX_DATA,
            "a template cannot bring a .git of its own; nothing was made",
            "take it out of the template's folder in CONFIG/templates",
        )


def _title(name: str) -> str:
    """`my-website` as a heading: My website."""
    words = name.replace("-", " ").replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def _package(name: str) -> str:
    """`my-website` as the name of a Python package: my_website."""
    word = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    return f"p_{word}" if not word or word[0].isdigit() or keyword.iskeyword(word) else word


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _first_branch() -> str:
    """The user's init.defaultBranch, else main."""
    return repo.config(Path("/"), "init.defaultBranch").get("init.defaultbranch") or "main"


def _commit(folder: Path) -> None:
    """Makes the repository and its one commit, with the user's identity or one for this commit only."""
    from git import Git, GitCommandError

    branch = jsonfile.read(folder / project.FILE)["branch"]
    safe = ["-c", "core.hooksPath=/dev/null", "-c", "core.autocrlf=false", "-c", "core.safecrlf=false"]
    message = f"Start {name_of(folder)} with Orkestra"
    try:
        with _clean_environment():
            # Not git.Repo, which takes a $NAME in the path for a variable.
            made = Git(folder)
            made.init(initial_branch=branch)
            who = repo.author(*repo.identity(repo.config(folder, "user.name", "user.email")))
            with made.custom_environment(**who):
                made.execute(["git", *safe, "add", "--all", "--", "."])
                # A template or a user's own excludes may ignore what a project cannot do without.
                made.execute(["git", *safe, "add", "--force", "--", str(project.FILE), str(project.QUEUE)])
                made.execute(["git", *safe, "commit", "--quiet", "--no-verify", "--message", message])
    except GitCommandError as error:
        said = str(error.stderr).replace("stderr:", "").strip(" '\n").splitlines()
        why = printable(said[-1] if said else error.status)
        raise OrkestraError(
            EX_CANNOT_WRITE,
            f"Git could not make the first commit: {why}; nothing was made",
            "see whether Git commits elsewhere: its settings, the space left",
        ) from error


def name_of(folder: Path) -> str:
    """The project's name as its project.json has it."""
    return str(jsonfile.read(folder / project.FILE)["name"])


@contextlib.contextmanager
def _clean_environment() -> Iterator[None]:
    """Hides from GitPython the variables of a surrounding Git (a hook, an alias)."""
    before = dict(os.environ)
    clean = repo.environment()
    for key in set(before) - set(clean):
        del os.environ[key]
    try:
        yield
    finally:
        for key in set(before) - set(clean):
            os.environ[key] = before[key]
