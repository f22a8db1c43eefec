"""Live updates of pages: server-sent events (WHATWG HTML, section 9.2), a few for each person, as long as they may."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.responses import Response, StreamingResponse

from aegis_authz.control.http import HttpProblem
from aegis_authz.ports.data_plane import StoreDown
from aegis_authz.ports.database import DatabaseFault

_MOST_EACH, _MOST = 12, 400
"""Streams of a person, and of all."""
_EVERY = 1.0
"""Seconds between two looks."""
_BEATS = 10
"""Looks between two signs of life, and between two looks at whether the reader may still read."""
_MOST_LOOKS = 3_600


@dataclass(frozen=True, slots=True)
class State:
    """What a page shows now. `mark` is another when that is another; `render` makes the fragment of it."""

    mark: object
    render: Callable[[], str]


class Streams:
    """The streams of one server: all end when it does."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._end = asyncio.Event()

    def close(self) -> None:
        """End all of them."""
        self._end.set()

    def require_place(self, person_id: str) -> None:
        """Refuse a stream of that person where there is no place for another. Raises HttpProblem with 429."""
        if self._open[person_id] >= _MOST_EACH or self._open.total() >= _MOST:
            raise HttpProblem(429, "too many live pages are open: close some", retry_after=30)

    @contextmanager
    def place(self, person_id: str) -> Iterator[None]:
        """The place that a stream of that person takes."""
        self._open[person_id] += 1
        try:
            yield
        finally:
            self._open[person_id] -= 1
            self._open += Counter()  # forgets whoever has none

    async def is_over(self, seconds: float) -> bool:
        """Whether the server ends within these seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._end.wait()
        except TimeoutError:
            return False
        return True


def event_stream(
    streams: Streams,
    person_id: str,
    name: str,
    look: Callable[[], Awaitable[State]],
    may_read: Callable[[], Awaitable[bool]],
) -> Response:
    """The stream of what a page shows: at once, and whenever it is another, as events of that name.

    It ends when its reader may read no more, when a store is away, and within an hour; browsers then ask again, which
    says what is wrong. Raises HttpProblem with 429.
    """
    streams.require_place(person_id)

    async def events() -> AsyncIterator[bytes]:
        with streams.place(person_id):
            async for chunk in _chunks(streams, name, look, may_read):
                yield chunk

    headers = {"x-accel-buffering": "no", "cache-control": "no-store"}
    return StreamingResponse(events(), 200, headers, "text/event-stream")


async def _chunks(
    streams: Streams, name: str, look: Callable[[], Awaitable[State]], may_read: Callable[[], Awaitable[bool]]
) -> AsyncIterator[bytes]:
    last: object = None
    for turn in range(_MOST_LOOKS):
        try:
            if turn % _BEATS == 0:
                if not await may_read():
                    return
                yield b": alive\n\n"
            state = await look()
            if turn == 0 or state.mark != last:
                if not await may_read():
                    return
                yield event(name, state.render())
                last = state.mark
        except (StoreDown, DatabaseFault, HttpProblem):
            return
        if await streams.is_over(_EVERY):
            return


def event(name: str, text: str) -> bytes:
    """One event of that name with that text, whatever is in it."""
    lines = "".join(f"data: {line}\n" for line in text.splitlines() or [""])
    return f"event: {name}\n{lines}\n".encode()
