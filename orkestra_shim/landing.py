"""Landings and the end of a run: which records go onto the branch, and what they say."""

from __future__ import annotations

import re
from typing import Any

from . import canonical, files, followups, jsonfile, proposals, queue, records, resuming, votes, wire
from .endings import Endings
from .errors import EX_INTERNAL, OrkestraError
from .run import Run
from .text import subject
from .work import Reply, Work

_EDITED_TRIES = 5  # somebody saves the queue just then: taken in, and once more


class Landings:
    """draw, record, landed; finish and what came of it."""

    def __init__(self, run: Run, endings: Endings) -> None:
        self.run = run
        self.endings = endings
        self._checkpoint: bytes | None = None

    def draw(self, work: Work) -> Reply:
        """The outcome's id, under the landing lock: it counts once the branch holds it.

        Then the file with the change's message where the user signs: the worker makes that commit; where the
        change goes (`branch`, or `pr`), and the head that is meant.
        """
        self.run.sync()
        self.run.edits.take_in(now=True)
        if work.dropped:
            self.endings.interrupted(work)
            return ("dropped",)
        way, ledger = self.run.project.land, self.run.ledger
        work.outcome = ledger.take_outcome() if way == "pr" else ledger.next_outcome()
        message = ""
        if self.run.here.signs:
            message = str(work.folder / "message")
            files.write_plain(work.folder / "message", _change_message(work))
        return work.outcome, message, way, self.run.branch.head

    def record(
        self, work: Work, name: str, change: str, base: str, tree: str, patch_id: str, count: str
    ) -> Reply:
        """What lands: the change and, on it, its votes, its outcome, and the outcomes that waited.

        change: its commit where the worker signed it, else `-`. The reply is `commit` and the new head; where
        the user signs `tree`, that of the record, and a file with its message.
        """
        by_pr = self.run.project.land == "pr"
        drawn = work.outcome if by_pr else self.run.ledger.next_outcome()
        if not name or name != work.outcome or name != drawn:
            raise OrkestraError(EX_INTERNAL, f"{name[:40]!r} is not the outcome that was drawn")
        subject = work.subject
        if (subject.get("base"), subject.get("tree")) != (base, tree):
            raise OrkestraError(EX_INTERNAL, f"{work.task.id}: what lands is not what was voted on")
        here = self.run.here
        if not here.signs:
            parent = wire.object_id(base)
            change = here.objects.commit(wire.object_id(tree), [parent], _change_message(work), here.author)
        landed = {
            "commit": wire.object_id(change),
            "base": wire.object_id(base),
            "tree": wire.object_id(tree),
            "diff_sha256": subject["diff_sha256"],
            "patch_id": patch_id[:80],
            "files": wire.number(count),
        }
        draft = self.endings.outcome(work, "landed", "", landed)
        work.recording = True
        if by_pr:
            draft["id"] = name
        return self._write(change, name, [draft, *self._waiting(work.task.id)], {}, base)

    def _waiting(self, but: str = "") -> list[dict[str, Any]]:
        """Outcomes without a change that no record holds, nor a pull request that may still be merged."""
        riding = {
            rider
            for state in self.run.proposed().values()
            if state.proposal and not state.proposal.get("closed")
            for rider in state.proposal["riders"] or []
        }
        return [
            state.draft
            for name, state in self.run.states.items()
            if state.draft and name != but and state.draft.get("id") not in riding
        ]

    def has_drafts(self) -> bool:
        """Whether `finish` would record an outcome."""
        return self.run.project.land == "branch" and bool(self._waiting())

    def _write(
        self, parent: str, name: str, drafts: list[dict[str, Any]], further: dict[str, bytes], base: str
    ) -> Reply:
        """The record commit on parent, or what it is to hold. base: what the change was made on."""
        held: dict[str, dict[str, Any]] = {}
        for draft in drafts:
            found = votes.of_task(self.run, draft["task"])
            draft["votes"] = [vote for vote in draft["votes"] if vote in found]
            held.update(found)
        added = self.run.ledger.batch(name, drafts, held, self.run.chain_base(base)) if drafts else {}
        here, message = self.run.here, self._message(name, drafts, bool(further))
        tree = here.objects.with_files(here.objects.tree_of(parent), added | further)
        if not here.signs:
            new = here.objects.commit(tree, [parent], message, here.author)
            here.objects.flush()
            return "commit", new
        here.objects.flush()
        files.write_plain(here.runtime / "record-message", message)
        return "tree", tree, str(here.runtime / "record-message")

    def _message(self, name: str, drafts: list[dict[str, Any]], checkpoint: bool) -> str:
        if not drafts:
            return "orkestra: checkpoint of the task queue\n"
        names = [outcome["id"] for outcome in self.run.ledger.open[name]]
        more = f" and {len(drafts) - 1} more" if len(drafts) > 1 else ""
        lines = [f"orkestra: record {name} ({drafts[0]['task']}){more}", ""]
        if more or checkpoint:
            lines += [
                f"{one}: {draft['task']} {draft['decision']}"
                for one, draft in zip(names, drafts, strict=True)
            ]
            lines += ["With the status of the task queue."] if checkpoint else []
            lines.append("")
        lines += [f"Orkestra-Task: {drafts[0]['task']}"] if len(drafts) == 1 else []
        lines += [f"Orkestra-Outcome: {one}" for one in names]
        return "\n".join(lines) + "\n"

    def proposed(self, work: Work, name: str, commit: str) -> Reply:
        """The change and its records are a commit that waits for its pull request and its merge."""
        run, task = self.run, work.task
        if not work.recording or name != work.outcome:
            raise OrkestraError(EX_INTERNAL, f"{name[:40]!r} was not being recorded")
        riders = [outcome["id"] for outcome in run.ledger.open.pop(name) if outcome["id"] != name]
        run.event(
            "proposed",
            task.id,
            work.number,
            durable=True,
            outcome=name,
            commit=wire.object_id(commit),
            branch=proposals.branch_name(task.id, run.state(task.id).proposals),
            riders=riders,
        )
        work.done = True
        told = run.state(task.id).waiting(task.raw)
        run.queue.set_status(task, "needs_human", told[1] if told else "")
        run.queue.hold(task, queue.IN_HAND, False)
        return ()

    def landed(self, work: Work, name: str, head: str) -> Reply:
        """The branch holds the change and its records."""
        if not work.recording or name != work.outcome:
            raise OrkestraError(EX_INTERNAL, f"{name[:40]!r} was not being recorded")
        self._settle(name, wire.object_id(head))
        work.done = True
        self.run.sync()  # nothing, unless the branch is at another head than was told
        resuming.forget(self.run.here.git.git_dir, work.task.id)
        return ()

    def _settle(self, name: str, head: str) -> None:
        run = self.run
        run.here.sync_branch()
        for outcome in run.ledger.settle(name, head):
            run.assignment.merits.take(outcome)
            kind = "landed" if outcome["decision"] == "landed" else "recorded"
            told = {"outcome": outcome["id"], "head": head, "decision": outcome["decision"]}
            run.event(kind, outcome["task"], durable=True, **told)
            task = run.queue.get(outcome["task"])
            if task is not None:
                status = records.STATUS[outcome["decision"]]
                run.queue.set_status(task, status, "" if status == "completed" else outcome["why"])
                run.queue.hold(task, queue.IN_HAND, False)
        run.branch.head = head

    # --- the end -------------------------------------------------------------------------------------------

    def finish(self) -> Reply:
        """A record of the outcomes that wait, and the queue with its statuses.

        `none`, or the head that it goes onto and what record replies.
        """
        run = self.run
        run.sync()
        followups.propose(run)
        if run.project.land == "pr":  # the branch gets what is merged, and nothing else
            return ("none",)
        run.edits.take_in(now=True)
        drafts = self._waiting()
        self._finishing = run.ledger.next_outcome()
        further = self._queue_file()
        if not drafts and not further:
            return ("none",)
        head = run.branch.head
        return head, *self._write(head, self._finishing, drafts, further, head)

    def _queue_file(self) -> dict[str, bytes]:
        """The queue's checkpoint as a file of the repository; none when nothing is new or it was refused.

        Where the checkout is on the branch its file is replaced first: it may hold edits that are not
        committed, which are in the checkpoint, and the landing then finds it as it will be.
        """
        file = self.run.edits.file
        for _ in range(_EDITED_TRIES):
            self._checkpoint = self._new_queue()
            if self._checkpoint is None:
                return {}
            if not self.run.here.checkout.on_branch() or file.put(self._checkpoint):
                break
            self.run.edits.take_in(now=True)
        else:
            self._checkpoint = None
            return {}
        return {str(queue.FILE): self._checkpoint}

    def _new_queue(self) -> bytes | None:
        """The queue file with the statuses as they are; None when it says so already or was refused."""
        run = self.run
        tasks = [checkpoint(task.raw, task.status, task.reason) for task in run.queue.tasks]
        if run.edits.problem or all(
            new is task.raw for new, task in zip(tasks, run.queue.tasks, strict=True)
        ):
            return None
        return jsonfile.dump({**run.queue.document.top, "tasks": tasks})

    def recorded(self, head: str) -> Reply:
        """What finish handed out stands on the branch."""
        self._settle(self._finishing, wire.object_id(head))
        if self._checkpoint is not None:
            self.run.edits.file.wrote(canonical.sha256(self._checkpoint))
        return ()

    def unrecorded(self) -> Reply:
        """It does not."""
        self.run.ledger.open.clear()
        return ()

    _finishing = ""


def _change_message(work: Work) -> str:
    """The message of a change's commit: the task's title, and who did it."""
    title = subject(re.sub(r"[\x00-\x1f\x7f]", "?", work.task.title))
    trailers = {"Task": work.task.id, "Agent": work.agent, "Outcome": work.outcome}
    return f"{title}\n\n" + "".join(f"Orkestra-{key}: {value}\n" for key, value in trailers.items())


def checkpoint(raw: dict[str, Any], status: str, reason: str) -> dict[str, Any]:
    """A task as the queue file keeps it after a run; raw itself when nothing is new."""
    status = "pending" if status == "in_progress" else status
    reason = reason if status in ("failed", "needs_human") else str(raw.get("reason") or "")
    reason = "" if status in ("pending", "completed") else reason
    over = {"reason"} | ({"ballot", "planned"} if status != "pending" else set())
    over |= {"note", "from_attempt", "submitted"} if status == "completed" else set()
    said = raw.get("status", "pending"), str(raw.get("reason") or "")
    if said == (status, reason) and not (over - {"reason"}) & raw.keys():
        return raw
    new = {key: value for key, value in raw.items() if key not in over} | {"status": status}
    return {**new, "reason": reason} if reason else new
