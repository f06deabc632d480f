"""An attempt's way through its stages: what a worker reports, and what follows from it.

Attempts are counted here (DESIGN: agent failed or timed out, nothing changed, check, gate or committee
said no). An interruption, a limit, the first revision and a conflict are not.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import canonical, committee, evidence, files, prompts, tickets
from .errors import EX_DATA, EX_INTERNAL, OrkestraError
from .run import Run
from .tasks import DEFAULT_ATTEMPTS, DEFAULT_TIMEOUT, Task

CONFLICTS = 3  # the agent mends a conflict so often, then a person is asked
BALLOT_TIMEOUT = 600
BALLOTS = "ballots"  # tickets of reviewers, in the worker's own
_OBJECT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_SECONDS = re.compile(r"([0-9]{1,9})(?:\.[0-9]+)?\Z")
Reply = tuple[str, ...]


@dataclass
class Work:
    """A task in a worker's hands."""

    task: Task
    number: int  # of this try
    agent: str
    folder: Path  # of this try
    place: tickets.Place
    verdict: str = ""  # why it is to fail; counted when the worker says so
    detail: str = ""  # what the next try gets to see of it
    done: bool = False  # no longer in the worker's hands
    evidence: list[dict[str, Any]] = field(default_factory=list)
    gates: list[dict[str, Any]] = field(default_factory=list)
    subject: dict[str, str] = field(default_factory=dict)
    vote: dict[str, Any] | None = None
    outcome: str = ""
    recording: bool = False


def _object(name: str) -> str:
    if not _OBJECT.match(name):
        raise OrkestraError(EX_DATA, f"{name[:80]!r} is not the id of an object")
    return name


def _number(text: str) -> int:
    found = _SECONDS.match(text)
    if not found:
        raise OrkestraError(EX_DATA, f"{text[:40]!r} is not a number")
    return int(found.group(1))


