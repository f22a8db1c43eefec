"""One operation becomes one action, and what of it no action can hold is said."""

from __future__ import annotations

from typing import Any

import pytest

from aegis_authz.policy.openapi.operations import Operation, OperationUnusable, operation_of, operations
from aegis_authz.policy.openapi.references import Description


def action(path: str, operation: dict[str, Any], item: dict[str, Any] | None = None, base: str = "") -> Operation:
    return operation_of(Description({}), base, path, "post", (item or {}, operation))


def body(schema: object, media: str = "application/json") -> dict[str, Any]:
    return {"requestBody": {"content": {media: {"schema": schema}}}}


def test_path_query_headers_and_body_are_parameters() -> None:
    operation = {
        "operationId": "createRefund",
        "summary": "Pay  money\nback",
        "tags": ["refunds"],
        "parameters": [
            {"name": "charge-id", "in": "path", "schema": {"type": "string"}},
            {"name": "expand", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
            {"name": "X-Account", "in": "header", "schema": {"type": "string"}},
        ],
        **body({"properties": {"amount": {"type": "integer"}, "a/b": {"type": ["string", "null"]}}}),
    }
    made = action("/charges/{charge-id}/refunds", operation, base="/v1")
    assert (made.name, made.match, made.tags, made.gaps) == (
        "createRefund",
        "POST /v1/charges/{charge_id}/refunds",
        ("refunds",),
        (),
    )
    assert made.entry == {
        "match": "POST /v1/charges/{charge_id}/refunds",
        "description": "Pay money back",
        "parameters": {
            "charge-id": {"from": "{charge_id}", "type": "string"},
            "expand": {"from": "?expand", "type": "array", "items": "string"},
            "x-account": {"from": "header:x-account", "type": "string"},
            "amount": {"from": "/amount", "type": "integer"},
            "a/b": {"from": "/a~1b", "type": "string", "optional": True},
        },
    }


def test_one_name_in_two_places_is_told_apart_by_its_place() -> None:
    operation = {"parameters": [{"name": "id", "in": "path"}], **body({"properties": {"id": {"type": "integer"}}})}
    assert action("/x/{id}", operation).entry["parameters"] == {
        "id": {"from": "{id}", "type": "string"},
        "body_id": {"from": "/id", "type": "integer"},
    }


def test_an_operation_s_own_parameter_stands_for_that_of_its_path() -> None:
    item = {"parameters": [{"name": "q", "in": "query", "schema": {"type": "string"}}]}
    operation = {"parameters": [{"name": "q", "in": "query", "schema": {"type": "integer"}}]}
    assert action("/x", operation, item).entry["parameters"] == {"q": {"from": "?q", "type": "integer"}}


@pytest.mark.parametrize(
    ("operation", "sentence"),
    [
        ({"parameters": [{"name": "session", "in": "cookie"}]}, "cookie parameter 'session' is not judged"),
        ({"parameters": [{"name": "x-request-id", "in": "header"}]}, "'x-request-id' is not judged"),
        ({"parameters": [{"name": "f", "in": "query", "schema": {"type": "object"}}]}, "are not described"),
        ({"parameters": [{"name": "x-f", "in": "header", "schema": {"type": "array"}}]}, "a list in one text"),
        ({"parameters": [{"name": "f", "in": "query", "explode": False, "schema": {"type": "array"}}]}, "in one text"),
        ({"parameters": [{"name": "a\tb", "in": "query"}]}, "no name that a rule can hold"),
        (body({"type": "array"}), "not described as an object"),
        (body({"type": "object", "additionalProperties": True}), "others: allow"),
        ({"requestBody": {"content": {"text/xml": {}, "application/json": {"schema": {}}}}}, "not text/xml"),
    ],
)
def test_what_no_action_can_hold_is_said(operation: dict[str, Any], sentence: str) -> None:
    gaps = action("/x", operation).gaps
    assert any(sentence in gap for gap in gaps), gaps


def test_an_object_in_the_query_is_a_parameter_for_each_member() -> None:
    schema = {"type": "object", "properties": {"since": {"type": "integer"}}}
    parameters = [
        {"name": "page", "in": "query", "schema": {"properties": {"size": {"type": "integer"}}}},
        {"name": "created", "in": "query", "style": "deepObject", "schema": schema},
        {"name": "ids", "in": "path", "schema": {"type": "array"}},
    ]
    made = action("/x/{ids}", {"parameters": parameters})
    assert made.entry["parameters"] == {
        "ids": {"from": "{ids}", "type": "string"},
        "size": {"from": "?size", "type": "integer"},
        "created[since]": {"from": "?created[since]", "type": "integer"},
    }
    assert made.gaps == ("the path parameter 'ids' is a list in one text: judged as a text",)
    assert "others" not in made.entry


def test_headers_that_say_nothing_are_passed_over() -> None:
    operation = {"parameters": [{"name": name, "in": "header"} for name in ("Accept", "Content-Type", "Authorization")]}
    made = action("/x", operation)
    assert (made.gaps, "parameters" in made.entry) == ((), False)


def test_an_operation_without_a_name_is_called_by_what_it_does() -> None:
    assert action("/v1/things/{id}", {}).name == "post_/v1/things/_id"


@pytest.mark.parametrize("path", ["/a//b", "a", "/{a}{b}", "/x y"])
def test_a_path_that_no_request_can_have_makes_no_action(path: str) -> None:
    with pytest.raises(OperationUnusable):
        action(path, {})


def test_every_operation_is_met_in_the_order_of_its_path() -> None:
    paths = {"/b": {"get": {}, "post": {}, "summary": "x"}, "/a": {"delete": {}, "trace": {}}}
    met = [(path, method) for path, method, _, _ in operations(Description({"paths": paths}))]
    assert met == [("/b", "get"), ("/b", "post"), ("/a", "delete")]
