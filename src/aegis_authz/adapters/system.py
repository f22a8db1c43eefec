"""The real clock and the real randomness."""

from __future__ import annotations

import os
import secrets
import time
import uuid


class SystemClock:
    """`ports.Clock` over the operating system's clocks."""

    def now(self) -> float:
        """Wall-clock seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds of CLOCK_MONOTONIC, which is also asyncio's and uvloop's loop time."""
        return time.monotonic()


class SystemIds:
    """`ports.Ids` over the operating system's randomness."""

    def decision_id(self) -> str:
        """A UUIDv7 (RFC 9562 section 5.7): 48 bits of milliseconds, then random bits."""
        value = int.from_bytes(os.urandom(10), "big") | (time.time_ns() // 1_000_000) << 80
        value = value & ~(0xF << 76) | 0x7 << 76
        value = value & ~(0x3 << 62) | 0x2 << 62
        return str(uuid.UUID(int=value))

    def token(self) -> str:
        """128 random bits as lower-case hex."""
        return secrets.token_hex(16)
