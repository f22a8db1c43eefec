"""GraphQL requests: what is read of them, what is refused and in what words."""

from __future__ import annotations

import json
import time
import tracemalloc
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.call import ToolCall
from aegis_authz.core.catalogue import (
    MAX_TOKENS,
    ONE_OPERATION,
    Action,
    BodyFormat,
    Catalogue,
    Parameter,
    ParameterSource,
    ParameterType,
    Tool,
)
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.bodies.graphql import read_graphql
from aegis_authz.wire.bodies.graphql_document import read_document
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.tool_call import read_tool_call, takes_long


def operation(query: str, variables: Any = None, **members: Any) -> dict[str, Any]:
    return read_graphql({"query": query, "variables": variables, **members}, False, ONE_OPERATION)


def refusal(query: str, variables: Any = None, **members: Any) -> Refused:
    with pytest.raises(Refused) as refused:
        operation(query, variables, **members)
    return refused.value


def test_kind_name_fields_and_arguments_of_an_operation_are_told() -> None:
    query = """
    mutation Pay($amount: Int!, $memo: String = "none", $unset: String) {
      first: pay(amount: $amount, to: {name: "bob", tags: [A, 1, 2.5, true, null]}, memo: $memo, by: $unset) { id ...More }
      __typename
    }
    fragment More on Payment { payee { name(form: LONG) } ... on Refund { reason } }
    """
    assert operation(query, {"amount": 4200}, operationName="Pay") == {
        "operation": "mutation",
        "name": "Pay",
        "fields": ["pay"],
        "selections": ["pay", "pay.id", "pay.payee", "pay.payee.name", "pay.reason"],
        "arguments": {
            "pay": {"amount": 4200, "to": {"name": "bob", "tags": ["A", 1, 2.5, True, None]}, "memo": "none"},
            "pay.payee.name": {"form": "LONG"},
        },
        "variables": {"amount": 4200},
    }


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("{a}", ("query", "", ["a"])),
        ("query Q { a b }", ("query", "Q", ["a", "b"])),
        ("subscription { ticks }", ("subscription", "", ["ticks"])),
        ("{ x: a y: a }", ("query", "", ["a"])),
        ("query ($on: Boolean!) { a @include(if: $on) b @skip(if: false) }", ("query", "", ["a", "b"])),
        ("{ ...F } fragment F on Query { a }", ("query", "", ["a"])),
        ("{ a(x: 1) a(x: 1) { b } }", ("query", "", ["a"])),
    ],
)
def test_operations_are_read(query: str, value: tuple[str, str, list[str]]) -> None:
    read = operation(query)
    assert (read["operation"], read["name"], read["fields"]) == value


def test_an_argument_is_known_by_its_field_whatever_its_variable_is_called() -> None:
    for name in ("amount", "limit"):
        read = operation(f"mutation (${name}: Int) {{ pay(amount: ${name}) }}", {name: 50_000})
        assert read["arguments"] == {"pay": {"amount": 50_000}}


