"""What a call may cost at most, as far as can be told before it is made: that much is reserved.

Pure: a call, the size of its body and the prices of its revision in, money out. What cannot be told is refused and
never free.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from aegis_authz.core.call import CallKind, ToolCall
from aegis_authz.core.catalogue import Parameter
from aegis_authz.core.limit import MOST_MICROS
from aegis_authz.core.money import MICRO, Money, exact
from aegis_authz.core.price import (
    TIMES_DIGITS,
    FixedPrice,
    ModelPrice,
    OnError,
    ParameterPrice,
    Prices,
    TokenPrice,
)
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.costs.model_request import read_model_request

_PRICED = frozenset((CallKind.ACTION, CallKind.MCP_TOOL))
_PER = 1_000_000  # prices of tokens are for so many


@dataclass(frozen=True, slots=True)
class TokenTerms:
    """What a usage is held against: the price of the model, and how many tokens were reserved."""

    price: ModelPrice
    input: int
    output: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is reserved for a call. `tokens` is None but for a call whose price is by tokens."""

    money: Money
    on_error: OnError
    tokens: TokenTerms | None


def estimate(call: ToolCall, parameters: Sequence[Parameter], body_bytes: int, prices: Prices) -> Estimate | None:
    """The estimate of a call, None for one without a price. `parameters` are those that the catalogue lists.

    Raises Refused(COST_UNKNOWN) where the price asks for what the call does not hold, or holds in a form that is no
    amount, and for a model without a price.
    """
    if call.kind not in _PRICED:
        return None
    pricing = prices.of(call.tool, call.action)
    if pricing is None:
        return None
    match pricing.price:
        case FixedPrice(micros, currency):
            return Estimate(Money(_charge(micros * call.count), currency), pricing.on_error, None)
        case ParameterPrice() as price:
            return Estimate(Money(_by_value(call, price), price.currency), pricing.on_error, None)
        case TokenPrice() as price:
            terms = _token_terms(call, parameters, body_bytes, price, prices)
            return Estimate(Money(_most(terms), terms.price.currency), pricing.on_error, terms)


def unknown(detail: str) -> Refused:
    """What a call costs cannot be told. `detail` is for the record."""
    return Refused(Reason.COST_UNKNOWN, detail)


def _by_value(call: ToolCall, price: ParameterPrice) -> int:
    if price.parameter not in call.parameters:
        raise unknown(f"the price is by {price.parameter}, which the call does not hold")
    try:
        value = exact(call.parameters[price.parameter])
    except ValueError as fault:
        raise unknown(f"{price.parameter}, by which the price is, {fault}") from None
    if value < 0:
        raise unknown(f"{price.parameter}, by which the price is, is negative")
    # rounded up: what is charged is never less than the price
    return _charge(math.ceil(value * price.times * MICRO / 10**TIMES_DIGITS))


def _token_terms(
    call: ToolCall, parameters: Sequence[Parameter], body_bytes: int, price: TokenPrice, prices: Prices
) -> TokenTerms:
    request = read_model_request(call, parameters, price.model)
    model = prices.of_model(request.model)
    if model is None:
        raise unknown(f"no price is known of the model {request.model[:60]!r}")
    output = request.max_output if request.max_output is not None else price.max_output or model.max_output
    if output is None:
        raise unknown("neither the call nor the catalogue says how many tokens the answer has at most")
    if model.context is not None:
        # what the call names and does not hold is as large as the model lets it be
        put_in = model.context if request.refers else min(body_bytes, model.context)
    elif request.refers:
        raise unknown(f"it refers to {request.refers}, and the catalogue does not say how much the model takes in")
    else:
        put_in = body_bytes  # a token is a byte at least
    return TokenTerms(model, put_in, output * request.answers)


def _most(terms: TokenTerms) -> int:
    price = terms.price
    return _charge(cost_of_tokens(max(price.input, price.cache_write), terms.input, price.output, terms.output))


def cost_of_tokens(*pairs: int) -> int:
    """Micro-units of amounts of tokens, given as price for a million and number in turn, rounded up."""
    return -(-sum(price * number for price, number in zip(pairs[::2], pairs[1::2], strict=True)) // _PER)


def _charge(micros: int) -> int:
    if micros > MOST_MICROS:
        raise unknown("it would cost more than can be charged")
    return micros
