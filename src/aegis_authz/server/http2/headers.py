"""Header blocks (HPACK, RFC 7541): read with their own decoder, and remembered; written without a table.

We tell the peer to keep no table. From then on equal blocks mean equal headers, and a block means what its parts mean
one after the other. Envoy's calls of one method differ in their `traceparent` alone, if at all, so that most blocks are
looked up, whole or before and behind that field, and not decoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import hpack
from hpack.huffman_table import HUFFMAN_COMPLETE, HUFFMAN_EMIT_SYMBOL, HUFFMAN_FAIL, HUFFMAN_TABLE

from aegis_authz.server.http2.frames import COMPRESSION_ERROR, PROTOCOL_ERROR, ConnectionBroken

_REMEMBERED = 64
_LONGEST_LIST = 65_536
_LONGEST_APART = 1024
"""Bytes of the longest block that is read by its parts: at 60 bytes of a list for each, the most that a field of one
byte stands for (RFC 7541, appendix A), parts that are short enough by themselves are so together."""
_TRACEPARENT = b"traceparent"
_SPANS_AHEAD = (b"\x00\x88M\x83!k\x1d\x85\xa9?", b"\x40\x0btraceparent")
"""That name as Envoy begins the field, in Huffman's code, and as gRPC's C library does: a literal without a table."""
_IS_CODED, _LENGTH = 0x80, 0x7F  # of the byte ahead of a value; a length of _LENGTH goes on in the next
_MOST_STEPS: Final = 4096
"""Steps that are remembered: those of a `traceparent` are some 1,600, and other texts do not fill the memory."""
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
            around = _around_span(block)
            if around is not None:
                ahead, behind = self._known.get(around.ahead), self._known.get(around.behind)
                if ahead is not None and behind is not None:
                    return {**ahead, _TRACEPARENT: around.value(), **behind}
            fields = self._decoded(block)
            # as long as the peer has a table, a block means something only after those before it, and may add to it
            if self._decoder.header_table_size:
                self._known.clear()
            elif not _changes_table(block):
                self._remember(block, fields, around)
        except (hpack.HPACKError, UnicodeDecodeError, IndexError) as fault:
            raise ConnectionBroken(COMPRESSION_ERROR, "the headers cannot be read") from fault
        return fields

    def _remember(self, block: bytes, fields: Fields, around: _AroundSpan | None) -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        if around is None:
            self._known[block] = fields
            return
        try:
            ahead = self._known.get(around.ahead)
            if ahead is None:  # what stands behind, a caller's `tracestate` among it, may be new in every call
                ahead = self._decoded(around.ahead)
            behind = self._decoded(around.behind)
        except (hpack.HPACKError, UnicodeDecodeError, IndexError):
            self._known[block] = fields  # what looked like the field is within another's value
        else:
            self._known[around.ahead], self._known[around.behind] = ahead, behind

    def _decoded(self, block: bytes) -> Fields:
        return {bytes(name): bytes(value) for name, value in self._decoder.decode(block, raw=True)}


_STEPS: Final[dict[int, tuple[int, int, bytes]]] = {}
"""By state and byte: the next state, whether a text may end there, and the symbols that the byte completes."""


def huffman_text(text: bytes) -> bytes:
    """A text in Huffman's code, read by the table of hpack (RFC 7541, section 5.2). Raises hpack.HPACKDecodingError.

    What hpack walks half a byte at a time is remembered by the byte: a `traceparent` took it 5 us of each decision.
    """
    state, ends, pieces = 0, HUFFMAN_COMPLETE, list[bytes]()
    for byte in text:
        state, ends, piece = _STEPS.get(state << 8 | byte) or _step(state, byte)
        pieces.append(piece)
    if not ends:
        raise hpack.HPACKDecodingError("a text in Huffman's code without its end")
    return b"".join(pieces)


def _step(state: int, byte: int) -> tuple[int, int, bytes]:
    middle, first, ahead = HUFFMAN_TABLE[state << 4 | byte >> 4]
    end, second, behind = HUFFMAN_TABLE[middle << 4 | byte & 0xF]
    if (first | second) & HUFFMAN_FAIL:
        raise hpack.HPACKDecodingError("no text in Huffman's code")
    symbols = [symbol for flags, symbol in ((first, ahead), (second, behind)) if flags & HUFFMAN_EMIT_SYMBOL]
    step = end, second & HUFFMAN_COMPLETE, bytes(symbols)
    if len(_STEPS) < _MOST_STEPS:
        _STEPS[state << 8 | byte] = step
    return step


@dataclass(frozen=True, slots=True)
class _AroundSpan:
    """A block about its `traceparent`: what comes before the field, its value as it is written, what comes behind."""

    ahead: bytes
    text: bytes
    is_coded: bool
    behind: bytes

    def value(self) -> bytes:
        """The field's value. Raises hpack.HPACKError."""
        return huffman_text(self.text) if self.is_coded else self.text


def _around_span(block: bytes) -> _AroundSpan | None:
    """Where a `traceparent` seems to be; it is one if what comes before is whole. None where there is none."""
    for marker in _SPANS_AHEAD:
        ahead, _, rest = block.partition(marker)
        if rest:
            break
    if not rest or len(block) > _LONGEST_APART:
        return None
    length = rest[0] & _LENGTH
    if length == _LENGTH or len(rest) <= length:
        return None
    return _AroundSpan(ahead, rest[1 : length + 1], bool(rest[0] & _IS_CODED), rest[length + 1 :])


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
