from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from aegis_authz import durable
from aegis_authz.adapters.files.key_ring import FileBundleKeyRing, FileKeyRing
from aegis_authz.adapters.files.keys import Keys, open_keys
from aegis_authz.adapters.files.record_keys import RecordKeyRing
from aegis_authz.adapters.system import SystemClock, SystemIds
from aegis_authz.bootstrap.control_services import control_services
from aegis_authz.bootstrap.control_stores import ControlStores, LimitStores
from aegis_authz.bootstrap.outreach import Notices
from aegis_authz.config.control import ControlSettings
from aegis_authz.control.app import ControlServices, create_app
from aegis_authz.control.approvals.callbacks import CallbackServices
from aegis_authz.control.host import ControlHost
from aegis_authz.core.approval import Approval, ApprovalPage, ApprovalState
from aegis_authz.core.release import Sources
from aegis_authz.core.revocation import Revocation, Revoked
from aegis_authz.core.units import ApprovalId, Epoch
from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.encoding.verifying_key import VerifyingKey
from aegis_authz.ports.approval_history import ApprovalHistory
from aegis_authz.ports.control_plane import (
    Journal,
    KeySets,
    KeysUnavailable,
    ReviewUnavailable,
    Revocations,
    SingleUses,
    TokenReviews,
)
from aegis_authz.ports.data_plane import Approvals, StoreDown
from aegis_authz.ports.key_rings import KeyRing
from aegis_authz.ports.openid import OpenIdProvider
from aegis_authz.testing.agent_states import MemoryEnrolments, MemoryFirstStart, MemoryRevocationList
from aegis_authz.testing.approval_history import MemoryApprovalHistory
from aegis_authz.testing.issuing import MemoryJournal, MemorySingleUses
from aegis_authz.testing.people import MemoryPeople
from aegis_authz.testing.proposals import MemoryProposals
from aegis_authz.testing.record_log import MemoryRecordLog
from aegis_authz.testing.releases import MemoryReleases
from aegis_authz.testing.store import MemoryStore
from tests.support.control_settings import control_settings
from tests.support.people import OWNERS, memory_people, with_people
from tests.support.real_postgres import postgres
from tests.support.real_redis import real_redis

__all__ = ["postgres", "real_redis"]

_POLICY = """\
agent: finance-agent
allowed_tools:
  - name: stripe-payments
    actions: [create_payment]
    conditions:
      max_amount: {limit}
"""
_TOOL = """\
tool: stripe-payments
host: {host}
upstream: http://127.0.0.1:9001
actions:
  create_payment:
    match: POST /v1/payments
"""


def _documents(limit: int = 5000, host: str = "api.stripe.example") -> Sources:
    policy, tool = _POLICY.replace("{limit}", str(limit)), _TOOL.replace("{host}", host)
    return Sources({"finance.yaml": policy}, {"stripe.yaml": tool})


class DownApprovals:
    """A store of approvals that cannot be reached."""

    async def page(self, states: Collection[ApprovalState], limit: int, after: str) -> ApprovalPage:
        raise StoreDown("redis at /secret/path is away")

    async def ending(self, since: Epoch, until: Epoch, limit: int) -> tuple[list[ApprovalId], Epoch]:
        raise StoreDown("redis at /secret/path is away")

    async def overdue(self, since: Epoch, until: Epoch, limit: int) -> tuple[list[Approval], Epoch]:
        raise StoreDown("redis at /secret/path is away")

    async def expire(self, approval_id: str, now: Epoch) -> None:
        raise StoreDown("redis at /secret/path is away")

    async def get(self, approval_id: str) -> Approval:
        raise StoreDown("redis at /secret/path is away")

    async def decide(self, approval_id: str, to: ApprovalState, by: str, now: Epoch) -> Approval:
        raise StoreDown("redis at /secret/path is away")


def _ring_folder(folder: Path, keys: Keys) -> Path:
    """A folder of these keys' own, in which they can be replaced."""
    folder = folder / thumbprint(keys.issuer.public_key().public_bytes_raw())
    folder.mkdir(exist_ok=True)
    for name, key in (
        ("issuer", keys.issuer),
        ("approvals", keys.approvals),
        ("bundle", keys.bundle),
        ("records", keys.records),
    ):
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        durable.create(folder / f"{name}.pem", pem)
    return folder


class NoKeySets:
    """Issuers that cannot be reached."""

    async def fetch(self, url: str) -> tuple[VerifyingKey, ...]:
        raise KeysUnavailable(f"{url}: nobody is there")

    async def discover(self, issuer: str) -> str:
        raise KeysUnavailable(f"{issuer}: nobody is there")


class NoClusters:
    """Clusters that cannot be reached."""

    async def user(self, cluster: str, token: str, audience: str) -> str:
        raise ReviewUnavailable(f"{cluster}: nobody is there")


