"""Requests that cost much to refuse or to judge, sent again and again on two connections of the loopback."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from aegis_authz.demo.agent import Tokens

MIB = 1024 * 1024
CONNECTIONS = 2
MOST_REQUESTS = 20_000
"""On all connections together: a test ends."""
_AGENT = "coding-agent"
_SERVER = "github.mcp.example"

Request = Callable[[Tokens], bytes]


def _request(body: bytes, token: str, path: str = "/mcp", host: str = _SERVER) -> bytes:
    lines = [f"POST http://{host}{path} HTTP/1.1", f"host: {host}", f"content-length: {len(body)}"]
    lines += ["content-type: application/json", "accept: application/json, text/event-stream"]
    if token:
        lines.append(f"x-aegis-token: {token}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def _call(value: str) -> bytes:
    """A tools/call with that JSON text as an argument."""
    params = json.dumps({"name": "list_issues", "arguments": {"repo": "VALUE"}}).replace('"VALUE"', value)
    return f'{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{params}}}'.encode()


_NESTED = _call("[" * (MIB // 2 - 200) + "]" * (MIB // 2 - 200))
_DENSE = _call(f"[{','.join(['{}'] * 12_000)}]")
_EMPTIES = _call(f"[{','.join(['{}'] * (MIB // 3 - 200))}]")
_FLOATS = _call(f"[{','.join(['1234.5678'] * 10_000)}]")
_WIDE = _call("{" + ",".join(f'"Ключ {number}":1' for number in range(9_000)) + "}")
_SMALL = _call('"aegis"')

HOSTILE: Mapping[str, Request] = {
    "nested 1 MiB without a token": lambda tokens: _request(_NESTED, ""),
    "nested 1 MiB": lambda tokens: _request(_NESTED, tokens.mint(_AGENT)),
    "more empty objects than are read": lambda tokens: _request(_EMPTIES, tokens.mint(_AGENT)),
    "12,000 empty objects": lambda tokens: _request(_DENSE, tokens.mint(_AGENT)),
    "10,000 floats": lambda tokens: _request(_FLOATS, tokens.mint(_AGENT)),
    "an object of 9,000 members": lambda tokens: _request(_WIDE, tokens.mint(_AGENT)),
    "a path of 55 kB without a token": lambda tokens: _request(b"", "", "/" + "p" * 55_000),
    "bad tokens": lambda tokens: _request(_SMALL, f"{tokens.mint(_AGENT)[:-9]}{secrets.token_hex(4)}A"),
    "good tokens, as fast as it goes": lambda tokens: _request(_SMALL, tokens.mint(_AGENT)),
}
"""What is sent, by its name. The bodies are within every limit of Envoy."""


@asynccontextmanager
async def hostile(
    request: Request,
    port: int,
    tokens: Tokens,
    connections: int = CONNECTIONS,
    source: str = "127.0.0.1",
    pause: float = 0,
) -> AsyncIterator[Counter[int]]:
    """Send `request` again and again for as long as the block lasts; yields the statuses that came back."""
    seen: Counter[int] = Counter()
    again = [_again_and_again(request, port, tokens, seen, source, pause) for _ in range(connections)]
    tasks = [asyncio.create_task(one) for one in again]
    try:
        yield seen
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def slow_loris(port: int, connections: int) -> AsyncIterator[None]:
    """Hold `connections` with a request that never gets whole, a byte of its head or of its body at a time."""
    tasks = [asyncio.create_task(_drip(port, in_body=number % 2 == 1)) for number in range(connections)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def payment(tokens: Tokens) -> bytes:
    """A good call of plain HTTP."""
    return _request(b'{"amount":42}', tokens.mint("finance-agent"), "/v1/payments", "api.stripe.example")


async def _again_and_again(
    request: Request, port: int, tokens: Tokens, seen: Counter[int], source: str, pause: float
) -> None:
    while seen.total() < MOST_REQUESTS:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
        try:
            while seen.total() < MOST_REQUESTS:
                writer.write(request(tokens))
                seen[await _status(reader)] += 1
                await asyncio.sleep(pause)
        except (OSError, asyncio.IncompleteReadError, ValueError):
            seen[0] += 1  # the connection was ended: the next one
        finally:
            writer.close()


async def _status(reader: asyncio.StreamReader) -> int:
    """Read one response; returns its status. Raises IncompleteReadError, ValueError for what has no length."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    lengths = [line.partition(":")[2] for line in head.split("\r\n") if line.startswith("content-length:")]
    if not lengths:
        raise ValueError("a response without a length")
    await reader.readexactly(int(lengths[0]))
    return int(head.split(" ", 2)[1])


async def _drip(port: int, in_body: bool) -> None:
    """Send a request a byte a second, until the other side has had enough of it."""
    whole = _request(_SMALL, "")
    sent = len(whole) - len(_SMALL) + 1 if in_body else 20
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(whole[:sent])
        heard = asyncio.ensure_future(reader.read(1))
        for byte in whole[sent:-1]:
            done, _ = await asyncio.wait({heard}, timeout=1)
            if done:
                return
            writer.write(bytes((byte,)))
    finally:
        writer.close()
