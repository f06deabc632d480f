"""The changes that outcomes say have landed, held against what the branch holds."""

from __future__ import annotations

from typing import Any

from . import canonical, changes
from .findings import Report
from .plumbing import Git


class Landed:
    """The changes of all landed outcomes, looked up at once."""

    def __init__(self, git: Git, head: str, outcomes: dict[str, dict[str, Any]], report: Report) -> None:
        """outcomes: {id: record} of all that the branch holds at head."""
        self.report = report
        self.history = changes.read_history(git, head)
        self.trees: dict[str, tuple[str, str]] = {}
        for name, outcome in outcomes.items():
            change = outcome.get("change")
            if not isinstance(change, dict):
                continue
            pair = self._pair(name, change)
            if pair:
                self.trees[str(change["commit"])] = pair
        self.diffs = changes.diffs(git, self.trees.values())
        self.ids = dict(zip(self.diffs, changes.patch_ids(self.diffs.values()), strict=True))

    def _found(self, name: str, change: dict[str, Any]) -> changes.Commit | None:
        """The change's commit; after a rebase the one with the outcome's name that is no record commit."""
        commit = self.history.commits.get(str(change.get("commit")))
        if commit is None:
            again = [self.history.commits[other] for other in self.history.by_outcome.get(name, [])]
            again = [other for other in again if other.parents and not self._is_record(other)]
            commit = again[0] if len(again) == 1 else None
        return commit

    def _is_record(self, commit: changes.Commit) -> bool:
        """A record commit's parent carries the same outcome: the change comes first."""
        names = [name for name, commits in self.history.by_outcome.items() if commit.name in commits]
        return any(parent in self.history.by_outcome[name] for name in names for parent in commit.parents)

    def _pair(self, name: str, change: dict[str, Any]) -> tuple[str, str] | None:
        commit = self._found(name, change)
        if commit is None or not commit.parents:
            return None
        parent = self.history.commits.get(commit.parents[0])
        return (parent.tree, commit.tree) if parent is not None else None

    def diff(self, change: dict[str, Any]) -> bytes | None:
        """The diff of a landed change, or None when it was not found."""
        pair = self.trees.get(str(change["commit"]))
        return self.diffs.get(pair) if pair else None

    def patch_id(self, change: dict[str, Any]) -> str:
        """The recomputed patch id, '' when it was not found."""
        pair = self.trees.get(str(change["commit"]))
        return self.ids.get(pair, "") if pair else ""

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
            self._rebased(name, change)
        else:
            self._as_recorded(name, change, commit, diff)

    def _rebased(self, name: str, change: dict[str, Any]) -> None:
        found = self._found(name, change)
        if self.patch_id(change) == change["patch_id"] and found is not None:
            self.report.notes.append(f"{name}: its change was rebased and is {found.name[:12]} now")
        else:
            self.report.find(name, "its change was rebased and is not the same change any more")

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
