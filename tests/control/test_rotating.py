"""Keys are replaced in use: trusted before they sign, trusted after they signed, and dropped when all has ended."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from aegis_authz.control.app import ControlServices
from aegis_authz.core.release import Sources
from aegis_authz.core.units import Epoch
from aegis_authz.policy.bundle.snapshot import snapshot_from_data

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
        revision = ""
        while True:
            live = await plane.bulletin.other_than(revision, 60)
            assert live is not None
            revision = live.revision
            seen.append(trusted(plane))
            status = {"active_revision": revision, "code": "", "message": ""}
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
    async with client(plane, plane.admin_token) as admin, opa_follows(plane, seen):
        [former] = await kids(admin)
        answer = await admin.post("/v1/keys/issuer/rotate", json={"by": "ann"})
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
    async with client(plane, plane.admin_token) as admin:
        [former] = await kids(admin)
        refused = await admin.post("/v1/keys/issuer/rotate?wait=0", json={"by": "ann"})
        assert refused.status_code == 409
        published = await kids(admin)
        assert former in published
        async with opa_follows(plane, []):
            rotated = (await admin.post("/v1/keys/issuer/rotate", json={"by": "ann"})).json()
    assert published == {former, rotated["kid"]}


async def test_a_former_key_is_dropped_when_all_that_it_signed_has_ended(plane: ControlServices) -> None:
    ring = plane.rotator.rings["issuer"]
    ring.prepare()
    ring.switch(Epoch(time.time() - 1))
    await plane.rotator.drop()
    assert len(trusted(plane)) == 1
    await plane.rotator.drop()


async def test_only_the_admin_rotates_and_only_keys_that_there_are(plane: ControlServices, client: Client) -> None:
    async with client(plane, "0" * 64) as anyone:
        assert (await anyone.post("/v1/keys/issuer/rotate", json={"by": "ann"})).status_code == 401
    async with client(plane, plane.admin_token) as admin:
        assert (await admin.post("/v1/keys/bundle/rotate", json={"by": "ann"})).status_code == 400
