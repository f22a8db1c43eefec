from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator

import pytest
from envoy.service.ext_proc.v3 import external_processor_pb2 as pb

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.identity.session import unwrapped_id
from aegis_authz.server.ext_proc import StreamAborted
from aegis_authz.server.session_heads import SessionHeadHandler
from aegis_authz.wire.envoy.ext_proc import METADATA_NAMESPACE
from tests.support.session_keys import StillSessionKeys

TERMS = {"decision_id": "d-1", "session_owner": "o", "rpc_id": "7", "rpc_method": "initialize"}
ID = "mcp-session-id"


def head(*ids: str, mode: int = 0, observed: bool = False, target: str = "response", **terms: str) -> bytes:
    message = pb.ProcessingRequest(observability_mode=observed)
    part = getattr(message, f"{target}_headers")
    part.SetInParent()
    for value in ids:
        part.headers.headers.add(key=ID, raw_value=value.encode("latin-1"))
    message.protocol_config.response_body_mode = mode
    fields = message.metadata_context.filter_metadata[METADATA_NAMESPACE].fields
    for name, value in terms.items():
        fields[name].string_value = value
    return bytes(message.SerializeToString())


async def bodies(messages: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Says back what it gets."""
    async for message in messages:
        yield b"body:" + message


async def feed(*messages: bytes) -> AsyncIterator[bytes]:
    for message in messages:
        yield message


async def replies(*messages: bytes, keys: StillSessionKeys | None = None) -> list[bytes]:
    handler = SessionHeadHandler(bodies, keys or StillSessionKeys())
    return [reply async for reply in handler.process(feed(*messages))]


async def answer(*messages: bytes, keys: StillSessionKeys | None = None) -> pb.ProcessingResponse:
    (reply,) = await replies(*messages, keys=keys)
    return pb.ProcessingResponse.FromString(reply)


async def test_the_id_of_a_session_that_opens_is_wrapped_for_its_owner() -> None:
    mutation = (await answer(head("raw.1", **TERMS))).response_headers.response.header_mutation
    (option,) = mutation.set_headers
    assert option.header.key == ID
    assert unwrapped_id(option.header.raw_value.decode(), "o", StillSessionKeys().session_keys()) == "raw.1"


@pytest.mark.parametrize("ids", [("",), ("a b",), ("\xe4",), ("a", "b"), (), ("x" * 2000,)])
async def test_an_answer_whose_session_cannot_be_bound_does_not_pass(ids: tuple[str, ...]) -> None:
    refusal = (await answer(head(*ids, **TERMS))).immediate_response
    error = json.loads(refusal.body)
    assert (refusal.status.code, error["id"], error["error"]["code"]) == (200, 7, -31502)


@pytest.mark.parametrize("missing", sorted(TERMS))
async def test_nothing_passes_for_want_of_terms(missing: str) -> None:
    terms = {name: value for name, value in TERMS.items() if name != missing}
    assert (await answer(head("raw", **terms))).immediate_response.status.code >= 500


async def test_without_keys_no_session_opens() -> None:
    class NoKeys(StillSessionKeys):
        def session_keys(self) -> tuple[bytes, ...]:
            raise Refused(Reason.INTERNAL_FAULT, "gone")

    assert (await answer(head("raw", **TERMS), keys=NoKeys())).WhichOneof("response") == "immediate_response"


@pytest.mark.parametrize(
    "first",
    [
        head("raw", mode=4, **TERMS),
        head("raw", target="request", **TERMS),
        head("raw", observed=True, **TERMS),
        b"\xff",
    ],
)
async def test_every_other_stream_is_one_of_bodies(first: bytes) -> None:
    assert await replies(first, b"more") == [b"body:" + first, b"body:more"]


async def test_a_stream_of_nothing_is_one_of_bodies() -> None:
    assert await replies() == []


async def test_messages_that_cannot_be_read_end_the_stream_with_an_error() -> None:
    async def broken() -> AsyncIterator[bytes]:
        raise ConnectionError
        yield b""

    with pytest.raises(StreamAborted):
        async for _ in SessionHeadHandler(bodies, StillSessionKeys()).process(broken()):
            raise AssertionError
