"""What `adopt` finds in a repository and offers: a check, and large folders that Git does not have."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from orkestra_shim import repo

LARGE = 20 * 1024 * 1024  # bytes from which copying a folder into each workspace would hurt
_USUAL = {"node_modules", "data", "datasets", "models", "checkpoints", "weights", "assets"}
_MANY = 2000  # files
_PATIENCE = 3.0  # seconds that the sizes of all folders may take
_FEW = 8  # offers


@dataclass(frozen=True)
class Folder:
    """An untracked folder: its path below the top, bytes and files in it (at least so many)."""

    path: str
    size: int
    files: int

    def size_text(self) -> str:
        """Its size for people."""
        if self.size >= 1 << 30:
            return f"{self.size / (1 << 30):.1f} GiB"
        return f"{self.size / (1 << 20):.0f} MiB" if self.size >= 1 << 20 else f"{self.files} files"


def check(top: Path) -> str:
    """A command that tests the project, as its own files suggest; empty when nothing is recognised."""
    for probe in (_npm, _cargo, _go, _pytest, _make, _maven, _gradle, _unittest):
        found = probe(top)
        if found:
            return found
    return ""


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")[:200_000]
    except OSError:
        return ""


def _npm(top: Path) -> str:
    try:
        scripts = json.loads(_read(top / "package.json") or "{}").get("scripts", {})
        test = scripts.get("test", "")
    except (ValueError, AttributeError):
        return ""
    if not isinstance(test, str) or not test or "no test specified" in test:
        return ""
    for lock, tool in (("pnpm-lock.yaml", "pnpm"), ("yarn.lock", "yarn")):
        if (top / lock).exists():
            return f"{tool} test"
    return "npm test"


def _cargo(top: Path) -> str:
    return "cargo test" if (top / "Cargo.toml").is_file() else ""


def _go(top: Path) -> str:
    return "go test ./..." if (top / "go.mod").is_file() else ""


def _pytest(top: Path) -> str:
    named = any(
        mark in _read(top / file)
        for file, mark in (
            ("pyproject.toml", "[tool.pytest"),
            ("setup.cfg", "[tool:pytest]"),
            ("tox.ini", "pytest"),
            ("pytest.ini", ""),
        )
        if (top / file).is_file()
    )
    uses = any("pytest" in _read(file) for file in _test_files(top))
    return "python3 -m pytest -q" if named or uses else ""


def _test_files(top: Path) -> list[Path]:
    found: list[Path] = []
    for folder in ("tests", "test"):
        found += sorted((top / folder).glob("test_*.py"))[:20]
        found += sorted((top / folder).glob("conftest.py"))
    return found


def _unittest(top: Path) -> str:
    folder = next((one.parent.name for one in _test_files(top)), "")
    return f"python3 -m unittest discover -s {folder}" if folder else ""


def _make(top: Path) -> str:
    for file in ("GNUmakefile", "makefile", "Makefile"):
        for target in ("test", "check"):
            if re.search(rf"^{target}[ \t]*:(?!=)", _read(top / file), re.MULTILINE):
                return f"make {target}"
    return ""


def _maven(top: Path) -> str:
    if not (top / "pom.xml").is_file():
        return ""
    return "./mvnw -q test" if (top / "mvnw").is_file() else "mvn -q test"


def _gradle(top: Path) -> str:
    return "./gradlew test" if (top / "gradlew").is_file() else ""


def large_folders(top: Path) -> list[Folder]:
    """Untracked and ignored folders that are large or usual for data; the largest first."""
    done = repo.run(
        top, "status", "--porcelain=v1", "-z", "--ignored=matching", "--untracked-files=normal", "--", "."
    )
    until = time.monotonic() + _PATIENCE
    found = []
    for entry in done.stdout.decode("utf-8", "surrogateescape").split("\0"):
        if entry[:3] not in ("?? ", "!! ") or not entry.endswith("/"):
            continue
        path = entry[3:].rstrip("/")
        if (
            _is_ours_or_cache(path)
            or (top / path).is_symlink()
            or re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", path)
        ):
            continue
        folder = _measure(top, path, until)
        if folder.size >= LARGE or folder.files >= _MANY or (path.split("/")[-1] in _USUAL and folder.files):
            found.append(folder)
    return sorted(found, key=lambda one: -one.size)[:_FEW]


def _is_ours_or_cache(path: str) -> bool:
    parts = path.split("/")
    caches = {
        "__pycache__",
        ".git",
        ".venv",
        "venv",
        ".tox",
        ".mypy_cache",
        ".pytest_cache",
        "target",
        "build",
        "dist",
    }
    return parts[:2] == ["logs", "execution"] or path in ("logs", "config") or bool(caches & set(parts))


def _measure(top: Path, path: str, until: float) -> Folder:
    size = files = 0
    for folder, _, names in os.walk(top / path):
        for name in names:
            files += 1
            try:
                size += os.lstat(os.path.join(folder, name)).st_size
            except OSError:
                continue
        if time.monotonic() > until:
            break
    return Folder(path, size, files)
