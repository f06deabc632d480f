"""The changes that outcomes say have landed, held against what the branch holds."""

from __future__ import annotations

import re
from typing import Any

from . import canonical, changes, records
from .findings import Report
from .plumbing import Git


class Landed:
    """The changes of all landed outcomes, looked up at once."""

    def __init__(self, git: Git, head: str, outcomes: dict[str, dict[str, Any]], report: Report) -> None:
        """outcomes: {id: record} of all that the branch holds at head."""
        self.git, self.head, self.report = git, head, report
        self.history = changes.read_history(git, head)
        self._diffs: dict[str, bytes] = {}  # by the change's commit, as the record names it
        self._ids: dict[str, str] = {}
        self._now: dict[str, changes.Commit] = {}  # where it is another commit now
        named = [
            (name, one["change"]) for name, one in outcomes.items() if isinstance(one.get("change"), dict)
        ]
        there = [
            (name, change) for name, change in named if str(change.get("commit")) in self.history.commits
        ]
        self._look_up(there)
        self._look_for([pair for pair in named if pair not in there])

    def _pair(self, commit: changes.Commit) -> tuple[str, str] | None:
        """Trees before and after a commit."""
        parent = self.history.commits.get(commit.parents[0]) if commit.parents else None
        return (parent.tree, commit.tree) if parent is not None else None

    def trees(self, name: str, change: dict[str, Any]) -> tuple[str, str] | None:
        """Trees before and after the change of an outcome: of the commit that it names while that object is
        there, else of what has become of it; None where neither is."""
        commit = str(change.get("commit"))
        if commit in self.history.commits:
            return self._pair(self.history.commits[commit])
        if re.fullmatch(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", commit):
            code, out, _ = self.git.attempt("rev-parse", f"{commit}^1^{{tree}}", f"{commit}^{{tree}}")
            if code == 0:
                before, after = out.decode().split()
                return before, after
        return self._pair(self._now[name]) if name in self._now else None

    def commits_of(self, name: str, change: dict[str, Any]) -> list[str]:
        """The commits of the history in which the change of an outcome is."""
        commit = str(change.get("commit"))
        return [commit] if commit in self.history.commits else self.history.by_outcome.get(name, [])

    def now(self, name: str, change: dict[str, Any]) -> str | None:
        """The commit of the history that is this change and no other; None where there is none."""
        if change.get("commit") in self.history.commits:
            return str(change["commit"])
        same = name in self._now and self.patch_id(change) == change.get("patch_id")
        return self._now[name].name if same else None

    def is_reverse(self, name: str, change: dict[str, Any], of: str, undone: dict[str, Any]) -> bool:
        """Whether the change of outcome `name` is exactly the reverse of that of outcome `of`."""
        mine, theirs = self.trees(name, change), self.trees(of, undone)
        if mine is None or theirs is None:
            return False
        return changes.reversed_tree(self.git, theirs[0], theirs[1], mine[0]) == mine[1]

    def _look_up(self, named: list[tuple[str, dict[str, Any]]]) -> None:
        commits = {str(change["commit"]) for _, change in named}
        pairs = {commit: pair for commit in commits if (pair := self._pair(self.history.commits[commit]))}
        diffs = changes.diffs(self.git, pairs.values())
        ids = dict(zip(diffs, changes.patch_ids(diffs.values()), strict=True))
        for commit, pair in pairs.items():
            if pair in diffs:
                self._diffs[commit], self._ids[commit] = diffs[pair], ids[pair]

    def _look_for(self, named: list[tuple[str, dict[str, Any]]]) -> None:
        """Changes that a rebase or a host's merge has made other commits of: the one with the same patch.

        That is looked for among the commits that carry the outcome's name, or have added its record. A
        squash has change and records in one commit, so the records are left out.
        """
        if not named:
            return
        adding = changes.added(self.git, self.head, records.OUTCOMES)
        found = {name: self._candidates(name, adding) for name, _ in named}
        pairs = [pair for commits in found.values() for commit in commits if (pair := self._pair(commit))]
        diffs = changes.diffs(self.git, pairs, [records.VOTES, records.OUTCOMES])
        ids = dict(zip(diffs, changes.patch_ids(diffs.values()), strict=True))
        for name, change in named:
            key = str(change.get("commit"))
            for commit in found[name]:
                pair = self._pair(commit)
                if pair not in diffs or (key in self._ids and ids[pair] != change.get("patch_id")):
                    continue
                if name in self.history.by_outcome or ids[pair] == change.get("patch_id"):
                    self._diffs[key], self._ids[key], self._now[name] = diffs[pair], ids[pair], commit

    def _candidates(self, name: str, adding: dict[str, list[str]]) -> list[changes.Commit]:
        try:
            path = records.path_of(name)
        except ValueError:
            return []
        names = [*self.history.by_outcome.get(name, []), *adding.get(path, [])]
        commits = [self.history.commits[one] for one in dict.fromkeys(names)]
        return [one for one in commits if one.parents and not self._is_record(name, one)]

    def _is_record(self, name: str, commit: changes.Commit) -> bool:
        """A record commit's parent carries the same outcome: the change comes first."""
        return any(parent in self.history.by_outcome.get(name, []) for parent in commit.parents)

    def diff(self, change: dict[str, Any]) -> bytes | None:
        """The diff of a landed change, or None when it was not found."""
        return self._diffs.get(str(change["commit"]))

    def patch_id(self, change: dict[str, Any]) -> str:
        """The recomputed patch id, '' when it was not found."""
        return self._ids.get(str(change["commit"]), "")

    def check(self, name: str, change: dict[str, Any]) -> None:
        """That what the outcome names is what the branch holds; findings go into the report."""
        diff, commit = self.diff(change), self.history.commits.get(change["commit"])
        if diff is None:
            self.report.find(
                name,
                f"its change {change['commit'][:12]} is not in the branch's history "
                "(rebased with other content, squashed, or never landed)",
            )
        elif commit is None:
            self._rewritten(name, change)
        else:
            self._as_recorded(name, change, commit, diff)

    def _rewritten(self, name: str, change: dict[str, Any]) -> None:
        now = self._now[name].name
        if self.patch_id(change) != change["patch_id"]:
            self.report.find(name, "its change was rebased and is not the same change any more")
        elif self._records_too(self._now[name]):
            self.report.notes.append(
                f"{name}: its change was squashed with its records and is {now[:12]} now"
            )
        else:
            self.report.notes.append(f"{name}: its change was rebased and is {now[:12]} now")

    def _records_too(self, commit: changes.Commit) -> bool:
        before, after = (self.git.tree(one, records.OUTCOMES) for one in (commit.parents[0], commit.name))
        return before != after

    def _as_recorded(self, name: str, change: dict[str, Any], commit: changes.Commit, diff: bytes) -> None:
        find = self.report.find
        if commit.tree != change["tree"]:
            find(name, "its change commit holds another tree than the record says")
        if commit.parents != [change["base"]]:
            find(name, "its change commit stands on another base than the record says")
        if canonical.sha256(diff) != change["diff_sha256"]:
            find(name, "the hash of its diff is not that of the change that landed")
        if self.patch_id(change) != change["patch_id"]:
            find(name, "its patch id is not that of the change that landed")
        if change["commit"] in self.history.reverted:
            by = self.history.reverted[change["commit"]]
            self.report.notes.append(f"{name}: its change was reverted by {by[:12]}")
