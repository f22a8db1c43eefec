"""grpc.health.v1 without a host."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from grpc_health.v1 import health_pb2

from aegis_authz.server.grpc.framing import NOT_FOUND, UNIMPLEMENTED, StreamBroken
from aegis_authz.server.grpc.health import Health

KINDS = health_pb2.HealthCheckResponse


def asking(service: str = "") -> bytes:
    return bytes(health_pb2.HealthCheckRequest(service=service).SerializeToString())


def status_of(answer: bytes) -> int:
    return int(KINDS.FromString(answer).status)


@pytest.fixture
def health() -> Health:
    one = Health()
    one.set({"": True, "checks": False})
    return one


@pytest.fixture
async def gone() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


async def soon(change: Any) -> int:
    return status_of(await asyncio.wait_for(anext(change), 5))


def test_it_tells_of_each_service(health: Health) -> None:
    assert status_of(health.answer(asking())) == KINDS.SERVING
    assert status_of(health.answer(asking("checks"))) == KINDS.NOT_SERVING


@pytest.mark.parametrize(("message", "status"), [(asking("nobody"), NOT_FOUND), (b"\xff", UNIMPLEMENTED)])
def test_what_it_does_not_know_or_understand_it_says(health: Health, message: bytes, status: int) -> None:
    with pytest.raises(StreamBroken) as fault:
        health.answer(message)
    assert fault.value.status == status


async def test_who_watches_is_told_now_and_at_each_change(health: Health, gone: asyncio.Future[Any]) -> None:
    watch = health.watch(asking("checks"), gone)
    assert await soon(watch) == KINDS.NOT_SERVING
    health.set({"": True, "checks": True})
    assert await soon(watch) == KINDS.SERVING
    next_one = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)
    health.set({"": False, "checks": True})
    await asyncio.sleep(0)
    assert not next_one.done()
    health.set({"": False, "checks": False})
    assert status_of(await asyncio.wait_for(next_one, 5)) == KINDS.NOT_SERVING
    await watch.aclose()


async def test_a_change_while_nobody_waits_is_not_missed(health: Health, gone: asyncio.Future[Any]) -> None:
    watch = health.watch(asking(""), gone)
    assert await soon(watch) == KINDS.SERVING
    health.set({"": False})
    health.set({"": True})
    health.set({"": False})
    assert await soon(watch) == KINDS.NOT_SERVING
    await watch.aclose()


async def test_a_service_may_come_later(health: Health, gone: asyncio.Future[Any]) -> None:
    watch = health.watch(asking("bodies"), gone)
    assert await soon(watch) == KINDS.SERVICE_UNKNOWN
    health.set({"bodies": True})
    assert await soon(watch) == KINDS.SERVING
    await watch.aclose()


@pytest.mark.parametrize("ends", ["closed", "gone"])
async def test_a_watch_ends(health: Health, gone: asyncio.Future[Any], ends: str) -> None:
    watch = health.watch(asking(""), gone)
    await soon(watch)
    waiting = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)
    if ends == "closed":
        health.close()
    else:
        gone.set_result(None)
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(waiting, 5)


async def test_a_watch_after_the_end_tells_nothing(health: Health, gone: asyncio.Future[Any]) -> None:
    health.close()
    assert [status async for status in health.watch(asking(""), gone)] == []


async def test_a_watch_of_nonsense_is_refused(health: Health, gone: asyncio.Future[Any]) -> None:
    with pytest.raises(StreamBroken):
        await anext(health.watch(b"\xff", gone))


async def test_a_watch_that_is_left_leaves_no_task_behind(health: Health, gone: asyncio.Future[Any]) -> None:
    before = asyncio.all_tasks()
    left_early, left_waiting = (health.watch(asking(""), gone) for _ in range(2))
    await soon(left_early)
    await left_early.aclose()
    await soon(left_waiting)
    waiting = asyncio.ensure_future(anext(left_waiting))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
