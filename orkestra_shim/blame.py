"""Whose work is a line? The task behind it, who wrote and who judged it, on what evidence, at what cost.

Git says which commit gave a line; that it is a task's change is believed of a record that names the commit,
never of what the commit's message says of itself. Lines are compared byte by byte (no -w): what undoes a
change undoes its white space, too. A renamed file is followed, as far as Git's own blame does it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from . import accounts, board, changes, queue, records, repo, spots
from .accounts import Accounts
from .findings import Report
from .landed import Landed
from .plumbing import Git
from .project import Project
from .spots import Spot
from .text import counted, printable, word

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
    spot = spots.find(found, git, head, wanted)
    runs = list(_runs(found, spot, head)) if spot.text else []
    known = _Known(found, git, head, Accounts(found, git, head, project_words))
    known.look_up({commit.name for commit, _, _ in runs if commit.is_made})
    entries = [known.entry(commit, first, last) for commit, first, last in runs]
    named = dict.fromkeys(entry["outcome"] for entry in entries if entry["outcome"])
    return {
        "file": spot.path,
        "line": spot.line,
        "text": None if spot.line is None else spot.text[spot.line - 1].decode("utf-8", "replace"),
        "branch": found.branch,
        "head": head,
        "checkout": spot.in_checkout,
        "lines": entries,
        "outcomes": known.accounts(named),
    }


# --- Git's blame --------------------------------------------------------------------------------------------


def _runs(found: Project, spot: Spot, head: str) -> Iterator[tuple[_Commit, int, int]]:
    """(commit, first line, last line), in order."""
    only = [] if spot.line is None else ["-L", f"{spot.line},{spot.line}"]
    words = [*_GIT, *_BLAME, *only, *([] if spot.in_checkout else [head]), "--", spot.path]
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

    def __init__(self, found: Project, git: Git, head: str, told: Accounts) -> None:
        self.found, self.git, self.head, self.told = found, git, head, told
        self.changes = {str(one["id"]): one for one in told.branch.outcomes.values() if _names_a_commit(one)}
        self.by_commit: dict[str, list[str]] = {}
        for name, one in self.changes.items():
            self.by_commit.setdefault(one["change"]["commit"], []).append(name)
        self.named: dict[str, str] = {}  # {commit: the outcome whose change it is}
        self.recording: dict[str, list[str]] = {}  # {commit: the outcomes that it recorded}
        self.messages: dict[str, str] = {}
        self.merges: set[str] = set()

    def look_up(self, commits: Iterable[str]) -> None:
        """What each of these commits is."""
        wanted = sorted(commits)
        for name, kind, data in self.git.blobs(wanted):
            if kind == "commit":
                top, _, message = data.decode("utf-8", "replace").partition("\n\n")
                self.merges |= {name} if top.count("\nparent ") > 1 else set()
                self.messages[name] = message
                self._exact(name, top)
        if any(name not in self.named for name in wanted):
            self._rewritten()
            self._records(name for name in wanted if name not in self.named)

    def _exact(self, name: str, top: str) -> None:
        """The record names the commit, and what the commit holds: tree and parent."""
        held = re.findall(r"^(tree|parent) ([0-9a-f]+)$", top, re.MULTILINE)
        for outcome in self.by_commit.get(name, ()):
            change = self.changes[outcome]["change"]
            if held == [("tree", change.get("tree")), ("parent", change.get("base"))]:
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
        revert = f"git -C {word(self.found.path)} revert {'-m 1 ' * (name in self.merges)}{name}"
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
            "undo": revert if kind == "person" else None,
        }

    def accounts(self, names: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Everything about the outcomes that gave lines."""
        now = {outcome: commit for commit, outcome in self.named.items()}
        told = {}
        self.told.load(self.changes[name] for name in names)
        for name in names:
            with records.reading(name):
                told[name] = self.told.of(self.changes[name], now[name])
        return told


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
    yield printable(f"{told['file']}, {counted(last, 'line')}, as {where} has it")
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
