"""A schema of GraphQL becomes an entry: what its root fields are given is what policy judges."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from graphql import build_schema, introspection_from_schema

from aegis_authz.policy.graphql_schema import GraphqlEntry, SchemaUnusable, graphql_entry
from aegis_authz.policy.load import load

SHOP = """
type Query { order(id: ID!): Order, orders(first: Int = 10, tags: [String!]): [Order!]! }
type Mutation { pay(amount: Float!, to: Account!, dry: Boolean, mode: Mode): Order }
type Order { id: ID!, lines(first: Int): [String] }
input Account { iban: String! }
enum Mode { NOW LATER }
scalar Date
"""


def entry(text: str = SHOP, *only: str) -> GraphqlEntry:
    return graphql_entry(text, "shop", "shop.example", "/graphql", "", only, {})


def parameters(imported: GraphqlEntry) -> dict[str, Any]:
    document: Any = imported.document
    listed: dict[str, Any] = document["actions"]["graphql"]["parameters"]
    return listed


def test_arguments_of_root_fields_are_parameters_of_their_types() -> None:
    kinds = {name: parameter["type"] for name, parameter in parameters(entry()).items()}
    assert kinds == {
        "operation": "string",
        "fields": "array",
        "order.id": "string",
        "orders.first": "integer",
        "orders.tags": "array",
        "pay.amount": "number",
        "pay.to": "object",
        "pay.dry": "boolean",
        "pay.mode": "string",
    }
    assert parameters(entry())["pay.amount"]["from"] == "/arguments/pay/amount"


def test_the_catalogue_takes_the_entry() -> None:
    loaded = load({}, {"shop.yaml": yaml.safe_dump(dict(entry().document))})
    assert [action.name for action in loaded.tools[0].actions] == ["graphql"]


def test_an_introspection_says_the_same_as_the_schema() -> None:
    introspection: Any = introspection_from_schema(build_schema(SHOP))
    for document in (introspection, {"data": introspection}):
        assert entry(json.dumps(document)).document == entry().document


def test_root_fields_are_chosen_by_name() -> None:
    assert set(parameters(entry(SHOP, "order*"))) == {"operation", "fields", "order.id", "orders.first", "orders.tags"}


def test_root_fields_that_were_not_asked_for_are_named() -> None:
    gap = next(gap for gap in entry(SHOP, "order*").gaps if "not asked for" in gap)
    assert gap.startswith("1 root field was not asked for: arguments there are refused")
    assert gap.endswith(": pay")
    both = next(gap for gap in entry(SHOP, "pay").gaps if "not asked for" in gap)
    assert both.startswith("2 root fields were")
    assert both.endswith(": order, orders")
    assert not any("not asked for" in gap for gap in entry().gaps)
    assert not any("not asked for" in gap for gap in entry(SHOP, "*").gaps)


def test_a_name_that_no_root_field_has_is_named() -> None:
    assert "no root field has the name 'refund*' that was asked for" in entry(SHOP, "pay", "refund*").gaps


def test_an_argument_with_two_types_in_two_roots_is_any_and_is_named() -> None:
    text = "type Query { user(id: ID!, name: String): Int } type Mutation { user(id: Int!, age: Int): Int }"
    listed = parameters(entry(text))
    assert {name: listed[f"user.{name}"]["type"] for name in ("id", "name", "age")} == {
        "id": "any",
        "name": "string",
        "age": "integer",
    }
    assert entry(text).gaps == ("user.id has another type in another root: it is taken over as any",)


def test_fields_below_the_root_that_take_arguments_are_named() -> None:
    (gap,) = entry().gaps
    assert "1 fields below the root take arguments" in gap
    assert "Order.lines" in gap


@pytest.mark.parametrize(
    ("text", "only", "sentence"),
    [
        ("type Query {", (), "no schema of GraphQL"),
        ("{", (), "no schema of GraphQL"),
        ('{"data": null}', (), "no schema of GraphQL"),
        ('{"data": {"__schema": 1}}', (), "no schema of GraphQL"),
        (SHOP, ("none*",), "no root field"),
    ],
)
def test_what_is_no_schema_is_refused(text: str, only: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(SchemaUnusable, match=sentence):
        entry(text, *only)
