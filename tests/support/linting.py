"""Small policy sets, linted at a fixed moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from aegis_authz.core.decision import Decision
from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.core.notice import ChannelPlaces
from aegis_authz.lab.calls import TriedCall
from aegis_authz.lab.opa import LabOpa
from aegis_authz.lab.workbench import Workbench
from aegis_authz.policy.lint.finding import Finding
from aegis_authz.policy.lint.run import linted
from aegis_authz.policy.load import load

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
DETECTORS = {"us_ssn"}
PLACES = ChannelPlaces({"slack": None, "webhook": frozenset({"soc"})})
TOOL = """\
tool: stripe-payments
host: api.stripe.example
region: eu
actions:
  create_payment: {match: POST /v1/payments}
  get_payment: {match: "GET /v1/payments/{id}"}
  refund: {match: POST /v1/refunds}
"""
MCP = "tool: github\nhost: github.example\nmcp: {}\n"


def findings(policies: str, tools: str = TOOL) -> list[Finding]:
    return linted({"p.yaml": policies}, {"t.yaml": tools}, DETECTORS, NOW, PLACES)


def codes(policies: str, tools: str = TOOL) -> list[str]:
    return [finding.code for finding in findings(policies, tools)]


def document(rules: str, agent: str = "payer", more: str = "") -> str:
    """A document with an owner; `rules` are its members, each from the first column."""
    return f"agent: {agent}\norg: acme\nowner: payments\n{more}{rules}"


def paying(conditions: str, more: str = "") -> str:
    """A document with one rule for payments, its conditions in one line of flow style; `more` are members of the rule."""
    rule = "{name: stripe-payments, actions: [create_payment], conditions: {%s}%s}" % (conditions, more and f", {more}")  # noqa: UP031
    return document(f"allowed_tools:\n  - {rule}\n")


def effects(opa: LabOpa, policies: str, given: Iterable[Mapping[str, Json]]) -> set[Effect]:
    """What a real OPA decides about payments with each of these parameters."""
    bench = Workbench(load({"p.yaml": policies}, {"t.yaml": TOOL}, DETECTORS), opa)
    payment = {"agent": "acme/emea/payer", "tool": "stripe-payments", "action": "create_payment"}
    decided = bench.decide([TriedCall.model_validate({**payment, "parameters": dict(one)}) for one in given])
    return {one.effect for one in decided if isinstance(one, Decision)}
