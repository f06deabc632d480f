"""The whole of a project, looked at: `python -m orkestra_shim.consistency [--project NAME|PATH] [--json]`.

Queue, records, refs, workspaces, locks, the checkout, owners, disks. Reads only, and may be called at any
time: what a living run is in the middle of is no fault. Exit 0 when nothing is wrong, 1 otherwise.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import board, jsonfile, leftovers, queue, records, unlanded
from .errors import EX_FAILED, EX_OK, EX_USAGE, OrkestraError
from .place import Place
from .project import Project
from .session import Session, open_session
from .text import printable, word

_LOOKS = 3  # at records that do not hold while a run goes on
_FEW_INODES = 1000


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: where, what, and what to do now."""

    area: str
    text: str
    cure: str


def examine(place: Place) -> list[Finding]:
    """Looks at everything; what a project does to be unreadable is a finding too."""
    found: list[Finding] = []
    parts = (_disks, _owners, _queue, _records, _refs, _workspaces, _leftovers)
    for part in parts:
        try:
            found += part(place)
        except OrkestraError as error:
            finding = Finding(part.__name__.strip("_"), error.message, error.hint)
            found += [] if any(error.message in one.text for one in found) else [finding]
    return found


# --- queue and records --------------------------------------------------------------------------------------


def _queue(place: Place) -> Iterator[Finding]:
    """It parses, its ids and edges are sound, and it does not say more than the records."""
    checkout = board.checkout(place.project)
    data, name = checkout.read(queue.FILE)
    try:
        checkout.need(queue.FILE)
        document = queue.Document(jsonfile.decode(data, name), name)
    except OrkestraError as error:
        yield Finding("queue", error.message, error.hint or "mend it there; a run goes on with what it had")
        return
    head = place.git.commit(f"refs/heads/{place.project.branch}")
    if head is None or place.is_running:
        return
    branch = records.read_branch(place.git, head)
    for task in document.tasks:
        outcome = branch.by_task.get(task.id)
        if task.raw.get("status") == "completed" and outcome is None:
            yield Finding(
                "queue",
                f"{task.id} is called completed, and the branch holds no outcome of it: it will be done",
                f"to have it not done: orkestra task cancel {task.id}",
            )
        reopened = task.raw.get("reopened")
        if isinstance(reopened, str) and records.parse_id(reopened)[1] > branch.last_outcome:
            yield Finding(
                "queue",
                f"{task.id} was put back to work after {reopened}, which the branch does not hold",
                "was the branch set back? orkestra verify; git reflog",
            )


def _records(place: Place) -> Iterator[Finding]:
    """What `orkestra verify` says; while a run lands, only what it says again and again."""
    from . import verify

    found = verify.verify(place.project.path, place.project.branch).findings
    for _ in range(_LOOKS - 1):
        if not found or not place.is_running:
            break
        again = verify.verify(place.project.path, place.project.branch).findings
        found = [one for one in found if one in again]
    for record, what in found:
        yield Finding("records", f"{record}: {what}", "orkestra verify; what the branch held: git log logs/")


# --- refs and workspaces ------------------------------------------------------------------------------------


def _refs(place: Place) -> Iterator[Finding]:
    """Kept work belongs to a task that the queue or a record knows."""
    out = place.git.run("for-each-ref", "--format=%(refname) %(objecttype)", "refs/orkestra/attempts/")
    refs = [line.rpartition(" ") for line in out.decode("utf-8", "replace").splitlines()]
    known = _known_tasks(place) if refs else set()
    for ref, _, kind in refs:
        task = ref.split("/")[3]
        if kind != "commit":
            yield Finding("refs", f"{ref} is no commit", f"git update-ref -d {word(ref)}")
        elif task not in known:
            yield Finding(
                "refs",
                f"{ref} keeps work of a task that neither the queue nor a record has",
                f"look: git show {word(ref)}; when it is not needed: git update-ref -d {word(ref)}",
            )


def _known_tasks(place: Place) -> set[str]:
    data, name = board.checkout(place.project).read(queue.FILE)
    head = place.git.commit(f"refs/heads/{place.project.branch}")
    known = set(records.read_branch(place.git, head).by_task) if head else set()
    return known | {task.id for task in queue.Document(jsonfile.decode(data, name), name).tasks}


def _workspaces(place: Place) -> Iterator[Finding]:
    """They are ours, and hold nothing that only a person can save."""
    for folder in unlanded.worker_folders(place.workspaces):
        for part in (folder, folder / "git", folder / "tree"):
            try:
                owner = os.lstat(part).st_uid
            except OSError:
                continue
            if owner != os.geteuid():
                yield Finding(
                    "workspace",
                    f"{part} belongs to {_user(owner)}, not to {_user(os.geteuid())}",
                    f"remove it as that user: it is made anew: rm -r {word(folder)}",
                )
                break
        for lost in sorted(folder.glob("lost-*")):
            yield Finding(
                "workspace",
                f"{lost} holds work that could not be taken",
                "look at it, take what is of use, then remove the folder",
            )


