"""The control plane, put together and run until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvloop

from aegis_authz.adapters.files.bundles import FileReleases
from aegis_authz.adapters.files.enrolments import FileEnrolments
from aegis_authz.adapters.files.first_start import FileFirstStart
from aegis_authz.adapters.files.journal import FileJournal
from aegis_authz.adapters.files.key_ring import FileBundleKeyRing
from aegis_authz.adapters.files.keys import RECORDS, KeyFolderError, Keys, open_keys
from aegis_authz.adapters.files.record_keys import RecordKeyFile, RecordKeyRing
from aegis_authz.adapters.files.revocations import FileRevocationList
from aegis_authz.adapters.files.sources import read_sources
from aegis_authz.adapters.jwks import HttpKeySets
from aegis_authz.adapters.records.files import NoRecords
from aegis_authz.adapters.records.folder import FolderBusy
from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.records.recovery import LogAltered
from aegis_authz.adapters.records.spending import recorded_spend
from aegis_authz.adapters.redis.approvals import RedisApprovals
from aegis_authz.adapters.redis.limit_accounts import RedisLimitAccounts
from aegis_authz.adapters.redis.limits import RedisLimits
from aegis_authz.adapters.redis.once import RedisSingleUses
from aegis_authz.adapters.redis.revocations import RedisRevocations
from aegis_authz.adapters.system import SystemClock, SystemIds
from aegis_authz.adapters.token_review import Cluster, HttpTokenReviews
from aegis_authz.api.enrolment import MeshPlace
from aegis_authz.approvals.deciding import Approver, override_mint
from aegis_authz.approvals.expiring import ExpiryWatch
from aegis_authz.bootstrap.bundles import REVOKED_FILE, policy_builder
from aegis_authz.bootstrap.key_service import signing_rings
from aegis_authz.bootstrap.settings import SettingsError, load_settings
from aegis_authz.config.control import ControlSettings
from aegis_authz.config.proxy import ProxySettings
from aegis_authz.control.app import ControlServices
from aegis_authz.control.building import PolicyBuilder
from aegis_authz.control.bulletin import Bulletin
from aegis_authz.control.directory import EMPTY_DIRECTORY, Directory
from aegis_authz.control.discovery import Discovery
from aegis_authz.control.distribution import TrustInBundles, TrustInConfiguration, TrustInFiles
from aegis_authz.control.enrolling import Enroller
from aegis_authz.control.exchanging import Exchanger
from aegis_authz.control.host import ControlHost
from aegis_authz.control.issuing import TokenIssuer, TokenTerms
from aegis_authz.control.limit_accounts import LimitBook
from aegis_authz.control.limiting import LimitKeeper
from aegis_authz.control.narrowing import Narrower
from aegis_authz.control.publishing import Publisher
from aegis_authz.control.revoking import Revoker
from aegis_authz.control.rotating import Rotation, Rotator
from aegis_authz.control.routing import RouteKeeper
from aegis_authz.control.status_board import StatusBoard
from aegis_authz.control.trust import public_jwks
from aegis_authz.control.trusted_keys import TrustedKeys
from aegis_authz.core.address import UnixAddress, read_address
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.limit import Limit
from aegis_authz.core.release import ReleasesFault, RevisionUnknown, Sources
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Revision, Seconds
from aegis_authz.evidence.spend import Dimension, SpendRow
from aegis_authz.policy.source.problems import PolicyErrors
from aegis_authz.ports.control_plane import (
    Enrolments,
    EnrolmentsFault,
    FirstStart,
    Journal,
    KeySets,
    LimitAccounts,
    LimitMemory,
    Quarantines,
    Releases,
    RevocationList,
    RevocationListFault,
    Revocations,
    Routes,
    SingleUses,
    TokenReviews,
)
from aegis_authz.ports.data_plane import Approvals, Clock, Ids, RecordLog
from aegis_authz.ports.key_rings import BundleKeyRing, KeyRing, KeyRingFault, Rotatable

_log = logging.getLogger(__name__)
_BACKLOG = 128
_BUNDLE_LIFE = Seconds(3600.0)
"""How long an OPA that was away may find on its own disk a bundle of the key before, and run it."""
_FAULTS = (
    KeyFolderError,
    EnrolmentsFault,
    KeyRingFault,
    RevocationListFault,
    ReleasesFault,
    RevisionUnknown,
    FolderBusy,
    LogAltered,
    OSError,
)
WRITER = "control"
"""The control plane's name among the writers of records."""


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
        keys = open_keys(settings.keys)
        releases = FileReleases(settings.state, clock)
        stack.callback(releases.close)
        approvals = RedisApprovals(settings.redis, clock)
        stack.push_async_callback(approvals.close)
        revocations = RedisRevocations(settings.redis)
        stack.push_async_callback(revocations.close)
        record_keys = RecordKeyFile(settings.keys / RECORDS)
        redis_limits, accounts = RedisLimits(settings.redis), RedisLimitAccounts(settings.redis)
        stack.push_async_callback(accounts.close)
        stack.push_async_callback(redis_limits.close)
        records = FileRecordLog(settings.records / WRITER, WRITER, keys.records, clock, renewal=record_keys)
        await records.start()
        stack.push_async_callback(records.close)
        key_sets = HttpKeySets()
        stack.push_async_callback(key_sets.close)
        reviews = _token_reviews(settings)
        stack.push_async_callback(reviews.close)
        uses = RedisSingleUses(settings.redis)
        stack.push_async_callback(uses.close)
        stores = ControlStores(
            releases=releases,
            approvals=approvals,
            records=records,
            revocations=revocations,
            uses=uses,
            journal=FileJournal(settings.state / "issued.jsonl"),
            enrolments=FileEnrolments(settings.state / "enrolled.json"),
            key_sets=key_sets,
            reviews=reviews,
            revoked=FileRevocationList(settings.state / REVOKED_FILE),
            rings=signing_rings(settings, clock),
            bundle_ring=FileBundleKeyRing(settings.keys),
            record_ring=RecordKeyRing(settings.keys),
            limits=LimitStores(redis_limits, redis_limits, FileFirstStart(settings.state / "limits-begun"), accounts),
        )
        routes = None if settings.proxy is None else _proxy_routes(settings.proxy)
        services = control_services(settings, keys, stores, clock, SystemIds(), routes)
        services.publisher.start(lambda: Sources(read_sources(settings.policies), read_sources(settings.tools)))
        listening = stack.enter_context(_listen(settings.listen))
        _log.info("the control plane listens on %s", settings.listen)
        await _serve(services, listening)


