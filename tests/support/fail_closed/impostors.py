"""Servers that listen where OPA or Redis should, and answer what neither would."""

from __future__ import annotations

import asyncio
import json
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Mapping

import hiredis

from tests.support.fail_closed.mesh import Serve

ALLOW: Mapping[str, object] = {
    "effect": "allow",
    "reason": "ALLOWED",
    "detail": "",
    "policies": [],
    "obligations": [],
    "findings": [],
    "approval": None,
    "would": None,
}
"""A decision with which every call would pass."""


def opa_answering(write: Callable[[int], bytes]) -> Serve:
    """An OPA whose whole answer to a query of so many calls is `write(calls)`; the connection ends with it."""

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(write(await _calls_asked(reader)))
        await writer.drain()

    return serve


async def opa_that_stops_in_mid_answer(reader: StreamReader, writer: StreamWriter) -> None:
    """An OPA that begins to answer and hangs."""
    await _calls_asked(reader)
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{")
    await writer.drain()
    await reader.read()


def opa_deciding(**changed: object) -> Serve:
    """An OPA that allows everything, with these members of each decision changed."""
    return opa_saying(lambda calls: {"revision": "r", "decisions": [{**ALLOW, **changed}] * calls})


def opa_saying(result: Callable[[int], object]) -> Serve:
    """An OPA that answers a query of so many calls with the document `result(calls)`."""
    return opa_answering(lambda calls: http(200, json.dumps({"result": result(calls)}).encode()))


def http(status: int, body: bytes) -> bytes:
    """A whole HTTP answer, after which the connection ends."""
    head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return head.encode() + body


def redis_answering(reply: bytes) -> Serve:
    """A Redis that answers whatever it is sent with `reply`."""

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        while await reader.read(65536):
            writer.write(reply)
            await writer.drain()

    return serve


def redis_settling_nothing(error: bytes) -> Serve:
    """A Redis that is fit for all that is asked beside calls, answers every call with `error`, and hangs up then."""
    return redis_replying({b"EVALSHA": b"-%s\r\n" % error}, last=b"EVALSHA")


def redis_replying(odd: Mapping[bytes, bytes], last: bytes = b"") -> Serve:
    """A Redis that is fit for all but these commands, which it gives these replies; after `last` it hangs up."""
    replies = {
        b"CONFIG": b"%1\r\n$16\r\nmaxmemory-policy\r\n$10\r\nnoeviction\r\n",
        b"SCRIPT": b"*3\r\n:1\r\n:1\r\n:1\r\n",
        b"GET": b"_\r\n",
        b"EVAL": b"_\r\n",
        **odd,
    }
    facts = {b"server": b"run_id:" + b"a" * 40, b"replication": b"master_replid:" + b"b" * 40}

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        commands, names = hiredis.Reader(), set[bytes]()
        while last not in names and (data := await reader.read(65536)):
            commands.feed(data)
            while isinstance(command := commands.gets(), list):
                names.add(command[0])
                text = facts.get(command[-1], b"")
                writer.write(b"$%d\r\n%s\r\n" % (len(text), text) if text else replies.get(command[0], b"+OK\r\n"))
            await writer.drain()

    return serve


async def _calls_asked(reader: StreamReader) -> int:
    """How many calls the query is about; 1 for a request that is no query."""
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode().lower()
    length = next((int(line[15:]) for line in head.split("\r\n") if line.startswith("content-length:")), 0)
    if not length:
        return 1
    return len(json.loads(await reader.readexactly(length))["input"]["calls"])
