"""Where the control plane keeps who did what."""

from __future__ import annotations

from typing import Protocol

from aegis_authz.core.change_line import Act, ChangeLine


class ChangeLog(Protocol):
    """Acts in the order they were written, which nobody can change or take back. May raise DatabaseFault."""

    async def append(self, act: Act) -> ChangeLine:
        """Write an act after all that are there."""
        ...

    async def lines(self, after: int, limit: int) -> list[ChangeLine]:
        """At most `limit` lines whose number is above `after`, in their order."""
        ...

    async def latest(self, before: int | None, limit: int) -> list[ChangeLine]:
        """At most `limit` lines whose number is below `before` (None: all), the newest first."""
        ...
