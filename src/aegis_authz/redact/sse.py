"""Server-sent events as bytes arrive, split anywhere.

Source: HTML Standard, section 9.2.6 (parsing an event stream): lines end in LF, CR or CRLF, a blank
line ends an event, an event left open at the end of the stream is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused

_BOM = b"\xef\xbb\xbf"
_DATA = b"data:"
_END = b"\n\n"


class Event:
    """One event, or blank lines without one. `block` are its lines as they came, but for LF between them.

    `data` are the data lines joined by LF, None when there is none; `is_plain` says that one of these is all there is.
    """

    __slots__ = ("blanks", "block", "data", "is_plain")

    def __init__(self, block: bytes, blanks: int = 0) -> None:
        self.block = block
        self.blanks = blanks
        self.is_plain = block.startswith(_DATA) and b"\n" not in block
        self.data = block[len(_DATA) :].removeprefix(b" ") if self.is_plain else self._joined()

    def _joined(self) -> bytes | None:
        parts = [value for name, value in self.lines() if name == "data"]
        return "\n".join(parts).encode() if parts else None

    def lines(self) -> tuple[tuple[str, str], ...]:
        """The lines as (field, value) in order; a comment has the field ""."""
        return tuple(map(_field, self.block.split(b"\n"))) if self.block else ()

    def replaced(self, data: bytes | None, others: Mapping[int, tuple[str, str]]) -> bytes:
        """The event with other data (None: its own) and other lines at some places; all else as it came, ends in LF."""
        if data is None and not others:
            return self.block + _END if self.block else b"\n" * self.blanks
        if self.is_plain and data and b"\n" not in data:
            return b"data: " + data + _END
        parts: list[bytes] = []
        is_written = data is None
        for place, ((name, _), written) in enumerate(zip(self.lines(), self.block.split(b"\n"), strict=True)):
            if place in others:
                parts.append(_line(*others[place]))
            elif name != "data" or data is None:
                parts.append(written)
            elif not is_written:
                parts += (_line("data", line) for line in data.decode("utf-8", "surrogateescape").split("\n"))
                is_written = True
        return b"\n".join(parts) + _END


def _line(name: str, value: str) -> bytes:
    return (f"{name}: {value}" if value else f"{name}:").encode("utf-8", "surrogateescape")


def _field(line: bytes) -> tuple[str, str]:
    name, _, value = line.decode("utf-8").partition(":")
    return name, value.removeprefix(" ")


class EventSplitter:
    """Takes bytes in any portions and gives whole events; an event larger than `limit` bytes is refused."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._after_cr = False
        self._at_start = True

    def feed(self, data: bytes) -> list[Event]:
        """The events that `data` completes.

        Raises Refused(BODY_TRUNCATED) for one over the limit and Refused(MALFORMED_CALL) for bytes
        that are not UTF-8.
        """
        if not data:
            return []
        if self._after_cr:
            data = data.removeprefix(b"\n")
        self._after_cr = data.endswith(b"\r") if data else False
        searched = max(0, len(self._buffer) - 1)
        self._buffer += data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data
        if self._at_start and not self._past_bom():
            return []
        # up to the last blank line, and blank lines with nothing before them
        end = self._buffer.rfind(_END, searched) + len(_END)
        end = 0 if end < len(_END) else end
        end += self._buffer.startswith(b"\n", end)
        whole = bytes(self._buffer[:end])
        del self._buffer[:end]
        if len(self._buffer) > self._limit:
            raise _too_large()
        return self._events(whole)

    def _past_bom(self) -> bool:
        if len(self._buffer) < len(_BOM) and _BOM.startswith(self._buffer):
            return False
        if self._buffer.startswith(_BOM):
            del self._buffer[: len(_BOM)]
        self._at_start = False
        return True

    def _events(self, whole: bytes) -> list[Event]:
        try:
            whole.decode("utf-8", "strict")
        except UnicodeDecodeError:
            raise Refused(Reason.MALFORMED_CALL, "an event is not UTF-8") from None
        events: list[Event] = []
        blanks = 0
        *parts, rest = whole.split(_END)
        for part in parts:
            block = part.removeprefix(b"\n")
            blanks += len(part) - len(block)
            if not block:
                blanks += len(_END)
                continue
            if len(block) > self._limit:
                raise _too_large()
            if blanks:
                events.append(Event(b"", blanks))
                blanks = 0
            events.append(Event(block))
        blanks += len(rest)  # nothing but the end of a line is left
        if blanks:
            events.append(Event(b"", blanks))
        return events


def _too_large() -> Refused:
    return Refused(Reason.BODY_TRUNCATED, "an event is larger than what can be checked")
