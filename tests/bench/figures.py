"""What a measurement gives: figures, each beside its promise; as a table and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Figure:
    """One promise: `value` is kept when it is at most `bound`; without a bound it is only told."""

    name: str
    what: str
    value: float | None
    unit: str
    bound: float | None
    compared: str
    skipped: str = ""

    @property
    def met(self) -> bool | None:
        """None where nothing was promised, or nothing measured."""
        return None if self.value is None or self.bound is None else self.value <= self.bound


@dataclass
class Row:
    """A row of the table of promises: its figures, and all that was measured for them."""

    name: str
    figures: list[Figure]
    measured: dict[str, Any] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """As it is written."""
        figures = [{**asdict(each), "met": each.met} for each in self.figures]
        return {"name": self.name, "figures": figures, "measured": self.measured}


def table(rows: list[Row]) -> str:
    """One line for each figure."""
    lines = [f"{'row':10} {'measured':52} {'value':>11}  {'promise':>11}  met      compared with"]
    for row in rows:
        for each in row.figures:
            value = "-" if each.value is None else _number(each.value, each.unit)
            bound = "-" if each.bound is None else f"<= {_number(each.bound, each.unit)}"
            met = "SKIPPED" if each.skipped else {True: "yes", False: "NO", None: "-"}[each.met]
            compared = f"{each.compared} ({each.skipped})" if each.skipped else each.compared
            lines.append(f"{row.name:10} {each.what:52} {value:>11}  {bound:>11}  {met:7}  {compared}")
    return "\n".join(lines)


def _number(value: float, unit: str) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:.{digits}f} {unit}".rstrip()
