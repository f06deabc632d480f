"""Does everything that the records say hold? Hashes, chain, tallies, and the binding to what landed.

An unsigned chain shows consistency, not authorship: whoever rewrites all of it consistently is found
only against a commit that was pinned elsewhere (`since`). Its rules stand together, in the order of
the checks.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from . import canonical, kinds, records, repo, weighing, witnesses
from . import signatures as signing
from .chain import Chain
from .errors import EX_DATA, OrkestraError
from .findings import Report
from .landed import Landed
from .plumbing import Git

LOOK, REQUIRE = "look", "require"  # at signatures


def verify(repo_path: Path, branch: str, since: str | None = None, signatures: str = "") -> Report:
    """Check every record on a branch of a project. Raises 65 for a project or commit that there is not.

    signatures: of commits: LOOK at those that there are, REQUIRE them (after `since`), or neither.
    """
    git = Git(repo.common_dir(repo_path))
    head = records.head(git, branch, whole=True)
    with ThreadPoolExecutor(1) as beside:  # Git reads the history meanwhile
        history = beside.submit(witnesses.history, git, head)
        check = _Check(git, head)
        check.records()
        check.landings()
        found = check.report.findings
        found += history.result()
    if signatures:
        after = (since or "") if signatures == REQUIRE else ""
        signing.check(repo_path, git, check.landed.history, check.report, signatures == REQUIRE, after)
    found += witnesses.checkout(git, repo_path, branch, check.blobs)
    if since is not None:
        found += witnesses.pinned(git, head, check.tree, since)
    return check.report


class _Check:
    """One verification; each method adds to the report."""

    def __init__(self, git: Git, head: str) -> None:
        self.unlike: dict[str, str] = {}  # by vote, of its weights
        self.git, self.head = git, head
        self.report = Report()
        self.find = self.report.find
        self.tree = git.tree(head, records.VOTES, records.OUTCOMES)
        self.blobs = dict(
            zip(self.tree, (data for _, _, data in git.blobs(b for _, b in self.tree.values())), strict=True)
        )
        self.votes: dict[str, dict[str, Any]] = {}
        self.outcomes: dict[str, dict[str, Any]] = {}
        self.undone: dict[str, str] = {}  # by which outcome
        self.digests: dict[str, str] = {}  # of what can be hashed at all

    def guarded(self, record: str, step: Any, *args: Any) -> None:
        """A record whose fields are not what they should be is a finding, never a traceback."""
        try:
            step(*args)
        except OrkestraError as error:
            self.find(record, error.message)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            self.find(record, records.broken(error))

    # --- each record ----------------------------------------------------------------------------------------

    def records(self) -> None:
        paths = [path for path in self.tree if not path.rsplit("/", 1)[-1].startswith(".")]
        for path in [path for path in paths if not records.is_record(path)]:
            self.find(path, "is no record, or stands in the wrong place")
        known = sorted(
            (records.parse_id(path.rsplit("/", 1)[-1][:-5]), path)
            for path in paths
            if records.is_record(path)
        )
        broken: dict[str, list[str]] = {}
        for (kind, number), path in known:
            name = records.record_id(kind, number)
            try:
                (self.votes if kind == "vote" else self.outcomes)[name] = self._load(path)
            except OrkestraError as error:
                broken[name] = [error.message]
        self.report.counts = {"outcomes": len(self.outcomes), "votes": len(self.votes)}
        with ThreadPoolExecutor(1) as beside:
            landed = beside.submit(Landed, self.git, self.head, self.outcomes, self.report)
            for record in (*self.outcomes.values(), *self.votes.values()):
                broken[record["id"]] = self._form(records.path_of(record["id"]), record)
            self.landed = landed.result()
        commits = self.landed.history.commits
        self.chain = Chain(self.git, self.outcomes, commits, self.report)
        past = weighing.Past(self.outcomes, self.votes)
        scales = weighing.Scales(self.git, self.head, commits, past, self.chain.ends)
        self.unlike = scales.problems()
        self._walk(broken)

    def _load(self, path: str) -> dict[str, Any]:
        if self.tree[path][0] != "100644":
            raise OrkestraError(EX_DATA, f"{path}: is not a plain file")
        return records.load(self.blobs[path], path)

    def _form(self, path: str, record: dict[str, Any]) -> list[str]:
        problems = []
        try:
            if canonical.pretty(record) != self.blobs[path]:
                problems.append(f"{path}: its bytes are not the one form that a record has")
            self.digests[record["id"]] = canonical.digest(record, sound=True)
            if record["format"].startswith("orkestra.outcome/") and (
                record.get("sha256") != self.digests[record["id"]]
            ):
                problems.append(f"{path}: its own hash does not fit its content")
        except OrkestraError as error:
            problems.append(f"{path}: {error.message}")
        return problems

    def _walk(self, broken: dict[str, list[str]]) -> None:
        """Outcomes in order: their own form, their votes, their content; then votes that no outcome names."""
        named: dict[str, str] = {}
        previous: dict[str, Any] | None = None
        everything = sorted(
            {*self.outcomes, *(name for name in broken if name.startswith("outcome-"))}, key=records.parse_id
        )
        for name in everything:
            outcome = self.outcomes.get(name)
            own = broken.pop(name, [])
            for problem in own:
                self.find(name, problem)
            if outcome is not None:
                self.guarded(name, self._its_votes, name, outcome, named, broken, not own)
            if outcome is not None:
                self.guarded(name, self.chain.check, name, outcome, previous)
                self.guarded(name, self._outcome, name, outcome)
                previous = outcome
        for name in sorted(
            {*self.votes, *(name for name in broken if name.startswith("vote-"))}, key=records.parse_id
        ):
            for problem in broken.pop(name, []):
                self.find(name, problem)
            if name not in named:
                self.find(name, "no outcome names this vote")

    def _its_votes(
        self,
        name: str,
        outcome: dict[str, Any],
        named: dict[str, str],
        broken: dict[str, list[str]],
        sound: bool,
    ) -> None:
        for entry in outcome["votes"]:
            vote_id = entry["id"]
            for problem in broken.pop(vote_id, []):
                self.find(vote_id, problem)
            vote = self.votes.get(vote_id)
            if vote is None:
                there = records.path_of(vote_id) in self.tree
                self.find(name, f"it names {vote_id}, which {'cannot be read' if there else 'is not there'}")
                continue
            if vote_id in named:
                self.find(vote_id, f"two outcomes name it: {named[vote_id]} and {name}")
            named[vote_id] = name
            if entry["sha256"] != self.digests.get(vote_id):
                # An outcome that does not hold by itself is no witness against its votes.
                words = (vote_id, f"its hash is not the one in {name}")
                self.find(*(words if sound else (name, f"the hash it gives of {vote_id} is not that vote's")))
            if vote["task"] != outcome["task"]:
                self.find(vote_id, f"it is about the task {vote['task']!r}, {name} about {outcome['task']!r}")
            self.guarded(vote_id, self._vote, vote_id, vote)

    def _vote(self, name: str, vote: dict[str, Any]) -> None:
        if name in self.unlike:
            self.find(name, self.unlike[name])
        for problem in kinds.problems(vote, self.votes):
            self.find(name, problem)

    # --- outcomes -------------------------------------------------------------------------------------------

    def _outcome(self, name: str, outcome: dict[str, Any]) -> None:
        if outcome["decision"] not in records.STATUS:
            self.find(name, f"its decision {outcome['decision']!r} is none that there is")
        if outcome["decision"] == "undone":
            self._undone(name, outcome)
            return
        if "answer" in outcome:
            self._answered(name, outcome)
        if outcome["decision"] == "planned":
            self._planned(name, outcome)
        if outcome["decision"] != "landed":
            if "change" in outcome:
                self.find(name, f"it is {outcome['decision']}, and yet names a change")
            return
        change = outcome["change"]
        for item in outcome["evidence"]:
            if item["exit"] != 0:
                self.find(name, f"it landed although the check ended with {item['exit']}")
            if item["tree"] != change["tree"]:
                self.find(name, "its check ran on another tree than the one that landed")
        for gate in outcome["gates"]:
            if gate["passed"] is not True:
                self.find(name, f"it landed although the gate {gate['gate']} refused it")
        self.landed.check(name, change)
        self._approved(name, outcome, change)

    def _answered(self, name: str, outcome: dict[str, Any]) -> None:
        """What a question came to is what its members decided in the last vote on it."""
        held = [vote for entry in outcome["votes"] if (vote := self.votes.get(entry["id"])) is not None]
        if not held or held[-1]["decision"] != outcome["answer"] or outcome["decision"] != "answered":
            self.find(name, f"its answer {outcome['answer']!r} is not what its members decided")

    def _planned(self, name: str, outcome: dict[str, Any]) -> None:
        """A person took one of the lists that were voted on for this plan, or none of them."""
        word = outcome["planned"]
        vote = self.votes.get(word["vote"]) or {}
        options = [one["option"] for one in vote.get("lists", ())]
        meant = vote.get("kind") == "plan" and vote.get("task") == outcome["task"]
        if not meant or word["option"] not in ("", *options):
            self.find(name, f"{word['option']!r} of {word['vote']} is no list that was voted on for it")
        if not all(isinstance(outcome["by"][key], str) and outcome["by"][key] for key in ("name", "email")):
            self.find(name, "it does not say who took it")

    def _undone(self, name: str, outcome: dict[str, Any]) -> None:
        """A person took a landing back: no vote, and nothing but its reverse."""
        of, change = outcome["undoes"], outcome["change"]
        undone = self.outcomes.get(of)
        if not all(isinstance(outcome["by"][key], str) and outcome["by"][key] for key in ("name", "email")):
            self.find(name, "it does not say who undid it")
        for item in outcome["evidence"]:
            if item["exit"] != 0 and outcome.get("anyway") is not True:
                self.find(name, f"it landed although the check ended with {item['exit']}")
            if item["tree"] != change["tree"]:
                self.find(name, "its check ran on another tree than the one that landed")
        self.landed.check(name, change)
        if undone is None or undone["decision"] != "landed" or undone["task"] != outcome["task"]:
            self.find(name, f"it undoes {of!r}, which is no landing of {outcome['task']!r}")
            return
        if records.parse_id(of)[1] >= records.parse_id(name)[1]:
            self.find(name, f"it undoes {of}, which landed after it")
        if self.undone.setdefault(of, name) != name:
            self.find(name, f"{of} was undone already, by {self.undone[of]}")
        if not self.landed.is_reverse(name, change, of, undone["change"]):
            self.find(name, f"its change is not the reverse of what landed as {of}")

    def _approved(self, name: str, outcome: dict[str, Any], change: dict[str, Any]) -> None:
        patch = self.landed.patch_id(change)
        held = [vote for entry in outcome["votes"] if (vote := self.votes.get(entry["id"])) is not None]
        approving = [vote for vote in held if kinds.accepted(vote)]
        fitting = [
            vote
            for vote in approving
            for subject in kinds.accepted(vote)
            if subject["diff_sha256"] == change["diff_sha256"]
            or (patch not in ("", "-") and subject["patch_id"] == patch)
        ]
        if not fitting:
            self.find(
                name,
                "it landed without an approving vote on exactly this change"
                if not approving
                else "its approving vote was on another change than the one that landed",
            )
        elif outcome["reviewed_by"] not in [vote["reviewed_by"] for vote in fitting]:
            self.find(name, f"it says it was reviewed by {outcome['reviewed_by']!r}; the vote says otherwise")

    # --- around the records ---------------------------------------------------------------------------------

    def landings(self) -> None:
        """Every commit that says by which outcome it landed: the branch holds that outcome."""
        for name, commits in sorted(self.landed.history.by_outcome.items()):
            if len(name) < 40 and records.path_of(name) not in self.tree:
                self.find(name, f"commit {commits[-1][:12]} says that it landed by it, and it is not there")
