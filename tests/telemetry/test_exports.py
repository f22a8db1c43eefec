from __future__ import annotations

from prometheus_client import CollectorRegistry

from aegis_authz.adapters.span_queue import DROPPED, EXPORTED, FAILED, REJECTED
from aegis_authz.telemetry.exports import ExportMetrics


def test_whatever_becomes_of_spans_is_counted_from_zero_on() -> None:
    registry = CollectorRegistry()
    metrics = ExportMetrics(registry)
    metrics(DROPPED, 3)
    counts = {
        outcome: registry.get_sample_value("aegis_spans_total", {"outcome": outcome})
        for outcome in (EXPORTED, DROPPED, REJECTED, FAILED)
    }
    assert counts == {EXPORTED: 0, DROPPED: 3, REJECTED: 0, FAILED: 0}
