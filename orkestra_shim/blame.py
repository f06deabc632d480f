"""Whose work is a line? The task behind it, who wrote and who judged it, on what evidence, at what cost.

Git says which commit gave a line; that it is a task's change is believed of a record that names the commit,
never of what the commit's message says of itself. Lines are compared byte by byte (no -w): what undoes a
change undoes its white space, too. A renamed file is followed, as far as Git's own blame does it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import accounts, board, changes, queue, records, repo
from .errors import EX_USAGE, OrkestraError
from .findings import Report
from .landed import Landed
from .plumbing import Git
from .project import Project
from .text import printable, word

_CLAIM = re.compile(r"^Orkestra-(?:Outcome|Task): (\S+)", re.MULTILINE)
_GIT = ("--no-replace-objects", "-c", "blame.ignoreRevsFile=")
_BLAME = ("blame", "--porcelain", "--no-textconv", "--encoding=UTF-8")


@dataclass
class _Commit:
    """A commit that gave a line, as Git's porcelain tells of it."""

    name: str
    told: dict[str, str] = field(default_factory=dict)

    @property
    def is_made(self) -> bool:
        """False for lines of the checkout that no commit has."""
        return self.name.strip("0") != ""


def blame(found: Project, wanted: str, project_words: str) -> dict[str, Any]:
    """What is known of FILE[:LINE]; the answer's shape is that of `orkestra blame --json`.

    `project_words`: what a command has to be given so that it is about this project, '' for nothing. Raises
    64 for a file or line that there is not, 65 for records that cannot be read.
    """
    git = Git(board.git_folder(found))
    head = records.head(git, found.branch, whole=True)
    path, number = _place(found, git, head, wanted)
    in_checkout = board.checkout(found).on_branch() and _is_file(found.path / path)
    text = _content(found, git, head, path, in_checkout)
    count = len(text)
    if number is not None and not 1 <= number <= count:
        lines = f"{count} line" + "s" * (count != 1)
        raise OrkestraError(EX_USAGE, f"{printable(path)} has no line {number}: it has {lines}")
    runs = list(_runs(found, path, number, None if in_checkout else head)) if count else []
    known = _Known(found, git, head, project_words)
    known.look_up({commit.name for commit, _, _ in runs if commit.is_made})
    entries = [known.entry(commit, first, last) for commit, first, last in runs]
    named = dict.fromkeys(entry["outcome"] for entry in entries if entry["outcome"])
    return {
        "file": path,
        "line": number,
        "text": None if number is None else text[number - 1].decode("utf-8", "replace"),
        "branch": found.branch,
        "head": head,
        "checkout": in_checkout,
        "lines": entries,
        "outcomes": {name: known.account(name) for name in named},
    }


# --- the file -----------------------------------------------------------------------------------------------


def _place(found: Project, git: Git, head: str, wanted: str) -> tuple[str, int | None]:
    """(path in the project, line or None) of FILE[:LINE]; a file of exactly that name comes first."""
    whole = re.fullmatch(r"(.+):([0-9]{1,18})", wanted, re.DOTALL)
    if whole is None or _kind(git, head, _inside(found, wanted)) == "blob":
        return _need_file(found, git, head, wanted), None
    return _need_file(found, git, head, whole[1]), int(whole[2])


def _inside(found: Project, wanted: str) -> str:
    """The path from the project's top. A relative one is meant from the current folder, if that is inside."""
    top = os.path.realpath(found.path)
    here = os.path.realpath(os.curdir)
    base = here if here == top or here.startswith(f"{top}/") else top
    folder, name = os.path.split(os.path.join(base, wanted))
    full = os.path.join(os.path.realpath(folder), name)
    if name in ("", ".", ".."):
        full = os.path.realpath(full)
    if full == top:
        return ""
    return full.removeprefix(f"{top}/") if full.startswith(f"{top}/") else ".."


def _kind(git: Git, head: str, path: str) -> str:
    """blob, tree, or '' for what the branch does not hold."""
    code, out, _ = git.attempt("cat-file", "-t", f"{head}:{path}") if path != ".." else (1, b"", b"")
    return out.decode().strip() if code == 0 else ""


