"""The route by which finance sees what calls cost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from aegis_authz.api.spend import SpendAnswer, SpendAnswerRow
from aegis_authz.control.gate import Asker, Authentication, Reach, needs, people_router
from aegis_authz.control.http import HttpProblem
from aegis_authz.evidence.spend import Dimension, SpendRow
from aegis_authz.people.permissions import Permission

Spend = Callable[[Sequence[Dimension], float], list[SpendRow]]
"""Adds up what the records say that calls cost, by what and since when. Blocks on the disk; raises OSError."""

By = Annotated[list[Dimension], Query(description="What to add up by; may be repeated.", max_length=len(Dimension))]
Since = Annotated[
    float, Query(ge=0, allow_inf_nan=False, description="Only calls from then on, seconds since the epoch.")
]
_DEFAULT_BY = (Dimension.TENANT, Dimension.TOOL)


def spend_routes(spend: Spend, authentication: Authentication) -> list[APIRouter]:
    """What calls cost, for those who may."""
    people = people_router(authentication)
    reading = asyncio.Lock()  # all records are read each time: never twice at once

    @people.get("/v1/spend", dependencies=[needs(Permission.READ_SPEND, Reach.EACH)])
    async def list_spend(
        caller: Asker,
        by: By = list(_DEFAULT_BY),  # noqa: B006  # FastAPI copies it
        since: Since = 0,
    ) -> SpendAnswer:
        """Add up what calls cost, from the records."""
        # whoever does not see all sees sums of single tenants alone
        dimensions = tuple(dict.fromkeys(by if caller.sees_all else (Dimension.TENANT, *by)))
        try:
            async with reading:
                rows = await asyncio.to_thread(spend, dimensions, since)
        except OSError as fault:
            raise HttpProblem(503, f"the records cannot be read: {fault.strerror}") from None
        if not caller.sees_all:
            rows = [row for row in rows if caller.may_in(*_tenant(row))]
        return SpendAnswer.of([_row(row, dimensions) for row in rows])

    return [people]


def _tenant(row: SpendRow) -> tuple[str, str]:
    org, _, tenant = row.key[0].partition("/")
    return org, tenant


def _row(row: SpendRow, by: Sequence[Dimension]) -> SpendAnswerRow:
    return SpendAnswerRow(
        **{dimension.value: value for dimension, value in zip(by, row.key, strict=True)},
        currency=row.currency,
        calls=row.calls,
        micros=row.micros,
        unsettled_micros=row.unsettled,
        released_calls=row.released,
    )
