"""What a member's vote weighs: one vote each, as project.json says, or by its verified record (`learned`).

What counts is project.json and the records on the commit that the judged change stands on: so a weight is
fixed when the vote opens, nobody's uncommitted edit sets it, and any clone can find it again. A vote by
learned weights says in `weighed` after which outcomes it was opened: those at that commit that none there
names.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import canonical, changes, records
from .changes import Commit
from .errors import OrkestraError
from .judging import ONE, Judging, Reviewer
from .plumbing import Git
from .projectkeys import LEARNED, is_weights

if TYPE_CHECKING:
    from .run import Run

SETTINGS = "config/project.json"
WEIGHED = ("review", "choose")  # kinds of votes
Record = dict[str, Any]
Ends = Callable[[str], tuple[str | None, list[str]]]
Policy = str | dict[str, int]  # LEARNED, or what those weigh that do not weigh ONE


def policy(settings: bytes | None) -> Policy:
    """By the content of project.json; one vote each where it says nothing, or nothing that holds."""
    try:
        data = canonical.parse(settings) if settings else None
    except ValueError:
        return {}
    committee = data.get("committee") if isinstance(data, dict) else None
    found: Policy = committee.get("weights", {}) if isinstance(committee, dict) else {}
    return found if is_weights(found) else {}


def of(members: Iterable[str], by: Policy, record: Mapping[str, Reviewer]) -> dict[str, int]:
    """The weight of each member; `record`: what is known of them where `by` is LEARNED."""
    if isinstance(by, dict):
        return {name: by.get(name, ONE) for name in members}
    return {name: record[name].weight if name in record else ONE for name in members}


class Weights:
    """Fixes the weights of votes that open, over a run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._votes: dict[str, Record] = {}  # on the branch, by id
        self._known: tuple[str, list[str], dict[str, Reviewer]] = ("", [], {})  # at a commit

    def fix(self, vote: Record) -> None:
        """Who sits in it gets the weight that it has there. Raises 65 for records that cannot be read."""
        base, objects = vote["subject"]["base"], self.run.here.objects
        by = policy(objects.file(objects.tree_of(base), SETTINGS))
        members = [entry["member"] for entry in vote["electorate"]]
        if by != LEARNED:
            vote["weights"] = of(members, by, {})
            return
        after, known = self._at(base)
        vote["weights"] = of(members, by, known)
        vote["weighed"] = {"by": LEARNED, "after": after}

    def _at(self, commit: str) -> tuple[list[str], dict[str, Reviewer]]:
        if self._known[0] != commit:
            git, now = self.run.here.git, self.run.branch
            branch = now if now.head == commit else records.read_branch(git, commit, now)
            outcomes = [branch.outcomes[number] for number in sorted(branch.outcomes)]
            self._read(git, commit, outcomes)
            known = Judging()
            for outcome in outcomes:
                known.take(outcome, self._votes)
            self._known = commit, sorted(branch.ends.values(), key=records.parse_id), known.members
        return self._known[1], self._known[2]

    def _read(self, git: Git, commit: str, outcomes: list[Record]) -> None:
        """The votes that these outcomes name."""
        named = [str(entry["id"]) for outcome in outcomes for entry in outcome["votes"]]
        paths = {name: records.path_of(name) for name in named if name not in self._votes}
        found = git.blobs(f"{commit}:{path}" for path in paths.values())
        for (name, path), (_, kind, data) in zip(paths.items(), found, strict=True):
            if kind == "blob":
                self._votes[name] = records.load(data, path)


# --- held against the records -------------------------------------------------------------------------------


class Past:
    """The records of a branch, to ask what was known of its members after some of its outcomes."""

    def __init__(self, outcomes: Mapping[str, Record], votes: Mapping[str, Record]) -> None:
        self.votes = votes
        self.outcomes = {name: outcomes[name] for name in sorted(outcomes, key=records.parse_id)}
        self.order = list(self.outcomes)
        self.is_plain = not any("chain" in one for one in outcomes.values())
        self.hashes = {one.get("sha256"): name for name, one in outcomes.items()}
        self._done: list[str] = []
        self._known = Judging()

    def named(self) -> dict[str, str]:
        """{vote whose weights project.json sets: the outcome that names it}."""
        found = {}
        for name, outcome in self.outcomes.items():
            entries = outcome.get("votes")
            for entry in entries if isinstance(entries, list) else ():
                vote = self.votes.get(str(entry.get("id"))) if isinstance(entry, dict) else None
                if vote is not None and vote.get("kind") in WEIGHED:
                    found[str(vote["id"])] = name
        return found

    def up_to(self, after: Sequence[str]) -> list[str]:
        """These outcomes and all that they name as before them, in order. KeyError where one is gone."""
        if self.is_plain and len(after) == 1:
            return self.order[: self.order.index(after[0]) + 1] if after[0] in self.outcomes else []
        todo, found = list(after), set()
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo += [
                    self.hashes[one] for one in records.before_it(self.outcomes[name]) if one in self.hashes
                ]
        return sorted(found, key=records.parse_id)

    def known(self, names: list[str]) -> dict[str, Reviewer]:
        """What these outcomes say of the members; quickest where one list goes on from the last."""
        if names[: len(self._done)] != self._done:
            self._done, self._known = [], Judging()
        for name in names[len(self._done) :]:
            with contextlib.suppress(OrkestraError):  # it is named as one that does not hold
                self._known.take(self.outcomes[name], self.votes)
        self._done = names
        return self._known.members


