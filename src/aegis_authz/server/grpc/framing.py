"""gRPC over HTTP/2, as far as a server of plain messages needs it: frames, time limits and trailers.

Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
"""

from __future__ import annotations

import struct
from typing import Final
from urllib.parse import quote

OK: Final = 0
INVALID_ARGUMENT: Final = 3
NOT_FOUND: Final = 5
RESOURCE_EXHAUSTED: Final = 8
ABORTED: Final = 10
UNIMPLEMENTED: Final = 12
INTERNAL: Final = 13
UNAVAILABLE: Final = 14

Headers = list[tuple[bytes, bytes]]

_HEAD = struct.Struct(">BI")
_UNITS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_LONGEST_TIMEOUT = 8  # digits


class StreamBroken(Exception):
    """What came is no stream of gRPC messages, or it broke off. `status` is the gRPC code to end it with."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def length_prefixed(message: bytes) -> bytes:
    """One length-prefixed message, uncompressed."""
    return _HEAD.pack(0, len(message)) + message


def trailers(status: int, message: str = "") -> Headers:
    """The trailers that end a call. `message` is fit to be sent."""
    ended = [(b"grpc-status", b"%d" % status)]
    if message:
        ended.append((b"grpc-message", quote(message, safe=" ,.:;'()").encode()))
    return ended


def timeout_of(value: bytes) -> float | None:
    """The seconds of a grpc-timeout header; None for one that cannot be read."""
    digits, unit = value[:-1], value[-1:]
    if not digits.isdigit() or len(digits) > _LONGEST_TIMEOUT or unit not in _UNITS:
        return None
    return int(digits) * _UNITS[unit]


class Unframer:
    """Takes the bytes of a stream as they come and gives its messages. `most` is the longest message in bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rest = bytearray()
        self._need = 0  # bytes the rest needs before it says more

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that became complete. Raises StreamBroken, after which nothing may be fed."""
        if self._rest:
            self._rest += data
            if len(self._rest) < self._need:
                return []
            data, self._rest = bytes(self._rest), bytearray()
        messages: list[bytes] = []
        at, end, self._need = 0, len(data), _HEAD.size
        while end - at >= _HEAD.size:
            self._need = self._size(data, at)
            if end - at < self._need:
                break
            messages.append(data[at + _HEAD.size : at + self._need])
            at += self._need
            self._need = _HEAD.size
        if at < end:
            self._rest += data[at:]
        return messages

    def close(self) -> None:
        """Raises StreamBroken when the stream ended inside a message."""
        if self._rest:
            raise StreamBroken(INVALID_ARGUMENT, "the stream ended inside a message")

    def _size(self, data: bytes, at: int) -> int:
        compressed, length = _HEAD.unpack_from(data, at)
        if compressed:
            raise StreamBroken(UNIMPLEMENTED, "compressed messages are not taken")
        if length > self._most:
            raise StreamBroken(RESOURCE_EXHAUSTED, "the message is too long")
        return int(length) + _HEAD.size
