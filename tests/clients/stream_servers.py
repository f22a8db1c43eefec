"""Tools that speak no plain HTTP: a gRPC service, and a WebSocket that says one thing."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, section 1.3."""
_TEXT_FRAME = 0x81


@asynccontextmanager
async def payments() -> AsyncIterator[int]:
    """Serve `pay.v1.Payments` on 127.0.0.1 until the block ends; gives its port. Create says what it got, Talk answers."""

    async def create(message: bytes, _: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        return f"Create: {message!r}".encode()

    async def talk(messages: AsyncIterator[bytes], _: grpc.aio.ServicerContext[bytes, bytes]) -> AsyncIterator[bytes]:
        async for message in messages:
            yield b"heard " + message

    server = grpc.aio.server()
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Create": grpc.unary_unary_rpc_method_handler(create),
        "Talk": grpc.stream_stream_rpc_method_handler(talk),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("pay.v1.Payments", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


@asynccontextmanager
async def ticker() -> AsyncIterator[int]:
    """Serve a WebSocket on 127.0.0.1 until the block ends; gives its port. It says a price and hangs up."""
    server = await asyncio.start_server(_tell, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def _tell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2]]
    key = next(value for name, value in lines if name.lower() == b"sec-websocket-key")
    accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n")
    writer.write(b"sec-websocket-accept: " + accept + b"\r\n\r\n")
    symbol = head.split(b"symbol=")[1].split(b" ")[0]
    text = symbol + b": 42"
    writer.write(bytes((_TEXT_FRAME, len(text))) + text)
    await writer.drain()
    await reader.read()
    writer.close()
