"""Decision records turned back into calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from aegis_authz.core.call import CallKind
from aegis_authz.core.decision import Decision, Redact, Target
from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import DecisionRecord, FlatObligation
from aegis_authz.evidence.replay import NotJudged
from aegis_authz.lab.explanation import Explanation, explanation_of
from aegis_authz.lab.opa import LabOpa, lab_opa
from aegis_authz.lab.record_comparison import difference, not_recorded, recorded_call
from aegis_authz.lab.workbench import Workbench
from aegis_authz.policy.load import load
from tests.support.made_records import DENIED, named
from tests.support.tried_policies import POLICIES, TOOLS

HUB = """\
---
tool: hub
host: hub.example
mcp: {}
"""
MORE = """\
---
org: acme
tenant: emea
agent: reporter
name: reporting
allowed_tools:
  - name: payments-api
    actions: [refund]
    conditions:
      max_total: 10
      context: {environment: {equals: production}, on_behalf_of: {equals: ann}, token_age: {max: 60}}
  - {name: hub, actions: [create]}
"""
LOADED = load({"agents.yaml": POLICIES + MORE}, {"tools.yaml": TOOLS + HUB})
PAYER = named("payer")
PAID = replace(
    DENIED,
    identity=PAYER,
    tool="payments-api",
    action="pay",
    parameters={"amount": 500, "payee": "ACME"},
    policies=("paying",),
)
REFUNDED = replace(PAID, identity=named("reporter"), action="refund", parameters={}, withheld=2)
HUB_CALL = replace(REFUNDED, tool="hub", action="create", kind=CallKind.MCP_TOOL)


@pytest.fixture(scope="module")
def opa(opa_binary: Path) -> Iterator[LabOpa]:
    with lab_opa(opa_binary) as running:
        yield running


def again(opa: LabOpa, record: DecisionRecord) -> Explanation:
    call, kind = recorded_call(record, LOADED)
    bench = Workbench(LOADED, opa)
    return explanation_of(call, bench.explain([call], kind)[0], LOADED.loaded_policies)


def as_version_1(record: DecisionRecord) -> DecisionRecord:
    """The record as version 1 would have told it."""
    bare = replace(record, version=1, kind=None, rpc_method="", withheld=None, scheme="", port=None, environment="")
    if record.identity is None:
        return bare
    return replace(bare, identity=replace(record.identity, on_behalf_of="", issued_at=0, expires_at=0))


def lacking(opa: LabOpa, record: DecisionRecord) -> tuple[str, ...]:
    return not_recorded(record, again(opa, record), LOADED)


def test_a_record_tells_the_call() -> None:
    served = replace(PAYER, actors=("bot",), on_behalf_of="ann")
    call, kind = recorded_call(replace(PAID, identity=served), LOADED)

    assert kind is CallKind.ACTION
    assert (call.agent, call.tool, call.action) == ("acme/emea/payer", "payments-api", "pay")
    assert call.parameters == {"amount": 500, "payee": "ACME"}
    assert (call.context.time, call.context.environment) == ("2027-01-15T08:00:00+00:00", "production")
    assert (call.context.source, call.context.acted_by) == ("127.0.0.1", ("bot",))
    assert (call.context.on_behalf_of, call.context.token_age) == ("ann", 30)


def test_a_host_without_a_tool_is_told_as_one() -> None:
    egress = replace(
        PAID, tool="", action="", kind=CallKind.UNCLAIMED, host="evil.example", scheme="http", port=8080, parameters={}
    )
    for record in (egress, replace(as_version_1(egress), reason=Reason.EGRESS_DENIED)):
        call, _ = recorded_call(record, LOADED)
        assert (call.host, call.method, call.tool, call.action) == ("evil.example", "POST", "", "")
    call, _ = recorded_call(egress, LOADED)
    assert (call.scheme, call.port) == ("http", 8080)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (replace(PAID, identity=None, reason=Reason.CREDENTIAL_EXPIRED), "before it was known which agent makes it"),
        (replace(PAID, kind=None, reason=Reason.MALFORMED_CALL), "before it was known what it asks for"),
        (as_version_1(replace(PAID, tool="", reason=Reason.MALFORMED_CALL)), "before it was known what it asks for"),
        (as_version_1(replace(HUB_CALL, action="ping")), "whether ping was the method of MCP or a tool of that name"),
        (replace(PAID, identity=named("No Name")), "holds no readable call"),
    ],
)
def test_what_policy_was_never_asked_cannot_be_judged_again(record: DecisionRecord, why: str) -> None:
    with pytest.raises(NotJudged, match=why):
        recorded_call(record, LOADED)


@pytest.mark.parametrize("kind", [CallKind.MCP_TOOL, CallKind.MCP_SESSION])
def test_a_method_of_mcp_is_told_from_a_tool_of_its_name(opa: LabOpa, kind: CallKind) -> None:
    decided = again(opa, replace(HUB_CALL, action="ping", kind=kind)).decision

    assert isinstance(decided, Decision)
    assert decided.effect is (Effect.ALLOW if kind is CallKind.MCP_SESSION else Effect.DENY)


@pytest.mark.parametrize("record", [PAID, replace(REFUNDED, withheld=0)])
def test_a_record_of_all_parameters_holds_what_is_needed(opa: LabOpa, record: DecisionRecord) -> None:
    assert lacking(opa, record) == ()


def test_what_the_catalogue_does_not_declare_is_not_recorded(opa: LabOpa) -> None:
    assert lacking(opa, REFUNDED) == (
        "the record holds no parameters: only declared ones are recorded, and the catalogue declares none of refund",
        "the rules ask for total: give the values with --param",
    )
    assert lacking(opa, replace(PAID, withheld=3)) == (
        "parameters left out of the record: 3; only declared ones are recorded",
    )


def test_arguments_that_a_server_does_not_declare_are_not_recorded(opa: LabOpa) -> None:
    assert lacking(opa, HUB_CALL) == (
        "the record holds no parameters: only declared ones are recorded, and the catalogue declares none of create",
    )
    assert lacking(opa, replace(HUB_CALL, parameters={"title": "x"}, withheld=1)) == (
        "parameters left out of the record: 1; only declared ones are recorded",
    )


@pytest.mark.parametrize(
    "redacted",
    [
        replace(PAID, withheld=2, obligations=(Redact(Target.REQUEST, ("us_ssn",), ()),)),
        replace(PAID, withheld=2, effect=Effect.SANITIZE, reason=Reason.SANITIZED),
    ],
)
def test_parameters_of_a_redacted_call_are_not_recorded(opa: LabOpa, redacted: DecisionRecord) -> None:
    assert lacking(opa, replace(redacted, parameters={})) == (
        "the record of a redacted call holds none of its parameters",
        "the rules ask for amount, payee: give the values with --param",
    )


def test_a_record_of_version_1_says_what_is_taken_for_what_it_does_not_hold(opa: LabOpa) -> None:
    old = as_version_1(REFUNDED)
    redacted = as_version_1(replace(PAID, parameters={}, obligations=(FlatObligation("redact:request:us_ssn"),)))

    assert lacking(opa, as_version_1(PAID))[-1].startswith("a record of version 1 tells neither environment")
    assert lacking(opa, old)[1] == "the rules ask for total: give the values with --param"
    assert lacking(opa, redacted)[0] == "the record of a redacted call holds none of its parameters"


def test_the_same_answer_is_no_difference(opa: LabOpa) -> None:
    recorded = PAID

    assert difference(recorded, again(opa, recorded)) == ""


def test_another_answer_is_told_with_both(opa: LabOpa) -> None:
    recorded = replace(PAID, effect=Effect.ALLOW, reason=Reason.ALLOWED, findings=())

    assert difference(recorded, again(opa, recorded)) == (
        "recorded was allow ALLOWED; now it is deny POLICY_DENIED (amount:max)"
    )


def test_an_approved_call_is_held_against_the_approval_it_needed(opa: LabOpa) -> None:
    approved = replace(PAID, effect=Effect.ALLOW, reason=Reason.APPROVED, findings=())
    held = replace(approved, parameters={"amount": 5, "payee": "Initech"})
    freed = replace(approved, parameters={"amount": 5, "payee": "ACME"})

    assert difference(held, again(opa, held)) == ""
    assert difference(freed, again(opa, freed)) == (
        "recorded was approval_needed APPROVAL_NEEDED; now it is allow ALLOWED"
    )


def test_what_is_no_answer_of_policy_is_not_compared(opa: LabOpa) -> None:
    recorded = replace(PAID, reason=Reason.REPLAYED)

    assert difference(recorded, again(opa, recorded)) is None
