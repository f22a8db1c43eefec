"""What waits for people, and what waited lately, as pages show it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aegis_authz.approvals.deciding import Approver
from aegis_authz.core.approval import Approval, ApprovalState
from aegis_authz.core.units import Monotonic

_PAGE, _MOST_PAGES = 200, 50
_MOST_BACK = 3
"""Pages that are looked through for the past of a call."""
_FRESH = 0.9
"""Seconds for which what was read of all that waits is good."""


async def recent(approver: Approver) -> list[Approval]:
    """The held calls that are kept, those that expire last first, as far as a page looks back."""
    approvals: list[Approval] = []
    after = ""
    for _ in range(_MOST_BACK):
        page = await approver.page(None, _PAGE, after)
        approvals += page.approvals
        after = page.after
        if not after:
            break
    return approvals


class Waiting:
    """All that waits, read at most once a second however many look."""

    def __init__(self, approver: Approver, now: Callable[[], Monotonic]) -> None:
        self._approver = approver
        self._now = now
        self._lock = asyncio.Lock()
        self._approvals: list[Approval] = []
        self._fresh_until = Monotonic(0.0)

    async def all(self) -> list[Approval]:
        """What waits, of every tenant. Raises StoreDown."""
        async with self._lock:
            if self._now() >= self._fresh_until:
                self._approvals = await pending(self._approver)
                self._fresh_until = Monotonic(self._now() + _FRESH)
            return self._approvals


async def pending(approver: Approver) -> list[Approval]:
    """All that waits: pages end with what expires first, and are of every tenant's."""
    approvals: list[Approval] = []
    after = ""
    for _ in range(_MOST_PAGES):
        page = await approver.page(ApprovalState.PENDING, _PAGE, after)
        approvals += page.approvals
        after = page.after
        if not after:
            break
    return approvals
