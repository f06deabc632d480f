"""The tally of a vote. Python counts (`counting`), the jq programs in SCRIPTS/COMMITTEE/tally decide."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

from . import counting, irv
from .deciding import decide, exact, fraction, scaled
from .errors import EX_DATA, EX_USAGE, OrkestraError
from .profiles import BASES, RULE, Ballot, Profile, shown, wrong

Result = dict[str, Any]

_RANKED = frozenset({"ranking", "choice", "approve", "scores"})
METHODS: dict[str, frozenset[str]] = {  # the forms of ballots that it counts
    "plurality": frozenset({"ranking", "choice"}),
    "approval": frozenset({"approve", "choice"}),
    "score": frozenset({"scores"}),
    "star": frozenset({"scores"}),
    "borda": _RANKED,
    "irv": _RANKED,
    "copeland": _RANKED,
    "minimax": _RANKED,
    "schulze": _RANKED,
    "ranked-pairs": _RANKED,
}
_PAIRWISE = ("copeland", "minimax", "schulze", "ranked-pairs")
_DEFAULTS = {"ranking": "schulze", "choice": "plurality", "approve": "approval", "scores": "score"}
_LOCKS = 2_000_000  # times the square of the number of options: what ranked-pairs may lock on its search


def tally(
    profile: Profile,
    method: str | None = None,
    rule: str | None = None,
    of: str | None = None,
    seed: str | None = None,
) -> Result:
    """The result of a vote, ready for JSON; what is given here goes before what the profile says.

    Raises OrkestraError 64 for a method or rule that is none, 65 for a profile that cannot be counted so.
    """
    exact([profile.present, sum(ballot.weight for ballot in profile.ballots)], 2)
    if profile.candidates:
        if rule is not None or of is not None:
            raise OrkestraError(EX_USAGE, "--rule and --of are for a motion: this profile has candidates")
        return _Options(profile, _method(profile, method), profile.seed if seed is None else seed).result()
    if method is not None or profile.method is not None:
        code = EX_DATA if method is None else EX_USAGE
        raise OrkestraError(code, "a method is for several options: this profile has no candidates")
    return _motion(profile, rule, of)


# --- motions ------------------------------------------------------------------------------------------------


def _motion(profile: Profile, asked_rule: str | None, asked_of: str | None) -> Result:
    rule, of = asked_rule or profile.rule or "majority", asked_of or profile.of or "cast"
    match = RULE.match(rule)
    if match is None or (match[1] and int(match[1]) > int(match[2])):
        hint = 'majority, unanimity, or "supermajority P/Q" such as 2/3'
        raise OrkestraError(EX_USAGE if asked_rule else EX_DATA, f"{shown(rule)} is no rule", hint)
    if of not in BASES:
        hint = f"one of {', '.join(BASES)}"
        raise OrkestraError(EX_USAGE if asked_of else EX_DATA, f"{shown(of)} is no base of a vote", hint)
    if of == "members" and profile.members is None:
        raise wrong('a vote of the members needs "members" in the profile')
    votes = dict.fromkeys(("yes", "no", "abstain"), 0)
    for ballot in profile.ballots:
        votes[ballot.motion] += ballot.weight
    everyone = sum(votes.values()) + profile.absent_weight
    exact([everyone], int(match[2] or 2))
    heads = {"present": profile.present, "quorum": profile.quorum_needed}
    said = decide("motion-only", {"rule": rule, "of": of, **votes, "all": everyone, **heads})
    adopted = said["adopted"] and said["quorum_met"]
    return {
        "rule": rule,
        "of": of,
        "adopted": adopted,
        "outcome": "no-quorum" if not said["quorum_met"] else "adopted" if adopted else "rejected",
        **votes,
        "base": said["base"],
        "unit": profile.unit,
        **_quorum(profile),
    }


def _quorum(profile: Profile) -> Result:
    return {
        "present": profile.present,
        "members": profile.members,
        "quorum": profile.quorum_needed,
        "quorum_met": profile.present >= profile.quorum_needed,
    }


# --- several options ----------------------------------------------------------------------------------------


def _method(profile: Profile, wanted: str | None) -> str:
    """The method that is asked for, or the one that fits the ballots."""
    forms = {ballot.form for ballot in profile.ballots} - {"abstain"}
    name = wanted or profile.method
    if name is None:
        common = forms.pop() if len(forms) == 1 and profile.default is None else "ranking"
        return _DEFAULTS[common]
    if name not in METHODS:
        code = EX_USAGE if wanted else EX_DATA
        raise OrkestraError(code, f"{shown(name)} is no method", f"one of {', '.join(METHODS)}")
    other = sorted(forms - METHODS[name])
    if other:
        needed = " or ".join(f'"{form}"' for form in sorted(METHODS[name]))
        raise wrong(f'{name} cannot count ballots with "{other[0]}"', f"it counts {needed}")
    if name not in _PAIRWISE and any(ballot.left_out for ballot in profile.ballots):
        raise wrong(f'{name} cannot count ballots with "left_out"', f"one of {', '.join(_PAIRWISE)} can")
    return name


class _Options:
    """A tally of several options, under way."""

    def __init__(self, profile: Profile, method: str, seed: str | None) -> None:
        self.profile = profile
        self.method = method
        self.seed = seed
        self.lots = None if seed is None else counting.lots(seed, profile.candidates)
        self.kept = list(range(len(profile.candidates)))  # that the default option leaves
        self.ballots: Sequence[Ballot] = [one for one in profile.ballots if one.form != "abstain"]
        self.weight = sum(ballot.weight for ballot in self.ballots)
        self.matrix = counting.pairwise(self.ballots, len(self.kept))
        exact([self.weight], 2 * len(self.kept))

    def result(self) -> Result:
        profile, names = self.profile, self.profile.candidates
        default = self._against_default()
        said = self._decided()
        tie = None
        if profile.present < profile.quorum_needed:
            said = {**said, "winners": [], "ranking": None}
        else:
            tie = self._tie(said["winners"])
        elected: int | None = said["winners"][0] if len(said["winners"]) == 1 else None
        if tie is not None:
            elected = tie["elected"]
        outcome = "elected" if elected is not None else "tie" if said["winners"] else "no-quorum"
        parts, tiers = said.get("parts", 1), said["ranking"]
        return {
            "method": self.method,
            "outcome": outcome,
            "elected": None if elected is None else names[self.kept[elected]],
            "winners": self._names(said["winners"]),
            "ranking": None if tiers is None else [self._names(tier) for tier in tiers],
            "scores": said["scores"] and self._table([fraction(Fraction(n, parts)) for n in said["scores"]]),
            "pairwise": {
                name: {other: self.matrix[a][b] for b, other in enumerate(names) if a != b}
                for a, name in enumerate(names)
            },
            "rounds": said.get("rounds"),
            "tie_break": tie and self._broken(tie),
            **self._more(said),
            **({} if default is None else {"default": default}),
            "candidates": list(names),
            "unit": profile.unit,
            "weight": sum(ballot.weight for ballot in profile.ballots),
            **_quorum(profile),
        }

    def _names(self, options: Iterable[int]) -> list[str]:
        return [self.profile.candidates[self.kept[option]] for option in options]

    def _table(self, values: Iterable[Any]) -> Result:
        return {
            self.profile.candidates[option]: value for option, value in zip(self.kept, values, strict=True)
        }

    def _more(self, said: Result) -> Result:
        """What one method says beside the rest."""
        more: Result = {}
        if "beatpaths" in said:
            more["beatpaths"] = self._table(
                {name: n for name, n in self._table(row).items() if name != self._names([at])[0]}
                for at, row in enumerate(said["beatpaths"])
            )
        for key in ("locked", "skipped"):
            if key in said:
                more[key] = [self._names(pair) for pair in said[key]]
        if "runoffs" in said:
            more["runoffs"] = [self._table_of(one["between"], one["prefer"]) for one in said["runoffs"]]
        return more

    def _table_of(self, options: list[int], values: list[Any]) -> Result:
        return dict(zip(self._names(options), values, strict=True))

    # --- the default option -----------------------------------------------------------------------------

    def _against_default(self) -> Result | None:
        """Drops what the default option beats; the ballots go on without it."""
        profile = self.profile
        if profile.default is None:
            return None
        count = len(self.kept)
        majority = [profile.majority.get(option, (1, 1)) for option in range(count)]
        above = counting.heads_above(self.ballots, count, profile.default)
        exact([self.weight], max(max(pair) for pair in majority))
        exact([profile.default_quorum], 1)
        said = decide(
            "default-option",
            {
                "pairwise": self.matrix,
                "default": profile.default,
                "quorum": profile.default_quorum,
                "above": above,
                "majority": majority,
            },
        )
        dropped = [{**one, "option": profile.candidates[one["option"]]} for one in said["dropped"]]
        self.kept = said["kept"]
        places = {old: new for new, old in enumerate(self.kept)}
        self.ballots = [ballot.among(places) for ballot in self.ballots]
        if self.lots is not None:
            self.lots = [self.lots[option] for option in self.kept]
        return {
            "option": profile.candidates[profile.default],
            "quorum": profile.default_quorum,
            "majority": {
                profile.candidates[option]: f"{p}:{q}" for option, (p, q) in profile.majority.items()
            },
            "dropped": dropped,
        }

    # --- the method -------------------------------------------------------------------------------------

    def _decided(self) -> Result:
        """winners, scores, ranking of the kept options, by the method."""
        if self.method == "irv":
            return self._instant()
        count = len(self.kept)
        value: Result = {
            "pairwise": [[self.matrix[a][b] for b in self.kept] for a in self.kept],
            "total": self.weight,
            "effort": _LOCKS // count**2,
        }
        sums: dict[str, Callable[[], Sequence[int | Fraction]]] = {
            "plurality": lambda: counting.firsts(self.ballots, range(count), count),
            "approval": lambda: counting.approvals(self.ballots, count),
            "score": lambda: counting.scores(self.ballots, count),
            "star": lambda: counting.scores(self.ballots, count),
        }
        parts = 1
        if self.method in sums:
            value["sums"], parts = scaled(sums[self.method]())
        program = "highest-sum" if self.method in ("plurality", "approval", "score") else self.method
        said = decide(program, value)
        if "problem" in said:
            raise wrong(f"{self.method}: {said['problem']}", "schulze has no such limit")
        return {"parts": parts, **said}

    def _instant(self) -> Result:
        """irv, whose rounds name the options."""
        rounds, winners = irv.count(self.ballots, len(self.kept), self.lots)
        told = []
        for one in rounds:
            votes = sum(one.counts.values(), Fraction())
            told.append(
                {
                    "counts": self._table_of(list(one.counts), list(map(fraction, one.counts.values()))),
                    "continuing": fraction(votes),
                    "exhausted": fraction(self.weight - votes),
                    "elected": self._names(one.elected),
                    "dropped": self._names(one.dropped),
                    "tie": {"among": self._names(one.among), "by": one.by} if one.among else None,
                }
            )
        return {"winners": winners, "scores": None, "ranking": irv.ranking(rounds), "rounds": told}

    # --- ties -------------------------------------------------------------------------------------------

    def _tie(self, winners: list[int]) -> Result | None:
        evidence, person = self.profile.evidence, self.profile.person
        exact(evidence or (), 1)
        broken: Result | None = decide(
            "tie-break",
            {
                "winners": winners,
                "evidence": evidence and [evidence[option] for option in self.kept],
                "person": self.kept.index(person) if person in self.kept else None,
                "lots": self.lots,
            },
        )
        return broken

    def _broken(self, tie: Result) -> Result:
        told: Result = {
            "among": self._names(tie["among"]),
            "by": tie["by"],
            "elected": None if tie["elected"] is None else self._names([tie["elected"]])[0],
        }
        if tie["by"] == "seed" and self.lots is not None:
            lots = self.lots
            told["seed"] = self.seed
            told["drawn"] = self._names(sorted(tie["among"], key=lambda option: lots[option]))
        return told
