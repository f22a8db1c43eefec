"""One HTTP/2 connection as its server sees it: bytes in, events and bytes out, no I/O (RFC 9113)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aegis_authz.server.http2 import frames
from aegis_authz.server.http2.frames import ConnectionBroken, frame, goaway, reset, window_update
from aegis_authz.server.http2.headers import Fields, HeaderReader, check_request
from aegis_authz.server.http2.sending import Sending

_WINDOW: Final = 1024 * 1024  # what a stream may send before anybody has read it
_CONNECTION_WINDOW: Final = 2**30
_LONGEST_BLOCK: Final = 65_536
_SETTINGS_AT_REST: Final = 1_000  # each is as dear as there are streams open; a peer measures its way by a few


@dataclass(frozen=True, slots=True)
class Opened:
    """A request began. `ended`: it has no body."""

    stream: int
    fields: Fields
    ended: bool


@dataclass(frozen=True, slots=True)
class Received:
    """A part of a request's body; the last when `ended`. Say `read` when it was taken in."""

    stream: int
    data: bytes
    ended: bool


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The peer wants no answer any more."""

    stream: int


Event = Opened | Received | Cancelled


class Connection:
    """Reads what the peer sends. `sending` takes what we say. `most_streams` may be open at once."""

    def __init__(self, most_streams: int) -> None:
        self.sending = Sending()
        self._most_streams = most_streams
        self._headers = HeaderReader()
        self._rest = frames.PREFACE  # what must come, then what came of the next frame
        self._is_greeted = False
        self._block: tuple[int, bool, bytearray] | None = None
        self._open: dict[int, int] = {}  # bytes each stream that has not ended may still send
        self._last = 0
        self._received = 0
        self._settings_came = 0
        self._closing = False
        self.sending.frame(
            frames.settings(
                {
                    frames.HEADER_TABLE_SIZE: 0,
                    frames.MAX_CONCURRENT_STREAMS: most_streams,
                    frames.INITIAL_WINDOW_SIZE: _WINDOW,
                    frames.MAX_HEADER_LIST_SIZE: _LONGEST_BLOCK,
                }
            )
        )
        self.sending.frame(window_update(0, _CONNECTION_WINDOW))

    def receive(self, data: bytes) -> list[Event]:
        """What the bytes mean. Raises ConnectionBroken, after which `broken` says the last words."""
        if not self._is_greeted:
            data = self._greeting(data)
        elif self._rest:
            data = self._rest + data
        events: list[Event] = []
        at, size = 0, len(data)
        while size - at >= frames.HEAD_SIZE:
            length, kind, flags, stream = frames.read_head(data, at)
            if length > frames.LARGEST_FRAME:
                raise ConnectionBroken(frames.FRAME_SIZE_ERROR, "a frame that is too long")
            begins = at + frames.HEAD_SIZE
            if size - begins < length:
                break
            at = begins + length
            self._frame(kind, flags, stream, data[begins:at], events)
        if self._is_greeted:
            self._rest = data[at:]
        return events

    def read(self, stream: int, size: int) -> None:
        """Let the peer send `size` bytes more on a stream."""
        window = self._open.get(stream)
        if window is not None and size:
            self._open[stream] = window + size
            self.sending.frame(window_update(stream, size))

    def refuse(self, stream: int) -> None:
        """End a stream without an answer."""
        self._open.pop(stream, None)
        self.sending.drop(stream)
        self.sending.frame(reset(stream, frames.REFUSED_STREAM))

    def hear_no_more(self, stream: int) -> None:
        """The answer was said to its end; what the peer still has to say is of no use (RFC 9113, 8.1).

        For Envoy a stream of bodies that ends so is in error, even where the answer says OK.
        """
        if stream not in self.sending.open and self._open.pop(stream, None) is not None:
            self.sending.frame(reset(stream, frames.NO_ERROR))

    def close(self) -> None:
        """Take no new streams; those that are open go on."""
        self._closing = True
        self.sending.frame(goaway(self._last, frames.NO_ERROR))

    def broken(self, fault: ConnectionBroken) -> None:
        """Say why the connection ends."""
        self.sending.frame(goaway(self._last, fault.code))

    def _greeting(self, data: bytes) -> bytes:
        """What stands behind the preface."""
        rest = self._rest
        if not rest.startswith(data[: len(rest)]):
            raise ConnectionBroken(frames.PROTOCOL_ERROR, "no HTTP/2")
        if len(data) < len(rest):
            self._rest = rest[len(data) :]
            return b""
        self._is_greeted, self._rest = True, b""
        return data[len(rest) :]

    def _frame(self, kind: int, flags: int, stream: int, payload: bytes, events: list[Event]) -> None:
        if self._block is not None and kind != frames.CONTINUATION:
            raise ConnectionBroken(frames.PROTOCOL_ERROR, "headers that do not go on")
        if kind == frames.DATA:
            self._data(flags, stream, payload, events)
        elif kind == frames.HEADERS:
            self._begin_headers(flags, stream, payload, events)
        elif kind == frames.CONTINUATION:
            self._continue_headers(flags, stream, payload, events)
        elif kind == frames.RST_STREAM:
            self._reset(stream, payload, events)
        elif kind == frames.WINDOW_UPDATE:
            self._window_update(stream, payload)
        elif kind == frames.SETTINGS:
            self._settings(flags, stream, payload)
        elif kind == frames.PING:
            self._ping(flags, stream, payload)
        elif kind == frames.PUSH_PROMISE:
            raise ConnectionBroken(frames.PROTOCOL_ERROR, "a client pushes nothing")
        # GOAWAY: the peer opens no more streams; PRIORITY and unknown kinds: RFC 9113, 5.5, ignored

    def _data(self, flags: int, stream: int, payload: bytes, events: list[Event]) -> None:
        size = len(payload)
        self._received += size
        if self._received >= _CONNECTION_WINDOW // 2:
            self.sending.frame(window_update(0, self._received))
            self._received = 0
        window = self._open.get(stream)
        if window is None:
            if stream == 0 or stream > self._last:
                raise ConnectionBroken(frames.PROTOCOL_ERROR, "data of no stream")
            return  # of one that was reset meanwhile
        if size > window:
            raise ConnectionBroken(frames.FLOW_CONTROL_ERROR, "more data than allowed")
        ended = bool(flags & frames.END_STREAM)
        if ended:
            del self._open[stream]
        else:
            self._open[stream] = window - size
        body = frames.without_padding(flags, payload)
        events.append(Received(stream, body, ended))
        if len(body) < size:
            self.read(stream, size - len(body))

    def _begin_headers(self, flags: int, stream: int, payload: bytes, events: list[Event]) -> None:
        block = frames.without_padding(flags, payload)
        if flags & frames.HAS_PRIORITY:
            block = block[5:]
        ended = bool(flags & frames.END_STREAM)
        if flags & frames.END_HEADERS:
            self._headers_of(stream, ended, block, events)
        else:
            self._block = stream, ended, bytearray(block)

    def _continue_headers(self, flags: int, stream: int, payload: bytes, events: list[Event]) -> None:
        if self._block is None or self._block[0] != stream:
            raise ConnectionBroken(frames.PROTOCOL_ERROR, "a continuation of nothing")
        _, ended, block = self._block
        if not payload and not flags & frames.END_HEADERS:
            raise ConnectionBroken(frames.ENHANCE_YOUR_CALM, "a continuation without end")
        block += payload
        if len(block) > _LONGEST_BLOCK:
            raise ConnectionBroken(frames.ENHANCE_YOUR_CALM, "headers that are too long")
        if flags & frames.END_HEADERS:
            self._block = None
            self._headers_of(stream, ended, bytes(block), events)

    def _headers_of(self, stream: int, ended: bool, block: bytes, events: list[Event]) -> None:
        fields = self._headers.read(block)
        if stream in self._open:  # trailers
            if not ended:
                raise ConnectionBroken(frames.PROTOCOL_ERROR, "headers in the middle of a body")
            del self._open[stream]
            events.append(Received(stream, b"", True))
            return
        if stream % 2 == 0 or stream <= self._last:
            raise ConnectionBroken(frames.PROTOCOL_ERROR, "a stream that cannot be opened")
        check_request(fields)
        self._last = stream
        if self._closing or max(len(self.sending.open), len(self._open)) >= self._most_streams:
            self.sending.frame(reset(stream, frames.REFUSED_STREAM))
            return
        if not ended:
            self._open[stream] = _WINDOW
        self.sending.begin(stream)
        events.append(Opened(stream, fields, ended))

    def _reset(self, stream: int, payload: bytes, events: list[Event]) -> None:
        frames.read_word(payload)
        if stream == 0 or stream > self._last:
            raise ConnectionBroken(frames.PROTOCOL_ERROR, "a reset of no stream")
        self._open.pop(stream, None)
        if self.sending.drop(stream):
            events.append(Cancelled(stream))

    def _window_update(self, stream: int, payload: bytes) -> None:
        increment = frames.read_word(payload)
        if increment == 0 or (stream > self._last):
            raise ConnectionBroken(frames.PROTOCOL_ERROR, "a window update of nothing")
        self.sending.may_send(stream, increment)

    def _settings(self, flags: int, stream: int, payload: bytes) -> None:
        if stream or (flags & frames.ACK and payload):
            raise ConnectionBroken(frames.PROTOCOL_ERROR, "settings out of place")
        if flags & frames.ACK:
            return
        self._settings_came += 1
        if self._settings_came > _SETTINGS_AT_REST + self._last:
            raise ConnectionBroken(frames.ENHANCE_YOUR_CALM, "settings without end")
        # said first: what is sent by the new windows must find the peer knowing that they hold
        self.sending.frame(frame(frames.SETTINGS, frames.ACK, 0))
        for name, value in frames.read_settings(payload).items():
            if name == frames.INITIAL_WINDOW_SIZE:
                self.sending.set_initial_window(value)
            elif name == frames.MAX_FRAME_SIZE:
                self.sending.set_largest_frame(value)

    def _ping(self, flags: int, stream: int, payload: bytes) -> None:
        if stream or len(payload) != 8:
            raise ConnectionBroken(frames.FRAME_SIZE_ERROR, "a malformed ping")
        if not flags & frames.ACK:
            self.sending.frame(frame(frames.PING, frames.ACK, 0, payload))
