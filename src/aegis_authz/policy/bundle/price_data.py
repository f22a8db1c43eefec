"""Prices as plain JSON inside a bundle, and back, strictly."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from aegis_authz.core.json_value import Json
from aegis_authz.core.limit import MOST_MICROS
from aegis_authz.core.money import Money
from aegis_authz.core.price import (
    MOST_TOKENS,
    FixedPrice,
    ModelPrice,
    OnError,
    ParameterPrice,
    Price,
    Prices,
    Pricing,
    TokenPrice,
)
from aegis_authz.encoding.narrowing import integer, mapping, members, text

_MOST_TIMES = 10**18
_MODEL = {"currency", "input", "cached", "cache_write", "output", "context", "max_output"}


def prices_to_data(prices: Prices) -> Json:
    """The prices as JSON values."""
    return {
        "by_action": {
            tool: {action: _pricing_to_data(pricing) for action, pricing in sorted(actions.items())}
            for tool, actions in sorted(prices.by_action.items())
        },
        "models": {name: _model_to_data(price) for name, price in sorted(prices.models.items())},
    }


def prices_from_data(data: Json) -> Prices:
    """Read what `prices_to_data` wrote. Raises ValueError for anything else."""
    item = members(data, {"by_action", "models"}, "the prices")
    return Prices(
        MappingProxyType(
            {
                tool: MappingProxyType(
                    {action: _pricing(pricing) for action, pricing in mapping(actions, "the prices of a tool").items()}
                )
                for tool, actions in mapping(item["by_action"], "the prices of tools").items()
            }
        ),
        MappingProxyType({name: _model(price) for name, price in mapping(item["models"], "the models").items()}),
    )


def _pricing_to_data(pricing: Pricing) -> Json:
    return {"on_error": pricing.on_error.value, **_price_to_data(pricing.price)}


def _price_to_data(price: Price) -> dict[str, Json]:
    match price:
        case FixedPrice(micros, currency):
            return {"kind": "fixed", "micros": micros, "currency": currency}
        case ParameterPrice(parameter, times, currency):
            return {"kind": "parameter", "parameter": parameter, "times": times, "currency": currency}
        case TokenPrice(model, max_output):
            return {"kind": "tokens", "model": model, "max_output": max_output}


def _model_to_data(price: ModelPrice) -> Json:
    return {
        "currency": price.currency,
        "input": price.input,
        "cached": price.cached,
        "cache_write": price.cache_write,
        "output": price.output,
        "context": price.context,
        "max_output": price.max_output,
    }


def _pricing(data: Json) -> Pricing:
    item = dict(mapping(data, "a price"))
    on_error = OnError(text(item.pop("on_error", None), "on_error"))
    return Pricing(_price(item), on_error)


def _price(data: Mapping[str, Json]) -> Price:
    match data.get("kind"):
        case "fixed":
            item = members(data, {"kind", "micros", "currency"}, "a fixed price")
            money = _money(item["micros"], item["currency"])
            return FixedPrice(money.micros, money.currency)
        case "parameter":
            item = members(data, {"kind", "parameter", "times", "currency"}, "a price by a parameter")
            times = _within(item["times"], 1, _MOST_TIMES, "times")
            return ParameterPrice(text(item["parameter"], "parameter"), times, _money(0, item["currency"]).currency)
        case "tokens":
            item = members(data, {"kind", "model", "max_output"}, "a price by tokens")
            return TokenPrice(text(item["model"], "model"), _tokens(item["max_output"], "max_output"))
        case _:
            raise ValueError("a price of an unknown kind")


def _model(data: Json) -> ModelPrice:
    item = members(data, _MODEL, "the price of a model")
    amounts = {
        name: _money(item[name], item["currency"]).micros for name in ("input", "cached", "cache_write", "output")
    }
    return ModelPrice(
        currency=text(item["currency"], "currency"),
        context=_tokens(item["context"], "context"),
        max_output=_tokens(item["max_output"], "max_output"),
        **amounts,
    )


def _money(micros: Json, currency: Json) -> Money:
    return Money(_within(micros, 0, MOST_MICROS, "an amount"), text(currency, "currency"))


def _tokens(data: Json, label: str) -> int | None:
    return None if data is None else _within(data, 1, MOST_TOKENS, label)


def _within(data: Json, least: int, most: int, label: str) -> int:
    number = integer(data, label)
    if not least <= number <= most:
        raise ValueError(f"{label} is not between {least} and {most}")
    return number
