"""Answers that models stream: texts in pieces, each in a JSON of its own, put together for redaction.

Every event goes out at once and in its own bytes, with only the text between the quotes replaced; what waits moves
into the next event of the same text, and at the end of that text into a copy of its last event.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Generic, TypeVar

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.redact.edits import edited, moved
from aegis_authz.redact.held import Held
from aegis_authz.redact.json_text import JsonText, Member, escaped, unescaped
from aegis_authz.redact.sanitizer import Sanitizer
from aegis_authz.redact.text.pattern import Span
from aegis_authz.redact.text.view import Replacement

_CHAT = ("choices", "*", "delta")
_PATHS: tuple[tuple[str, ...], ...] = (
    (*_CHAT, "content"),  # OpenAI chat completions and all that speak them
    (*_CHAT, "reasoning_content"),
    (*_CHAT, "reasoning"),
    (*_CHAT, "refusal"),
    (*_CHAT, "tool_calls", "*", "function", "arguments"),
    (*_CHAT, "function_call", "arguments"),
    ("choices", "*", "text"),
    ("delta",),  # OpenAI responses: output text, refusals, arguments
    ("delta", "text"),  # Anthropic messages
    ("delta", "partial_json"),
    ("delta", "thinking"),
    ("delta", "content"),
    ("delta", "message", "content", "text"),  # Cohere
    ("contentBlockDelta", "delta", "text"),  # Bedrock
    ("candidates", "*", "content", "parts", "*", "text"),  # Gemini
)
_SHORT_PATHS: tuple[tuple[str, ...], ...] = (
    ("message", "content"),  # Ollama
    ("response",),
    ("token", "text"),  # text-generation-inference
    ("completion",),
    ("text",),
    ("content",),
)
"""Members that hold pieces in some streams and whole messages in others: short ones are taken for pieces."""

_SHORT = 24
"""Bytes; a token of a model is hardly longer."""

_NAMES = ("index", "item_id", "output_index", "content_index", "summary_index", "contentBlockIndex", "id")
"""Members by which events that belong together are known."""

_STOPS = ("finish_reason", "finishReason", "stop_reason", "done", "result", "error", "is_finished")
_STOP_TYPES = ("stop", "done", "completed", "end", "failed", "incomplete")
_MOST_TEXTS = 256
_PLAIN = "plain"
_SENTINELS = (b"", b"[DONE]")
_TYPE_PARTS = re.compile(r"[._-]")

Carrier = TypeVar("Carrier")


@dataclass(frozen=True, slots=True)
class _Key:
    """By what a text is known: the path of its pieces, the elements on the way, and names in the event."""

    path: tuple[str, ...]
    indices: tuple[bytes, ...]
    names: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class _End:
    """Which texts an event ends: all, or those under one element, of events with the same names."""

    head: str
    index: bytes
    names: tuple[tuple[str, bytes], ...]

    def covers(self, key: _Key) -> bool:
        """Whether the text of that key is complete."""
        if self.head and (key.path[:1] != (self.head,) or key.indices[:1] != (self.index,)):
            return False
        names = dict(key.names)
        return all(names.get(name, value) == value for name, value in self.names)


@dataclass(slots=True)
class _Stream(Generic[Carrier]):
    """One text: what of it waits, and its last event with the places of its text and of all others."""

    held: Held
    data: bytes
    place: Span
    others: tuple[Span, ...]
    carrier: Carrier

    def edits(self, text: bytes) -> list[Replacement]:
        """What makes of the last event one with this text alone."""
        return [Replacement(*self.place, text), *(Replacement(*place, b"") for place in self.others)]

    def copy(self, text: bytes) -> bytes:
        """The last event with this text alone."""
        return edited(self.data, self.edits(text))


class Deltas(Generic[Carrier]):
    """Takes the data of events in order, each with what carries it, and gives back what may be shown of them."""

    def __init__(self, sanitizer: Sanitizer) -> None:
        self._sanitizer = sanitizer
        self._streams: dict[_Key, _Stream[Carrier]] = {}

    def feed(self, data: bytes, carrier: Carrier) -> Iterator[tuple[bytes, Carrier]]:
        """The event, redacted, and before it copies of events whose texts ended with something left to show."""
        if data.strip() in _SENTINELS:
            yield from self.finish()
            yield data, carrier
            return
        text = JsonText.read(data)
        if text is None or text.first_byte(text.root) not in (b"{", b"["):
            yield from self._plain(data, carrier)
            return
        edits: list[Replacement] = []
        fed: set[_Key] = set()
        ends = list(_ends(text))
        texts = list(_texts(text))
        for key, place, is_short in texts:
            piece = unescaped(data[slice(*place)]).data
            if is_short and len(piece) > _SHORT:
                continue
            fed.add(key)
            others = tuple(elsewhere for _, elsewhere, _ in texts if elsewhere != place)
            held = self._stream(key, _Stream(Held(self._sanitizer.redactor), data, place, others, carrier)).held
            output = held.feed(piece) + (held.finish() if any(end.covers(key) for end in ends) else b"")
            if output != piece:
                edits.append(Replacement(*place, escaped(output)))
        yield from self._rest({key for key in self._streams if key not in fed and _is_over(key, ends, fed)})
        judged = moved((place for key, place, _ in texts if key in fed), edits)
        yield self._sanitizer.json(edited(data, edits), judged), carrier

    def finish(self) -> Iterator[tuple[bytes, Carrier]]:
        """No event will follow: copies of events for what is left to show."""
        yield from self._rest(set(self._streams))

    def _plain(self, data: bytes, carrier: Carrier) -> Iterator[tuple[bytes, Carrier]]:
        """Data that is no JSON: a text of its own, of which each short event brings a piece."""
        key = _Key((_PLAIN,), (), ())
        if len(data) > _SHORT or b"\n" in data:
            yield from self._rest({key} & self._streams.keys())
            yield self._sanitizer.text(data), carrier
            return
        new = _Stream(Held(self._sanitizer.redactor), data, (0, len(data)), (), carrier)
        stream = self._stream(key, new)
        output = stream.held.feed(data)
        if output:
            is_judged = not self._sanitizer.needs_json and b"\0" not in output
            yield output if is_judged else self._sanitizer.text(output), carrier

    def _stream(self, key: _Key, latest: _Stream[Carrier]) -> _Stream[Carrier]:
        """The stream of that key with its latest event."""
        current = self._streams.get(key)
        if current is not None:
            latest.held = current.held
        elif len(self._streams) >= _MOST_TEXTS:
            raise Refused(Reason.BODY_TRUNCATED, "more texts at once than can be put together")
        self._streams[key] = latest
        return latest

    def _rest(self, keys: AbstractSet[_Key]) -> Iterator[tuple[bytes, Carrier]]:
        for key in [key for key in self._streams if key in keys]:
            stream = self._streams.pop(key)
            rest = stream.held.finish()
            if rest:
                yield self._whole(key, stream, rest), stream.carrier

    def _whole(self, key: _Key, stream: _Stream[Carrier], rest: bytes) -> bytes:
        """An event for what is left of a text: its last event with this text alone."""
        if key.path == (_PLAIN,):
            return self._sanitizer.text(stream.copy(rest))
        edits = stream.edits(escaped(rest))
        return self._sanitizer.json(edited(stream.data, edits), moved((stream.place,), edits))


def _is_over(key: _Key, ends: list[_End], fed: set[_Key]) -> bool:
    """Whether a text that an event brings no piece of is complete."""
    if any(end.covers(key) for end in ends):
        return True
    # a member that holds whole messages now: no piece will follow
    return key.path in _SHORT_PATHS and not fed


def _texts(text: JsonText) -> Iterator[tuple[_Key, Span, bool]]:
    """The pieces in an event: by what its text is known, where it stands, and whether only short ones are pieces."""
    names = _names(text)
    heads = {member.name for member in _members(text, text.root)}
    for path in (*_PATHS, *_SHORT_PATHS):
        if path[0] in heads:
            for place, indices in _places(text, text.root, path, ()):
                yield _Key(path, indices, names), place, path in _SHORT_PATHS


def _names(text: JsonText) -> tuple[tuple[str, bytes], ...]:
    members = _members(text, text.root)
    return tuple(sorted((member.name, text.bytes_of(member.value)) for member in members if member.name in _NAMES))


def _members(text: JsonText, value: Span) -> Iterator[Member]:
    return text.members(value) if text.first_byte(value) == b"{" else iter(())


def _places(
    text: JsonText, value: Span, path: tuple[str, ...], indices: tuple[bytes, ...]
) -> Iterator[tuple[Span, tuple[bytes, ...]]]:
    """Where the strings of a path stand, quotes left out, with what the elements on the way are known by."""
    for (start, end), names in _values(text, value, path, indices):
        if text.first_byte((start, end)) == b'"':
            yield (start + 1, end - 1), names


def _values(
    text: JsonText, value: Span, path: tuple[str, ...], indices: tuple[bytes, ...]
) -> Iterator[tuple[Span, tuple[bytes, ...]]]:
    if not path:
        yield value, indices
        return
    first = text.first_byte(value)
    if first == b"{" and path[0] != "*":
        for member in text.members(value):
            if member.name == path[0]:
                yield from _values(text, member.value, path[1:], indices)
    elif first == b"[" and path[0] == "*":
        for position, element in enumerate(text.elements(value)):
            yield from _values(text, element, path[1:], (*indices, _index(text, element) or b"%d" % position))


def _index(text: JsonText, element: Span) -> bytes:
    if text.first_byte(element) == b"{":
        for member in text.members(element):
            if member.name == "index":
                return text.bytes_of(member.value)
    return b""


def _ends(text: JsonText) -> Iterator[_End]:
    """Which texts are complete with this event."""
    names = _names(text)
    for head in ("choices", "candidates"):
        for value, indices in _values(text, text.root, (head, "*"), ()):
            if _says_end(text, value):
                yield _End(head, indices[0], names)
    if _says_end(text, text.root):
        yield _End("", b"", names)


def _says_end(text: JsonText, value: Span) -> bool:
    for member in _members(text, value):
        data = text.bytes_of(member.value)
        if member.name in _STOPS and data not in (b"null", b"false"):
            return True
        if member.name == "type" and _TYPE_PARTS.split(data.strip(b'"').decode("latin-1"))[-1] in _STOP_TYPES:
            return True
    return False
