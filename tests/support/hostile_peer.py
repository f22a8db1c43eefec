"""A peer of one connection that says whatever it likes, without a socket between."""

from __future__ import annotations

import pytest

from aegis_authz.server.http2 import frames
from aegis_authz.server.http2.connection import Connection, Event
from aegis_authz.server.http2.frames import PREFACE, ConnectionBroken, frame
from aegis_authz.server.http2.headers import block_of

REQUEST = [(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/x/Check"), ("te", "trailers")]
FIELDS = {name.encode(): value.encode() for name, value in REQUEST}
BLOCK = block_of(FIELDS.items())
STARTED = block_of([(b":status", b"200")])
ENDED = block_of([(b"grpc-status", b"0")])


class Hostile:
    """A peer that says whatever it likes, to a server that was greeted."""

    def __init__(self, most_streams: int = 100) -> None:
        self.server = Connection(most_streams)
        self.server.receive(PREFACE + frames.settings({}))
        self.server.sending.take()

    def say(self, *written: bytes) -> list[Event]:
        return self.server.receive(b"".join(written))

    def fault(self, *written: bytes) -> int:
        """The code of the fault that ends the connection."""
        with pytest.raises(ConnectionBroken) as fault:
            self.say(*written)
        return fault.value.code

    def heard(self) -> list[tuple[int, int, int]]:
        """Kind, flags and stream of each frame that the server sent."""
        return [frames.read_head(written, 0)[1:] for written in self.server.sending.take()]


def opened(stream: int = 1, ended: bool = False) -> bytes:
    return frame(frames.HEADERS, frames.END_HEADERS | (frames.END_STREAM if ended else 0), stream, BLOCK)


def data(stream: int, body: bytes, flags: int = 0) -> bytes:
    return frame(frames.DATA, flags, stream, body)
