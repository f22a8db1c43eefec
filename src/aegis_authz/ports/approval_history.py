"""What keeps the events of held calls for good, beside the store in which a call is held for a while."""

from __future__ import annotations

from typing import Protocol

from aegis_authz.core.approval_event import ApprovalEvent, HistoryLine
from aegis_authz.core.units import Epoch


class ApprovalHistory(Protocol):
    """Events of held calls, of all control planes on one database."""

    async def append(self, event: ApprovalEvent) -> bool:
        """Keep an event; returns whether it is new: of one call each person does each thing once.

        Raises DatabaseFault.
        """
        ...

    async def lines(self, since: Epoch, until: Epoch, after: int, limit: int) -> list[HistoryLine]:
        """At most `limit` events from `since` to before `until`, numbered above `after`, in their order.

        Raises DatabaseFault.
        """
        ...
