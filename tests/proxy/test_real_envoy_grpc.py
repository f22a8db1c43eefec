"""gRPC through the real Envoy: one message is judged and reaches its method; a stream passes where it may, by its head."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING

import grpc
import pytest
import pytest_asyncio

from aegis_authz.core.catalogue import ONE_OPERATION, Action, BodyFormat, Catalogue, Tool
from aegis_authz.core.effect import Effect
from aegis_authz.core.interface import Interface, Method, Sending
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.envoy.ext_authz import read_check_request
from aegis_authz.wire.http.tool_call import read_tool_call

if TYPE_CHECKING:
    from conftest import Authorizer, Proxy, Starter

pytestmark = pytest.mark.asyncio(loop_scope="session")

SERVICE = "pay.v1.Payments"
INTERFACE = Interface({"talk": Method(Sending.OPAQUE, ""), "collect": Method(Sending.STREAM, "")}, {}, {})


def tools(port: int) -> Catalogue:
    actions = tuple(
        Action(name.lower(), "POST", (SERVICE, name), (), False, (BodyFormat.MESSAGE,), ONE_OPERATION)
        for name in ("Create", "Watch", "Talk", "Collect", "Chat")
    )
    return Catalogue.of(
        (Tool("rpc", "rpc.example", None, f"http://127.0.0.1:{port}", actions, "", "", None, False, False, INTERFACE),)
    )


async def create(message: bytes, context: grpc.aio.ServicerContext) -> bytes:
    return b"created " + message


async def watch(message: bytes, context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
    for number in range(3):
        yield b"%d of %s" % (number, message)


async def talk(messages: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
    async for message in messages:
        yield b"heard " + message


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def rpc(envoys: Starter, one_authorizer: Authorizer) -> AsyncIterator[tuple[Proxy, Catalogue]]:
    """An Envoy before a service of gRPC."""
    server = grpc.aio.server()
    handlers = {
        "Create": grpc.unary_unary_rpc_method_handler(create),
        "Watch": grpc.unary_stream_rpc_method_handler(watch),
        "Talk": grpc.stream_stream_rpc_method_handler(talk),
        "Chat": grpc.stream_stream_rpc_method_handler(talk),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with envoys.running("rpc", tools(port), one_authorizer.place) as running:
            yield running, tools(port)
    finally:
        await server.stop(None)


@pytest_asyncio.fixture(loop_scope="session")
async def channel(rpc: tuple[Proxy, Catalogue]) -> AsyncIterator[grpc.aio.Channel]:
    """A channel of a stock client, which names the tool and connects to Envoy."""
    options = (("grpc.default_authority", "rpc.example"), ("grpc.enable_http_proxy", 0))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{rpc[0].forward}", options) as open_channel:
        yield open_channel


async def test_a_message_is_judged_and_reaches_its_method(
    rpc: tuple[Proxy, Catalogue], channel: grpc.aio.Channel, authorizer: Authorizer
) -> None:
    assert await channel.unary_unary(f"/{SERVICE}/Create")(b"\0x", timeout=10) == b"created \0x"
    call = read_tool_call(read_check_request(authorizer.checks[-1].SerializeToString()), rpc[1])
    assert (call.action, call.parameters["method"], call.parameters["size"]) == ("create", "Create", 2)
    assert call.content_type == "application/grpc"


async def test_an_answer_may_be_a_stream(channel: grpc.aio.Channel, authorizer: Authorizer) -> None:
    answers = [answer async for answer in channel.unary_stream(f"/{SERVICE}/Watch")(b"x", timeout=10)]
    assert answers == [b"0 of x", b"1 of x", b"2 of x"]


async def test_a_refusal_is_read_by_stock_clients(channel: grpc.aio.Channel, authorizer: Authorizer) -> None:
    authorizer.answer = replace(authorizer.answer, effect=Effect.DENY, grpc_code=7, status=403, body=b"not today")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await channel.unary_unary(f"/{SERVICE}/Create")(b"x", timeout=10)
    assert (refused.value.code(), refused.value.details()) == (grpc.StatusCode.PERMISSION_DENIED, "not today")


async def test_a_stream_is_judged_by_its_head_and_its_messages_pass_one_by_one(
    rpc: tuple[Proxy, Catalogue], channel: grpc.aio.Channel, authorizer: Authorizer
) -> None:
    talking = channel.stream_stream(f"/{SERVICE}/Talk")(timeout=20)
    for message in (b"a", b"b"):
        await talking.write(message)
        assert await talking.read() == b"heard " + message
    await talking.done_writing()
    assert await talking.read() is grpc.aio.EOF
    (check,) = authorizer.checks
    http = read_check_request(check.SerializeToString())
    assert (http.is_unread, http.body) == (True, b"")
    call = read_tool_call(http, rpc[1])
    assert (call.action, call.parameters["method"], call.besides) == ("talk", "Talk", {"stream": "opaque"})


async def test_a_stream_under_a_prefix_is_judged_by_its_head_as_well(
    rpc: tuple[Proxy, Catalogue], authorizer: Authorizer
) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{rpc[0].reverse}", (("grpc.enable_http_proxy", 0),)) as channel:
        talking = channel.stream_stream(f"/rpc/{SERVICE}/Talk")(timeout=20)
        await talking.write(b"a")
        assert await talking.read() == b"heard a"
        await talking.done_writing()
    assert read_tool_call(read_check_request(authorizer.checks[-1].SerializeToString()), rpc[1]).action == "talk"


async def test_a_stream_that_is_refused_reaches_nobody_and_says_why(
    channel: grpc.aio.Channel, authorizer: Authorizer
) -> None:
    authorizer.answer = replace(authorizer.answer, effect=Effect.DENY, grpc_code=7, status=403, body=b"no streams")
    talking = channel.stream_stream(f"/{SERVICE}/Talk")(timeout=20)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await talking.read()
    assert (refused.value.code(), refused.value.details()) == (grpc.StatusCode.PERMISSION_DENIED, "no streams")


async def test_a_method_of_streams_that_is_not_let_pass_is_refused_before_it_waits(
    rpc: tuple[Proxy, Catalogue], channel: grpc.aio.Channel, authorizer: Authorizer
) -> None:
    authorizer.answer = replace(authorizer.answer, effect=Effect.DENY, grpc_code=7, status=403, body=b"no")
    with pytest.raises(grpc.aio.AioRpcError):
        await channel.stream_stream(f"/{SERVICE}/Collect")(timeout=20).read()
    with pytest.raises(Refused) as refused:
        read_tool_call(read_check_request(authorizer.checks[-1].SerializeToString()), rpc[1])
    assert refused.value.reason is Reason.STREAM_UNLISTED


async def test_several_messages_to_a_method_of_one_are_refused_and_one_that_waits_never_judged(
    rpc: tuple[Proxy, Catalogue], channel: grpc.aio.Channel, authorizer: Authorizer
) -> None:
    talking = channel.stream_stream(f"/{SERVICE}/Chat")
    both = [answer async for answer in talking(iter([b"a", b"b"]), timeout=10)]
    assert both == [b"heard a", b"heard b"]  # this authorizer allows all; ours would not:
    with pytest.raises(Refused) as refused:
        read_tool_call(read_check_request(authorizer.checks[-1].SerializeToString()), rpc[1])
    assert refused.value.reason is Reason.MESSAGE_MALFORMED
    checks = len(authorizer.checks)
    waiting = talking(timeout=1)
    await waiting.write(b"a")
    with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
        await waiting.read()
    assert len(authorizer.checks) == checks
