"""The route by which finance sees what calls cost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from aegis_authz.api.spend import SpendAnswer, SpendAnswerRow
from aegis_authz.control.http import HttpProblem, guarded_router
from aegis_authz.evidence.spend import Dimension, SpendRow

Spend = Callable[[Sequence[Dimension], float], list[SpendRow]]
"""Adds up what the records say that calls cost, by what and since when. Blocks on the disk; raises OSError."""

By = Annotated[list[Dimension], Query(description="What to add up by; may be repeated.", max_length=len(Dimension))]
Since = Annotated[
    float, Query(ge=0, allow_inf_nan=False, description="Only calls from then on, seconds since the epoch.")
]
_DEFAULT_BY = (Dimension.TENANT, Dimension.TOOL)


def spend_routes(spend: Spend, admin_token: str) -> list[APIRouter]:
    """What calls cost, for the bearer of the admin token."""
    admin = guarded_router(admin_token, "admin")
    reading = asyncio.Lock()  # all records are read each time: never twice at once

    @admin.get("/v1/spend")
    async def list_spend(by: By = list(_DEFAULT_BY), since: Since = 0) -> SpendAnswer:  # noqa: B006  # FastAPI copies it
        """Add up what calls cost, from the records."""
        dimensions = tuple(dict.fromkeys(by))
        try:
            async with reading:
                rows = await asyncio.to_thread(spend, dimensions, since)
        except OSError as fault:
            raise HttpProblem(503, f"the records cannot be read: {fault.strerror}") from None
        return SpendAnswer.of([_row(row, dimensions) for row in rows])

    return [admin]


def _row(row: SpendRow, by: Sequence[Dimension]) -> SpendAnswerRow:
    return SpendAnswerRow(
        **{dimension.value: value for dimension, value in zip(by, row.key, strict=True)},
        currency=row.currency,
        calls=row.calls,
        micros=row.micros,
        unsettled_micros=row.unsettled,
        released_calls=row.released,
    )
