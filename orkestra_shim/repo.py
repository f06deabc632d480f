"""Git in a person's repository, with that person's settings; and how any Git is called.

A plain child process: for what must be answered fast, without GitPython's start-up.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from orkestra_shim.errors import EX_CANNOT_WRITE, EX_CONFIG, EX_DATA, EX_UNAVAILABLE, OrkestraError
from orkestra_shim.text import word

MINIMUM = (2, 38)
# Variables by which a surrounding Git (a hook, an alias) would point ours at another repository.
_LOCAL = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "GIT_OBJECT_DIRECTORY",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_CEILING_DIRECTORIES",
]
# A project's own hooks, fsmonitor and pager have no part in what Orkestra does.
SAFE = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "--no-pager")


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The process environment without what would redirect Git; messages in English, no questions."""
    env = {name: value for name, value in os.environ.items() if name not in _LOCAL}
    env |= {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", **(extra or {})}
    return env


def call(
    command: Sequence[str], env: Mapping[str, str], stdin: bytes = b"", cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Runs a Git command; the caller looks at the exit code. Raises 69 when there is no Git."""
    try:
        return subprocess.run(command, input=stdin, capture_output=True, env=env, cwd=cwd, check=False)
    except FileNotFoundError as error:
        raise OrkestraError(
            EX_UNAVAILABLE, "Git is not installed", "install it: apt-get install git"
        ) from error


def run(
    folder: Path, *arguments: str, stdin: bytes = b"", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Runs `git -C folder arguments`; the caller looks at the exit code. Raises 69 when there is no Git."""
    return call(["git", "-C", str(folder), *SAFE, *arguments], environment(env), stdin)


def text(folder: Path, *arguments: str, env: Mapping[str, str] | None = None, stdin: bytes = b"") -> str:
    """Output of a Git command that has to work, without its last newline. Raises OrkestraError otherwise."""
    done = run(folder, *arguments, env=env, stdin=stdin)
    if done.returncode != 0:
        raise failure(folder, done)
    return done.stdout.decode("utf-8", "surrogateescape").removesuffix("\n")


def failure(folder: Path, done: subprocess.CompletedProcess[bytes]) -> OrkestraError:
    """An error of Git's, in a line or two, with the cure for those that have one."""
    said = done.stderr.decode("utf-8", "replace").strip()
    first = said.splitlines()[0] if said else f"exit {done.returncode}"
    if "dubious ownership" in said:
        return OrkestraError(
            EX_CONFIG,
            f"{folder} belongs to another user, and Git refuses to read it ({first.removeprefix('fatal: ')})",
            f"if you trust it: git config --global --add safe.directory {word(folder)}",
        )
    if re.search(r"No space left|Read-only file system|Permission denied|unable to (write|create)", said):
        return OrkestraError(EX_CANNOT_WRITE, f"cannot write in {folder}: {first.removeprefix('fatal: ')}")
    hint = ""
    if "not a git repository" in said and (folder / ".git").exists():
        hint = "its .git is damaged: bring back what is missing there (HEAD, objects, refs), or clone it anew"
    return OrkestraError(EX_DATA, f"Git said about {folder}: {first.removeprefix('fatal: ')}", hint)


def common_dir(folder: Path) -> Path:
    """The Git folder of a repository; of a linked worktree the one that all share. Raises OrkestraError."""
    return Path(text(folder, "rev-parse", "--path-format=absolute", "--git-common-dir"))


def version() -> tuple[int, int]:
    """Major and minor version of the installed Git."""
    found = re.search(r"(\d+)\.(\d+)", text(Path("/"), "--version"))
    return (int(found[1]), int(found[2])) if found else (0, 0)


def need_version() -> None:
    """Raises OrkestraError 69 when Git is older than 2.38 (no `merge-tree --write-tree`)."""
    have = version()
    if have < MINIMUM:
        raise OrkestraError(
            EX_UNAVAILABLE,
            f"Git {have[0]}.{have[1]} is too old: Orkestra needs {MINIMUM[0]}.{MINIMUM[1]} or newer",
            "on Ubuntu: add-apt-repository ppa:git-core/ppa && apt-get install git; on Debian: use backports",
        )


def config(folder: Path, *names: str) -> dict[str, str]:
    """The last value of each of the named settings, as Git in `folder`; absent ones left out."""
    pattern = "^(" + "|".join(re.escape(name.lower()) for name in names) + ")$"
    done = run(folder, "config", "-z", "--get-regexp", pattern)
    if done.returncode not in (0, 1):
        raise failure(folder, done)
    found: dict[str, str] = {}
    for item in done.stdout.decode("utf-8", "surrogateescape").split("\0"):
        name, newline, value = item.partition("\n")
        if name:
            found[name] = value if newline else "true"
    return found


NOBODY = ("Orkestra", "orkestra@localhost")  # where Git knows no user


def identity(settings: Mapping[str, str]) -> tuple[str, str]:
    """Name and address for commits: the user's, as Git would take them, else Orkestra's own."""
    env = os.environ
    name = env.get("GIT_AUTHOR_NAME") or settings.get("user.name", "")
    mail = env.get("GIT_AUTHOR_EMAIL") or settings.get("user.email", "") or env.get("EMAIL", "")
    name, mail = re.sub(r"[<>\n\x00]", "", name).strip(), re.sub(r"[<>\n\x00]", "", mail).strip()
    return (name, mail) if name and mail else NOBODY


def author(name: str, mail: str) -> dict[str, str]:
    """The environment by which a commit gets this author and committer."""
    who = {"NAME": name, "EMAIL": mail}
    return {f"GIT_{role}_{key}": text for role in ("AUTHOR", "COMMITTER") for key, text in who.items()}


def is_true(value: str) -> bool:
    """Whether a setting's text is one of Git's words for yes."""
    return value.lower() in ("true", "yes", "on", "1")