def _need_file(found: Project, git: Git, head: str, wanted: str) -> str:
    path, shown = _inside(found, wanted), printable(wanted[:200])
    if path == "..":
        raise OrkestraError(EX_USAGE, f"{shown} is outside of the project {printable(found.path)}")
    kind = _kind(git, head, path)
    if kind == "tree":
        hint = f"name a file in it: git -C {word(found.path)} ls-files {word(path or '.')}"
        raise OrkestraError(EX_USAGE, f"{shown} is a folder", hint)
    if kind != "blob":
        there = os.path.lexists(found.path / path)
        why = "is in no commit yet" if there else "is not there"
        raise OrkestraError(EX_USAGE, f"{shown} {why}: the branch {found.branch} does not hold it")
    return path


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def _content(found: Project, git: Git, head: str, path: str, in_checkout: bool) -> list[bytes]:
    """The lines of the file. Raises 64 for one that has none."""
    data = (found.path / path).read_bytes() if in_checkout else git.run("cat-file", "blob", f"{head}:{path}")
    if b"\0" in data[:8000]:
        hint = f"git -C {word(found.path)} log --follow -- {word(path)} shows its commits"
        raise OrkestraError(EX_USAGE, f"{printable(path)} is binary: it has no lines", hint)
    return data.removesuffix(b"\n").split(b"\n") if data else []


# --- Git's blame --------------------------------------------------------------------------------------------