def begun_limits(settings: ControlSettings) -> LimitStores:
    """A memory of limits that counts once it was begun."""
    store = MemoryStore(SystemClock(), 60, for_tests=True)
    return LimitStores(store, store, MemoryFirstStart(for_tests=True), store)


class DownRevocations:
    """A store of revocations that cannot be reached."""

    async def revoke(self, revocation: Revocation) -> None:
        raise StoreDown("redis at /secret/path is away")

    async def is_whole(self) -> bool:
        raise StoreDown("redis at /secret/path is away")

    async def declare_whole(self) -> None:
        raise StoreDown("redis at /secret/path is away")

    async def restore(self, target: Revoked) -> bool:
        raise StoreDown("redis at /secret/path is away")

    async def list(self) -> list[Revocation]:
        raise StoreDown("redis at /secret/path is away")


@pytest.fixture
def documents() -> Callable[..., Sources]:
    """`documents(limit=, host=)`: a small valid set."""
    return _documents


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return open_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def settings(tmp_path: Path) -> ControlSettings:
    return control_settings(tmp_path)


@pytest.fixture
def releases(proposals: MemoryProposals) -> MemoryReleases:
    return MemoryReleases(proposals, for_tests=True)


@pytest.fixture
def proposals() -> MemoryProposals:
    return MemoryProposals(for_tests=True)


@pytest.fixture
def enrolments() -> MemoryEnrolments:
    return MemoryEnrolments(for_tests=True)


@pytest.fixture
def revoked_list() -> MemoryRevocationList:
    return MemoryRevocationList(for_tests=True)


@pytest.fixture
async def records() -> MemoryRecordLog:
    """The control plane's record log."""
    log = MemoryRecordLog("control", for_tests=True)
    await log.start()
    return log


@pytest.fixture
def new_plane(
    settings: ControlSettings,
    keys: Keys,
    releases: MemoryReleases,
    records: MemoryRecordLog,
    enrolments: MemoryEnrolments,
    revoked_list: MemoryRevocationList,
    proposals: MemoryProposals,
) -> Callable[..., ControlServices]:
    """`new_plane(approvals=, keys=, settings=, revocations=, uses=, journal=)`: put together as the real one is."""
    usual, usual_settings = keys, settings

    def put_together(
        approvals: Approvals | None = None,
        keys: Keys = usual,
        settings: ControlSettings = usual_settings,
        revocations: Revocations | None = None,
        uses: SingleUses | None = None,
        journal: Journal | None = None,
        key_sets: KeySets | None = None,
        reviews: TokenReviews | None = None,
        rings: Mapping[str, KeyRing] | None = None,
        limits: LimitStores | None = None,
        people: MemoryPeople | None = None,
        notices: Notices | None = None,
        callbacks: CallbackServices | None = None,
        history: ApprovalHistory | None = None,
        enrolments: MemoryEnrolments = enrolments,
        openid: OpenIdProvider | None = None,
    ) -> ControlServices:
        clock = SystemClock()
        settings.state.mkdir(exist_ok=True)
        folder = _ring_folder(settings.state, keys)
        stores = ControlStores(
            releases,
            approvals or DownApprovals(),
            records,
            revocations or DownRevocations(),
            uses or MemorySingleUses(clock, for_tests=True),
            journal or MemoryJournal(for_tests=True),
            enrolments,
            key_sets or NoKeySets(),
            reviews or NoClusters(),
            revoked_list,
            rings or {name: FileKeyRing(folder, name) for name in ("issuer", "approvals")},
            FileBundleKeyRing(folder),
            RecordKeyRing(folder),
            limits or begun_limits(settings),
            memory_people(people),
            history or MemoryApprovalHistory(for_tests=True),
            proposals,
            openid,
        )
        return with_people(
            control_services(settings, keys, stores, clock, SystemIds(), None, notices, callbacks), *OWNERS
        )

    return put_together


@pytest.fixture
def plane(new_plane: Callable[..., ControlServices]) -> ControlServices:
    """A control plane with nothing published yet."""
    return new_plane()


@pytest.fixture
def client() -> Callable[[ControlServices, str], httpx.AsyncClient]:
    """`client(services, token)`: an HTTP client of the application, without a network."""

    def connect(services: ControlServices, token: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(create_app(services), raise_app_exceptions=False)
        return httpx.AsyncClient(
            transport=transport, base_url="http://control", headers={"authorization": f"Bearer {token}"}
        )

    return connect


@asynccontextmanager
async def _serving(services: ControlServices, port: int = 0, gateways: Sequence[str] = ()) -> AsyncIterator[str]:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen()  # who comes before the server is up waits
    host = ControlHost(services, gateways)
    task = asyncio.create_task(host.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        host.should_exit = True
        await task
        listening.close()


@pytest.fixture
def serving() -> Callable[..., AbstractAsyncContextManager[str]]:
    """`serving(services, port=0, gateways=())`: serve on a real port until the block ends."""
    return _serving
