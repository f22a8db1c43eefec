"""Quarantines by hand, and limits after a store that may have forgotten."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable

import httpx
import pytest

from aegis_authz.adapters.system import SystemClock
from aegis_authz.bootstrap.control_stores import LimitStores
from aegis_authz.control.app import ControlServices
from aegis_authz.core.release import ChangeKind, Sources
from aegis_authz.ports.data_plane import StoreDown
from aegis_authz.testing.store import MemoryStore

Client = Callable[[ControlServices, str], httpx.AsyncClient]
AGENT = "/v1/agents/acme/emea/bot"


class Start:
    """How far the memory of limits was begun, on a disk that is full after so many writes."""

    def __init__(self) -> None:
        self.state: str | None = None
        self.writes = 0
        self.full_after: int | None = None

    def life(self) -> str | None:
        return self.state

    def begin(self, life: str) -> None:
        self._write(life)

    def finish(self) -> None:
        self._write("")

    def _write(self, state: str) -> None:
        if self.full_after is not None and self.writes >= self.full_after:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.writes += 1
        self.state = state


class Flaky(MemoryStore):
    """A store that goes away before it is told that it counts, as often as it is `away`."""

    away = 0

    async def declare_counted(self) -> None:
        if self.away:
            self.away -= 1
            raise StoreDown("redis is away")
        await super().declare_counted()


@pytest.fixture
def store() -> Flaky:
    return Flaky(SystemClock(), 60, for_tests=True)


@pytest.fixture
def start() -> Start:
    return Start()


@pytest.fixture
def plane(
    new_plane: Callable[..., ControlServices], store: Flaky, start: Start, documents: Callable[..., Sources]
) -> ControlServices:
    services = new_plane(limits=LimitStores(store, store, start, store))
    services.publisher.start(documents)
    return services


async def test_an_agent_is_quarantined_listed_and_released_by_name(plane: ControlServices, client: Client) -> None:
    async with client(plane, "ann") as admin:
        made = await admin.post(f"{AGENT}/quarantine", json={"note": "odd", "seconds": 600})
        assert (made.status_code, made.json()["until"] - made.json()["since"]) == (200, 600)
        listed = (await admin.get("/v1/agents/quarantined")).json()["quarantines"]
        assert [(entry["agent"], entry["by"]) for entry in listed] == [("bot", "ann")]
        assert (await admin.post(f"{AGENT}/release", json={})).status_code == 200
        again = await admin.post(f"{AGENT}/release", json={})
        assert (again.status_code, again.json()["detail"]) == (409, "acme/emea/bot is not quarantined")
    kinds = [change.kind for change in await plane.publisher.changes()]
    assert kinds[:2] == [ChangeKind.RELEASED, ChangeKind.QUARANTINED]


async def test_a_store_that_is_used_for_the_first_time_has_forgotten_nothing(
    plane: ControlServices, store: Flaky, start: Start
) -> None:
    assert not await store.is_counted()
    await plane.limits.remind()
    assert await store.is_counted()
    assert start.state == ""


async def test_a_first_start_during_which_the_store_goes_away_goes_on_where_it_stood(
    plane: ControlServices, store: Flaky, start: Start
) -> None:
    store.away = 1
    with pytest.raises(StoreDown):
        await plane.limits.remind()
    assert (await store.is_counted(), start.state) == (False, await store.life())
    await plane.limits.remind()
    assert (await store.is_counted(), start.state) == (True, "")


async def test_a_store_that_was_lost_while_it_was_used_for_the_first_time_is_not_a_new_one(
    plane: ControlServices, store: Flaky, start: Start
) -> None:
    start.full_after = 1  # that it counts is said, that this was said cannot be kept
    with pytest.raises(OSError, match="No space left"):
        await plane.limits.remind()
    assert await store.is_counted()
    store.start_again()
    await plane.limits.remind()
    assert not await store.is_counted()


async def test_nothing_counts_before_the_disk_knows_of_the_first_start(
    plane: ControlServices, store: Flaky, start: Start
) -> None:
    start.full_after = 0
    with pytest.raises(OSError, match="No space left"):
        await plane.limits.remind()
    assert not await store.is_counted()


async def test_a_store_that_counts_already_is_known_to_have_begun(
    plane: ControlServices, store: Flaky, start: Start
) -> None:
    await store.declare_counted()
    await plane.limits.remind()
    assert start.state == ""
    store.start_again()
    await plane.limits.remind()
    assert not await store.is_counted()


async def test_limits_are_looked_at_each_second_until_they_count_and_seldom_then(
    plane: ControlServices, store: Flaky
) -> None:
    pauses = [await plane.limits.remind(), await plane.limits.remind()]
    store.start_again()
    pauses.append(await plane.limits.remind())
    assert pauses == [10.0, 10.0, 1.0]


async def test_the_watch_goes_on_when_the_disk_was_full(
    plane: ControlServices, store: Flaky, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    start.full_after = 0
    watch = asyncio.create_task(plane.limits.watch())
    async with asyncio.timeout(10):
        while "No space left" not in caplog.text:
            await asyncio.sleep(0.01)
        start.full_after = None
        while not await store.is_counted():
            assert not watch.done()
            await asyncio.sleep(0.01)
    watch.cancel()


async def test_a_store_that_was_started_again_counts_when_an_operator_says_so(
    plane: ControlServices, store: Flaky, client: Client
) -> None:
    await plane.limits.remind()
    store.start_again()
    await plane.limits.remind()
    assert not await store.is_counted()
    async with client(plane, "ann") as admin:
        answer = await admin.post("/v1/limits/reset", json={"note": "nothing was lost"})
    assert (answer.status_code, answer.json()["by"]) == (200, "ann")
    assert await store.is_counted()
    change = (await plane.publisher.changes())[0]
    assert (change.kind, change.by, change.message) == (ChangeKind.LIMITS_RESET, "ann", "nothing was lost")


async def test_only_the_admin_quarantines_and_resets(plane: ControlServices, client: Client) -> None:
    async with client(plane, plane.opa_token) as other:
        for path in (f"{AGENT}/quarantine", f"{AGENT}/release", "/v1/limits/reset"):
            assert (await other.post(path, json={})).status_code in (401, 403)