def _runs(
    found: Project, path: str, number: int | None, head: str | None
) -> Iterator[tuple[_Commit, int, int]]:
    """(commit, first line, last line), in order. `head`: None for the file as the checkout has it."""
    only = [] if number is None else ["-L", f"{number},{number}"]
    words = [*_GIT, *_BLAME, *only, *([head] if head else []), "--", path]
    done = repo.run(found.path, *words)
    if done.returncode != 0:
        raise repo.failure(found.path, done)
    commits: dict[str, _Commit] = {}
    commit, at, first, last = _Commit(""), 0, 0, 0
    held: _Commit | None = None
    for raw in done.stdout.split(b"\n")[:-1]:
        if raw.startswith(b"\t"):
            if held is commit and last == at - 1:
                last = at
                continue
            if held is not None:
                yield held, first, last
            held, first, last = commit, at, at
            continue
        key, _, value = raw.decode("utf-8", "replace").partition(" ")
        if re.fullmatch(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", key):
            commit = commits.setdefault(key, _Commit(key))
            at = int(value.split(" ")[1])
        else:
            commit.told[key] = value
    if held is not None:
        yield held, first, last


# --- what the records know of a commit ----------------------------------------------------------------------


class _Known:
    """The branch's records, and which commits they name."""

    def __init__(self, found: Project, git: Git, head: str, project_words: str) -> None:
        self.found, self.git, self.head, self.words = found, git, head, project_words
        self.branch = records.read_branch(git, head)
        self.changes = {str(one["id"]): one for one in self.branch.outcomes.values() if _names_a_commit(one)}
        self.named: dict[str, str] = {}  # {commit: the outcome whose change it is}
        self.recording: dict[str, list[str]] = {}  # {commit: the outcomes that it recorded}
        self.messages: dict[str, str] = {}

    def look_up(self, commits: Iterable[str]) -> None:
        """What each of these commits is."""
        wanted = sorted(commits)
        for name, kind, data in self.git.blobs(wanted):
            if kind == "commit":
                top, _, message = data.decode("utf-8", "replace").partition("\n\n")
                self.messages[name] = message
                self._exact(name, top)
        if any(name not in self.named for name in wanted):
            self._rewritten()
            self._records(name for name in wanted if name not in self.named)

    def _exact(self, name: str, top: str) -> None:
        """The record names the commit, and what the commit holds: tree and parent."""
        held = re.findall(r"^(tree|parent) ([0-9a-f]+)$", top, re.MULTILINE)
        for outcome, one in self.changes.items():
            change = one["change"]
            if change.get("commit") == name:
                said = [("tree", change.get("tree")), ("parent", change.get("base"))]
                if held == said:
                    self.named.setdefault(name, outcome)

    def _rewritten(self) -> None:
        """Changes of which a rebase or a host's merge has made other commits, known by their patch."""
        history = set(self.git.run("rev-list", self.head).decode().split())
        gone = {name: one for name, one in self.changes.items() if one["change"].get("commit") not in history}
        if not gone:
            return
        with records.reading("the records"):
            landed = Landed(self.git, self.head, gone, Report())
            for name, one in gone.items():
                now = landed.now(name, one["change"])
                if now:
                    self.named.setdefault(now, name)

    def _records(self, commits: Iterable[str]) -> None:
        """Commits that hold nothing but records, and perhaps the queue."""
        for commit, paths in changes.paths_of(self.git, commits).items():
            outcomes = [
                path for path in paths if path.startswith(f"{records.OUTCOMES}/") and records.is_record(path)
            ]
            ours = (f"{records.OUTCOMES}/", f"{records.VOTES}/", str(queue.FILE))
            if outcomes and all(path.startswith(ours) for path in paths):
                self.recording[commit] = sorted(path.rsplit("/", 1)[-1][:-5] for path in outcomes)

    def entry(self, commit: _Commit, first: int, last: int) -> dict[str, Any]:
        """Lines that one commit gave."""
        name = commit.name if commit.is_made else None
        outcome = self.named.get(commit.name)
        kind = "uncommitted" if name is None else "person"
        if outcome:
            kind = "undo" if self.changes[outcome].get("decision") == "undone" else "task"
        elif commit.name in self.recording:
            kind = "record"
        claims = (
            [] if kind in ("uncommitted", "record") else _CLAIM.findall(self.messages.get(commit.name, ""))
        )
        return {
            "first": first,
            "last": last,
            "kind": kind,
            "commit": name,
            "task": self.changes[outcome].get("task") if outcome else None,
            "outcome": outcome,
            "records": self.recording.get(commit.name, []),
            "author": commit.told.get("author") if name else None,
            "mail": commit.told.get("author-mail", "").strip("<>") if name else None,
            "date": _date(commit.told) if name else None,
            "subject": commit.told.get("summary") if name else None,
            "claims": [] if outcome else list(dict.fromkeys(claims)),
            "undo": f"git -C {word(self.found.path)} revert {name}" if kind == "person" else None,
        }

    def account(self, name: str) -> dict[str, Any]:
        """Everything about an outcome that gave a line."""
        with records.reading(name):
            now = next(commit for commit, outcome in self.named.items() if outcome == name)
            return accounts.of(
                self.found, self.git, self.head, self.branch, self.changes[name], now, self.words
            )


def _names_a_commit(outcome: dict[str, Any]) -> bool:
    change = outcome.get("change")
    return isinstance(change, dict) and isinstance(change.get("commit"), str)


def _date(told: dict[str, str]) -> str | None:
    try:
        moment = datetime.fromtimestamp(int(told.get("author-time", "")), timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.isoformat().replace("+00:00", "Z")


# --- for people ---------------------------------------------------------------------------------------------


def lines(told: dict[str, Any]) -> Iterator[str]:
    """The answer in lines."""
    if told["line"] is not None:
        entry = told["lines"][0]
        yield printable(f"{told['file']}:{told['line']}: {told['text']}")
        if entry["outcome"]:
            yield from accounts.lines(told["outcomes"][entry["outcome"]])
        else:
            yield from _alone(entry)
        return
    last = told["lines"][-1]["last"] if told["lines"] else 0
    where = "the checkout" if told["checkout"] else f"the branch {told['branch']}"
    yield printable(f"{told['file']}, {last} lines, as {where} has it")
    width = 2 * len(str(last)) + 1
    for entry in told["lines"]:
        first, end = entry["first"], entry["last"]
        span = str(first) if first == end else f"{first}-{end}"
        short = accounts.short(told["outcomes"][entry["outcome"]]) if entry["outcome"] else _short(entry)
        yield printable(f"  {span:<{width}}  {short}")


def _short(entry: dict[str, Any]) -> str:
    if entry["kind"] == "uncommitted":
        return "not committed"
    if entry["kind"] == "record":
        return f"the record of {', '.join(entry['records'][:3])}"
    day = str(entry["date"] or "")[:10]
    return f"a commit of {entry['author']}, {day}: {entry['commit'][:12]} {entry['subject']}"


def _alone(entry: dict[str, Any]) -> Iterator[str]:
    """A line that no task gave."""
    if entry["kind"] == "uncommitted":
        yield "not committed: nobody has judged it; git diff shows it"
        return
    if entry["kind"] == "record":
        yield printable(
            f"a record that Orkestra wrote: {', '.join(entry['records'])}, in {entry['commit'][:12]}"
        )
        yield "orkestra verify says whether it holds"
        return
    yield printable(f"a person's commit, no task's: {entry['author']} <{entry['mail']}>, {entry['date']}")
    yield printable(f"  {entry['commit'][:12]} {entry['subject']}")
    if entry["claims"]:
        claims = ", ".join(entry["claims"])
        yield printable(f"  its message names {claims}, but no record names it so: not believed")
    yield "nobody voted on it"
    yield f"undo: {entry['undo']}"
