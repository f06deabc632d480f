"""Who signed the commits by which work landed: asked of the person's own Git, with their keys and settings.

Looked at are the commits that name an outcome or touch the records, once one of them is signed or signatures
are required. A bad signature never holds; one that nobody here can check, and a commit that is not signed
while others are, are worth knowing, and do not hold where signatures are required.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import records, repo
from .changes import History
from .findings import Report
from .plumbing import Git
from .text import printable

GOOD, BAD, UNKNOWN, UNSIGNED = "good", "bad", "unknown", "unsigned"
_FORMAT = "%H%x1f%G?%x1f%GK%x1f%GS%x1e"
_AT_ONCE = 32  # commits that one Git is asked about


@dataclass(frozen=True)
class Signature:
    """Of a commit. state: one of the above; what: words for a state that is not good."""

    commit: str
    state: str
    what: str = ""


def check(place: Path, git: Git, history: History, report: Report, required: bool, since: str) -> None:
    """Adds to the report; `since`: only of commits that this one does not hold, '' for all of the history."""
    head = next(iter(history.commits))
    commits = _commits(git, head, history, since)
    signed = [commit for commit in commits if commit in history.signed]
    if not signed and not required:
        return
    found = {one.commit: one for one in _ask(place, signed)}
    unsigned = [commit for commit in commits if commit not in history.signed]
    known = {commit: name for name, named in history.by_outcome.items() for commit in named}
    for commit in signed:
        one = found.get(
            commit, Signature(commit, UNKNOWN, "is signed, and Git says nothing of the signature")
        )
        if one.state == BAD or (one.state == UNKNOWN and required):
            report.find(known.get(commit, commit), f"the commit {commit[:12]} {one.what}")
    if required:
        for commit in unsigned:
            report.find(known.get(commit, commit), f"the commit {commit[:12]} is not signed")
    report.counts["signatures"] = sum(one.state == GOOD for one in found.values())
    if not required:
        report.notes += _notes(unsigned, [one for one in found.values() if one.state == UNKNOWN], known)


def _notes(unsigned: list[str], unknown: list[Signature], known: dict[str, str]) -> Iterator[str]:
    def named(commit: str) -> str:
        return f"{commit[:12]} ({known[commit]})" if commit in known else commit[:12]

    if unsigned:
        yield f"{_many(len(unsigned))} not signed, though others are; the first is {named(unsigned[0])}"
    if unknown:
        first = unknown[0]
        many = _many(len(unknown))
        yield f"{many} signed by a key that cannot be checked; {named(first.commit)} {first.what}"


def _many(count: int) -> str:
    return "1 commit is" if count == 1 else f"{count} commits are"


def _commits(git: Git, head: str, history: History, since: str) -> list[str]:
    """By which work landed, the oldest first."""
    out = git.run("rev-list", head, "--", records.VOTES, records.OUTCOMES).decode().split()
    wanted = {*out, *(commit for named in history.by_outcome.values() for commit in named)}
    if since:
        wanted &= set(git.run("rev-list", f"{since}..{head}").decode().split())
    return [commit for commit in reversed(list(history.commits)) if commit in wanted]


def _ask(place: Path, commits: list[str]) -> list[Signature]:
    """What Git says of each; a program runs for each of them, so several at once."""
    parts = [commits[at : at + _AT_ONCE] for at in range(0, len(commits), _AT_ONCE)]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return [one for found in pool.map(lambda part: _said(place, part), parts) for one in found]


def _said(place: Path, commits: Iterable[str]) -> list[Signature]:
    asked = "".join(f"{commit}\n" for commit in commits).encode()
    done = repo.run(place, "log", "--no-walk=unsorted", "--stdin", f"--format={_FORMAT}", stdin=asked)
    if done.returncode != 0:
        raise repo.failure(place, done)
    found = []
    for entry in done.stdout.decode("utf-8", "replace").split("\x1e"):
        parts = entry.strip("\n").split("\x1f")
        if len(parts) == 4:
            found.append(_read(*parts))
    return found


def _read(commit: str, letter: str, key: str, signer: str) -> Signature:
    """By the letters of `git log`'s %G?: see git help log, PRETTY FORMATS."""
    shown = printable(key) or "a key that is not named"
    if letter == "G" or (letter == "U" and not key.startswith("SHA256:")):
        return Signature(
            commit, GOOD
        )  # U of gpg: a key of the ring that nobody has certified; Git takes it, too
    if letter in ("X", "Y"):
        return Signature(commit, GOOD)  # expired since: it was good
    if letter == "B":
        return Signature(commit, BAD, "has a bad signature: it was changed after it was signed")
    if letter == "R":
        return Signature(commit, BAD, f"is signed by {shown}, which has been revoked")
    if letter == "U":
        return Signature(
            commit, UNKNOWN, f"is signed by {shown}, which gpg.ssh.allowedSignersFile does not have"
        )
    if letter == "E":
        return Signature(commit, UNKNOWN, f"is signed by {shown}, which is not among the keys here")
    return Signature(commit, UNKNOWN, "is signed, and Git cannot check it (gpg.ssh.allowedSignersFile?)")
