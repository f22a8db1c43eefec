"""When the sockets of the HTTP/2 host are read: calls that come soon after each other are begun together."""

from __future__ import annotations

from typing import Final

from aegis_authz.core.cadence import Cadence

WINDOW: Final = 0.006
"""Seconds between two reads of a socket when much comes (docs/decisions/0053)."""
_WORTH: Final = 4.0  # calls within a window that are worth waiting for, as of queries to OPA and of records
_EARLY: Final = 0.001  # seconds: timers of the event loop ring that early


class Intake:
    """When a socket that was read is read on: at once while few calls come, at the end of the window when many do.

    The windows are those of the host: calls of all its sockets are begun together. `now` is in seconds of the event
    loop's clock everywhere.
    """

    __slots__ = ("_cadence", "_ends", "_window")

    def __init__(self, window: float) -> None:
        self._window = window
        self._cadence = Cadence(window, _WORTH)
        self._ends = 0.0

    def reads_on(self, calls: int, now: float) -> float:
        """The moment to read on after a read at `now` that began so many calls; `now` for at once."""
        if not calls:
            return now
        for _ in range(calls):
            self._cadence.came(now)
        if now > self._ends - _EARLY:
            self._ends = now + self._window
            self._cadence.began(now)
        return max(now, self._cadence.next_start(now))
