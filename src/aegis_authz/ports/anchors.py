"""Where the heads of record logs are reported, and where they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from aegis_authz.core.anchor import Anchor, Head
from aegis_authz.core.units import Epoch


class RecordHeads(Protocol):
    """Where each writer says where its log stands. May raise StoreDown."""

    async def report(self, head: Head) -> None:
        """Say it in place of what was said of this log before."""
        ...

    async def heads(self) -> Sequence[Head]:
        """What was said last of each log. Nothing of it is verified."""
        ...

    async def forget(self, heads: Sequence[Head]) -> None:
        """Forget these, which are anchored; of a log that was reported anew meanwhile, that stays."""
        ...


class RecordAnchors(Protocol):
    """Heads in the order they were kept, which nobody can change or take back. May raise DatabaseFault."""

    async def append(self, at: Epoch, heads: Sequence[Head]) -> list[Anchor]:
        """Keep those that are not the newest of their log already; returns what was written."""
        ...

    async def anchors(self, after: int, limit: int) -> list[Anchor]:
        """At most `limit` anchors whose number is above `after`, in their order."""
        ...

    async def newest(self) -> list[Head]:
        """The head that was kept last of each log."""
        ...


class AnchorCopy(Protocol):
    """A copy of all anchors, outside of where they are kept. May raise AnchorCopyFault."""

    async def last(self) -> tuple[int, str]:
        """The number and the hash of the last anchor in it, 0 and `FIRST_PREVIOUS` for none."""
        ...

    async def append(self, anchors: Sequence[Anchor]) -> None:
        """Add these, which follow the last one."""
        ...


class AnchorCopyFault(Exception):
    """The copy cannot be read or written; the message is fit to show."""