async def _serve(services: ControlServices, listening: socket.socket) -> None:
    async with asyncio.TaskGroup() as group:
        always = (
            services.expiry.watch(),
            services.trusted_keys.watch(),
            services.revoker.watch(),
            services.limits.watch(),
            services.rotator.watch(),
        )
        watches = [group.create_task(watch) for watch in always]
        if services.keeper is not None:
            watches.append(group.create_task(services.keeper.watch()))
        await ControlHost(services).serve(sockets=[listening])
        for watch in watches:
            watch.cancel()


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


def _token_terms(settings: ControlSettings, base: str) -> TokenTerms:
    return TokenTerms(
        issuer=settings.issuer,
        audience=settings.audience,
        endpoint=f"{base}/v1/token",
        max_life=Seconds(float(settings.max_token_life)),
        clock_skew=Seconds(float(settings.clock_skew)),
    )


def _token_issuer(
    stores: ControlStores,
    terms: TokenTerms,
    directory: Callable[[], Directory],
    trusted_keys: TrustedKeys,
    revoker: Revoker,
    clock: Clock,
    ids: Ids,
) -> TokenIssuer:
    return TokenIssuer(
        terms,
        lambda: stores.rings["issuer"].signing_key,
        directory,
        stores.uses,
        stores.journal,
        Exchanger(directory, trusted_keys, stores.reviews, terms.clock_skew),
        Narrower(terms, stores.rings["issuer"].trusted, ids),
        revoker.is_revoked,
        clock,
        ids,
    )


def _mesh_place(settings: ControlSettings) -> MeshPlace:
    """Where the Envoy of this control plane takes calls, by its settings."""
    if settings.proxy is None:
        return MeshPlace()
    try:
        proxy = load_settings(settings.proxy, ProxySettings)
    except SettingsError as fault:
        _log.warning("agents that enrol are not told where the mesh is: %s", fault)
        return MeshPlace()
    ports = (proxy.forward_port, proxy.reverse_port)
    forward, reverse = (f"http://{proxy.bind}:{port}" if port else "" for port in ports)
    return MeshPlace(forward_proxy=forward, reverse=reverse)


@dataclass(frozen=True, slots=True)
class LimitStores:
    """Where limits and quarantines are kept, and whether that was ever begun."""

    memory: LimitMemory
    quarantines: Quarantines
    first: FirstStart
    accounts: LimitAccounts


@dataclass(frozen=True, slots=True)
class ControlStores:
    """Where a control plane keeps what it is responsible for."""

    releases: Releases
    approvals: Approvals
    records: RecordLog
    revocations: Revocations
    uses: SingleUses
    journal: Journal
    enrolments: Enrolments
    key_sets: KeySets
    reviews: TokenReviews
    revoked: RevocationList
    rings: Mapping[str, KeyRing]
    bundle_ring: BundleKeyRing
    record_ring: Rotatable
    limits: LimitStores


