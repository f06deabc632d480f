"""The vote on an attempt: who is asked, what they get to see, and what follows from their ballots."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from . import ballots, canonical, committee, files, tickets, votes, wire
from .agents import Agent
from .endings import Endings
from .errors import EX_INTERNAL, OrkestraError
from .run import Run
from .work import Reply, Work

_DIFF_LIMIT = 64 << 20  # bytes of a diff that are looked at to say who votes


class Review:
    """The worker's verbs vote-open and vote-close over a run."""

    def __init__(self, run: Run, endings: Endings) -> None:
        self.run = run
        self.endings = endings
        self.programs_alone = False  # the last vote was one of programs: it took a moment

    # --- who votes -----------------------------------------------------------------------------------------

    def electorate(self, work: Work) -> dict[str, Any]:
        """Members, recused, quorum and weights for this attempt, as electorate.jq says."""
        diff = files.read_bounded(work.folder / "diff.patch", _DIFF_LIMIT) or b""
        return committee.electorate(
            {
                "author": self._author(work),
                "reviewers": self.run.project.reviewers,
                "agents": [_member(agent) for agent in self._able()],
                "programs": list(committee.PROGRAMS),
                "changed_lines": committee.changed_lines(diff),
                "marked": any(gate["marked"] for gate in work.gates),
            }
        )

    def can_pass_marked(self, work: Work) -> bool:
        """Whether somebody votes who may pass a change of what judges it: no program, another family."""
        family = self.run.agents.get(work.agent).family
        return any(
            entry["kind"] != "program" and entry["family"] != family
            for entry in self.electorate(work)["electorate"]
        )

    def _author(self, work: Work) -> dict[str, str]:
        return {"member": work.agent, "family": self.run.agents.get(work.agent).family}

    def _able(self) -> list[Agent]:
        """The agents that the project names and that can give a ballot now."""
        project = self.run.project
        named = project.reviewers if isinstance(project.reviewers, list) else []
        agents = [
            self.run.agents.get(name)
            for name in dict.fromkeys([*project.agents, *named])
            if name not in committee.PROGRAMS
        ]
        return [one for one in agents if not one.problem and "ballot" in one.can and one.kind == "ai"]

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
        if stands:
            return "stands", stands
        work.vote = vote = self._opened(work)
        self.programs_alone = all(entry["kind"] == "program" for entry in vote["electorate"])
        self.run.event("vote-opened", work.task.id, work.number, vote=vote["id"])
        folder = files.make_below(work.folder, votes.FOLDER, vote["id"])
        members = [self._called(work, folder, entry, diff) for entry in vote["electorate"]]
        files.write_plain(folder / "electorate", tickets.nul(members))
        return "vote", vote["id"], str(folder)

    def _opened(self, work: Work) -> dict[str, Any]:
        return committee.open_vote(
            self.run.ledger.draw_vote(),
            work.task.id,
            work.task.title,
            self.electorate(work),
            self._author(work),
            1 + self.run.state(work.task.id).revisions,
            self.run.project.rule,
            dict(work.subject),
            work.evidence,
            work.gates,
        )

    def _called(self, work: Work, folder: Path, entry: dict[str, Any], diff: bytes) -> str:
        """A line of the electorate for Bash: member, kind, and its program or ticket."""
        member = entry["member"]
        if entry["kind"] == "program":
            return f"{member}\tprogram\t{self.run.here.scripts / 'COMMITTEE' / 'reviewers' / member}"
        return f"{member}\tagent\t{tickets.for_ballot(self.run, work, folder, member, diff)}"

    # --- closing -------------------------------------------------------------------------------------------

    def close(self, work: Work, name: str) -> Reply:
        """Count the ballots of the open vote."""
        if work.vote is None or work.vote["id"] != name:
            raise OrkestraError(EX_INTERNAL, f"the vote {name[:40]!r} is not open")
        run, folder = self.run, work.folder / votes.FOLDER / name
        agents = [entry["member"] for entry in work.vote["electorate"] if entry["kind"] != "program"]
        extracts = {member: run.agents.get(member).extract for member in agents}
        cast, absent = ballots.read(folder, work.vote, run.redact, extracts)
        shutil.rmtree(work.place.folder / tickets.BALLOTS, ignore_errors=True)
        vote = run.redact.deep(committee.close_vote(work.vote, cast, absent))
        work.vote = None
        votes.keep(work.folder, vote)
        run.event(
            "vote-closed",
            work.task.id,
            work.number,
            vote=name,
            decision=vote["decision"],
            patch_id=vote["subject"]["patch_id"],
        )
        return self._follow(work, vote)

    def _follow(self, work: Work, vote: dict[str, Any]) -> Reply:
        """What the decision means for the attempt."""
        decision, why = vote["decision"], vote["why"]
        if decision == "approve":
            return ("approve",)
        reasons = "\n".join(
            f"- {ballot['choice']}: {ballot['reason']}"
            for ballot in vote["ballots"]
            if ballot["choice"] != "approve"
        )
        if decision == "revise":
            return self._revise(work, why, reasons)
        if decision == "reject":
            work.verdict, work.detail = why, reasons
            return "reject", f"{why}\n{reasons}".strip()
        missing = "; ".join(f"{one['member']}: {one['why']}" for one in vote["absent"])
        return self.endings.person(work, f"{why} ({missing})" if missing else why)

    def _revise(self, work: Work, why: str, reasons: str) -> Reply:
        """The same worker goes on with a new try; not an attempt."""
        run = self.run
        number = run.state(work.task.id).tries + 1
        run.event("revision", work.task.id, number, why=why, detail=reasons)
        work.number, work.folder = number, run.try_folder(work.task.id, number)
        work.evidence, work.gates, work.subject = [], [], {}
        tickets.for_task(run, work)
        return "revise", str(number), run.agents.get(work.agent).revises


def _member(agent: Agent) -> dict[str, str]:
    told = {"member": agent.name, "family": agent.family, "kind": agent.kind}
    return {**told, "model": agent.model} if agent.model else told
