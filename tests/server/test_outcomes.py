"""The access log service: entries are settled as they come, streams end well, and none is held up by another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest
from envoy.service.accesslog.v3 import als_pb2

from aegis_authz.server.ext_proc import StreamAborted
from aegis_authz.server.outcomes import OutcomeHandler
from aegis_authz.wire.envoy.access_log import LOG_REPLY, LogEntry
from aegis_authz.wire.envoy.ext_proc import METADATA_NAMESPACE


def log(*decision_ids: str) -> bytes:
    message = als_pb2.StreamAccessLogsMessage()
    for name in decision_ids:
        common = message.http_logs.log_entry.add().common_properties
        common.metadata.filter_metadata[METADATA_NAMESPACE].fields["decision_id"].string_value = name
    return message.SerializeToString()


@dataclass
class Ledger:
    """Takes entries once `open` is set."""

    open: asyncio.Event = field(default_factory=asyncio.Event)
    came: asyncio.Event = field(default_factory=asyncio.Event)
    taken: list[str] = field(default_factory=list)
    most: int = 0

    async def settle(self, entries: Sequence[LogEntry]) -> None:
        self.came.set()
        self.most = max(self.most, len(entries))
        await self.open.wait()
        self.taken += [entry.decision_id for entry in entries]


def opened() -> Ledger:
    ledger = Ledger()
    ledger.open.set()
    return ledger


async def messages(*texts: bytes, then: asyncio.Event | None = None) -> AsyncIterator[bytes]:
    for text in texts:
        yield text
    if then is not None:
        await then.wait()


async def test_every_entry_is_settled_a_few_at_a_time_and_the_stream_is_answered_once() -> None:
    ledger = opened()
    names = [f"d-{number}" for number in range(100)]
    handler = OutcomeHandler(ledger)
    replies = [reply async for reply in handler.process(messages(log(*names[:70]), log(*names[70:])))]
    assert (ledger.taken, replies) == (names, [LOG_REPLY])
    assert ledger.most < 35


async def test_a_stream_ends_when_the_worker_stops() -> None:
    ledger, never = opened(), asyncio.Event()
    handler = OutcomeHandler(ledger)
    stream = handler.process(messages(log("d-1"), then=never))
    ending = asyncio.ensure_future(anext(stream))
    await ledger.came.wait()
    handler.close()
    assert await ending == LOG_REPLY
    assert ledger.taken == ["d-1"]
    assert [reply async for reply in handler.process(messages(log("d-2"), then=never))] == [LOG_REPLY]


async def test_what_was_told_is_settled_though_its_stream_is_cut_off() -> None:
    ledger = Ledger()
    handler = OutcomeHandler(ledger)
    stream = asyncio.ensure_future(anext(handler.process(messages(log("d-1")))))
    await ledger.came.wait()
    stream.cancel()
    draining = asyncio.ensure_future(handler.drain())
    ledger.open.set()
    await draining
    assert ledger.taken == ["d-1"]


async def test_a_message_that_is_none_ends_its_stream_in_an_error() -> None:
    with pytest.raises(StreamAborted):
        await anext(OutcomeHandler(opened()).process(messages(b"\xff\xff")))
