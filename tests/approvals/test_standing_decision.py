"""What is offered to stand for some days, and what of it whoever saves it may not widen."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis_authz.approvals.standing_decision import (
    NotStanding,
    Span,
    StandingDecision,
    StandingEffect,
    Terms,
    draft,
    path_of,
    require_like,
)
from aegis_authz.core.approval import ApprovalProof, ApprovalRequest
from aegis_authz.policy.language.document import PolicyDocument
from aegis_authz.policy.load import load
from tests.support.held_calls import REQUEST

WEEK = Span.of(date(2026, 11, 30), 7)
TOOL = {"tool": "stripe", "host": "api.stripe.example", "actions": {"pay": {"match": "POST /v1"}}}
ALLOW, DENY = StandingEffect.ALLOW, StandingEffect.DENY


def held(**members: Any) -> ApprovalRequest:
    besides = {"request": "POST api.stripe.example/v1"}
    call = {"parameters": {"amount": 2000, "payee": "ACME"}, "groups": ("finance",), "besides": besides}
    return replace(REQUEST, **{**call, **members})


def read(text: str) -> PolicyDocument:
    (policy,) = load({"standing.yaml": text}, {"tool.yaml": json.dumps(TOOL)}).policies
    return policy


def offered(request: ApprovalRequest, effect: StandingEffect = ALLOW) -> PolicyDocument:
    return read(draft(request, Terms(effect, WEEK, False), "ann", {"amount"}))


def test_what_is_offered_waives_this_approval_for_a_week_up_to_this_amount() -> None:
    request = held()
    document = offered(request)
    (waiver,) = document.waivers
    assert (document.scope, document.owner) == (str(request.scope), "ann")
    assert (waiver.name, waiver.actions, waiver.of) == (request.tool, (request.action,), request.policies)
    assert (waiver.groups, waiver.since, waiver.until) == (request.groups, "2026-11-30", "2026-12-06")
    said = {name: rules[0].model_dump(exclude_unset=True) for name, rules in waiver.conditions.parameters.items()}
    assert said == {"amount": {"max": 2000}, "payee": {"equals": "ACME"}}
    require_like(document, request, ALLOW)


def test_what_is_offered_as_a_refusal_refuses_exactly_this_for_a_week() -> None:
    request = held()
    document = offered(request, DENY)
    (denial,) = document.denied_tools
    assert [rules[0].equals for _, rules in sorted(denial.conditions.parameters.items())] == [2000, "ACME"]
    require_like(document, request, DENY)
    decision = StandingDecision(path_of(document.title), "", document)
    assert (decision.effect, decision.days) == (DENY, (date(2026, 11, 30), date(2026, 12, 6)))


@pytest.mark.parametrize(
    "request_",
    [
        held(approvals=2),
        held(confirm=("payee",)),
        held(proof=ApprovalProof.SIGNED_IN),
        held(besides={"request": "POST x", "/unlisted": 1}),
        held(parameters={"/amount": 1}),
        held(parameters={"": 1}),
    ],
)
def test_what_is_more_than_one_click_is_not_offered(request_: ApprovalRequest) -> None:
    with pytest.raises(NotStanding):
        draft(request_, Terms(ALLOW, WEEK, False), "ann", ())


@pytest.mark.parametrize("effect", [ALLOW, DENY])
def test_what_is_for_a_session_asks_for_that_session_and_may_be_widened_to_any(effect: StandingEffect) -> None:
    request = held(session="task-4711")
    text = draft(request, Terms(effect, WEEK, True), "ann", {"amount"})
    for written, session in ((text, "task-4711"), (draft(request, Terms(effect, WEEK, False), "ann", ()), "")):
        document = read(written)
        require_like(document, request, effect)
        decision = StandingDecision(path_of(document.title), written, document)
        assert (decision.session, decision.days) == (session, (date(2026, 11, 30), date(2026, 12, 6)))


def test_a_call_that_belongs_to_no_session_has_no_calls_like_it_in_that_session() -> None:
    for effect in (ALLOW, DENY):
        with pytest.raises(NotStanding, match="belongs to no session"):
            draft(held(session=""), Terms(effect, WEEK, True), "ann", ())


@pytest.mark.parametrize("days", [0, -1, 31, 3000])
def test_more_than_thirty_days_are_not_offered(days: int) -> None:
    with pytest.raises(NotStanding, match="1 to 30 days"):
        Span.of(date(2026, 11, 30), days)


def test_a_call_for_somebody_is_like_calls_for_that_person_alone() -> None:
    context = offered(held(besides={"on_behalf_of": "eve@acme.example", "acted_by": ["planner"]})).waivers[0].conditions
    assert context.context.on_behalf_of is not None
    assert context.context.on_behalf_of.equals == "eve@acme.example"
    assert context.context.acted_by is not None
    assert context.context.acted_by.json_schema == {"const": ["planner"]}
    alone = offered(held()).waivers[0].conditions.context
    assert alone.on_behalf_of is not None
    assert alone.on_behalf_of.exists is False


WIDER: dict[str, tuple[StandingEffect, Any]] = {
    "another agent": (ALLOW, lambda text: text.replace("agent: bot", "agent: other")),
    "another name": (ALLOW, lambda text: text.replace("name: standing-allow-", "name: standing-deny-")),
    "another document": (ALLOW, lambda text: text.replace("  of:\n", "  of:\n  - other\n")),
    "another group": (ALLOW, lambda text: text.replace("  groups:\n", "  groups:\n  - sales\n")),
    "no group": (ALLOW, lambda text: text.replace("  groups:\n  - finance\n", "")),
    "a rule in place of a waiver": (DENY, lambda text: text.replace("denied_tools", "allowed_tools")),
    "a refusal without an end": (DENY, lambda text: text.replace("          until: '2026-12-06'\n", "")),
    "a refusal of a year": (DENY, lambda text: text.replace("2026-12-06", "2027-11-30")),
    "a refusal that observes": (DENY, lambda text: f"mode: shadow\n{text}"),
    "a region": (DENY, lambda text: f"regions: [eu]\n{text}"),
}


@pytest.mark.parametrize(("effect", "widen"), WIDER.values(), ids=WIDER)
def test_what_is_saved_is_about_no_more_than_was_asked(effect: StandingEffect, widen: Any) -> None:
    request = held()
    text = draft(request, Terms(effect, WEEK, False), "ann", ())
    edited = widen(text)
    assert edited != text
    with pytest.raises(NotStanding):
        require_like(read(edited), request, effect)


def test_the_values_may_be_widened() -> None:
    request = held()
    edited = draft(request, Terms(ALLOW, WEEK, False), "ann", {"amount"}).replace("max: 2000", "max: 5000")
    require_like(read(edited), request, ALLOW)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.dictionaries(st.text(max_size=12), VALUES, max_size=5))
def test_whatever_the_call_holds_what_is_offered_reads_back_as_a_document_like_it(parameters: dict[str, Any]) -> None:
    request = held(parameters=parameters)
    for effect in StandingEffect:
        try:
            text = draft(request, Terms(effect, WEEK, False), "ann", ())
        except NotStanding as refusal:
            assert "null" in str(refusal) or "name" in str(refusal)
        else:
            require_like(read(text), request, effect)
