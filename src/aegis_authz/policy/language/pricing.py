"""The prices of a tool's entry, turned into `core.price` values, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aegis_authz.core.price import FixedPrice, OnError, ParameterPrice, Price, Pricing, TokenPrice
from aegis_authz.policy.language.catalogue import ActionEntry, KnownTool, McpToolEntry, ToolEntry
from aegis_authz.policy.language.costs import CostEntry, SettleEntry
from aegis_authz.policy.source.problems import did_you_mean, quoted
from aegis_authz.policy.source.reader import Location

_NUMBERS = frozenset(("number", "integer", "any"))
_REST = ""


def pricings(entry: ToolEntry) -> dict[str, Pricing]:
    """The prices of a tool's actions, "" for all that have none of their own; empty for a tool without a price."""
    prices: dict[str, Pricing] = {}
    if entry.cost is not None:
        prices[_REST] = _pricing(entry.cost, (entry.settle,))
    for name, part in _parts(entry).items():
        cost = part.cost or entry.cost
        if cost is not None and (part.cost is not None or part.settle is not None):
            prices[name] = _pricing(cost, (part.settle, entry.settle))
    return prices


def pricing_faults(entry: ToolEntry, tool: KnownTool) -> Iterator[tuple[Location, str]]:
    """What is wrong with a tool's prices beyond their shape."""
    parts = _parts(entry)
    if entry.settle is not None and entry.cost is None and not any(part.cost for part in parts.values()):
        yield ("settle",), "says what becomes of a charge, and nothing of the tool has a cost"
    for name, part in parts.items():
        where: Location = (*_place(entry), name)
        if part.settle is not None and part.cost is None and entry.cost is None:
            yield (*where, "settle"), "says what becomes of a charge, and there is no cost"
        if part.cost is not None:
            yield from _faults(part.cost.price, (*where, "cost"), name, entry, tool)
        elif entry.cost is not None:
            yield from _faults(entry.cost.price, ("cost",), name, entry, tool)
    if entry.cost is not None and not parts:
        yield from _faults(entry.cost.price, ("cost",), _REST, entry, tool)


def names_models(entry: ToolEntry) -> Location | None:
    """Where a tool first asks for prices of models; None where it does not."""
    if entry.cost is not None and entry.cost.llm is not None:
        return ("cost", "llm")
    for name, part in _parts(entry).items():
        if part.cost is not None and part.cost.llm is not None:
            return (*_place(entry), name, "cost", "llm")
    return None


def _parts(entry: ToolEntry) -> Mapping[str, ActionEntry | McpToolEntry]:
    if entry.mcp is not None:
        return entry.mcp.tools or {}
    return entry.functions or entry.actions or {}


def _place(entry: ToolEntry) -> Location:
    """Where the parts are written."""
    if entry.mcp is not None:
        return ("mcp", "tools")
    return ("actions",) if entry.functions is None else ("functions",)


def _pricing(cost: CostEntry, settles: tuple[SettleEntry | None, ...]) -> Pricing:
    settle = next((settle for settle in settles if settle is not None), None)
    return Pricing(cost.price, OnError.RELEASE if settle is None else settle.policy)


def _faults(
    price: Price, where: Location, action: str, entry: ToolEntry, tool: KnownTool
) -> Iterator[tuple[Location, str]]:
    of_action = f" of {quoted(action)}" if action else ""
    if entry.tls == "passthrough" and not isinstance(price, FixedPrice):
        word = "llm" if isinstance(price, TokenPrice) else "parameter"
        yield (*where, word), "is read from calls, and nothing is read of what is passed through: give a fixed price"
    elif isinstance(price, TokenPrice) and entry.mcp is not None:
        yield (*where, "llm"), "is for the HTTP API of a language model, and this is an MCP server"
    elif isinstance(price, TokenPrice) and price.model.startswith("{"):
        if price.model not in (entry.actions or {})[action].match:
            yield (*where, "llm", "model"), f"the path{of_action} has no variable {quoted(price.model)}"
    elif isinstance(price, ParameterPrice) and (listed := (tool.actions or {}).get(action)):
        kind = listed.get(price.parameter)
        if kind is None and action not in tool.open_actions:
            near = did_you_mean(price.parameter, listed)
            yield (*where, "parameter"), f"no parameter {quoted(price.parameter)}{of_action}{near}"
        elif kind is not None and kind not in _NUMBERS:
            message = f"{quoted(price.parameter)}{of_action} is of type {kind}: an amount is a number"
            yield (*where, "parameter"), message
