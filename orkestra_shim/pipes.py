"""Pairs of FIFOs and the loop over them: one process that many ask, and that waits for all at once."""

from __future__ import annotations

import abc
import contextlib
import os
import selectors
import signal
from pathlib import Path

from . import wire
from .errors import EX_CANNOT_WRITE, OrkestraError
from .work import Work

CONTROL = "control"  # the client at whose end everything ends
_LOST_AFTER = 1 << 20  # bytes of replies that a client did not read


class Client:
    """One end of a pair of FIFOs, and what its other end holds."""

    def __init__(self, folder: Path, name: str) -> None:
        """Makes the pair. Raises 73."""
        self.name = name
        self.life = ""  # what the bell is rung with at its end
        self.work: Work | None = None
        self.ended = False  # its last task was put back or recorded: a late word about it is no error
        self.claim = ""  # number of a claim that waits for an answer
        self._process = -1  # a descriptor of the process that asks
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
            raise OrkestraError(EX_CANNOT_WRITE, f"cannot make {self.paths[0]}: {error.strerror}") from None

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

    def meet(self, number: str) -> None:
        """Remember the process that asks: by a descriptor, which never comes to mean another one."""
        with contextlib.suppress(OSError):
            self._process = os.pidfd_open(wire.number(number))

    def poke(self) -> None:
        """Tell the process that what it does is not wanted any more; one that has ended needs no telling."""
        if self._process >= 0:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self._process, signal.SIGUSR1)

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
        for fd in (self.fd, self.reply_fd, self._process):
            if fd >= 0:
                os.close(fd)


class Loop(abc.ABC):
    """Opens pairs for clients by name, and gives every line that comes to `answer`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.selector = selectors.DefaultSelector()
        self.clients: dict[str, Client] = {}
        self.stopping = False
        bell = folder / "bell"
        try:
            bell.unlink(missing_ok=True)
            os.mkfifo(bell, 0o600)
            # Whoever listens sees its end when this process is gone.
            self._bell = os.open(bell, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise OrkestraError(EX_CANNOT_WRITE, f"cannot make {bell}: {error.strerror}") from None

    @abc.abstractmethod
    def answer(self, client: Client, line: bytes) -> bytes:
        """The reply to a line, b'' when it comes later."""

    @abc.abstractmethod
    def lost(self, client: Client) -> None:
        """A client is gone."""

    @abc.abstractmethod
    def idle(self) -> None:
        """All that had come is answered."""

    @abc.abstractmethod
    def timeout(self) -> float | None:
        """Seconds after which `idle` is called though nothing came; None: never."""

    def open(self, name: str) -> Client:
        """A fresh pair for a client; whoever had the name is gone."""
        if name in self.clients:
            self._gone(self.clients[name])
        client = Client(self.folder, name)
        self.clients[name] = client
        self.selector.register(client.fd, selectors.EVENT_READ, client)
        return client

    def ring(self, word: str) -> None:
        """A line on the bell. Nobody lets so many wait that it is full."""
        os.write(self._bell, word.encode() + b"\n")

    def serve(self) -> None:
        """Until bye, the end of control, or a signal."""
        wake, poke = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(poke, warn_on_full_buffer=False)
        self.selector.register(wake, selectors.EVENT_READ, None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._told)
        while not self.stopping:
            for key, events in self.selector.select(self.timeout()):
                if key.data is not None:
                    self._ready(key.data, events)
            if not self.stopping:
                self.idle()

    def _told(self, *_: object) -> None:
        self.stopping = True

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
            self.stopping = self.stopping or client.name == CONTROL
            return
        for line in lines:
            if not self.stopping and self.clients.get(client.name) is client:
                self.send(client, self.answer(client, line))

    def send(self, client: Client, data: bytes) -> None:
        """Give a client what it asked for, now or as soon as it reads."""
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
        self.lost(client)
