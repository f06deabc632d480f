"""What a verification found."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Report:
    """findings: (record, what does not hold), the first record first; notes: worth knowing."""

    findings: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Nothing was found wrong."""
        return not self.findings

    def find(self, record: str, text: str) -> None:
        """One more finding."""
        self.findings.append((record, text))
