"""The choice among a task's candidates: who ranks them, what each member gets to see, and what follows.

A change that is chosen goes on like kept work: it is brought onto the branch as it is by then, checked there
and landed. Where none is, the attempt has failed with the members' reasons. Programs that may vote where no
AI sits have judged each candidate while it was in its workspace (candidates.Rounds.judges).
"""

from __future__ import annotations

import shutil
from pathlib import Path

from . import (
    ballots,
    candidates,
    canonical,
    changes,
    choices,
    excerpt,
    files,
    polls,
    prompts,
    tickets,
    votes,
    wire,
)
from .choices import Record
from .electors import is_agent
from .endings import Endings
from .errors import EX_INTERNAL, OrkestraError
from .excerpt import Excerpt
from .journal import now
from .review import Review
from .run import Run
from .work import Reply, Work

_INTRO = (
    "Each option but one is a change that somebody made for the task that is the question; `none of these` "
    "is the better answer where each of them is wrong, unsafe, or not what was asked."
)


class Choosing:
    """The worker's verbs vote-open and vote-close over a run, where it is to choose."""

    def __init__(self, run: Run, review: Review, endings: Endings) -> None:
        self.run = run
        self.review = review
        self.endings = endings

    # --- opening -------------------------------------------------------------------------------------------

    def open(self, work: Work, base: str, tree: str) -> Reply:
        """Put what has passed to the vote, against none of it."""
        run, state = self.run, self.run.state(work.task.id)
        diffs = self._diffs(work)
        if not diffs:
            work.verdict = f"none of {len(state.out)} candidates passed"
            work.detail = _reasons_of(list(state.out.items()))
            if any(told.get("person") for told in state.out.values()):
                return self.endings.person(work, f"{work.verdict}; {_hint(work)}\n{work.detail}")
            return "reject", f"{work.verdict}\n{work.detail}"
        found = [self._entry(number, told) for number, told in sorted(state.passed.items())]
        chosen = self.review.electors.for_choice(work)
        if chosen["waiting"]:
            return self.review.waits(work, chosen["waiting"])
        out = [
            {"attempt": number, "author": self._author(told), "why": str(told.get("why", ""))}
            for number, told in sorted(state.out.items())
        ]
        opened = choices.open_choice(
            run.ledger.draw_vote(),
            work.task.id,
            work.task.title,
            chosen["electorate"],
            {"base": wire.object_id(base), "tree": wire.object_id(tree)},
            found,
            out,
        )
        self.review.weights.fix(opened)
        work.vote, work.cast, work.absent = run.redact.deep(opened), [], []
        run.event("vote-opened", work.task.id, work.number, vote=opened["id"])
        folder = files.make_below(work.folder, votes.FOLDER, opened["id"])
        self._call(work, folder, diffs)
        return ("vote", opened["id"], str(folder)) if work.asked else self._closed(work)

    def _diffs(self, work: Work) -> dict[str, bytes]:
        """By option: its diff, made anew from what is kept; what is not there any more is out."""
        run, git = self.run, self.run.here.git
        found: dict[str, bytes] = {}
        for number, told in sorted(run.state(work.task.id).passed.items()):
            subject = told["subject"]
            names = [f"{one}^{{tree}}" for one in (subject["base"], told["commit"])]
            code, trees, _ = git.attempt("rev-parse", *names)
            if code == 0:
                before, after = trees.decode().split()
                diff = changes.diffs(git, [(before, after)]).get((before, after))
            if code != 0 or diff is None or canonical.sha256(diff) != subject["diff_sha256"]:
                why = "what is kept of it is not what was judged"
                gone = {"agent": told["agent"], "why": why, "detail": ""}
                run.event("candidate-out", work.task.id, number, durable=True, **gone)
            else:
                found[choices.option(number)] = diff
        return found

    def _author(self, told: Record) -> dict[str, str]:
        name = str(told["agent"])
        return {"member": name, "family": self.run.agents.get(name).family}

    def _entry(self, number: int, told: Record) -> Record:
        return {
            "option": choices.option(number),
            "attempt": number,
            "author": self._author(told),
            "subject": told["subject"],
            "evidence": told["evidence"],
            "gates": told["gates"],
        }

    def _call(self, work: Work, folder: Path, diffs: dict[str, bytes]) -> None:
        """Who may be asked now gets a ticket; programs have judged already."""
        run, vote = self.run, work.vote
        assert vote is not None
        for entry in vote["electorate"]:
            if not is_agent(entry):
                self._by_program(work, entry["member"])
        agents = [entry["member"] for entry in vote["electorate"] if is_agent(entry)]
        whys = {name: why for name in agents if (why := run.resting.why(name))}
        work.absent += [{"member": name, "why": why} for name, why in whys.items()]
        work.asked = [name for name in agents if name not in whys]
        if work.asked:
            run.event("asked", work.task.id, work.number, members=work.asked)
        shown = {name: excerpt.of(diff, prompts.DIFF_LIMIT // len(diffs)) for name, diff in diffs.items()}
        for entry in vote["candidates"]:
            if unseen := shown[entry["option"]].unseen():
                entry["unseen"] = run.redact.deep(unseen)
        lines = [f"{name}\tagent\t{self._ticket(work, folder, name, diffs, shown)}" for name in work.asked]
        files.write_plain(folder / "electorate", tickets.nul(lines))

    def _ticket(
        self, work: Work, folder: Path, member: str, diffs: dict[str, bytes], shown: dict[str, Excerpt]
    ) -> Path:
        run, vote = self.run, work.vote
        assert vote is not None
        paper = polls.paper(vote, member)
        names = {name: f"option-{paper.letter(name)}.patch" for name in paper.options if name in diffs}
        texts = {choices.NONE: choices.NONE} | {name: _shown(shown[name], names[name]) for name in names}
        asked = f"{work.task.title}\n\n{work.task.raw.get('description') or ''}".strip()
        checks = [item["check"] for one in vote["candidates"] for item in one["evidence"]]
        passed = f" All of them passed the check `{' '.join(checks[0].split())[:300]}`." if checks else ""
        values = prompts.poll_values(_INTRO + passed, asked, paper, texts)
        given: tickets.Exchange = {names[name]: run.redact.bytes(diffs[name]) for name in names}
        prompt = run.redact(prompts.render(prompts.POLL, values))
        return tickets.for_member(run, work, folder, member, prompt, paper.schema(), given)

    def _by_program(self, work: Work, program: str) -> None:
        """A program's ranking follows from what it said of each candidate by itself."""
        assert work.vote is not None
        said: dict[str, tuple[str, str]] = {}
        for entry in work.vote["candidates"]:
            found = candidates.judged(self.run.try_folder(work.task.id, entry["attempt"]), program)
            if isinstance(found, str):
                work.absent.append({"member": program, "why": f"{entry['option']}: {self.run.redact(found)}"})
                return
            said[entry["option"]] = found
        ranking = choices.of_program({name: choice for name, (choice, _) in said.items()})
        reasons = "\n".join(f"{name}: {why}" for name, (_, why) in said.items() if why)
        cast = {"ranking": ranking, "reason": reasons, "confidence": 100, "cast_at": now()}
        work.cast.append({"member": program, **self.run.redact.deep(cast)})

    # --- closing -------------------------------------------------------------------------------------------

    def close(self, work: Work, name: str) -> Reply:
        """Count the ballots of the open vote."""
        run, vote = self.run, work.vote
        if vote is None or vote["id"] != name:
            raise OrkestraError(EX_INTERNAL, f"the vote {name[:40]!r} is not open")
        entries = [entry for entry in vote["electorate"] if entry["member"] in work.asked]
        extracts = {member: run.agents.get(member).extract for member in work.asked}
        asked = ballots.read(
            work.folder / votes.FOLDER / name,
            entries,
            run.redact,
            extracts,
            lambda member, answer: polls.paper(vote, member).read(answer),
            "ranking",
        )
        shutil.rmtree(work.place.folder / tickets.BALLOTS, ignore_errors=True)
        work.cast += asked.cast
        work.absent += [self.review.told(work, one, asked.turned.get(one["member"])) for one in asked.absent]
        for member in work.asked:
            if member not in asked.turned:
                run.agents.answered(member)
        return self._closed(work)

    def _closed(self, work: Work) -> Reply:
        run = self.run
        assert work.vote is not None
        vote = run.redact.deep(choices.close_choice(work.vote, work.cast, work.absent))
        work.vote, work.asked = None, []
        votes.keep(work.folder, vote)
        winner = choices.winner(vote)
        run.event(
            "vote-closed",
            work.task.id,
            work.number,
            vote=vote["id"],
            decision=votes.CHOSEN if winner else vote["decision"],
            patch_id=winner["subject"]["patch_id"] if winner else "",
        )
        if winner:
            return self._chosen(work, winner)
        if vote["decision"] == choices.NONE:
            work.verdict, work.detail = vote["why"], _reasons(vote)
            return "reject", f"{work.verdict}\n{work.detail}".strip()
        return self._undecided(work, vote)

    def _chosen(self, work: Work, winner: Record) -> Reply:
        """The same worker goes on with its change, as with other kept work."""
        run, number = self.run, winner["attempt"]
        told = run.state(work.task.id).passed[number]
        agent, commit = str(told["agent"]), wire.object_id(told["commit"])
        run.event("chosen", work.task.id, work.number, True, attempt=number, agent=agent, commit=commit)
        work.agent, work.mode = agent, "resume"
        return "chosen", agent, commit, str(number)

    def _undecided(self, work: Work, vote: Record) -> Reply:
        resting = [one["member"] for one in vote["absent"] if self.run.resting.rests(one["member"])]
        if resting:
            missing = max(1, vote["quorum"] - vote["tally"]["present"])
            return self.review.waits(work, {"for": resting, "missing": min(missing, len(resting))})
        missed = "; ".join(f"{one['member']}: {one['why']}" for one in vote["absent"])
        why = f"{vote['why']} ({missed})" if missed else vote["why"]
        return self.endings.person(work, f"{why}; {_hint(work)}")


def _hint(work: Work) -> str:
    return f"orkestra task retry {work.task.id} --from-attempt N goes on from one of its candidates"


def _shown(one: Excerpt, name: str) -> str:
    """A candidate's diff as it stands in a prompt, and what of it does not."""
    if not one.left_out:
        return one.text
    left = [f"{it['path']} (+{it['added']} -{it['removed']})" for it in one.left_out[: excerpt.NAMED]]
    more = len(one.left_out) - len(left)
    left += [f"and {more} more"] if more else []
    head = f"(too large to be shown whole: all of it is in {name}. What follows lacks, or has not whole:)"
    return "\n".join([head, *left, "", one.text])


def _reasons(vote: Record) -> str:
    """For the next attempt: what the members said, and why others were not to be chosen from."""
    said = [f"- {ballot['reason']}" for ballot in vote["ballots"] if ballot["reason"]]
    said += [f"- {choices.option(one['attempt'])} was out: {one['why']}" for one in vote["out"]]
    return "\n".join(said)


def _reasons_of(out: list[tuple[int, Record]]) -> str:
    lines = []
    for number, told in out:
        lines.append(f"- {choices.option(number)}: {told.get('why', '')}")
        lines += [f"    {line}" for line in str(told.get("detail") or "").splitlines()]
    return "\n".join(lines)
