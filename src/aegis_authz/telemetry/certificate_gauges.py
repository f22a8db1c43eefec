"""Prometheus gauges of certificates: until when what a process serves or uses holds."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Gauge

from aegis_authz.core.certificate_life import CertificateLife


class CertificateGauges:
    """Of all workers, what is true of the worst one."""

    def __init__(self, registry: CollectorRegistry | None) -> None:
        def gauge(name: str, subject: str, mode: str) -> Gauge:
            return Gauge(name, subject, ["certificate"], registry=registry, multiprocess_mode=mode)  # type: ignore[arg-type]  # one of its words

        self._starts = gauge(
            "aegis_certificate_starts_timestamp_seconds", "From when on a certificate holds.", "livemin"
        )
        self._ends = gauge("aegis_certificate_ends_timestamp_seconds", "Until when a certificate holds.", "livemin")
        self._readable = gauge(
            "aegis_certificate_readable", "Whether a certificate's file can be read, and holds one.", "livemin"
        )

    def show(self, lives: Mapping[str, CertificateLife | None]) -> None:
        """Those of now; of one that cannot be read, its dates stay what they were."""
        for name, life in lives.items():
            self._readable.labels(name).set(0 if life is None else 1)
            if life is not None:
                self._starts.labels(name).set(life.starts)
                self._ends.labels(name).set(life.ends)
