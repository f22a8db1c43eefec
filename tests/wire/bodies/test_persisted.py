"""Persisted queries: judged as the documents that the catalogue lists under their ids, or refused."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.call import ToolCall
from aegis_authz.core.catalogue import (
    LONG_OPERATION,
    Action,
    BodyFormat,
    Catalogue,
    OperationTerms,
    Parameter,
    ParameterSource,
    ParameterType,
    Tool,
)
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.bodies.graphql import read_graphql
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.tool_call import read_tool_call, takes_long

PAY = "mutation Pay($amount: Int!) { pay(amount: $amount) { id } }"
USER = "query User { user { name } }"
HASH = hashlib.sha256(PAY.encode()).hexdigest()
LISTED = OperationTerms(1, MappingProxyType({HASH: PAY, "user-1": USER, "f" * 64: USER}), True)


def apollo(sha256: str, **members: Any) -> dict[str, Any]:
    return {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha256}}, **members}


def read(request: Any, terms: OperationTerms = LISTED) -> dict[str, Any]:
    return read_graphql(request, False, terms)


@pytest.mark.parametrize(
    "request_body",
    [
        apollo(HASH, variables={"amount": 5}),
        apollo(HASH, variables={"amount": 5}, operationName="Pay"),
        apollo(HASH, query=PAY, variables={"amount": 5}),
        {"id": HASH, "variables": {"amount": 5}},
        {"doc_id": HASH, "variables": {"amount": 5}},
        {"documentId": HASH, "variables": {"amount": 5}, "query": None},
    ],
)
def test_a_listed_document_is_judged_with_its_variables_however_it_is_named(request_body: Any) -> None:
    sent = read({"query": PAY, "variables": {"amount": 5}})
    assert read(request_body) == {**sent, "persisted": [HASH]}
    assert sent["arguments"] == {"pay": {"amount": 5}}


@pytest.mark.parametrize(
    ("request_body", "reason", "problem"),
    [
        (apollo("0" * 64), Reason.OPERATION_UNLISTED, "is none of those that are listed here."),
        (apollo(HASH.upper()), Reason.OPERATION_UNLISTED, "is none of those that are listed here."),
        (apollo("0" * 64, query=USER), Reason.OPERATION_UNLISTED, "is none of those that are listed here."),
        (apollo("f" * 64), Reason.OPERATION_UNLISTED, "is not that of the document listed under it."),
        ({"id": "user-2"}, Reason.OPERATION_UNLISTED, '"user-2"'),
        (apollo(HASH, query=USER), Reason.GRAPHQL_MALFORMED, "The text in query is not that of the document"),
        ({"id": "user-1", "query": PAY}, Reason.GRAPHQL_MALFORMED, "The text in query is not that of the document"),
        ({"id": "user-1", "query": USER + " "}, Reason.GRAPHQL_MALFORMED, "is not that of the document"),
        ({"id": "user-1", "doc_id": "user-1"}, Reason.GRAPHQL_MALFORMED, "Name it once."),
        (apollo(HASH, id=HASH), Reason.GRAPHQL_MALFORMED, "Name it once."),
        ({"id": 7}, Reason.GRAPHQL_MALFORMED, "must be the id of a document"),
        ({"id": ""}, Reason.GRAPHQL_MALFORMED, "must be the id of a document"),
        ({"id": "user-1", "query": 7}, Reason.GRAPHQL_MALFORMED, "must be the text of the operation."),
        ({"id": "user-1", "variables": {"x": 1}}, Reason.GRAPHQL_MALFORMED, "is not declared by the operation"),
        ({"id": "user-1", "operationName": "Other"}, Reason.GRAPHQL_MALFORMED, "is not the name of the operation."),
        ({"id": "user-1", "hash": HASH}, Reason.PARAMETER_UNKNOWN, 'and not "hash".'),
        ({"extensions": {"persistedQuery": {"version": 2, "sha256Hash": HASH}}}, Reason.GRAPHQL_MALFORMED, "version 1"),
        ({"extensions": {"persistedQuery": {"version": True, "sha256Hash": HASH}}}, Reason.GRAPHQL_MALFORMED, "version"),
        ({"extensions": {"persistedQuery": {"sha256Hash": HASH}}}, Reason.GRAPHQL_MALFORMED, "version 1"),
        ({"extensions": {"persistedQuery": [HASH]}}, Reason.PARAMETER_UNKNOWN, "may hold persistedQuery alone."),
        ({"extensions": {"trace": 1}, "query": USER}, Reason.PARAMETER_UNKNOWN, "may hold persistedQuery alone."),
        ({**apollo(HASH), "extensions": {**apollo(HASH)["extensions"], "x": 1}}, Reason.PARAMETER_UNKNOWN, "alone."),
        ({"extensions": []}, Reason.PARAMETER_UNKNOWN, "may hold persistedQuery alone."),
        ({}, Reason.GRAPHQL_MALFORMED, "must be the text of the operation."),
    ],
)  # fmt: skip
def test_what_is_not_listed_or_not_one_document_is_refused(request_body: Any, reason: Reason, problem: str) -> None:
    with pytest.raises(Refused) as refused:
        read(request_body)
    assert refused.value.reason is reason
    assert refused.value.fault is not None and problem in refused.value.fault.problem


def test_where_texts_are_refused_listed_ones_pass_alone() -> None:
    terms = replace(LISTED, texts=False)
    assert read({"query": USER}, terms)["fields"] == ["user"]
    assert read({"id": "user-1"}, terms)["persisted"] == ["user-1"]
    with pytest.raises(Refused) as refused:
        read({"query": "{ user { name } }"}, terms)
    assert refused.value.reason is Reason.OPERATION_UNLISTED


def action(method: str, *parameters: Parameter) -> Action:
    fields = Parameter("fields", ParameterSource.BODY, "/fields", ParameterType.ARRAY, False, None)
    return Action(f"graph-{method}", method, ("graphql",), (fields, *parameters), False, (BodyFormat.GRAPHQL,), LISTED)


def catalogue(graph: Action) -> Catalogue:
    return Catalogue.of((Tool("t", "t.example", None, "", (graph,), "", "", None, False, False, NO_INTERFACE),))


def http(method: str, body: Any, query: str) -> HttpCall:
    data = b"" if body is None else json.dumps(body).encode()
    headers = {"content-type": ("application/json",)}
    return HttpCall("", method, "http", "t.example", None, "/graphql", query, headers, data, "", "", "", "", "", False)


def call(method: str, body: Any, query: str, *parameters: Parameter) -> ToolCall:
    return read_tool_call(http(method, body, query), catalogue(action(method, *parameters)))


def test_a_document_is_named_in_a_url_by_get_alone() -> None:
    named = urlencode({"id": "user-1", "variables": "{}"})
    assert call("GET", None, named).parameters == {"fields": ["user"]}
    refusals = [
        ("GET", None, urlencode({"id": HASH}), Reason.GRAPHQL_MALFORMED),  # a mutation
        ("GET", None, urlencode({"extensions": json.dumps(apollo(HASH)["extensions"])}), Reason.GRAPHQL_MALFORMED),
        ("GET", None, urlencode({"extensions": json.dumps(apollo("0" * 64)["extensions"])}), Reason.OPERATION_UNLISTED),
        ("GET", None, urlencode({"extensions": "{"}), Reason.MALFORMED_CALL),
        ("POST", {"query": USER}, named, Reason.GRAPHQL_MALFORMED),
        ("POST", {"query": USER}, "documentId=user-1", Reason.GRAPHQL_MALFORMED),
    ]
    for method, body, query, reason in refusals:
        with pytest.raises(Refused) as refused:
            call(method, body, query)
        assert refused.value.reason is reason


def test_a_parameter_of_the_query_may_have_the_name_of_an_id() -> None:
    number = Parameter("number", ParameterSource.QUERY, "id", ParameterType.STRING, False, None)
    assert call("POST", {"query": USER}, "id=7", number).parameters == {"fields": ["user"], "number": "7"}


@pytest.mark.parametrize(("length", "is_slow"), [(LONG_OPERATION, True), (LONG_OPERATION - 1, False)])
def test_a_short_request_that_may_name_a_long_document_is_read_beside_the_others(length: int, is_slow: bool) -> None:
    terms = replace(LISTED, persisted={"long": "{ a }".ljust(length, "#")})
    graph = replace(action("POST"), operations=terms)
    assert takes_long(http("POST", {"id": "long"}, ""), catalogue(graph)) is is_slow


@pytest.mark.parametrize(("length", "is_slow"), [(LONG_OPERATION // 8, True), (LONG_OPERATION // 8 - 1, False)])
def test_a_short_batch_that_may_name_many_documents_is_read_beside_the_others(length: int, is_slow: bool) -> None:
    terms = OperationTerms(8, MappingProxyType({"a": "{ a }".ljust(length, "#")}), False)
    graph = replace(action("POST"), operations=terms)
    assert takes_long(http("POST", [{"id": "a"}] * 8, ""), catalogue(graph)) is is_slow


def test_a_named_document_and_the_same_text_are_two_calls_to_an_approver() -> None:
    named, sent = call("POST", {"id": "user-1"}, ""), call("POST", {"query": USER}, "")
    assert named.digest != sent.digest
    assert (named.besides["/persisted"], sent.besides.get("/persisted")) == (["user-1"], None)


MEMBERS = st.dictionaries(
    st.sampled_from(["query", "id", "doc_id", "documentId", "extensions", "variables", "operationName"]),
    st.sampled_from(
        [PAY, USER, HASH, "user-1", "x", None, {}, apollo(HASH)["extensions"], apollo("f" * 64)["extensions"]]
    ),
)


@given(MEMBERS)
def test_what_is_judged_is_a_document_that_is_listed_or_was_sent(request_body: dict[str, Any]) -> None:
    try:
        value = read(request_body)
    except Refused as refused:
        assert refused.fault is not None and refused.fault.problem
        return
    texts = {LISTED.persisted[name] for name in value.get("persisted", [])} | {request_body.get("query")} - {None}
    assert len(texts) == 1
    assert value["fields"] == (["pay"] if PAY in texts else ["user"])
