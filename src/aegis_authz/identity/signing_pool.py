"""Signing where a key service may be asked: in a few threads of its own, bounded in number and in time.

A service that answers slowly would else take every thread the process has for its files, one caller after another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore

from aegis_authz.core.units import Seconds
from aegis_authz.ports.key_rings import KeyServiceDown

_THREADS = 4
_WAITING = 32
_DEADLINE = Seconds(5.0)


class SigningPool:
    """Signs in threads of its own.

    A signature that nobody waits for any more keeps its place until its thread is free: a thread cannot be stopped.
    """

    def __init__(self, threads: int = _THREADS, waiting: int = _WAITING, deadline: Seconds = _DEADLINE) -> None:
        """At most `waiting` wait for one of the `threads`; each has an answer within `deadline` seconds."""
        self._threads = ThreadPoolExecutor(threads, "sign")
        self._places = BoundedSemaphore(threads + waiting)
        self._deadline = deadline

    async def sign(self, mint: Callable[[], str]) -> str:
        """What `mint` makes, in another thread.

        Raises KeyServiceDown when too many wait or it takes too long, and whatever `mint` does.
        """
        if not self._places.acquire(blocking=False):
            raise KeyServiceDown("the key service is slow: too many signatures wait for it")
        future = self._threads.submit(mint)
        future.add_done_callback(lambda _: self._places.release())
        try:
            async with asyncio.timeout(self._deadline):
                return await asyncio.wrap_future(future)  # whoever gives up takes back what has not begun
        except TimeoutError:
            raise KeyServiceDown(f"the key service signed nothing within {self._deadline:.0f} s") from None
