"""Obligations of the kinds there are, turned into what Envoy is told."""

from __future__ import annotations

import json

import pytest

from aegis_authz.check.fulfil import NOTHING_TO_FULFIL, Fulfilment, fulfil, refuse_unreachable
from aegis_authz.core.call import NO_RPC, CallKind, Rpc, RpcShape, ToolCall
from aegis_authz.core.decision import (
    Decision,
    FilterTools,
    InjectCredential,
    Obligation,
    Redact,
    RedactionTerms,
    SetHeader,
    Target,
)
from aegis_authz.core.effect import Effect
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.wire.bodies.coding import Decoding
from aegis_authz.wire.http.streams import STREAMED

REDACTED = Redact(Target.RESPONSE, ("us_ssn",), ("/patient/notes",))
COST = SetHeader("x-cost-center", "4711")


def decision(*obligations: Obligation) -> Decision:
    bodily = any(isinstance(one, Redact | FilterTools) for one in obligations)
    return Decision(
        effect=Effect.SANITIZE if bodily else Effect.ALLOW,
        reason=Reason.SANITIZED if bodily else Reason.ALLOWED,
        detail="",
        policies=("p",),
        revision="r",
        obligations=obligations,
        findings=(),
        approval=None,
        would=None,
        fault=None,
        limits=(),
    )


class OneSecret:
    def secret(self, scope: Scope, name: str) -> str:
        if name != "stripe":
            raise Refused(Reason.OBLIGATION_UNMET, "no such credential")
        return f"{scope.org}-{scope.tenant}-s3cret"


WHO = Identity(Scope("acme", "emea", "bot"), "aegis", "k", "j", 0.0, 60.0, (), "", Way.TOKEN, None, "", None)
LENT = InjectCredential("authorization", "stripe", "Bearer ")


def fulfilled(*obligations: Obligation, rpc: Rpc = NO_RPC, identity: Identity | None = WHO) -> Fulfilment:
    return fulfil(decision(*obligations), rpc, identity, OneSecret(), None)


def test_without_obligations_there_is_nothing_to_fulfil() -> None:
    assert fulfilled() is NOTHING_TO_FULFIL


def test_a_body_that_was_judged_decoded_passes_the_processor_whatever_else_is_to_be_done() -> None:
    decoding = Decoding("gzip", "0" * 64)
    bare = fulfil(decision(), NO_RPC, None, OneSecret(), decoding)
    assert (bare.processing, bare.metadata["obligations"]) == ("request", "[]")
    assert (bare.metadata["coding"], bare.metadata["body_sha256"]) == ("gzip", "0" * 64)
    redacted = fulfil(decision(REDACTED), NO_RPC, None, OneSecret(), decoding)
    assert (redacted.processing, redacted.metadata["coding"]) == ("both", "gzip")


def test_a_header_needs_no_processor() -> None:
    found = fulfilled(COST)
    assert (found.processing, found.metadata, found.headers) == ("", {}, {"x-cost-center": "4711"})


def test_bodies_pass_the_processor_and_headers_are_set_beside() -> None:
    found = fulfilled(REDACTED, COST, rpc=Rpc(RpcShape.CALL, 7, "tools/call"))
    assert found.processing == "response"
    assert [one["kind"] for one in json.loads(found.metadata["obligations"])] == ["redact"]
    assert found.metadata["rpc_id"] == "7"
    assert found.headers == {"x-cost-center": "4711"}


def test_a_list_of_tools_is_filtered_in_the_response() -> None:
    assert fulfilled(FilterTools(("a",))).processing == "response"


@pytest.mark.parametrize(
    "obligations",
    [
        (COST, SetHeader("x-cost-center", "1")),
        (SetHeader("authorization", "Basic eDp5"), LENT),
        (Redact(Target.REQUEST, ("unheard_of",), ()),),
        (Redact(Target.REQUEST, (), ("not a pointer",)),),
    ],
)
def test_what_cannot_be_done_refuses_the_call(obligations: tuple[Obligation, ...]) -> None:
    with pytest.raises(Refused) as refusal:
        fulfilled(*obligations)
    assert refusal.value.reason is Reason.OBLIGATION_UNKNOWN


def test_a_credential_of_the_callers_tenant_is_lent_to_the_call() -> None:
    assert fulfilled(LENT).headers == {"authorization": "Bearer acme-emea-s3cret"}


@pytest.mark.parametrize(("lent", "who"), [(InjectCredential("authorization", "other", ""), WHO), (LENT, None)])
def test_a_credential_that_is_not_there_refuses_the_call(lent: InjectCredential, who: Identity | None) -> None:
    with pytest.raises(Refused) as refusal:
        fulfilled(lent, identity=who)
    assert refusal.value.reason is Reason.OBLIGATION_UNMET


@pytest.mark.parametrize(
    ("obligation", "batch", "is_refused"),
    [
        (Redact(Target.REQUEST, (), ("/variables/a",)), 2, True),
        (Redact(Target.REQUEST, (), ("/variables/a",)), 1, True),
        (Redact(Target.REQUEST, (), ("/variables/a",)), 0, False),
        (Redact(Target.REQUEST, ("us_ssn",), ()), 2, False),
        (Redact(Target.RESPONSE, (), ("/data/a",)), 2, False),
        (COST, 2, False),
    ],
)
def test_members_of_a_batch_are_not_redacted_and_the_call_is_refused(
    obligation: Obligation, batch: int, is_refused: bool
) -> None:
    call = ToolCall(
        CallKind.ACTION, "t", "a", {}, (), "h", None, "POST", "/", "", NO_RPC, "d", "", "http", {}, {}, batch
    )  # fmt: skip
    refuse_unreachable(decision(obligation), None)
    if not is_refused:
        refuse_unreachable(decision(obligation), call)
        return
    with pytest.raises(Refused) as refused:
        refuse_unreachable(decision(obligation), call)
    assert refused.value.reason is Reason.OBLIGATION_UNMET


@pytest.mark.parametrize(
    ("obligation", "besides", "is_refused"),
    [
        (Redact(Target.REQUEST, ("us_ssn",), ()), STREAMED, True),
        (RedactionTerms(Target.REQUEST, True, False, True, ()), STREAMED, True),
        (Redact(Target.RESPONSE, ("us_ssn",), ()), STREAMED, False),
        (Redact(Target.REQUEST, ("us_ssn",), ()), {}, False),
        (COST, STREAMED, False),
    ],
)
def test_messages_of_a_stream_are_not_redacted_and_the_call_is_refused(
    obligation: Obligation, besides: dict[str, str], is_refused: bool
) -> None:
    call = ToolCall(
        CallKind.ACTION, "t", "a", {}, (), "h", None, "POST", "/", "", NO_RPC, "d", "", "http", besides, {}, 0
    )  # fmt: skip
    if not is_refused:
        refuse_unreachable(decision(obligation), call)
        return
    with pytest.raises(Refused) as refused:
        refuse_unreachable(decision(obligation), call)
    assert refused.value.reason is Reason.OBLIGATION_UNMET
