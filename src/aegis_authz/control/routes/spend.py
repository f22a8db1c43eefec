"""The route by which finance sees what calls cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query

from aegis_authz.api.spend import SpendAnswer, SpendAnswerRow
from aegis_authz.control.gate import Asker, Authentication, Caller, Reach, needs, people_router
from aegis_authz.control.http import HttpProblem
from aegis_authz.control.spend.spend_reading import SpendReader, visible_rows
from aegis_authz.core.units import Seconds
from aegis_authz.evidence.spend import Dimension, SpendRow
from aegis_authz.people.permissions import Permission

By = Annotated[list[Dimension], Query(description="What to add up by; may be repeated.", max_length=len(Dimension))]
Since = Annotated[
    float, Query(ge=0, allow_inf_nan=False, description="Only calls from then on, seconds since the epoch.")
]
_DEFAULT_BY = (Dimension.TENANT, Dimension.TOOL)
_NOW = Seconds(0.0)
_Summary = TypeVar("_Summary")


def spend_routes(reader: SpendReader, authentication: Authentication) -> list[APIRouter]:
    """What calls cost, for those who may."""
    people = people_router(authentication)

    @people.get("/v1/spend", dependencies=[needs(Permission.READ_SPEND, Reach.EACH)])
    async def list_spend(
        caller: Asker,
        by: By = list(_DEFAULT_BY),  # noqa: B006  # FastAPI copies it
        since: Since = 0,
    ) -> SpendAnswer:
        """Add up what calls cost, from the records."""
        # whoever does not see all sees sums of single tenants alone
        dimensions = tuple(dict.fromkeys(by if caller.sees_all else (Dimension.TENANT, *by)))
        rows = await read_spend(reader, dimensions, since, _NOW, caller.id, partial(rows_for, caller))
        return SpendAnswer.of([_row(row, dimensions) for row in rows])

    return [people]


def rows_for(caller: Caller, rows: Sequence[SpendRow]) -> Sequence[SpendRow]:
    """Those of the rows that the caller may see."""
    return rows if caller.sees_all else visible_rows(rows, caller.may_in)


async def read_spend(
    reader: SpendReader,
    by: Sequence[Dimension],
    since: float,
    max_age: Seconds,
    person: str,
    of: Callable[[Sequence[SpendRow]], _Summary],
) -> _Summary:
    """What `of` makes of all sums, for a person. Raises HttpProblem where the records cannot be read, TurnMissed."""
    try:
        return await reader.summary(by, since, max_age, person, of)
    except OSError as fault:
        raise HttpProblem(503, f"the records cannot be read: {fault.strerror}") from None


def _row(row: SpendRow, by: Sequence[Dimension]) -> SpendAnswerRow:
    return SpendAnswerRow(
        **{dimension.value: value for dimension, value in zip(by, row.key, strict=True)},
        currency=row.currency,
        calls=row.calls,
        micros=row.micros,
        unsettled_micros=row.unsettled,
        released_calls=row.released,
    )
