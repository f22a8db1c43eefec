"""OTLP's messages as bytes: attributes, the frame of an export request, and what a collector says of it.

Source: opentelemetry/proto/trace/v1/trace.proto, common/v1/common.proto, collector/trace/v1/trace_service.proto.
Messages that follow each other are one message (protobuf encoding, "Last One Wins"), so that a span is what many share,
which is encoded once and remembered, and then what is its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from aegis_authz.telemetry.protobuf import bytes_field, double, double_field, length_head, text_field

AttributeValue = str | float | tuple[str, ...]
MOST_TEXT = 1024
"""Characters of one value: what a caller writes must not make spans large."""
ATTRIBUTES_OF_SPAN, ATTRIBUTES_OF_EVENT = 9, 3

_KEY, _VALUE = 1, 2
_STRING, _DOUBLE, _ARRAY = 1, 4, 5
_RESOURCE_SPANS, _RESOURCE, _SCOPE_SPANS, _SCOPE, _SPANS, _ATTRIBUTES, _NAME = 1, 1, 2, 1, 2, 1, 1


def attribute(field: int, name: str, value: AttributeValue) -> bytes:
    """One attribute, as the `field` of what has attributes."""
    return bytes_field(field, text_field(_KEY, name) + bytes_field(_VALUE, _any(value)))


@lru_cache(maxsize=256)
def number_attribute(name: str) -> bytes:
    """A span's attribute `name` but for its number, whose eight bytes end it."""
    return attribute(ATTRIBUTES_OF_SPAN, name, 0.0)[: -len(double(0.0))]


def text_attribute(name: str, text: str) -> bytes:
    """A span's attribute whose text no other span has: only what stands before it is remembered."""
    content = text[:MOST_TEXT].encode("utf-8", "replace")
    return _text_head(name, len(content)) + content


@lru_cache(maxsize=1024)
def _text_head(name: str, size: int) -> bytes:
    value = bytes_field(_STRING, bytes(size))
    whole = bytes_field(ATTRIBUTES_OF_SPAN, text_field(_KEY, name) + bytes_field(_VALUE, value))
    return whole[: len(whole) - size]


def resource_frame(attributes: Mapping[str, str]) -> bytes:
    """Whose spans they are."""
    return bytes_field(_RESOURCE, b"".join(attribute(_ATTRIBUTES, *entry) for entry in attributes.items()))


def export_request(resource: bytes, scope: str, spans: Sequence[bytes]) -> bytes:
    """The request that exports spans of one resource, which `resource_frame` made, and one scope."""
    own = bytes_field(_SCOPE, text_field(_NAME, scope))
    listed = b"".join([part for span in spans for part in (length_head(_SPANS, len(span)), span)])
    return bytes_field(_RESOURCE_SPANS, resource + bytes_field(_SCOPE_SPANS, own + listed))


def _any(value: AttributeValue) -> bytes:
    if isinstance(value, str):
        return text_field(_STRING, value[:MOST_TEXT])
    if isinstance(value, tuple):
        texts = b"".join(bytes_field(1, text_field(_STRING, text[:MOST_TEXT])) for text in value)
        return bytes_field(_ARRAY, texts)
    return double_field(_DOUBLE, value)


def rejected_spans(response: bytes) -> int:
    """How many spans a collector says it did not take (`partial_success.rejected_spans`). 0 where it says nothing.

    Raises ValueError for bytes that are no response.
    """
    return _number(_field(response, 1), 1)


def _field(message: bytes, wanted: int) -> bytes:
    content = b""
    for number, value in _fields(message):
        if number == wanted and isinstance(value, bytes):
            content = value
    return content


def _number(message: bytes, wanted: int) -> int:
    count = 0
    for number, value in _fields(message):
        if number == wanted and isinstance(value, int):
            count = value
    return count


def _fields(message: bytes) -> list[tuple[int, int | bytes]]:
    fields: list[tuple[int, int | bytes]] = []
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        match tag & 7:
            case 0:
                value, at = _read_varint(message, at)
                fields.append((tag >> 3, value))
            case 2:
                size, at = _read_varint(message, at)
                if at + size > len(message):
                    raise ValueError("a field that ends early")
                fields.append((tag >> 3, message[at : at + size]))
                at += size
            case 1 | 5 as wire:
                at += 8 if wire == 1 else 4
                if at > len(message):
                    raise ValueError("a field that ends early")
            case _:
                raise ValueError("no protobuf")
    return fields


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    number = 0
    for position, digit in enumerate(message[at : at + 10]):
        number |= (digit & 0x7F) << (7 * position)
        if digit < 0x80:
            return number, at + position + 1
    raise ValueError("a number that ends early")
