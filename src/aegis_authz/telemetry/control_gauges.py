"""Prometheus gauges of the control plane at one moment: calls that wait for a person, signing keys, certificates."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge

from aegis_authz.core.units import Epoch
from aegis_authz.telemetry.certificate_gauges import CertificateGauges


class ControlGauges:
    """Gauges of one moment, in a registry of their own. Calls that could not be counted are not shown as none."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._open = Gauge(
            "aegis_approvals_open",
            "Calls that wait for a person, up to 10,000; one series while the store answers.",
            ["state"],
            registry=self.registry,
        )
        self._oldest = Gauge(
            "aegis_approvals_oldest_timestamp_seconds",
            "When the call was held that waits longest, one series while any waits.",
            ["state"],
            registry=self.registry,
        )
        self._store_up = Gauge(
            "aegis_control_store_up",
            "Whether the store of held calls answers the control plane.",
            registry=self.registry,
        )
        self._made = Gauge(
            "aegis_key_made_timestamp_seconds", "When the key that signs now was made.", ["key"], registry=self.registry
        )
        self._gaps = Gauge(
            "aegis_records_unindexed",
            "A segment of the records that cannot be read, so that no search finds what is in it; one series each.",
            ["segment"],
            registry=self.registry,
        )
        self.certificates = CertificateGauges(self.registry)

    def show_open(self, count: int, oldest: Epoch | None) -> None:
        """The calls that wait, and when the first of them was held, None where none waits."""
        self._store_up.set(1)
        self._open.labels("pending").set(count)
        if oldest is not None:
            self._oldest.labels("pending").set(oldest)

    def show_gap(self, segment: str) -> None:
        """A segment that the index of records leaves out."""
        self._gaps.labels(segment).set(1)

    def show_key(self, name: str, since: Epoch) -> None:
        """A signing key, by what it signs."""
        self._made.labels(name).set(since)
