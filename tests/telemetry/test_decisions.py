from __future__ import annotations

from dataclasses import replace

from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest

from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import DecisionRecord
from aegis_authz.telemetry import DecisionTelemetry, tracer_provider

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


def telemetry() -> tuple[DecisionTelemetry, InMemorySpanExporter, CollectorRegistry]:
    exporter, registry = InMemorySpanExporter(), CollectorRegistry()
    provider = tracer_provider("aegis-authz", "test", SimpleSpanProcessor(exporter))
    return DecisionTelemetry(provider.get_tracer("test"), registry), exporter, registry


def test_a_denial_is_one_span_with_a_policy_violation() -> None:
    sink, exporter, _ = telemetry()
    sink.decided(DENIED, "")
    (span,) = exporter.get_finished_spans()
    attributes = dict(span.attributes or {})
    assert span.name == "aegis.check"
    assert attributes["aegis.decision"] == "deny"
    assert attributes["aegis.reason"] == "POLICY_DENIED"
    assert attributes["aegis.stage.evaluate_ms"] == 1.5
    assert [event.name for event in span.events] == ["PolicyViolation"]
    assert span.start_time is not None
    assert span.end_time == span.start_time + 2_500_000


def test_a_span_is_the_child_of_envoys() -> None:
    sink, exporter, _ = telemetry()
    sink.decided(DENIED, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    (span,) = exporter.get_finished_spans()
    assert span.parent is not None
    assert f"{span.parent.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"


def test_an_unreadable_parent_starts_a_trace_of_its_own() -> None:
    sink, exporter, _ = telemetry()
    sink.decided(DENIED, "garbage")
    assert exporter.get_finished_spans()[0].parent is None


def test_an_allow_is_no_violation() -> None:
    sink, exporter, _ = telemetry()
    sink.decided(replace(DENIED, effect=Effect.ALLOW, reason=Reason.ALLOWED), "")
    assert exporter.get_finished_spans()[0].events == ()


def test_neither_token_nor_parameters_nor_details_are_in_the_span() -> None:
    sink, exporter, _ = telemetry()
    sink.decided(DENIED, "")
    told = str(exporter.get_finished_spans()[0].to_json())
    assert not any(secret in told for secret in ("secret-jti", "50000", "internal words"))


def test_decisions_are_counted_by_effect_and_reason() -> None:
    sink, _, registry = telemetry()
    sink.decided(DENIED, "")
    sink.decided(replace(DENIED, effect=Effect.ALLOW, reason=Reason.SHADOWED, would="deny"), "")
    text = generate_latest(registry).decode()
    assert 'aegis_decisions_total{effect="deny",reason="POLICY_DENIED"} 1.0' in text
    assert 'aegis_shadow_decisions_total{effect="deny"} 1.0' in text
    assert 'aegis_stage_seconds_count{stage="evaluate"} 2.0' in text
