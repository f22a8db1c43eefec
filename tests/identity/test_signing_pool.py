"""Signatures that a key service makes slowly: who waits for them, how long, and who does not wait at all."""

from __future__ import annotations

import asyncio
import threading

import pytest

from aegis_authz.core.units import Seconds
from aegis_authz.identity.signing_pool import SigningPool
from aegis_authz.ports.key_rings import KeyServiceDown


class SlowService:
    """Signs when it is let; counts who asked it."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.asked = threading.Semaphore(0)
        self.questions = 0

    def sign(self) -> str:
        self.questions += 1
        self.asked.release()
        assert self.let.wait(30)
        return "signed"

    async def is_asked(self) -> None:
        assert await asyncio.to_thread(self.asked.acquire, timeout=30)


@pytest.fixture
def service() -> SlowService:
    return SlowService()


async def test_what_is_signed_is_given_back_and_so_is_a_fault() -> None:
    pool = SigningPool()
    assert await pool.sign(lambda: "token") == "token"
    with pytest.raises(ValueError, match="invalid literal"):
        await pool.sign(lambda: str(int("x")))


async def test_beyond_the_bound_nobody_waits(service: SlowService) -> None:
    pool = SigningPool(threads=1, waiting=2, deadline=Seconds(30.0))
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(pool.sign(service.sign)) for _ in range(3)]
        await service.is_asked()
        with pytest.raises(KeyServiceDown, match="too many signatures wait"):
            await pool.sign(service.sign)
        assert service.questions == 1
        service.let.set()
    assert [task.result() for task in waiting] == ["signed"] * 3
    assert await pool.sign(service.sign) == "signed"


async def test_a_signature_that_takes_too_long_is_refused_and_holds_its_thread_until_it_ends(
    service: SlowService,
) -> None:
    pool = SigningPool(threads=1, waiting=1, deadline=Seconds(0.2))
    with pytest.raises(KeyServiceDown, match="signed nothing within"):
        await pool.sign(service.sign)
    for _ in range(3):  # each waits for the thread, gives up, and leaves its place to the next
        with pytest.raises(KeyServiceDown, match="signed nothing within"):
            await pool.sign(service.sign)
    assert service.questions == 1
    service.let.set()
    async with asyncio.timeout(30):
        while True:
            try:
                assert await pool.sign(service.sign) == "signed"
            except KeyServiceDown:
                continue
            break


async def test_a_slow_key_service_leaves_the_threads_of_the_process_alone(service: SlowService) -> None:
    pool = SigningPool(threads=2, waiting=100, deadline=Seconds(30.0))
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(pool.sign(service.sign)) for _ in range(100)]
        await service.is_asked()
        async with asyncio.timeout(10):
            assert await asyncio.gather(*(asyncio.to_thread(str, number) for number in range(64)))
        service.let.set()
    assert {task.result() for task in waiting} == {"signed"}
