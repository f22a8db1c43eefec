from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from aegis_authz.core.decision_trace import DecisionTrace
from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.telemetry_terms import UNSAID
from aegis_authz.core.units import DecisionId, Epoch
from aegis_authz.core.unrecorded_refusal import UnrecordedRefusal
from aegis_authz.telemetry.decisions import DecisionTelemetry
from aegis_authz.telemetry.metrics import DecisionMetrics
from aegis_authz.telemetry.spans import DecisionSpans, SpanTerms
from tests.support.made_records import DENIED
from tests.support.span_queue import SpanMemory

NOWHERE = DecisionTrace("", (), UNSAID)


def never(delay: float, callback: object) -> None:
    """A timer that does not ring."""


def test_a_decision_is_counted_and_has_spans_that_are_exported_at_the_latest_when_telemetry_closes() -> None:
    registry, queue, ends = CollectorRegistry(), SpanMemory(), list[str]()
    spans = DecisionSpans(queue, SpanTerms(1.0, guardrails=False, keys=lambda: (b"k",)))
    telemetry = DecisionTelemetry(DecisionMetrics(registry, never), spans, lambda: ends.append("exported"))
    telemetry.decided(DENIED, NOWHERE)
    telemetry.close()
    assert "aegis_decisions_total" in generate_latest(registry).decode()
    assert [span.name for span in queue.spans] == ["aegis.check", "opa evaluate"]
    assert ends == ["exported"]


def test_a_refusal_without_a_record_is_counted_and_has_no_span() -> None:
    registry, queue = CollectorRegistry(), SpanMemory()
    spans = DecisionSpans(queue, SpanTerms(1.0, guardrails=False, keys=lambda: (b"k",)))
    telemetry = DecisionTelemetry(DecisionMetrics(registry, never), spans, lambda: None)
    telemetry.refused(
        UnrecordedRefusal(DecisionId("d"), Epoch(0.0), Effect.DENY, Reason.OVERLOADED, "", None, {}, total_ms=0.1)
    )
    telemetry.close()
    assert 'reason="OVERLOADED"} 1.0' in generate_latest(registry).decode()
    assert queue.spans == []


def test_without_a_collector_decisions_are_counted_all_the_same() -> None:
    registry = CollectorRegistry()
    telemetry = DecisionTelemetry(DecisionMetrics(registry, never), None, lambda: None)
    telemetry.decided(DENIED, NOWHERE)
    telemetry.close()
    assert 'reason="POLICY_DENIED"} 1.0' in generate_latest(registry).decode()
