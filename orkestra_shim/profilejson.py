"""A profile in JSON, checked. What is wrong with it is OrkestraError 65 and names the ballot."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from . import jsonfile
from .profiles import Ballot, Profile, Tiers, names, shown, wrong

_WHOLE_VOTE = 1000  # the weight of one vote, where weights are given
_MOTION = {
    "yes": "yes",
    "approve": "yes",
    "no": "no",
    "revise": "no",
    "reject": "no",
    "abstain": "abstain",
}
_RATIO = re.compile(r"([1-9][0-9]{0,8})(?:[/:]([1-9][0-9]{0,8}))?\Z")
_FORMS = ("ranking", "approve", "scores", "choice")


def read(text: str, where: str) -> Profile:
    """The profile in a JSON text; `where` it is from. Raises OrkestraError 65."""
    value = jsonfile.parse(text, where, pairs=_no_key_twice)
    if str(value.get("format", "")).startswith("orkestra."):
        raise wrong(f"{where} is a record, not a profile", "orkestra verify counts the votes on record again")
    return _Reader(value).profile()


def of(value: dict[str, Any]) -> Profile:
    """The profile in an object. Raises OrkestraError 65."""
    return _Reader(value).profile()


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise wrong(f"the key {shown(twice)} stands twice in one object")
    return found


class _Reader:
    """One JSON object on its way to a profile."""

    def __init__(self, value: dict[str, Any]) -> None:
        self.value = value
        self.is_motion = value.get("candidates") is None
        self.names = () if self.is_motion else names(value["candidates"])
        self.place = {name: at for at, name in enumerate(self.names)}
        self.voted: set[str] = set()
        self.weights = self._weights()
        rows = value.get("ballots")
        if not isinstance(rows, list):
            raise wrong('"ballots" must be a list')
        self.rows = rows
        weighted = bool(self.weights) or any(isinstance(row, dict) and "weight" in row for row in rows)
        self.unit = _WHOLE_VOTE if weighted else 1

    def profile(self) -> Profile:
        ballots = tuple(self._ballot(row, f"ballot {at}") for at, row in enumerate(self.rows, 1))
        present = sum(ballot.heads for ballot in ballots)
        members, absent = self._members(present)
        default = self._option("default")
        return Profile(
            self.names,
            ballots,
            unit=self.unit,
            members=members,
            absent_weight=absent,
            quorum=self._whole("quorum"),
            method=self._text("method"),
            rule=self._text("rule"),
            of=self._text("of"),
            seed=self._text("seed"),
            default=default,
            default_quorum=self._whole("default_quorum") or 0,
            majority=self._majority(default),
            evidence=self._evidence(),
            person=self._option("person"),
        )

    # --- the whole --------------------------------------------------------------------------------------

    def _text(self, key: str) -> str | None:
        given = self.value.get(key)
        if given is not None and not isinstance(given, str):
            raise wrong(f'"{key}" must be a text, not {shown(given)}')
        return given

    def _whole(self, key: str) -> int | None:
        given = self.value.get(key)
        return None if given is None else _whole(given, f'"{key}"')

    def _table(self, key: str) -> dict[str, Any]:
        given = self.value.get(key)
        if given is not None and not isinstance(given, dict):
            raise wrong(f'"{key}" must be an object, not {shown(given)}')
        return given or {}

    def _known(self, name: object, where: str) -> int:
        if not isinstance(name, str) or name not in self.place:
            raise wrong(f"{where}: {shown(name)} is no option", "every option must be among the candidates")
        return self.place[name]

    def _option(self, key: str) -> int | None:
        given = self.value.get(key)
        return None if given is None else self._known(given, f'"{key}"')

    def _weights(self) -> dict[str, int]:
        given = self._table("weights")
        return {member: _whole(weight, f"the weight of {shown(member)}") for member, weight in given.items()}

    def _majority(self, default: int | None) -> dict[int, tuple[int, int]]:
        given = self._table("majority")
        if given and default is None:
            raise wrong('"majority" is over a default option, and the profile has no "default"')
        return {
            self._known(name, '"majority"'): _ratio(value, f'"majority" of {shown(name)}')
            for name, value in given.items()
        }

    def _evidence(self) -> tuple[int, ...] | None:
        given = self._table("evidence")
        if not given:
            return None
        for name in given:
            self._known(name, '"evidence"')
        return tuple(_whole(given.get(name, 0), f'"evidence" of {shown(name)}', None) for name in self.names)

    def _members(self, present: int) -> tuple[int | None, int]:
        """(how many, what the absent ones weigh)"""
        given = self.value.get("members")
        if given is None:
            return None, 0
        if isinstance(given, list):
            if any(not isinstance(member, str) for member in given) or len(set(given)) < len(given):
                raise wrong('"members" must be different names, or their number')
            strangers = sorted((self.voted | set(self.weights)) - set(given))
            if strangers:
                raise wrong(f"{shown(strangers[0])} is no member")
            if len(self.voted) < present:
                raise wrong('where "members" are named, each ballot must name its "member"')
            absent = sum(self.weights.get(member, self.unit) for member in set(given) - self.voted)
            return len(given), absent
        count = _whole(given, '"members"')
        if present > count:
            raise wrong(f"{present} voted, and there are {count} members")
        return count, (count - present) * self.unit

    # --- one ballot -------------------------------------------------------------------------------------

    def _ballot(self, row: object, where: str) -> Ballot:
        if not isinstance(row, dict):
            raise wrong(f"{where} must be an object, not {shown(row)}")
        heads = _whole(row.get("count", 1), f'{where}: "count"')
        weight = _whole(row.get("weight", self.unit), f'{where}: "weight"')
        if row.get("member") is not None:
            weight = self._of_member(row, heads, weight, where)
        forms = [form for form in _FORMS if row.get(form) is not None]
        if len(forms) != 1:
            raise wrong(
                f"{where} must have one of {', '.join(_FORMS)}; it has {' and '.join(forms) or 'none'}"
            )
        if forms[0] != "ranking" and row.get("left_out"):
            raise wrong(f'{where}: only a ranking can have "left_out"')
        left_out = frozenset(self._list(row.get("left_out", []), f'{where}: "left_out"'))
        make = getattr(self, f"_of_{forms[0]}")
        ballot: Ballot = replace(
            make(row[forms[0]], where), heads=heads, weight=heads * weight, left_out=left_out
        )
        if left_out & {x for tier in ballot.tiers for x in tier}:
            raise wrong(f"{where} ranks an option that it leaves out")
        return ballot

    def _of_member(self, row: dict[str, Any], heads: int, weight: int, where: str) -> int:
        member = row["member"]
        if not isinstance(member, str):
            raise wrong(f'{where}: "member" must be a name, not {shown(member)}')
        if member in self.voted:
            raise wrong(f"{where}: {shown(member)} has voted already")
        if heads != 1:
            raise wrong(f"{where}: the ballot of {shown(member)} counts once")
        self.voted.add(member)
        return weight if "weight" in row else self.weights.get(member, weight)

    def _list(self, given: object, where: str) -> list[int]:
        """Options, none of them twice."""
        if not isinstance(given, list):
            raise wrong(f"{where} must be a list, not {shown(given)}")
        found = [self._known(name, where) for name in given]
        self._once(found, where)
        return found

    def _once(self, found: Iterable[int], where: str) -> None:
        seen: set[int] = set()
        for option in found:
            if option in seen:
                raise wrong(f"{where}: {shown(self.names[option])} stands there twice")
            seen.add(option)

    def _no_motion(self, form: str, where: str) -> None:
        if self.is_motion:
            raise wrong(
                f'{where}: "{form}" needs "candidates"', "without them it is a motion: yes, no, abstain"
            )

    def _of_ranking(self, said: object, where: str) -> Ballot:
        self._no_motion("ranking", where)
        if not isinstance(said, list):
            raise wrong(f'{where}: "ranking" must be a list of tiers, not {shown(said)}')
        tiers = []
        for tier in said:
            options = [tier] if isinstance(tier, str) else tier
            if not isinstance(options, list) or not options:
                raise wrong(f"{where}: a tier must be a list of options, not {shown(tier)}")
            tiers.append(tuple(self._known(name, where) for name in options))
        self._once((x for tier in tiers for x in tier), where)
        return Ballot("ranking", tuple(tiers))

    def _of_approve(self, said: object, where: str) -> Ballot:
        self._no_motion("approve", where)
        options = tuple(self._list(said, f'{where}: "approve"'))
        return Ballot("approve", (options,) if options else ())

    def _of_scores(self, said: object, where: str) -> Ballot:
        self._no_motion("scores", where)
        if not isinstance(said, dict):
            raise wrong(f'{where}: "scores" must be an object, not {shown(said)}')
        given = {
            self._known(name, where): _whole(score, f"{where}: the score of {shown(name)}", None)
            for name, score in said.items()
        }
        return Ballot("scores", _ranked(given, len(self.names)), tuple(given.items()))

    def _of_choice(self, said: object, where: str) -> Ballot:
        if self.is_motion:
            if not isinstance(said, str) or said not in _MOTION:
                raise wrong(f"{where}: {shown(said)} is none of {', '.join(_MOTION)}")
            return Ballot("choice", motion=_MOTION[said])
        if said == "abstain" and said not in self.place:
            return Ballot("abstain")
        return Ballot("choice", ((self._known(said, where),),))


def _whole(value: object, what: str, least: int | None = 0) -> int:
    """An integer, at least `least`."""
    if type(value) is not int:
        raise wrong(f"{what} must be a whole number, not {shown(value)}")
    if least is not None and value < least:
        raise wrong(f"{what} must be at least {least}, not {shown(value)}")
    return value


def _ratio(value: object, what: str) -> tuple[int, int]:
    """A majority ratio p:q of at least 1: 3, "3:1" or "3/1"."""
    match = _RATIO.match(str(value)) if type(value) in (int, str) else None
    if match is None or int(match[1]) < int(match[2] or 1):
        raise wrong(f'{what} must be a ratio of at least 1, such as "3:1", not {shown(value)}')
    return int(match[1]), int(match[2] or 1)


def _ranked(scores: dict[int, int], count: int) -> Tiers:
    """The tiers of a ballot with scores; an option without one has 0."""
    tiers: dict[int, list[int]] = {}
    for option in range(count):
        tiers.setdefault(scores.get(option, 0), []).append(option)
    return tuple(tuple(tiers[score]) for score in sorted(tiers, reverse=True))
