"""Differences between catalogues are those that change a judgement."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from aegis_authz.core.interface import (
    NO_INTERFACE,
    FieldKind,
    Interface,
    MessageField,
    MessageType,
    Method,
    Presence,
    Sending,
)
from aegis_authz.policy.catalogue_changes import (
    FOR_PEOPLE,
    CatalogueChange,
    catalogue_changes,
    message_changes,
    price_changes,
)
from aegis_authz.policy.language import catalogue
from aegis_authz.policy.language.catalogue import (
    ActionEntry,
    ArgumentEntry,
    McpEntry,
    McpToolEntry,
    ParameterEntry,
    ToolEntry,
)
from aegis_authz.policy.language.validation import Part

SHOP: dict[str, Any] = {
    "tool": "shop",
    "host": "shop.example",
    "description": "A shop.",
    "actions": {
        "buy": {"match": "POST /buy", "parameters": {"amount": {"from": "/amount", "type": "number"}}},
        "look": {"match": "GET /look"},
    },
}
HUB: dict[str, Any] = {
    "tool": "hub",
    "host": "hub.example",
    "mcp": {"tools": {"search": {"parameters": {"q": "string"}}}},
}


def changes(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, str, str]]:
    found = catalogue_changes({old["tool"]: old}, {new["tool"]: new})
    return [(change.mark, change.action, change.sentence) for change in found]


def test_equal_catalogues_do_not_differ() -> None:
    assert changes(SHOP, deepcopy(SHOP)) == []


def test_words_for_people_are_not_compared() -> None:
    assert changes(SHOP, {**SHOP, "description": "Another text.", "owner": "me"}) == []


def test_actions_that_come_go_and_change_are_named() -> None:
    new = deepcopy(SHOP)
    del new["actions"]["look"]
    new["actions"]["sell"] = {"match": "POST /sell"}
    new["actions"]["buy"]["match"] = "PUT /buy"
    new["actions"]["buy"]["others"] = "allow"
    assert changes(SHOP, new) == [
        ("~", "buy", "match: POST /buy -> PUT /buy"),
        ("~", "buy", "others: none -> allow"),
        ("-", "look", "GET /look"),
        ("+", "sell", "POST /sell"),
    ]


def test_parameters_that_come_go_and_change_are_named() -> None:
    new = deepcopy(SHOP)
    new["actions"]["buy"]["parameters"] = {
        "amount": {"from": "/amount", "type": "integer"},
        "to": {"from": "?to", "type": "string"},
    }
    assert changes(SHOP, new) == [
        ("~", "buy", "parameter amount: /amount, number -> /amount, integer"),
        ("+", "buy", "parameter to (?to, string)"),
    ]
    assert changes(new, SHOP)[1] == ("-", "buy", "parameter to (?to, string)")


def test_where_a_tool_is_counts() -> None:
    assert changes(SHOP, {**SHOP, "host": "other.example", "upstream": "http://10.0.0.1"}) == [
        ("~", "", "host: shop.example -> other.example"),
        ("~", "", "upstream: none -> http://10.0.0.1"),
    ]


def test_the_tools_of_an_mcp_server_are_compared_as_actions() -> None:
    new = deepcopy(HUB)
    new["mcp"]["tools"] = {"search": {"parameters": {"q": {"type": "integer"}}}, "read": {}}
    assert changes(HUB, new) == [
        ("+", "read", "tool of the server"),
        ("~", "search", "parameter q: string -> integer"),
    ]


def test_whether_an_mcp_server_lists_its_tools_counts() -> None:
    unlisted, nothing = {**HUB, "mcp": {}}, {**HUB, "mcp": {"tools": {}}}
    assert changes(unlisted, nothing) == [("~", "", "mcp.tools: not listed -> listed")]
    assert changes(HUB, unlisted) == [
        ("~", "", "mcp.tools: listed -> not listed"),
        ("-", "search", "tool of the server"),
    ]


def test_what_a_connection_is_counts() -> None:
    assert changes(SHOP, {**SHOP, "websocket": "opaque"}) == [("~", "", "websocket: none -> opaque")]
    assert changes(SHOP, {**SHOP, "decode": True}) == [("~", "", "decode: none -> true")]
    assert changes({"tool": "a", "tls": "passthrough"}, {"tool": "a"}) == [("~", "", "tls: passthrough -> none")]
    with_query = {**HUB, "mcp": {**HUB["mcp"], "query": ["project"]}}
    assert changes(HUB, with_query) == [("~", "", 'mcp.query: none -> ["project"]')]
    assert changes(SHOP, {**HUB, "tool": "shop"})[1] == ("~", "", "an HTTP API -> an MCP server")


def test_what_a_call_costs_counts() -> None:
    new = deepcopy(SHOP)
    new["cost"] = {"fixed": 1, "currency": "EUR"}
    new["actions"]["look"]["settle"] = {"on_error": "keep"}
    assert changes(SHOP, new) == [
        ("~", "", 'cost: none -> {"currency": "EUR", "fixed": 1}'),
        ("~", "look", 'settle: none -> {"on_error": "keep"}'),
    ]


def test_the_prices_of_models_are_compared() -> None:
    old = {"a": {"currency": "USD", "input": 1, "output": 2}, "b": {"currency": "USD"}}
    new = {"a": {"currency": "EUR", "input": 1, "output": 3}, "c": {"currency": "USD"}}
    assert price_changes(old, new) == (
        CatalogueChange("~", "prices", "a", "currency: USD -> EUR"),
        CatalogueChange("~", "prices", "a", "output: 2 -> 3"),
        CatalogueChange("-", "prices", "b", "model"),
        CatalogueChange("+", "prices", "c", "model"),
    )
    assert price_changes(old, deepcopy(old)) == ()


def places() -> list[tuple[type[Part], tuple[str, ...]]]:
    """Where in an entry each model of the catalogue stands."""
    return [
        (ToolEntry, ()),
        (ActionEntry, ("actions", "buy")),
        (ParameterEntry, ("actions", "buy", "parameters", "amount")),
        (McpEntry, ("mcp",)),
        (McpToolEntry, ("mcp", "tools", "search")),
        (ArgumentEntry, ("mcp", "tools", "search", "parameters", "q")),
    ]


@pytest.mark.parametrize(("model", "place"), places(), ids=lambda part: getattr(part, "__name__", None))
def test_every_word_of_the_catalogue_is_compared_but_those_for_people(
    model: type[Part], place: tuple[str, ...]
) -> None:
    words = {field.alias or name for name, field in model.model_fields.items()} - FOR_PEOPLE
    entry: Any = {"tool": "t", "mcp" if "mcp" in place else "actions": {}}
    for word in words - {"tool", "actions", "functions", "mcp", "tools", "parameters"}:
        old, new = ({**entry, "host": "a.example"} for _ in range(2))
        for document, value in ((old, "one"), (new, "another")):
            here = document
            for part in place:
                here[part] = dict(here.get(part, {}))
                here = here[part]
            here[word] = value
        (change,) = changes(old, new)
        assert (change[0], "one" in change[2], "another" in change[2]) == ("~", True, True), word


def test_functions_that_come_go_and_change_are_named() -> None:
    old = {"tool": "people", "functions": {"find": {"parameters": {"name": "string"}}, "drop": {}}}
    new = {"tool": "people", "functions": {"find": {"parameters": {"name": "any"}}, "hire": {}}}
    assert changes(old, new) == [
        ("-", "drop", "function"),
        ("~", "find", "parameter name: string -> any"),
        ("+", "hire", "function"),
    ]
    assert changes(SHOP, {**old, "tool": "shop"})[1] == ("~", "", "an HTTP API -> functions inside the agent")


def test_every_model_of_the_catalogue_is_walked() -> None:
    models = {
        model
        for model in vars(catalogue).values()
        if isinstance(model, type) and issubclass(model, Part) and model.__module__ == catalogue.__name__
    }
    assert models == {model for model, _ in places()}


def test_a_tool_that_is_in_one_alone_is_named() -> None:
    assert catalogue_changes({"shop": SHOP}, {"hub": HUB}) == (
        CatalogueChange("+", "hub", "", "tool"),
        CatalogueChange("-", "shop", "", "tool"),
    )


def test_another_message_of_a_descriptor_set_is_told_by_its_name() -> None:
    field = MessageField("amount", FieldKind.INT64, Presence.IMPLICIT, "", "")
    old = Interface({}, {"pay.Pay": MessageType({1: field}), "pay.Old": MessageType({})}, {"pay.Kind": {0: "CARD"}})
    new = Interface({}, {"pay.Pay": MessageType({2: field}), "pay.New": MessageType({})}, {"pay.Kind": {0: "CARD"}})
    told = [(change.mark, change.sentence) for change in message_changes({"pay": old}, {"pay": new, "other": old})]
    assert told == [
        ("+", "descriptor_set: pay.New"),
        ("-", "descriptor_set: pay.Old"),
        ("~", "descriptor_set: pay.Pay"),
    ]
    assert message_changes({"pay": old}, {"pay": old}) == ()
    assert len(message_changes({"pay": old}, {"pay": NO_INTERFACE})) == 3


def test_a_method_that_is_sent_something_else_is_told() -> None:
    messages = {"pay.Pay": MessageType({}), "pay.Refund": MessageType({})}
    old = Interface({"a": Method(Sending.MESSAGE, "pay.Pay"), "b": Method(Sending.MESSAGE, "pay.Pay")}, messages, {})
    new = Interface({"a": Method(Sending.STREAM, "pay.Pay"), "b": Method(Sending.MESSAGE, "pay.Refund")}, messages, {})
    assert message_changes({"pay": old}, {"pay": new}) == (
        CatalogueChange("~", "pay", "a", "descriptor_set: message of pay.Pay -> stream of pay.Pay"),
        CatalogueChange("~", "pay", "b", "descriptor_set: message of pay.Pay -> message of pay.Refund"),
    )
