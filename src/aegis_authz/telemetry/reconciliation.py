"""Prometheus metrics of access logs held against the records."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from aegis_authz.core.units import Epoch


class ReconciliationMetrics:
    """Metrics of one moment, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._gaps = Counter(
            "aegis_reconciliation_gaps",
            "What did not fit together between access logs and records since the control plane began.",
            ["kind"],
            registry=self.registry,
        )
        self._calls = Counter(
            "aegis_reconciliation_calls",
            "Requests that were sent on to a tool and held against the records.",
            registry=self.registry,
        )
        self._unjudged = Counter(
            "aegis_reconciliation_unjudged",
            "Calls that were not waited for, because too many wait.",
            registry=self.registry,
        )
        self._looked_at = Gauge(
            "aegis_reconciliation_timestamp_seconds",
            "When access logs were last held against the records to their ends.",
            registry=self.registry,
        )

    def show(self, calls: int, unjudged: int, by_kind: Mapping[str, int], looked_at: Epoch | None) -> None:
        """How it stands: how many gaps of each kind, those without any included; None before the first look."""
        self._calls.inc(calls)
        self._unjudged.inc(unjudged)
        for kind, count in by_kind.items():
            self._gaps.labels(kind).inc(count)
        self._looked_at.set(looked_at or 0.0)
