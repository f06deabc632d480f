"""What a run remembers of one task, built from the execution log's events, live and at the next start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from . import records


@dataclass
class TaskState:
    """Tries are all tries; failures are those that count toward max_attempts."""

    tries: int = 0
    failures: int = 0
    revisions: int = 0
    conflicts: int = 0
    losses: int = 0  # jobs on other machines that were lost one after the other
    died: int = 0  # those of them that had begun
    why: str = ""  # why the last try was not taken
    detail: str = ""  # the evidence of it
    previous: int = 0  # the try whose diff is handed over after a conflict
    kept: str = ""  # commit from which finished work is resumed
    author: str = ""  # the agent whose work that is
    reviewers: list[str] = field(default_factory=list)  # that it waits for, since they are limited
    missing: int = 0  # so many of them
    waits: str = ""  # what a person has to move out of the way first
    votes: list[dict[str, Any]] = field(default_factory=list)
    doers: dict[int, str] = field(default_factory=dict)  # by try: its agent; none where work was only judged
    at_work: dict[int, str] = field(default_factory=dict)  # by try: who was started and has not ended
    rivals: set[int] = field(default_factory=set)  # tries that are candidates of the round that goes on
    passed: dict[int, dict[str, Any]] = field(default_factory=dict)  # those that the committee may choose
    out: dict[int, dict[str, Any]] = field(default_factory=dict)  # those that may not be, and why
    finds: dict[int, int] = field(default_factory=dict)  # by candidate: how many follow-ups it left
    chosen: int = 0  # the candidate that was, until its change has landed or failed after all
    judging: list[str] = field(default_factory=list)  # agents whose ballots are asked for just now
    failed_by: tuple[str, ...] = ()  # who has, one for each failure
    assigned: tuple[str, str] | None = None  # (the agent that members voted for, '' for none; the vote)
    cost: dict[str, int] = field(default_factory=lambda: {"usd_micros": 0, "tokens": 0, "seconds": 0})
    draft: dict[str, Any] | None = None  # an outcome without a change that no record holds yet
    retried: int = 0  # how often a person had put the task back to work when that was decided
    proposal: dict[str, Any] | None = None  # a change that waits for the merge of its pull request
    proposals: int = 0  # all that there ever were: each has a branch of its own
    found: tuple[int, str] | None = None  # the try that left follow-ups last, and its agent
    owed: list[tuple[int, str]] = field(default_factory=list)  # completed ones whose follow-ups are to come

    def apply(self, event: dict[str, Any]) -> None:
        """Take in one event about this task. Unknown events are passed over."""
        handler = getattr(self, "_" + str(event.get("event")).replace("-", "_"), None)
        if isinstance(event.get("try"), int):
            self.tries = max(self.tries, event["try"])
        if handler is not None:
            handler(event)

    def _told(self, event: dict[str, Any]) -> None:
        self.why, self.detail = str(event.get("why", "")), str(event.get("detail", ""))

    def _claimed(self, event: dict[str, Any]) -> None:
        number, agent, mode = int(event.get("try", 0)), str(event.get("agent", "")), event.get("mode")
        if mode not in ("resume", "choose", "ask"):
            self.kept, self.author = "", agent
            self.doers[number] = agent
        if mode == "candidate":
            self.rivals.add(number)
        self.waits, self.reviewers = "", []

    def _based(self, event: dict[str, Any]) -> None:
        number = int(event.get("try", 0))
        if agent := self.doers.pop(number, ""):
            self.at_work[number] = agent

    def _lost(self, event: dict[str, Any]) -> None:
        self.losses += 1
        self.died += bool(event.get("begun"))
        self._spent(event)
        self.kept = str(event.get("commit", ""))

    def _worked(self, event: dict[str, Any]) -> None:
        self.losses = self.died = 0
        number = int(event.get("try", 0))
        if number in self.rivals:
            self.finds[number] = int(event.get("follow_ups", 0))
        elif isinstance(left := event.get("follow_ups"), int):
            self.found = (int(event.get("try", 0)), str(event.get("agent"))) if left else None
        self._spent(event)

    def _asked(self, event: dict[str, Any]) -> None:
        self.judging = [str(name) for name in event.get("members") or []]

    def _balloted(self, event: dict[str, Any]) -> None:
        self.judging = [name for name in self.judging if name != event.get("agent")]
        self._spent(event)

    def _interrupted(self, event: dict[str, Any]) -> None:
        self.judging = []
        self._spent(event)

    def _released(self, event: dict[str, Any]) -> None:
        self.at_work.pop(int(event.get("try", 0)), None)

    def _spent(self, event: dict[str, Any]) -> None:
        if event["event"] != "balloted":
            self.at_work.pop(int(event.get("try", 0)), None)
        for key in ("usd_micros", "tokens", "seconds", "notional_usd_micros"):
            if isinstance(event.get(key), int):
                self.cost[key] = self.cost.get(key, 0) + event[key]
        if event.get("basis") == "unknown":
            self.cost["unknown"] = self.cost.get("unknown", 0) + 1

    def _checked(self, event: dict[str, Any]) -> None:
        self.losses = self.died = 0
        if isinstance(event.get("seconds"), int):
            self.cost["seconds"] += event["seconds"]

    def _attempt_failed(self, event: dict[str, Any]) -> None:
        self.failures += 1
        round_of = [str(one.get("agent")) for one in (*self.passed.values(), *self.out.values())]
        self.failed_by = (*self.failed_by, *(round_of or [self.author]))
        self.kept, self.previous, self.found = "", 0, None
        self._afresh()
        self._told(event)

    def _afresh(self) -> None:
        """Nobody is at it, and no candidate of it is there."""
        self.at_work, self.doers, self.rivals = {}, {}, set()
        self.passed, self.out, self.finds, self.chosen = {}, {}, {}, 0

    def is_full(self, count: int) -> bool:
        """Whether all of so many candidates have passed, or are out."""
        tried = len(self.passed) + len(self.out)
        return tried > 0 and tried >= count

    def _assigned(self, event: dict[str, Any]) -> None:
        self.assigned = str(event.get("agent")), str(event.get("vote"))

    def _candidate(self, event: dict[str, Any]) -> None:
        self.passed[int(event["try"])] = event

    def _candidate_out(self, event: dict[str, Any]) -> None:
        self.at_work.pop(int(event["try"]), None)
        self.passed.pop(int(event["try"]), None)
        self.out[int(event["try"])] = event

    def _chosen(self, event: dict[str, Any]) -> None:
        number, agent = int(event["attempt"]), str(event["agent"])
        self.found = (number, agent) if self.finds.get(number) else None
        self._afresh()
        self.chosen, self.kept, self.author = number, str(event["commit"]), agent

    def _follow_ups(self, event: dict[str, Any]) -> None:
        done = event.get("try")
        self.owed = [one for one in self.owed if one[0] != done]
        self.found = None if self.found and self.found[0] == done else self.found

    _follow_ups_refused = _follow_ups

    def _revision(self, event: dict[str, Any]) -> None:
        self.revisions += 1
        self.kept, self.previous, self.at_work = "", 0, {int(event.get("try", 0)): self.author}
        self._told(event)

    def _conflict(self, event: dict[str, Any]) -> None:
        self.conflicts += 1
        self.kept, self.at_work = "", {}
        self.previous = int(event.get("previous") or event.get("try", 0))
        self.chosen = -1 if self.chosen else 0  # it is another change from here on
        self._told(event)

    def _held(self, event: dict[str, Any]) -> None:
        self.kept, self.waits = str(event.get("commit", "")), str(event.get("paths", ""))

    def _kept_for_votes(self, event: dict[str, Any]) -> None:
        self.kept = str(event.get("commit", ""))

    def _review_put_off(self, event: dict[str, Any]) -> None:
        names, missing = event.get("reviewers"), event.get("missing")
        self.kept, self.author = str(event.get("commit", "")), str(event.get("author", ""))
        self.reviewers = [str(name) for name in names] if isinstance(names, list) else []
        self.missing = missing if isinstance(missing, int) and missing > 0 else 1

    def _vote_closed(self, event: dict[str, Any]) -> None:
        self.judging = []
        self.votes.append({key: event.get(key) for key in ("vote", "try", "decision", "patch_id")})

    def _outcome_drafted(self, event: dict[str, Any]) -> None:
        self.at_work = {}
        self.draft, self.retried = event.get("draft"), int(event.get("retried", 0))
        if self.draft and self.draft.get("decision") == "answered":
            self.owe()

    def stale(self, raw: dict[str, Any]) -> bool:
        """Whether a person has put the task back to work since it was decided."""
        return self.draft is not None and self.retried < int(raw.get("retried", 0))

    def is_before(self, raw: dict[str, Any]) -> bool:
        """Whether a person has handed in work of their own since the last try of which this knows."""
        return int(raw.get("submitted", 0)) > self.tries

    def _proposed(self, event: dict[str, Any]) -> None:
        found = self.found
        self._settle(event)
        self.found = found
        self.proposals += 1
        self.proposal = {key: event.get(key) for key in ("outcome", "commit", "branch", "riders")}

    def _pr_renamed(self, event: dict[str, Any]) -> None:
        self.proposals += 1
        self._tell_proposal(branch=event.get("branch"))

    def _pr_opened(self, event: dict[str, Any]) -> None:
        self._tell_proposal(url=str(event.get("url", "")), problem="")

    def _pr_problem(self, event: dict[str, Any]) -> None:
        self._tell_proposal(problem=str(event.get("why", "")))

    def _pr_closed(self, event: dict[str, Any]) -> None:
        self._tell_proposal(closed=True, problem="")

    def _tell_proposal(self, **told: Any) -> None:
        if self.proposal is not None:
            self.proposal |= told

    def waiting(self, raw: dict[str, Any]) -> tuple[str, str, str] | None:
        """(status, reason, outcome) by what no record on the branch says yet; None where there is nothing.

        A person who puts the task back to work names that outcome.
        """
        found: tuple[str, str, str] | None = None
        if self.draft and self.draft.get("id"):
            draft = self.draft
            found = *records.decided(raw, draft), str(draft["id"])
        elif self.proposal:
            found = "needs_human", proposal_reason(self.proposal), str(self.proposal["outcome"])
            if raw.get("status") == "cancelled":
                found = "cancelled", str(raw.get("reason") or ""), found[2]
        return None if found is None or records.is_reopened(raw, {"id": found[2]}) else found

    def _settle(self, event: dict[str, Any]) -> None:
        self.__init__(tries=self.tries, proposals=self.proposals, owed=self.owed)  # type: ignore[misc]

    def _reopened(self, event: dict[str, Any]) -> None:
        votes, found = (self.votes, self.found) if event.get("ballot") else ([], None)
        self._settle(event)
        self.votes, self.found = votes, found

    def owe(self) -> None:
        """It is completed: what was found on the way is to be proposed."""
        self.owed += [self.found] if self.found else []
        self.found = None

    def _landed(self, event: dict[str, Any]) -> None:
        self.owe()
        self._settle(event)

    def _recorded(self, event: dict[str, Any]) -> None:
        if event.get("decision") == "landed":
            self.owe()
        found = self.found if event.get("decision") == "needs_human" else None
        self._settle(event)
        self.found = found

    def completed(self, outcome: dict[str, Any] | None) -> TaskState:
        """The same once the branch holds this outcome, of which the log may not tell."""
        if outcome and outcome.get("decision") == "landed" and outcome.get("attempt") == self.tries:
            self.owe()
        return TaskState(tries=self.tries, proposals=self.proposals, owed=self.owed)


def proposal_reason(proposal: dict[str, Any]) -> str:
    """What a person is told of a change that is not on the branch."""
    url, problem = proposal.get("url"), proposal.get("problem")
    more = f" ({problem})" if problem else ""
    if not url:
        return f"its pull request is not open yet{more}"
    if proposal.get("closed"):
        return f"{url} was closed without merging; orkestra task retry makes a new attempt"
    return f"waits for the merge of {url}{more}"
