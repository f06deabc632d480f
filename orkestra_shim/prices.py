"""What tokens cost: the shipped table of prices, and the user's own in CONFIG/prices.json, which goes first.

A table is {"format": "orkestra.prices/1", "date", "source", "models": {MODEL: {"input", "cached_input",
"cache_write", "output"}}}: whole micro-dollars per million tokens. Without a price of their own tokens from a
cache, and those put into one, cost what input costs. What a model costs that no table has nobody knows: it is
never taken for nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import jsonfile
from .errors import EX_CONFIG, EX_DATA, OrkestraError
from .home import PACKAGE
from .text import printable

FORMAT = "orkestra.prices/1"
FILE = "prices.json"
_KINDS = ("input", "cached_input", "cache_write", "output")
_NEEDED = ("input", "output")
_HIGHEST = 10**12  # micro-dollars per million tokens: a dollar a token
_MILLION = 1_000_000
# A version by its date, as vendors put it behind a model's name; what a tool says of its context (x[1m]).
_VERSION = re.compile(r"(?:[-@](?:20[0-9]{6}|20[0-9]{2}-[0-9]{2}-[0-9]{2}|latest)|\[[0-9a-z]+\])\Z")


@dataclass(frozen=True)
class Usage:
    """Tokens of a piece of work: input that came from no cache, from one, that went into one; output."""

    input: int = 0
    cached: int = 0
    cache_write: int = 0
    output: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.input + self.cached + self.cache_write + self.output

    def told(self) -> dict[str, int]:
        """As it is kept."""
        more = {"cache_write": self.cache_write} if self.cache_write else {}
        return {"input": self.input, "cached": self.cached, "output": self.output, **more}


class Prices:
    """Prices by model."""

    def __init__(self, models: dict[str, dict[str, int]]) -> None:
        self._models = models

    def of(self, model: str, usage: Usage) -> int | None:
        """Micro-dollars, a broken one rounded up; None where nobody knows the model's price."""
        price = self._find(model)
        if price is None:
            return None
        cached, written = (price.get(kind, price["input"]) for kind in ("cached_input", "cache_write"))
        exact = usage.input * price["input"] + usage.output * price["output"]
        exact += usage.cached * cached + usage.cache_write * written
        return -(-exact // _MILLION)

    def _find(self, model: str) -> dict[str, int] | None:
        """By the name as it is, then without who serves it (openai/gpt-x) and without its version."""
        while model:
            bare = model
            while bare:
                if bare in self._models:
                    return self._models[bare]
                shorter = _VERSION.sub("", bare)
                bare = shorter if shorter != bare else ""
            model = model.partition("/")[2]
        return None


def load(config: Path) -> Prices:
    """The shipped table under the user's. Raises 78 for a table of the user's that is none."""
    models = _table(PACKAGE / FILE)
    if (config / FILE).exists():
        models |= _table(config / FILE)
    return Prices(models)


def _table(path: Path) -> dict[str, dict[str, int]]:
    try:
        table = jsonfile.read(path)
    except OrkestraError as error:
        raise OrkestraError(EX_CONFIG if error.code == EX_DATA else error.code, error.message) from None
    if table.get("format") != FORMAT:
        raise _wrong(path, f'"format" must be "{FORMAT}"')
    for key in ("date", "source"):
        if not isinstance(table.get(key), str) or not table[key]:
            raise _wrong(path, f'"{key}" must say {"when" if key == "date" else "where"} its prices are from')
    models = table.get("models")
    if not isinstance(models, dict):
        raise _wrong(path, '"models" must be an object')
    for name, price in models.items():
        if not _is_price(price):
            raise _wrong(
                path,
                f'the price of {printable(name)} must have "input" and "output", and may have "cached_input" '
                'and "cache_write": whole micro-dollars per million tokens',
            )
    return models


def _is_price(price: Any) -> bool:
    if not isinstance(price, dict) or not set(_NEEDED) <= price.keys() <= set(_KINDS):
        return False
    return all(type(value) is int and 0 <= value <= _HIGHEST for value in price.values())


def _wrong(path: Path, what: str) -> OrkestraError:
    return OrkestraError(EX_CONFIG, f"{printable(path)}: {what}", f"see {printable(PACKAGE / FILE)}")
