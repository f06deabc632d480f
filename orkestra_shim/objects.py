"""Git objects, read and written without a Git process: what a landing adds to the branch, in milliseconds.

Objects are written loose, as Git itself does: a temporary file, on the disk before its name says so; then
the folders too. Format: gitformat-loose of Git's documentation, gittree and gitcommit of `git help
hash-object`. Reading falls back to one long-lived `git cat-file --batch` for what is packed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import subprocess
import tempfile
import time
import zlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .errors import EX_DATA, OrkestraError
from .files import cannot_write
from .plumbing import Git, environment

_HEADER = re.compile(rb"(blob|tree|commit|tag) ([0-9]{1,18})\0")
_FILE, _EXECUTABLE, _FOLDER = b"100644", b"100755", b"40000"
_TICK = 50_000_000  # nanoseconds: what a file system's clock may be behind
Tree = dict[bytes, tuple[bytes, str]]  # name: (mode, object id)


class Objects:
    """The object folder of one repository. What is put is on the disk after flush."""

    def __init__(self, git: Git) -> None:
        self.folder = git.git_dir / "objects"
        self._git = git
        self._written: list[tuple[Path, Path]] = []  # temporary file, final place
        self._known: dict[str, bytes] = {}  # what was put and not yet flushed: kind NUL content
        self._synced: dict[str, int] = {}  # a folder's time of change when it was synced last
        self._reader: subprocess.Popen[bytes] | None = None
        self._threads = ThreadPoolExecutor(8, "fsync")  # the disk makes one of what waits together

    # --- reading -------------------------------------------------------------------------------------------

    def read(self, name: str) -> tuple[str, bytes]:
        """(kind, content) of an object. Raises OrkestraError 65 when it is missing or damaged."""
        if name in self._known:
            kind, _, content = self._known[name].partition(b"\0")
            return kind.decode(), content
        try:
            data = zlib.decompress((self.folder / name[:2] / name[2:]).read_bytes())
        except OSError:
            return self._ask(name)
        except zlib.error as error:
            raise OrkestraError(
                EX_DATA, f"the Git object {name} is damaged: {error}", "git fsck says more"
            ) from None
        found = _HEADER.match(data)
        if not found or len(data) - found.end() != int(found.group(2)):
            raise OrkestraError(EX_DATA, f"the Git object {name} is damaged", "git fsck says more")
        return found.group(1).decode(), data[found.end() :]

    def _ask(self, name: str) -> tuple[str, bytes]:
        if self._reader is None or self._reader.poll() is not None:
            self._reader = subprocess.Popen(
                self._git.command(["cat-file", "--batch"]),
                env=environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        assert self._reader.stdin is not None and self._reader.stdout is not None
        try:
            self._reader.stdin.write(name.encode() + b"\n")
            self._reader.stdin.flush()
            head = self._reader.stdout.readline().split()
            if len(head) == 3:
                content = self._reader.stdout.read(int(head[2]) + 1)[:-1]
                return head[1].decode(), content
        except BrokenPipeError:
            pass
        raise OrkestraError(EX_DATA, f"the Git object {name} is missing", "git fsck says more")

    def close(self) -> None:
        """Lets go of the reader and the threads."""
        if self._reader is not None:
            self._reader.kill()
            self._reader.communicate()
        self._threads.shutdown()

    # --- writing -------------------------------------------------------------------------------------------

    def put(self, kind: str, content: bytes, like: str) -> str:
        """An object's id; it is written by the next flush. `like`: any id of this repository (its length)."""
        data = b"%s %d\0" % (kind.encode(), len(content)) + content
        name = (hashlib.sha1 if len(like) == 40 else hashlib.sha256)(data).hexdigest()
        place = self.folder / name[:2] / name[2:]
        if name in self._known or place.exists():
            return name
        try:
            handle, temporary = tempfile.mkstemp(prefix="tmp_obj_", dir=self.folder)
            self._written.append((Path(temporary), place))
            with os.fdopen(handle, "wb") as file:
                file.write(zlib.compress(data, 1))
                os.fchmod(file.fileno(), 0o444)
        except OSError as error:
            self.forget()
            raise cannot_write(self.folder, error) from None
        self._known[name] = kind.encode() + b"\0" + content
        return name

    def flush(self) -> None:
        """Everything that was put stands on the disk under its name. Raises 73: nothing of it counts."""
        try:
            list(self._threads.map(_sync, [one for one, _ in self._written]))
            folders = set()
            for temporary, place in self._written:
                if not place.parent.is_dir():
                    place.parent.mkdir(exist_ok=True)
                    place.parent.chmod(self.folder.stat().st_mode & 0o7777)
                    folders.add(self.folder)
                os.replace(temporary, place)
                folders.add(place.parent)
            list(self._threads.map(_sync, folders | self._touched()))
        except OSError as error:
            raise cannot_write(self.folder, error) from None
        finally:
            self.forget()

    def _touched(self) -> set[Path]:
        """Folders in which something was named since they were synced: Git syncs objects, not names."""
        found = set()
        now = time.time_ns()
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if len(entry.name) == 2 and entry.is_dir():
                    at = entry.stat().st_mtime_ns
                    if self._synced.get(entry.name) != at:
                        found.add(self.folder / entry.name)
                        # What was named in this very tick of the clock is looked at once more.
                        self._synced[entry.name] = at if now - at > _TICK else 0
        return found

    def forget(self) -> None:
        """What was put and is not flushed never was."""
        for temporary, _ in self._written:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        self._written, self._known = [], {}

    # --- trees and commits ---------------------------------------------------------------------------------

    def tree_of(self, commit: str) -> str:
        """The tree of a commit."""
        kind, content = self.read(commit)
        if kind != "commit" or not content.startswith(b"tree "):
            raise OrkestraError(EX_DATA, f"{commit} is no commit")
        return content[5 : content.index(b"\n")].decode()

    def file(self, tree: str, path: str) -> bytes | None:
        """The content of the plain file at a path of a tree; None where there is none."""
        for name in os.fsencode(path).split(b"/"):
            kind, content = self.read(tree)
            if kind != "tree":
                return None
            mode, tree = parse_tree(content, len(tree) // 2).get(name, (b"", ""))
            if mode not in (_FILE, _EXECUTABLE, _FOLDER):
                return None
        kind, content = self.read(tree)
        return content if kind == "blob" else None

    def with_files(self, tree: str, files: Mapping[str, bytes]) -> str:
        """The tree with these files in it (path: content), each an ordinary file."""
        blobs = {os.fsencode(path): self.put("blob", content, tree) for path, content in files.items()}
        return self._with(tree, tree, blobs)

    def with_content(self, tree: str, path: str, content: bytes) -> str:
        """The tree with another content of a plain file that it has; its mode stays."""
        blob = self.put("blob", content, tree)
        return self._with(tree, tree, {os.fsencode(path): blob}, keep=True)

    def _with(self, tree: str, like: str, blobs: Mapping[bytes, str], keep: bool = False) -> str:
        """`tree` empty: a new one; keep: a file that is there keeps its mode."""
        entries = parse_tree(self.read(tree)[1], len(like) // 2) if tree else {}
        below: dict[bytes, dict[bytes, str]] = {}
        for path, blob in blobs.items():
            name, slash, rest = path.partition(b"/")
            if slash:
                below.setdefault(name, {})[rest] = blob
            else:
                entries[name] = (entries[name][0] if keep and name in entries else _FILE, blob)
        for name, inner in below.items():
            mode, old = entries.get(name, (b"", ""))
            entries[name] = (_FOLDER, self._with(old if mode == _FOLDER else "", like, inner, keep))
        return self.put("tree", tree_bytes(entries), like)

    def commit(self, tree: str, parents: Iterable[str], message: str, who: tuple[str, str]) -> str:
        """A commit with this author and committer (name, address) and the time and zone of now."""
        now = int(time.time())
        minutes = abs(offset := time.localtime(now).tm_gmtoff) // 60
        stamp = f"{now} {'-' if offset < 0 else '+'}{minutes // 60:02d}{minutes % 60:02d}"
        person = f"{_plain(who[0]) or 'Orkestra'} <{_plain(who[1])}> {stamp}"
        lines = [
            f"tree {tree}",
            *(f"parent {one}" for one in parents),
            f"author {person}",
            f"committer {person}",
        ]
        text = "\n".join([*lines, "", message.replace("\0", "").rstrip("\n") + "\n"])
        return self.put("commit", text.encode("utf-8", "replace"), tree)


def _plain(text: str) -> str:
    """A name or an address as Git writes it: without what ends it, and without crud around it."""
    return re.sub(r"[<>\n\0]", "", text).strip(" .,:;\"\\'\t\r\v\f")


def parse_tree(content: bytes, size: int) -> Tree:
    """The entries of a tree whose ids have `size` bytes. Raises OrkestraError 65."""
    entries: Tree = {}
    at = 0
    while at < len(content):
        end = content.find(b"\0", at)
        mode, space, name = content[at:end].partition(b" ")
        if end < 0 or not space or not name or end + 1 + size > len(content):
            raise OrkestraError(EX_DATA, "a Git tree is damaged", "git fsck says more")
        entries[name] = (mode, content[end + 1 : end + 1 + size].hex())
        at = end + 1 + size
    return entries


def tree_bytes(entries: Tree) -> bytes:
    """A tree's content; a folder is sorted as if its name ended with a slash."""
    order = sorted(entries.items(), key=lambda one: one[0] + b"/" if one[1][0] == _FOLDER else one[0])
    return b"".join(b"%s %s\0%s" % (mode, name, bytes.fromhex(object_)) for name, (mode, object_) in order)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
