"""Running the .jq programs beside the scripts, through pyjq; they may include what stands beside them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from .errors import EX_DATA, EX_INTERNAL, OrkestraError


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
