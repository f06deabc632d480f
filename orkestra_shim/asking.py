"""A question to the committee: its rounds, what each member gets to see, what follows from the ballots.

First each member may propose options, then all vote, and where it is wanted they vote once more, each with
the reasons of all before it and without names. Nobody sees what another has said before a round is over.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from . import ballots, files, polls, prompts, questions, ranking, tickets, votes, wire
from .agents import Agent
from .assigning import Assigning
from .endings import Endings
from .errors import EX_INTERNAL, OrkestraError
from .questions import Question
from .resting import words
from .review import Review
from .run import Run
from .work import Reply, Work

PROPOSE, VOTE, DISCUSS = "propose", "vote", "discuss"


class Asking:
    """The worker's verbs ask-open and ask-close over a run."""

    def __init__(self, run: Run, review: Review, endings: Endings) -> None:
        self.run = run
        self.review = review
        self.endings = endings

    def _question(self, work: Work) -> Question:
        if not work.task.asks:
            return Assigning(self.run, work.task)
        question = questions.of(work.task)
        if question is None:
            raise OrkestraError(EX_INTERNAL, f"{work.task.id} is no question")
        return question

    # --- opening -------------------------------------------------------------------------------------------

    def open(self, work: Work, base: str, tree: str) -> Reply:
        """Put the question to its members, who see the branch as it is at `base`."""
        run, question = self.run, self._question(work)
        members = questions.voters(run, _heap(question))
        options = {} if question.proposes else question.options()
        if not members or (not work.task.asks and len(options) < 2):  # since it was given out
            why = "for agents that can work"
            self.endings.released(work, why)
            return "waits", why
        work.vote = run.redact.deep(
            polls.open_poll(
                run.ledger.draw_vote(),
                question.kind,
                work.task.id,
                question.text,
                [_entry(one) for one in members],
                options,
                method=question.method,
                default=question.default,
                subject={"base": wire.object_id(base), "tree": wire.object_id(tree)},
                evidence=[],
                gates=[],
            )
        )
        work.cast, work.absent, work.tries = [], [], 0
        work.stage = PROPOSE if question.proposes else VOTE
        run.event("vote-opened", work.task.id, work.number, vote=work.vote["id"])
        self._call(work, [one.name for one in members])
        return ("vote", work.vote["id"], str(_folder(work))) if work.asked else self._closed(work)

    def _call(self, work: Work, names: list[str]) -> None:
        """These members are asked next; those that cannot be are absent. Tickets hold what each may see."""
        run, folder = self.run, _folder(work)
        missing = {name: why for name in names if (why := self._missing(name))}
        work.absent += [{"member": name, "why": why} for name, why in missing.items()]
        work.asked = [name for name in names if name not in missing]
        if work.asked:
            run.event("asked", work.task.id, work.number, members=work.asked)
        lines = [f"{name}\tagent\t{self._ticket(work, folder, name)}" for name in work.asked]
        files.write_plain(folder / "electorate", tickets.nul(lines))

    def _missing(self, name: str) -> str:
        run = self.run
        if (limit := run.agents.limited(name)) is not None:
            return words(limit)
        agent = run.agents.get(name)
        if name in run.pauses.now.agents:
            return "paused by a person"
        return agent.problem or ("" if "ballot" in agent.can else "it cannot give a ballot")

    def _ticket(self, work: Work, folder: Path, member: str) -> Path:
        vote, question = work.vote, self._question(work)
        assert vote is not None
        if work.stage == PROPOSE:
            prompt, schema = question.proposal(self.run, work.refused.get(member, ""))
        else:
            paper = polls.paper(vote, member)
            views = _views(vote, paper) if work.stage == DISCUSS else ()
            values = prompts.poll_values(question.intro, question.shown, paper, polls.texts(vote), views)
            prompt, schema = prompts.render(prompts.POLL, values), paper.schema()
        return tickets.for_member(self.run, work, folder, member, self.run.redact(prompt), schema)

    # --- closing -------------------------------------------------------------------------------------------

    def close(self, work: Work, name: str) -> Reply:
        """A round is over: the next one, or the count."""
        if work.vote is None or work.vote["id"] != name:
            raise OrkestraError(EX_INTERNAL, f"the vote {name[:40]!r} is not open")
        asked = self._heard(work)
        after = {PROPOSE: self._proposed, VOTE: self._voted, DISCUSS: self._discussed}[work.stage]
        return after(work, asked)

    def _heard(self, work: Work) -> ballots.Asked:
        """What the members of this round said; what their tools left makes room for the next round."""
        run, vote, folder = self.run, work.vote, _folder(work)
        assert vote is not None
        entries = [one for one in vote["electorate"] if one["member"] in work.asked]
        extracts = {name: run.agents.get(name).extract for name in work.asked}

        def judge(member: str, answer: Any) -> dict[str, Any] | str:
            if work.stage == PROPOSE:
                return self._question(work).read_proposal(run, run.redact.deep(answer))
            return polls.paper(vote, member).read(answer)

        key = self._question(work).key if work.stage == PROPOSE else polls.form(vote.get("method", ""))
        asked = ballots.read(folder, entries, run.redact, extracts, judge, key)
        exits = ballots.exits(folder)  # whose tool has failed has said nothing that could be mended
        work.refused = {
            one["member"]: one["why"]
            for one in asked.absent
            if exits.get(one["member"]) == 0 and one["member"] not in asked.turned
        }
        shutil.rmtree(work.place.folder / tickets.BALLOTS, ignore_errors=True)
        for name in work.asked:
            if name not in asked.turned:
                run.agents.answered(name)
        for one in asked.absent:
            one["why"] = self.review.told(work, one, asked.turned.get(one["member"]))["why"]
        _put_away(folder, f"{work.stage}-{work.tries}" if work.tries else work.stage)
        return asked

    def _proposed(self, work: Work, asked: ballots.Asked) -> Reply:
        vote, question = work.vote, self._question(work)
        assert vote is not None
        work.tries += 1
        vote["proposals"] = vote.get("proposals", []) + asked.cast
        again = list(work.refused) if work.tries < question.tries else []
        vote["unproposed"] = vote.get("unproposed", []) + [
            one for one in asked.absent if one["member"] not in again
        ]
        if again:
            self._call(work, again)
            if work.asked:
                return ("more",)
        vote["unproposed"] = vote["unproposed"] + work.absent
        work.absent, work.tries = [], 0
        proposals = [(one["member"], one) for one in vote["proposals"]]
        options = question.proposed(proposals)
        vote |= {"options": list(options), **polls.with_texts(options), **question.recorded(proposals)}
        members = [one["member"] for one in vote["electorate"]]
        if len(options) < 2:
            return self._closed(work, members)
        work.stage = VOTE
        self._call(work, members)
        return ("more",) if work.asked else self._closed(work)

    def _voted(self, work: Work, asked: ballots.Asked) -> Reply:
        vote = work.vote
        assert vote is not None
        work.cast += asked.cast
        work.absent += asked.absent
        if not self._question(work).discusses or len(work.cast) < vote["quorum"] or len(work.cast) < 2:
            return self._closed(work)
        vote["before"], work.stage = list(work.cast), DISCUSS
        absent, work.absent = work.absent, []
        self._call(work, [one["member"] for one in work.cast])
        vote["unchanged"], work.absent = work.absent, absent
        return ("more",) if work.asked else self._closed(work)

    def _discussed(self, work: Work, asked: ballots.Asked) -> Reply:
        """The second ballot counts; who gave no valid one stays with the first."""
        vote = work.vote
        assert vote is not None
        vote["round"] = 2
        vote["unchanged"] = [*vote["unchanged"], *asked.absent]
        second = {one["member"]: one for one in asked.cast}
        work.cast = [second.get(one["member"], one) for one in work.cast]
        return self._closed(work)

    def _closed(self, work: Work, nobody: list[str] | None = None) -> Reply:
        """The vote is counted. `nobody`: its members, where there was nothing to vote on."""
        run = self.run
        assert work.vote is not None
        if nobody is not None:
            work.absent = [{"member": name, "why": "nothing was proposed to vote on"} for name in nobody]
        if (
            "method" in work.vote and not work.vote["options"]
        ):  # what has no option is no vote, and is not recorded
            vote = {**work.vote, "decision": polls.NO_QUORUM, "why": "no quorum", "absent": work.absent}
            work.vote, work.asked = None, []
        else:
            vote = run.redact.deep(polls.close_poll(work.vote, work.cast, work.absent))
            work.vote, work.asked = None, []
            votes.keep(work.folder, vote)
            told = {"vote": vote["id"], "decision": vote["decision"], "patch_id": ""}
            run.event("vote-closed", work.task.id, work.number, **told)
        if not work.task.asks:
            return self._assigned(work, vote)
        if vote["decision"] != polls.NO_QUORUM:
            return self._answered(work, vote)
        limits = [limit for one in vote["electorate"] if (limit := run.agents.limited(one["member"]))]
        # Where so many as are needed could be asked at once, and were, that would come to the same.
        if limits and not questions.has_quorum(run, _heap(self._question(work))):
            why = f"for its members: {'; '.join(map(words, limits))}"
            self.endings.released(work, why)
            return "waits", why
        missing = "; ".join(f"{one['member']}: {one['why']}" for one in vote["absent"])
        why = f"{vote['why']} ({missing})" if missing else vote["why"]
        return self.endings.person(work, f"{why}; {self._question(work).unknown}")

    def _assigned(self, work: Work, vote: dict[str, Any]) -> Reply:
        """The task is given out anew: to the agent that was voted for, where it was decided."""
        decided = vote["decision"] != polls.NO_QUORUM
        agent = vote["decision"] if decided else ""
        told = {"agent": agent, "vote": vote["id"], "why": vote["why"]}
        self.run.event("assigned", work.task.id, work.number, **told)
        self.endings.put_back(work)
        return "assigned", f"{agent or 'by rule'}: {vote['why']}"

    def _answered(self, work: Work, vote: dict[str, Any]) -> Reply:
        decision, why, more = self._question(work).decided(vote)
        self.endings.draft(work, decision, why, more)
        return decision, why


def _heap(question: Question) -> str:
    return " ".join([questions.ASKED, *question.members])


def _folder(work: Work) -> Path:
    assert work.vote is not None
    return files.make_below(work.folder, votes.FOLDER, work.vote["id"])


def _entry(agent: Agent) -> dict[str, str]:
    told = {"member": agent.name, "kind": "ai", "family": agent.family}
    return told | ({"model": agent.model} if agent.model else {})


def _views(vote: dict[str, Any], paper: ranking.Paper) -> list[dict[str, str]]:
    """The ballots of the round before as one member sees them, in an order that tells nothing."""
    shown = [{"vote": paper.in_letters(one), "reason": str(one["reason"])} for one in vote["before"]]
    drawn = ranking.order([str(at) for at in range(len(shown))], vote["seed"], "\0".join(paper.options))
    return [shown[int(at)] for at in drawn]


def _put_away(folder: Path, name: str) -> None:
    """What the members of a round left goes into a folder of its own."""
    place = files.make_below(folder, f"round-{name}")
    for one in list(folder.iterdir()):
        if one != place and one.name not in (votes.FILE, "electorate") and not one.name.startswith("round-"):
            one.rename(place / one.name)
