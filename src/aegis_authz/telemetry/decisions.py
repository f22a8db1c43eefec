"""The telemetry of a decision and of its settlement: its count, its times, its spans."""

from __future__ import annotations

from collections.abc import Callable

from aegis_authz.core.decision_trace import DecisionTrace
from aegis_authz.core.record import DecisionRecord
from aegis_authz.core.settled_call import SettledCall
from aegis_authz.core.unrecorded_refusal import UnrecordedRefusal
from aegis_authz.telemetry.metrics import DecisionMetrics
from aegis_authz.telemetry.spans import DecisionSpans


class DecisionTelemetry:
    """`ports.Telemetry` and `ports.SettlementTelemetry`.

    `spans` is None where nobody collects them. `end` exports what waits.
    """

    def __init__(self, metrics: DecisionMetrics, spans: DecisionSpans | None, end: Callable[[], None]) -> None:
        self._metrics = metrics
        self._spans = spans
        self._end = end

    def decided(self, record: DecisionRecord, trace: DecisionTrace) -> None:
        """Count the decision and emit its spans."""
        trace_id = self._spans.emit(record, trace) if self._spans is not None else ""
        self._metrics.count(record, trace_id)

    def refused(self, refusal: UnrecordedRefusal) -> None:
        """Count a refusal that is on no record of its own, and has no spans."""
        self._metrics.count_refusal(refusal)

    def settled(self, call: SettledCall) -> None:
        """Emit the span of a settled cost."""
        if self._spans is not None:
            self._spans.emit_settled(call)

    def close(self) -> None:
        """Write and export what waits."""
        self._metrics.write()
        self._end()
