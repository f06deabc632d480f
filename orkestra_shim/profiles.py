"""A profile: the options, the ballots and the rules of a vote that is over.

Numbers are integers of any size here; what is counted from them is refused before it grows beyond what jq
keeps exactly (`deciding`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from .errors import EX_DATA, OrkestraError
from .text import printable

MOST_OPTIONS = 100
BASES = ("cast", "present", "members")
RULE = re.compile(r"majority\Z|unanimity\Z|supermajority ([1-9][0-9]{0,8})/([1-9][0-9]{0,8})\Z")
Tiers = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Ballot:
    """What `heads` voters said, and what they weigh together; an option is its place among the candidates."""

    form: str  # ranking, approve, scores, choice or "abstain"
    tiers: Tiers = ()
    scores: tuple[tuple[int, int], ...] = ()
    left_out: frozenset[int] = frozenset()
    motion: str = ""  # yes, no or abstain
    heads: int = 1
    weight: int = 1

    def among(self, kept: dict[int, int]) -> Ballot:
        """The same ballot on fewer options, with their new places."""
        tiers = (tuple(kept[x] for x in tier if x in kept) for tier in self.tiers)
        return replace(
            self,
            tiers=tuple(tier for tier in tiers if tier),
            scores=tuple((kept[x], score) for x, score in self.scores if x in kept),
            left_out=frozenset(kept[x] for x in self.left_out if x in kept),
        )


@dataclass(frozen=True)
class Profile:
    """A vote that is over. `candidates` is empty for a motion."""

    candidates: tuple[str, ...]
    ballots: tuple[Ballot, ...]
    unit: int = 1  # what one vote weighs
    members: int | None = None
    absent_weight: int = 0  # of members that gave no ballot
    quorum: int | None = None
    method: str | None = None
    rule: str | None = None
    of: str | None = None
    seed: str | None = None
    default: int | None = None
    default_quorum: int = 0
    majority: dict[int, tuple[int, int]] = field(default_factory=dict)
    evidence: tuple[int, ...] | None = None
    person: int | None = None

    @property
    def present(self) -> int:
        """Heads that gave a ballot, abstentions included."""
        return sum(ballot.heads for ballot in self.ballots)

    @property
    def quorum_needed(self) -> int:
        """Heads that must be present: as the profile says, else 6/10 of the known members, at least one."""
        if self.quorum is not None:
            return self.quorum
        return max(1, -(-6 * (self.members or 0) // 10))


def wrong(what: str, hint: str = "") -> OrkestraError:
    """The error for a profile that cannot be counted."""
    return OrkestraError(EX_DATA, what, hint)


def shown(value: object) -> str:
    """A name or value from a profile, short and harmless, for a complaint."""
    import json

    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=True, default=str)
    text = printable(text)
    return f'"{text[:60]}..."' if len(text) > 60 else f'"{text}"' if isinstance(value, str) else text


def names(given: object) -> tuple[str, ...]:
    """The options, each with a name of its own."""
    if not isinstance(given, list):
        raise wrong('"candidates" must be a list of names')
    if not given:
        raise wrong('"candidates" names no option', "a motion has none: leave the key out")
    if len(given) > MOST_OPTIONS:
        raise wrong(f"{len(given)} options are too many: {MOST_OPTIONS} can be counted")
    for name in given:
        if not isinstance(name, str) or not name.strip():
            raise wrong(f"an option must have a name, not {shown(name)}")
        if any("\ud800" <= char <= "\udfff" for char in name):
            raise wrong(f"the option {shown(name)} is not Unicode text")
    twice = [name for name in given if given.count(name) > 1]
    if twice:
        raise wrong(f"the option {shown(twice[0])} is named twice")
    return tuple(given)
