"""What Prometheus reads of the control plane."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.responses import Response

from aegis_authz.approvals.deciding import Approver
from aegis_authz.approvals.oversight import Dimension
from aegis_authz.control.approvals.backlog import backlog
from aegis_authz.control.approvals.overseeing import Overseer, TooManyEvents
from aegis_authz.control.gate import Authentication, needs, people_router
from aegis_authz.control.keys.rotating import Rotator
from aegis_authz.control.records.live import LiveRecords
from aegis_authz.control.records.reconciling import Reconciler
from aegis_authz.core.certificate_life import CertificateLife
from aegis_authz.core.units import Seconds
from aegis_authz.evidence.reconciliation import GapKind
from aegis_authz.people.permissions import Permission
from aegis_authz.ports.data_plane import StoreDown
from aegis_authz.telemetry.control_gauges import ControlGauges
from aegis_authz.telemetry.oversight import OversightMetrics
from aegis_authz.telemetry.reconciliation import ReconciliationMetrics

_log = logging.getLogger(__name__)
_GROUPINGS = (Dimension.PERSON, Dimension.RULE, Dimension.CHANNEL)
_MOST_GAPS = 100
_DAY = Seconds(86_400.0)


def metrics_routes(
    overseer: Overseer,
    approver: Approver,
    rotator: Rotator,
    reconciler: Reconciler | None,
    live: LiveRecords,
    registry: CollectorRegistry,
    certificates: Callable[[], Mapping[str, CertificateLife | None]],
    authentication: Authentication,
) -> list[APIRouter]:
    """`/metrics`; it names people, so it is for those who may read all approvals. `certificates` reads files."""
    people = people_router(authentication)

    async def figures() -> OversightMetrics:
        metrics = OversightMetrics()
        try:
            tables = await overseer.figures(_GROUPINGS, _DAY, lambda _: True)
            stamps = await overseer.stamps(lambda _: True)
        except TooManyEvents as fault:  # what waits is told all the same: alerts are made of it
            _log.warning("how people decided cannot be told: %s", fault)
            return metrics
        for grouping, rows in tables.items():
            metrics.show(grouping.value, rows)
        for stamp in stamps:
            metrics.show_stamp(stamp.person, stamp.hasty / stamp.approvals)
        return metrics

    async def gauges() -> ControlGauges:
        moment = ControlGauges()
        try:
            calls = await backlog(approver)
            moment.show_open(calls.count, calls.oldest)
        except StoreDown as fault:
            _log.warning("held calls cannot be counted: %s", fault)
        for gap in live.gaps[:_MOST_GAPS]:
            moment.show_gap(gap.segment)
        for name, rotation in rotator.rotations.items():
            moment.show_key(name, rotation.ring.since)
        moment.certificates.show(await asyncio.to_thread(certificates))
        return moment

    def reconciliation() -> list[CollectorRegistry]:
        if reconciler is None:
            return []
        metrics, state = ReconciliationMetrics(), reconciler.state
        by_kind = {kind.value: state.by_kind.get(kind.value, 0) for kind in GapKind}
        metrics.show(state.calls, state.unjudged, by_kind, state.looked_at)
        return [metrics.registry]

    @people.get("/metrics", include_in_schema=False, dependencies=[needs(Permission.READ_APPROVALS)])
    async def get_metrics() -> Response:
        """Held calls, those that wait too, keys, certificates, and what became of notices, as Prometheus reads it."""
        registries = ((await figures()).registry, (await gauges()).registry, registry, *reconciliation())
        body = b"".join(map(generate_latest, registries))
        return Response(body, headers={"content-type": CONTENT_TYPE_LATEST})

    return [people]
