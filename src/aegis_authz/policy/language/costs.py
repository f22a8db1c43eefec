"""What calls cost, as an operator writes it: the price of a tool or an action, and the prices of models."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema, model_validator

from aegis_authz.core.money import CURRENCIES, exact, micros_of, scaled
from aegis_authz.core.price import (
    MOST_TOKENS,
    TIMES_DIGITS,
    FixedPrice,
    ModelPrice,
    OnError,
    ParameterPrice,
    Price,
    TokenPrice,
)
from aegis_authz.policy.language.types import AnyScalar, Words, pointer
from aegis_authz.policy.language.validation import Part
from aegis_authz.policy.source.problems import did_you_mean, quoted

_VARIABLE = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}\Z")
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,127}\*?\Z|\*\Z")
_MOST_TIMES = 10**6


def _amount(value: object) -> int:
    try:
        return micros_of(value)
    except ValueError as fault:
        raise ValueError(f"{fault}, and so no amount of money") from None


def _times(value: object) -> int:
    try:
        factor = exact(value)
        if not 0 < factor <= _MOST_TIMES:
            raise ValueError(f"must be more than 0 and at most {_MOST_TIMES}")
        return scaled(factor, TIMES_DIGITS)
    except ValueError as fault:
        raise ValueError(f"{fault}, and so no factor") from None


def _currency(value: str) -> str:
    if value not in CURRENCIES:
        near = did_you_mean(value.upper(), CURRENCIES)
        raise ValueError(f"{quoted(value)} is not a currency of ISO 4217, such as USD or EUR{near}")
    return value


def _model_place(value: str) -> str:
    if value.startswith("/"):
        return pointer(value)
    if not _VARIABLE.match(value):
        raise ValueError('must be a JSON pointer into the body, "/model", or a variable of the path, "{model}"')
    return value


def _model_name(value: str) -> str:
    if not _MODEL.match(value):
        raise ValueError(f"{quoted(value)} is no name of a model, nor the beginning of names with a * behind it")
    return value


def _no_note(value: object) -> object:
    if isinstance(value, str | bool | int | float):
        raise ValueError(  # noqa: TRY004  # pydantic wants ValueError
            "is a price now and no note: write {fixed: 0.002, currency: USD}, {parameter: amount, currency: USD} "
            "or {llm: {model: /model}}"
        )
    return value


Amount = Annotated[int, PlainValidator(_amount), WithJsonSchema({"type": "number", "minimum": 0})]
"""A number of units of a currency, as micro-units."""
Times = Annotated[int, PlainValidator(_times), WithJsonSchema({"type": "number", "exclusiveMinimum": 0})]
Currency = Annotated[str, AfterValidator(_currency)]
Tokens = Annotated[int, Field(ge=1, le=MOST_TOKENS)]


class LlmEntry(Part):
    """How a call of a language model is priced: `model` is where it names its model.

    `max_output` is how many tokens an answer has at most where the call does not say.
    """

    model: Annotated[str, AfterValidator(_model_place)]
    max_output: Tokens | None = None


class CostEntry(Part):
    """What a call costs: a fixed amount, a parameter's value (times a factor), or its tokens."""

    fixed: Amount | None = None
    parameter: Words | None = None
    times: Times | None = None
    llm: LlmEntry | None = None
    currency: Currency | None = None

    @model_validator(mode="after")
    def _is_one_kind(self) -> CostEntry:
        if sum(kind is not None for kind in (self.fixed, self.parameter, self.llm)) != 1:
            raise ValueError("must have exactly one of fixed, parameter and llm")
        if self.times is not None and self.parameter is None:
            raise ValueError("times is what a parameter's value is multiplied by: it needs parameter")
        if self.llm is None and self.currency is None:
            raise ValueError("must name its currency, such as currency: USD")
        if self.llm is not None and self.currency is not None:
            raise ValueError("has the currency of the prices of models, and names none of its own")
        return self

    @property
    def price(self) -> Price:
        """The core value."""
        if self.llm is not None:
            return TokenPrice(self.llm.model, self.llm.max_output)
        currency = self.currency or ""
        if self.parameter is not None:
            return ParameterPrice(self.parameter, 10**TIMES_DIGITS if self.times is None else self.times, currency)
        return FixedPrice(self.fixed or 0, currency)


class SettleEntry(Part):
    """What becomes of what a call was charged where its tool refused it or failed."""

    on_error: Literal["keep", "release"]

    @property
    def policy(self) -> OnError:
        """The core value."""
        return OnError(self.on_error)


Cost = Annotated[CostEntry, BeforeValidator(_no_note)]


class ModelEntry(Part):
    """What a million tokens of a model cost, and how many it takes in and puts out at most."""

    input: Amount
    output: Amount
    cached: Amount | None = None
    cache_write: Amount | None = None
    context: Tokens | None = None
    max_output: Tokens | None = None


class PriceList(Part):
    """The prices of models, by their names, in one currency."""

    currency: Currency
    models: dict[Annotated[str, AfterValidator(_model_name)], ModelEntry] = Field(min_length=1)


class PricesDocument(Part):
    """A document of a catalogue: the prices of models. `source` says where they are from, and decides nothing."""

    prices: PriceList
    description: str = ""
    source: AnyScalar | None = None

    @property
    def models(self) -> Mapping[str, ModelPrice]:
        """The core values. What is read from a cache, or written to one, costs what is put in where nothing is said."""
        return MappingProxyType(
            {
                name: ModelPrice(
                    currency=self.prices.currency,
                    input=entry.input,
                    cached=entry.input if entry.cached is None else entry.cached,
                    cache_write=entry.input if entry.cache_write is None else entry.cache_write,
                    output=entry.output,
                    context=entry.context,
                    max_output=entry.max_output,
                )
                for name, entry in self.prices.models.items()
            }
        )
