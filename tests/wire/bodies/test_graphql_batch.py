"""Batches of GraphQL: several operations are judged as the one that they come to, or refused."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.catalogue import OperationTerms
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.bodies.body import Batch
from aegis_authz.wire.bodies.graphql import read_graphql
from aegis_authz.wire.bodies.graphql_batch import MAX_TOKENS_TOGETHER

FIVE = OperationTerms(5, MappingProxyType({"q1": "{ user { id } }"}), True)


def read(*requests: Any) -> dict[str, Any]:
    return read_graphql(list(requests), False, FIVE)


def test_operations_are_told_as_one_that_asks_for_all_of_them() -> None:
    value = read(
        {"query": "query A($id: ID) { order(id: $id) { total } }", "variables": {"id": "7"}},
        {"query": "query B { user { id name } }"},
        {"id": "q1"},
    )
    assert isinstance(value, Batch)
    assert value == {
        "operation": "query",
        "name": ["A", "B", ""],
        "fields": ["order", "user"],
        "selections": ["order", "order.total", "user", "user.id", "user.name"],
        "variables": [{"id": "7"}, {}, {}],
        "arguments": {"order": {"id": "7"}},
        "operations": 3,
        "persisted": ["q1"],
    }


def test_one_operation_says_that_it_is_one_in_a_list_and_out_of_it() -> None:
    alone = read_graphql({"query": "{ user }"}, False, FIVE)
    assert (alone["operations"], isinstance(alone, Batch)) == (1, False)
    assert (read({"query": "{ user }"})["operations"], isinstance(read({"query": "{ user }"}), Batch)) == (1, True)


PAY = {"query": "mutation { pay(amount: 1) }"}


@pytest.mark.parametrize(
    ("requests", "reason", "problem"),
    [
        ([], Reason.GRAPHQL_MALFORMED, "holds 0 operations. This action takes 1 to 5."),
        ([{"query": "{ a }"}] * 6, Reason.GRAPHQL_MALFORMED, "holds 6 operations. This action takes 1 to 5."),
        ([[{"query": "{ a }"}]], Reason.GRAPHQL_MALFORMED, "is a JSON object"),
        ([{"query": "{ a }"}, None], Reason.GRAPHQL_MALFORMED, "is a JSON object"),
        ([{"query": "{ a }"}, PAY], Reason.GRAPHQL_MALFORMED, "mixes queries, mutations"),
        ([PAY, PAY], Reason.DUPLICATE_KEY, 'The field "pay" is asked for by two operations'),
        ([{"query": "{ a(n: 1) }"}, {"query": "{ a(n: 1) }"}], Reason.DUPLICATE_KEY, "Send one call each."),
        ([{"query": "{ a(n: 1) }"}, {"query": "{ a }"}], Reason.DUPLICATE_KEY, "Send one call each."),
        ([{"query": "{ a }"}, {"query": "{ a(n: 1) }"}], Reason.DUPLICATE_KEY, "Send one call each."),
        ([{"query": "mutation { a }"}, {"query": "mutation { x: a }"}], Reason.DUPLICATE_KEY, "Send one call each."),
        ([{"query": "{ a }", "hash": "x"}], Reason.PARAMETER_UNKNOWN, 'and not "hash".'),
        ([{"query": f"{{ {'a ' * 500} b{n} }}"} for n in range(3)], Reason.GRAPHQL_MALFORMED,
         f"more than {MAX_TOKENS_TOGETHER} tokens together"),
        ([{"query": "query ($v: S) { " + " ".join(f"a{n}_{m}(x: $v)" for m in range(8)) + " }",
           "variables": {"v": "w" * 40_000}} for n in range(5)], Reason.GRAPHQL_MALFORMED, "arguments of the batch"),
        ([{"query": f"query ($v: J) {{ a{n}(x: $v) }}", "variables": {"v": [0] * 6_000}} for n in range(5)],
         Reason.GRAPHQL_MALFORMED, "arguments of the batch"),
        ([{"query": f"{{ {'n' * 9_000} {{ a{n} b{n} c{n} d{n} }} }}"} for n in range(5)], Reason.GRAPHQL_MALFORMED,
         "paths of its fields"),
    ],
)  # fmt: skip
def test_what_would_be_two_calls_is_refused(requests: Any, reason: Reason, problem: str) -> None:
    with pytest.raises(Refused) as refused:
        read(*requests)
    assert refused.value.reason is reason
    assert refused.value.fault is not None and problem in refused.value.fault.problem


FIELDS = st.sampled_from(["a", "b", "c", "d(n: 1)", "d(n: 2)", "e { f }", "e { g(n: 3) }"])
QUERIES = st.lists(FIELDS, min_size=1, max_size=3).map(lambda fields: {"query": "{ " + " ".join(fields) + " }"})


@given(st.lists(QUERIES, min_size=1, max_size=5))
def test_nothing_that_an_operation_asks_for_is_missing_in_the_batch(requests: list[dict[str, Any]]) -> None:
    try:
        value = read(*requests)
    except Refused as refused:
        assert refused.reason is Reason.DUPLICATE_KEY
        return
    singles = [read_graphql(request, False, FIVE) for request in requests]
    for single in singles:
        assert set(single["selections"]) <= set(value["selections"])
        assert set(single["fields"]) <= set(value["fields"])
        assert single.get("arguments", {}).items() <= value.get("arguments", {}).items()
    given_arguments = sum(len(single.get("arguments", {})) for single in singles)
    assert given_arguments == len(value.get("arguments", {})), "no arguments stand for two fields"
