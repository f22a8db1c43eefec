"""Scripted handlers for the contract of the hosts, and the process that serves them.

`python host_script.py grpc|http2 ADDRESS` serves them. Each message says what is to be done with it: a word and
what belongs to it. What happened is asked for by calls, so that a test needs nothing of the process but its socket.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine

import uvloop

from aegis_authz.server.ext_proc import StreamAborted
from aegis_authz.server.grpc.host import GrpcHost
from aegis_authz.server.host import Host
from aegis_authz.server.http2.host import Http2Host

TINY = b"tiny"
"""A message of a stream that stands for itself."""


class Script:
    """What the handlers do, and what was seen of them."""

    def __init__(self) -> None:
        self.host: Host | None = None
        self.stopped = asyncio.Event()
        self._seen: Counter[str] = Counter()
        self._facts: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._stopping: asyncio.Task[None] | None = None

    def check(
        self, message: bytes, traceparent: str, time_left: float | None, gone: asyncio.Event
    ) -> bytes | Coroutine[None, None, bytes]:
        """Do what the message says, `now` without waiting."""
        return message if message.startswith(b"now ") else self._done(message, traceparent, time_left, gone)

    async def _done(self, message: bytes, traceparent: str, time_left: float | None, gone: asyncio.Event) -> bytes:
        word, *rest = message.split(b" ", 2)
        names = [name.decode("latin-1") for name in rest]
        match word:
            case b"told":
                return json.dumps({"traceparent": traceparent, "time_left": time_left}).encode()
            case b"size":
                return b"s" * int(names[0])
            case b"raise":
                raise RuntimeError("a bug")
            case b"hold":
                self._note(f"started:{names[0]}")
                await self._facts[f"release:{names[0]}"].wait()
                self._note(f"finished:{names[0]}")
            case b"linger":
                self._note(f"started:{names[0]}")
                await gone.wait()
                self._note(f"left:{names[0]}")
            case b"meet":
                # nobody passes before all are there
                self._seen["meeting"] += 1
                if self._seen["meeting"] == int(names[0]):
                    self._note("met")
                await self._facts["met"].wait()
            case _:
                return await self._command(word, names, message)
        return message

    async def _command(self, word: bytes, names: list[str], message: bytes) -> bytes:
        match word:
            case b"note":
                self._note(names[0])
            case b"await":
                await self._facts[names[0]].wait()
            case b"count":
                return str(self._seen[names[0]]).encode()
            case b"health" if self.host is not None:
                await self.host.set_health(ready=names[0] == "1", serving=names[1] == "1")
            case b"stop":
                self._stopping = asyncio.create_task(self._stop(float(names[0])))
        return message

    async def process(self, messages: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Do what the first message says with the others. Its end is noted as `closed:NAME`."""
        word, *rest = (await anext(messages)).split(b" ")
        name = rest[0].decode() if rest else ""
        self._note(f"began:{name}")
        try:
            match word:
                case b"echo":
                    yield word
                    async for message in messages:
                        yield message
                case b"commands":
                    async for message in messages:
                        yield await self.check(message, "", None, asyncio.Event())
                case b"silent":
                    yield word
                    async for _ in messages:
                        self._seen[f"read:{name}"] += 1
                case b"deaf":
                    yield word
                    await self._facts[f"release:{name}"].wait()
                    async for _ in messages:
                        self._seen[f"read:{name}"] += 1
                case b"flood":
                    for _ in range(int(rest[1])):
                        self._seen[f"sent:{name}"] += 1
                        yield bytes(int(rest[2]))
                case b"abort":
                    yield word
                    raise StreamAborted("incomplete")
                case b"raise":
                    yield word
                    raise RuntimeError("a bug")
        finally:
            self._note(f"closed:{name}")

    async def log(self, messages: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """Note each message of an access log, and wait for `release:deaf-log` before the second where the first asks."""
        async for message in messages:
            self._seen["logged"] += 1
            self._note(f"logged:{message[:40].decode('latin-1')}")
            if message == b"deaf":
                await self._facts["release:deaf-log"].wait()
        yield b"thanks"

    def _note(self, fact: str) -> None:
        self._seen[fact] += 1
        self._facts[fact].set()

    async def _stop(self, grace: float) -> None:
        assert self.host is not None
        await self.host.stop(grace)
        self.stopped.set()


async def _serve(kind: str, address: str) -> None:
    script = Script()
    host_of = {"grpc": GrpcHost, "http2": Http2Host}[kind]
    script.host = host_of(address, script.check, script.process, script.log)
    await script.host.start()
    await script.stopped.wait()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1], sys.argv[2]))
