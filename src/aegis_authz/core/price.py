"""What calls cost: the prices of a catalogue. Money is whole micro-units (`core.money`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

TIMES_DIGITS = 12
"""Digits behind the point that a factor of a price may have."""
MOST_TOKENS = 10**9
"""Tokens of one call beyond which a number of tokens is none."""


class OnError(Enum):
    """What becomes of what a call was charged where its tool was not reached, refused it or failed (4xx, 5xx)."""

    KEEP = "keep"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class FixedPrice:
    """Each call costs `micros` micro-units of `currency`."""

    micros: int
    currency: str


@dataclass(frozen=True, slots=True)
class ParameterPrice:
    """A call costs the value of its `parameter`, times `times` 10^-12ths."""

    parameter: str
    times: int
    currency: str


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """A call of a language model costs by its tokens, priced by the model that it names.

    `model` is where it does: a JSON pointer into the body, or a variable of the path in braces. `max_output` is how
    many tokens an answer has at most where the call does not say, None where the call or the model must.
    """

    model: str
    max_output: int | None


Price = FixedPrice | ParameterPrice | TokenPrice


@dataclass(frozen=True, slots=True)
class Pricing:
    """The price of a tool's calls, or of one of its actions, and what becomes of it on an error."""

    price: Price
    on_error: OnError


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """Micro-units of `currency` for a million tokens of a model: put in, read from a cache, written to one, put out.

    `context` is how many tokens the model takes in at most, and `max_output` how many it puts out; None: not known.
    """

    currency: str
    input: int
    cached: int
    cache_write: int
    output: int
    context: int | None
    max_output: int | None


@dataclass(frozen=True, slots=True)
class Prices:
    """All prices of a catalogue.

    `by_action` maps a tool to its actions; "" stands for every action that is not named. `models` maps the name of a
    model, or the beginning of names and a `*`, to its price.
    """

    by_action: Mapping[str, Mapping[str, Pricing]]
    models: Mapping[str, ModelPrice]

    def of(self, tool: str, action: str) -> Pricing | None:
        """The price of an action, None where it has none."""
        actions = self.by_action.get(tool)
        if actions is None:
            return None
        return actions.get(action) or actions.get("")

    def of_model(self, name: str) -> ModelPrice | None:
        """The price of a model: of its very name, else of the longest beginning that fits; None where none is known."""
        exact = self.models.get(name)
        if exact is not None and not name.endswith("*"):
            return exact
        fitting = [key for key in self.models if key.endswith("*") and name.startswith(key[:-1])]
        return self.models[max(fitting, key=len)] if fitting else None


NO_PRICES = Prices(MappingProxyType({}), MappingProxyType({}))
"""Those of a catalogue that has none."""
