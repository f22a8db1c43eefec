"""The access log service: what became of each call that was let through, as Envoy tells it some time later.

It never holds up a decision: entries are taken a few at a time, and while they are, the loop serves checks in between.
Where entries come faster than they can be recorded, nothing more is read, and Envoy leaves out what it cannot send.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Protocol

from aegis_authz.core.refused import Refused
from aegis_authz.server.ext_proc import StreamAborted
from aegis_authz.wire.envoy.access_log import LOG_REPLY, LogEntry, read_log

_log = logging.getLogger(__name__)
_AT_ONCE = 32
"""Entries that are taken together, most messages whole: a good half of a millisecond."""


class Outcomes(Protocol):
    """Whoever makes something of what became of calls."""

    async def settle(self, entries: Sequence[LogEntry]) -> None:
        """Take the entries. Never raises but for a cancellation."""
        ...


class OutcomeHandler:
    """Answers the streams of an access log service, each with one reply at its end."""

    def __init__(self, outcomes: Outcomes) -> None:
        self._outcomes = outcomes
        self._closed = asyncio.Event()
        self._under_way: set[asyncio.Future[None]] = set()

    def close(self) -> None:
        """End every stream once its last message is taken, and every later one at once: the worker is stopping."""
        self._closed.set()

    async def drain(self) -> None:
        """Wait until everything that was told is settled."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def process(self, messages: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Take the messages of one stream. Raises StreamAborted when they cannot be read."""
        closing = asyncio.ensure_future(self._closed.wait())
        reading: asyncio.Future[bytes | None] | None = None
        try:
            while not self._closed.is_set():
                reading = asyncio.ensure_future(_next(messages))
                await asyncio.wait((reading, closing), return_when=asyncio.FIRST_COMPLETED)
                if not reading.done():
                    break
                message, reading = _message(reading), None
                if message is None:
                    break
                await self._take(message)
        finally:
            closing.cancel()
            if reading is not None:
                reading.cancel()
        yield LOG_REPLY

    async def _take(self, message: bytes) -> None:
        try:
            entries = read_log(message)
        except Refused as refusal:
            raise StreamAborted("a message could not be read") from refusal
        settling = []
        for start in range(0, len(entries), _AT_ONCE):
            task = asyncio.ensure_future(self._outcomes.settle(entries[start : start + _AT_ONCE]))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
            settling.append(task)
            await asyncio.sleep(0)
        if settling:
            await asyncio.wait(settling)  # a stream that is cut off leaves what it told to be settled all the same


def _message(reading: asyncio.Future[bytes | None]) -> bytes | None:
    try:
        return reading.result()
    except Exception as fault:
        raise StreamAborted("the messages could not be read") from fault


async def _next(messages: AsyncIterator[bytes]) -> bytes | None:
    return await anext(messages, None)
