"""Revocations outlive the store: what it forgets it is told again, and nothing is issued meanwhile."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from aegis_authz import durable
from aegis_authz.adapters.files.key_ring import FileKeyRing
from aegis_authz.adapters.files.keys import Keys
from aegis_authz.adapters.system import SystemClock
from aegis_authz.control.agents.revoking import Revoker
from aegis_authz.control.app import ControlServices
from aegis_authz.control.commits import CommitWatch
from aegis_authz.core.release import ChangeKind, Sources
from aegis_authz.core.revocation import Revocation, Revoked, RevokedKind
from aegis_authz.core.units import Epoch, Monotonic
from aegis_authz.identity.issuance import Denial
from aegis_authz.ports.data_plane import StoreDown
from aegis_authz.ports.key_rings import KeyRingFault
from aegis_authz.testing.agent_states import MemoryRevocationList
from aegis_authz.testing.store import MemoryRevocations, MemoryStore
from tests.support.commit_marks import ScriptedMarks
from tests.support.token_requests import assertion, binding, client_form, key_id, private_key, public_jwk

Client = Callable[[ControlServices, str], httpx.AsyncClient]
KEY, OTHER = private_key(b"k"), private_key(b"o")
AGENTS = f"agents:\n  acme/emea/payer: {{keys: [{{kty: OKP, crv: Ed25519, x: {public_jwk(KEY)['x']}}}]}}\n"
TENANT = Revoked(RevokedKind.TENANT, "acme", "emea", "")
AGENT = Revoked(RevokedKind.AGENT, "acme", "emea", "payer")
ASKING_KEY = Revoked(RevokedKind.KEY, "acme", "emea", key_id(KEY))
BOUND_KEY = Revoked(RevokedKind.KEY, "acme", "emea", key_id(OTHER))


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(SystemClock(), 60, for_tests=True)


@pytest.fixture
def registered(documents: Callable[..., Sources]) -> Callable[[], Sources]:
    usual = documents()
    return lambda: Sources({**usual.policies, "agents.yaml": AGENTS}, usual.tools)


@pytest.fixture
def plane(
    new_plane: Callable[..., ControlServices], store: MemoryStore, registered: Callable[[], Sources]
) -> ControlServices:
    services = new_plane(revocations=MemoryRevocations(store))
    services.publisher.start(registered)
    return services


async def ask(client: httpx.AsyncClient) -> httpx.Response:
    now = time.time()
    data = client_form(assertion("acme/emea/payer", KEY, now, jti=f"{time.time_ns()}"))
    return await client.post("/v1/token", data=data, headers={"DPoP": binding(OTHER, now, jti=f"{time.time_ns()}")})


@pytest.mark.parametrize("target", [AGENT, TENANT, ASKING_KEY, BOUND_KEY], ids=str)
async def test_nothing_is_issued_to_what_is_revoked(plane: ControlServices, client: Client, target: Revoked) -> None:
    async with client(plane, "") as anyone:
        assert (await ask(anyone)).status_code == 200
        await plane.revoker.revoke(target, "ann", "odd")
        refused = await ask(anyone)
        assert (refused.status_code, refused.json()["error_description"]) == (400, Denial.REVOKED.description)
        await plane.revoker.restore(target, "ann", "")
        assert (await ask(anyone)).status_code == 200


async def test_a_store_that_lost_its_data_is_told_again(plane: ControlServices, store: MemoryStore) -> None:
    await plane.revoker.revoke(TENANT, "ann", "")
    await plane.revoker.remind()
    store.forget_everything()
    assert await plane.revoker.list() == []
    await plane.revoker.remind()
    [revocation] = await plane.revoker.list()
    assert (revocation.target, revocation.by) == (TENANT, "ann")


async def test_revocations_outlive_the_control_plane_and_the_store_together(
    plane: ControlServices,
    new_plane: Callable[..., ControlServices],
    store: MemoryStore,
    registered: Callable[[], Sources],
    client: Client,
) -> None:
    await plane.revoker.revoke(AGENT, "ann", "")
    store.forget_everything()
    again = new_plane(revocations=MemoryRevocations(store))
    again.publisher.start(registered)
    async with client(again, "") as anyone:
        assert (await ask(anyone)).json()["error"] == "unauthorized_client"
    await again.revoker.remind()
    assert [entry.target for entry in await again.revoker.list()] == [AGENT]


async def test_a_revocation_that_the_store_could_not_be_told_counts_all_the_same(
    new_plane: Callable[..., ControlServices], registered: Callable[[], Sources], client: Client
) -> None:
    services = new_plane()  # its store is away
    services.publisher.start(registered)
    with pytest.raises(StoreDown):
        await services.revoker.revoke(AGENT, "ann", "")
    async with client(services, "") as anyone:
        assert (await ask(anyone)).json()["error"] == "unauthorized_client"
    assert (await services.publisher.changes())[0].message == ""


class DeafRevocations(MemoryRevocations):
    """As a Redis that was there all the time and moved the slot when it was told."""

    is_deaf = True

    async def revoke(self, revocation: Revocation) -> None:
        if self.is_deaf:
            raise StoreDown("the slot is on its way")
        await super().revoke(revocation)


async def test_a_store_that_lost_nothing_is_told_what_it_could_not_be_told_before(
    new_plane: Callable[..., ControlServices], store: MemoryStore, registered: Callable[[], Sources]
) -> None:
    revocations = DeafRevocations(store)
    services = new_plane(revocations=revocations)
    services.publisher.start(registered)
    await services.revoker.remind()
    with pytest.raises(StoreDown):
        await services.revoker.revoke(AGENT, "ann", "")
    with pytest.raises(StoreDown):
        await services.revoker.remind()
    revocations.is_deaf = False
    await services.revoker.remind()
    assert [entry.target for entry in await services.revoker.list()] == [AGENT]


async def test_a_tenant_a_key_and_a_token_are_revoked_over_the_api(plane: ControlServices, client: Client) -> None:
    bodies: list[dict[str, Any]] = [
        {"kind": "tenant"},
        {"kind": "key", "name": key_id(KEY)},
        {"kind": "token", "name": "j-1"},
    ]
    async with client(plane, "ann") as admin:
        for body in bodies:
            answer = await admin.post("/v1/revocations", json={"org": "acme", "tenant": "emea", **body})
            assert answer.status_code == 200, answer.text
        listed = (await admin.get("/v1/agents/revoked")).json()["revocations"]
        wrong = await admin.post("/v1/revocations", json={"kind": "key", "org": "acme", "tenant": "emea", "name": ""})
        restored = await admin.post("/v1/revocations/restore", json={"org": "acme", "tenant": "emea", **bodies[0]})
        changes = (await admin.get("/v1/revisions")).json()["changes"]
    assert {(entry["kind"], entry.get("name", "")) for entry in listed} == {
        ("tenant", ""),
        ("key", key_id(KEY)),
        ("token", "j-1"),
    }
    assert (wrong.status_code, restored.status_code) == (400, 200)
    assert changes[1]["message"] == "token j-1 of acme/emea"


def revoked_in_bundle(plane: ControlServices) -> list[str]:
    live = plane.bulletin.live
    assert live is not None
    with tarfile.open(fileobj=io.BytesIO(live.bundle)) as archive:
        data = archive.extractfile("data.json")
        assert data is not None
        marks: list[str] = json.loads(data.read())["aegis"]["snapshot"]["revoked"]
    return marks


async def test_what_is_revoked_travels_in_the_bundle_all_changes_in_one_revision(plane: ControlServices) -> None:
    assert revoked_in_bundle(plane) == []
    for target in (TENANT, AGENT, ASKING_KEY):
        await plane.revoker.revoke(target, "ann", "")
    before = len(await plane.publisher.changes())
    await plane.revoker.follow()
    await plane.revoker.follow()
    assert revoked_in_bundle(plane) == sorted([TENANT.mark, AGENT.mark, ASKING_KEY.mark])
    changes = await plane.publisher.changes()
    assert len(changes) == before + 1
    assert (changes[0].kind, changes[0].message) == (ChangeKind.REBUILT, "what is revoked has changed: 3 in all")
    await plane.revoker.restore(TENANT, "ann", "")
    await plane.revoker.follow()
    assert revoked_in_bundle(plane) == sorted([AGENT.mark, ASKING_KEY.mark])


async def test_a_publication_and_a_start_carry_what_is_revoked(
    plane: ControlServices,
    new_plane: Callable[..., ControlServices],
    store: MemoryStore,
    registered: Callable[[], Sources],
    documents: Callable[..., Sources],
) -> None:
    await plane.revoker.revoke(AGENT, "ann", "")
    await plane.publisher.publish(documents(7000), {}, "ann", "")
    assert revoked_in_bundle(plane) == [AGENT.mark]
    again = new_plane(revocations=MemoryRevocations(store))
    again.publisher.start(registered)
    assert revoked_in_bundle(again) == [AGENT.mark]
    before = len(await again.publisher.changes())
    await again.revoker.follow()
    assert len(await again.publisher.changes()) == before


async def test_a_store_that_is_away_keeps_nothing_out_of_the_bundle(
    new_plane: Callable[..., ControlServices], registered: Callable[[], Sources]
) -> None:
    services = new_plane()
    services.publisher.start(registered)
    with pytest.raises(StoreDown):
        await services.revoker.revoke(AGENT, "ann", "")
    await services.revoker.follow()
    assert revoked_in_bundle(services) == [AGENT.mark]


def rings_in(folder: Path, keys: Keys) -> dict[str, AwayRing]:
    for name, key in (("issuer", keys.issuer), ("approvals", keys.approvals)):
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        durable.create(folder / f"{name}.pem", pem)
    return {name: AwayRing(folder, name) for name in ("issuer", "approvals")}


class AwayRing(FileKeyRing):
    """Keys whose service can be away."""

    is_away = False

    def trusted(self, now: Epoch) -> tuple[Ed25519PublicKey, ...]:
        if self.is_away:
            raise KeyRingFault("the key service does not answer")
        return super().trusted(now)


@dataclass
class Time:
    at: float = 1000.0

    def now(self) -> Epoch:
        return Epoch(self.at)

    def monotonic(self) -> Monotonic:
        return Monotonic(self.at)


async def test_a_publication_that_fails_takes_nothing_down_and_is_tried_again_after_a_while(
    new_plane: Callable[..., ControlServices],
    store: MemoryStore,
    registered: Callable[[], Sources],
    keys: Keys,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    rings = rings_in(tmp_path, keys)
    plane, time_ = new_plane(revocations=MemoryRevocations(store), rings=rings), Time()
    plane.publisher.start(registered)
    revoker = Revoker(MemoryRevocations(store), MemoryRevocationList(for_tests=True), plane.publisher, time_)
    await revoker.revoke(AGENT, "ann", "")
    rings["issuer"].is_away = True
    failures = []
    for seconds in (0, 1, 28, 2, 30):
        time_.at += seconds
        caplog.clear()
        await revoker.follow()
        failures.append(sum("cannot be published" in message for message in caplog.messages))
    assert failures == [1, 0, 0, 1, 1]
    rings["issuer"].is_away = False
    time_.at += 30
    caplog.clear()
    await revoker.follow()
    assert not any("cannot be published" in message for message in caplog.messages)


async def test_a_list_that_could_not_be_published_is_part_of_the_next_publication(
    new_plane: Callable[..., ControlServices],
    store: MemoryStore,
    registered: Callable[[], Sources],
    keys: Keys,
    tmp_path: Path,
    documents: Callable[..., Sources],
) -> None:
    rings = rings_in(tmp_path, keys)
    plane = new_plane(revocations=MemoryRevocations(store), rings=rings)
    plane.publisher.start(registered)
    rings["issuer"].is_away = True
    await plane.revoker.revoke(AGENT, "ann", "")
    await plane.revoker.follow()
    assert revoked_in_bundle(plane) == []
    rings["issuer"].is_away = False
    await plane.publisher.publish(documents(7000), {}, "ann", "")
    assert revoked_in_bundle(plane) == [AGENT.mark]


class Away(MemoryRevocations):
    """As a Redis that is not there yet."""

    is_away = True

    async def is_whole(self) -> bool:
        if self.is_away:
            raise StoreDown("redis at /secret/path is away")
        return await super().is_whole()


async def test_a_control_plane_that_has_not_met_redis_says_what_to_do_and_is_not_ready(
    new_plane: Callable[..., ControlServices],
    store: MemoryStore,
    documents: Callable[..., Sources],
    client: Client,
    caplog: pytest.LogCaptureFixture,
) -> None:
    away = Away(store)
    plane = new_plane(revocations=away)
    plane.publisher.start(documents)
    await plane.revoker.begin()
    assert "not ready until it does: start it, or mend `redis` in the settings" in caplog.text
    async with client(plane, "") as anyone:
        before = await anyone.get("/readyz")
        assert (before.status_code, "/secret/path" in before.text) == (503, False)
        assert "Redis has not answered since the start" in before.json()["detail"]
        away.is_away = False
        watch = asyncio.create_task(plane.revoker.watch(CommitWatch(ScriptedMarks())))
        async with asyncio.timeout(20):
            while plane.revoker.is_apart:
                await asyncio.sleep(0)
        assert (await anyone.get("/readyz")).status_code == 200
        watch.cancel()
