"""Quarantines by hand, and limits after a store that may have forgotten."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from aegis_authz.adapters.system import SystemClock
from aegis_authz.bootstrap.control_stores import LimitStores
from aegis_authz.control.app import ControlServices
from aegis_authz.core.release import ChangeKind, Sources
from aegis_authz.testing.store import MemoryStore

Client = Callable[[ControlServices, str], httpx.AsyncClient]
AGENT = "/v1/agents/acme/emea/bot"


class Start:
    """Whether the memory of limits was ever begun."""

    def __init__(self) -> None:
        self.begun = False

    def is_first(self) -> bool:
        return not self.begun

    def mark(self) -> None:
        self.begun = True


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(SystemClock(), 60, for_tests=True)


@pytest.fixture
def start() -> Start:
    return Start()


@pytest.fixture
def plane(
    new_plane: Callable[..., ControlServices], store: MemoryStore, start: Start, documents: Callable[..., Sources]
) -> ControlServices:
    services = new_plane(limits=LimitStores(store, store, start, store))
    services.publisher.start(documents)
    return services


async def test_an_agent_is_quarantined_listed_and_released_by_name(plane: ControlServices, client: Client) -> None:
    async with client(plane, plane.admin_token) as admin:
        made = await admin.post(f"{AGENT}/quarantine", json={"by": "ann", "note": "odd", "seconds": 600})
        assert (made.status_code, made.json()["until"] - made.json()["since"]) == (200, 600)
        listed = (await admin.get("/v1/agents/quarantined")).json()["quarantines"]
        assert [(entry["agent"], entry["by"]) for entry in listed] == [("bot", "ann")]
        assert (await admin.post(f"{AGENT}/release", json={"by": "ann"})).status_code == 200
        again = await admin.post(f"{AGENT}/release", json={"by": "ann"})
        assert (again.status_code, again.json()["detail"]) == (409, "acme/emea/bot is not quarantined")
    kinds = [change.kind for change in await plane.publisher.changes()]
    assert kinds[:2] == [ChangeKind.RELEASED, ChangeKind.QUARANTINED]


async def test_a_store_that_is_used_for_the_first_time_has_forgotten_nothing(
    plane: ControlServices, store: MemoryStore, start: Start
) -> None:
    assert not await store.is_counted()
    await plane.limits.remind()
    assert await store.is_counted()
    assert start.begun


async def test_a_store_that_was_started_again_counts_when_an_operator_says_so(
    plane: ControlServices, store: MemoryStore, client: Client
) -> None:
    await plane.limits.remind()
    store.start_again()
    await plane.limits.remind()
    assert not await store.is_counted()
    async with client(plane, plane.admin_token) as admin:
        answer = await admin.post("/v1/limits/reset", json={"by": "ann", "note": "nothing was lost"})
    assert (answer.status_code, answer.json()["by"]) == (200, "ann")
    assert await store.is_counted()
    change = (await plane.publisher.changes())[0]
    assert (change.kind, change.by, change.message) == (ChangeKind.LIMITS_RESET, "ann", "nothing was lost")


async def test_only_the_admin_quarantines_and_resets(plane: ControlServices, client: Client) -> None:
    async with client(plane, plane.opa_token) as other:
        for path in (f"{AGENT}/quarantine", f"{AGENT}/release", "/v1/limits/reset"):
            assert (await other.post(path, json={"by": "ann"})).status_code in (401, 403)
