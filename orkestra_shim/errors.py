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
