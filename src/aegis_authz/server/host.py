"""What every host of the handlers has in common."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Final, Protocol

MAX_MESSAGE: Final = 16 * 1024 * 1024
"""Bytes of the longest message that is taken."""

Process = Callable[[AsyncIterator[bytes]], AsyncGenerator[bytes, None]]
"""What a host serves for bodies, and for access logs: messages in, messages out; StreamAborted aborts."""


class Host(Protocol):
    """Carries bytes between Envoy and the handlers."""

    async def start(self) -> None:
        """Be there for calls, NOT_SERVING. Raises RuntimeError when the address is taken."""
        ...

    async def set_health(self, ready: bool, serving: bool) -> None:
        """Tell everyone who watches grpc.health.v1: the service "" is `ready`, the two Envoy asks are `serving`."""
        ...

    async def stop(self, grace: float) -> None:
        """Accept nothing new, wait at most `grace` seconds for what is under way."""
        ...
