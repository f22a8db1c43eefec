"""What ext_authz notes of a call's cost, and of the approval that let it through.

It is for whoever learns what became of the call: any worker, under any revision. It travels in Envoy's dynamic
metadata, which no agent and no tool sees or sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import orjson

from aegis_authz.core.json_value import Json
from aegis_authz.core.money import Money
from aegis_authz.core.price import MOST_TOKENS, ModelPrice, OnError
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import ApprovalId
from aegis_authz.costs.estimate import Estimate, TokenTerms
from aegis_authz.encoding.narrowing import integer, items, mapping, members, text

_TICKET = {"scope", "reserved", "under_way", "cost"}
_ESTIMATE = {"micros", "currency", "on_error", "tokens"}
_TOKENS = {"input", "output", "context", "max_output", "prices"}


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a call of `scope` was estimated to cost, None for one without a price.

    `reserved` says that limits were charged with what may still be adjusted, `under_way` that the call has a place
    among calls under way, which ends with it. `approval` is the approval that let the call through, "" for none.
    """

    scope: Scope
    estimate: Estimate | None
    reserved: bool
    under_way: bool
    approval: ApprovalId


def ticket_text(ticket: Ticket) -> str:
    """The ticket as a text."""
    scope = ticket.scope
    return orjson.dumps(
        {
            "scope": [scope.org, scope.tenant, scope.agent],
            "reserved": ticket.reserved,
            "under_way": ticket.under_way,
            "cost": None if ticket.estimate is None else _estimate_to_data(ticket.estimate),
            # only where there is one: a worker of before, which knows no such member, reads all other tickets
            **({"approval": ticket.approval} if ticket.approval else {}),
        }
    ).decode()


@lru_cache(maxsize=1024)  # most calls of an agent have the same
def read_ticket(ticket: str) -> Ticket:
    """Read what `ticket_text` wrote. Raises ValueError for anything else."""
    data = mapping(orjson.loads(ticket), "a ticket")
    has_approval = "approval" in data
    item = members(data, _TICKET | {"approval"} if has_approval else _TICKET, "a ticket")
    org, tenant, agent = (text(name, "scope") for name in items(item["scope"], "scope"))
    reserved, under_way = item["reserved"], item["under_way"]
    if not isinstance(reserved, bool) or not isinstance(under_way, bool):
        raise ValueError("neither true nor false")  # noqa: TRY004  # one error for every surprise
    estimate = None if item["cost"] is None else _estimate(item["cost"])
    approval = ApprovalId(text(item["approval"], "approval") if has_approval else "")
    return Ticket(Scope(org, tenant, agent), estimate, reserved, under_way, approval)


def _estimate_to_data(estimate: Estimate) -> Json:
    return {
        "micros": estimate.money.micros,
        "currency": estimate.money.currency,
        "on_error": estimate.on_error.value,
        "tokens": None if estimate.tokens is None else _tokens_to_data(estimate.tokens),
    }


def _estimate(data: Json) -> Estimate:
    item = members(data, _ESTIMATE, "a cost")
    money = Money(integer(item["micros"], "micros"), text(item["currency"], "currency"))
    tokens = None if item["tokens"] is None else _tokens(mapping(item["tokens"], "tokens"), money.currency)
    return Estimate(money, OnError(text(item["on_error"], "on_error")), tokens)


def _tokens_to_data(terms: TokenTerms) -> Json:
    price = terms.price
    return {
        "input": terms.input,
        "output": terms.output,
        "context": price.context,
        "max_output": price.max_output,
        "prices": [price.input, price.cached, price.cache_write, price.output],
    }


def _tokens(data: Mapping[str, Json], currency: str) -> TokenTerms:
    item = members(data, _TOKENS, "tokens")
    put_in, cached, cache_write, put_out = (integer(price, "a price") for price in items(item["prices"], "prices"))
    context, max_output = (
        None if item[name] is None else _number(item[name], name) for name in ("context", "max_output")
    )
    price = ModelPrice(currency, put_in, cached, cache_write, put_out, context, max_output)
    return TokenTerms(price, _number(item["input"], "input"), _number(item["output"], "output"))


def _number(data: Json, label: str) -> int:
    number = integer(data, label)
    if not 0 <= number <= MOST_TOKENS * 1024:
        raise ValueError(f"{label} is no number of tokens")
    return number
