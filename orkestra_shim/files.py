"""The store's files: written whole or not at all; read though somebody else may have planted them."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from .errors import EX_CANNOT_WRITE, OrkestraError


def _reason(error: OSError) -> str:
    return error.strerror or str(error)


def sync_folder(folder: Path) -> None:
    """Make a rename or a new name in folder survive a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_atomic(path: Path, data: bytes, mode: int = 0o644, sync: bool = True) -> None:
    """Replace path by data: temporary file in the same folder, then rename. Raises 73."""
    name = ""
    try:
        fd, name = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            if sync:
                os.fsync(file.fileno())
        os.replace(name, path)
        if sync:
            sync_folder(path.parent)
    except OSError as error:
        if name:
            Path(name).unlink(missing_ok=True)
        raise OrkestraError(EX_CANNOT_WRITE, f"cannot write {path}: {_reason(error)}") from None


def write_plain(path: Path, data: bytes | str, mode: int = 0o600) -> None:
    """A scratch file that need not survive a crash; never follows a link at path."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, mode)
        with os.fdopen(fd, "wb") as file:
            file.write(data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data)
    except OSError as error:
        raise OrkestraError(EX_CANNOT_WRITE, f"cannot write {path}: {_reason(error)}") from None
    except UnicodeEncodeError:
        raise OrkestraError(EX_CANNOT_WRITE, f"cannot write {path}: text that is not Unicode") from None


def make_folder(root: Path, *parts: str, mode: int = 0o755) -> Path:
    """root/parts..., each made if missing; a link among them is refused, since it would lead elsewhere."""
    folder = root
    for part in parts:
        folder = folder / part
        try:
            os.mkdir(folder, mode)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(folder).st_mode):
                raise OrkestraError(
                    EX_CANNOT_WRITE,
                    f"{folder} is not a folder",
                    "move it away, Orkestra keeps its records there",
                ) from None
        except OSError as error:
            raise OrkestraError(EX_CANNOT_WRITE, f"cannot make {folder}: {_reason(error)}") from None
    return folder


def read_bounded(path: Path, limit: int) -> bytes | None:
    """Up to limit bytes of a regular file; None when it is missing or anything else (link, pipe)."""
    fd = _open_regular(path)
    if fd is None:
        return None
    with os.fdopen(fd, "rb") as file:
        return file.read(limit)


def read_tail(path: Path, limit: int) -> bytes | None:
    """The last limit bytes of a regular file; None as in read_bounded."""
    fd = _open_regular(path)
    if fd is None:
        return None
    with os.fdopen(fd, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - limit))
        return file.read(limit)


def _open_regular(path: Path) -> int | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        return None
    return fd
