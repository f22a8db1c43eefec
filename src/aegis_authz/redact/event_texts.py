"""Which texts an event of a stream brings pieces of: places in its JSON, and by what each text is known."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from aegis_authz.redact.json_text import JsonText, Member
from aegis_authz.redact.text.pattern import Span

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

_NAMES = ("index", "item_id", "output_index", "content_index", "summary_index", "contentBlockIndex", "id")
"""Members by which events that belong together are known."""

_STOPS = ("finish_reason", "finishReason", "stop_reason", "done", "result", "error", "is_finished")
_STOP_TYPES = ("stop", "done", "completed", "end", "failed", "incomplete")
_TYPE_PARTS = re.compile(r"[._-]")
_HEADS = re.compile(
    rf'"(?:{"|".join(sorted({path[0] for path in (*_PATHS, *_SHORT_PATHS)} | {*_STOPS, "type"}))})"|\\'.encode()
)
"""A name of a member by which a piece or an end is known, or an escape in which one may be written."""
_UNESCAPED = re.compile(rb'[^"\\]*')


class TextKey(NamedTuple):
    """By what a text is known: the path of its pieces, the elements on the way, and names in the event."""

    path: tuple[str, ...]
    indices: tuple[bytes, ...]
    names: tuple[tuple[str, bytes], ...]

    @property
    def is_short(self) -> bool:
        """Whether only short strings of that path are pieces."""
        return self.path in _SHORT_PATHS


class TextEnds(NamedTuple):
    """Which texts an event ends, of events with the same names: all, or those under some elements of a member."""

    is_whole: bool
    elements: frozenset[tuple[str, bytes]]
    names: tuple[tuple[str, bytes], ...]

    @property
    def are_none(self) -> bool:
        """Whether it ends no text at all."""
        return not self.is_whole and not self.elements

    def covers(self, key: TextKey) -> bool:
        """Whether the text of that key is complete."""
        if not self.is_whole and (not key.indices or (key.path[0], key.indices[0]) not in self.elements):
            return False
        if key.names == self.names:
            return True
        names = dict(key.names)
        return all(names.get(name, value) == value for name, value in self.names)


class Piece(NamedTuple):
    """Where a piece of a text stands, quotes left out."""

    key: TextKey
    place: Span


class EventTexts(NamedTuple):
    """What an event that is JSON brings: pieces of texts, and the ends of some."""

    pieces: tuple[Piece, ...]
    ends: TextEnds


_NOTHING = EventTexts((), TextEnds(False, frozenset(), ()))


@dataclass(frozen=True, slots=True)
class _Node:
    """A place on the way to pieces: below which members, below each element of a list, and whether one stands here."""

    path: tuple[str, ...] | None
    members: Mapping[str, _Node]
    element: _Node | None


def _node(paths: tuple[tuple[str, ...], ...], depth: int = 0) -> _Node:
    below = dict.fromkeys(path[depth] for path in paths if len(path) > depth)
    nodes = {
        name: _node(tuple(path for path in paths if path[depth : depth + 1] == (name,)), depth + 1) for name in below
    }
    return _Node(
        next((path for path in paths if len(path) == depth), None),
        {name: node for name, node in nodes.items() if name != "*"},
        nodes.get("*"),
    )


_ROOT = _node((*_PATHS, *_SHORT_PATHS))


class EventReader:
    """Reads events. Of one that differs from the latest in its one piece alone, only that piece is looked at."""

    def __init__(self) -> None:
        self._texts: EventTexts | None = None
        self._head = self._tail = b""

    def read(self, data: bytes) -> EventTexts | None:
        """What an event brings; None for what is no object and no list of JSON."""
        if self._texts is not None and data.startswith(self._head):
            begin, stop = len(self._head), len(data) - len(self._tail)
            piece = _UNESCAPED.match(data, begin)
            # the rest is the same JSON; what stands between is a string without a quote or an escape
            if piece is not None and piece.end() == stop and data.endswith(self._tail):
                latest = self._texts
                return EventTexts((Piece(latest.pieces[0].key, (begin, stop)),), latest.ends)
        text = JsonText.read(data)
        if text is None or text.first_byte(text.root) not in (b"{", b"["):
            return None
        if _HEADS.search(data) is None:
            return _NOTHING
        texts = _event_texts(text)
        if len(texts.pieces) == 1:
            begin, stop = texts.pieces[0].place
            self._texts, self._head, self._tail = texts, data[:begin], data[stop:]
        return texts


def _event_texts(text: JsonText) -> EventTexts:
    if text.first_byte(text.root) != b"{":
        return _NOTHING
    members = tuple(text.members(text.root))
    names = tuple(sorted((member.name, text.bytes_of(member.value)) for member in members if member.name in _NAMES))
    return EventTexts(tuple(_pieces(text, text.root, _ROOT, (), names)), _ends(text, members, names))


def _pieces(
    text: JsonText, value: Span, node: _Node, indices: tuple[bytes, ...], names: tuple[tuple[str, bytes], ...]
) -> Iterator[Piece]:
    first = text.first_byte(value)
    if first == b'"':
        if node.path is not None:
            yield Piece(TextKey(node.path, indices, names), (value[0] + 1, value[1] - 1))
    elif first == b"{" and node.members:
        for member in text.members(value):
            below = node.members.get(member.name)
            if below is not None:
                yield from _pieces(text, member.value, below, indices, names)
    elif first == b"[" and node.element is not None:
        for position, element in enumerate(text.elements(value)):
            index = _index(text, element) or b"%d" % position
            yield from _pieces(text, element, node.element, (*indices, index), names)


def _index(text: JsonText, element: Span) -> bytes:
    if text.first_byte(element) == b"{":
        for member in text.members(element):
            if member.name == "index":
                return text.bytes_of(member.value)
    return b""


def _ends(text: JsonText, members: tuple[Member, ...], names: tuple[tuple[str, bytes], ...]) -> TextEnds:
    """Which texts are complete with this event."""
    elements: set[tuple[str, bytes]] = set()
    for member in members:
        if member.name in ("choices", "candidates") and text.first_byte(member.value) == b"[":
            for position, element in enumerate(text.elements(member.value)):
                if text.first_byte(element) == b"{" and _says_end(text, tuple(text.members(element))):
                    elements.add((member.name, _index(text, element) or b"%d" % position))
    return TextEnds(_says_end(text, members), frozenset(elements), names)


def _says_end(text: JsonText, members: tuple[Member, ...]) -> bool:
    for member in members:
        data = text.bytes_of(member.value)
        if member.name in _STOPS and data not in (b"null", b"false"):
            return True
        if member.name == "type" and _TYPE_PARTS.split(data.strip(b'"').decode("latin-1"))[-1] in _STOP_TYPES:
            return True
    return False
