from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
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
from tests.support.span_queue import SpanMemory, attributes_of

NOWHERE = DecisionTrace("", (), UNSAID)


def never(delay: float, callback: object) -> None:
    """A timer that does not ring."""


def test_a_decision_is_counted_and_has_spans_that_are_exported_at_the_latest_when_telemetry_closes() -> None:
    registry, queue, ends = CollectorRegistry(), SpanMemory(), list[str]()
    spans = DecisionSpans(queue, SpanTerms(1.0, guardrails=False, keys=lambda: (b"k",)))
    telemetry = DecisionTelemetry(DecisionMetrics(registry, never), spans, never, lambda: ends.append("exported"))
    telemetry.decided(DENIED, NOWHERE)
    telemetry.close()
    assert "aegis_decisions_total" in generate_latest(registry).decode()
    assert [span.name for span in queue.spans] == ["aegis.check", "opa evaluate"]
    assert ends == ["exported"]


def test_a_refusal_without_a_record_is_counted_and_has_no_span() -> None:
    registry, queue = CollectorRegistry(), SpanMemory()
    spans = DecisionSpans(queue, SpanTerms(1.0, guardrails=False, keys=lambda: (b"k",)))
    telemetry = DecisionTelemetry(DecisionMetrics(registry, never), spans, never, lambda: None)
    telemetry.refused(
        UnrecordedRefusal(DecisionId("d"), Epoch(0.0), Effect.DENY, Reason.OVERLOADED, "", None, {}, total_ms=0.1)
    )
    telemetry.close()
    assert 'reason="OVERLOADED"} 1.0' in generate_latest(registry).decode()
    assert queue.spans == []


def test_without_a_collector_decisions_are_counted_all_the_same() -> None:
    registry = CollectorRegistry()
    telemetry = DecisionTelemetry(DecisionMetrics(registry, never), None, never, lambda: None)
    telemetry.decided(DENIED, NOWHERE)
    telemetry.close()
    assert 'reason="POLICY_DENIED"} 1.0' in generate_latest(registry).decode()


class Timers:
    """`loop.call_later` whose time is the test's."""

    def __init__(self) -> None:
        self.waiting: list[tuple[float, Callable[[], None]]] = []

    def __call__(self, delay: float, callback: Callable[[], None]) -> None:
        self.waiting.append((delay, callback))

    def ring(self) -> None:
        ringing, self.waiting = self.waiting, []
        for _, callback in ringing:
            callback()


def spans_told(queue: SpanMemory) -> int:
    return sum(span.name == "aegis.check" for span in queue.spans)


def counted(registry: CollectorRegistry, metrics: DecisionMetrics) -> float | None:
    metrics.write()
    return registry.get_sample_value("aegis_decisions_total", {"effect": "deny", "reason": "POLICY_DENIED"})


@pytest.mark.parametrize("many", [1, 31, 32, 33, 100])
def test_each_decision_of_a_group_is_told_of_once_and_in_its_turn(many: int) -> None:
    registry, queue, timers = CollectorRegistry(), SpanMemory(), Timers()
    metrics = DecisionMetrics(registry, never)
    spans = DecisionSpans(queue, SpanTerms(1.0, guardrails=False, keys=lambda: (b"k",)))
    telemetry = DecisionTelemetry(metrics, spans, timers, lambda: None)
    for number in range(many):
        telemetry.decided(replace(DENIED, decision_id=f"d-{number}"), NOWHERE)
    assert queue.spans == []
    assert 0 < max(delay for delay, _ in timers.waiting) <= 0.1
    assert (min(delay for delay, _ in timers.waiting) == 0) == (many >= 32), "a full group waits for nothing"
    timers.ring()
    assert counted(registry, metrics) == many
    ids = [attributes_of(span.attributes)["aegis.decision_id"] for span in queue.spans if span.name == "aegis.check"]
    assert ids == [f"d-{number}" for number in range(many)]
    telemetry.decided(DENIED, NOWHERE)
    timers.ring()
    assert (spans_told(queue), counted(registry, metrics)) == (many + 1, many + 1)


def test_a_decision_that_cannot_be_told_of_takes_no_other_with_it(caplog: pytest.LogCaptureFixture) -> None:
    registry, timers = CollectorRegistry(), Timers()
    metrics = DecisionMetrics(registry, never)
    telemetry = DecisionTelemetry(metrics, None, timers, lambda: None)
    for record in (DENIED, replace(DENIED, stages={"evaluate": None}), DENIED, DENIED):  # type: ignore[dict-item]
        telemetry.decided(record, NOWHERE)
    timers.ring()
    assert "decision d-1 is not in all figures" in caplog.text
    assert counted(registry, metrics) == 4
    telemetry.close()
    assert counted(registry, metrics) == 4


def test_what_waits_behind_one_that_cannot_be_told_of_is_told_when_telemetry_closes() -> None:
    registry, ends = CollectorRegistry(), list[str]()
    metrics = DecisionMetrics(registry, never)
    telemetry = DecisionTelemetry(metrics, None, never, lambda: ends.append("exported"))
    for record in (DENIED, replace(DENIED, stages={"evaluate": None}), DENIED, DENIED):  # type: ignore[dict-item]
        telemetry.decided(record, NOWHERE)
    telemetry.close()
    assert (counted(registry, metrics), ends) == (4, ["exported"])
