from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from aegis_authz.adapters.system import SystemClock
from aegis_authz.control.app import ControlServices
from aegis_authz.core.release import Change, ChangeKind, ReleasesFault, Sources
from aegis_authz.core.revocation import Revoked
from aegis_authz.core.scope import Scope
from aegis_authz.testing.releases import MemoryReleases
from aegis_authz.testing.store import MemoryRevocations, MemoryStore
from tests.support.people import by

Client = Callable[[ControlServices, str], httpx.AsyncClient]
BOT = Scope("acme", "emea", "bot")
DOOR = "/v1/agents/acme/emea/bot"


@pytest.fixture
def revocations() -> MemoryRevocations:
    return MemoryRevocations(MemoryStore(SystemClock(), 60, for_tests=True))


@pytest.fixture
def plane(
    new_plane: Callable[..., ControlServices], revocations: MemoryRevocations, documents: Callable[..., Sources]
) -> ControlServices:
    services = new_plane(revocations=revocations)
    services.publisher.start(documents)
    return services


async def test_a_revoked_agent_is_listed_until_it_is_restored(plane: ControlServices, client: Client) -> None:
    async with client(plane, "ann") as admin:
        revoked = (await admin.post(f"{DOOR}/revoke", json={"note": "odd"})).json()
        listed = (await admin.get("/v1/agents/revoked")).json()
        restored = await admin.post(f"{DOOR}/restore", json={}, headers=by("bob"))
        left = (await admin.get("/v1/agents/revoked")).json()
    assert {name: revoked[name] for name in ("org", "tenant", "agent", "by")} == {
        "org": "acme",
        "tenant": "emea",
        "agent": "bot",
        "by": "ann",
    }
    assert listed["revocations"] == [{**revoked, "at": pytest.approx(revoked["at"], abs=0.001)}]
    assert (restored.status_code, restored.json()["by"]) == (200, "bob")
    assert left == {"revocations": []}


async def test_who_revoked_and_restored_is_in_the_change_log_and_what_is_served_stays(
    plane: ControlServices, client: Client, releases: MemoryReleases
) -> None:
    served = releases.current()
    async with client(plane, "ann") as admin:
        await admin.post(f"{DOOR}/revoke", json={"note": "odd"})
        await admin.post(f"{DOOR}/restore", json={}, headers=by("bob"))
        changes = (await admin.get("/v1/revisions")).json()["changes"]
    told = [(change["kind"], change["agent"], change["by"], change["message"]) for change in changes]
    assert told[:2] == [("restored", "acme/emea/bot", "bob", ""), ("revoked", "acme/emea/bot", "ann", "odd")]
    assert changes[2]["agent"] == ""
    assert {change["revision"] for change in changes} == {served}
    assert releases.current() == served


async def test_revoking_twice_takes_the_newer_name(plane: ControlServices, client: Client) -> None:
    async with client(plane, "ann") as admin:
        for name in ("ann", "bob"):
            assert (await admin.post(f"{DOOR}/revoke", json={}, headers=by(name))).status_code == 200
        listed = (await admin.get("/v1/agents/revoked")).json()["revocations"]
    assert [revocation["by"] for revocation in listed] == ["bob"]


async def test_who_is_not_revoked_cannot_be_restored(
    plane: ControlServices, client: Client, releases: MemoryReleases
) -> None:
    async with client(plane, "ann") as admin:
        answer = await admin.post(f"{DOOR}/restore", json={})
    assert (answer.status_code, answer.json()["detail"]) == (409, "acme/emea/bot is not revoked")
    assert [change.kind for change in releases.changes()] == [ChangeKind.FIRST]


@pytest.mark.parametrize("agent", ["Bot", "bot%20", "b%2Ft", "-bot", "b" * 64, "%00"])
async def test_a_name_no_agent_can_have_is_refused(
    plane: ControlServices, client: Client, revocations: MemoryRevocations, agent: str
) -> None:
    async with client(plane, "ann") as admin:
        answer = await admin.post(f"/v1/agents/acme/emea/{agent}/revoke", json={})
    assert answer.status_code in (400, 404)
    assert await revocations.list() == []


class FullDisk(MemoryReleases):
    """Releases whose change log takes no more lines."""

    def note(self, change: Change) -> None:
        raise ReleasesFault("no space left on /secret/path")


@pytest.fixture
def releases() -> MemoryReleases:
    return MemoryReleases(for_tests=True)


@pytest.mark.parametrize("releases", [FullDisk(for_tests=True)])
async def test_a_log_that_is_full_keeps_nobody_going(
    plane: ControlServices, client: Client, revocations: MemoryRevocations, releases: MemoryReleases
) -> None:
    async with client(plane, "ann") as admin:
        revoked = await admin.post(f"{DOOR}/revoke", json={})
        assert [revocation.target for revocation in await revocations.list()] == [Revoked.agent(BOT)]
        restored = await admin.post(f"{DOOR}/restore", json={})
        assert [revocation.target for revocation in await revocations.list()] == [Revoked.agent(BOT)]
    assert (revoked.status_code, restored.status_code) == (503, 503)
    assert "secret" not in revoked.text


async def test_a_store_that_is_down_is_503_without_its_address(
    new_plane: Callable[..., ControlServices], client: Client, documents: Callable[..., Sources]
) -> None:
    plane = new_plane()
    plane.publisher.start(documents)
    async with client(plane, "ann") as admin:
        for answer in (
            await admin.get("/v1/agents/revoked"),
            await admin.post(f"{DOOR}/revoke", json={}),
            await admin.post(f"{DOOR}/restore", json={}),
        ):
            assert answer.status_code == 503
            assert "secret" not in answer.text
