"""Orkestra as pip installs it: artifacts of a copy of the checkout, and environments that have nothing else.

No network: what Orkestra needs is copied from the environment that the tests run in.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import Requirement

from world import FRAMEWORK, RUN_BOUND

EPOCH = "1700000000"
PACKAGE = "orkestra_shim"


def files_of_checkout() -> list[str]:
    """What Git tracks or would take, as a clone of the work as it is would have it."""
    listing = ["git", "-C", str(FRAMEWORK), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, capture_output=True, check=True).stdout.decode().split("\0")
    return sorted({name for name in names if name and (FRAMEWORK / name).is_file()})


def copy_checkout(place: Path) -> Path:
    """Those files, with their modes, at `place`; no Git."""
    for name in files_of_checkout():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(FRAMEWORK / name, place / name)
    return place


def edit(place: Path, path: str, old: str, new: str) -> None:
    """Another version of one file of a copy."""
    text = (place / path).read_text("utf-8")
    assert old in text, f"{path} has no {old!r} any more"
    (place / path).write_text(text.replace(old, new), "utf-8")


def build(source: Path, into: Path, *options: str) -> Path:
    """`python -m build` with the pinned setuptools; gives the folder of artifacts."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(into), *options, str(source)]
    environment = os.environ | {"SOURCE_DATE_EPOCH": EPOCH, "HOME": str(source.parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=RUN_BOUND)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return into


def wheel_of(source: Path) -> Path:
    """The wheel of a copy, built straight from it."""
    return next(build(source, source.with_name(f"{source.name} built"), "--wheel").glob("*.whl"))


def needed() -> list[str]:
    """The distributions that Orkestra runs with here, by the pinned list."""
    lines = (FRAMEWORK / PACKAGE / "requirements.txt").read_text("utf-8").splitlines()
    pinned = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return [one.name for one in pinned if one.marker is None or one.marker.evaluate()]


def put(distributions: list[str], into: Path) -> None:
    """Puts installed distributions into a folder of packages: their files, linked where that can be."""
    for name in distributions:
        found = importlib.metadata.distribution(name)
        for file in found.files or []:
            source = Path(str(found.locate_file(file)))
            if ".." in file.parts or not source.is_file():
                continue
            target = into / file
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                target.hardlink_to(source)
            except OSError:  # on another disk
                shutil.copy2(source, target)


def site_packages(prefix: Path) -> Path:
    """Where pip puts packages below a prefix."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    return prefix / "lib" / version / "site-packages"


@dataclass
class Installed:
    """A person with an empty home and an environment that has the command, as pipx lays it out."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)
    through: list[str] = field(default_factory=list)

    @property
    def prefix(self) -> Path:
        """The environment."""
        return self.home / ".local" / "share" / "pipx" / "venvs" / "orkestra-ai"

    @property
    def python(self) -> Path:
        """Its Python."""
        return self.prefix / "bin" / "python"

    @property
    def command(self) -> Path:
        """What the person's PATH has."""
        return self.home / ".local" / "bin" / "orkestra"

    @property
    def package(self) -> Path:
        """Where the wheel's files are."""
        return site_packages(self.prefix) / PACKAGE

    @property
    def orkestra(self) -> Path:
        """The home of Orkestra that is made on first use."""
        return self.home / "Orkestra"

    def make(self, *more: str) -> Installed:
        """Makes the environment, with what Orkestra needs and `more` distributions in it."""
        self.home.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "venv", "--without-pip", str(self.prefix)]
        subprocess.run(command, check=True, timeout=RUN_BOUND)
        put([*needed(), "pip", *more], site_packages(self.prefix))
        self.command.parent.mkdir(parents=True)
        self.command.symlink_to(self.prefix / "bin" / "orkestra")
        return self

    def env(self) -> dict[str, str]:
        """Nothing of the checkout, of its environment or of the caller's settings."""
        near = (str(FRAMEWORK), str(Path(sys.prefix)))
        path = [one for one in os.environ["PATH"].split(":") if not one.startswith(near)]
        return {
            "HOME": str(self.home),
            "PATH": ":".join([str(self.command.parent), *path]),
            "LC_ALL": "C.UTF-8",
            "TERM": "dumb",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
            "PIP_BREAK_SYSTEM_PACKAGES": "1",  # for --user
            "GIT_CONFIG_NOSYSTEM": "1",
            **self.environment,
        }

    def call(self, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a program as this person, in a folder that is nobody's project."""
        return subprocess.run(
            [*self.through, *words],
            cwd=cwd or self.home,
            env=self.env(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_BOUND,
            check=False,
        )

    def __call__(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """The installed command."""
        return self.call("orkestra", *arguments, cwd=cwd)

    def ok(self, *arguments: str, cwd: Path | None = None) -> str:
        """The installed command, which has to exit 0; what it printed."""
        done = self(*arguments, cwd=cwd)
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def pip(self, *words: str, python: Path | None = None) -> subprocess.CompletedProcess[str]:
        """pip for this environment, or for another Python; it never looks for anything elsewhere."""
        return self.call(str(python or self.python), "-m", "pip", *words)

    def install(self, wheel: Path, *options: str, python: Path | None = None) -> None:
        """Installs a wheel over whatever is there; what it needs must be there."""
        done = self.pip("install", "--no-index", *options, str(wheel), python=python)
        assert done.returncode == 0, done.stdout + done.stderr


def told(place: Path, *apart: str) -> dict[str, tuple[int, str]]:
    """Mode and hash (a link's target) of every file below a folder, but for the folders named."""
    found = {}
    for path in sorted(place.rglob("*")):
        name = str(path.relative_to(place))
        if name.startswith(apart) or (path.is_dir() and not path.is_symlink()):
            continue
        data = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()
        found[name] = (path.lstat().st_mode & 0o7777, hashlib.sha256(data).hexdigest())
    return found
