"""The path and the query of a request, decoded so that no tool can decode them otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote, unquote_to_bytes

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding.folding import shape

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MOST_DECODINGS = 3
_SUFFIX_MARKS = ".;:,%~ \\/?#\x00"
_HIDDEN = re.compile(r"[/\\]|%(?:2[ef]|5c)", re.IGNORECASE)


def path_segments(path: str) -> list[str]:
    """The decoded segments of a path. Raises Refused(MALFORMED_CALL) where two readers could see two paths."""
    if not path.startswith("/") or ";" in path:
        # /a;x=y is one resource to some servers and another to others
        raise Refused(Reason.MALFORMED_CALL, "the path has matrix parameters or no leading slash")
    segments = [_decoded(segment, "path") for segment in path[1:].split("/")]
    # a dot or slash that is still encoded now comes out in a tool that decodes once more
    if any(segment in (".", "..") or _HIDDEN.search(segment) for segment in segments):
        raise Refused(Reason.MALFORMED_CALL, "the path climbs or hides a slash")
    return segments


def is_disguised(segments: Sequence[str], template: Sequence[str]) -> bool:
    """Whether some server takes a path for one of the template that it does not match to the letter.

    Servers fold case, drop what follows a dot, a semicolon or a colon (`/secret.json`), trim spaces, and decode
    what was encoded twice.
    """
    if len(segments) != len(template):
        return False
    pairs = [(segment, literal) for segment, literal in zip(segments, template, strict=True) if literal[:1] != "{"]
    return any(segment != literal for segment, literal in pairs) and all(
        segment == literal or _is_taken_for(segment, literal) for segment, literal in pairs
    )


def _is_taken_for(segment: str, literal: str) -> bool:
    decoded = segment
    for _ in range(_MOST_DECODINGS):
        decoded = unquote(decoded)
    form, target = shape(decoded).strip(), shape(literal)
    return form == target or (form.startswith(target) and form[len(target)] in _SUFFIX_MARKS)


def query_parameters(query: str) -> Mapping[str, str]:
    """The decoded query parameters.

    Raises Refused(MALFORMED_CALL) for separators and escapes that servers read differently, and
    Refused(DUPLICATE_KEY) for a name given twice, in whatever case.
    """
    values: dict[str, str] = {}
    if not query:
        return values
    if ";" in query:
        raise Refused(Reason.MALFORMED_CALL, "the query has semicolons, which some servers take for separators")
    folded: set[str] = set()
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        name = _decoded(name.replace("+", " "), "query")
        if name.casefold() in folded:
            raise Refused(Reason.DUPLICATE_KEY, "the query names a parameter twice")
        folded.add(name.casefold())
        values[name] = _decoded(value.replace("+", " "), "query")
    return values


def _decoded(text: str, where: str) -> str:
    if _BAD_ESCAPE.search(text):
        # left alone by some servers, an error to others, and %u0061 is a letter to a few
        raise Refused(Reason.MALFORMED_CALL, f"the {where} has a percent sign that begins no escape")
    try:
        decoded = unquote_to_bytes(text).decode("utf-8", "strict")
    except UnicodeDecodeError:
        raise Refused(Reason.MALFORMED_CALL, f"the {where} is not UTF-8") from None
    if not decoded.isprintable():
        raise Refused(Reason.MALFORMED_CALL, f"the {where} has control characters")
    return decoded
