"""Differences between catalogues are those that change a judgement."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from aegis_authz.policy.catalogue_changes import CatalogueChange, catalogue_changes

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
    assert changes(SHOP, {**SHOP, "description": "Another text.", "owner": "me", "cost": 3}) == []


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


def test_a_tool_that_is_in_one_alone_is_named() -> None:
    assert catalogue_changes({"shop": SHOP}, {"hub": HUB}) == (
        CatalogueChange("+", "hub", "", "tool"),
        CatalogueChange("-", "shop", "", "tool"),
    )
