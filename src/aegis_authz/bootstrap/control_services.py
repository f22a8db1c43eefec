"""Put the services of the control plane together on its ports."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry

from aegis_authz.adapters.files.authority_folder import PublishedAuthorities
from aegis_authz.adapters.files.keys import RECORDS_PUBLIC, Keys
from aegis_authz.adapters.records.browsing import RecordBrowser
from aegis_authz.adapters.records.call_journal import CallJournal
from aegis_authz.adapters.records.files import NoRecords
from aegis_authz.adapters.records.keys import load_public_keys
from aegis_authz.adapters.records.spending import recorded_spend
from aegis_authz.api.enrolment import MeshPlace
from aegis_authz.approvals.deciding import Approver, override_mint
from aegis_authz.approvals.expiring import ExpiryWatch
from aegis_authz.approvals.oversight import StampTerms
from aegis_authz.approvals.separation import Separation
from aegis_authz.bootstrap.bundles import policy_builder
from aegis_authz.bootstrap.certificate_dates import control_certificates
from aegis_authz.bootstrap.control_stores import ControlStores
from aegis_authz.bootstrap.federation import federation_terms, openid_issuer
from aegis_authz.bootstrap.outreach import Notices, alerter_of, cautions_of, outreach
from aegis_authz.bootstrap.policy_trials import LabTrials
from aegis_authz.bootstrap.publishers import publisher_of
from aegis_authz.bootstrap.settings import SettingsError, load_settings
from aegis_authz.config.control import ControlSettings, OversightSettings
from aegis_authz.config.proxy import ProxySettings
from aegis_authz.control.acts import Note
from aegis_authz.control.agents.enrolling import Enroller
from aegis_authz.control.agents.exchanging import Exchanger
from aegis_authz.control.agents.issuing import TokenIssuer, TokenTerms
from aegis_authz.control.agents.narrowing import Narrower
from aegis_authz.control.agents.revoking import Revoker
from aegis_authz.control.agents.roster import Roster
from aegis_authz.control.alerting import Alerter
from aegis_authz.control.app import ControlServices, PeopleServices
from aegis_authz.control.approvals.access_requests import AccessRequestDesk
from aegis_authz.control.approvals.callbacks import CallbackDesk, CallbackServices
from aegis_authz.control.approvals.deciding_on_record import Deciding
from aegis_authz.control.approvals.overseeing import Overseer
from aegis_authz.control.approvals.standing_decisions import StandingDesk
from aegis_authz.control.authentication import PeopleAuthentication, SessionCookie
from aegis_authz.control.gate import AdminTokenHolder
from aegis_authz.control.keys.distribution import TrustInBundles, TrustInConfiguration, TrustInFiles
from aegis_authz.control.keys.rotating import Rotation, Rotator
from aegis_authz.control.keys.trust import public_jwks
from aegis_authz.control.keys.trusted_keys import TrustedKeys
from aegis_authz.control.people.appointing import Appointer
from aegis_authz.control.people.federation import FederatedSignIn
from aegis_authz.control.people.signing_in import SignIn
from aegis_authz.control.policies.building import PolicyBuilder
from aegis_authz.control.policies.bulletin import Bulletin
from aegis_authz.control.policies.directory import EMPTY_DIRECTORY, CurrentDirectory, Directory
from aegis_authz.control.policies.discovery import Discovery
from aegis_authz.control.policies.editing import Editor
from aegis_authz.control.policies.laboratory import Laboratory
from aegis_authz.control.policies.proposing import ProposalDesk
from aegis_authz.control.policies.published_documents import PublishedDocuments
from aegis_authz.control.policies.publishing import Publisher
from aegis_authz.control.policies.readings import Readings
from aegis_authz.control.policies.releasing import ReleaseDesk
from aegis_authz.control.policies.routing import RouteKeeper
from aegis_authz.control.policies.services import PolicyServices
from aegis_authz.control.policies.status_board import StatusBoard
from aegis_authz.control.records.live import LiveRecords
from aegis_authz.control.records.reading import RecordDesk
from aegis_authz.control.records.reconciling import Reconciler
from aegis_authz.control.records.services import RecordServices
from aegis_authz.control.records.verifying import Verifier
from aegis_authz.control.routes.sessions import SignInDoor
from aegis_authz.control.spend.limit_accounts import LimitBook
from aegis_authz.control.spend.limiting import LimitKeeper
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.person import WHOLE_MESH, Person
from aegis_authz.core.trusted_issuer import TrustedIssuer
from aegis_authz.core.units import Revision, Seconds
from aegis_authz.evidence.spend import Dimension, SpendRow
from aegis_authz.identity.signing_pool import SigningPool
from aegis_authz.people.permissions import Permission, may
from aegis_authz.ports.control_plane import (
    Routes,
)
from aegis_authz.ports.data_plane import Clock, Ids

_log = logging.getLogger(__name__)
_READERS_PATIENCE = Seconds(20.0)
"""How long one trial of a reader may take: others wait as long for theirs."""
RECORD_INDEX = "records.index"
_RECONCILED = "reconciled.json"
"""The control plane's own index of records, in its state folder."""
_BUNDLE_LIFE = Seconds(3600.0)
"""How long an OPA that was away may find on its own disk a bundle of the key before, and run it."""


