"""Records of a run: numbers, the chain of outcomes, and the files that a landing adds to the branch."""

from __future__ import annotations

from typing import Any

from . import canonical, records
from .journal import now
from .records import Branch


def numbers_in(event: dict[str, Any]) -> list[int]:
    """Numbers of outcomes that an event of the execution log gives away, each for good.

    A line that somebody else wrote gives none: the log is not evidence.
    """
    kind = event.get("event")
    try:
        if kind in ("landed", "recorded", "proposed"):
            return [records.parse_id(name)[1] for name in (event["outcome"], *event.get("riders", ()))]
        if kind == "outcome-drafted" and "id" in event["draft"]:
            return [records.parse_id(event["draft"]["id"])[1]]
    except (KeyError, TypeError, ValueError):
        pass
    return []


class Ledger:
    """Outcome numbers are drawn under the landing lock and count once the branch holds them."""

    def __init__(self, branch: Branch) -> None:
        self.branch = branch
        self.last_vote = branch.last_vote
        self.last_outcome = branch.last_outcome  # the branch's, or what this log saw recorded
        self.open: dict[str, list[dict[str, Any]]] = {}

    def saw(self, kind: str, number: int) -> None:
        """A number in the execution log: never given again, even if a person took the record away."""
        if kind == "vote":
            self.last_vote = max(self.last_vote, number)
        else:
            self.last_outcome = max(self.last_outcome, number)

    def draw_vote(self) -> str:
        """The next vote's id."""
        self.last_vote += 1
        return records.record_id("vote", self.last_vote)

    def take_outcome(self) -> str:
        """The next outcome's id, drawn for good: it may come onto the branch after higher ones, or never."""
        name = self.next_outcome()
        self.saw("outcome", records.parse_id(name)[1])
        return name

    def next_outcome(self) -> str:
        """The id that the next outcome gets if it lands."""
        return records.record_id("outcome", max(self.last_outcome, self.branch.last_outcome) + 1)

    def batch(
        self, name: str, drafts: list[dict[str, Any]], votes: dict[str, dict[str, Any]], base: str = ""
    ) -> dict[str, bytes]:
        """Number and chain drafts from id name on: they and their votes as files of the repository.

        `votes`: {id: closed vote record}. `base`: others may come onto the branch in any order, so each says
        after which commit's records it stands (`chain`), and keeps the id that it has.
        """
        number = records.parse_id(name)[1]
        previous = self.branch.chain_head()
        chain = self._chain(base) if base else {}
        chained = []
        files: dict[str, bytes] = {}
        for offset, draft in enumerate(drafts):
            outcome = {
                **draft,
                **chain,
                "format": "orkestra.outcome/1",
                "previous": previous,
                "id": (base and draft.get("id")) or records.record_id("outcome", number + offset),
                "recorded_at": now(),
            }
            outcome["votes"] = [
                {"id": vote, "sha256": canonical.digest(votes[vote])} for vote in draft["votes"]
            ]
            outcome["sha256"] = canonical.digest(outcome)
            previous = previous if base else outcome["sha256"]
            chained.append(outcome)
            for record in (outcome, *(votes[vote] for vote in draft["votes"])):
                files[records.path_of(record["id"])] = canonical.pretty(record)
        for place in (records.VOTES, records.OUTCOMES):
            path = f"{place}/.gitattributes"
            if path not in self.branch.attributes:
                files[path] = records.ATTRIBUTES.encode()
        # One landing at a time: what was made ready before and did not land never will.
        self.open = {name: chained}
        return files

    def _chain(self, base: str) -> dict[str, Any]:
        """What an outcome says of its place: the commit, the newest outcome there and the other open ends."""
        last = self.branch.last_outcome
        parent = records.record_id("outcome", last) if last else None
        beside = sorted(one for one, name in self.branch.ends.items() if name != parent)
        return {"chain": {"base": base, "parent": parent, "beside": beside}}

    def give_up(self, name: str, task: str) -> None:
        """A landing came to nothing. Once its turn was over another task may have drawn the same number."""
        if name in self.open and self.open[name][0]["task"] == task:
            del self.open[name]

    def settle(self, name: str, head: str) -> list[dict[str, Any]]:
        """The branch holds the batch that began with name: its outcomes."""
        chained = self.open.pop(name, [])
        for outcome in chained:
            self.branch.add(outcome)
            self.saw("outcome", records.parse_id(outcome["id"])[1])
        if chained:
            self.branch.attributes |= {
                f"{place}/.gitattributes" for place in (records.VOTES, records.OUTCOMES)
            }
            self.branch.head = head
        return chained
