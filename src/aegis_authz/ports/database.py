"""What keeps the control plane's people, changes and notices, whatever it is."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Transactions(Protocol):
    """Several steps of the stores of one database that are kept together, or not at all."""

    def transaction(self) -> AbstractAsyncContextManager[object]:
        """Keep what is done in the block when it ends, and nothing of it when it raises. Raises DatabaseFault."""
        ...


class DatabaseFault(Exception):
    """The database cannot be used; the message is for the log, and holds no secret."""
