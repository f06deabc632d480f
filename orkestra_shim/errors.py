"""The one error type and the exit codes of the whole package (the table every command keeps)."""

from __future__ import annotations

EX_OK = 0
EX_FAILED = 1
EX_HELD = 16
EX_USAGE = 64
EX_DATA = 65
EX_UNAVAILABLE = 69
EX_INTERNAL = 70
EX_CANNOT_WRITE = 73
EX_LIMITED = 75
EX_LOGIN = 77
EX_CONFIG = 78
EX_WITHHELD = 79
EX_TIMEOUT = 124
EX_INTERRUPTED = 130
EX_TERMINATED = 143

MEANINGS = {
    EX_OK: "all done, or nothing to do",
    EX_FAILED: "a task failed or needs a person, a record does not hold, or not all could be mended",
    EX_HELD: "another run holds the project; which one",
    EX_USAGE: "wrong usage",
    EX_DATA: "bad data; the file, the line, what was expected",
    EX_UNAVAILABLE: "something is missing, or no agent can work; each one's reason",
    EX_INTERNAL: "a defect of Orkestra's own; `ORKESTRA_DEBUG=1` shows where",
    EX_CANNOT_WRITE: "cannot write",
    74: "between parts of a run: a job of a cluster was lost, and is done again",
    EX_LIMITED: "every usable agent is limited, or a budget is used up; until when, or which",
    76: "between parts of a run: a worker let its task go, and is started again",
    EX_LOGIN: "an agent is not logged in, or its key is refused",
    EX_CONFIG: "bad configuration",
    EX_WITHHELD: "between parts of a run: what an agent left holds a key, and is kept apart",
    EX_TIMEOUT: "an agent or a check took longer than it may; from scripts and adapters",
    EX_INTERRUPTED: "stopped by a person; Ctrl-C, or a no to what was asked",
    EX_TERMINATED: "stopped by TERM",
}


class OrkestraError(Exception):
    """What a person is told: what is wrong and where, and (hint) what to do now."""

    def __init__(self, code: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def lines(self) -> str:
        """The one or two lines for stderr, without the final newline."""
        text = f"orkestra: {self.message}"
        return f"{text}\n  {self.hint}" if self.hint else text