def _token_terms(settings: ControlSettings, base: str) -> TokenTerms:
    return TokenTerms(
        issuer=settings.issuer,
        audience=settings.mesh_audience,
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
    enroller: Enroller,
    clock: Clock,
    ids: Ids,
) -> TokenIssuer:
    return TokenIssuer(
        terms,
        lambda: stores.rings["issuer"].signing_key,
        SigningPool(),
        directory,
        stores.uses,
        stores.journal,
        Exchanger(directory, trusted_keys, stores.reviews, terms.clock_skew, clock),
        Narrower(terms, stores.rings["issuer"].trusted, ids),
        revoker.is_revoked,
        enroller.learn,
        clock,
        ids,
    )


def _approver(settings: ControlSettings, stores: ControlStores, bulletin: Bulletin, clock: Clock, ids: Ids) -> Approver:
    ring = stores.rings["approvals"]
    mint = override_mint(lambda: ring.signing_key, settings.issuer, settings.mesh_audience, ids)
    # a pool of its own: a flood of token requests must not keep an approver waiting
    pool = SigningPool()
    return Approver(
        stores.approvals,
        stores.records,
        bulletin.is_stale,
        mint,
        pool,
        clock,
        lambda person: settings.bootstrap_owner_decides and _is_owner(person),
        Separation(stores.people.people, stores.uses),
    )


def _is_owner(person: Person) -> bool:
    """Whether the person owns the whole mesh: where there is nobody else, they may give themselves any group."""
    return may(person, Permission.APPOINT_PEOPLE, WHOLE_MESH)


def _mesh_place(settings: ControlSettings) -> MeshPlace:
    """Where agents send calls, as the settings say it, or as the Envoy of this control plane listens."""
    evaluation = settings.public_evaluation or ""
    if settings.public_proxy or settings.public_reverse:
        proxy, reverse = settings.public_proxy or "", settings.public_reverse or ""
        return MeshPlace(forward_proxy=proxy, reverse=reverse, evaluation=evaluation)
    if settings.proxy is None:
        return MeshPlace(evaluation=evaluation)
    try:
        envoy = load_settings(settings.proxy, ProxySettings)
    except SettingsError as fault:
        _log.warning("agents that enrol are not told where the mesh is: %s", fault)
        return MeshPlace(evaluation=evaluation)
    ports = (envoy.forward_port, envoy.reverse_port)
    forward, reverse = (f"http://{envoy.bind}:{port}" if port else "" for port in ports)
    return MeshPlace(forward_proxy=forward, reverse=reverse, evaluation=evaluation)


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


def _spend(folder: Path, by: Sequence[Dimension], since: float) -> list[SpendRow]:
    """What the records say that calls cost; nothing where there are no records yet. Raises OSError."""
    try:
        return recorded_spend(folder, by, since)
    except NoRecords:
        return []


