"""A process ends when it is told to, and when a part of it is gone that nobody would miss."""

from __future__ import annotations

import asyncio
import logging

import pytest

from aegis_authz.bootstrap.lifetime import end_of


async def never() -> None:
    await asyncio.Event().wait()


async def at_once() -> None:
    pass


async def faulty() -> None:
    raise KeyError("what nobody thought of")


async def end(stop: asyncio.Event, **parts: asyncio.Task[None]) -> str:
    try:
        async with asyncio.timeout(10):
            return await end_of(stop, parts)
    finally:
        for part in parts.values():
            part.cancel()
        await asyncio.gather(*parts.values(), return_exceptions=True)


async def test_a_process_that_is_told_to_stop_ends_without_a_word() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_soon(stop.set)
    assert await end(stop, watch=asyncio.create_task(never())) == ""


async def test_a_part_that_fails_ends_the_process_and_is_named(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        parts = {"the watch": asyncio.create_task(faulty()), "the rest": asyncio.create_task(never())}
        assert await end(asyncio.Event(), **parts) == "the watch ended by itself: KeyError"
    assert "what nobody thought of" in caplog.text  # where it happened is for the log


async def test_a_part_that_just_ends_ends_the_process_as_well() -> None:
    assert await end(asyncio.Event(), watch=asyncio.create_task(at_once())) == "watch ended by itself"


async def test_a_part_that_is_cancelled_ends_the_process_as_well() -> None:
    watch = asyncio.create_task(never())
    asyncio.get_running_loop().call_soon(watch.cancel)
    assert await end(asyncio.Event(), watch=watch) == "watch ended by itself"
