"""A record to tell of."""

from __future__ import annotations

from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import DecisionRecord

DENIED = DecisionRecord(
    decision_id="d-1",
    time=1_800_000_000.0,
    effect=Effect.DENY,
    reason=Reason.POLICY_DENIED,
    detail="internal words",
    org="acme",
    tenant="emea",
    agent="finance-agent",
    actors=(),
    issuer="aegis",
    key_id="k",
    jti="secret-jti",
    tool="stripe-payments",
    action="create_payment",
    parameters={"amount": 50000},
    digest="d",
    method="POST",
    host="api.stripe.example",
    path="/v1/payments",
    source="127.0.0.1",
    policies=("acme/emea/finance-agent",),
    revision="r1",
    obligations=(),
    findings=("amount:max",),
    would="",
    approval_id="",
    request_id="",
    trace_id="",
    stages={"evaluate": 1.5},
    total_ms=2.5,
)
