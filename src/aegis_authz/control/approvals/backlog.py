"""The calls that wait for a person now: how many, and since when."""

from __future__ import annotations

from dataclasses import dataclass

from aegis_authz.approvals.deciding import Approver
from aegis_authz.core.approval import ApprovalState
from aegis_authz.core.units import Epoch

_PAGE = 500
_MOST_PAGES = 20
"""A page costs Redis the rows of its approvals; beyond 10,000 the figure says enough."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many calls wait, and when the first of them was held, None where none waits."""

    count: int
    oldest: Epoch | None


async def backlog(approver: Approver) -> Backlog:
    """The backlog of all tenants, of which at most 10,000 calls are counted. Raises StoreDown."""
    count, oldest, after = 0, None, ""
    for _ in range(_MOST_PAGES):
        page = await approver.page(ApprovalState.PENDING, _PAGE, after)
        count += len(page.approvals)
        moments = [approval.request.requested_at for approval in page.approvals]
        oldest = min(moments if oldest is None else [*moments, oldest], default=None)
        after = page.after
        if not after:
            break
    return Backlog(count, oldest)
