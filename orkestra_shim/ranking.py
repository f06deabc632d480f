"""Ballot papers: the options of a vote as one member gets them, the form of its answer, and what that says.

Each member has the options in an order of its own, drawn from the vote's seed, under letters that say nothing
of who is behind them. What it answers is data: whatever is not exactly a ballot is none, with the reason.
"""

from __future__ import annotations

import hashlib
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .text import printable

RANKING, APPROVE, CHOICE = "ranking", "approve", "choice"
FORMS = (RANKING, APPROVE, CHOICE)
MOTION = ("yes", "no", "abstain")
_ALPHABET = string.ascii_uppercase
_SHOWN = 40  # characters of a wrong answer that a reason quotes


def letters(count: int) -> tuple[str, ...]:
    """A, B ... Z, AA, AB ..."""
    return tuple((_ALPHABET[at // 26 - 1] if at >= 26 else "") + _ALPHABET[at % 26] for at in range(count))


def order(options: Iterable[str], seed: str, member: str) -> tuple[str, ...]:
    """The options as this member sees them: the same again for the same seed, whoever asks."""

    def lot(option: str) -> bytes:
        text = "\0".join(("orkestra.order/1", seed, member, option))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

    return tuple(sorted(options, key=lot))


class Paper:
    """The ballot paper of one member."""

    def __init__(self, form: str, options: Sequence[str] = (), seed: str = "", member: str = "") -> None:
        """form: one of FORMS; a motion (`choice`) has no options."""
        if form not in FORMS or (form == CHOICE) == bool(options):
            raise ValueError(f"{form!r} is no form of a ballot on {len(options)} options")
        self.form = form
        self.options = order(options, seed, member)
        self.letters = letters(len(options))
        self._option = dict(zip(self.letters, self.options, strict=True))
        self._letter = dict(zip(self.options, self.letters, strict=True))

    def rows(self, texts: Mapping[str, str]) -> list[dict[str, str]]:
        """For the prompt: each option's letter and text, in the member's order."""
        return [{"letter": letter, "text": texts[name]} for letter, name in self._option.items()]

    def letter(self, option: str) -> str:
        """Under which letter this member sees an option."""
        return self._letter[option]

    def in_letters(self, ballot: Mapping[str, Any]) -> str:
        """What another member's ballot says, in the letters of this one: `B > A = C`, `A, C`, `yes`."""
        if self.form == CHOICE:
            return str(ballot["choice"])
        if self.form == APPROVE:
            return ", ".join(sorted(map(self.letter, ballot["approve"]), key=_place)) or "none of them"
        tiers = [" = ".join(sorted(map(self.letter, tier), key=_place)) for tier in ballot["ranking"]]
        return " > ".join(tiers) or "all of them alike"

    def written(self, said: Any) -> Any:
        """What a ballot says by name, as this member would have written it; unknown names as they are."""
        if isinstance(said, list):
            return [self.written(one) for one in said]
        return self._letter.get(said, said) if isinstance(said, str) and self.form != CHOICE else said

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of an answer. The reason comes first: a model thinks while it writes."""
        one = {"type": "string", "enum": list(self.letters)}
        said: dict[str, dict[str, Any]] = {
            RANKING: {"type": "array", "items": {"type": "array", "items": one}},
            APPROVE: {"type": "array", "items": one},
            CHOICE: {"type": "string", "enum": list(MOTION)},
        }
        properties = {
            "reason": {"type": "string"},
            self.form: said[self.form],
            "confidence": {"type": "integer", "minimum": 0, "maximum": 100},
        }
        return {
            "type": "object",
            "additionalProperties": False,
            "required": list(properties),
            "properties": properties,
        }

    # --- what it answers -----------------------------------------------------------------------------------

    def read(self, answer: object) -> dict[str, Any] | str:
        """The ballot in an answer, with the options by name: {form: ..., "reason", "confidence"}; else why
        it is none."""
        if not isinstance(answer, Mapping):
            return "its ballot is not an object"
        forms = [form for form in FORMS if answer.get(form) is not None]
        if forms != [self.form]:
            return f"its ballot has {' and '.join(forms) or 'nothing'} where {self.form} is asked for"
        reason, confidence = answer.get("reason"), answer.get("confidence")
        if not isinstance(reason, str) or not reason.strip():
            return "its ballot gives no reason"
        if type(confidence) is not int or not 0 <= confidence <= 100:
            return "its confidence is not a whole number from 0 to 100"
        try:
            said = getattr(self, f"_{self.form}")(answer[self.form])
        except _NoBallot as error:
            return str(error)
        return {self.form: said, "reason": reason.strip(), "confidence": confidence}

    def _choice(self, said: object) -> str:
        if said not in MOTION:
            raise _NoBallot(f"its choice is not one of {', '.join(MOTION)}")
        return str(said)

    def _approve(self, said: object) -> list[str]:
        if not isinstance(said, list):
            raise _NoBallot("what it approves is not a list of letters")
        return sorted(self._names(said))

    def _ranking(self, said: object) -> list[list[str]]:
        """Tiers, best first; who is left out stands below. A tier of one may be its letter alone."""
        if not isinstance(said, list):
            raise _NoBallot("its ranking is not a list of tiers")
        tiers = [tier if isinstance(tier, list) else [tier] for tier in said]
        if not all(tiers):
            raise _NoBallot("a tier of its ranking is empty")
        names = iter(self._names([one for tier in tiers for one in tier]))
        return [sorted(next(names) for _ in tier) for tier in tiers]

    def _names(self, said: list[Any]) -> list[str]:
        seen: set[str] = set()
        for one in said:
            if not isinstance(one, str) or one not in self._option:
                raise _NoBallot(f"{_quoted(one)} is none of the options {', '.join(self.letters)}")
            if one in seen:
                raise _NoBallot(f"it names the option {one} twice")
            seen.add(one)
        return [self._option[one] for one in said]


class _NoBallot(ValueError):
    """Why an answer is no ballot."""


def _place(letter: str) -> tuple[int, str]:
    return len(letter), letter


def _quoted(value: object) -> str:
    if not isinstance(value, str):
        return f"a {type(value).__name__}"
    return f"'{printable(value[:_SHOWN])}{'...' if len(value) > _SHOWN else ''}'"
