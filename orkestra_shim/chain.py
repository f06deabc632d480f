"""The chain of outcomes: each names what stood before it, so that none can be left out or put in."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from . import records
from .findings import Report
from .plumbing import Git


class Chain:
    """Over all outcomes of a branch, by id."""

    def __init__(
        self, git: Git, outcomes: dict[str, dict[str, Any]], commits: Container[str], report: Report
    ) -> None:
        """commits: of the branch's history."""
        self.git, self.outcomes, self.commits, self.report = git, outcomes, commits, report
        self.at: dict[str, tuple[str | None, list[str]]] = {}

    def check(self, name: str, outcome: dict[str, Any], previous: dict[str, Any] | None) -> None:
        """That an outcome names what stood before it; `previous`: the one with the next lower number."""
        if "chain" in outcome:
            self._placed(name, outcome, outcome["chain"])
            return
        number = records.parse_id(name)[1]
        expected = None if previous is None else previous["sha256"]
        before = 0 if previous is None else records.parse_id(previous["id"])[1]
        if outcome["previous"] != expected:
            after = "nothing" if previous is None else previous["id"]
            self.report.find(
                name,
                f"the chain is broken: its `previous` is not the hash of {after}, which stands before it",
            )
        elif number != before + 1:
            self.report.notes.append(
                f"{records.record_id('outcome', before + 1)} does not exist: the number was "
                f"drawn, but {name} follows {previous['id'] if previous else 'nothing'}"
            )

    def _placed(self, name: str, outcome: dict[str, Any], chain: dict[str, Any]) -> None:
        """One that may come in another order than it was drawn names what stood at the commit it was made on.

        That is the newest outcome there (`previous`) and every other one that none there names (`beside`). So
        each outcome of that commit is held, and the commit's own name holds which they were.
        """
        parent, beside, base = chain["parent"], chain["beside"], chain["base"]
        hashes = {one["sha256"]: number for number, one in self.outcomes.items()}
        before = self.outcomes[parent]["sha256"] if parent in self.outcomes else None
        named = [*([parent] if parent else []), *(hashes.get(one) for one in beside)]
        number = records.parse_id(name)[1]
        if outcome["previous"] != before or (parent and before is None):
            self.report.find(
                name, f"the chain is broken: its `previous` is not the hash of {parent or 'nothing'}"
            )
        elif any(one is None or records.parse_id(one)[1] >= number for one in named):
            self.report.find(
                name, "the chain is broken: it names one before it that is not, or not on the branch"
            )
        elif "change" in outcome and outcome["change"]["base"] != base:
            self.report.find(name, "the chain is broken: its change was made on another commit than it says")
        elif base not in self.commits:
            self.report.notes.append(f"{name}: the commit that it was made on is not in the history any more")
        elif self.ends(base) != (parent, beside):
            self.report.find(name, f"the chain is broken: other outcomes stood at {base[:12]} than it names")

    def ends(self, commit: str) -> tuple[str | None, list[str]]:
        """(newest outcome, sorted hashes of the other ones that none names) among those at a commit."""
        if commit not in self.at:
            paths = filter(records.is_record, self.git.tree(commit, records.OUTCOMES))
            names = [path.rsplit("/", 1)[-1][:-5] for path in paths]
            there = {name: self.outcomes[name] for name in names if name in self.outcomes}
            named = {one for outcome in there.values() for one in records.before_it(outcome)}
            newest = max(names, key=records.parse_id, default=None)
            ends = {outcome["sha256"] for name, outcome in there.items() if name != newest} - named
            self.at[commit] = newest, sorted(ends)
        return self.at[commit]
