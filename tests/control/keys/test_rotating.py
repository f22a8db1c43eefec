"""Keys are replaced in use: trusted before they sign, trusted after they signed, and dropped when all has ended."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from aegis_authz.control.app import ControlServices
from aegis_authz.control.keys.rotating import Rotator
from aegis_authz.core.release import ReleasesFault, Sources
from aegis_authz.core.units import Epoch, Monotonic, Seconds
from aegis_authz.policy.bundle.snapshot import snapshot_from_data
from aegis_authz.ports.key_rings import Rotatable

Client = Callable[[ControlServices, str], httpx.AsyncClient]


def trusted(plane: ControlServices) -> set[str]:
    """Whose tokens the bundle that is served believes."""
    assert plane.bulletin.live is not None
    with tarfile.open(fileobj=io.BytesIO(plane.bulletin.live.bundle)) as archive:
        file = archive.extractfile("data.json")
        assert file is not None
        return {*snapshot_from_data(json.load(file)["aegis"]["snapshot"]).trust.token_keys}


@asynccontextmanager
async def opa_follows(plane: ControlServices, seen: list[set[str]]) -> AsyncIterator[None]:
    """An OPA that activates whatever is served; `seen` are the keys it was served."""

    async def follow() -> None:
        etag = ""
        while True:
            live = await plane.bulletin.other_than(etag, 60)
            assert live is not None
            etag = live.etag
            seen.append(trusted(plane))
            status = {"active_revision": live.revision, "code": "", "message": ""}
            plane.board.hear({"labels": {"id": "x", "instance": "opa-1"}, "bundles": {"aegis": status}})

    async with asyncio.TaskGroup() as group:
        task = group.create_task(follow())
        yield
        task.cancel()


@pytest.fixture
def plane(new_plane: Callable[..., ControlServices], documents: Callable[..., Sources]) -> ControlServices:
    services = new_plane()
    services.publisher.start(documents)
    return services


async def kids(client: httpx.AsyncClient) -> set[str]:
    return {key["kid"] for key in (await client.get("/.well-known/jwks.json")).json()["keys"]}


async def test_the_next_key_is_trusted_before_it_signs_and_the_former_after(
    plane: ControlServices, client: Client
) -> None:
    seen: list[set[str]] = []
    async with client(plane, "ann") as admin, opa_follows(plane, seen):
        [former] = await kids(admin)
        answer = await admin.post("/v1/keys/issuer/rotate", json={})
        assert answer.status_code == 200, answer.text
        rotated: dict[str, Any] = answer.json()
        assert rotated["kid"] != former
        assert rotated["former_ends"] == pytest.approx(time.time() + 310, abs=30)
        assert seen == [{former}, {former, rotated["kid"]}]
        assert await kids(admin) == {former, rotated["kid"]}
        changes = (await admin.get("/v1/revisions")).json()["changes"]
    assert (changes[0]["kind"], changes[0]["by"]) == ("rebuilt", "ann")


async def test_nothing_signs_with_a_key_that_an_opa_has_not_and_asking_again_goes_on(
    plane: ControlServices, client: Client
) -> None:
    async with client(plane, "ann") as admin:
        [former] = await kids(admin)
        refused = await admin.post("/v1/keys/issuer/rotate?wait=0", json={})
        assert refused.status_code == 409
        published = await kids(admin)
        assert former in published
        async with opa_follows(plane, []):
            rotated = (await admin.post("/v1/keys/issuer/rotate", json={})).json()
    assert published == {former, rotated["kid"]}


async def test_a_former_key_is_dropped_when_all_that_it_signed_has_ended(plane: ControlServices) -> None:
    ring = plane.rotator.rotations["issuer"].ring
    ring.prepare()
    ring.switch(Epoch(time.time() - 1))
    await plane.rotator.drop()
    assert len(trusted(plane)) == 1
    await plane.rotator.drop()


class Unreached:
    """A way to verifiers that are away."""

    def __init__(self) -> None:
        self.tries = 0

    async def publish(self, by: str, words: str, wait: float) -> bool:
        self.tries += 1
        return False

    async def sign_anew(self, by: str, words: str) -> None:
        raise AssertionError("nothing signs with a key that nobody has")

    def may_withdraw(self) -> bool:
        return False

    async def withdraw(self, words: str) -> None:
        raise AssertionError("there is nothing to withdraw")


class Interrupted(Unreached):
    """A way to verifiers on which the first withdrawal fails; it sees whether the ring has the key then."""

    def __init__(self, ring: Rotatable) -> None:
        super().__init__()
        self.ring = ring
        self.withdrawals: list[bool] = []

    def may_withdraw(self) -> bool:
        return True

    async def withdraw(self, words: str) -> None:
        self.withdrawals.append(self.ring.is_outlived(Epoch(time.time())))
        if len(self.withdrawals) == 1:
            raise ReleasesFault("the disk is full")


async def test_a_former_key_is_kept_until_nobody_is_served_it_any_more(plane: ControlServices) -> None:
    rotation = plane.rotator.rotations["issuer"]
    rotation.ring.prepare()
    rotation.ring.switch(Epoch(time.time() - 1))
    way = Interrupted(rotation.ring)
    rotator = Rotator({"issuer": replace(rotation, distribution=way)}, Hours())
    with pytest.raises(ReleasesFault):
        await rotator.drop()
    await rotator.drop()
    assert way.withdrawals == [True, True]
    assert not rotation.ring.is_outlived(Epoch(time.time()))
    await rotator.drop()
    assert len(way.withdrawals) == 2


async def test_only_the_admin_rotates_and_only_keys_that_there_are(plane: ControlServices, client: Client) -> None:
    async with client(plane, "0" * 64) as anyone:
        assert (await anyone.post("/v1/keys/issuer/rotate", json={})).status_code == 401
    async with client(plane, "ann") as admin:
        assert (await admin.post("/v1/keys/root/rotate", json={})).status_code == 400


class Hours:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = time.time()

    def now(self) -> Epoch:
        return Epoch(self.at)

    def monotonic(self) -> Monotonic:
        return Monotonic(self.at)


async def test_a_key_is_replaced_by_itself_when_its_time_has_come_and_not_before(plane: ControlServices) -> None:
    clock = Hours()
    rotations = plane.rotator.rotations
    every = replace(rotations["issuer"], every=Seconds(3600))
    rotator = Rotator({**rotations, "issuer": every}, clock)
    [former] = trusted(plane)
    async with opa_follows(plane, []):
        clock.at += 3500
        await rotator.rotate_due()
        assert trusted(plane) == {former}
        clock.at += 200
        await rotator.rotate_due()
    assert rotations["issuer"].ring.key_id != former
    changes = await plane.publisher.changes()
    assert changes[0].by == "schedule"
    assert trusted(plane) == {former, rotations["issuer"].ring.key_id}


async def test_a_rotation_on_schedule_that_fails_changes_nothing_and_is_tried_again_later(
    plane: ControlServices, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Hours()
    rotations = plane.rotator.rotations
    key_id = rotations["bundle"].ring.key_id
    distribution = Unreached()
    rotator = Rotator({"bundle": replace(rotations["bundle"], every=Seconds(1), distribution=distribution)}, clock)
    clock.at += 60
    for _ in range(2):
        await rotator.rotate_due()
    assert (distribution.tries, rotations["bundle"].ring.key_id) == (1, key_id)
    clock.at += 301
    await rotator.rotate_due()
    assert distribution.tries == 2
    assert "the bundle key is due and cannot be rotated" in caplog.text
