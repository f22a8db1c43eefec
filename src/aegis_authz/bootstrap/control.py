"""Run the control plane: open what it keeps, put it together, serve until a signal."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import uvloop

from aegis_authz.adapters.files.anchor_file import AnchorFile
from aegis_authz.adapters.files.journal import FileJournal
from aegis_authz.adapters.files.key_ring import FileBundleKeyRing
from aegis_authz.adapters.files.keys import RECORDS, KeyFolderError, Keys, load_keys
from aegis_authz.adapters.files.process_lock import PlaceBusy
from aegis_authz.adapters.files.record_keys import RecordKeyFile, RecordKeyRing
from aegis_authz.adapters.files.sources import read_sources
from aegis_authz.adapters.jwks import HttpKeySets
from aegis_authz.adapters.openid import HttpOpenIdProvider
from aegis_authz.adapters.prometheus import PrometheusFigures
from aegis_authz.adapters.records.folder import FolderBusy
from aegis_authz.adapters.records.log import SEGMENT_AGE, FileRecordLog
from aegis_authz.adapters.records.recovery import LogAltered
from aegis_authz.adapters.redis.approvals import RedisApprovals
from aegis_authz.adapters.redis.client import RedisUrlUnusable
from aegis_authz.adapters.redis.limit_accounts import RedisLimitAccounts
from aegis_authz.adapters.redis.limits import RedisLimits
from aegis_authz.adapters.redis.once import RedisSingleUses
from aegis_authz.adapters.redis.record_heads import RedisRecordHeads
from aegis_authz.adapters.redis.revocations import RedisRevocations
from aegis_authz.adapters.sql.alerts import SqlAlerts
from aegis_authz.adapters.sql.anchors import SqlRecordAnchors
from aegis_authz.adapters.sql.approval_history import SqlApprovalHistory
from aegis_authz.adapters.sql.blocking import BlockingDatabase
from aegis_authz.adapters.sql.commit_marks import SqlCommitMarks
from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.sql.enrolments import SqlEnrolments
from aegis_authz.adapters.sql.first_start import SqlFirstStart
from aegis_authz.adapters.sql.outbox import SqlOutbox
from aegis_authz.adapters.sql.proposals import SqlProposals
from aegis_authz.adapters.sql.releases import SqlReleases
from aegis_authz.adapters.sql.revocations import SqlRevocationList
from aegis_authz.adapters.system import SystemClock, SystemIds
from aegis_authz.adapters.tls import ServerTls, TlsUnusable
from aegis_authz.adapters.token_review import Cluster, HttpTokenReviews
from aegis_authz.bootstrap.callbacks import open_callbacks
from aegis_authz.bootstrap.channels import open_channels
from aegis_authz.bootstrap.control_services import control_services
from aegis_authz.bootstrap.control_stores import ControlStores, LimitStores
from aegis_authz.bootstrap.database import database_url, hold_places, open_database
from aegis_authz.bootstrap.federation import openid_provider
from aegis_authz.bootstrap.key_service import signing_rings
from aegis_authz.bootstrap.outreach import CONTROL_WRITER, Notices
from aegis_authz.bootstrap.people import offer_first_owner, people_stores
from aegis_authz.bootstrap.settings import SettingsError
from aegis_authz.bootstrap.state_import import import_agents, import_outbox, import_releases
from aegis_authz.config.control import ControlSettings, TlsSettings
from aegis_authz.control.anchoring import Anchorer
from aegis_authz.control.app import ControlServices, Watch
from aegis_authz.control.approvals.callbacks import CallbackServices
from aegis_authz.control.approvals.remembering import HistoryWatch
from aegis_authz.control.commits import CommitWatch
from aegis_authz.control.host import ControlHost
from aegis_authz.control.routes.dashboard_pages import Dashboards
from aegis_authz.core.address import UnixAddress, read_address
from aegis_authz.core.release import ReleasesFault, RevisionUnknown, Sources
from aegis_authz.dashboards.board import read_board
from aegis_authz.local.documents import dashboard_folder
from aegis_authz.policy.source.problems import PolicyErrors
from aegis_authz.ports.control_plane import (
    EnrolmentsFault,
    RevocationListFault,
    Routes,
)
from aegis_authz.ports.data_plane import Clock, StoreDown
from aegis_authz.ports.database import DatabaseFault
from aegis_authz.ports.key_rings import KeyRingFault

_log = logging.getLogger(__name__)
_BACKLOG = 128
_FAULTS = (
    KeyFolderError,
    RedisUrlUnusable,
    SettingsError,
    EnrolmentsFault,
    KeyRingFault,
    RevocationListFault,
    ReleasesFault,
    RevisionUnknown,
    DatabaseFault,
    StoreDown,
    FolderBusy,
    PlaceBusy,
    LogAltered,
    TlsUnusable,
    OSError,
)


def run_control(settings: ControlSettings) -> None:
    """Serve until SIGTERM or SIGINT. Ends the process with 1 and the problems in the log when it cannot start."""
    try:
        uvloop.run(_run(settings))
    except PolicyErrors as errors:
        _log.error("the documents cannot be published:\n%s", errors)  # the problems say it all
        raise SystemExit(1) from None
    except _FAULTS as fault:
        _log.error("the control plane cannot run: %s", fault)
        raise SystemExit(1) from None


async def _run(settings: ControlSettings) -> None:
    async with AsyncExitStack() as stack:
        clock = SystemClock()
        keys = load_keys(settings.keys)
        database, blocking = await _databases(settings, clock, stack)
        log = await _record_log(settings, keys, clock, stack)
        stores = await _stores(settings, clock, stack, database, blocking, log)
        routes = None if settings.proxy is None else _proxy_routes(settings.proxy)
        notices = await _notices(settings, database, clock, stack)
        callbacks = await _callbacks(settings, database, clock, stack)
        services = control_services(settings, keys, stores, clock, SystemIds(), routes, notices, callbacks)
        services = replace(services, dashboards=_dashboards(settings, stack))
        await services.revoker.begin()
        await offer_first_owner(settings.state, stores.people, services.people.door.sign_in)
        services.publisher.start(lambda: Sources(read_sources(settings.policies), read_sources(settings.tools)))
        tls = None if settings.tls is None else _tls(settings.tls)
        listening = stack.enter_context(_listen(settings.listen))
        _log.info("the control plane listens on %s", settings.listen)
        history = HistoryWatch(stores.people.changes, stores.approvals, stores.history, clock)
        anchorer = _anchorer(settings, database, log, clock, stack)
        marks = SqlCommitMarks(database)
        stack.callback(marks.close)
        await _serve(services, CommitWatch(marks), (history, anchorer), listening, settings.gateways, tls)


async def _databases(
    settings: ControlSettings, clock: Clock, stack: AsyncExitStack
) -> tuple[Database, BlockingDatabase]:
    """The database twice, for coroutines and for threads, with what files of before held."""
    hold_places(settings, stack)
    database = await stack.enter_async_context(open_database(settings))
    blocking = BlockingDatabase(database_url(settings))
    stack.callback(blocking.close)
    import_agents(settings.state, blocking)
    import_releases(settings.state, blocking, clock.now())
    return database, blocking


async def _record_log(settings: ControlSettings, keys: Keys, clock: Clock, stack: AsyncExitStack) -> FileRecordLog:
    record_keys = RecordKeyFile(settings.keys / RECORDS)
    records = FileRecordLog(
        settings.records / CONTROL_WRITER,
        CONTROL_WRITER,
        keys.records,
        clock,
        max_segment_age=SEGMENT_AGE,
        renewal=record_keys,
    )
    await records.start()
    stack.push_async_callback(records.close)
    return records


def _anchorer(
    settings: ControlSettings, database: Database, log: FileRecordLog, clock: Clock, stack: AsyncExitStack
) -> Anchorer:
    heads = RedisRecordHeads(settings.redis)
    stack.push_async_callback(heads.close)
    copy = None if settings.anchors is None else AnchorFile(settings.anchors)
    anchorer = Anchorer(SqlRecordAnchors(database), heads, partial(log.head, socket.gethostname()), copy, clock)
    stack.push_async_callback(anchorer.look)  # what was written until the end, too
    return anchorer


async def _stores(
    settings: ControlSettings,
    clock: Clock,
    stack: AsyncExitStack,
    database: Database,
    blocking: BlockingDatabase,
    records: FileRecordLog,
) -> ControlStores:
    enrolments, revoked = SqlEnrolments(blocking), SqlRevocationList(blocking)
    enrolments.refresh()
    revoked.refresh()
    approvals = RedisApprovals(settings.redis, clock)
    stack.push_async_callback(approvals.close)
    revocations = RedisRevocations(settings.redis)
    stack.push_async_callback(revocations.close)
    redis_limits, accounts = RedisLimits(settings.redis), RedisLimitAccounts(settings.redis)
    stack.push_async_callback(accounts.close)
    stack.push_async_callback(redis_limits.close)
    key_sets = HttpKeySets()
    stack.push_async_callback(key_sets.close)
    reviews = _token_reviews(settings)
    stack.push_async_callback(reviews.close)
    uses = RedisSingleUses(settings.redis)
    stack.push_async_callback(uses.close)
    return ControlStores(
        releases=SqlReleases(blocking),
        approvals=approvals,
        records=records,
        revocations=revocations,
        uses=uses,
        journal=FileJournal(settings.state / "issued.jsonl"),
        enrolments=enrolments,
        key_sets=key_sets,
        reviews=reviews,
        revoked=revoked,
        rings=signing_rings(settings, clock),
        bundle_ring=FileBundleKeyRing(settings.keys),
        record_ring=RecordKeyRing(settings.keys),
        limits=LimitStores(redis_limits, redis_limits, SqlFirstStart(blocking), accounts),
        people=people_stores(database),
        history=SqlApprovalHistory(database),
        proposals=SqlProposals(database),
        openid=_openid(settings, clock, stack),
    )


def _dashboards(settings: ControlSettings, stack: AsyncExitStack) -> Dashboards | None:
    """The dashboards that come with Aegis, from the Prometheus of the settings; None without."""
    if settings.prometheus is None:
        return None
    figures = PrometheusFigures(settings.prometheus)
    stack.push_async_callback(figures.close)
    files = sorted(dashboard_folder().glob("*.json"))
    return Dashboards([read_board(path.read_text("utf-8")) for path in files], figures)


def _openid(settings: ControlSettings, clock: Clock, stack: AsyncExitStack) -> HttpOpenIdProvider | None:
    if settings.sign_in.oidc is None:
        return None
    provider = openid_provider(settings.sign_in.oidc, clock)
    stack.push_async_callback(provider.close)
    return provider


def _tls(settings: TlsSettings) -> ServerTls:
    return ServerTls(settings.certificate, settings.key, settings.client_ca)


async def _serve(
    services: ControlServices,
    commits: CommitWatch,
    others: Sequence[Watch],
    listening: socket.socket,
    gateways: Sequence[str],
    tls: ServerTls | None,
) -> None:
    async with asyncio.TaskGroup() as group:
        always = (
            commits.watch(),
            services.publisher.watch(commits),
            services.enroller.watch(commits),
            services.expiry.watch(),
            *(other.watch() for other in others),
            services.overseer.watch(),
            services.trusted_keys.watch(),
            services.revoker.watch(commits),
            services.limits.watch(),
            services.rotator.watch(),
            services.records.live.watch(),
        )
        watches = [group.create_task(watch) for watch in always]
        outreach = services.outreach
        sometimes = (services.keeper, services.records.reconciler, outreach.presses, outreach.socket, tls)
        watches += [group.create_task(service.watch()) for service in sometimes if service is not None]
        notifiers = (outreach.courier, outreach.callbacks, outreach.alerter)
        watches += [group.create_task(service.watch(commits)) for service in notifiers if service is not None]
        context = None if tls is None else tls.context
        await ControlHost(services, gateways, context).serve(sockets=[listening])
        for watch in watches:
            watch.cancel()


async def _notices(settings: ControlSettings, database: Database, clock: Clock, stack: AsyncExitStack) -> Notices:
    opened = open_channels(settings.channels, settings.people_url or settings.public_url, clock)
    stack.push_async_callback(opened.close)
    outbox = SqlOutbox(database)
    await import_outbox(settings.state, outbox)
    if database.dialect == "sqlite":  # which no other control plane uses
        await outbox.end_claims(clock.now())
    return Notices(outbox, SqlAlerts(database), opened)


async def _callbacks(
    settings: ControlSettings, database: Database, clock: Clock, stack: AsyncExitStack
) -> CallbackServices | None:
    if not settings.callbacks:
        return None
    services, close = await open_callbacks(settings.callbacks, database, clock)
    stack.push_async_callback(close)
    return services


def _token_reviews(settings: ControlSettings) -> HttpTokenReviews:
    clusters = settings.clusters.items()
    return HttpTokenReviews({name: Cluster(entry.api, entry.token, entry.authorities) for name, entry in clusters})


def _proxy_routes(settings: Path) -> Routes:
    from aegis_authz.bootstrap.proxy_routes import ProxyRoutes  # only here: it takes what renders Envoy's messages

    return ProxyRoutes(settings)


def _listen(address: str) -> socket.socket:
    place = read_address(address)
    if isinstance(place, UnixAddress):
        path = Path(place.path)
        path.unlink(missing_ok=True)
        own = socket.socket(socket.AF_UNIX)
        own.bind(place.path)
        path.chmod(0o600)
        return own
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    listener = socket.create_server((place.host, place.port), family=family, backlog=_BACKLOG)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
