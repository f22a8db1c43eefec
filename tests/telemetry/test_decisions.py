from __future__ import annotations

from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest

from aegis_authz.telemetry.decisions import DecisionTelemetry
from aegis_authz.telemetry.metrics import DecisionMetrics
from aegis_authz.telemetry.spans import DecisionSpans
from tests.support.made_records import DENIED


def never(delay: float, callback: object) -> None:
    """A timer that does not ring."""


def test_a_decision_is_counted_and_has_a_span_at_the_latest_when_telemetry_closes() -> None:
    registry, exporter = CollectorRegistry(), InMemorySpanExporter()
    spans = DecisionSpans(SimpleSpanProcessor(exporter), "aegis-authz", "test")
    telemetry = DecisionTelemetry(DecisionMetrics(registry, never), spans)
    telemetry.decided(DENIED, "")
    telemetry.close()
    assert "aegis_decisions_total" in generate_latest(registry).decode()
    assert [span.name for span in exporter.get_finished_spans()] == ["aegis.check"]


def test_without_a_collector_decisions_are_counted_all_the_same() -> None:
    registry = CollectorRegistry()
    telemetry = DecisionTelemetry(DecisionMetrics(registry, never), None)
    telemetry.decided(DENIED, "")
    telemetry.close()
    assert 'reason="POLICY_DENIED"} 1.0' in generate_latest(registry).decode()
