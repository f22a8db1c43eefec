"""Prices of models as a document of a catalogue, from the data of the package `genai-prices`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from importlib.metadata import version
from typing import TYPE_CHECKING

import yaml

from aegis_authz.commands.faults import Unable
from aegis_authz.core.json_value import Json

if TYPE_CHECKING:
    from genai_prices.types import MatchLogic, ModelInfo, ModelPrice, TieredPrices

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,126}\Z")
_SIX_DIGITS = Decimal("0.000001")
_WIDTH = 120


def prices_document(providers: Sequence[str], now: datetime) -> str:
    """The prices of the models of these providers as YAML, as they are `now`.

    Where a price depends on how much is put in, the highest is taken: a reservation must not be too small. Models are
    named as the package says they are recognised, by their very names and by beginnings; any other way is left out.
    Raises Unable for a provider that the package does not know.
    """
    from genai_prices.data_snapshot import get_snapshot

    by_id = {provider.id: provider for provider in get_snapshot().providers}
    unknown = [name for name in providers if name not in by_id]
    if unknown:
        raise Unable(f"no provider {unknown[0]!r}; there are {', '.join(sorted(by_id))}")
    models: dict[str, Json] = {}
    for name in providers:
        for model in by_id[name].models:
            entry = _entry(model, now)
            if entry is not None:
                models.update({place: dict(entry) for place in _names(model.match) if place not in models})
    document = {
        "prices": {"currency": "USD", "models": dict(sorted(models.items()))},
        "source": f"genai-prices {version('genai-prices')}: {', '.join(providers)}",
    }
    text: str = yaml.safe_dump(document, sort_keys=False, width=_WIDTH, default_flow_style=None)
    return text


def _entry(model: ModelInfo, now: datetime) -> dict[str, Json] | None:
    price: ModelPrice = model.get_prices(now)
    put_in, put_out = _highest(price.input_mtok), _highest(price.output_mtok)
    if put_in is None or put_out is None:
        return None
    cached, cache_write = _highest(price.cache_read_mtok), _highest(price.cache_write_mtok)
    entry: dict[str, Json] = {"input": put_in, "output": put_out}
    entry |= {} if cached is None else {"cached": cached}
    entry |= {} if cache_write is None else {"cache_write": cache_write}
    return entry | ({"context": model.context_window} if model.context_window else {})


def _highest(price: Decimal | TieredPrices | None) -> float | int | None:
    if price is None:
        return None
    prices = [price] if isinstance(price, Decimal) else [price.base, *(tier.price for tier in price.tiers)]
    highest = max(prices).quantize(_SIX_DIGITS, ROUND_CEILING)
    return int(highest) if highest == highest.to_integral_value() else float(highest)


def _names(match: MatchLogic) -> Iterator[str]:
    from genai_prices.types import ClauseEquals, ClauseOr, ClauseStartsWith

    match match:
        case ClauseOr():
            for clause in match.or_:
                yield from _names(clause)
        case ClauseEquals() if _NAME.match(match.equals):
            yield match.equals
        case ClauseStartsWith() if _NAME.match(match.starts_with):
            yield f"{match.starts_with}*"
