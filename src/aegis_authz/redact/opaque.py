"""Members of MCP content that hold Base64: `blob` of a resource, `data` of an image or sound."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from aegis_authz.redact.json_text import JsonText
from aegis_authz.redact.text.pattern import Span, expression

_KEY = expression(
    "|".join(
        '"' + "".join(rf"(?:{letter}|\\u00{ord(letter):x})" for letter in name) + r'"[ \t\r\n]*:[ \t\r\n]*"'
        for name in ("blob", "data")
    )
)
_KINDS = ("image", "audio")


def has_encoded_names(data: bytes) -> bool:
    """Whether a text may have such members."""
    return _KEY.search(data, 0) is not None


def encoded_members(data: bytes, text: JsonText) -> Iterator[Span]:
    """Where the values of such members stand, quotes left out."""
    places = [end for _, end in _KEY.spans(data)]
    if places:
        yield from _within(text, text.root, places)


def _within(text: JsonText, value: Span, places: Sequence[int]) -> Iterator[Span]:
    inside = places[bisect_left(places, value[0]) : bisect_left(places, value[1])]
    first = text.first_byte(value)
    if not inside or first not in (b"{", b"["):
        return
    if first == b"[":
        for element in text.elements(value):
            yield from _within(text, element, inside)
        return
    members = list(text.members(value))
    kinds = [
        text.string(member.value)
        for member in members
        if member.name == "type" and text.first_byte(member.value) == b'"'
    ]
    for member in members:
        if text.first_byte(member.value) != b'"':
            yield from _within(text, member.value, inside)
        elif member.name == "blob" or (member.name == "data" and any(kind in _KINDS for kind in kinds)):
            yield member.value[0] + 1, member.value[1] - 1


def decoded(text: str) -> bytes | None:
    """The text that Base64 stands for; None for what is no Base64 or no text in UTF-8."""
    try:
        data = base64.b64decode(text, validate=True)
        data.decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return data
