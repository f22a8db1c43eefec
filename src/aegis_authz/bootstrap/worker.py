"""One authorization worker, put together and run until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from ipaddress import ip_network
from typing import TYPE_CHECKING

import uvloop
from prometheus_client import CollectorRegistry, multiprocess

from aegis_authz.adapters.files.credentials import CredentialFolder
from aegis_authz.adapters.files.keys import KeyFolderError
from aegis_authz.adapters.files.record_keys import RecordKeyFile
from aegis_authz.adapters.files.session_keys import SessionKeyFile
from aegis_authz.adapters.opa.answers import Answers
from aegis_authz.adapters.opa.http import OpaHttp
from aegis_authz.adapters.opa.pdp import OpaPdp
from aegis_authz.adapters.opa.snapshots import OpaSnapshots
from aegis_authz.adapters.records.folder import FolderBusy
from aegis_authz.adapters.records.log import SEGMENT_AGE, FileRecordLog
from aegis_authz.adapters.records.recovery import LogAltered
from aegis_authz.adapters.records.reporting import HeadReporter
from aegis_authz.adapters.redis.approval_outcomes import RedisApprovalOutcomes
from aegis_authz.adapters.redis.approval_states import RedisApprovalStates
from aegis_authz.adapters.redis.client import RedisUrlUnusable
from aegis_authz.adapters.redis.record_heads import RedisRecordHeads
from aegis_authz.adapters.redis.reservations import RedisReservations
from aegis_authz.adapters.redis.store import RedisStore
from aegis_authz.adapters.system import SystemClock, SystemIds
from aegis_authz.bootstrap.certificate_dates import watch_certificates, worker_certificates
from aegis_authz.bootstrap.evaluation import open_evaluation
from aegis_authz.bootstrap.exporting import ExportUnusable, span_export
from aegis_authz.bootstrap.lifetime import end_of
from aegis_authz.check.authenticate import Acceptance, Authenticator
from aegis_authz.check.content_coding import Reading
from aegis_authz.check.pipeline import Limits, Pipeline
from aegis_authz.check.record import Recorder
from aegis_authz.check.settling import Settler
from aegis_authz.check.shares import Shares
from aegis_authz.check.slow_lane import SlowLane
from aegis_authz.config.authz import AuthzSettings, IdentitySettings, RecordMode, WorkerHost
from aegis_authz.core.units import Seconds
from aegis_authz.ports.data_plane import Ids, StoreDown
from aegis_authz.server.admission import Admission
from aegis_authz.server.authz import Check, CheckHandler, CheckTimes
from aegis_authz.server.ext_proc import BodyHandler
from aegis_authz.server.grpc.host import GrpcHost
from aegis_authz.server.holding import HoldBounds, Holds
from aegis_authz.server.host import Process
from aegis_authz.server.http2.host import Http2Host
from aegis_authz.server.outcomes import OutcomeHandler
from aegis_authz.server.processing import ProcessingHandler
from aegis_authz.server.readiness import Probe, Readiness
from aegis_authz.server.session_heads import SessionHeads
from aegis_authz.server.status import StatusServer, shared_listener, status_app, unix_listener
from aegis_authz.server.usage_streams import UsageWatch
from aegis_authz.telemetry.certificate_gauges import CertificateGauges
from aegis_authz.telemetry.decisions import DecisionTelemetry
from aegis_authz.telemetry.exemplars import Exemplars, SharedMetrics
from aegis_authz.telemetry.exports import ExportMetrics
from aegis_authz.telemetry.holds import HoldMetrics
from aegis_authz.telemetry.metrics import DecisionMetrics
from aegis_authz.telemetry.parameter_values import Keys
from aegis_authz.telemetry.record_metrics import RecordMetrics
from aegis_authz.telemetry.worker_gauges import WorkerGauges, WorkerReadings

if TYPE_CHECKING:
    from aegis_authz.bootstrap.workloads import OpenWorkload

_log = logging.getLogger(__name__)
_GRACE = 5.0  # seconds a stopping worker waits for what is under way
_WORKLOAD = "workload"
_MASTERS = "masters"
_STATUS = "what answers /readyz"
_SWITCH_SECONDS = 0.0005  # how long the thread that makes records durable may wait for its turn


_FAULTS = (KeyFolderError, RedisUrlUnusable, FolderBusy, LogAltered, ExportUnusable, OSError, RuntimeError)


class WorkerFault(Exception):
    """The worker cannot start or go on; the message is fit to show."""


def serve_worker(settings: AuthzSettings, worker: int) -> None:
    """Serve until SIGTERM or SIGINT. Raises WorkerFault."""
    try:
        uvloop.run(_run(settings, worker))
    except _FAULTS as fault:
        raise WorkerFault(str(fault)) from fault


async def _run(settings: AuthzSettings, worker: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        await _serve(settings, worker, stop, stack)


async def _serve(settings: AuthzSettings, worker: int, stop: asyncio.Event, stack: AsyncExitStack) -> None:
    clock, ids = SystemClock(), SystemIds()
    answers = Answers(clock.monotonic)
    snapshots = OpaSnapshots(OpaHttp(settings.opa_socket), answers=answers)
    pdp = OpaPdp(OpaHttp(settings.opa_socket), answers=answers)
    store, records = RedisStore(settings.redis, clock, Seconds(settings.clock_skew)), _records(settings, worker, clock)
    session_keys = SessionKeyFile(settings.session_keys)
    counted = RecordMetrics(records, None, asyncio.get_running_loop().call_later)
    telemetry, exemplars = _telemetry(settings, session_keys.session_keys, counted.write)
    stack.callback((slow_lane := SlowLane[Reading]()).close)
    admission = _admission(settings)
    stack.callback(telemetry.close)
    stack.push_async_callback(store.close)
    await records.start()
    for part in (records, pdp, snapshots):
        stack.push_async_callback(part.close)
    holds, workloads = _holds(settings, clock, stack), await _workloads(settings.identity, stack)
    recorder = Recorder(counted, telemetry, clock, settings.record_mode is RecordMode.REQUIRED)
    pipeline = Pipeline(
        snapshots=snapshots,
        authenticator=_authenticator(settings.identity, ids, workloads),
        pdp=pdp,
        store=store,
        recorder=recorder,
        clock=clock,
        ids=ids,
        credentials=CredentialFolder(settings.credentials),
        session_keys=session_keys,
        limits=_limits(settings),
        slow_lane=slow_lane,
        shares=Shares(lambda: admission.limit),
        places=holds,
    )
    bodies = BodyHandler(counted, clock, require_record=settings.record_mode is RecordMode.REQUIRED)
    settler = Settler(counted, _reservations(settings, stack), _approval_outcomes(settings, stack), clock, telemetry)
    handler, outcomes = CheckHandler(pipeline, admission, _times(settings), holds), OutcomeHandler(settler)
    host = _host(settings, worker, handler, *_streams(bodies, outcomes, settler, session_keys))
    probes = _probes(snapshots, store, records) | _workload_probe(workloads)
    readiness = Readiness(probes, host, apart=(_WORKLOAD,), partial=(_MASTERS,))
    await host.start()
    endpoint = open_evaluation(settings, pipeline, handler, settler, counted)
    gauges, reports = _gauges(snapshots, readiness, admission), _reporter(settings, records, stack)
    parts = endpoint.parts | _watches(settings, snapshots, readiness, recorder, gauges, workloads, reports)
    status = _status_server(readiness, exemplars)
    parts[_STATUS] = asyncio.create_task(status.serve(sockets=_status_sockets(settings, worker)))
    _tune()
    _log.info("worker %d listens on %s", worker, settings.listen.format(worker=worker))
    trouble = await end_of(stop, parts)

    await readiness.drain()
    handler.drain_holds()
    await endpoint.stop()
    await asyncio.sleep(settings.drain_ms / 1000)  # Envoy looks once a second
    outcomes.close()
    await host.stop(_GRACE)
    await _drained(handler, bodies, outcomes)
    await _ended(status, parts)
    await recorder.keep_counts()
    if trouble:
        raise WorkerFault(trouble)


def _watches(
    settings: AuthzSettings,
    snapshots: OpaSnapshots,
    readiness: Readiness,
    recorder: Recorder,
    gauges: WorkerGauges,
    workloads: Sequence[OpenWorkload],
    reporter: HeadReporter,
) -> dict[str, asyncio.Task[None]]:
    """What watches beside the calls, by what is said where it ends."""
    watches = {
        "what follows OPA": snapshots.watch(),
        "what looks at readiness": readiness.watch(),
        "what keeps counts": recorder.watch_counts(),
        "what measures the worker": gauges.watch(),
        "what reports where the records stand": reporter.watch(),
        "what looks at certificates": watch_certificates(worker_certificates(settings), CertificateGauges(None)),
        **{f"what renews the token of {entry.listener}": entry.keeper.keep() for entry in workloads},
    }
    return {name: asyncio.create_task(watch) for name, watch in watches.items()}


async def _drained(*handlers: CheckHandler | BodyHandler | OutcomeHandler) -> None:
    for handler in handlers:
        await handler.drain()


async def _ended(status: StatusServer, parts: Mapping[str, asyncio.Task[None]]) -> None:
    """Wait for all parts; but for the one that is told so, none would ever end by itself."""
    status.end()
    for name, part in parts.items():
        if name != _STATUS:
            part.cancel()
    await asyncio.gather(*parts.values(), return_exceptions=True)


def _times(settings: AuthzSettings) -> CheckTimes:
    budget = settings.budget
    return CheckTimes(decision=Seconds(budget.check_timeout_ms / 1000), reserve=Seconds(budget.reserve_ms / 1000))


def _holds(settings: AuthzSettings, clock: SystemClock, stack: AsyncExitStack) -> Holds:
    states = RedisApprovalStates(settings.redis)
    stack.push_async_callback(states.close)
    holds = settings.holds
    bounds = HoldBounds(holds.total, holds.of_tenant, holds.of_agent, Seconds(holds.longest))
    return Holds(states, bounds, HoldMetrics(None), clock)


def _reservations(settings: AuthzSettings, stack: AsyncExitStack) -> RedisReservations:
    reservations = RedisReservations(settings.redis)
    stack.push_async_callback(reservations.close)
    return reservations


def _approval_outcomes(settings: AuthzSettings, stack: AsyncExitStack) -> RedisApprovalOutcomes:
    outcomes = RedisApprovalOutcomes(settings.redis)
    stack.push_async_callback(outcomes.close)
    return outcomes


def _reporter(settings: AuthzSettings, records: FileRecordLog, stack: AsyncExitStack) -> HeadReporter:
    heads = RedisRecordHeads(settings.redis)
    stack.push_async_callback(heads.close)
    reporter = HeadReporter(records, heads, socket.gethostname())
    stack.push_async_callback(reporter.report)  # what a worker wrote at its end, too
    return reporter


def _streams(
    bodies: BodyHandler, outcomes: OutcomeHandler, settler: Settler, session_keys: SessionKeyFile
) -> tuple[Process, Process]:
    """What the host serves as streams: bodies that are processed or watched, and access logs."""
    processing = ProcessingHandler(bodies.process, SessionHeads(session_keys), UsageWatch(settler))
    return processing.process, outcomes.process


def _tune() -> None:
    # the thread that makes records durable must not wait its turn for longer than the disk takes
    sys.setswitchinterval(_SWITCH_SECONDS)
    gc.collect()
    gc.freeze()


def _host(settings: AuthzSettings, worker: int, check: Check, process: Process, log: Process) -> GrpcHost | Http2Host:
    kind = GrpcHost if settings.host is WorkerHost.GRPC else Http2Host
    return kind(settings.listen.format(worker=worker), check, process, log, int(settings.listen_mode, 8))


def _records(settings: AuthzSettings, worker: int, clock: SystemClock) -> FileRecordLog:
    keys = RecordKeyFile(settings.record_key)
    writer = f"authz-{worker}"
    return FileRecordLog(
        settings.records / writer, writer, keys.current.key, clock, max_segment_age=SEGMENT_AGE, renewal=keys
    )


def _limits(settings: AuthzSettings) -> Limits:
    return Limits(
        total=Seconds(settings.budget.total_ms / 1000),
        pdp=Seconds(settings.budget.pdp_ms / 1000),
        environment=settings.environment,
        region=settings.region,
    )


def _authenticator(settings: IdentitySettings, ids: Ids, workloads: Sequence[OpenWorkload]) -> Authenticator:
    acceptance = Acceptance(
        otherwise=frozenset(settings.accept),
        listeners={name: frozenset(ways) for name, ways in settings.listeners.items()},
        private_networks=tuple(ip_network(network) for network in settings.private_networks),
    )
    return Authenticator(acceptance, ids.token, {entry.listener: entry.workload for entry in workloads})


def _gauges(snapshots: OpaSnapshots, readiness: Readiness, admission: Admission) -> WorkerGauges:
    return WorkerGauges(
        None,
        WorkerReadings(
            lambda: "" if snapshots.trouble else snapshots.current().revision,
            lambda: readiness.controls,
            lambda: (admission.under_way, admission.limit),
        ),
    )


def _telemetry(settings: AuthzSettings, keys: Keys, write: Callable[[], None]) -> tuple[DecisionTelemetry, Exemplars]:
    """What tells of decisions, and `write`s what else was counted at its end."""
    later = asyncio.get_running_loop().call_later
    metrics = DecisionMetrics(None, later)
    spans, end = span_export(settings, keys, ExportMetrics(None)) or (None, lambda: None)

    def close() -> None:
        write()
        end()

    return DecisionTelemetry(metrics, spans, later, close), metrics.exemplars


def _admission(settings: AuthzSettings) -> Admission:
    return Admission.within(settings.max_concurrent, settings.budget.total_ms / 1000)


def _probes(snapshots: OpaSnapshots, store: RedisStore, records: FileRecordLog) -> dict[str, Probe]:
    async def keys() -> str:
        if snapshots.trouble:
            return "waits for the bundle"
        return "" if snapshots.current().trust.token_keys else "the bundle trusts no token key"

    async def bundle() -> str:
        return snapshots.trouble

    async def replay_store() -> str:
        try:
            await store.ready()
        except StoreDown as fault:
            return f"{fault} (`redis` of the settings says where it is)"
        return ""

    async def masters() -> str:
        return "; ".join(store.absent)

    async def record_log() -> str:
        return records.trouble

    return {"keys": keys, "bundle": bundle, "store": replay_store, _MASTERS: masters, "records": record_log}


async def _workloads(settings: IdentitySettings, stack: AsyncExitStack) -> tuple[OpenWorkload, ...]:
    if not settings.workload:
        return ()
    from aegis_authz.bootstrap.workloads import open_workloads  # only here: most workers stand for nobody

    return await open_workloads(settings.workload, stack)


def _workload_probe(workloads: tuple[OpenWorkload, ...]) -> dict[str, Probe]:
    async def tokens() -> str:
        return "; ".join(filter(None, (entry.trouble for entry in workloads)))

    return {_WORKLOAD: tokens} if workloads else {}


def _status_server(readiness: Readiness, exemplars: Exemplars) -> StatusServer:
    registry = CollectorRegistry()
    workers = multiprocess.MultiProcessCollector(None)  # type: ignore[no-untyped-call]
    registry.register(SharedMetrics(workers, exemplars))
    return StatusServer(status_app(readiness, registry))


def _status_sockets(settings: AuthzSettings, worker: int) -> list[socket.socket]:
    return [shared_listener(settings.metrics), unix_listener(settings.ready_socket.format(worker=worker))]
