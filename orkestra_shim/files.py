"""Files on disk: written whole or not at all, locked, and read though somebody may have planted them."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from .errors import EX_CANNOT_WRITE, OrkestraError
from .text import printable


def cannot_write(path: Path, error: OSError) -> OrkestraError:
    """The error for a full disk, a read-only folder and the like (exit 73)."""
    hint = _HINTS.get(error.errno or 0, "mend that, then start again: nothing that landed is lost")
    return OrkestraError(EX_CANNOT_WRITE, f"cannot write {printable(path)}: {error.strerror or error}", hint)


_HINTS = {
    errno.ENOSPC: "free space on its disk, then do the same again: nothing that landed is lost",
    errno.EDQUOT: "free space, then do the same again: nothing that landed is lost",
    errno.EACCES: "see its owner and rights, and those of its folder",
    errno.EPERM: "see its owner and rights, and those of its folder",
    errno.ENOENT: "make its folder, then do the same again",
    errno.EEXIST: "something else stands in its place: move that elsewhere",
    errno.ENOTDIR: "something else stands in the place of one of its folders: move that elsewhere",
    errno.EIO: "its disk may be broken: see what the system's log (dmesg) says before you go on",
}


# --- writing ------------------------------------------------------------------------------------------------


def write_atomic(path: Path, data: bytes | str, mode: int = 0o644, sync: bool = True) -> None:
    """Replace path by data: temporary file in the same folder, then rename. Raises 73.

    `sync`: it survives a power cut.
    """
    import tempfile

    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data.encode("utf-8", "replace") if isinstance(data, str) else data)
                file.flush()
                os.fchmod(file.fileno(), mode)
                if sync:
                    os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        if sync:
            sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from None


def replace_known(path: Path, data: bytes, known: Callable[[bytes], bool]) -> bool:
    """Replace path by data, durably, if what stands there is `known`; whoever calls holds a lock on it.

    The old file is looked at before, so that nobody who reads it gets to see data that will not stay, and
    once more after it has been swapped out, so that an editor that saves in just that moment loses nothing:
    its version goes back, and the answer is False. Raises 73.
    """
    spare = path.with_name(f".{path.name}.orkestra")
    try:
        with os.fdopen(
            os.open(spare, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644), "wb"
        ) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if not known(path.read_bytes()):
            return False
        _exchange_or_rename(spare, path)
        if spare.exists() and not known(spare.read_bytes()):
            exchange(spare, path)
            if spare.read_bytes() != data:  # saved once more in between
                exchange(spare, path)
            return False
        sync_folder(path.parent)
        return True
    except OSError as error:
        raise cannot_write(path, error) from None
    finally:
        spare.unlink(missing_ok=True)


def _exchange_or_rename(spare: Path, path: Path) -> None:
    """Where a file system cannot exchange (NFS), the look that was before is the only one."""
    try:
        exchange(spare, path)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS):
            raise
        os.replace(spare, path)


def exchange(one: Path, other: Path) -> None:
    """Swap two files of one folder in a single step (renameat2, Linux 3.15). Raises OSError."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(one))


_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h


def sync_folder(folder: Path) -> None:
    """Makes the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_plain(path: Path, data: bytes | str, mode: int = 0o600) -> None:
    """A scratch file that need not survive a crash; never follows a link at path. Raises 73."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(path, flags, mode), "wb") as file:
            file.write(data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data)
    except OSError as error:
        raise cannot_write(path, error) from None
    except UnicodeEncodeError:
        raise OrkestraError(EX_CANNOT_WRITE, f"cannot write {path}: text that is not Unicode") from None


def make_folder(path: Path, mode: int = 0o777) -> None:
    """Makes `path` and what is missing above it; nothing to do where it exists. Raises 73."""
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from None


def make_below(root: Path, *parts: str, mode: int = 0o755) -> Path:
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
                    f"{printable(folder)} is not a folder",
                    "move it away, Orkestra keeps its records there",
                ) from None
        except OSError as error:
            raise cannot_write(folder, error) from None
    return folder


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds an exclusive lock on the file `path`, which is made and never removed; waits for its turn."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise cannot_write(path, error) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


# --- reading ------------------------------------------------------------------------------------------------


def read_bounded(path: Path, limit: int) -> bytes | None:
    """Up to limit bytes of a regular file; None when it is missing or anything else (link, pipe)."""
    descriptor = _open_regular(path)
    if descriptor is None:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return _read(file, limit)


def _read(file: BinaryIO, limit: int) -> bytes:
    """Up to limit bytes: Python has memory for as many as it is asked to read, whatever there is."""
    parts = []
    while limit > 0 and (part := file.read(min(limit, 1 << 20))):
        parts.append(part)
        limit -= len(part)
    return b"".join(parts)


def read_tail(path: Path, limit: int) -> bytes | None:
    """The last limit bytes of a regular file; None as in read_bounded."""
    descriptor = _open_regular(path)
    if descriptor is None:
        return None
    with os.fdopen(descriptor, "rb") as file:
        file.seek(max(0, os.fstat(descriptor).st_size - limit))
        return _read(file, limit)


def read_from(path: Path, at: int, limit: int = 1 << 20) -> tuple[bytes, int]:
    """What a regular file holds behind `at`, and where that ends; all of one that is shorter now."""
    descriptor = _open_regular(path)
    if descriptor is None:
        return b"", 0
    with os.fdopen(descriptor, "rb") as file:
        if os.fstat(descriptor).st_size < at:
            at = 0
        file.seek(at)
        data = _read(file, limit)
        return data, at + len(data)


def _open_regular(path: Path) -> int | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return descriptor
