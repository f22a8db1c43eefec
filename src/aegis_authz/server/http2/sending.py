"""What a server says on one HTTP/2 connection, within the windows its peer opened (RFC 9113, section 5.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from aegis_authz.server.http2.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    FLOW_CONTROL_ERROR,
    HEADERS,
    LARGEST_FRAME,
    LARGEST_WINDOW,
    PROTOCOL_ERROR,
    ConnectionBroken,
    frame,
)

_FIRST_WINDOW: Final = 65_535
_LARGEST_OF_ALL: Final = 2**24 - 1


@dataclass(slots=True)
class _Stream:
    """`waiting`: body that found no window. `last_words`: the trailers behind it."""

    window: int
    waiting: bytearray = field(default_factory=bytearray)
    last_words: bytes = b""


class Sending:
    """The half of a connection that writes. What `take` gives is to be sent in that order."""

    def __init__(self) -> None:
        self.open: dict[int, _Stream] = {}
        self._out: list[bytes] = []
        self._window = _FIRST_WINDOW
        self._initial_window = _FIRST_WINDOW
        self._largest_frame = LARGEST_FRAME

    def take(self) -> list[bytes]:
        """What is to be sent now."""
        pending, self._out = self._out, []
        return pending

    def frame(self, piece: bytes) -> None:
        """Send a frame that no window holds back."""
        self._out.append(piece)

    def begin(self, stream: int) -> None:
        """A stream may be answered from now on."""
        self.open[stream] = _Stream(self._initial_window)

    def drop(self, stream: int) -> bool:
        """Forget a stream; whether it was still to be answered."""
        return self.open.pop(stream, None) is not None

    def headers(self, stream: int, block: bytes) -> None:
        """Begin the answer. `block` fits into one frame."""
        if stream in self.open:
            self._out.append(frame(HEADERS, END_HEADERS, stream, block))

    def data(self, stream: int, body: bytes) -> None:
        """Send a part of the answer, as soon as windows allow."""
        state = self.open.get(stream)
        if state is None:
            return
        if not state.waiting and len(body) <= min(self._window, state.window, self._largest_frame):
            self._window -= len(body)
            state.window -= len(body)
            self._out.append(frame(DATA, 0, stream, body))
            return
        state.waiting += body
        self._flow(stream, state)

    def end(self, stream: int, block: bytes) -> None:
        """End the answer with trailers, behind what still waits."""
        state = self.open.get(stream)
        if state is None:
            return
        ending = frame(HEADERS, END_HEADERS | END_STREAM, stream, block)
        if state.waiting:
            state.last_words = ending
        else:
            del self.open[stream]
            self._out.append(ending)

    def waits(self, stream: int) -> bool:
        """Whether a part of the answer found no window yet."""
        state = self.open.get(stream)
        return state is not None and bool(state.waiting)

    def may_send(self, stream: int, increment: int) -> None:
        """The peer opened a window; stream 0 is the connection's. Raises ConnectionBroken."""
        if stream == 0:
            was_shut = self._window <= 0
            self._window = _within_bounds(self._window + increment)
            # else it held nobody back, and to look at every stream would cost more than the peer pays
            if was_shut:
                self._flow_all()
        elif stream in self.open:
            state = self.open[stream]
            state.window = _within_bounds(state.window + increment)
            self._flow(stream, state)

    def set_initial_window(self, size: int) -> None:
        """The peer's INITIAL_WINDOW_SIZE, which moves the windows of all open streams. Raises ConnectionBroken."""
        moved, self._initial_window = _within_bounds(size) - self._initial_window, size
        for number, state in list(self.open.items()):
            state.window = _within_bounds(state.window + moved)
            self._flow(number, state)

    def set_largest_frame(self, size: int) -> None:
        """The peer's MAX_FRAME_SIZE. Raises ConnectionBroken."""
        if not LARGEST_FRAME <= size <= _LARGEST_OF_ALL:
            raise ConnectionBroken(PROTOCOL_ERROR, "a frame size that cannot be")
        self._largest_frame = size

    def _flow_all(self) -> None:
        for number, state in list(self.open.items()):
            if state.waiting:
                self._flow(number, state)

    def _flow(self, stream: int, state: _Stream) -> None:
        while state.waiting:
            room = min(self._window, state.window, self._largest_frame)
            if room <= 0:
                return
            part = bytes(state.waiting[:room])
            del state.waiting[:room]
            self._window -= len(part)
            state.window -= len(part)
            self._out.append(frame(DATA, 0, stream, part))
        if state.last_words:
            del self.open[stream]
            self._out.append(state.last_words)


def _within_bounds(window: int) -> int:
    if window > LARGEST_WINDOW:
        raise ConnectionBroken(FLOW_CONTROL_ERROR, "a window that is too large")
    return window
