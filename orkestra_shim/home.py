"""Where things are: the framework (read-only) and the home that holds CONFIG, LOGS and PROJECTS."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from orkestra_shim.errors import EX_CONFIG, OrkestraError
from orkestra_shim.files import cannot_write, make_folder
from orkestra_shim.text import printable

PACKAGE = Path(__file__).resolve().parent
_EXAMPLES = ("settings.env.example", "api-keys.env.example")


@dataclass(frozen=True)
class Home:
    """The framework's root and the folders of one home. All paths are absolute."""

    root: Path
    folder: Path

    @property
    def config(self) -> Path:
        """CONFIG: settings, keys, the pointer to the active project."""
        return self.folder / "CONFIG"

    @property
    def logs(self) -> Path:
        """LOGS: the framework's own logs."""
        return self.folder / "LOGS"

    @property
    def runtime(self) -> Path:
        """CONFIG/RUNTIME: locks, pipes, pids of runs."""
        return self.config / "RUNTIME"


def framework_root() -> Path:
    """The checkout that this package stands in; installed with pip, the package itself."""
    checkout = PACKAGE.parent
    return checkout if (checkout / "SCRIPTS" / "CORE").is_dir() else PACKAGE


def scripts_folder(root: Path) -> Path:
    """SCRIPTS: named by the environment, else in the package (pip), else in the checkout. Raises 78."""
    named = os.environ.get("ORKESTRA_SCRIPTS", "")
    for candidate in (
        Path(named) if named.startswith("/") else None,
        PACKAGE / "SCRIPTS",
        root / "SCRIPTS",
    ):
        if candidate is not None and (candidate / "CORE").is_dir():
            return candidate
    raise OrkestraError(EX_CONFIG, f"Orkestra's scripts are not in {root}", "install Orkestra anew")


def find() -> Home:
    """The home in force: $ORKESTRA_HOME, else the checkout, else ~/Orkestra. Makes nothing."""
    root = framework_root()
    named = os.environ.get("ORKESTRA_HOME", "")
    if named:
        folder = Path(os.path.abspath(expand(named)))
    elif root != PACKAGE:
        folder = root
    else:
        folder = Path(user_home()) / "Orkestra"
    if "\n" in str(folder) or ":" in str(folder):
        raise OrkestraError(
            EX_CONFIG,
            f"the home {printable(folder)} has a line break or a colon in its path",
            "move it, or set ORKESTRA_HOME to another folder",
        )
    return Home(root=root, folder=folder)


def open_home() -> Home:
    """The home in force with its folders, which are made on first use."""
    home = find()
    for folder in (home.config / "agents", home.config / "templates", home.logs):
        if not folder.is_dir():
            try:
                make_folder(folder)
            except OrkestraError as error:
                hint = f"{error.hint}; or set ORKESTRA_HOME to a folder of yours"
                raise OrkestraError(error.code, error.message, hint) from error
    if home.folder != home.root:
        for name in _EXAMPLES:
            _copy_example(name, home)
    return home


def _copy_example(name: str, home: Home) -> None:
    """Puts an example settings file into a new home, so that people find what can be set."""
    for source in (PACKAGE / "CONFIG" / name, home.root / "CONFIG" / name):
        target = home.config / name
        if source.is_file() and not target.exists():
            import shutil

            try:
                shutil.copyfile(source, target)
            except OSError as error:
                raise cannot_write(target, error) from error
            return


def runtime_folder(home: Home, project_id: str) -> Path:
    """CONFIG/RUNTIME/<project id>, made with mode 700."""
    folder = home.runtime / project_id
    make_folder(home.runtime, 0o700)
    make_folder(folder, 0o700)
    return folder


def user_home() -> str:
    """The user's home folder; the password database has it where HOME is unset or empty."""
    home = os.environ.get("HOME", "")
    if home.startswith("/"):
        return home
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError as error:
        raise OrkestraError(
            EX_CONFIG, "HOME is not set", "set HOME or ORKESTRA_HOME to a folder of yours"
        ) from error


def expand(path: str) -> str:
    """`path` with a leading ~ replaced by the user's home."""
    if path == "~" or path.startswith("~/"):
        return user_home() + path[1:]
    return path


def cache_folder() -> Path:
    """${XDG_CACHE_HOME:-~/.cache}/orkestra; a relative XDG_CACHE_HOME is ignored, as XDG says."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return Path(base if base.startswith("/") else user_home() + "/.cache") / "orkestra"
