"""Body filters: raw bytes in, in any portions; bytes that may be shown out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.redact.deltas import Deltas
from aegis_authz.redact.parts import form_boundary, form_parts
from aegis_authz.redact.sanitizer import Sanitizer
from aegis_authz.redact.sse import Event, EventSplitter

BODY_LIMIT = 8 * 1024 * 1024
"""Bytes of a body that must be judged as a whole."""

EVENT_LIMIT = 1024 * 1024
"""Bytes of one server-sent event, before and after; MCP clients refuse longer ones."""

_NO_CONTENT = (204, 205, 304)
_LINES = ("application/x-ndjson", "application/jsonl", "application/jsonlines", "application/json-lines")
_TEXTS = frozenset(
    f"application/{name}"
    for name in (
        *("csv", "ecmascript", "graphql", "javascript", "json5", "jsonc", "markdown", "pem-certificate-chain", "sql"),
        *("toml", "vnd.oai.openapi", "x-javascript", "x-pem-file", "x-sh", "x-sql", "x-toml", "x-yaml", "xml", "yaml"),
    )
)
_TEXT_ENDINGS = ("+xml", "+yaml")
_CHARSETS = ("utf-8", "utf8", "us-ascii", "ascii")
_ONE_BYTE_CHARSETS = re.compile(r"(?:iso[-_]?8859[-_]?|latin-?|windows-125|cp125)[0-9]{1,2}")
"""In these every byte of ASCII is what it is in UTF-8, and no other byte is a digit or sign."""


class BodyFilter(Protocol):
    """One body on its way. Every method raises Refused when the body must not be shown."""

    @property
    def streams(self) -> bool:
        """Whether output comes before the end, so that headers must go first."""
        ...

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; return what may be shown already."""
        ...

    def finish(self) -> bytes:
        """The body is complete; return what is left to show."""
        ...


@dataclass(frozen=True, slots=True)
class BodyFacts:
    """What the head of a message says of its body. `status` is None for a request.

    Each header is given with every value it was sent with.
    """

    status: int | None
    content_type: tuple[str, ...]
    content_encoding: tuple[str, ...]
    is_partial: bool


UNKNOWN_HEAD = BodyFacts(None, (), (), False)
"""A body whose head was not shown to us: judged by its content alone."""


def filter_for(facts: BodyFacts, sanitizer: Sanitizer) -> BodyFilter:
    """Choose the filter of a body.

    Raises Refused with CONTENT_ENCODED for a compressed body, AMBIGUOUS_HEADERS for several content
    types, MALFORMED_CALL for a charset in which ASCII means something else, a part of a body, a protocol
    switch, or content that cannot be looked at. Bodies that turn out to be empty are never refused for their type.
    """
    if facts.status in _NO_CONTENT:
        return EmptyBody("a body where there can be none")
    if any(
        coding.strip().lower() not in ("", "identity")
        for value in facts.content_encoding
        for coding in value.split(",")
    ):
        return EmptyBody("the body is compressed", Reason.CONTENT_ENCODED)
    if facts.is_partial or facts.status == 206:
        return EmptyBody("a part of a body: what it is cut from cannot be judged")
    if facts.status == 101:
        raise Refused(Reason.MALFORMED_CALL, "the protocol is switched to one that cannot be judged")
    if len(facts.content_type) > 1:
        return EmptyBody("more than one content type", Reason.AMBIGUOUS_HEADERS)
    return _by_type(facts, sanitizer)


def _by_type(facts: BodyFacts, sanitizer: Sanitizer) -> BodyFilter:
    media_type, *parameters = (part.strip().lower() for part in (facts.content_type or ("",))[0].split(";"))
    if any(part.startswith("charset") and not _is_ascii_like(part) for part in parameters):
        return EmptyBody("not declared as UTF-8, or as one byte a character")
    if media_type == "text/event-stream":
        # pointers into messages are read from inside of each
        return EventStream(sanitizer if sanitizer.is_rpc else sanitizer.of_lines())
    if media_type == "application/json" or media_type.endswith("+json"):
        return JsonBody(sanitizer)
    if sanitizer.filters_tools and media_type and (facts.status is None or facts.status < 300):
        return EmptyBody("a list of tools in a form that cannot be filtered")
    if media_type == "application/x-www-form-urlencoded":
        return FormBody(sanitizer)
    if media_type in _LINES:
        return LineBody(sanitizer.of_lines()) if facts.status is None else LineStream(sanitizer.of_lines())
    if not media_type or media_type in _TEXTS or media_type.startswith("text/") or media_type.endswith(_TEXT_ENDINGS):
        return TextBody(sanitizer)
    if media_type.startswith("multipart/"):
        return MixedBody(sanitizer, form_boundary((facts.content_type or ("",))[0]))
    if sanitizer.passes_opaque and not sanitizer.needs_json:
        return OpaqueBody()
    return EmptyBody("content that cannot be looked at")


