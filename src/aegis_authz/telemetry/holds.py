"""Prometheus metrics of requests that are kept open while a person decides."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from aegis_authz.core.units import Seconds

_BUCKETS = (1, 2, 5, 10, 20, 30, 45, 60)
_FULL = "crowded"


class HoldMetrics:
    """`ports.HoldTelemetry`. Holds are few and last for seconds, so each is written at once."""

    def __init__(self, registry: CollectorRegistry | None) -> None:
        self._open = Gauge(
            "aegis_holds_open",
            "Requests that are kept open while a person decides.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._ends = Counter(
            "aegis_holds", "Requests that were kept open, or were to be, by how that ended.", ["end"], registry=registry
        )
        self._seconds = Histogram(
            "aegis_hold_seconds", "How long requests were kept open.", buckets=_BUCKETS, registry=registry
        )

    def hold_began(self) -> None:
        """One more is kept open."""
        self._open.inc()

    def hold_ended(self, end: str, waited: Seconds) -> None:
        """One is kept open no longer."""
        self._open.dec()
        self._ends.labels(end).inc()
        self._seconds.observe(waited)

    def hold_refused(self) -> None:
        """One is not kept open: there are as many as may be."""
        self._ends.labels(_FULL).inc()
