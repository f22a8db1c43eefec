"""A whole description becomes an entry that the catalogue takes, or is refused with what to do."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.policy.load import load
from aegis_authz.policy.openapi.entry import Choice, DescriptionUnusable, entry_of

SHOP: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "The Shop API", "version": "1"},
    "servers": [{"url": "https://{region}.shop.example/api/v2/", "variables": {"region": {"default": "eu"}}}],
    "paths": {
        "/orders": {
            "get": {"operationId": "listOrders", "tags": ["orders"]},
            "post": {
                "operationId": "createOrder",
                "tags": ["orders"],
                "requestBody": {"$ref": "#/components/requestBodies/order"},
            },
        },
        "/orders/{id}": {"get": {"operationId": "getOrder"}, "head": {"operationId": "headOrder"}},
        "/orders/{number}": {"get": {"operationId": "getOrderByNumber"}},
        "/broken": {"get": {"parameters": [{"$ref": "#/nowhere"}]}},
    },
    "components": {
        "requestBodies": {
            "order": {"content": {"application/json": {"schema": {"properties": {"total": {"type": "number"}}}}}}
        }
    },
}


def changed(**members: object) -> dict[str, Any]:
    return {**SHOP, **members}


def test_a_description_becomes_an_entry_that_the_catalogue_takes() -> None:
    imported = entry_of(SHOP, Choice(owner="shop-team"))
    assert (imported.tool, imported.document["host"], imported.document["owner"]) == (
        "the-shop-api",
        "eu.shop.example",
        "shop-team",
    )
    assert imported.document["actions"] == {
        "listOrders": {"match": "GET /api/v2/orders"},
        "createOrder": {
            "match": "POST /api/v2/orders",
            "parameters": {"total": {"from": "/total", "type": "number"}},
        },
        "getOrder": {"match": "GET /api/v2/orders/{id}", "parameters": {"id": {"from": "{id}", "type": "string"}}},
        "headOrder": {"match": "HEAD /api/v2/orders/{id}", "parameters": {"id": {"from": "{id}", "type": "string"}}},
    }
    assert imported.unlisted == ("listOrders",)
    load({}, {"shop.yaml": yaml.safe_dump(dict(imported.document))})


def test_what_was_left_out_is_named_with_its_reason() -> None:
    gaps = {gap.operation: gap.sentence for gap in entry_of(SHOP, Choice()).gaps if gap.is_left_out}
    assert gaps["GET /api/v2/orders/{number}"] == "cannot be told apart from getOrder"
    assert "leads nowhere" in gaps["GET /broken"]


@pytest.mark.parametrize(
    ("choice", "actions"),
    [
        (Choice(only=("get*",)), {"getOrder"}),
        (Choice(only=("/orders",)), {"listOrders", "createOrder"}),
        (Choice(tags=("orders",)), {"listOrders", "createOrder"}),
        (Choice(only=("list*",), tags=("orders",)), {"listOrders"}),
    ],
)
def test_operations_are_chosen_by_name_path_and_tag(choice: Choice, actions: set[str]) -> None:
    document: Any = entry_of(SHOP, choice).document
    assert set(document["actions"]) == actions


@pytest.mark.parametrize(
    ("url", "choice", "host"),
    [
        ("https://shop.example", Choice(), "shop.example"),
        ("http://shop.example:8080/x", Choice(), "shop.example:8080"),
        ("https://shop.example:443", Choice(), "shop.example"),
        ("/api", Choice(location="https://docs.example/openapi.json"), "docs.example"),
        ("/api", Choice(host="here.example"), "here.example"),
    ],
)
def test_the_host_is_the_server_s_or_the_given_one(url: str, choice: Choice, host: str) -> None:
    assert entry_of(changed(servers=[{"url": url}]), choice).document["host"] == host


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"swagger": "2.0"}, "Swagger 2.0 is not read"),
        (changed(openapi="4.0.0"), "an OpenAPI 3.0, 3.1 or 3.2 description is needed"),
        ({}, "an OpenAPI 3.0"),
        (changed(paths=None), "has no paths"),
        (changed(paths={}), "no operation was taken over"),
        (changed(servers=[]), "names no server"),
        (changed(servers=[{"url": "https://{region}.shop.example"}]), "names no server"),
        (changed(paths={"/x": {"$ref": "#/nowhere"}}), "a path cannot be read"),
        (changed(servers={"url": "https://shop.example"}), "servers is no list"),
        (changed(servers=["https://shop.example"]), r"servers\[0\] is no object"),
        (changed(servers=[{"url": "https://shop.example:99999"}]), r"servers\[0\]\.url is no URL"),
        (changed(info=["x"]), "info is no object"),
        (changed(info={"title": 7}), r"info\.title is no text"),
        (changed(info={"$ref": "#/nowhere"}), "info: '#/nowhere' leads nowhere"),
    ],
)
def test_what_cannot_be_an_entry_says_what_to_do(document: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DescriptionUnusable, match=sentence):
        entry_of(document, Choice())


UPLOAD: dict[str, Any] = {"operationId": "upload", "servers": [{"url": "https://up.shop.example/u"}]}


def test_an_operation_of_a_server_of_its_own_is_left_out_and_named() -> None:
    paths = {"/a": {"get": {}, "post": UPLOAD}, "/b": {"servers": UPLOAD["servers"], "get": {}}}
    imported = entry_of(changed(paths=paths), Choice())
    assert imported.actions == 1
    assert [(gap.operation, gap.is_left_out) for gap in imported.gaps] == [("POST /a", True), ("GET /b", True)]
    assert imported.gaps[0].sentence.startswith("is of a server of its own, up.shop.example/u: import it by itself")


@pytest.mark.parametrize("url", ["https://eu.shop.example/v3", "/v3"])
def test_an_operation_below_another_path_of_the_same_server_is_taken_over_there(url: str) -> None:
    paths = {"/a": {"get": {"operationId": "a", "servers": [{"url": url}]}}}
    imported = entry_of(changed(paths=paths), Choice())
    assert (imported.document["actions"], imported.gaps) == ({"a": {"match": "GET /v3/a"}}, ())


@pytest.mark.parametrize(
    "url", ["https://{tenant}.shop.example/v3", "wss://eu.shop.example/v3", "//up.shop.example/v3"]
)
def test_an_operation_of_a_server_that_nothing_says_the_host_of_is_left_out(url: str) -> None:
    paths = {"/a": {"get": {"servers": [{"url": url}]}, "post": {}}}
    imported = entry_of(changed(paths=paths), Choice(host="here.example"))
    assert [(gap.operation, "a server of its own" in gap.sentence) for gap in imported.gaps] == [("GET /a", True)]


def test_operations_of_another_server_are_an_entry_of_their_own() -> None:
    document = changed(paths={"/a": {"post": UPLOAD}, "/b": {"get": {}}})
    imported = entry_of(document, Choice(name="uploads", host="up.shop.example", only=("upload",)))
    assert (imported.document["host"], imported.gaps) == ("up.shop.example", ())
    assert imported.document["actions"] == {"upload": {"match": "POST /u/a"}}


def test_an_operation_whose_servers_cannot_be_read_is_left_out() -> None:
    imported = entry_of(changed(paths={"/a": {"get": {}, "post": {"servers": {}}}}), Choice())
    assert [gap.sentence for gap in imported.gaps] == ["servers is no list"]


WORDS = st.sampled_from(
    [
        "$ref",
        "type",
        "properties",
        "items",
        "oneOf",
        "allOf",
        "parameters",
        "in",
        "name",
        "schema",
        "get",
        "post",
        "content",
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=6)
    | st.sampled_from(["#/paths", "object", "path", "query"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=4),
    max_leaves=30,
)


@given(st.dictionaries(st.sampled_from(["/a", "/a/{b}", "//", "x"]), VALUES, max_size=4))
def test_whatever_a_description_holds_it_becomes_an_entry_or_is_refused(paths: dict[str, Any]) -> None:
    document = {"openapi": "3.0.3", "servers": [{"url": "https://shop.example"}], "paths": paths}
    try:
        imported = entry_of(document, Choice())
    except DescriptionUnusable:
        return
    assert imported.actions == len(imported.document["actions"])  # type: ignore[arg-type]


TOPS = st.recursive(
    st.none() | st.integers() | st.sampled_from(["https://a.example", "https://[", "http://a:b", "#/info", "{x}", ""]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["url", "variables", "x", "title", "$ref", "default"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(TOPS, TOPS, TOPS)
def test_whatever_stands_for_servers_and_info_it_becomes_an_entry_or_is_refused(
    servers: Any, info: Any, own: Any
) -> None:
    document = {
        "openapi": "3.0.3",
        "servers": servers,
        "info": info,
        "paths": {"/a": {"get": {}}, "/b": {"get": {"servers": own}}},
    }
    try:
        imported = entry_of(document, Choice())
    except DescriptionUnusable as fault:
        assert str(fault)
        return
    assert imported.document["host"] == "a.example"
