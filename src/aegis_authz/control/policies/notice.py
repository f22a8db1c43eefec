"""What OPA polls for: the newest of something, and waiting for another than the known one."""

from __future__ import annotations

import asyncio
from typing import Generic, Protocol, TypeVar


class Posted(Protocol):
    """What can be announced."""

    @property
    def etag(self) -> str:
        """The name of exactly this content."""
        ...

    @property
    def bundle(self) -> bytes:
        """The content, as OPA takes it."""
        ...


Content = TypeVar("Content", bound=Posted)


class Notice(Generic[Content]):
    """Holds what is served; whoever waits for news is woken by it."""

    def __init__(self) -> None:
        self._current: Content | None = None
        self._news = asyncio.Event()
        self._closed = False

    @property
    def current(self) -> Content | None:
        """What is served, None before the first."""
        return self._current

    def announce(self, content: Content) -> None:
        """Serve this from now on and wake everyone who waits."""
        self._current = content
        self._wake()

    def close(self) -> None:
        """Let everyone who waits go, now and from now on: the process is about to stop."""
        self._closed = True
        self._wake()

    async def other_than(self, etag: str, wait: float) -> Content | None:
        """What is served, as soon as it is another than that, at the latest after `wait` seconds."""
        try:
            async with asyncio.timeout(wait):
                while not self._closed and self._current is not None and self._current.etag == etag:
                    await self._news.wait()
        except TimeoutError:
            return self._current
        return self._current

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
