"""Which revision is served, and waiting for the next one (the far end of OPA's long poll)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aegis_authz.control.directory import Directory
from aegis_authz.core.approval import ApprovalRequest
from aegis_authz.core.basis import Bases
from aegis_authz.core.units import Revision


@dataclass(frozen=True, slots=True)
class Live:
    """The revision served, its signed bundle, and who is registered in it.

    `bases` are the digests of what it judges by, None where they are not known.
    """

    revision: Revision
    bundle: bytes
    directory: Directory
    bases: Bases | None


class Bulletin:
    """Holds what is served; whoever waits for news is woken by it."""

    def __init__(self) -> None:
        self._live: Live | None = None
        self._news = asyncio.Event()
        self._closed = False

    @property
    def live(self) -> Live | None:
        """What is served, None before the first release."""
        return self._live

    def is_stale(self, request: ApprovalRequest) -> bool:
        """Whether what judges that call is known to be another now than when it was held."""
        bases = None if self._live is None else self._live.bases
        return bases is not None and bases.of(request.scope, request.tool) != request.basis

    def announce(self, live: Live) -> None:
        """Serve this from now on and wake everyone who waits."""
        self._live = live
        self._wake()

    def close(self) -> None:
        """Let everyone who waits go, now and from now on: the process is about to stop."""
        self._closed = True
        self._wake()

    async def other_than(self, revision: str, wait: float) -> Live | None:
        """What is served, as soon as it is another revision, at the latest after `wait` seconds."""
        try:
            async with asyncio.timeout(wait):
                while not self._closed and self._live is not None and self._live.revision == revision:
                    await self._news.wait()
        except TimeoutError:
            return self._live
        return self._live

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
