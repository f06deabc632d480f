"""The vote on an attempt: who is asked, what they get to see, and what follows from their ballots.

A change that nobody may judge now, since its reviewers' accounts are limited, is kept until they may.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from . import (
    ballots,
    calibration,
    canonical,
    casting,
    committee,
    excerpt,
    files,
    prompts,
    tickets,
    votes,
    wire,
)
from .agents import PERSON
from .electors import Electors, is_agent
from .endings import Endings
from .errors import EX_INTERNAL, EX_LIMITED, EX_LOGIN, OrkestraError
from .evidence import Result
from .excerpt import Excerpt
from .run import Run
from .weighing import Weights
from .work import Reply, Work

_CALIBRATED = 16 << 20  # bytes of a diff that a defect is planted into


class Review:
    """The worker's verbs vote-open and vote-close over a run."""

    def __init__(self, run: Run, endings: Endings) -> None:
        self.run = run
        self.endings = endings
        self.electors = Electors(run)
        self.weights = Weights(run)
        self.programs_alone = False  # the last vote was one of programs: it took a moment

    # --- opening -------------------------------------------------------------------------------------------

    def open(self, work: Work, base: str, tree: str, patch_id: str) -> Reply:
        """Open a vote on exactly this change, or say that an earlier approval stands for the same patch."""
        diff = files.read_bounded(work.folder / "diff.patch", 1 << 30)
        if diff is None:
            raise OrkestraError(EX_INTERNAL, f"{work.folder}/diff.patch is missing")
        work.subject = {
            "base": wire.object_id(base),
            "tree": wire.object_id(tree),
            "patch_id": patch_id[:80],
            "diff_sha256": canonical.sha256(diff),
        }
        stands = votes.standing(self.run, work.task.id, patch_id)
        if stands and work.ballot.get("choice") != "reject":
            return "stands", stands
        if work.ballot:
            return self._by_person(work)
        chosen = self.electors.electorate(work)
        if chosen["waiting"]:
            return self.waits(work, chosen["waiting"])
        work.vote = vote = self._opened(work, chosen)
        work.cast = votes.given(self.run, work.task.id, patch_id, vote["electorate"])
        work.absent, work.second = [], ""
        self.programs_alone = all(entry["kind"] == "program" for entry in vote["electorate"])
        self.run.event("vote-opened", work.task.id, work.number, vote=vote["id"])
        folder = files.make_below(work.folder, votes.FOLDER, vote["id"])
        heard = [ballot["member"] for ballot in work.cast]
        entries = [entry for entry in vote["electorate"] if entry["member"] not in heard]
        self._call(work, folder, entries, diff)
        return "vote", vote["id"], str(folder)

    def _by_person(self, work: Work) -> Reply:
        """A person has voted on the work, if this is the change that they have seen."""
        if work.ballot["patch_id"] != work.subject["patch_id"]:
            why = f"{work.ballot['name']} voted on another change than it is on the branch as it is now"
            return self.endings.person(work, why, casting.ASKS)
        rounds = 1 + self.run.state(work.task.id).revisions
        work.vote, ballot = casting.by_person(self.run, work, self.electors.author(work), rounds)
        work.cast, work.absent, work.second, work.rejected = [ballot], [], "", ballot["choice"] == "reject"
        self.run.event("vote-opened", work.task.id, work.number, vote=work.vote["id"])
        files.make_below(work.folder, votes.FOLDER, work.vote["id"])
        return self._closed(work)

    def _opened(self, work: Work, chosen: dict[str, Any]) -> dict[str, Any]:
        vote = committee.open_vote(
            self.run.ledger.draw_vote(),
            work.task.id,
            work.task.title,
            chosen,
            self.electors.author(work),
            1 + self.run.state(work.task.id).revisions,
            self.run.project.rule,
            dict(work.subject),
            work.evidence,
            work.gates,
        )
        self.weights.fix(vote)
        return vote

    def _call(self, work: Work, folder: Path, entries: list[dict[str, Any]], diff: bytes) -> None:
        """These members are asked next; those that rest are absent."""
        resting = {one["member"]: self.run.resting.why(one["member"]) for one in entries}
        work.absent += [{"member": name, "why": why} for name, why in resting.items() if why]
        run, asked = self.run, [entry for entry in entries if not resting[entry["member"]]]
        work.asked = [entry["member"] for entry in asked]
        if judging := [entry["member"] for entry in asked if is_agent(entry)]:
            run.event("asked", work.task.id, work.number, members=judging)
        shown = excerpt.of(diff if judging else b"", prompts.DIFF_LIMIT)
        if work.vote is not None and (unseen := shown.unseen()):
            work.vote["unseen"] = run.redact.deep(unseen)
        lines = [self._called(work, folder, entry, diff, shown) for entry in asked]
        files.write_plain(folder / "electorate", tickets.nul(lines))

    def _called(self, work: Work, folder: Path, entry: dict[str, Any], diff: bytes, shown: Excerpt) -> str:
        """A line of the electorate for Bash: member, kind, and its program or ticket."""
        member = entry["member"]
        if entry["kind"] == "program":
            return f"{member}\tprogram\t{self.run.here.scripts / 'COMMITTEE' / 'reviewers' / member}"
        return f"{member}\tagent\t{tickets.for_ballot(self.run, work, folder, member, diff, shown)}"

    # --- closing -------------------------------------------------------------------------------------------

    def close(self, work: Work, name: str) -> Reply:
        """Count the ballots of the open vote."""
        if work.vote is None or work.vote["id"] != name:
            raise OrkestraError(EX_INTERNAL, f"the vote {name[:40]!r} is not open")
        run, vote, folder = self.run, work.vote, work.folder / votes.FOLDER / name
        entries = [entry for entry in vote["electorate"] if entry["member"] in work.asked]
        extracts = {one["member"]: run.agents.get(one["member"]).extract for one in entries if is_agent(one)}
        asked = ballots.read(folder, entries, run.redact, extracts)
        shutil.rmtree(work.place.folder / tickets.BALLOTS, ignore_errors=True)
        work.cast += asked.cast
        work.absent += [self.told(work, one, asked.turned.get(one["member"])) for one in asked.absent]
        for entry in entries:
            if is_agent(entry) and entry["member"] not in asked.turned:
                run.agents.answered(entry["member"])
        if vote["kind"] == calibration.KIND:
            self._keep(work, calibration.close_vote(vote, work.cast, work.absent))
            return ("approve",)  # the change without it has been
        unheard = [one["member"] for one in asked.absent]
        if called := self.electors.more(work, vote, unheard, asked.turned):
            self.weights.fix(vote)
            diff = files.read_bounded(work.folder / "diff.patch", 1 << 30) or b""
            self._call(work, folder, called, diff)
            return ("more",)
        return self._closed(work)

    def told(self, work: Work, absent: dict[str, str], turned: tuple[int, Result] | None) -> dict[str, str]:
        """Why a member is absent. What its tool said of its account holds for every run."""
        if turned is None:
            return absent
        member, (code, result), why = absent["member"], turned, absent["why"]
        if code == EX_LIMITED:
            said = self.run.redact(result.error or "limited")
            return {"member": member, "why": self.run.resting.met(member, result, said, work.task.id)[1]}
        self.run.agents.cannot(self.run.agents.get(member), why, whole_account=code == EX_LOGIN)
        return absent

    def _closed(self, work: Work) -> Reply:
        run = self.run
        assert work.vote is not None
        vote = self._keep(work, committee.close_vote(work.vote, work.cast, work.absent))
        resting = [one["member"] for one in vote["absent"] if run.resting.rests(one["member"])]
        if resting and not committee.is_decided(vote):
            missing = max(1, vote["quorum"] - vote["tally"]["present"])
            return self.waits(work, {"for": resting, "missing": min(missing, len(resting))})
        return self._follow(work, vote)

    def _keep(self, work: Work, closed: dict[str, Any]) -> dict[str, Any]:
        """A vote is over; its record."""
        vote: dict[str, Any] = self.run.redact.deep(closed)
        work.vote, work.asked = None, []
        votes.keep(work.folder, vote)
        told = {"vote": vote["id"], "decision": vote["decision"], "patch_id": vote["subject"]["patch_id"]}
        self.run.event("vote-closed", work.task.id, work.number, **told)
        return vote

    def _calibrates(self, work: Work, vote: dict[str, Any]) -> Reply | None:
        """The change is approved; where its vote draws that, a copy with a planted defect is judged, too."""
        diff = files.read_bounded(work.folder / "diff.patch", _CALIBRATED)
        opened = calibration.open_vote(self.run, work, vote, diff) if diff else None
        if opened is None:
            return None
        work.vote, copy = opened
        work.cast, work.absent, work.second = [], [], ""
        self.run.event("vote-opened", work.task.id, work.number, vote=work.vote["id"])
        folder = files.make_below(work.folder, votes.FOLDER, work.vote["id"])
        self._call(work, folder, work.vote["electorate"], copy)
        return "calibrate", work.vote["id"], str(folder), work.vote["subject"]["tree"]

    def waits(self, work: Work, waiting: dict[str, Any]) -> Reply:
        """Nobody decides over the change before somebody of these may be asked; the worker keeps it."""
        work.waiting = waiting
        whys = [why for name in waiting["for"] if (why := self.run.resting.why(name))]
        return "waits", f"for its review: {'; '.join(whys) or 'its reviewers are limited'}"

    def put_off(self, work: Work, commit: str) -> Reply:
        """The change is kept as this commit until its reviewers may be asked. Not an attempt.

        '' for candidates to choose from, each of which is kept already.
        """
        run, waiting = self.run, work.waiting
        run.event(
            "review-put-off",
            work.task.id,
            work.number,
            durable=True,
            commit=wire.object_id(commit) if commit else "",
            author=work.agent,
            reviewers=waiting.get("for", []),
            missing=waiting.get("missing", 1),
        )
        self.endings.put_back(work)
        run.resting.put_off(work.task)
        return ()

    def _follow(self, work: Work, vote: dict[str, Any]) -> Reply:
        """What the decision means for the attempt."""
        decision, why = vote["decision"], vote["why"]
        if decision == "approve":
            return self._calibrates(work, vote) or ("approve",)
        reasons = "\n".join(
            f"- {ballot['choice']}: {ballot['reason']}"
            for ballot in vote["ballots"]
            if ballot["choice"] != "approve"
        )
        if decision == "revise" and work.agent == PERSON:
            return self.endings.person(work, f"{why}\n{reasons}".strip(), casting.ASKS)
        if decision == "revise":
            return self._revise(work, why, reasons)
        if decision == "reject":
            work.verdict, work.detail = why, reasons
            return "reject", f"{why}\n{reasons}".strip()
        missing = "; ".join(f"{one['member']}: {one['why']}" for one in vote["absent"])
        return self.endings.person(work, f"{why} ({missing})" if missing else why, casting.ASKS)

    def _revise(self, work: Work, why: str, reasons: str) -> Reply:
        """The same worker goes on with a new try; not an attempt."""
        run = self.run
        number = run.state(work.task.id).tries + 1
        run.event("revision", work.task.id, number, why=why, detail=reasons)
        work.number, work.folder = number, run.try_folder(work.task.id, number)
        work.evidence, work.gates, work.subject = [], [], {}
        tickets.for_task(run, work)
        return "revise", str(number), run.agents.get(work.agent).revises
