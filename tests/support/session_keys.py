"""Keys of MCP sessions that a test holds still."""

from __future__ import annotations

from dataclasses import dataclass

KEY, EARLIER, GONE = b"k" * 32, b"e" * 32, b"g" * 32


@dataclass
class StillSessionKeys:
    """`KEY` binds new sessions, and those of `EARLIER` go on."""

    keys: tuple[bytes, ...] = (KEY, EARLIER)

    def session_keys(self) -> tuple[bytes, ...]:
        return self.keys