def _builder(settings: ControlSettings, keys: Keys, stores: ControlStores, clock: Clock) -> PolicyBuilder:
    return policy_builder(
        settings,
        keys,
        lambda: stores.rings["issuer"].trusted(clock.now()),
        lambda: stores.rings["approvals"].trusted(clock.now()),
        lambda: stores.bundle_ring.signing_key,
        stores.revoked,
    )


def _rotator(
    settings: ControlSettings,
    stores: ControlStores,
    publisher: Publisher,
    bulletin: Bulletin,
    discovery: Discovery,
    board: StatusBoard,
    clock: Clock,
) -> Rotator:
    """How each key is replaced; what it has signed is believed as long as that may live at most."""
    every, skew = settings.rotate_every, 2 * float(settings.clock_skew)
    in_bundles = TrustInBundles(publisher, board)
    in_configuration = TrustInConfiguration(discovery, publisher, bulletin, board)
    lives = {
        "issuer": Seconds(float(settings.max_token_life) + skew),
        "approvals": Seconds(float(settings.approval_life) + skew),
    }
    rotations = {name: Rotation(stores.rings[name], in_bundles, life, every.of(name)) for name, life in lives.items()}
    bundle = Rotation(stores.bundle_ring, in_configuration, _BUNDLE_LIFE, every.of("bundle"))
    records = Rotation(stores.record_ring, TrustInFiles(), None, every.of("records"))
    return Rotator({**rotations, "bundle": bundle, "records": records}, clock)


def _limit_book(stores: ControlStores, builder: PolicyBuilder, clock: Clock) -> LimitBook:
    def limits_for(scope: Scope) -> Sequence[Limit]:
        current = stores.releases.current()
        return builder.limits(stores.releases.sources(current), scope) if current else ()

    return LimitBook(stores.limits.accounts, limits_for, clock)


def _spend(folder: Path, by: Sequence[Dimension], since: float) -> list[SpendRow]:
    """What the records say that calls cost; nothing where there are no records yet. Raises OSError."""
    try:
        return recorded_spend(folder, by, since)
    except NoRecords:
        return []


def control_services(
    settings: ControlSettings,
    keys: Keys,
    stores: ControlStores,
    clock: Clock,
    ids: Ids,
    routes: Routes | None = None,
) -> ControlServices:
    """The control plane's services on these ports; nothing is served before `publisher.start`.

    Without `routes` nobody's routes follow what is published.
    """
    bulletin, board = Bulletin(), StatusBoard(clock)
    rings = stores.rings
    builder = _builder(settings, keys, stores, clock)
    discovery = Discovery(keys.root, lambda: stores.bundle_ring.trusted(clock.now()))
    discovery.refresh()
    publisher = Publisher(stores.releases, builder, bulletin, clock)

    def catalogue_of(revision: Revision) -> Catalogue:
        return builder.catalogue(stores.releases.sources(revision))

    base = settings.public_url.rstrip("/")
    terms = _token_terms(settings, base)

    def directory() -> Directory:
        published = EMPTY_DIRECTORY if bulletin.live is None else bulletin.live.directory
        return published.with_enrolled(stores.enrolments.current)

    trusted_keys = TrustedKeys(stores.key_sets, lambda: directory().trusts, clock)
    revoker = Revoker(stores.revocations, stores.revoked, publisher, clock)
    return ControlServices(
        publisher=publisher,
        approver=Approver(
            stores.approvals,
            stores.records,
            bulletin.is_stale,
            override_mint(lambda: rings["approvals"].signing_key, settings.issuer, settings.audience, ids),
            clock,
        ),
        expiry=ExpiryWatch(stores.approvals, stores.records, clock),
        bulletin=bulletin,
        discovery=discovery,
        board=board,
        keeper=None if routes is None else RouteKeeper(board, catalogue_of, routes),
        revoker=revoker,
        limits=LimitKeeper(stores.limits.memory, stores.limits.quarantines, stores.limits.first, publisher, clock),
        limit_book=_limit_book(stores, builder, clock),
        spend=partial(_spend, settings.records),
        terms=terms,
        trusted_keys=trusted_keys,
        directory=directory,
        enroller=Enroller(stores.enrolments, directory, publisher, f"{base}/v1/enroll", clock, ids),
        mesh=_mesh_place(settings),
        issuer=_token_issuer(stores, terms, directory, trusted_keys, revoker, clock, ids),
        rotator=_rotator(settings, stores, publisher, bulletin, discovery, board, clock),
        token_jwks=lambda: public_jwks(rings["issuer"].trusted(clock.now())),
        admin_token=keys.admin_token,
        opa_token=keys.opa_token,
    )
