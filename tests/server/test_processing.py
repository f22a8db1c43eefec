"""The streams of an external processor: each goes to the one that its first message is for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

import pytest
from envoy.service.ext_proc.v3 import external_processor_pb2 as pb

from aegis_authz.server.ext_proc import StreamAborted
from aegis_authz.server.processing import ProcessingHandler
from aegis_authz.server.session_heads import SessionHeads
from aegis_authz.server.usage_streams import UsageWatch
from tests.server.test_session_heads import TERMS, head
from tests.server.test_usage_streams import USED, Ledger, body, stream
from tests.server.test_usage_streams import head as watched_head
from tests.support.session_keys import StillSessionKeys

MORE = b"more"


async def bodies(messages: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Says back what it gets."""
    async for message in messages:
        yield b"body:" + message


async def replies(*messages: bytes, ledger: Ledger | None = None) -> list[bytes]:
    handler = ProcessingHandler(bodies, SessionHeads(StillSessionKeys()), UsageWatch(ledger or Ledger()))
    return [reply async for reply in handler.process(stream(*messages))]


async def test_a_head_alone_is_that_of_a_session() -> None:
    (reply,) = await replies(head("raw", **TERMS))
    assert pb.ProcessingResponse.FromString(reply).WhichOneof("response") == "response_headers"


async def test_an_answer_that_is_shown_as_it_passes_is_watched_and_never_answered() -> None:
    ledger = Ledger()
    assert await replies(watched_head(), body(USED), ledger=ledger) == []
    assert [decision_id for decision_id, _ in ledger.usages] == ["d-1"]


@pytest.mark.parametrize(
    "first",
    [
        head("raw", mode=4, **TERMS),
        head("raw", target="request", **TERMS),
        head("raw", target="request", observed=True, **TERMS),
        watched_head(observed=False),
        body(USED),
        b"",
        b"\xff",
    ],
)
async def test_every_other_stream_is_one_of_bodies(first: bytes) -> None:
    assert await replies(first, MORE) == [b"body:" + first, b"body:" + MORE]


async def test_a_stream_of_nothing_is_one_of_bodies() -> None:
    assert await replies() == []


async def test_messages_that_cannot_be_read_end_the_stream_with_an_error() -> None:
    async def broken() -> AsyncIterator[bytes]:
        raise ConnectionError
        yield b""

    handler = ProcessingHandler(bodies, SessionHeads(StillSessionKeys()), UsageWatch(Ledger()))
    with pytest.raises(StreamAborted):
        async for _ in handler.process(broken()):
            raise AssertionError
