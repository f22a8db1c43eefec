"""A record to tell of."""

from __future__ import annotations

from dataclasses import replace

from aegis_authz.core.call import CallKind
from aegis_authz.core.effect import Effect
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import (
    DECISION_VERSION,
    ApprovalRecord,
    ApprovalStep,
    DecisionRecord,
    FindingName,
    RefusalsRecord,
)
from aegis_authz.core.scope import Scope

AGENT = Identity(
    scope=Scope("acme", "emea", "finance-agent"),
    issuer="aegis",
    key_id="k",
    jti="secret-jti",
    issued_at=1_799_999_970.0,
    expires_at=1_800_000_060.0,
    actors=(),
    on_behalf_of="",
    way=Way.TOKEN,
    proof=None,
    session="",
    grant=None,
)
"""Who made the call of the record."""

DENIED = DecisionRecord(
    version=DECISION_VERSION,
    decision_id="d-1",
    time=1_800_000_000.0,
    effect=Effect.DENY,
    reason=Reason.POLICY_DENIED,
    detail="internal words",
    identity=AGENT,
    tool="stripe-payments",
    action="create_payment",
    kind=CallKind.ACTION,
    rpc_method="",
    parameters={"amount": 50000},
    withheld=0,
    digest="d",
    method="POST",
    scheme="https",
    host="api.stripe.example",
    port=None,
    path="/v1/payments",
    whole_path=None,
    sealed=None,
    source="127.0.0.1",
    environment="production",
    policies=("acme/emea/finance-agent",),
    revision="r1",
    obligations=(),
    findings=(FindingName("amount", "max"),),
    would="",
    approval_id="",
    approved_by="",
    charges=(),
    quarantined_until=0,
    cost=None,
    mcp_session="",
    request_id="",
    trace_id="",
    stages={"evaluate": 1.5},
    total_ms=2.5,
)

REFUSALS = RefusalsRecord(
    DENIED.time, DENIED.reason, 1, DENIED.time, DENIED.time, (DENIED.decision_id,), (DENIED.source,)
)
"""The same refusal as a count."""


def named(agent: str) -> Identity:
    """The same as another agent of the tenant."""
    return replace(AGENT, scope=replace(AGENT.scope, agent=agent))


APPROVAL = "apr_0a0123456789abcdef0123456789abcdef"
"""The id of an approval."""


def approval_step(
    held: DecisionRecord, step: ApprovalStep, after: float, by: str = "", note: str = ""
) -> ApprovalRecord:
    """The record of a step of the approval that a held call asks for, `after` so many seconds."""
    assert held.identity is not None
    return ApprovalRecord(
        decision_id=held.decision_id,
        time=held.time + after,
        approval_id=held.approval_id,
        step=step,
        by=by,
        note=note,
        scope=held.identity.scope,
        tool=held.tool,
        action=held.action,
        digest=held.digest,
        basis="b",
        revision=held.revision,
        policies=held.policies,
        requested_at=held.time,
        expires_at=held.time + 900,
    )
