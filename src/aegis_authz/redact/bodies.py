"""Body filters: raw bytes in, in any portions; bytes that may be shown out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, repeat
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
        places = [place for place, line in enumerate(lines) if line and not line.isspace()]
        for suspect in self._sanitizer.suspects([lines[place] for place in places]):
            place = places[suspect]
            lines[place] = self._sanitizer.json(lines[place])
        return b"\n".join(lines)


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
        lines = data.split(b"\n")
        self._line += lines[0]
        rest = self._line
        if len(lines) > 1:
            lines[0] = bytes(self._line)
            self._line = rest = bytearray(lines.pop())
        if len(rest) > EVENT_LIMIT or max(map(len, lines)) > EVENT_LIMIT:
            raise Refused(Reason.BODY_TRUNCATED, "a line is larger than what can be checked")
        if b"\n" not in data:
            return b""
        # the first line may have come with its CR before this
        has_returns = b"\r" in data or lines[0].endswith(b"\r")
        events = [*map(_split_end, lines)] if has_returns else [*zip(lines, repeat(b"\n"))]
        return b"".join(chain.from_iterable(self._deltas.feed(events)))

    def finish(self) -> bytes:
        """The last line, and what is left of texts that came in pieces."""
        shown = self._deltas.feed([(bytes(self._line), b"")]) if self._line else []
        *lines, last = [*shown, *self._deltas.finish()] or [(b"", b"")]
        return b"".join(text + (end or b"\n") for text, end in lines) + b"".join(last)


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
        events = self._events.feed(data)
        return self._shown(self._deltas.feed([(event.data, event) for event in events])) if events else b""

    def finish(self) -> bytes:
        """What is left of texts that came in pieces; an event left open at the end is no event."""
        return self._shown(self._deltas.finish())

    def _shown(self, events: Sequence[tuple[bytes, Event]]) -> bytes:
        changes = self._changes([event for _, event in events if event.block and not event.is_plain])
        shown: list[bytes] = []
        for data, event in events:
            encoded = event.replaced(None if data == (event.data or b"") else data, changes.get(id(event), {}))
            if len(encoded) > EVENT_LIMIT and event.block:
                raise Refused(Reason.BODY_TRUNCATED, "a redacted event is too large")
            shown.append(encoded)
        return b"".join(shown)

    def _changes(self, events: Sequence[Event]) -> dict[int, dict[int, tuple[str, str]]]:
        """By event the lines that hold what must be redacted, but those of data, each by its place."""
        others = [
            (event, place, line) for event in events for place, line in enumerate(event.lines()) if line[0] != "data"
        ]
        texts = [text.encode() for _, _, line in others for text in line]
        changes: dict[int, dict[int, tuple[str, str]]] = {}
        for number in sorted({suspect // 2 for suspect in self._sanitizer.redactor.suspects(texts)}):
            event, place, (name, value) = others[number]
            changed = self._sanitizer.plain(name), self._sanitizer.plain(value)
            if changed != (name, value):
                changes.setdefault(id(event), {})[place] = changed
        return changes
