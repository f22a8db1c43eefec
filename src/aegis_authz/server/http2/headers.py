"""Header blocks (HPACK, RFC 7541): read with their own decoder, and remembered; written without a table.

We tell the peer to keep no table. From then on equal blocks mean equal headers, and Envoy's calls of one method
differ in little or nothing, so that most blocks are looked up and not decoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import hpack

from aegis_authz.server.http2.frames import COMPRESSION_ERROR, PROTOCOL_ERROR, ConnectionBroken

_REMEMBERED = 64
_LONGEST_LIST = 65_536
_PSEUDO = frozenset({b":method", b":scheme", b":authority", b":path"})

Fields = Mapping[bytes, bytes]
"""Header names and values; of a name that comes twice the last one, which gRPC metadata we read never does."""


class HeaderReader:
    """Decodes the header blocks of one connection, which must all pass here in their order."""

    def __init__(self) -> None:
        self._decoder = hpack.Decoder(max_header_list_size=_LONGEST_LIST)
        self._known: dict[bytes, Fields] = {}

    def read(self, block: bytes) -> Fields:
        """The headers of one block. Raises ConnectionBroken: after a fault nothing on the connection can be read."""
        headers = self._known.get(block)
        if headers is not None:
            return headers
        try:
            pairs = self._decoder.decode(block, raw=True)
        except (hpack.HPACKError, UnicodeDecodeError, IndexError) as fault:
            raise ConnectionBroken(COMPRESSION_ERROR, "the headers cannot be read") from fault
        fields: Fields = {bytes(name): bytes(value) for name, value in pairs}
        # as long as the peer has a table, a block means something only after those before it, and may add to it
        if self._decoder.header_table_size:
            self._known.clear()
        elif not _changes_table(block):
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[block] = fields
        return fields


def _changes_table(block: bytes) -> bool:
    return block[:1] != b"" and block[0] & 0xE0 == 0x20  # a dynamic table size update


def check_request(fields: Fields) -> None:
    """Raises ConnectionBroken for headers that are no request of RFC 9113, section 8.3.1."""
    for name in fields:
        if (name.startswith(b":") and name not in _PSEUDO) or name != name.lower():
            raise ConnectionBroken(PROTOCOL_ERROR, "a header that no request has")
    if b":path" not in fields or b":method" not in fields:
        raise ConnectionBroken(PROTOCOL_ERROR, "a request without a path or a method")


def block_of(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A header block of literals that no table remembers. Names and values are shorter than 127 bytes or cut there."""
    return b"".join(b"\x00" + _text(name) + _text(value) for name, value in fields)


def _text(value: bytes) -> bytes:
    value = value[:126]
    return bytes((len(value),)) + value
