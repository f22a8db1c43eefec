"""The question OPA is asked: what policy reads, and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from aegis_authz.core.approval import ApprovalProof, Unattended
from aegis_authz.core.call import NO_RPC, CallKind, ToolCall
from aegis_authz.core.circumstances import CONTEXT
from aegis_authz.core.decision import ApprovalTerms, Decision, Evaluation, SetHeader
from aegis_authz.core.effect import Effect
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.wire.grant import read_grant
from aegis_authz.wire.opa.answer import decisions_from_data, query_of, question_to_data
from tests.support.grants import grant_claim

WHO = Identity(
    Scope("acme", "emea", "bot"),
    "aegis",
    "k",
    "j",
    1000.0,
    1060.0,
    ("planner",),
    "ann@acme.example",
    Way.TOKEN,
    None,
    "",
    None,
)
CALL = ToolCall(
    CallKind.ACTION,
    "bank",
    "pay",
    {"amount": 1},
    (),
    "bank.example",
    None,
    "POST",
    "/pay",
    "192.0.2.1",
    NO_RPC,
    "d",
    "",
    "http",
    {},
    {},
    0,
)
QUESTION = Evaluation(WHO, CALL, 1007.25, "production", "task-4711", CONTEXT, None)


def test_all_that_is_known_around_a_call_is_told_when_policy_reads_it() -> None:
    assert question_to_data(QUESTION)["context"] == {
        "time": 1007_250_000_000,
        "environment": "production",
        "source": "192.0.2.1",
        "on_behalf_of": "ann@acme.example",
        "acted_by": ["planner"],
        "session": "task-4711",
        "token_age": 7,
    }


def test_what_no_rule_reads_is_left_out() -> None:
    assert question_to_data(replace(QUESTION, reads=frozenset(("token_age",))))["context"] == {"token_age": 7}
    assert "context" not in question_to_data(replace(QUESTION, reads=frozenset()))


def test_parameters_that_no_condition_looks_into_are_left_out() -> None:
    call = replace(CALL, parameters={"Amount": 5, "note": "long", "payee[]": 1, "to": {"iban": 2}, "x.y": 3})
    asked = replace(QUESTION, call=call, roots=frozenset(("amount", "to")))
    assert parameters_in_question(asked) == {"Amount": 5, "payee[]": 1, "to": {"iban": 2}, "x.y": 3}
    assert parameters_in_question(replace(asked, roots=frozenset())) == {"payee[]": 1, "x.y": 3}
    assert parameters_in_question(replace(asked, roots=None)) == call.parameters


def test_under_a_grant_every_parameter_is_told_for_it_may_be_pinned() -> None:
    asked = replace(QUESTION, identity=replace(WHO, grant=read_grant(grant_claim())), roots=frozenset())
    call = question_to_data(asked)["call"]
    assert isinstance(call, dict)
    assert call["action"] == {"name": "pay", "properties": {"amount": 1}}


def parameters_in_question(question: Evaluation) -> Json:
    action = question_to_data(question)["action"]
    assert isinstance(action, dict)
    return action["properties"]


def test_what_is_not_known_is_absent_and_not_empty() -> None:
    nobody = replace(QUESTION, identity=replace(WHO, actors=(), on_behalf_of=""), environment="", session="")
    told = question_to_data(replace(nobody, call=replace(CALL, source="")))["context"]
    assert told == {"time": 1007_250_000_000, "acted_by": [], "token_age": 7}


def test_a_token_from_a_clock_that_is_ahead_is_new_and_not_older_than_new() -> None:
    early = replace(QUESTION, identity=replace(WHO, issued_at=1010.0), reads=frozenset(("token_age",)))
    assert question_to_data(early)["context"] == {"token_age": 0}


@pytest.mark.parametrize(("scheme", "port", "told"), [("http", None, 80), ("https", None, 443), ("https", 8443, 8443)])
def test_an_unclaimed_address_is_told_with_its_port(scheme: str, port: int | None, told: int) -> None:
    call = replace(CALL, kind=CallKind.UNCLAIMED, scheme=scheme, port=port)
    resource = question_to_data(replace(QUESTION, call=call))["resource"]
    assert isinstance(resource, dict)
    assert resource["properties"] == {"host": "bank.example", "port": told, "scheme": scheme, "method": "POST"}


def answered(effect: str, reason: str, obligations: list[Json]) -> Decision | Refused:
    decision: Json = {
        "effect": effect,
        "reason": reason,
        "detail": "",
        "policies": [],
        "obligations": obligations,
        "findings": [],
        "approval": None,
        "would": None,
    }
    (read,) = decisions_from_data({"revision": "r", "decisions": [decision]}, 1)
    return read


TERMS: dict[str, Json] = {"groups": ["finance"], "expires_in": 60}


def held(terms: Json) -> Decision | Refused:
    decision: Json = {
        "effect": "approval_needed",
        "reason": "APPROVAL_NEEDED",
        "detail": "",
        "policies": [],
        "obligations": [],
        "findings": [],
        "approval": terms,
        "would": None,
    }
    (read,) = decisions_from_data({"revision": "r", "decisions": [decision]}, 1)
    return read


def test_an_approval_asks_for_one_person_unless_its_terms_say_more() -> None:
    plain = held(TERMS)
    assert isinstance(plain, Decision)
    assert plain.approval == ApprovalTerms(("finance",), 60.0, 1, (), (), 0.0, ApprovalProof.ANY, Unattended.QUEUE)
    more = held({**TERMS, "approvals": 2, "confirm": ["payee"], "notify": ["slack:#finance"]})
    assert isinstance(more, Decision)
    assert more.approval == ApprovalTerms(
        ("finance",), 60.0, 2, ("payee",), ("slack:#finance",), 0.0, ApprovalProof.ANY, Unattended.QUEUE
    )


@pytest.mark.parametrize(
    "terms",
    [
        None,
        {"groups": ["finance"]},
        {**TERMS, "extra": 1},
        {**TERMS, "approvals": 0},
        {**TERMS, "approvals": 6},
        {**TERMS, "approvals": True},
        {**TERMS, "approvals": 2.0},
        {**TERMS, "confirm": "payee"},
        {**TERMS, "confirm": [1]},
        {**TERMS, "notify": {}},
    ],
    ids=str,
)
def test_terms_of_an_approval_that_are_not_known_to_the_letter_refuse(terms: Json) -> None:
    read = held(terms)
    assert isinstance(read, Refused)
    assert read.reason is Reason.DECISION_MALFORMED


HEADER: Json = {"kind": "set_header", "name": "x-a", "value": "b"}
REDACT: Json = {"kind": "redact", "target": "request", "detectors": ["us_ssn"], "fields": []}


def test_an_allow_may_set_headers() -> None:
    read = answered("allow", "ALLOWED", [HEADER])
    assert isinstance(read, Decision)
    assert (read.effect, read.obligations, read.changes_bodies) == (Effect.ALLOW, (SetHeader("x-a", "b"),), False)


@pytest.mark.parametrize(
    ("effect", "reason", "obligations"),
    [("allow", "ALLOWED", [REDACT]), ("sanitize", "SANITIZED", [HEADER]), ("sanitize", "SANITIZED", [])],
)
def test_an_effect_that_its_obligations_contradict_is_not_believed(
    effect: str, reason: str, obligations: list[Json]
) -> None:
    read = answered(effect, reason, obligations)
    assert isinstance(read, Refused)
    assert read.reason is Reason.DECISION_MALFORMED


@pytest.mark.parametrize("item", [{"kind": "notify"}, {**HEADER, "more": 1}, {**HEADER, "value": 1}])  # type: ignore[dict-item]
def test_an_obligation_that_is_not_known_to_the_letter_refuses(item: Json) -> None:
    read = answered("allow", "ALLOWED", [item])
    assert isinstance(read, Refused)
    assert read.reason is Reason.OBLIGATION_UNKNOWN


def test_a_plain_allow_is_asked_for_in_brief() -> None:
    assert json.loads(query_of([b'{"a":1}', b'{"b":2}'])) == {"input": {"brief": True, "calls": [{"a": 1}, {"b": 2}]}}
    assert json.loads(query_of([])) == {"input": {"brief": True, "calls": []}}


def test_an_allow_in_brief_is_the_one_that_is_told_in_full() -> None:
    full: Json = {
        "effect": "allow",
        "reason": "ALLOWED",
        "detail": "",
        "policies": ["p", "q"],
        "obligations": [],
        "findings": [],
        "approval": None,
        "would": None,
        "limits": ["l"],
    }
    brief: Json = ["ALLOWED", ["p", "q"], ["l"]]
    first, second = decisions_from_data({"revision": "r", "decisions": [full, brief]}, 2)
    assert isinstance(first, Decision)
    assert (first, first.effect) == (second, Effect.ALLOW)


@pytest.mark.parametrize(
    "brief",
    [
        [],
        ["ALLOWED"],
        ["ALLOWED", ["p"]],
        ["ALLOWED", ["p"], [], []],
        ["allow", ["p"], []],
        ["SHADOWED", ["p"], []],
        ["APPROVED", ["p"], []],
        [True, ["p"], []],
        [None, ["p"], []],
        ["ALLOWED", "p", []],
        ["ALLOWED", None, []],
        ["ALLOWED", ["p"], None],
        ["ALLOWED", ["p"], {}],
        ["ALLOWED", [1], []],
        ["ALLOWED", ["p"], [["l"]]],
        ["ALLOWED", ["p"], ["l", "l"]],
        [["ALLOWED", ["p"], []]],
    ],
)
def test_a_list_that_is_no_allow_in_brief_to_the_letter_refuses(brief: Json) -> None:
    (read,) = decisions_from_data({"revision": "r", "decisions": [brief]}, 1)
    assert isinstance(read, Refused)
    assert read.reason is Reason.DECISION_MALFORMED
