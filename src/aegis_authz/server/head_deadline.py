"""HTTP whose silent connections end: 128 that ask nothing must not close the door for all others."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class HeadDeadline(HttpToolsProtocol):
    """Ends a connection on which no whole head of a request came for as long as uvicorn keeps one alive.

    uvicorn itself waits for ever for the first byte, and for the rest of a head once a byte of it came.
    """

    _deadline: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Wait for the first head."""
        super().connection_made(transport)
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._deadline.cancel()
        super().connection_lost(exc)

    def on_headers_complete(self) -> None:
        """The head came: its answer takes what it takes."""
        self._deadline.cancel()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Wait for the next head, where it is not there already."""
        is_next_there = bool(self.pipeline)
        super().on_response_complete()
        if not is_next_there:
            self._begin()

    def _begin(self) -> None:
        self._deadline = self.loop.call_later(self.timeout_keep_alive, self.transport.close)
