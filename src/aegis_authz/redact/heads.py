"""What the head of a message may say when its body is redacted: the address and every header, judged alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import mcp_header
from aegis_authz.redact.sanitizer import Sanitizer

_ADDRESSES = (":path", ":authority", "referer")
_CREDENTIALS = ("authorization", "cookie")
"""By these the tool knows its caller: redacted, they would be another caller's."""

_OPAQUE = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "content-range",
        "date",
        "expires",
        "host",
        "last-event-id",
        "last-modified",
        "mcp-method",
        "mcp-protocol-version",
        "mcp-session-id",
        "te",
        "traceparent",
        "tracestate",
        "trailer",
        "transfer-encoding",
        "x-request-id",
    }
)
"""Headers whose form is fixed or chosen by chance: a match in them is one by chance too, and must not change them."""

_OURS = (":", "x-aegis-", "x-envoy-")


@dataclass(frozen=True, slots=True)
class HeadChanges:
    """Headers to overwrite, and headers to take away."""

    changed: Mapping[str, str]
    removed: tuple[str, ...]


def judged_request_head(headers: Mapping[str, tuple[str, ...]], sanitizer: Sanitizer) -> HeadChanges:
    """How the head of a request must change.

    Raises Refused(POLICY_DENIED) where something to redact stands in the address, which cannot be replaced, and
    what `_redacted_mirror` raises for the headers in which MCP repeats parts of a message (revision 2026-07-28).
    """
    for name in _ADDRESSES:
        for value in headers.get(name, ()):
            if any(sanitizer.plain(text) != text for text in (value, value.replace("+", " "))):
                raise Refused(Reason.POLICY_DENIED, f"{name} holds what must be redacted")
    mirrors = {name: values for name, values in headers.items() if name == "mcp-name" or name.startswith("mcp-param-")}
    mirrored: dict[str, str] = {}
    for name, values in mirrors.items():
        mirrored |= _redacted_mirror(name, values, sanitizer)
    skipped = {*_ADDRESSES, *_CREDENTIALS, *mirrors}
    others = _redacted({name: values for name, values in headers.items() if name not in skipped}, sanitizer)
    return HeadChanges({**others.changed, **mirrored}, others.removed)


def judged_response_head(headers: Mapping[str, tuple[str, ...]], sanitizer: Sanitizer) -> HeadChanges:
    """How the head of a response must change."""
    return _redacted(headers, sanitizer)


def _redacted(headers: Mapping[str, tuple[str, ...]], sanitizer: Sanitizer) -> HeadChanges:
    changed: dict[str, str] = {}
    removed: list[str] = []
    for name, values in headers.items():
        if name in _OPAQUE or name.startswith(_OURS):
            continue
        if sanitizer.plain(name) != name:
            removed.append(name)
            continue
        texts = [_text(value) for value in values]
        plain_texts = [sanitizer.plain(text, name) for text in texts]
        if plain_texts == texts:
            continue
        if name == "content-type":
            changed[name] = _bare_type(texts, sanitizer)
        elif len(plain_texts) == 1:
            changed[name] = plain_texts[0]
        else:  # some, as set-cookie, cannot be written as one
            removed.append(name)
    return HeadChanges(changed, tuple(removed))


def _bare_type(texts: list[str], sanitizer: Sanitizer) -> str:
    """A content type without parameters, for one that holds something to redact. Raises Refused where it needs them."""
    media_type = texts[0].partition(";")[0].strip()
    if len(texts) != 1 or media_type.lower().startswith("multipart/") or sanitizer.plain(media_type) != media_type:
        raise Refused(Reason.MALFORMED_CALL, "the content type holds what must be redacted")
    return media_type


def _text(value: str) -> str:
    """The header as text: its bytes, which came as Latin-1, are UTF-8 where they can be."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


def _redacted_mirror(name: str, values: tuple[str, ...], sanitizer: Sanitizer) -> dict[str, str]:
    """The header with its new value if that must change, else nothing.

    Raises Refused(POLICY_DENIED) for a parameter that may be one of the blanked fields, and Refused
    (AMBIGUOUS_HEADERS) for a header given several times or not readable.
    """
    if sanitizer.has_fields and name.startswith("mcp-param-"):
        raise Refused(Reason.POLICY_DENIED, "a header repeats a parameter that may have to be redacted")
    if len(values) != 1:
        raise Refused(Reason.AMBIGUOUS_HEADERS, f"{name} is given several times")
    value = values[0]
    try:
        text = mcp_header.decode(value)
    except ValueError as fault:
        raise Refused(Reason.AMBIGUOUS_HEADERS, str(fault)) from None
    redacted = sanitizer.plain(text, name)
    if redacted == text:
        return {}
    return {name: mcp_header.encode(redacted) if mcp_header.is_encoded(value) else redacted}
