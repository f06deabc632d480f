"""Between the counts and the jq programs in SCRIPTS/COMMITTEE/tally, which decide by them.

jq keeps numbers as doubles: whatever could grow beyond 2^53 - 1 on the way is refused, never rounded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

from . import jq
from .canonical import MAX_INTEGER
from .home import framework_root, scripts_folder
from .profiles import wrong


def decide(program: str, value: dict[str, Any]) -> Any:
    """What SCRIPTS/COMMITTEE/tally/PROGRAM.jq says."""
    return _integers(
        jq.run(scripts_folder(framework_root()) / "COMMITTEE" / "tally" / f"{program}.jq", value)
    )


def _integers(value: Any) -> Any:
    """pyjq gives an integer beyond 32 bits as a float; within the bounds kept here it is still exact."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_integers(one) for one in value]
    if isinstance(value, dict):
        return {key: _integers(one) for key, one in value.items()}
    return value


def exact(numbers: Iterable[int], factor: int) -> None:
    """Refuses numbers that, times `factor`, jq would round."""
    if max((abs(number) for number in numbers), default=0) * factor > MAX_INTEGER:
        raise wrong(
            "the counts, weights or scores are too large to be counted exactly",
            f"nothing may grow beyond {MAX_INTEGER} on the way: divide what they have in common",
        )


def scaled(numbers: Sequence[int | Fraction]) -> tuple[list[int], int]:
    """(integers, what they are parts of): the same numbers for jq."""
    fractions = [Fraction(number) for number in numbers]
    parts = math.lcm(*(number.denominator for number in fractions))
    integers = [int(number * parts) for number in fractions]
    exact([sum(abs(number) for number in integers)], 2)
    return integers, parts


def fraction(number: Fraction) -> int | str:
    """For JSON: an integer, else "p/q"."""
    return int(number) if number.denominator == 1 else f"{number.numerator}/{number.denominator}"
