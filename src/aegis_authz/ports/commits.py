"""That something was committed to the control plane's database: one look for all who wait for it."""

from __future__ import annotations

from typing import Final, Protocol

from aegis_authz.core.units import Seconds

LONGEST: Final = Seconds(30.0)
"""Seconds after which whoever waits looks, whatever the database said: another server may say the same."""


class Commits(Protocol):
    """Counts commits, by whichever process, as they are noticed: within a second.

    Who takes `number` first and reads the database then misses nothing: what is committed after the reading makes
    another number.
    """

    @property
    def number(self) -> int:
        """Another after each commit, whenever it cannot be told whether there was one, and every `LONGEST` seconds."""
        ...

    async def after(self, number: int, patience: Seconds) -> None:
        """Return once `number` is another than that, at the latest after so many seconds."""
        ...


class CommitMarks(Protocol):
    """Where a database says whether anything was committed."""

    async def read(self) -> object:
        """A value that is another once anything was committed since it was read last. Raises DatabaseFault."""
        ...