class Scales:
    """Holds the weights of recorded votes against project.json and the records that they were opened on."""

    def __init__(self, git: Git, head: str, commits: dict[str, Commit], past: Past, ends: Ends) -> None:
        """commits: of head's history, children first; ends(commit): the newest outcome there, and hashes of
        all others that none there names."""
        self.git, self.head, self.commits, self.past = git, head, commits, past
        self._ends = ends
        self._newest: dict[str, int] = {}
        self._settings: dict[str, Policy] = {}

    def problems(self) -> dict[str, str]:
        """{vote: what is wrong with its weights}, of those that outcomes name and that are weighed."""
        named = self.past.named()
        votes = {name: self.past.votes[name] for name in named}
        if not (
            policy(self.git.blob(f"{self.head}:{SETTINGS}"))
            or any("weighed" in vote or _is_uneven(vote) for vote in votes.values())
        ):
            return {}
        bases = {name: self._base(vote) for name, vote in votes.items()}
        self._read_settings({base for base in bases.values() if base})
        found: dict[str, str] = {}
        # In the order of what was known, so that each goes on from the last.
        for name in sorted(votes, key=lambda one: (len(self._before(votes[one])), records.parse_id(one))):
            try:
                with records.reading(name):
                    problem = self._problem(votes[name], bases[name], named[name])
            except OrkestraError as error:
                problem = error.message
            found |= {name: problem} if problem else {}
        return found

    def _base(self, vote: Record) -> str:
        """The commit that it was opened on, while the history has it."""
        subject = vote.get("subject")
        base = subject.get("base") if isinstance(subject, dict) else None
        return base if isinstance(base, str) and base in self.commits else ""

    def _problem(self, vote: Record, base: str, outcome: str) -> str:
        members = [entry["member"] for entry in vote["electorate"]]
        by: Policy = self._settings[base] if base else LEARNED if "weighed" in vote else {}
        if all(entry["kind"] == "person" for entry in vote["electorate"]):
            by = {}  # who decides alone
        elif not base and "weighed" not in vote:
            return ""  # the commit that says what they weigh is not there any more
        if by != LEARNED:
            if "weighed" in vote:
                return "it weighs by learned weights, which project.json did not ask for when it was opened"
            return _unlike(vote, of(members, by, {}), "project.json gives")
        if "weighed" not in vote:
            return "it has no learned weights, which project.json asked for when it was opened"
        after = vote["weighed"]["after"]
        if not all(one in self.past.outcomes for one in after) or vote["weighed"]["by"] != LEARNED:
            return "it does not say after which records of the branch its weights were learned"
        if any(records.parse_id(one)[1] >= records.parse_id(outcome)[1] for one in after):
            return f"its weights are learned from what came after it: {', '.join(after)}"
        if base and self._at(base) != after:
            return f"other records stood at {base[:12]} than it says its weights were learned from"
        known = self.past.known(self.past.up_to(after))
        return _unlike(vote, of(members, by, known), "the records before it give")

    def _before(self, vote: Record) -> list[str]:
        try:
            return self.past.up_to(vote["weighed"]["after"])
        except (KeyError, TypeError):
            return []

    # --- what stood at a commit ---------------------------------------------------------------------------

    def _read_settings(self, commits: set[str]) -> None:
        """What project.json said at each of these."""
        asked = sorted(commits)
        names = "".join(f"{commit}:{SETTINGS}\n" for commit in asked).encode()
        out = self.git.run("cat-file", "--batch-check=%(objectname)", stdin=names).decode()
        ids = dict(zip(asked, out.splitlines(), strict=True))
        wanted = sorted({one for one in ids.values() if " " not in one})  # else `NAME missing`
        texts = {one: policy(data) for one, _, data in self.git.blobs(wanted)}
        self._settings = {commit: texts.get(one, {}) for commit, one in ids.items()}

    def _at(self, commit: str) -> list[str]:
        if not self.past.is_plain:
            newest, others = self._ends(commit)
            found = [self.past.hashes[one] for one in others] + ([newest] if newest else [])
            return sorted(found, key=records.parse_id)
        if not self._newest:
            self._read_newest()
        return [records.record_id("outcome", self._newest[commit])] if self._newest[commit] else []

    def _read_newest(self) -> None:
        """Of each commit the highest number: where all came in order, all lower ones stood there, too."""
        own: dict[str, int] = {}
        for path, commits in changes.added(self.git, self.head, records.OUTCOMES).items():
            for commit in commits if records.is_record(path) else ():
                own[commit] = max(own.get(commit, 0), records.parse_id(path.rsplit("/", 1)[-1][:-5])[1])
        for name in reversed(self.commits):
            before = [self._newest[parent] for parent in self.commits[name].parents if parent in self._newest]
            self._newest[name] = max([own.get(name, 0), *before])


def _is_uneven(vote: Record) -> bool:
    weights = vote.get("weights")
    return not isinstance(weights, dict) or any(one != ONE for one in weights.values())


def _unlike(vote: Record, weights: dict[str, int], what: str) -> str:
    if vote["weights"] == weights:
        return ""
    wrong = next(
        one for one in sorted({*weights, *vote["weights"]}) if vote["weights"].get(one) != weights.get(one)
    )
    return f"the weight of {wrong} is {vote['weights'].get(wrong)!r}; {what} {weights.get(wrong)!r}"
