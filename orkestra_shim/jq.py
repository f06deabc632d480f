"""Running the .jq programs beside the scripts, through pyjq; they may include what stands beside them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from .errors import EX_DATA, EX_INTERNAL, EX_USAGE, OrkestraError


@functools.cache
def _program(path: Path) -> Any:
    import pyjq  # type: ignore[import-untyped]  # heavy, and not needed to read a queue

    try:
        return pyjq.compile(path.read_text(encoding="utf-8"), library_paths=[str(path.parent)])
    except OSError as error:
        raise OrkestraError(EX_INTERNAL, f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise OrkestraError(EX_INTERNAL, f"{path} is not a jq program: {error}") from None


def run(path: Path, value: Any) -> Any:
    """The one result of the program at path over value. A program that fails or gives several raises 65."""
    try:
        results = _program(path).all(value)
    except Exception as error:  # pyjq's own error type is a bare Exception subclass
        if isinstance(error, OrkestraError):
            raise
        raise OrkestraError(EX_DATA, f"{path.name}: {str(error).splitlines()[0][:300]}") from None
    if len(results) != 1:
        raise OrkestraError(EX_DATA, f"{path.name} gave {len(results)} results, one was expected")
    return results[0]


def every(text: str, value: Any) -> list[Any]:
    """All results of a person's own program over value. Raises 64 for no program, 65 when it fails."""
    import pyjq

    try:
        program = pyjq.compile(text)
    except ValueError as error:
        raise OrkestraError(EX_USAGE, f"--jq is not a jq program: {_first(error)}") from None
    try:
        return [_whole(result) for result in program.all(value)]
    except Exception as error:  # as above
        raise OrkestraError(EX_DATA, f"--jq: {_first(error)}") from None


def _first(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def _whole(value: Any) -> Any:
    """pyjq gives whole numbers beyond 32 bits as floats."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
        return int(value)
    if isinstance(value, list):
        return [_whole(one) for one in value]
    if isinstance(value, dict):
        return {key: _whole(one) for key, one in value.items()}
    return value