def _is_ascii_like(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    charset = value.strip().strip('"')
    return name.strip() == "charset" and (charset in _CHARSETS or _ONE_BYTE_CHARSETS.fullmatch(charset) is not None)


class EmptyBody:
    """Passes an empty body and refuses any other."""

    streams = False

    def __init__(self, why: str, reason: Reason = Reason.MALFORMED_CALL) -> None:
        self._why = why
        self._reason = reason

    def feed(self, data: bytes) -> bytes:
        """Raises Refused for the first byte."""
        if data:
            raise Refused(self._reason, self._why)
        return b""

    def finish(self) -> bytes:
        """Nothing came, nothing is shown."""
        return b""


class OpaqueBody:
    """A body that cannot be looked at and may pass nevertheless."""

    streams = True

    def feed(self, data: bytes) -> bytes:
        """The bytes as they came."""
        return data

    def finish(self) -> bytes:
        """Nothing is left."""
        return b""


class _Whole:
    """Gathers a body up to BODY_LIMIT; nothing is shown before all of it is judged."""

    streams = False

    def __init__(self, sanitizer: Sanitizer) -> None:
        self._sanitizer = sanitizer
        self._body = bytearray()

    def feed(self, data: bytes) -> bytes:
        """Hold the bytes. Raises Refused(BODY_TRUNCATED) beyond the limit."""
        if len(self._body) + len(data) > BODY_LIMIT:
            raise Refused(Reason.BODY_TRUNCATED, "the body is larger than what can be checked")
        self._body += data
        return b""


class JsonBody(_Whole):
    """A body that is JSON."""

    def finish(self) -> bytes:
        """The redacted JSON; what is no JSON is searched as text. Empty for an empty body."""
        return self._sanitizer.json(bytes(self._body)) if self._body else b""


class TextBody(_Whole):
    """A body of text, which may be JSON."""

    def finish(self) -> bytes:
        """The redacted text. Raises Refused(MALFORMED_CALL) for binary data."""
        return self._sanitizer.text(bytes(self._body))


class FormBody(_Whole):
    """A form as browsers send it."""

    def finish(self) -> bytes:
        """The redacted form. Raises Refused(MALFORMED_CALL) for binary data."""
        return self._sanitizer.form(bytes(self._body))


class LineBody(_Whole):
    """JSON texts one a line, of a request: each is redacted by itself, and none is a piece of another."""

    def finish(self) -> bytes:
        """The redacted lines, with the ends they had."""
        lines = bytes(self._body).split(b"\n")
        return b"\n".join(self._sanitizer.json(line) if line.strip() else line for line in lines)


class MixedBody(_Whole):
    """A body of several parts: a form by its fields, all else searched as text where it is text, or opaque."""

    def __init__(self, sanitizer: Sanitizer, boundary: bytes) -> None:
        super().__init__(sanitizer)
        self._boundary = boundary

    def finish(self) -> bytes:
        """The redacted text. Raises Refused(MALFORMED_CALL) for binary parts that must not pass."""
        data = bytes(self._body)
        parts = form_parts(data, self._boundary) if self._boundary else None
        if parts is not None:
            return self._sanitizer.parts(data, parts)
        if self._sanitizer.has_fields and data:
            raise Refused(Reason.MALFORMED_CALL, "what must be found in JSON, in something that is none")
        if b"\0" not in data:
            return self._sanitizer.plain_bytes(data)
        if not self._sanitizer.passes_opaque:
            raise Refused(Reason.MALFORMED_CALL, "a part that cannot be looked at")
        return self._sanitizer.plain_bytes(data)


class LineStream:
    """JSON texts, one a line: each is shown as soon as it is whole and redacted."""

    streams = True

    def __init__(self, sanitizer: Sanitizer) -> None:
        self._deltas: Deltas[bytes] = Deltas(sanitizer)
        self._line = bytearray()

    def feed(self, data: bytes) -> bytes:
        """The redacted lines that are complete now. Raises Refused(BODY_TRUNCATED) for a line over EVENT_LIMIT."""
        *lines, rest = bytes(self._line + data).split(b"\n")
        self._line = bytearray(rest)
        if len(rest) > EVENT_LIMIT or any(len(line) > EVENT_LIMIT for line in lines):
            raise Refused(Reason.BODY_TRUNCATED, "a line is larger than what can be checked")
        return b"".join(shown + end for line in lines for shown, end in self._deltas.feed(*_split_end(line)))

    def finish(self) -> bytes:
        """The last line, and what is left of texts that came in pieces."""
        last = list(self._deltas.feed(bytes(self._line), b"")) if self._line else []
        rest = [shown + b"\n" for shown, _ in self._deltas.finish()]
        output = b"".join(text + (end or b"\n" if rest or len(last) > 1 else b"") for text, end in last)
        return output + b"".join(rest)


def _split_end(line: bytes) -> tuple[bytes, bytes]:
    return (line[:-1], b"\r\n") if line.endswith(b"\r") else (line, b"\n")


class EventStream:
    """Server-sent events: each is shown as soon as it is whole and redacted."""

    streams = True

    def __init__(self, sanitizer: Sanitizer) -> None:
        self._sanitizer = sanitizer
        self._events = EventSplitter(EVENT_LIMIT)
        self._deltas: Deltas[Event] = Deltas(sanitizer)

    def feed(self, data: bytes) -> bytes:
        """The redacted events that are complete now."""
        return b"".join(map(self._redacted, self._events.feed(data)))

    def finish(self) -> bytes:
        """What is left of texts that came in pieces; an event left open at the end is no event."""
        return b"".join(self._shown(event, shown.decode("utf-8")) for shown, event in self._deltas.finish())

    def _redacted(self, event: Event) -> bytes:
        if not event.lines:  # a blank line too many
            return event.replaced(None, {})
        data = event.data
        if data is None:
            return self._shown(event, None)
        return b"".join(
            self._shown(carrier, None if carrier is event and piece == data.encode() else piece.decode("utf-8"))
            for piece, carrier in self._deltas.feed(data.encode("utf-8"), event)
        )

    def _shown(self, event: Event, data: str | None) -> bytes:
        others = {
            place: (self._sanitizer.plain(name), self._sanitizer.plain(value))
            for place, (name, value) in enumerate(event.lines)
            if name != "data"
        }
        changed = {place: line for place, line in others.items() if line != event.lines[place]}
        encoded = event.replaced(data, changed)
        if len(encoded) > EVENT_LIMIT:
            raise Refused(Reason.BODY_TRUNCATED, "a redacted event is too large")
        return encoded