def _records(settings: ControlSettings, clock: Clock) -> RecordServices:
    keys = partial(load_public_keys, settings.keys / RECORDS_PUBLIC)
    browser = RecordBrowser(settings.records, settings.state / RECORD_INDEX, keys, settings.anchors)
    live = LiveRecords(browser)
    journal = CallJournal(settings.access_logs, settings.records, settings.state / _RECONCILED)
    reconciler = Reconciler(journal, browser, live.is_level, clock) if settings.access_logs else None
    return RecordServices(RecordDesk(browser), live, Verifier(browser, clock), reconciler)


def _overseer(settings: OversightSettings, stores: ControlStores, note: Note, clock: Clock) -> Overseer:
    terms = StampTerms(settings.approvals, settings.hasty_share, Seconds(settings.within))
    return Overseer(stores.history, terms, note, clock)


def _own_issuers(settings: ControlSettings) -> tuple[TrustedIssuer, ...]:
    """Whose keys are fetched for people who sign in; no document trusts them, so that no agent has their tokens."""
    oidc = settings.sign_in.oidc
    return () if oidc is None else (openid_issuer(oidc),)


def _trusted_keys(
    settings: ControlSettings, stores: ControlStores, directory: Callable[[], Directory], clock: Clock
) -> TrustedKeys:
    own = _own_issuers(settings)
    return TrustedKeys(stores.key_sets, lambda: (*directory().trusts, *own), clock)


def _door(settings: ControlSettings, stores: ControlStores, clock: Clock, ids: Ids) -> SignInDoor:
    cookie = SessionCookie.of(settings.people_url or settings.public_url)
    return SignInDoor(SignIn(stores.people, clock, ids), cookie, clock.now, clock.monotonic)


def _people_services(
    settings: ControlSettings,
    stores: ControlStores,
    door: SignInDoor,
    trusted_keys: TrustedKeys,
    clock: Clock,
    ids: Ids,
) -> PeopleServices:
    oidc, federation = settings.sign_in.oidc, None
    if oidc is not None and stores.openid is not None:
        terms = federation_terms(oidc, settings.people_url or settings.public_url, settings.clock_skew)
        federation = FederatedSignIn(terms, stores.openid, trusted_keys, stores.people, door.sign_in, clock, ids)
    appointer = Appointer(stores.people, door.sign_in, clock)
    return PeopleServices(door, federation, appointer, stores.people.changes)


def _access_requests(
    settings: ControlSettings, stores: ControlStores, approver: Approver, note: Note, callbacks: CallbackServices | None
) -> AccessRequestDesk:
    base = settings.people_url or settings.public_url
    return AccessRequestDesk(approver, stores.uses, note, CallbackDesk(callbacks), base)


def _catalogue_of(builder: PolicyBuilder, stores: ControlStores, revision: Revision) -> Catalogue:
    return builder.catalogue(stores.releases.sources(revision))


def _directory(bulletin: Bulletin, stores: ControlStores, region: str) -> CurrentDirectory:
    def published() -> Directory:
        return EMPTY_DIRECTORY if bulletin.live is None else bulletin.live.directory

    return CurrentDirectory(published, lambda: stores.enrolments.current, region)


def _discovery(keys: Keys, stores: ControlStores, clock: Clock) -> Discovery:
    discovery = Discovery(keys.root, lambda: stores.bundle_ring.trusted(clock.now()))
    discovery.refresh()
    return discovery


def _policy_services(
    settings: ControlSettings,
    stores: ControlStores,
    publisher: Publisher,
    builder: PolicyBuilder,
    approver: Approver,
    board: StatusBoard,
    keeper: RouteKeeper | None,
    note: Note,
    clock: Clock,
    alerter: Alerter | None,
) -> PolicyServices:
    proposals = ProposalDesk(stores.proposals, publisher, stores.people.people)
    is_tried = settings.publish.backtest is not None
    readings, laboratory = Readings(publisher, builder), Laboratory(LabTrials(_READERS_PATIENCE))
    return PolicyServices(
        releases=ReleaseDesk(publisher, proposals, board, keeper, note, cautions_of(alerter), is_tried=is_tried),
        proposals=proposals,
        standing=StandingDesk(publisher, builder, approver, note, clock),
        readings=readings,
        laboratory=laboratory,
        editor=Editor(readings, builder, laboratory, clock.now),
    )


