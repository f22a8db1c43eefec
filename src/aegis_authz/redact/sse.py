"""Server-sent events as bytes arrive, split anywhere.

Source: HTML Standard, section 9.2.6 (parsing an event stream): lines end in LF, CR or CRLF, a blank
line ends an event, an event left open at the end of the stream is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused

_LINE_END = re.compile(rb"[\r\n]")
_BOM = b"\xef\xbb\xbf"
_LF = b"\n"


@dataclass(frozen=True, slots=True)
class Event:
    """One event block: its lines as (field, value) in order; a comment has the field "". A blank line alone has none.

    `written` are the lines as they came, without their ends.
    """

    lines: tuple[tuple[str, str], ...]
    written: tuple[bytes, ...]

    @property
    def data(self) -> str | None:
        """The data lines joined by LF; None when there is none."""
        parts = [value for name, value in self.lines if name == "data"]
        return "\n".join(parts) if parts else None

    def replaced(self, data: str | None, others: Mapping[int, tuple[str, str]]) -> bytes:
        """The block with other data (None: its own) and other lines at some places; all else as it came, ends in LF."""
        parts: list[bytes] = []
        is_written = data is None
        for place, (name, _) in enumerate(self.lines):
            if place in others:
                parts.append(_line(*others[place]))
            elif name != "data" or data is None:
                parts.append(self.written[place])
            elif not is_written:
                parts += (_line("data", line) for line in data.split("\n"))
                is_written = True
        return b"".join(part + b"\n" for part in parts) + b"\n"


def _line(name: str, value: str) -> bytes:
    return (f"{name}: {value}" if value else f"{name}:").encode("utf-8", "surrogateescape")


class EventSplitter:
    """Takes bytes in any portions and gives whole events; an event larger than `limit` bytes is refused."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._searched = 0
        self._lines: list[bytes] = []
        self._size = 0
        self._after_cr = False
        self._at_start = True

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes.

        Raises Refused(BODY_TRUNCATED) for one over the limit and Refused(MALFORMED_CALL) for bytes
        that are not UTF-8.
        """
        self._buffer += data
        if self._at_start and not self._past_bom():
            return []
        events: list[Event] = []
        begin = 0
        while (match := _LINE_END.search(self._buffer, max(begin, self._searched))) is not None:
            end = match.start()
            is_lf = self._buffer[end : end + 1] == _LF
            if not (is_lf and end == begin and self._after_cr):
                self._line(bytes(self._buffer[begin:end]), events)
            self._after_cr = not is_lf
            begin = end + 1
            self._searched = begin
        if begin < len(self._buffer):
            self._after_cr = False
        del self._buffer[:begin]
        self._searched = len(self._buffer)
        self._check_size(len(self._buffer))
        return events

    def _past_bom(self) -> bool:
        if len(self._buffer) < len(_BOM) and _BOM.startswith(self._buffer):
            return False
        if self._buffer.startswith(_BOM):
            del self._buffer[: len(_BOM)]
        self._at_start = False
        return True

    def _line(self, line: bytes, events: list[Event]) -> None:
        if line:
            self._check_size(len(line))
            self._size += len(line) + 1
            self._lines.append(line)
            return
        events.append(Event(tuple(map(_field, self._lines)), tuple(self._lines)))
        self._lines.clear()
        self._size = 0

    def _check_size(self, more: int) -> None:
        if self._size + more > self._limit:
            raise Refused(Reason.BODY_TRUNCATED, "an event is larger than what can be checked")


def _field(line: bytes) -> tuple[str, str]:
    try:
        text = line.decode("utf-8", "strict")
    except UnicodeDecodeError:
        raise Refused(Reason.MALFORMED_CALL, "an event is not UTF-8") from None
    name, _, value = text.partition(":")
    return name, value.removeprefix(" ")
