"""The memory twin of the history of held calls."""

from __future__ import annotations

from aegis_authz.core.approval_event import ApprovalEvent, HistoryLine
from aegis_authz.core.units import Epoch
from aegis_authz.testing.warning import warn_outside_tests


class MemoryApprovalHistory:
    """`ports.ApprovalHistory` that forgets with the process."""

    def __init__(self, *, for_tests: bool = False) -> None:
        warn_outside_tests(self, for_tests)
        self._lines: list[HistoryLine] = []

    async def append(self, event: ApprovalEvent) -> bool:
        """Keep an event; returns whether it is new."""
        key = (event.approval_id, event.kind, event.person)
        if any((line.event.approval_id, line.event.kind, line.event.person) == key for line in self._lines):
            return False
        self._lines.append(HistoryLine(len(self._lines) + 1, event))
        return True

    async def lines(self, since: Epoch, until: Epoch, after: int, limit: int) -> list[HistoryLine]:
        """At most `limit` events of that time."""
        matches = [line for line in self._lines if line.number > after and since <= line.event.at < until]
        return matches[:limit]
