"""Decision records turned back into calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import DecisionRecord
from aegis_authz.lab.explanation import Explanation, explanation_of
from aegis_authz.lab.opa import LabOpa, lab_opa
from aegis_authz.lab.record_comparison import NotJudged, RecordedDecision, difference, not_recorded, recorded_decision
from aegis_authz.lab.workbench import Workbench
from aegis_authz.policy.load import load
from tests.support.made_records import DENIED
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
PAID = replace(
    DENIED,
    agent="payer",
    tool="payments-api",
    action="pay",
    parameters={"amount": 500, "payee": "ACME"},
    policies=("paying",),
)
REFUNDED = replace(PAID, agent="reporter", action="refund", parameters={})


@pytest.fixture(scope="module")
def opa(opa_binary: Path) -> Iterator[LabOpa]:
    with lab_opa(opa_binary) as running:
        yield running


def read(record: DecisionRecord, environment: str = "") -> RecordedDecision:
    return recorded_decision(record.as_json(), environment, LOADED)


def again(opa: LabOpa, recorded: RecordedDecision) -> Explanation:
    bench = Workbench(LOADED, opa)
    return explanation_of(recorded.call, bench.explain([recorded.call])[0], LOADED.written)


def lacking(opa: LabOpa, record: DecisionRecord) -> tuple[str, ...]:
    recorded = read(record)
    return not_recorded(recorded, again(opa, recorded), LOADED)


def test_a_record_tells_the_call() -> None:
    call = read(replace(PAID, actors=("bot",)), "production").call

    assert (call.agent, call.tool, call.action) == ("acme/emea/payer", "payments-api", "pay")
    assert call.parameters == {"amount": 500, "payee": "ACME"}
    assert (call.context.time, call.context.environment) == ("2027-01-15T08:00:00+00:00", "production")
    assert (call.context.source, call.context.acted_by) == ("127.0.0.1", ("bot",))


def test_a_host_without_a_tool_is_told_as_one() -> None:
    call = read(replace(PAID, tool="", action="", reason=Reason.EGRESS_DENIED, host="evil.example")).call

    assert (call.host, call.method, call.tool, call.action) == ("evil.example", "POST", "", "")


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (replace(PAID, agent="", reason=Reason.CREDENTIAL_EXPIRED), "before it was known which agent makes it"),
        (replace(PAID, tool="", reason=Reason.MALFORMED_CALL), "before it was known what it asks for"),
        (replace(PAID, tool="hub", action="ping"), "whether ping was the method of MCP or a tool of that name"),
        (replace(PAID, agent="No Name"), "holds no readable call"),
    ],
)
def test_what_policy_was_never_asked_cannot_be_judged_again(record: DecisionRecord, why: str) -> None:
    with pytest.raises(NotJudged, match=why):
        read(record)


def test_a_record_of_declared_parameters_holds_what_is_needed(opa: LabOpa) -> None:
    assert lacking(opa, PAID) == ()


def test_what_the_catalogue_does_not_declare_is_not_recorded(opa: LabOpa) -> None:
    told = lacking(opa, REFUNDED)

    assert told == (
        "the record holds no parameters: only declared ones are recorded, and the catalogue declares none of refund",
        "the rules ask for total: give the values with --param",
        "the record does not hold whom the agent acted for: give it with --context",
        "the record does not hold the age of the token (0 is taken): give it with --context",
        "the record does not hold the environment: none is taken",
    )


def test_parameters_of_an_mcp_server_are_not_recorded(opa: LabOpa) -> None:
    assert lacking(opa, replace(REFUNDED, tool="hub", action="create")) == (
        "the record holds no parameters: those of an MCP server are not recorded",
    )


def test_parameters_of_a_redacted_call_are_not_recorded(opa: LabOpa) -> None:
    redacted = replace(PAID, parameters={}, effect=Effect.SANITIZE, obligations=("redact:request:us_ssn",))

    assert lacking(opa, redacted) == (
        "the record of a redacted call holds none of its parameters",
        "the rules ask for amount, payee: give the values with --param",
    )


def test_the_same_answer_is_no_difference(opa: LabOpa) -> None:
    recorded = read(PAID)

    assert difference(recorded, again(opa, recorded)) == ""


def test_another_answer_is_told_with_both(opa: LabOpa) -> None:
    recorded = read(replace(PAID, effect=Effect.ALLOW, reason=Reason.ALLOWED, findings=()))

    assert difference(recorded, again(opa, recorded)) == (
        "recorded was allow ALLOWED; now it is deny POLICY_DENIED (amount:max)"
    )


def test_an_approved_call_is_held_against_the_approval_it_needed(opa: LabOpa) -> None:
    approved = replace(PAID, effect=Effect.ALLOW, reason=Reason.APPROVED, findings=())
    held = read(replace(approved, parameters={"amount": 5, "payee": "Initech"}))
    freed = read(replace(approved, parameters={"amount": 5, "payee": "ACME"}))

    assert difference(held, again(opa, held)) == ""
    assert difference(freed, again(opa, freed)) == (
        "recorded was approval_needed APPROVAL_NEEDED; now it is allow ALLOWED"
    )


def test_what_is_no_answer_of_policy_is_not_compared(opa: LabOpa) -> None:
    recorded = read(replace(PAID, reason=Reason.REPLAYED))

    assert difference(recorded, again(opa, recorded)) is None
