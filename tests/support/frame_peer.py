"""A peer of the HTTP/2 host that speaks frame by frame, as well or as badly as a test wants."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import hpack

from aegis_authz.server.http2 import frames
from aegis_authz.server.http2.frames import frame
from aegis_authz.server.http2.headers import block_of

PATIENCE = 20.0


@dataclass(frozen=True)
class Heard:
    """One frame that the server sent."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def word(self) -> int:
        """What a RST_STREAM or WINDOW_UPDATE says."""
        return frames.read_word(self.payload)


@dataclass
class Answered:
    """What came on one stream. `status` is that of gRPC, None as long as the stream has not ended."""

    status: int | None = None
    text: str = ""
    messages: list[bytes] = field(default_factory=list)
    reset: int | None = None


class FramePeer:
    """A connection to a host."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = hpack.Decoder()
        self._answers: dict[int, Answered] = {}
        self._bodies: dict[int, bytes] = {}
        self._pings = 0

    def say(self, *written: bytes) -> None:
        """Send."""
        self._writer.write(b"".join(written))

    def begin(self, stream: int, method: str, **told: str) -> None:
        """Open a stream."""
        fields = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", method.encode()), (b":authority", b"a")]
        fields += [(name.replace("_", "-").encode(), value.encode()) for name, value in told.items()]
        self.say(frame(frames.HEADERS, frames.END_HEADERS, stream, block_of(fields)))

    def body(self, stream: int, body: bytes, ended: bool = False) -> None:
        """Send a part of a body, in one frame."""
        self.say(frame(frames.DATA, frames.END_STREAM if ended else 0, stream, body))

    def request(self, stream: int, method: str, message: bytes, **told: str) -> None:
        """A whole unary call."""
        self.begin(stream, method, **told)
        self.body(stream, framed(message), ended=True)

    async def frame(self) -> Heard:
        """The next frame. Raises IncompleteReadError when the server hung up."""
        async with asyncio.timeout(PATIENCE):
            head = await self._reader.readexactly(frames.HEAD_SIZE)
            size, kind, flags, stream = frames.read_head(head, 0)
            heard = Heard(kind, flags, stream, await self._reader.readexactly(size))
        self._keep(heard)
        return heard

    async def so_far(self) -> list[Heard]:
        """What the server sent until it had seen, and acted on, all that was said until now."""
        heard: list[Heard] = []
        for _ in range(2):  # it answers a ping before it acts on what came with it
            self._pings += 1
            mark = b"%08d" % self._pings
            self.say(frame(frames.PING, 0, 0, mark))
            while not heard or (heard[-1].kind, heard[-1].payload) != (frames.PING, mark):
                heard.append(await self.frame())
            heard.pop()
        return heard

    async def answer(self, stream: int) -> Answered:
        """What came on a stream that has ended."""
        answer = self._answers.setdefault(stream, Answered())
        while answer.status is None and answer.reset is None:
            await self.frame()
        return answer

    async def hung_up(self) -> list[Heard]:
        """What the server says before it hangs up."""
        heard: list[Heard] = []
        try:
            while True:
                heard.append(await self.frame())
        except (asyncio.IncompleteReadError, ConnectionError):
            return heard

    def close(self) -> None:
        """Hang up."""
        self._writer.close()

    def _keep(self, heard: Heard) -> None:
        answer = self._answers.setdefault(heard.stream, Answered())
        if heard.kind == frames.RST_STREAM:
            answer.reset = heard.word
        elif heard.kind == frames.DATA:
            self._bodies[heard.stream] = self._bodies.get(heard.stream, b"") + heard.payload
        elif heard.kind == frames.HEADERS:
            fields = dict(self._decoder.decode(heard.payload))
            if heard.flags & frames.END_STREAM:
                answer.status = int(fields["grpc-status"])
                answer.text = fields.get("grpc-message", "")
                answer.messages = list(unframed(self._bodies.pop(heard.stream, b"")))


def framed(message: bytes, compressed: bool = False) -> bytes:
    """A gRPC message as it goes over the wire."""
    return struct.pack(">BI", compressed, len(message)) + message


def unframed(body: bytes) -> list[bytes]:
    found = []
    while body:
        size = struct.unpack(">BI", body[:5])[1]
        found.append(body[5 : 5 + size])
        body = body[5 + size :]
    return found


Dial = Callable[[str], Awaitable[FramePeer]]
"""Connects to `unix:/path` or `host:port` and greets."""
