"""Prometheus metrics of what becomes of spans on their way to a collector."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


class ExportMetrics:
    """Counts spans: exported, dropped for want of room, rejected by the collector, failed after all tries."""

    def __init__(self, registry: CollectorRegistry | None) -> None:
        spans = Counter("aegis_spans", "Spans, by what became of them.", ["outcome"], registry=registry)
        self._spans = {outcome: spans.labels(outcome) for outcome in ("exported", "dropped", "rejected", "failed")}

    def __call__(self, outcome: str, count: int) -> None:
        """Count some."""
        self._spans[outcome].inc(count)
