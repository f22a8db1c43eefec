"""Answers that models stream: texts in pieces, each in a JSON of its own, put together for redaction.

Every event goes out at once and in its own bytes, with only the text between the quotes replaced; what waits moves
into the next event of the same text, and at the end of that text into a copy of its last event. Pieces that come
together are searched together.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Generic, NamedTuple, TypeVar

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.redact.edits import edited, moved
from aegis_authz.redact.event_texts import EventReader, EventTexts, Piece, TextKey
from aegis_authz.redact.held import Held
from aegis_authz.redact.json_text import escaped, unescaped
from aegis_authz.redact.pieces import Pieces
from aegis_authz.redact.redactor import Redactor
from aegis_authz.redact.sanitizer import Sanitizer
from aegis_authz.redact.text.pattern import Span
from aegis_authz.redact.text.view import Replacement

_SHORT = 24
"""Bytes; a token of a model is hardly longer."""

_MOST_TEXTS = 256
_SENTINEL = b"[DONE]"
_PLAIN_KEY = TextKey(("plain",), (), ())
"""Of the text of which events that are no JSON bring pieces."""
_NO_PIECES = re.compile(rb"(?:\A|\n)(?:[ \t\r\x0b\x0c]*(?:[{\[\xef\n]|\Z)|[^\n]{%d})" % (_SHORT + 1))
"""In data one a line: a line that is no piece of a plain text, or may be none."""

Carrier = TypeVar("Carrier")


class _Form(Enum):
    """How an event is looked at before it is shown; of PIECE is one that was searched with what stands beside it."""

    AS_IS = 0
    JSON = 1
    TEXT = 2
    PIECE = 3
    WAITING = 4


_UNJUDGED = (_Form.JSON, _Form.TEXT)


class _Event(Generic[Carrier]):
    """An event on its way, the edits to be made in it, and the places that are judged already."""

    __slots__ = ("carrier", "data", "edits", "form", "judged")

    def __init__(self, data: bytes, carrier: Carrier, form: _Form) -> None:
        self.data = data
        self.carrier = carrier
        self.form = form
        self.edits: list[Replacement] = []
        self.judged: list[Span] = []


class _Pending(NamedTuple, Generic[Carrier]):
    """A piece that was not searched yet: what it means, and where it stands in its event."""

    meaning: bytes
    place: Span
    event: _Event[Carrier]


class _Stream(Generic[Carrier]):
    """One text: what of it waits, and its last event as it came, with the places of all texts in that."""

    __slots__ = ("carrier", "data", "held", "pending", "pieces", "place", "redactor")

    def __init__(self, redactor: Redactor, data: bytes, carrier: Carrier) -> None:
        self.redactor = redactor
        self.held = Held(redactor)
        self.pending: list[_Pending[Carrier]] = []
        self.data = data
        self.carrier = carrier
        self.place: Span = (0, 0)
        self.pieces: tuple[Piece, ...] = ()

    def add(self, piece: _Pending[Carrier], pieces: tuple[Piece, ...]) -> None:
        """Take the piece of the next event, which is among `pieces`."""
        self.pending.append(piece)
        self.data, self.carrier = piece.event.data, piece.event.carrier
        self.place, self.pieces = piece.place, pieces

    def search(self, is_over: bool) -> None:
        """Search what came, and put into each event what may be shown of it: into the last all, if that is the end."""
        if not self.pending:
            return
        pending, self.pending = self.pending, []
        rest = self.held.rest
        text = rest + b"".join([piece.meaning for piece in pending])
        place, edits = self.held.judge(text[len(rest) :])
        outputs: list[bytes] = []
        begin, end = 0, len(rest)
        for piece in pending:
            end += len(piece.meaning)
            stop = min(end, place)
            output, edits = _share(text, begin, stop, edits)
            begin = stop
            outputs.append(output)
        if is_over:
            outputs[-1] += self.held.finish()
        if len(outputs) > 1 and self.redactor.has_match_in(outputs):
            # a part of what is no value may be one by itself: it is shown with what makes none of it
            outputs = [*(b"" for _ in outputs[1:]), b"".join(outputs)]
        for piece, output in zip(pending, outputs, strict=True):
            if output != piece.meaning:
                piece.event.edits.append(Replacement(*piece.place, escaped(output)))

    def last(self) -> _Event[Carrier] | None:
        """No piece will follow: an event for what is left, which is the last one with this text alone."""
        self.search(False)
        rest = self.held.finish()
        if not rest:
            return None
        event = _Event(self.data, self.carrier, _Form.JSON)
        event.edits = [Replacement(*place, escaped(rest) if place == self.place else b"") for _, place in self.pieces]
        event.judged = [self.place]
        return event


def _share(text: bytes, begin: int, stop: int, edits: list[Replacement]) -> tuple[bytes, list[Replacement]]:
    """A part of a text with the edits that begin in it, and the edits that are left for what follows."""
    own = [edit for edit in edits if edit.start < stop]
    if not own:
        return text[begin:stop], edits
    output = edited(
        text[begin:stop],
        [Replacement(edit.start - begin, min(edit.end, stop) - begin, edit.shown) for edit in own],
    )
    return output, [*(Replacement(stop, edit.end, b"") for edit in own if edit.end > stop), *edits[len(own) :]]


class Deltas(Generic[Carrier]):
    """Takes the data of events in order, each with what carries it, and gives back what may be shown of them."""

    def __init__(self, sanitizer: Sanitizer) -> None:
        self._sanitizer = sanitizer
        self._reader = EventReader()
        self._streams: dict[TextKey, _Stream[Carrier]] = {}
        self._short: dict[TextKey, None] = {}  # those of members in which only short strings are pieces
        # of events that are no JSON: one text, what came of it last, and what carries those pieces of it that wait
        self._plain = Pieces(sanitizer.redactor)
        self._latest: list[_Event[Carrier]] = []
        self._carriers: deque[Carrier] = deque()

    def feed(self, events: Sequence[tuple[bytes | None, Carrier]]) -> list[tuple[bytes, Carrier]]:
        """The events, redacted, and among them copies of events whose texts ended with something left to show.

        An event that is a piece of a plain text waits until all of it may be shown; one without data passes, as an
        empty one.
        """
        pieces = [data for data, _ in events if data is not None]
        if len(pieces) == len(events) and _are_plain(pieces) and not self._sanitizer.needs_json:
            self._carriers += (carrier for _, carrier in events)
            outputs = self._plain.feed(pieces)
            carried = [(output, self._carriers.popleft()) for output in outputs]
            return [entry for entry in carried if entry[0]] if b"" in outputs else carried
        late: list[tuple[bytes, Carrier]] = []
        shown: list[_Event[Carrier]] = []
        for data, carrier in events:
            if data is None:
                shown.append(_Event(b"", carrier, _Form.AS_IS))
            else:
                self._take(data, carrier, late, shown)
        self._search(late)
        return self._passed(late) + self._judged(shown)

    def finish(self) -> list[tuple[bytes, Carrier]]:
        """No event will follow: all that waits, and copies of events for what is left to show."""
        late: list[tuple[bytes, Carrier]] = []
        shown: list[_Event[Carrier]] = []
        self._end_all(late, shown)
        return self._passed(late) + self._judged(shown)

    def _take(
        self, data: bytes, carrier: Carrier, late: list[tuple[bytes, Carrier]], shown: list[_Event[Carrier]]
    ) -> None:
        start = data.strip()
        if not data or start == _SENTINEL:  # a blank is a piece of a plain text as any other
            self._end_all(late, shown)
            shown.append(_Event(data, carrier, _Form.AS_IS))
            return
        texts = self._reader.read(data) if start[:1] in (b"{", b"[", b"\xef") else None
        if texts is not None:
            self._take_json(_Event(data, carrier, _Form.JSON), texts, late, shown)
        elif len(data) > _SHORT or b"\n" in data:  # a text of its own
            self._search_plain(late, True)
            shown.append(_Event(data, carrier, _Form.TEXT))
        else:
            event = _Event(data, carrier, _Form.WAITING)
            self._latest.append(event)
            shown.append(event)

    def _take_json(
        self, event: _Event[Carrier], texts: EventTexts, late: list[tuple[bytes, Carrier]], shown: list[_Event[Carrier]]
    ) -> None:
        has_ends = not texts.ends.are_none
        if not texts.pieces and not has_ends and not self._short:
            shown.append(event)
            return
        fed: set[TextKey] = set()
        for key, place in texts.pieces:
            piece = unescaped(event.data[slice(*place)]).data
            if key.is_short and len(piece) > _SHORT:
                continue
            fed.add(key)
            stream = self._stream(key, event)
            stream.add(_Pending(piece, place, event), texts.pieces)
            event.judged.append(place)
            if has_ends and texts.ends.covers(key):
                stream.search(True)
        if has_ends:
            if texts.ends.covers(_PLAIN_KEY):
                self._search_plain(late, True)
            self._end([key for key in self._streams if key not in fed and texts.ends.covers(key)], shown)
        if not fed:  # members that hold whole messages now: no piece will follow
            self._end(list(self._short), shown)
        shown.append(event)

    def _stream(self, key: TextKey, event: _Event[Carrier]) -> _Stream[Carrier]:
        stream = self._streams.get(key)
        if stream is None:
            if len(self._streams) >= _MOST_TEXTS:
                raise Refused(Reason.BODY_TRUNCATED, "more texts at once than can be put together")
            stream = self._streams[key] = _Stream(self._sanitizer.redactor, event.data, event.carrier)
            if key.is_short:
                self._short[key] = None
        return stream

    def _end_all(self, late: list[tuple[bytes, Carrier]], shown: list[_Event[Carrier]]) -> None:
        self._search_plain(late, True)
        self._end(list(self._streams), shown)

    def _end(self, keys: Iterable[TextKey], shown: list[_Event[Carrier]]) -> None:
        for key in keys:
            self._short.pop(key, None)
            event = self._streams.pop(key).last()
            if event is not None:
                shown.append(event)

    def _search(self, late: list[tuple[bytes, Carrier]]) -> None:
        """Search all that came since the last search, each text by itself."""
        for stream in self._streams.values():
            stream.search(False)
        self._search_plain(late, False)

    def _search_plain(self, late: list[tuple[bytes, Carrier]], is_over: bool) -> None:
        """Search what came of the plain text, after which events of before may be shown; with `is_over` all of it."""
        latest, self._latest = self._latest, []
        outputs = self._plain.feed([event.data for event in latest]) if latest else []
        if is_over and (latest or self._carriers):
            outputs += self._plain.finish()
            self._plain = Pieces(self._sanitizer.redactor)
        waiting = min(len(outputs), len(self._carriers))
        late += ((output, self._carriers.popleft()) for output in outputs[:waiting])
        for event, output in zip(latest, outputs[waiting:], strict=False):
            event.data, event.form = output, _Form.PIECE
        self._carriers += (event.carrier for event in latest if event.form is _Form.WAITING)

    def _passed(self, pieces: list[tuple[bytes, Carrier]]) -> list[tuple[bytes, Carrier]]:
        """Pieces that waited, as they may be shown."""
        if self._sanitizer.needs_json or any(b"\0" in piece for piece, _ in pieces):
            pieces = [(self._sanitizer.text(piece), carrier) for piece, carrier in pieces if piece]
        return [entry for entry in pieces if entry[0]]

    def _judged(self, events: list[_Event[Carrier]]) -> list[tuple[bytes, Carrier]]:
        """The events as they may be shown."""
        sanitizer = self._sanitizer
        needs_json = sanitizer.needs_json
        whole: list[_Event[Carrier]] = []
        for event in events:
            if event.edits:
                event.judged = moved(event.judged, event.edits)
                event.data = edited(event.data, event.edits)
            if event.form is _Form.PIECE and (needs_json or b"\0" in event.data):
                event.form = _Form.TEXT
            if event.form in _UNJUDGED and event.data:
                whole.append(event)
        for place in sanitizer.suspects([event.data for event in whole]):
            event = whole[place]
            is_json = event.form is _Form.JSON
            event.data = sanitizer.json(event.data, event.judged) if is_json else sanitizer.text(event.data)
        return [
            (event.data, event.carrier)
            for event in events
            if event.form is _Form.AS_IS or (event.data and event.form is not _Form.WAITING)
        ]


def _are_plain(pieces: list[bytes]) -> bool:
    """Whether all of them are pieces of a plain text, without the NUL that UTF-16 has."""
    lines = b"\n".join(pieces)
    return b"\0" not in lines and _NO_PIECES.search(lines) is None and lines.count(b"\n") < len(pieces)
