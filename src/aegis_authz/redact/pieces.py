"""One text of which each event is a piece, as it is: a piece goes out when all of it may, as the event it was."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from aegis_authz.redact.held import Held
from aegis_authz.redact.redactor import Redactor
from aegis_authz.redact.text.view import Replacement


class Pieces:
    """Takes the pieces of one text in order and gives them back redacted, each by itself.

    A value that goes over several stands as a marker in the first of them; what is left of the others may be nothing.
    A value in one alone is redacted whatever stands beside it.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = Held(redactor)
        self._waiting: deque[bytes] = deque()
        # places in the whole text: where the first piece that waits begins, and up to where it may be shown
        self._begin = self._reached = 0
        self._edits: deque[Replacement] = deque()

    def feed(self, pieces: Iterable[bytes]) -> list[bytes]:
        """Take the next pieces; those of all so far that may be shown now."""
        pieces = tuple(pieces)
        self._waiting += pieces
        place, edits = self._held.judge(b"".join(pieces))
        return self._shown(place, edits)

    def finish(self) -> list[bytes]:
        """No piece will follow: all that wait."""
        length = len(self._held.rest)
        return self._shown(length, self._held.judge_rest())

    def _shown(self, length: int, edits: list[Replacement]) -> list[bytes]:
        reached = self._reached
        self._edits += (Replacement(edit.start + reached, edit.end + reached, edit.shown) for edit in edits)
        self._reached = reached + length
        shown: list[bytes] = []
        begin, reached, waiting = self._begin, self._reached, self._waiting
        while waiting and (end := begin + len(waiting[0])) <= reached:
            piece = waiting.popleft()
            shown.append(self._redacted(piece, begin, end) if self._edits and self._edits[0].start < end else piece)
            begin = end
        self._begin = begin
        # beside its neighbours a value may be none, as two numbers without a space are: each is an event by itself, too
        for place in self._redactor.suspects(shown):
            shown[place] = self._redactor.text(shown[place], looks_behind=False)
        return shown

    def _redacted(self, piece: bytes, begin: int, end: int) -> bytes:
        """The piece with the edits that begin in it; of one that goes over its end the rest is left for the next."""
        parts: list[bytes] = []
        read = begin
        while self._edits and self._edits[0].start < end:
            start, stop, shown = self._edits.popleft()
            parts += (piece[read - begin : start - begin], shown)
            read = min(stop, end)
            if stop > end:
                self._edits.appendleft(Replacement(end, stop, b""))
        parts.append(piece[read - begin :])
        return b"".join(parts)
