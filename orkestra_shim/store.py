"""The store of a run: the single writer of queue, votes, outcomes and execution log, asked over pipes.

The file is long since it has every verb of every client, and who gets the next task, in one place.

    python -m orkestra_shim.store --runtime RUNDIR

Each client has a pair of FIFOs in RUNDIR, NAME.req and NAME.rep; `control` is the orchestrator. A line
is a request or its reply (wire.py). A claim is answered when there is something to do, so nobody polls.
A worker whose pipe nobody holds any more is gone: a line on the FIFO `bell` tells the orchestrator. So does
`rest`, when a run that waits has nothing to do and outcomes that no record holds, and `told`, when it has
something to say of what it waits for.
The store wakes up by itself only while a claim waits and there is something to watch.
"""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from . import files, planned, resuming, shares, tickets, votes, wire
from .asking import Asking
from .attempt import Attempts
from .candidates import CHOOSE, Rounds
from .choosing import Choosing
from .endings import Endings
from .errors import EX_DATA, EX_INTERNAL, EX_USAGE, OrkestraError
from .hands import RunHands
from .journal import LogLost
from .landing import Landings
from .pipes import CONTROL, Client, Loop
from .remote import COURIER
from .review import Review
from .run import Run
from .summary import summary
from .surroundings import Surroundings
from .work import Place, Reply, Work

_NAME = re.compile(r"[a-z][a-z0-9]{0,31}\Z")
_LANDING = ("record", "landed", "held")  # once its number is drawn a task lands, or waits
Handler = tuple[Callable[..., Reply], int, int]


