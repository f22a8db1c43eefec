"""What a held call differs in from the last one like it."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings

from aegis_authz.approvals.comparison import Difference, differences, past_of
from aegis_authz.core.approval import Approval, ApprovalRequest, ApprovalState
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import ApprovalId, Epoch
from tests.support.held_calls import REQUEST, held, requests


def call(number: int, at: float, state: ApprovalState, request: ApprovalRequest = REQUEST) -> Approval:
    opened = replace(request, id=ApprovalId(f"apr_00{number:032x}"), requested_at=Epoch(at))
    return replace(held(opened), state=state, decided_at=Epoch(at + 1), decided_by="ben")


def test_values_that_are_others_are_named_with_both_and_the_rest_is_left_out() -> None:
    before = replace(REQUEST, parameters={"amount": 7, "to": {"iban": "A", "name": "X"}, "old": True})
    now = replace(REQUEST, parameters={"amount": 70, "to": {"iban": "B", "name": "X"}, "a.b": [1]})
    assert differences(before, now) == (
        Difference('"a.b"', "", "[1]"),
        Difference("amount", "7", "70"),
        Difference("old", "true", ""),
        Difference("to.iban", '"A"', '"B"'),
    )


def test_an_empty_object_is_another_value_than_none_at_all() -> None:
    before, now = replace(REQUEST, parameters={"a": {}}), replace(REQUEST, parameters={})
    assert differences(before, now) == (Difference("a", "{}", ""),)


@settings(max_examples=100)
@given(requests(), requests())
def test_two_calls_differ_in_nothing_exactly_when_their_values_are_the_same(
    before: ApprovalRequest, now: ApprovalRequest
) -> None:
    assert differences(before, before) == ()
    found = differences(before, now)
    assert all(text.isascii() for entry in found for text in (entry.place, entry.before, entry.now))
    assert [(entry.before, entry.now) for entry in differences(now, before)] == [
        (entry.now, entry.before) for entry in found
    ]


def test_the_last_call_like_it_is_the_one_that_was_decided_last() -> None:
    older, newer = call(1, 100.0, ApprovalState.USED), call(2, 200.0, ApprovalState.DENIED)
    open_, over = call(3, 300.0, ApprovalState.PENDING), call(4, 400.0, ApprovalState.EXPIRED)
    another = call(5, 500.0, ApprovalState.USED, replace(REQUEST, action="refund"))
    past = past_of(REQUEST, [older, open_, newer, over, another, held(REQUEST)], 3)
    assert past.last == newer
    assert [entry.request.requested_at for entry in past.calls] == [500.0, 400.0, 300.0]


def test_calls_of_another_agent_are_no_past_of_it() -> None:
    foreign = call(1, 100.0, ApprovalState.USED, replace(REQUEST, scope=Scope("acme", "apac", REQUEST.scope.agent)))
    past = past_of(REQUEST, [foreign], 3)
    assert (past.last, past.calls) == (None, ())
