"""The real clock and the real randomness."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from typing import cast

from aegis_authz.core.units import DecisionId, Epoch, Monotonic

_POOL = 4096


class SystemClock:
    """`ports.Clock` over the operating system's clocks."""

    # The functions themselves: every call reads them a dozen times, and a frame around each costs more than the
    # reading.
    now = staticmethod(cast("Callable[[], Epoch]", time.time))
    """The time of day."""
    monotonic = staticmethod(cast("Callable[[], Monotonic]", time.monotonic))
    """CLOCK_MONOTONIC, which is also asyncio's and uvloop's loop time."""


class SystemIds:
    """`ports.Ids` over the operating system's randomness, which is asked for many ids at once:
    a call costs more than an id.
    """

    def __init__(self) -> None:
        self._pool = b""
        self._offset = 0

    def decision_id(self) -> DecisionId:
        """A UUIDv7 (RFC 9562 section 5.7): 48 bits of milliseconds, then random bits."""
        bits = int.from_bytes(self._random(10), "big") | (time.time_ns() // 1_000_000) << 80
        text = f"{bits & ~(0xF << 76 | 0x3 << 62) | 0x7 << 76 | 0x2 << 62:032x}"
        return DecisionId(f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}")

    def token(self) -> str:
        """128 random bits as lower-case hex."""
        return self._random(16).hex()

    def _random(self, size: int) -> bytes:
        if self._offset + size > len(self._pool):
            self._pool, self._offset = os.urandom(_POOL), 0
        self._offset += size
        return self._pool[self._offset - size : self._offset]


def chance() -> float:
    """A number from 0 to below 1, for what shall not happen everywhere at once; no secret is made of it."""
    return random.random()  # noqa: S311  # see above