def _authentication(keys: Keys, door: SignInDoor, stores: ControlStores, clock: Clock) -> PeopleAuthentication:
    return PeopleAuthentication(
        AdminTokenHolder(keys.admin_token), door.sign_in, door.cookie, stores.people.changes, clock
    )


def control_services(
    settings: ControlSettings,
    keys: Keys,
    stores: ControlStores,
    clock: Clock,
    ids: Ids,
    routes: Routes | None = None,
    notices: Notices | None = None,
    callbacks: CallbackServices | None = None,
) -> ControlServices:
    """The services on these ports, before `publisher.start`. Without routes, notices, callbacks nobody has any."""
    bulletin, board, registry = Bulletin(), StatusBoard(clock), CollectorRegistry()
    builder, discovery = _builder(settings, keys, stores, clock), _discovery(keys, stores, clock)
    publisher = publisher_of(settings, stores, builder, bulletin, clock, ids)
    base, secret = settings.public_url.rstrip("/"), keys.admin_token
    terms, directory = _token_terms(settings, base), _directory(bulletin, stores, settings.region)
    trusted_keys = _trusted_keys(settings, stores, directory, clock)
    door, revoker = _door(settings, stores, clock, ids), Revoker(stores.revocations, stores.revoked, publisher, clock)
    enroller = Enroller(stores.enrolments, directory, publisher, f"{base}/v1/enroll", clock, ids)
    approver = _approver(settings, stores, bulletin, clock, ids)
    limits = LimitKeeper(stores.limits.memory, stores.limits.quarantines, stores.limits.first, publisher, clock)
    documents = PublishedDocuments(stores.releases, builder.loaded)
    authentication = _authentication(keys, door, stores, clock)
    keeper = None if routes is None else RouteKeeper(board, partial(_catalogue_of, builder, stores), routes)
    note, alerter = authentication.note, alerter_of(settings, notices, documents, clock)
    deciding = Deciding(approver, note, stores.history, clock)
    return ControlServices(
        publisher=publisher,
        policies=_policy_services(settings, stores, publisher, builder, approver, board, keeper, note, clock, alerter),
        approver=approver,
        deciding=deciding,
        access_requests=_access_requests(settings, stores, approver, note, callbacks),
        overseer=_overseer(settings.oversight, stores, note, clock),
        registry=registry,
        outreach=outreach(settings, notices, callbacks, stores, approver, deciding, registry, clock, secret, alerter),
        expiry=ExpiryWatch(stores.approvals, stores.records, stores.history, clock),
        bulletin=bulletin,
        discovery=discovery,
        board=board,
        keeper=keeper,
        revoker=revoker,
        limits=limits,
        limit_book=LimitBook(stores.limits.accounts, documents.limits, clock),
        roster=Roster(directory, documents.current, revoker, limits),
        spend=partial(_spend, settings.records),
        records=_records(settings, clock),
        terms=terms,
        trusted_keys=trusted_keys,
        directory=directory,
        enroller=enroller,
        mesh=_mesh_place(settings),
        issuer=_token_issuer(stores, terms, directory, trusted_keys, revoker, enroller, clock, ids),
        rotator=_rotator(settings, stores, publisher, bulletin, discovery, board, clock),
        certificates=control_certificates(settings).read,
        token_jwks=lambda: public_jwks(stores.rings["issuer"].trusted(clock.now())),
        authorities=None if settings.authorities is None else PublishedAuthorities(settings.authorities),
        authentication=authentication,
        people=_people_services(settings, stores, door, trusted_keys, clock, ids),
        opa_token=keys.opa_token,
    )