def _leftovers(place: Place) -> Iterator[Finding]:
    """What can be mended."""
    for one in leftovers.find(place):
        yield Finding(one.area, one.text, "orkestra start goes on, or: orkestra doctor --fix")


# --- the ground it stands on --------------------------------------------------------------------------------


def _owners(place: Place) -> Iterator[Finding]:
    """Everything in .git belongs to whom .git belongs to, and we may write there."""
    top = os.lstat(place.git_dir)
    foreign = [path for path, owner in _walk(place.git_dir) if owner != top.st_uid]
    if foreign:
        others = "" if len(foreign) == 1 else f" and {len(foreign) - 1} more"
        yield Finding(
            "owner",
            f"{foreign[0]}{others} in .git do not belong to {_user(top.st_uid)}, as .git does",
            f"chown -R {_user(top.st_uid)} {word(place.git_dir)}",
        )
    if os.geteuid() not in (0, top.st_uid):
        yield Finding(
            "owner",
            f"{place.git_dir} belongs to {_user(top.st_uid)}, not to {_user(os.geteuid())}",
            "work on it as that user",
        )


def _walk(folder: Path) -> Iterator[tuple[str, int]]:
    waiting = [os.fspath(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    try:
                        yield entry.path, entry.stat(follow_symlinks=False).st_uid
                    except OSError:
                        continue  # gone while we look: a run works here
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
        except OSError:
            continue


def _user(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _disks(place: Place) -> Iterator[Finding]:
    """There is space, there are inodes, and what a run writes can be written."""
    least = int(place.session.values["ORKESTRA_LEAST_SPACE"].text) << 20
    homes = place.session.home
    seen = set()
    for path in (place.git_dir, place.project.path, place.workspaces, homes.runtime, homes.logs):
        folder = path
        while not folder.exists():
            folder = folder.parent
        disk = os.statvfs(folder)
        if disk.f_flag & os.ST_RDONLY:
            yield Finding(
                "disk", f"{folder} is on a disk that is mounted read-only", f"findmnt -T {word(folder)}"
            )
        elif not os.access(folder, os.W_OK):
            yield Finding("disk", f"{folder} cannot be written", f"ls -ld {word(folder)}")
        device = os.stat(folder).st_dev
        if device in seen:
            continue
        seen.add(device)
        free = disk.f_bavail * disk.f_frsize
        if free < least:
            yield Finding(
                "disk", f"only {free >> 20} MiB are free on the disk of {folder}", f"df -h {word(folder)}"
            )
        if disk.f_files and disk.f_favail < _FEW_INODES:
            yield Finding(
                "disk",
                f"only {disk.f_favail} files can be made on the disk of {folder}",
                f"df -i {word(folder)}",
            )


# --- the command --------------------------------------------------------------------------------------------


def _parsed(arguments: list[str]) -> tuple[str | None, bool]:
    wanted, as_json, rest = None, False, list(arguments)
    while rest:
        one = rest.pop(0)
        if one == "--json":
            as_json = True
        elif one == "--project" and rest:
            wanted = rest.pop(0)
        elif one.startswith("--project="):
            wanted = one.removeprefix("--project=")
        else:
            raise OrkestraError(
                EX_USAGE,
                f"'{printable(one)}' is unknown or needs a value",
                "consistency.sh [--project P] [--json]",
            )
    return wanted, as_json


def _look(session: Session, wanted: str | None) -> tuple[dict[str, Any], list[Finding]]:
    found: Project = session.find(wanted, quiet=True)
    place = Place(session, found)
    return {"name": found.name, "path": str(found.path), "running": place.is_running}, examine(place)


def main(arguments: list[str]) -> int:
    """Prints what was found; returns the exit code."""
    try:
        wanted, as_json = _parsed(arguments)
        about, found = _look(open_session(), wanted)
    except OrkestraError as error:
        print(error.lines(), file=sys.stderr)
        return error.code
    if as_json:
        findings = [{"area": one.area, "text": one.text, "cure": one.cure} for one in found]
        report = {"ok": not found, "project": about, "findings": findings}
        print(json.dumps(report, ensure_ascii=False, indent=2).encode("utf-8", "replace").decode("utf-8"))
    else:
        for one in found:
            cure = f" ({printable(one.cure)})" if one.cure else ""
            print(f"{printable(about['name'])}: {one.area}: {printable(one.text)}{cure}")
    return EX_FAILED if found else EX_OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
