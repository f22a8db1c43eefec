"""The telemetry of a decision: its count, its times, its span."""

from __future__ import annotations

from aegis_authz.core.record import DecisionRecord
from aegis_authz.telemetry.metrics import DecisionMetrics
from aegis_authz.telemetry.spans import DecisionSpans


class DecisionTelemetry:
    """`ports.Telemetry`; `spans` is None where nobody collects them."""

    def __init__(self, metrics: DecisionMetrics, spans: DecisionSpans | None) -> None:
        self._metrics = metrics
        self._spans = spans

    def decided(self, record: DecisionRecord, traceparent: str) -> None:
        """Count the decision and emit its span."""
        self._metrics.count(record)
        if self._spans is not None:
            self._spans.emit(record, traceparent)

    def close(self) -> None:
        """Write and export what waits."""
        self._metrics.write()
        if self._spans is not None:
            self._spans.shutdown()
