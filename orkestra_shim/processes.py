"""What the kernel says of processes (Linux, /proc): who lives, who works where, who holds a file or a lock.

Nothing here raises for a process that ends while it is looked at; what cannot be seen (another user's)
counts as if it might be there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
# Kinds of file system on which a process of another machine may be at work: nothing here shows it.
_SHARED = ("nfs", "cifs", "smb", "lustre", "gpfs", "beegfs", "ceph", "gluster", "fuse.sshfs", "9p", "afs")


def is_alive(pid: int) -> bool:
    """Whether there is such a process."""
    return os.path.isdir(f"/proc/{pid}")


def all_pids() -> Iterator[int]:
    """Every process that we can see, but for our own."""
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            yield int(name)


def began(pid: int) -> float:
    """Epoch second at which a process began; 0 for one that cannot be looked at."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        after_boot = int(stat.rpartition(")")[2].split()[19]) / _TICKS
        boot = next(line for line in Path("/proc/stat").read_text().splitlines() if line.startswith("btime "))
        return int(boot.split()[1]) + after_boot
    except (OSError, ValueError, IndexError, StopIteration):
        return 0.0


def who_has_open(path: Path) -> list[int]:
    """Processes that have the file open, as far as we may look."""
    try:
        wanted = os.stat(path)
    except OSError:
        return []
    found = []
    for pid in all_pids():
        try:
            files = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            continue
        for name in files:
            try:
                seen = os.stat(f"/proc/{pid}/fd/{name}")
            except OSError:
                continue
            if (seen.st_dev, seen.st_ino) == (wanted.st_dev, wanted.st_ino):
                found.append(pid)
                break
    return found


def gits_in(folders: Iterable[Path]) -> list[int]:
    """Git processes that work in one of the folders or below; one whose place is hidden from us too."""
    roots = [os.path.realpath(folder) for folder in folders]
    found = []
    for pid in all_pids():
        try:
            name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace")
            if not name.startswith("git"):
                continue
            place = os.readlink(f"/proc/{pid}/cwd")
        except PermissionError:
            found.append(pid)
            continue
        except OSError:
            continue
        if any(place == root or place.startswith(f"{root}/") for root in roots):
            found.append(pid)
    return found


def is_locked(path: Path) -> bool:
    """Whether somebody on this machine holds flock(2) on the file. Does not touch the lock."""
    try:
        inode = str(os.stat(path).st_ino)
        lines = Path("/proc/locks").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    # 1: FLOCK ADVISORY WRITE PID MAJOR:MINOR:INODE ...; `->` marks one that waits. Of the device a file
    # system may give another number here than stat does, so the inode alone decides.
    fields = [line.split() for line in lines]
    return any(
        len(words) > 5 and words[1] == "FLOCK" and words[5].rpartition(":")[2] == inode for words in fields
    )


def is_shared_disk(path: Path) -> bool:
    """Whether other machines may work on the file system that `path` lies on."""
    real, best, kind = os.path.realpath(path), "", ""
    try:
        lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return True
    for line in lines:
        mount = (
            line.split(" ")[4].encode().decode("unicode_escape").encode("latin-1").decode("utf-8", "replace")
        )
        inside = mount == "/" or real == mount or real.startswith(f"{mount}/")
        if inside and len(mount) >= len(best):
            best, kind = mount, line.partition(" - ")[2].split(" ")[0]
    return kind.startswith(_SHARED)
