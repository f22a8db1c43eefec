"""Every metric of a worker in one registry, by the classes that a worker has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from aegis_authz.core.record import Record
from aegis_authz.telemetry.certificate_gauges import CertificateGauges
from aegis_authz.telemetry.exports import ExportMetrics
from aegis_authz.telemetry.holds import HoldMetrics
from aegis_authz.telemetry.metrics import DecisionMetrics
from aegis_authz.telemetry.record_metrics import RecordMetrics
from aegis_authz.telemetry.worker_gauges import WorkerGauges, WorkerReadings


class _Nowhere:
    async def append(self, record: Record) -> None:
        """Forget it."""

    async def append_all(self, records: Sequence[Record]) -> None:
        """Forget them."""


def _never(delay: float, callback: object) -> None:
    """A timer that does not ring."""


@dataclass(frozen=True, slots=True)
class WorkerMetrics:
    """The registry and what writes into it."""

    registry: CollectorRegistry
    decisions: DecisionMetrics
    records: RecordMetrics
    exports: ExportMetrics
    holds: HoldMetrics
    certificates: CertificateGauges
    gauges: WorkerGauges

    def write(self) -> None:
        """Bring everything tallied into the registry."""
        self.decisions.write()
        self.records.write()
        self.gauges.look(0.0)


def worker_metrics() -> WorkerMetrics:
    """Those of a worker that serves revision r1."""
    registry = CollectorRegistry()
    controls = dict.fromkeys(("keys", "bundle", "store", "masters", "records"), "")
    return WorkerMetrics(
        registry,
        DecisionMetrics(registry, _never),
        RecordMetrics(_Nowhere(), registry, _never),
        ExportMetrics(registry),
        HoldMetrics(registry),
        CertificateGauges(registry),
        WorkerGauges(registry, WorkerReadings(lambda: "r1", lambda: controls, lambda: (3, 64))),
    )
