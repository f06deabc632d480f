"""The environment of a run, for Bash: `python -m orkestra_shim.context [--project NAME|PATH] | --all`.

Prints NUL-terminated NAME=VALUE records; with --all those of the home, then those of each project that
can be read, an empty record after each block. Errors are one or two lines on stderr, the exit code is
the table's. Kept light: two Git calls for a project, no library beside the standard one (python-dotenv
where settings.env has a line).
"""

from __future__ import annotations

import os
import sys

from orkestra_shim import home as home_module
from orkestra_shim import keyring, project, projects, repo, settings
from orkestra_shim.errors import EX_USAGE, OrkestraError
from orkestra_shim.files import make_folder
from orkestra_shim.home import Home, scripts_folder
from orkestra_shim.project import Project


def variables(home: Home, values: dict[str, settings.Value], found: Project) -> dict[str, str]:
    """What the scripts of a run need to know about home, settings and project. Makes the runtime folder."""
    user = repo.config(found.path, "user.name", "user.email", "commit.gpgsign")
    name, mail = repo.identity(user)
    runtime = home_module.runtime_folder(home, found.id)
    return {
        **_of_home(home, values),
        "ORKESTRA_PROJECT": str(found.path),
        "ORKESTRA_PROJECT_ID": found.id,
        "ORKESTRA_PROJECT_NAME": found.name,
        "ORKESTRA_BRANCH": found.branch,
        "ORKESTRA_GIT_DIR": str(repo.common_dir(found.path)),
        "ORKESTRA_WORKSPACES": f"{values['ORKESTRA_WORKSPACES_DIR'].text}/{found.id}",
        "ORKESTRA_RUNTIME": str(runtime),
        "ORKESTRA_CHECK_NETWORK": "1" if found.check_network else "0",
        "ORKESTRA_SECRETS_FILE": f"{runtime}/secrets",
        "ORKESTRA_AUTHOR_NAME": name,
        "ORKESTRA_AUTHOR_EMAIL": mail,
        "ORKESTRA_ELSEWHERE": "\n".join(projects.elsewhere(home)),
        "ORKESTRA_SIGN": "1" if repo.is_true(user.get("commit.gpgsign", "")) else "0",
    }


def _of_home(home: Home, values: dict[str, settings.Value]) -> dict[str, str]:
    """The same for every project: where things are, and all settings."""
    return {
        "ORKESTRA_ROOT": str(home.root),
        "ORKESTRA_SCRIPTS": str(scripts_folder(home.root)),
        "ORKESTRA_PYTHON": sys.executable,
        "ORKESTRA_HOME": str(home.folder),
        "ORKESTRA_CONFIG": str(home.config),
        "ORKESTRA_LOGS": str(home.logs),
        **{key: value.text for key, value in values.items()},
    }


def _blocks(home: Home, values: dict[str, settings.Value]) -> list[dict[str, str]]:
    """What --all prints; a project that cannot be read is named on stderr."""
    blocks = [_of_home(home, values)]
    for found in projects.all_projects(home, settings.projects(values)):
        try:
            if isinstance(found, OrkestraError):
                raise found
            blocks.append(variables(home, values, found))
        except OrkestraError as error:
            print(error.lines(), file=sys.stderr)
    return blocks


def _wanted(arguments: list[str]) -> str | None:
    if not arguments:
        return None
    if len(arguments) == 2 and arguments[0] == "--project":
        return arguments[1]
    if len(arguments) == 1 and arguments[0].startswith("--project="):
        return arguments[0].removeprefix("--project=")
    raise OrkestraError(
        EX_USAGE, "wrong usage", "usage: python -m orkestra_shim.context [--project NAME|PATH] | --all"
    )


def main(arguments: list[str]) -> int:
    """Prints the records; returns the exit code."""
    try:
        home = home_module.open_home()
        values = settings.load(home)
        if arguments == ["--all"]:
            make_folder(home.logs)
            _print(*_blocks(home, values), end=b"\0")
            return 0
        keyring.need_private(home.config)
        found = projects.find(home, settings.projects(values), _wanted(arguments))
        project.prepare_logs(found)
        make_folder(home.logs)
        _print(variables(home, values, found))
    except OrkestraError as error:
        print(error.lines(), file=sys.stderr)
        return error.code
    return 0


def _print(*blocks: dict[str, str], end: bytes = b"") -> None:
    for block in blocks:
        records = (os.fsencode(f"{key}={value}") + b"\0" for key, value in block.items())
        sys.stdout.buffer.write(b"".join(records) + end)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