class Attempts:
    """The worker's verbs over a run."""

    def __init__(self, run: Run) -> None:
        self.run = run

    # --- beginning -----------------------------------------------------------------------------------------

    def begin(self, worker: str, task: Task, agent: str) -> tuple[Work, Reply]:
        """Give a task to a worker: its ticket, its attempt folder, the reply to its claim."""
        run = self.run
        state = run.state(task.id)
        kept = run.here.git.commit(state.kept) if state.kept else None
        mode = "resume" if kept else "fresh"
        number = state.tries + 1
        place = tickets.Place(run.here.runtime / worker, run.here.workspaces / worker, run.here.project)
        work = Work(task, number, agent, self._folder(task.id, number), place)
        try:
            self._ticket(work)
        except OrkestraError:
            run.queue.hold(task, True)
            raise
        run.event("claimed", task.id, number, agent=agent, worker=worker, mode=mode)
        run.works[task.id] = work
        run.queue.hold(task, True)
        run.queue.set_status(task, "in_progress")
        kind = run.agents.get(agent).kind
        return work, ("task", task.id, str(number), agent, mode, kept or "", kind)

    def _folder(self, task: str, number: int) -> Path:
        return files.make_folder(self.run.attempts_folder, task, str(number))

    def _ticket(self, work: Work) -> None:
        run, task, raw = self.run, work.task, work.task.raw
        agent = run.agents.get(work.agent)
        state = run.state(task.id)
        check = str(raw.get("check") or "") or run.project.check
        feedback = prompts.render("feedback.md.j2", why=state.why, detail=state.detail) if state.why else ""
        previous = self._previous(task.id, state.previous)
        prompt = run.redact(
            prompts.render(
                "task.md.j2",
                project=run.project.name,
                check=check,
                feedback=feedback,
                previous=previous is not None,
                note=str(raw.get("note") or ""),
                rules=self._rules(),
                task={
                    "id": task.id,
                    "title": task.title,
                    "description": raw.get("description", ""),
                    "command": task.command,
                    "inputs": raw.get("inputs") or [],
                    "allow_paths": raw.get("allow_paths") or [],
                    "allow_empty": raw.get("allow_empty", False),
                },
            )
        )
        exchange: dict[str, bytes | str] = {
            "prompt.md": prompt,
            "task.json": json.dumps(raw, ensure_ascii=False, indent=2).encode("utf-8", "replace"),
        }
        if agent.kind == "shell":
            exchange["command"] = task.command
        if feedback:
            exchange["feedback.md"] = run.redact(feedback)
        if previous is not None:
            exchange["previous.patch"] = previous
        plain = {
            "task": task.id,
            "try": str(work.number),
            "timeout": str(raw.get("timeout", DEFAULT_TIMEOUT)),
            "check": check,
            "check-timeout": str(run.project.check_timeout),
            "title": task.title,
        }
        lists = {
            "allow-paths": raw.get("allow_paths") or [],
            "inputs": raw.get("inputs") or [],
            "binds": tickets.binds(work.place, run.project.share),
        }
        tickets.write(work.place, agent, run.agents, plain, lists, exchange)
        files.write_plain(work.folder / "prompt.md", prompt, 0o644)

    def _previous(self, task: str, number: int) -> bytes | None:
        if not number:
            return None
        return files.read_bounded(self.run.attempts_folder / task / str(number) / "diff.patch", 8 << 20)

    def _rules(self) -> str:
        data = files.read_bounded(self.run.here.project / "AGENTS.md", prompts.RULES_LIMIT)
        return data.decode("utf-8", "replace").strip() if data else ""

    # --- work ----------------------------------------------------------------------------------------------

    def base(self, work: Work, commit: str) -> Reply:
        """The workspace is prepared on this commit."""
        self.run.event("based", work.task.id, work.number, base=_object(commit))
        return ()

    def worked(self, work: Work, code_text: str, seconds: str, exchange: str = "") -> Reply:
        """The agent ended. The verdict comes from its exit and its own output together."""
        run, code = self.run, _number(code_text)
        agent = run.agents.get(work.agent)
        extract = evidence.extract_program(agent.adapter, agent.extract, run.here.scripts)
        folders = [work.folder, *([Path(exchange)] if exchange else [])]
        result = evidence.read_result(folders, extract, code)
        if result.exit is not None and code in (0, 1, 65):
            code = result.exit
        run.event(
            "worked",
            work.task.id,
            work.number,
            agent=work.agent,
            exit=code,
            seconds=_number(seconds),
            tokens=result.tokens,
            usd_micros=result.usd_micros,
        )
        said = run.redact(evidence.clean(result.error or result.problem).strip())[:600]
        if code == 75:
            until = run.agents.limit(work.agent, result.retry_at, said or "limited")
            run.journal.append("limited", agent=work.agent, until=until, why=said)
            self._put_back(work)
            return "limited", str(until), said or "limited"
        if code in (69, 77):
            why = said or evidence.tail(work.folder / "output.log", 600)
            why = why or ("not logged in" if code == 77 else "not available")
            run.agents.get(work.agent).problem = why
            run.journal.append("unavailable", agent=work.agent, why=why)
            self._put_back(work)
            return "unavailable", why
        why = self._fault(work, code, said)
        if why:
            work.verdict = why
            return "failed", why
        return ("done",)

    @staticmethod
    def _fault(work: Work, code: int, said: str) -> str:
        if code == 124:
            return f"the agent timed out after {work.task.raw.get('timeout', DEFAULT_TIMEOUT)} seconds"
        if code == 65:
            return (
                f"the agent's output cannot be read: {said}" if said else "the agent's output cannot be read"
            )
        if code != 0:
            return f"the agent failed (exit {code}){': ' + said if said else ''}"
        return f"the agent reports an error: {said}" if said else ""

    def taken(self, work: Work, tree: str, count: str) -> Reply:
        """The workspace's tree was taken; count is how many files the change touches."""
        _object(tree)
        if _number(count) > 0:
            return ("changed",)
        if work.task.raw.get("allow_empty"):
            return ("empty-allowed",)
        work.verdict = "the agent changed nothing"
        return "failed", work.verdict

    def checked(self, work: Work, code_text: str, seconds: str, tree: str) -> Reply:
        """The check ended; its log is the evidence for exactly this tree."""
        command = (files.read_bounded(work.place.folder / "check", 1 << 20) or b"").decode("utf-8", "replace")
        code = _number(code_text)
        log = files.read_bounded(work.folder / "check.log", 64 << 20) or b""
        work.evidence = []
        if command.strip():
            work.evidence = [
                {
                    "check": self.run.redact(command),
                    "exit": code,
                    "log_sha256": canonical.sha256(log),
                    "tree": _object(tree),
                }
            ]
        self.run.event("checked", work.task.id, work.number, exit=code, seconds=_number(seconds))
        return ()

    def gated(self, work: Work, code_text: str = "0") -> Reply:
        """The gates ran; a gate that broke is a refusal."""
        work.gates = evidence.read_gates(work.folder / "gates.tsv")
        for gate in work.gates:
            gate["evidence"] = self.run.redact(gate["evidence"])
        code = _number(code_text)
        refused = [gate for gate in work.gates if not gate["passed"]]
        if refused or code != 0 or not work.gates:
            why = (
                "; ".join(f"{gate['gate']}: {gate['evidence']}" for gate in refused)
                or "a gate could not decide"
            )
            work.verdict = f"a gate refused it: {why}"
            self._note(work, "gates-refused", why=work.verdict)
            return "refused", work.verdict
        marked = [gate for gate in work.gates if gate["marked"]]
        if marked and not self._can_pass_marked(work):
            why = "; ".join(gate["evidence"] or gate["gate"] for gate in marked)
            return self._person(
                work, f"it changes what judges it, and no reviewer may pass that: {why}", "person"
            )
        return ("pass",)

    def _note(self, work: Work, kind: str, **fields: Any) -> None:
        self.run.event(kind, work.task.id, work.number, **fields)

    # --- vote ----------------------------------------------------------------------------------------------

    def _electorate(self, work: Work) -> dict[str, Any]:
        run = self.run
        names = list(
            dict.fromkeys(
                [
                    *run.project.agents,
                    *(run.project.reviewers if isinstance(run.project.reviewers, list) else []),
                ]
            )
        )
        able = [
            agent
            for name in names
            if name not in committee.PROGRAMS
            and not (agent := run.agents.get(name)).problem
            and "ballot" in agent.can
            and agent.kind == "ai"
        ]
        diff = files.read_bounded(work.folder / "diff.patch", 64 << 20) or b""
        author = run.agents.get(work.agent)
        return committee.electorate(
            {
                "author": {"member": work.agent, "family": author.family},
                "reviewers": run.project.reviewers,
                "agents": [
                    {
                        "member": agent.name,
                        "family": agent.family,
                        "kind": agent.kind,
                        **({"model": agent.model} if agent.model else {}),
                    }
                    for agent in able
                ],
                "programs": list(committee.PROGRAMS),
                "changed_lines": committee.changed_lines(diff),
                "marked": any(gate["marked"] for gate in work.gates),
            }
        )

    def _can_pass_marked(self, work: Work) -> bool:
        family = self.run.agents.get(work.agent).family
        return any(
            entry["kind"] != "program" and entry["family"] != family
            for entry in self._electorate(work)["electorate"]
        )

    def vote_open(self, work: Work, base: str, tree: str, patch_id: str) -> Reply:
        """Open a vote on exactly this change, or say that an earlier approval stands for the same patch."""
        run, state = self.run, self.run.state(work.task.id)
        diff = files.read_bounded(work.folder / "diff.patch", 1 << 30)
        if diff is None:
            raise OrkestraError(EX_INTERNAL, f"{work.folder}/diff.patch is missing")
        work.subject = {
            "base": _object(base),
            "tree": _object(tree),
            "patch_id": patch_id[:80],
            "diff_sha256": canonical.sha256(diff),
        }
        for closed in reversed(state.votes):
            if (
                closed["decision"] == "approve"
                and closed["patch_id"] == patch_id
                and self._load_vote(work.task.id, closed)
            ):
                return "stands", str(closed["vote"])
        chosen = self._electorate(work)
        name = run.ledger.draw_vote()
        author = {"member": work.agent, "family": run.agents.get(work.agent).family}
        work.vote = committee.open_vote(
            name,
            work.task.id,
            work.task.title,
            chosen,
            author,
            1 + state.revisions,
            run.project.rule,
            dict(work.subject),
            work.evidence,
            work.gates,
        )
        run.event("vote-opened", work.task.id, work.number, vote=name)
        folder = files.make_folder(work.folder, "votes", name)
        records = []
        for entry in chosen["electorate"]:
            path = str(run.here.scripts / "COMMITTEE" / "reviewers" / entry["member"])
            if entry["kind"] != "program":
                path = str(self._ballot_ticket(work, folder, entry["member"], diff))
            records.append(
                f"{entry['member']}\t{'program' if entry['kind'] == 'program' else 'agent'}\t{path}\0"
            )
        files.write_plain(folder / "electorate", "".join(records))
        return "vote", name, str(folder)

    def _ballot_ticket(self, work: Work, folder: Path, member: str, diff: bytes) -> Path:
        run = self.run
        shown = diff[: prompts.DIFF_LIMIT].decode("utf-8", "replace")
        prompt = run.redact(
            prompts.render(
                "review.md.j2",
                title=work.task.title,
                description=str(work.task.raw.get("description") or ""),
                evidence=work.evidence,
                diff=shown,
                cut=len(diff) > prompts.DIFF_LIMIT,
            )
        )
        timeout = min(BALLOT_TIMEOUT, int(work.task.raw.get("timeout", DEFAULT_TIMEOUT)))
        # The ticket holds the reviewer's key: it is never in the logs, and goes when the vote is closed.
        place = tickets.Place(work.place.folder / BALLOTS / member, work.place.workspace, work.place.project)
        files.write_plain(files.make_folder(folder, member) / "prompt.md", prompt, 0o644)
        exchange: dict[str, bytes | str] = {
            "prompt.md": prompt,
            "diff.patch": diff,
            "schema.json": json.dumps(committee.BALLOT_SCHEMA),
        }
        tickets.write(
            place, run.agents.get(member), run.agents, {"timeout": str(timeout)}, {"binds": []}, exchange
        )
        return place.folder

    def vote_close(self, work: Work, name: str) -> Reply:
        """Count the ballots of the open vote."""
        if work.vote is None or work.vote["id"] != name:
            raise OrkestraError(EX_INTERNAL, f"the vote {name[:40]!r} is not open")
        run, folder = self.run, work.folder / "votes" / name
        extracts = {
            entry["member"]: (
                run.agents.get(entry["member"]).adapter,
                run.agents.get(entry["member"]).extract,
            )
            for entry in work.vote["electorate"]
            if entry["kind"] != "program"
        }
        programs = {
            member: evidence.extract_program(*told, run.here.scripts) for member, told in extracts.items()
        }
        ballots, absent = committee.read_ballots(folder, work.vote, run.redact, programs)
        shutil.rmtree(work.place.folder / BALLOTS, ignore_errors=True)
        vote = committee.close_vote(work.vote, ballots, absent)
        work.vote = None
        files.write_atomic(folder / "vote.json", canonical.pretty(vote), sync=False)
        run.event(
            "vote-closed",
            work.task.id,
            work.number,
            vote=name,
            decision=vote["decision"],
            patch_id=vote["subject"]["patch_id"],
        )
        return self._voted(work, vote)

    def _voted(self, work: Work, vote: dict[str, Any]) -> Reply:
        reasons = "\n".join(
            f"- {ballot['choice']}: {ballot['reason']}"
            for ballot in vote["ballots"]
            if ballot["choice"] != "approve"
        )
        if vote["decision"] == "approve":
            return ("approve",)
        if vote["decision"] == "revise":
            return self._revise(work, vote["why"], reasons)
        if vote["decision"] == "reject":
            work.verdict, work.detail = vote["why"], reasons
            return "reject", f"{vote['why']}\n{reasons}".strip()
        missing = "; ".join(f"{one['member']}: {one['why']}" for one in vote["absent"])
        return self._person(work, f"{vote['why']}{' (' + missing + ')' if missing else ''}", "person")

    def _revise(self, work: Work, why: str, reasons: str) -> Reply:
        run = self.run
        number = run.state(work.task.id).tries + 1
        run.event("revision", work.task.id, number, why=why, detail=reasons)
        work.number, work.folder = number, self._folder(work.task.id, number)
        work.evidence, work.gates, work.subject = [], [], {}
        self._ticket(work)
        return "revise", str(number), run.agents.get(work.agent).revises

    def _load_vote(self, task: str, closed: dict[str, Any]) -> dict[str, Any] | None:
        folder = self.run.attempts_folder / task / str(closed["try"]) / "votes" / str(closed["vote"])
        data = files.read_bounded(folder / "vote.json", 16 << 20)
        try:
            vote = canonical.parse(data, max_bytes=16 << 20) if data else None
        except ValueError:
            return None
        return vote if isinstance(vote, dict) and vote.get("id") == closed["vote"] else None

    def votes_of(self, task: str) -> dict[str, dict[str, Any]]:
        """{id: record} of every vote held on a task since its last outcome."""
        found = {}
        for closed in self.run.state(task).votes:
            vote = self._load_vote(task, closed)
            if vote is None:
                self.run.say("warning", f"{task}: the record of {closed['vote']} is gone and cannot be kept")
            else:
                found[str(closed["vote"])] = vote
        return found

    # --- ends without a landing ----------------------------------------------------------------------------

    def _put_back(self, work: Work) -> None:
        run = self.run
        work.done = True
        run.queue.set_status(work.task, "pending")
        run.queue.hold(work.task, False)

    def fail(self, work: Work, why: str) -> Reply:
        """Count this attempt; the next one gets the reason, or the task is given up."""
        run, state = self.run, self.run.state(work.task.id)
        why = run.redact(evidence.clean(work.verdict or why).strip())[:2000] or "no reason was given"
        detail = run.redact(work.detail or self._log_tail(work))
        run.event("attempt-failed", work.task.id, work.number, durable=True, why=why, detail=detail)
        most = work.task.raw.get("max_attempts", DEFAULT_ATTEMPTS)
        if state.failures >= most:
            self.draft(work, "failed", f"{why} (attempt {state.failures} of {most})")
            return ("failed",)
        self._put_back(work)
        return ("again",)

    @staticmethod
    def _log_tail(work: Work) -> str:
        if any(item["exit"] != 0 for item in work.evidence):
            return evidence.tail(work.folder / "check.log")
        return "" if work.evidence or work.gates else evidence.tail(work.folder / "output.log")

    def conflict(self, work: Work, why: str, *_: str) -> Reply:
        """What landed meanwhile does not go with this; not an attempt, but not for ever either."""
        run, state = self.run, self.run.state(work.task.id)
        why = run.redact(evidence.clean(why).strip())[:2000]
        run.event("conflict", work.task.id, work.number, why=why, detail=self._log_tail(work))
        if state.conflicts >= CONFLICTS:
            return self._person(work, f"{state.conflicts} times {why}", "person")
        self._put_back(work)
        return ("again",)

    def released(self, work: Work, why: str) -> Reply:
        """The worker gives the task back; not an attempt."""
        self._note(work, "released", why=self.run.redact(why)[:600])
        self._put_back(work)
        return ()

    def held(self, work: Work, commit: str, paths: str) -> Reply:
        """A person's uncommitted edit is in the way: the finished work waits."""
        run = self.run
        shown = ", ".join(part for part in evidence.clean(paths).split("\n") if part)
        run.ledger.open.pop(work.outcome, None)
        run.event("held", work.task.id, work.number, commit=_object(commit), paths=shown)
        work.done = True
        run.queue.set_status(work.task, "pending")
        run.queue.hold(work.task, True)
        return ()

    def interrupted(self, work: Work) -> None:
        """The worker is gone. What it had landed counts, the rest is put back."""
        if work.recording:
            self.run.ledger.open.pop(work.outcome, None)
            self.run.sync()
        if work.task.status == "in_progress":
            self._note(work, "interrupted")
            self._put_back(work)

    def _person(self, work: Work, why: str, *reply: str) -> Reply:
        self.draft(work, "needs_human", self.run.redact(why)[:2000])
        return *reply, self.run.redact(why)[:2000]

    def settled(self, work: Work) -> Reply:
        """Nothing had to change, and that is allowed."""
        self.draft(work, "answered", "nothing had to change")
        return ()

    def draft(self, work: Work, decision: str, why: str) -> None:
        """An outcome without a change: it becomes a record with the next landing or at the end."""
        run = self.run
        work.done = True
        draft = self.outcome(work, decision, why)
        run.event("outcome-drafted", work.task.id, work.number, durable=True, draft=draft)
        status = {"answered": "completed"}.get(decision, decision)
        run.queue.set_status(work.task, status, "" if status == "completed" else why)
        run.queue.hold(work.task, False)

    def outcome(
        self, work: Work, decision: str, why: str, change: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """The body of an outcome record; number, chain and hashes come with the landing."""
        votes = self.votes_of(work.task.id)
        last = votes[max(votes, key=lambda name: int(name.split("-")[1]))] if votes else None
        if change:
            last = next(
                (
                    vote
                    for vote in reversed(votes.values())
                    if vote["decision"] == "approve" and vote["subject"]["patch_id"] == change["patch_id"]
                ),
                last,
            )
            why = last["why"] if last else why
        body = {
            "task": work.task.id,
            "title": work.task.title,
            "attempt": work.number,
            "decision": decision,
            "why": why,
            "agent": work.agent,
            "reviewed_by": last["reviewed_by"] if last else "none",
            "evidence": work.evidence,
            "gates": work.gates,
            "votes": list(votes),
            "cost": dict(self.run.state(work.task.id).cost),
        }
        return {**body, "change": change} if change else body
