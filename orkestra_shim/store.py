"""The store of a run: the single writer of queue, votes, outcomes and execution log, asked over pipes.

    python -m orkestra_shim.store --runtime RUNDIR

Each client has a pair of FIFOs in RUNDIR, NAME.req and NAME.rep; `control` is the orchestrator. A line
is a request or its reply (wire.py). A claim is answered when there is something to do, so nobody polls.
The store itself wakes up by itself only while a claim waits and there is something to watch.
"""

from __future__ import annotations

import gc
import os
import re
import selectors
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from . import errors, files, tickets, wire
from .attempt import Attempts
from .endings import Endings
from .errors import EX_DATA, EX_INTERNAL, EX_USAGE, OrkestraError
from .journal import LogLost
from .landing import Landings
from .review import Review
from .run import Run
from .summary import summary
from .surroundings import Surroundings
from .work import Place, Reply, Work

_NAME = re.compile(r"[a-z][a-z0-9]{0,31}\Z")
_LOST_AFTER = 1 << 20  # bytes of replies that a client did not read


class Client:
    """One end of a pair of FIFOs."""

    def __init__(self, folder: Path, name: str) -> None:
        """Makes the pair. Raises 73."""
        self.name = name
        self.work: Work | None = None
        self.ended = False  # its last task was put back or recorded: a late word about it is no error
        self.claim = ""  # number of a claim that waits for an answer
        self._in, self.out = b"", b""
        self._skipping = False
        self.paths = [folder / f"{name}.req", folder / f"{name}.rep"]
        try:
            for path in self.paths:
                path.unlink(missing_ok=True)
                os.mkfifo(path, 0o600)
            self.fd = os.open(self.paths[0], os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            # Read and write: opening never waits for the client; its death shows at the request pipe.
            self.reply_fd = os.open(self.paths[1], os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise OrkestraError(
                errors.EX_CANNOT_WRITE, f"cannot make {self.paths[0]}: {error.strerror}"
            ) from None

    def read(self) -> list[bytes] | None:
        """Whole lines that have come; None at the end of the pipe. An endless line is dropped, not kept."""
        try:
            data = os.read(self.fd, 1 << 16)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        *lines, rest = (self._in + data).split(b"\n")
        if self._skipping and lines:
            lines, self._skipping = lines[1:], False
        if len(rest) > wire.MAX_LINE:
            rest, self._skipping = b"", True
            lines.append(b"\t")  # refused as what it is: a line without a number
        self._in = rest
        return lines

    def write(self) -> bool:
        """Send what the pipe takes; True when all is sent."""
        while self.out:
            try:
                sent = os.write(self.reply_fd, self.out)
            except BlockingIOError:
                return False
            except OSError:
                self.out = b""
                return True
            self.out = self.out[sent:]
        return True

    def close(self) -> None:
        """Both pipes away: a client that still waits for an answer sees the end."""
        for path in self.paths:
            path.unlink(missing_ok=True)
        os.close(self.fd)
        os.close(self.reply_fd)


Handler = tuple[Callable[..., Reply], int, int]


class Server:
    """The loop over all clients."""

    def __init__(self, folder: Path, run: Run) -> None:
        self.folder = folder
        self.run = run
        self.endings = Endings(run)
        review = Review(run, self.endings)
        self.attempts = Attempts(run, review, self.endings)
        self.landings = Landings(run, self.endings)
        self.selector = selectors.DefaultSelector()
        self.clients: dict[str, Client] = {}
        self.stopping = False
        steps, ends, lands = self.attempts, self.endings, self.landings
        self.worker_verbs: dict[str, Handler] = {
            "base": (steps.base, 1, 1),
            "worked": (steps.worked, 2, 3),
            "taken": (steps.taken, 2, 2),
            "checked": (steps.checked, 3, 3),
            "gated": (steps.gated, 0, 1),
            "vote-open": (review.open, 3, 3),
            "vote-close": (review.close, 1, 1),
            "conflict": (ends.conflict, 1, 2),
            "failed": (ends.fail, 1, 1),
            "released": (ends.released, 1, 1),
            "held": (ends.held, 2, 2),
            "draw": (lands.draw, 0, 0),
            "record": (lands.record, 6, 6),
            "landed": (lands.landed, 2, 2),
            "settled": (ends.settled, 0, 0),
        }
        self.control_verbs: dict[str, Handler] = {
            "hello": (lambda: (), 0, 0),
            "worker": (self._worker, 1, 1),
            "plan": (self._plan, 0, 0),
            "drain": (self._drain, 0, 0),
            "refresh": (self._refresh, 1, 1),
            "finish": (lands.finish, 0, 0),
            "recorded": (lands.recorded, 1, 1),
            "summary": (self._summary, 0, 0),
            "bye": (self._bye, 0, 0),
        }

    def open(self, name: str) -> None:
        """A fresh pair for a client; whoever had the name is gone."""
        if name in self.clients:
            self._gone(self.clients[name])
        client = Client(self.folder, name)
        self.clients[name] = client
        self.selector.register(client.fd, selectors.EVENT_READ, client)

    # --- loop ----------------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Until bye, the end of control, or a signal."""
        wake, poke = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(poke, warn_on_full_buffer=False)
        self.selector.register(wake, selectors.EVENT_READ, None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._told)
        while not self.stopping:
            for key, events in self.selector.select(self._timeout()):
                if key.data is not None:
                    self._ready(key.data, events)
            if not self.stopping:
                self._serve_claims()

    def _told(self, *_: object) -> None:
        self.stopping = True

    def _timeout(self) -> float | None:
        """Seconds to the next reason to wake up: none at all unless a claim waits."""
        if not any(client.claim for client in self.clients.values()):
            return None
        times = [max(self.run.edits.file.due(), 0.05)]
        if self.run.here.stay and (until := self.run.next_time()) is not None:
            times.append(max(0.05, until - time.time()))
        return min(times)

    def _ready(self, client: Client, events: int) -> None:
        if self.clients.get(client.name) is not client:
            return
        if events & selectors.EVENT_WRITE:
            self._flush(client)
        if not events & selectors.EVENT_READ:
            return
        lines = client.read()
        if lines is None:
            self._gone(client)
            self.stopping = self.stopping or client.name == "control"
            return
        for line in lines:
            if not self.stopping and self.clients.get(client.name) is client:
                self._send(client, self._answer(client, line))

    def _send(self, client: Client, data: bytes) -> None:
        if data:
            client.out += data
            self._flush(client)

    def _flush(self, client: Client) -> None:
        done = client.write()
        if len(client.out) > _LOST_AFTER:
            self._gone(client)
            return
        want = not done and client.reply_fd not in self.selector.get_map()
        if want:
            self.selector.register(client.reply_fd, selectors.EVENT_WRITE, client)
        elif done and client.reply_fd in self.selector.get_map():
            self.selector.unregister(client.reply_fd)

    def _gone(self, client: Client) -> None:
        for fd in (client.fd, client.reply_fd):
            if fd in self.selector.get_map():
                self.selector.unregister(fd)
        del self.clients[client.name]
        client.close()
        if client.work is not None:
            work, client.work = client.work, None
            self.run.edits.look_again()
            self.endings.interrupted(work)

    # --- requests ------------------------------------------------------------------------------------------

    def _answer(self, client: Client, line: bytes) -> bytes:
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
        if client.name == "control":
            handler = self.control_verbs.get(verb)
            self._count(handler, verb, fields)
            return handler[0](*fields) if handler else ()
        if verb == "hello":
            return ()
        if verb == "claim":
            self._count((self._bye, 0, 0), verb, fields)
            self._claim(client, request.seq)
            return None
        handler = self.worker_verbs.get(verb)
        self._count(handler, verb, fields)
        if client.work is None:
            if client.ended and verb in ("failed", "released"):
                return ("kept",)
            raise OrkestraError(EX_DATA, f"{verb}: this worker holds no task")
        reply = handler[0](client.work, *fields) if handler else ()
        if client.work.done:
            self.run.edits.look_again()
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
        client.claim = seq
        self.run.edits.take_in(now=True)

    def _serve_claims(self) -> None:
        waiting = [client for client in self.clients.values() if client.claim]
        if not waiting:
            return
        self.run.edits.take_in()
        for client in waiting:
            reply = self._next_for(client)
            if reply is None:
                return
            seq, client.claim = client.claim, ""
            self._send(client, wire.reply(seq, "ok", *reply))

    def _next_for(self, client: Client) -> Reply | None:
        run = self.run
        if run.draining:
            return "stop", "the run is ending"
        while True:
            chosen = run.choose()
            if chosen is not None:
                try:
                    client.work, reply = self.attempts.begin(client.name, *chosen)
                    return reply
                except OrkestraError as error:
                    run.say("error", f"{chosen[0].id} cannot be given out: {error.message}")
                    raise
            if any(other.work is not None for other in self.clients.values()):
                return None
            if not run.release_held():
                return None if run.here.stay else ("stop", "nothing is left to do")

    # --- control -------------------------------------------------------------------------------------------

    def _worker(self, name: str) -> Reply:
        if not _NAME.match(name) or name == "control":
            raise OrkestraError(EX_DATA, f"{name[:40]!r} cannot be the name of a worker")
        self.open(name)
        return ()

    def _plan(self) -> Reply:
        run = self.run
        ready = sum(1 for _ in run.queue.ready())
        here = run.here.runtime
        place = Place(here, run.here.workspaces / "w0", run.here.project)
        files.write_plain(here / "baseline-check", run.project.check)
        files.write_plain(here / "baseline-timeout", str(run.project.check_timeout))
        files.write_plain(here / "baseline-binds", tickets.nul(tickets.binds(place, run.project.share)))
        return str(ready), str(run.queue.unfinished()), "1" if run.project.check.strip() else "0"

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
        server.open("control")
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