@pytest.mark.parametrize(
    ("query", "variables", "reason", "problem"),
    [
        ("{ a", None, Reason.GRAPHQL_MALFORMED, "The query is no GraphQL: Syntax Error"),
        ("", None, Reason.GRAPHQL_MALFORMED, "The query is no GraphQL"),
        ("{a} {b}", None, Reason.GRAPHQL_MALFORMED, "The query has 2 operations. Send the one that is meant."),
        ("query A {a} mutation B {b}", None, Reason.GRAPHQL_MALFORMED, "has 2 operations."),
        ("fragment F on Q { a }", None, Reason.GRAPHQL_MALFORMED, "has 0 operations."),
        ("type T { a: Int }", None, Reason.GRAPHQL_MALFORMED, "or types of a schema."),
        ("{ ...F }", None, Reason.GRAPHQL_MALFORMED, 'The fragment "F" is not defined'),
        ("{ a } fragment F on Q { a }", None, Reason.GRAPHQL_MALFORMED, "has a fragment that it does not use."),
        ("{ ...F } fragment F on Q { a ...F }", None, Reason.GRAPHQL_MALFORMED, "or a fragment spreads itself."),
        ("{ ...F } fragment F on Q { a } fragment F on Q { b }", None, Reason.GRAPHQL_MALFORMED, "a fragment twice"),
        ("{ a @defer { b } }", None, Reason.GRAPHQL_MALFORMED, "The directive @defer is not judged."),
        ("query ($x: Int @dir) { a(x: $x) }", None, Reason.GRAPHQL_MALFORMED, "has a directive"),
        ("{ a(x: 1, x: 2) }", None, Reason.GRAPHQL_MALFORMED, 'The argument "x" is given twice.'),
        ("{ a(x: {y: 1, y: 2}) }", None, Reason.GRAPHQL_MALFORMED, "names a field twice."),
        ("{ a(x: 1e999) }", None, Reason.MALFORMED_CALL, "is beyond what a double holds."),
        ("{ a(x: 123456789012345678901234567890) }", None, Reason.MALFORMED_CALL, "does not fit 64 bits."),
        ("query ($x: Int) { a }", {"x": 1}, Reason.GRAPHQL_MALFORMED, "is not declared by the operation, or used by none"),
        ("{ a }", {"x": 1}, Reason.GRAPHQL_MALFORMED, "is not declared by the operation"),
        ("{ a(x: $x) }", None, Reason.GRAPHQL_MALFORMED, "is used and not declared."),
        ("query ($x: Int, $x: Int) { a(x: $x) }", None, Reason.GRAPHQL_MALFORMED, "is declared twice."),
        ("{ a }", [1], Reason.GRAPHQL_MALFORMED, "variables must be an object."),
        ("{ __typename(x: 1) }", None, Reason.GRAPHQL_MALFORMED, "__typename has neither arguments nor fields."),
        ("mutation { x: pay(a: 1) y: pay(a: 1) }", None, Reason.DUPLICATE_KEY, "Send one call each."),
        ("mutation { x: pay y: pay }", None, Reason.DUPLICATE_KEY, "Send one call each."),
        ("{ x: a(n: 1) y: a(n: 2) }", None, Reason.DUPLICATE_KEY, "Send one call each."),
        ("{ a { b(n: 1) } a { b(n: 2) } }", None, Reason.DUPLICATE_KEY, "Send one call each."),
        ("{" + "a{" * 40 + "b" + "}" * 41, None, Reason.GRAPHQL_MALFORMED, "levels deep"),
        ("{" + " a" * 700 + "}", None, Reason.GRAPHQL_MALFORMED, f"more than {MAX_TOKENS} tokens"),
        ("#" * 40_000 + "\n{a}", None, Reason.GRAPHQL_MALFORMED, "has more than 32768 characters."),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_is_refused_and_says_what_to_change(
    query: str, variables: Any, reason: Reason, problem: str
) -> None:
    refused = refusal(query, variables)
    assert refused.reason is reason
    assert refused.fault is not None
    assert problem in refused.fault.problem


@pytest.mark.parametrize(
    ("request_body", "reason", "problem"),
    [
        ([{"query": "{a}"}], Reason.GRAPHQL_MALFORMED, "Several operations are sent as a batch."),
        ("x", Reason.GRAPHQL_MALFORMED, "is a JSON object with the member query."),
        ({}, Reason.GRAPHQL_MALFORMED, "must be the text of the operation."),
        ({"extensions": {"persistedQuery": {"sha256Hash": "x"}}}, Reason.GRAPHQL_MALFORMED, "named by its hash"),
        ({"query": "{a}", "extensions": {"persistedQuery": {}}}, Reason.GRAPHQL_MALFORMED, "named by its hash"),
        ({"query": "{a}", "extensions": {"x": 1}}, Reason.PARAMETER_UNKNOWN, 'and not "extensions".'),
        ({"query": "{a}", "id": "7"}, Reason.PARAMETER_UNKNOWN, 'and not "id".'),
        ({"query": "query A {a}", "operationName": "B"}, Reason.GRAPHQL_MALFORMED, "is not the name of the operation."),
    ],
)
def test_batches_persisted_queries_and_other_members_are_refused(
    request_body: Any, reason: Reason, problem: str
) -> None:
    with pytest.raises(Refused) as refused:
        read_graphql(request_body, False, ONE_OPERATION)
    assert refused.value.reason is reason
    assert refused.value.fault is not None
    assert problem in refused.value.fault.problem


def test_fragments_that_double_each_other_are_refused_in_time() -> None:
    spread = "".join(f"fragment F{n} on Q {{ ...F{n + 1} ...F{n + 1} }} " for n in range(30))
    begun = time.process_time()
    refused = refusal("{ ...F0 } " + spread + "fragment F30 on Q { a }")
    assert refused.fault is not None and "more than 1000 fields" in refused.fault.problem
    assert time.process_time() - begun < 0.5


LONG = "a" * 16_000
SPREAD = "{ x { ...A } y { ...A } } fragment A on Q { p { ...B } q { ...B } } fragment B on Q { "


@pytest.mark.parametrize(
    ("query", "variables", "problem"),
    [
        ("{ " + LONG + " { " + " ".join(f"b{n}" for n in range(100)) + " } }", None, "paths of its fields"),
        ("{ " + LONG + " { " + " ".join(f"b{n}(x: 1)" for n in range(50)) + " } }", None, "paths of its fields"),
        (SPREAD + "f { ...C } } fragment C on Q { " + LONG + " ".join(f" c{n} {{ d }}" for n in range(9)) + " } ",
         None, None),
        (SPREAD + " ".join(f'g{n}(x: "{"v" * 6_000}")' for n in range(5)) + " }", None, None),
        ("query ($v: J) { " + " ".join(f"g{n}(x: $v)" for n in range(70)) + " }", {"v": ["w" * 90] * 300}, "arguments of"),
        ("query ($v: J) { " + " ".join(f"g{n}(x: [$v, $v, $v])" for n in range(40)) + " }", {"v": "w" * 9_000},
         "arguments of"),
        ("query ($v: J) { " + " ".join(f"g{n}(x: $v)" for n in range(5)) + " }", {"v": [0] * 9_000}, "arguments of"),
        ("query ($v: J) { " + " ".join(f"g{n}(x: $v)" for n in range(5)) + " }",
         {"v": {f"m{n}": 0 for n in range(3_000)}}, "arguments of"),
        ("query ($v: J = \"" + "w" * 20_000 + "\") { " + " ".join(f"g{n}(x: $v)" for n in range(70)) + " }", None,
         "arguments of"),
    ],
)  # fmt: skip
def test_a_small_document_becomes_no_large_one(query: str, variables: Any, problem: str | None) -> None:
    if problem is not None:
        refused = refusal(query, variables)
        assert refused.reason is Reason.GRAPHQL_MALFORMED
        assert refused.fault is not None and problem in refused.fault.problem
        return
    assert len(json.dumps(operation(query, variables))) < 1_400_000


def test_a_variable_that_stands_in_a_list_many_times_is_written_out_as_often_by_nobody() -> None:
    query = "query ($v: J) { a(x: [" + " $v" * 280 + "]) }"
    tracemalloc.start()
    try:
        refused = refusal(query, {"v": "w" * 500_000})
        assert refused.fault is not None and "arguments of" in refused.fault.problem
        assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * 1024
    finally:
        tracemalloc.stop()


def test_what_is_remembered_of_documents_is_bounded() -> None:
    read_document.cache_clear()
    tracemalloc.start()
    try:
        fragments = " ".join(
            f"fragment F{n} on Q {{ p{n} {{ ...F{n + 1} }} q{n} {{ ...F{n + 1} }} }}" for n in range(5)
        )
        for number in range(64):
            values = " ".join(f"v{place}: {place}" for place in range(140))
            query = f"{{ ...F0 }} {fragments} fragment F5 on Q {{ g{number}(x: {{{values}}}) }}"
            read_document(query)
        assert tracemalloc.get_traced_memory()[0] < 8_000_000
    finally:
        tracemalloc.stop()
        read_document.cache_clear()


GRAPH = Action(
    "graph",
    "POST",
    ("graphql",),
    (Parameter("amount", ParameterSource.BODY, "/arguments/pay/amount", ParameterType.INTEGER, False, None),),
    False,
    (BodyFormat.GRAPHQL,),
    ONE_OPERATION,
)
FIND = Action(
    "find",
    "GET",
    ("graphql",),
    (Parameter("fields", ParameterSource.BODY, "/fields", ParameterType.ARRAY, False, None),),
    False,
    (BodyFormat.GRAPHQL,),
    ONE_OPERATION,
)
CATALOGUE = Catalogue.of((Tool("t", "t.example", None, "", (GRAPH, FIND), "", "", None, False, False, NO_INTERFACE),))


def http(method: str, body: Any = None, query: str = "") -> HttpCall:
    data = b"" if body is None else json.dumps(body).encode()
    return HttpCall(
        "", method, "http", "t.example", None, "/graphql", query, {"content-type": ("application/json",)}, data, "", "", "",
        "", "", False,
    )  # fmt: skip


def read(method: str, body: Any = None, query: str = "") -> ToolCall:
    return read_tool_call(http(method, body, query), CATALOGUE)


def test_an_argument_that_nobody_declared_is_refused_literal_or_not() -> None:
    call = read("POST", {"query": "mutation ($n: Int) { pay(amount: $n) }", "variables": {"n": 5}})
    assert (call.parameters, call.content_type) == ({"amount": 5}, "application/json")
    assert call.besides["/operation"] == "mutation"
    assert call.besides["/variables"] == {"n": 5}
    for query in ("mutation { pay(amount: 5, fee: 1) }", "mutation { pay(amount: 5) { log(all: true) } }"):
        with pytest.raises(Refused) as refused:
            read("POST", {"query": query})
        assert refused.value.reason is Reason.PARAMETER_UNKNOWN


def test_a_query_by_get_is_read_from_the_url() -> None:
    assert read("GET", query=urlencode({"query": "{ user }"})).parameters == {"fields": ["user"]}
    refusals = {
        urlencode({"query": "mutation { pay }"}): Reason.GRAPHQL_MALFORMED,
        urlencode({"query": "{ user }", "limit": 1}): Reason.PARAMETER_UNKNOWN,
        urlencode({"query": "{ user }", "variables": "{"}): Reason.MALFORMED_CALL,
        urlencode({"extensions": "{}"}): Reason.PARAMETER_UNKNOWN,
    }
    for query, reason in refusals.items():
        with pytest.raises(Refused) as refused:
            read("GET", query=query)
        assert refused.value.reason is reason


def test_an_operation_in_url_and_body_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        read("POST", {"query": "mutation { pay(amount: 5) }"}, "query=mutation")
    assert refused.value.reason is Reason.GRAPHQL_MALFORMED


@pytest.mark.parametrize("name", ["id", "doc_id", "documentId", "extensions"])
@pytest.mark.parametrize(("action", "body"), [(GRAPH, {"query": "{ user }"}), (FIND, None)])
def test_where_others_pass_no_document_is_named_in_the_url_unread(action: Action, body: Any, name: str) -> None:
    tool = Tool("t", "t.example", None, "", (replace(action, others=True),), "", "", None, False, False, NO_INTERFACE)
    query = urlencode({name: '{"persistedQuery": {}}'})
    with pytest.raises(Refused) as refused:
        read_tool_call(http(action.method, body, query), Catalogue.of((tool,)))
    assert refused.value.reason in (Reason.GRAPHQL_MALFORMED, Reason.PARAMETER_UNKNOWN)


def test_a_long_operation_is_read_beside_the_others() -> None:
    assert takes_long(http("POST", {"query": "{" + "a " * 300 + "}"}), CATALOGUE)
    assert not takes_long(http("POST", {"query": "{ a }"}), CATALOGUE)
    assert not takes_long(http("POST", {"query": "{" + "a " * 300 + "}"}), Catalogue.of(()))


NAMES = st.sampled_from(["a", "b", "pay", "__typename"])
QUERIES = st.recursive(
    NAMES,
    lambda inner: (
        st.builds("{}({}: {}) {{ {} {} }}".format, NAMES, NAMES, st.integers(-5, 5), inner, inner)
        | st.builds("x: {} {}".format, inner, inner)
        | st.builds("... on T {{ {} }}".format, inner)
    ),
    max_leaves=6,
)


@given(QUERIES.map("{{ {} }}".format) | st.text('{}()$@:!"ab1.# \n', max_size=40))
def test_any_text_is_a_value_or_one_refusal(query: str) -> None:
    try:
        value = operation(query)
    except Refused as refused:
        assert refused.reason in (Reason.GRAPHQL_MALFORMED, Reason.DUPLICATE_KEY, Reason.MALFORMED_CALL)
        return
    assert value["operation"] == "query"
    assert {path.partition(".")[0] for path in value.get("arguments", {})} <= set(value["fields"])
