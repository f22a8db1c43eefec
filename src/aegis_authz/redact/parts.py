"""Forms of several parts by their places, where every reader finds the same parts (RFC 7578)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from aegis_authz.redact.text.pattern import Span

_BOUNDARY = re.compile(
    r"multipart/form-data[ \t]*;[ \t]*boundary=(\"?)([0-9A-Za-z'()+_./:=?-]{1,70})\1[ \t]*\Z", re.IGNORECASE
)
_DISPOSITION = re.compile(
    rb'content-disposition:[ \t]*form-data[ \t]*;[ \t]*name="([^"\r\n]*)"([^\r\n]*)', re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class FormPart:
    """One part: its field's name, where its headers stand, and where its content does."""

    name: str
    is_file: bool
    head: Span
    content: Span


def form_boundary(content_type: str) -> bytes:
    """The boundary of a form of several parts, b"" for another type, or one in doubt."""
    match = _BOUNDARY.match(content_type.strip(" \t"))
    return b"" if match is None else match[2].encode("ascii")


def form_parts(data: bytes, boundary: bytes) -> list[FormPart] | None:
    """The parts in order; None where readers could find other ones."""
    delimiter = b"--" + boundary
    begin, end = len(delimiter) + 2, len(data) - (2 if data.endswith(b"--\r\n") else 0)
    if not data.startswith(delimiter + b"\r\n") or not data.endswith(b"\r\n" + delimiter + b"--", 0, end):
        return None
    between, last = b"\r\n" + delimiter + b"\r\n", end - len(delimiter) - 4
    pieces = data[begin:last].split(between)
    if data.count(delimiter) != len(pieces) + 1:
        return None
    parts: list[FormPart] = []
    for piece in pieces:
        part = _part(piece, begin)
        if part is None:
            return None
        parts.append(part)
        begin += len(piece) + len(between)
    return parts


def _part(piece: bytes, begin: int) -> FormPart | None:
    at = piece.find(b"\r\n\r\n")
    match = _DISPOSITION.search(piece, 0, max(at, 0))
    if match is None:
        return None
    name, content = match[1].decode("utf-8", "replace"), begin + at + 4
    return FormPart(name, b"filename" in match[2].lower(), (begin, begin + at), (content, begin + len(piece)))
