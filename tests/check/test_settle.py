from __future__ import annotations

from dataclasses import replace

import pytest

from aegis_authz.check.draft import Draft
from aegis_authz.check.record import record_of
from aegis_authz.check.settle import settlement_of
from aegis_authz.core.call import NO_RPC, CallKind, ToolCall
from aegis_authz.core.decision import Decision, Redact, Target, denied
from aegis_authz.core.effect import Effect
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import DecisionRecord
from aegis_authz.core.scope import Scope
from aegis_authz.evidence.replay import NotJudged, replayed
from aegis_authz.wire.grant import read_grant
from tests.support.grants import NOW, grant_claim

GRANT = read_grant(grant_claim(depth=1, calls=2, within=grant_claim(id="w" * 16, within=grant_claim(depth=3, calls=9))))
ALLOWED = replace(denied(Reason.POLICY_DENIED, "", "r1"), effect=Effect.ALLOW, reason=Reason.ALLOWED)
REDACTED = replace(
    ALLOWED,
    effect=Effect.SANITIZE,
    reason=Reason.SANITIZED,
    obligations=(Redact(Target.REQUEST, ("iban",), ()),),
)


class StillClock:
    def now(self) -> float:
        return float(NOW)

    def monotonic(self) -> float:
        return 0.0


def draft(kind: CallKind = CallKind.ACTION, action: str = "pay", declared: tuple[str, ...] = ("payee",)) -> Draft:
    identity = Identity(
        Scope("acme", "emea", "bot"), "aegis", "k", "j", NOW, NOW + 60, (), "", Way.TOKEN, None, "", GRANT
    )
    parameters: dict[str, Json] = {"payee": "Muster"}
    call = ToolCall(
        kind=kind,
        tool="bank",
        action=action,
        parameters=parameters,
        declared=declared,
        host="bank.example",
        port=None,
        method="POST",
        path="/",
        source="",
        rpc=NO_RPC,
        digest="d",
        content_type="",
        scheme="https",
        besides={},
        spellings={},
        batch=0,
    )
    made = Draft.begin("d-1", "", "", StillClock())
    made.identity, made.call = identity, call
    return made


def counted(decision: Decision, kind: CallKind = CallKind.ACTION, action: str = "pay") -> list[int | None]:
    settlement = settlement_of(decision, draft(kind, action), lambda _: "apr_1")
    return [use.narrowing.calls for use in settlement.grants]


def recorded(decision: Decision, declared: tuple[str, ...] = ("payee",)) -> DecisionRecord:
    return record_of(decision, draft(declared=declared), StillClock())


def test_a_call_that_is_let_through_counts_in_every_grant_of_the_chain_that_has_a_count() -> None:
    assert counted(ALLOWED) == [9, 2]
    assert counted(REDACTED, CallKind.MCP_TOOL) == [9, 2]
    assert counted(ALLOWED, CallKind.MCP_SESSION, "resources/read") == [9, 2]


def test_a_batch_counts_in_every_grant_as_the_calls_that_it_holds() -> None:
    several = draft()
    assert several.call is not None
    several.call = replace(several.call, batch=50)
    assert [use.calls for use in settlement_of(ALLOWED, several, lambda _: "apr_1").grants] == [50, 50]
    assert [use.calls for use in settlement_of(ALLOWED, draft(), lambda _: "apr_1").grants] == [1, 1]


@pytest.mark.parametrize("action", ["initialize", "tools/list", "notifications/initialized", "http:get"])
def test_a_message_of_a_session_counts_nowhere(action: str) -> None:
    assert counted(ALLOWED, CallKind.MCP_SESSION, action) == []
    assert counted(ALLOWED, CallKind.MCP_TOOL, action) == [9, 2]


def test_the_opening_of_a_tunnel_counts_nowhere() -> None:
    opening = draft()
    opening.call = None
    assert settlement_of(ALLOWED, opening, lambda _: "apr_1").grants == ()


def test_a_refused_call_counts_nowhere() -> None:
    assert counted(denied(Reason.GRANT_EXCEEDED, "", "r1")) == []


def test_a_record_holds_the_grant_and_can_be_judged_again() -> None:
    identity = recorded(ALLOWED).identity
    assert identity is not None
    assert identity.grant == GRANT
    assert replayed(recorded(ALLOWED)).identity.grant == GRANT


@pytest.mark.parametrize("record", [recorded(REDACTED), recorded(ALLOWED, declared=())], ids=["redacted", "undeclared"])
def test_a_record_holds_no_values_of_a_grant_where_it_holds_none_of_the_call(record: DecisionRecord) -> None:
    assert record.identity is not None
    grant = record.identity.grant
    assert grant is not None
    assert (grant.digest, [narrowing.calls for narrowing in grant.chain]) == (GRANT.digest, [9, None, 2])
    assert [narrowing.tools for narrowing in grant.chain] == [None, None, None]
    with pytest.raises(NotJudged, match="of the grant neither tools nor values"):
        replayed(record)