class Server(Loop):
    """What each verb means, and who gets the next task."""

    def __init__(self, folder: Path, run: Run) -> None:
        super().__init__(folder)
        self.run = run
        self.endings = Endings(run)
        resuming.sweep(run)
        self.hands = RunHands(run)
        self.review = review = Review(run, self.endings)
        self.choosing = Choosing(run, review, self.endings)
        rounds = Rounds(run, self.endings)
        self.attempts = Attempts(run, review, rounds, self.endings)
        self.landings = Landings(run, self.endings)
        planned.settle(run, self.endings)
        self._rang_at = 0  # run.drafted when the orchestrator was last told of a rest
        self._waits_told = ""  # what the run waits for, as the orchestrator knows it
        self.asking = Asking(run, review, self.endings)
        steps, ends, lands = self.attempts, self.endings, self.landings
        self.worker_verbs: dict[str, Handler] = {
            "base": (steps.base, 1, 1),
            "unmergeable": (steps.unmergeable, 1, 1),
            "worked": (steps.worked, 2, 4),
            "taken": (steps.taken, 2, 2),
            "checked": (steps.checked, 3, 3),
            "gated": (steps.gated, 0, 1),
            "candidate": (rounds.candidate, 4, 4),
            "vote-open": (self._vote_open, 3, 3),
            "put-off": (review.put_off, 1, 1),
            "vote-close": (self._vote_close, 1, 1),
            "ask-open": (self.asking.open, 2, 2),
            "ask-close": (self._ask_close, 1, 1),
            "conflict": (ends.conflict, 1, 2),
            "failed": (ends.fail, 1, 1),
            "released": (ends.released, 1, 1),
            "lost": (ends.lost, 3, 3),
            "held": (ends.held, 2, 2),
            "draw": (lands.draw, 0, 0),
            "record": (lands.record, 6, 6),
            "landed": (lands.landed, 2, 2),
            "proposed": (lands.proposed, 2, 2),
            "settled": (ends.settled, 0, 0),
        }
        self.control_verbs: dict[str, Handler] = {
            "hello": (lambda *_: (), 0, 1),
            "worker": (self._worker, 2, 2),
            "plan": (self._plan, 0, 0),
            "drain": (self._drain, 0, 0),
            "refresh": (self._refresh, 1, 1),
            "remote": (lambda: ("1" if run.remote.wanted else "0",), 0, 0),
            "courier": (self._courier, 1, 1),
            "courier-end": (self._courier_end, 0, 0),
            "finish": (lands.finish, 0, 0),
            "recorded": (lands.recorded, 1, 1),
            "unrecorded": (lands.unrecorded, 0, 0),
            "told": (lambda: (self._waits_told,), 0, 0),
            "summary": (self._summary, 0, 0),
            "bye": (self._bye, 0, 0),
        }

    # --- requests ------------------------------------------------------------------------------------------

    def lost(self, client: Client) -> None:
        """Its task, if it had one, was interrupted; the orchestrator hears of it."""
        if client.life:
            self.ring(client.life)
        if client.name == COURIER:
            self.run.remote.lost()
        if client.work is not None:
            work, client.work = client.work, None
            self.run.edits.look_again()
            self.endings.interrupted(work)
            self.run.forget(work)

    def answer(self, client: Client, line: bytes) -> bytes:
        """The reply to a request; b'' to a claim, which is answered when there is something."""
        seq = "0"
        try:
            request = wire.parse(line)
            seq = request.seq
            reply = self._handle(client, request)
            return b"" if reply is None else wire.reply(seq, "ok", *reply)
        except wire.WireError as error:
            found = re.match(rb"([0-9]{1,18})\t", line)
            seq = found.group(1).decode() if found else seq
            return wire.reply(seq, "err", str(EX_DATA), str(error))
        except OrkestraError as error:
            self.run.say("error", error.message)
            if isinstance(error, LogLost):
                raise
            return wire.reply(
                seq, "err", str(error.code), error.message, *([error.hint] if error.hint else [])
            )

    def _handle(self, client: Client, request: wire.Request) -> Reply | None:
        verb, fields = request.verb, request.fields
        if client.name == CONTROL:
            handler = self.control_verbs.get(verb)
            self._count(handler, verb, fields)
            return handler[0](*fields) if handler else ()
        if verb == "hello":
            self._count((self._bye, 0, 1), verb, fields)
            for process in fields:
                client.meet(process)
            return ()
        if client.name == COURIER and verb == "back":
            self._count((self._bye, 1, 1), verb, fields)
            return self.run.remote.back(*fields)
        if verb == ("errand" if client.name == COURIER else "claim"):
            self._count((self._bye, 0, 0), verb, fields)
            if client.name == COURIER:
                client.claim = request.seq
                return None
            self._claim(client, request.seq)
            return None
        handler = self.worker_verbs.get(verb)
        self._count(handler, verb, fields)
        if client.work is None:
            if client.ended and verb in ("failed", "released"):
                return ("kept",)
            raise OrkestraError(EX_DATA, f"{verb}: this worker holds no task")
        if client.work.dropped and verb not in _LANDING:
            self.endings.interrupted(client.work)
            reply: Reply = ("dropped",)
        else:
            reply = handler[0](client.work, *fields) if handler else ()
        if client.work.done:
            self.run.edits.look_again()
            self.run.forget(client.work)
            client.work, client.ended = None, True
        return reply

    @staticmethod
    def _count(handler: Handler | None, verb: str, fields: Sequence[str]) -> None:
        if handler is None:
            raise OrkestraError(EX_DATA, f"unknown verb {verb[:40]!r}")
        if not handler[1] <= len(fields) <= handler[2]:
            raise OrkestraError(
                EX_DATA, f"{verb} takes {handler[1]} to {handler[2]} fields, not {len(fields)}"
            )

    # --- claims --------------------------------------------------------------------------------------------

    def _claim(self, client: Client, seq: str) -> None:
        if client.work is not None:  # it ended an attempt without a word
            work, client.work = client.work, None
            if work.verdict:
                self.endings.fail(work, work.verdict)
            else:
                self.endings.interrupted(work)
            self.run.forget(work)
        client.claim = seq
        (self.run.here.runtime / client.name / "now").unlink(missing_ok=True)  # it is at nothing
        self.run.look(now=True)

    def timeout(self) -> float | None:
        """Seconds to the next reason to wake up: none at all unless somebody works or waits for work."""
        courier = self.clients.get(COURIER)
        due = self.run.remote.due() if courier and courier.claim else None
        if not any(client.claim or client.work for client in self._workers()):
            return due
        times = [] if due is None else [due]
        times += [max(self.run.edits.file.due(), 0.05)]
        if (left := self.run.next_time()) is not None:
            times.append(max(0.05, left))
        return min(times)

    def idle(self) -> None:
        """See what people did meanwhile, then answer the claims that can be answered."""
        self._send_courier()
        self.hands.look({client.work.task.id for client in self._workers() if client.work})
        self.run.look()
        planned.settle(self.run, self.endings)
        self.run.look_at_time()
        for client in self._workers():
            if client.work is not None and client.work.dropped and not client.work.told:
                client.work.told = True
                client.poke()
        for client in [client for client in self._workers() if client.claim]:
            reply = self._next_for(client)
            if reply is None:
                self._rest()
                return
            seq, client.claim = client.claim, ""
            self.send(client, wire.reply(seq, "ok", *reply))

    def _rest(self) -> None:
        """Nobody knows how long a run stays: what was decided meanwhile is recorded when it rests.

        That it waits for a limit is said.
        """
        run = self.run
        if not all(client.claim for client in self._workers() if client.name != CONTROL):
            return
        waits = run.limit_left() is not None
        if waits and (told := run.resting.told()) != self._waits_told:
            self._waits_told = told
            self.ring("told")
        if (run.here.stay or waits) and run.drafted != self._rang_at:
            self._rang_at = run.drafted
            if self.landings.has_drafts():
                self.ring("rest")

    def _send_courier(self) -> None:
        courier = self.clients.get(COURIER)
        if courier is None or not courier.claim:
            return
        errand = self.run.remote.next()
        if errand is not None:
            seq, courier.claim = courier.claim, ""
            self.send(courier, wire.reply(seq, "ok", *errand))

    def _workers(self) -> list[Client]:
        return [client for client in self.clients.values() if client.name != COURIER]

    def _next_for(self, client: Client) -> Reply | None:
        run = self.run
        if run.draining:
            return "stop", "the run is ending"
        while True:
            chosen = run.choose()
            if chosen is not None and not self.hands.gives(chosen[0]):
                continue
            if chosen is not None:
                chosen = run.assignment.affordable(*chosen)
                if chosen is None:
                    continue
                try:
                    client.work, reply = self.attempts.begin(client.name, *chosen)
                    return reply
                except OrkestraError as error:
                    run.say("error", f"{chosen[0].id} cannot be given out: {error.message}")
                    raise
            if any(other.work is not None for other in self.clients.values()) or run.waits():
                return None
            if not run.release_held():
                return None if run.here.stay else ("stop", "nothing is left to do")

    # --- votes ---------------------------------------------------------------------------------------------

    def _vote_open(self, work: Work, base: str, tree: str, patch_id: str) -> Reply:
        run = self.run
        asks = not work.ballot and run.purse.allowances.of_task(work.task)
        if asks and not votes.standing(run, work.task.id, patch_id):
            electors = self.review.electors
            chosen = electors.for_choice(work) if work.mode == CHOOSE else electors.electorate(work)
            members = [one for one in chosen["electorate"] if one["kind"] == "ai"]
            if why := run.purse.refuses_review(work, [one["member"] for one in members]):
                return self.endings.person(work, why)
        if work.mode == CHOOSE:
            return self.choosing.open(work, base, tree)
        return self.review.open(work, base, tree, patch_id)

    def _vote_close(self, work: Work, name: str) -> Reply:
        """A change that is sent back is an agent's work once more, and may be more than a budget has left."""
        run = self.run
        run.meter.ballots(work)
        if work.mode == CHOOSE:
            return self.choosing.close(work, name)
        reply = self.review.close(work, name)
        if reply[0] != "revise" or not run.purse.allowances.hold(work.task):
            return reply
        if why := run.purse.refuses(work.task, work.agent, again=True):
            self.endings.released(work, why)
            return "spent", why
        tickets.for_task(run, work)
        return reply

    def _ask_close(self, work: Work, name: str) -> Reply:
        self.run.meter.ballots(work)
        return self.asking.close(work, name)

    # --- control -------------------------------------------------------------------------------------------

    def _worker(self, name: str, life: str) -> Reply:
        if not _NAME.match(name) or name in (CONTROL, COURIER):
            raise OrkestraError(EX_DATA, f"{name[:40]!r} cannot be the name of a worker")
        self.open(name).life = str(wire.number(life))
        return ()

    def _courier(self, phase: str) -> Reply:
        if phase not in ("start", "run", "end", "stop"):
            raise OrkestraError(EX_DATA, f"{phase[:40]!r} is no time for a courier")
        self.open(COURIER)
        self.run.remote.begin(phase)
        return ()

    def _courier_end(self) -> Reply:
        self.run.remote.end()
        return ()

    def _plan(self) -> Reply:
        run = self.run
        ready = sum(1 for _ in run.queue.ready()) + sum(1 for _ in run.resting.waiting())
        work = any(not task.asks for task in run.queue.ready())
        here = run.here.runtime
        missing = shares.look(run.project, run.here.git)
        place = Place(here, run.here.workspaces / "w0", run.here.project)
        files.write_plain(here / "baseline-check", run.project.check)
        files.write_plain(here / "baseline-timeout", str(run.project.check_timeout))
        files.write_plain(here / "setup", run.project.setup)
        files.write_plain(here / "baseline-binds", tickets.nul(shares.triples(place, run.project.share)))
        # A question is answered on the branch as it is, whatever its check says.
        check = "1" if run.project.check.strip() and (work or run.here.stay) else "0"
        paused = "1" if run.pauses.now.everything else "0"
        return str(ready), str(run.queue.unfinished()), check, paused, *missing

    def _drain(self) -> Reply:
        self.run.draining = True
        return ()

    def _refresh(self, head: str) -> Reply:
        self.run.refresh(self.run.here.git.commit(head) or head)
        return ()

    def _summary(self) -> Reply:
        code, text = summary(self.run)
        return str(code), text

    def _bye(self) -> Reply:
        self.stopping = True
        return ()

    def close(self) -> None:
        """The last answers out, pipes away, the log on the disk."""
        for client in list(self.clients.values()):
            client.write()
            if client.work is not None:
                self.endings.interrupted(client.work)
                client.work = None
            client.close()
        self.run.here.objects.close()
        self.run.journal.close()


def _arguments(words: Sequence[str]) -> Path:
    if len(words) != 2 or words[0] != "--runtime":
        raise OrkestraError(EX_USAGE, "usage: python -m orkestra_shim.store --runtime FOLDER")
    folder = Path(words[1])
    if not folder.is_dir():
        raise OrkestraError(EX_USAGE, f"{folder} is not a folder")
    return folder


def main(words: Sequence[str]) -> int:
    """Exit code of the store; errors are told on stderr in one or two lines."""
    os.umask(0o077)
    try:
        folder = _arguments(words)
        gc.disable()  # while a million objects come that all stay
        server = Server(folder, Run(Surroundings()))
        gc.freeze()
        gc.enable()
        server.open(CONTROL)
        print("ready", flush=True)
        try:
            server.serve()
        finally:
            server.close()
    except OrkestraError as error:
        print(error.lines(), file=sys.stderr)
        return error.code
    except Exception as error:  # the one place that keeps a traceback from a user
        if os.environ.get("ORKESTRA_DEBUG") == "1":
            raise
        print(
            f"orkestra: the store failed: {type(error).__name__}: {error}\n  ORKESTRA_DEBUG=1 shows where",
            file=sys.stderr,
        )
        return EX_INTERNAL
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
