"""A use case that was played, with all of its evidence."""

from __future__ import annotations

from aegis_authz.core.json_value import Json
from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import Row
from aegis_authz.demo.use_cases.metrics import Movement, Panel
from aegis_authz.demo.use_cases.sigma import Alert, SigmaRule
from aegis_authz.demo.use_cases.span_receiver import SpanView
from aegis_authz.demo.use_cases.use_case import Evidence, Outcome, UseCase


async def _never_played(mesh: DemoMesh, agent: Agent) -> list[Row]:
    """A payment is refused."""
    raise AssertionError("nobody plays it")


USE_CASE = UseCase("payments", _never_played, "pay 50,000", frozenset({"denied"}), frozenset({"078-05-1120"}))
EVENT: dict[str, Json] = {
    "kind": "decision",
    "decision_id": "d-1",
    "writer": "authz-0",
    "seq": 7,
    "tenant": "bank",
    "agent": "treasury-agent",
    "tool": "payments",
    "action": "create_payment",
    "parameters": {"amount": 50000},
    "effect": "deny",
    "reason": "POLICY_DENIED",
    "detail": "",
}
OUTCOME = Outcome(
    USE_CASE,
    [Row("payments", "pay 50,000", "deny X", "deny", "POLICY_DENIED", 12.3, "d-1", True)],
    Evidence(
        events=[EVENT],
        is_intact=True,
        verdict="intact: 1 record in 1 log",
        spans=[
            SpanView(
                "d1",
                "aegis.check",
                {"aegis.decision_id": "d-1", "aegis.reason": "POLICY_DENIED"},
                ("PolicyViolation",),
                ("opa evaluate",),
            )
        ],
        movements=[Movement("aegis_calls_total", {"effect": "deny"}, 4, 5)],
        panels=[Panel("Aegis: SOC", "Denials", "rate(aegis_calls_total[5m])")],
        alerts=[Alert(SigmaRule("denied", "A call was denied", "low", "SELECT 1"), 1)],
    ),
)
