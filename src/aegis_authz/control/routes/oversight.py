"""Oversight of approvals: figures for people, on a page and in the API."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aegis_authz.api.oversight import OversightAnswer, OversightRow, StampAnswer
from aegis_authz.approvals.oversight import Dimension, Stamp
from aegis_authz.control.approvals.overseeing import Overseer, TooManyEvents
from aegis_authz.control.gate import Asker, Authentication, Reach, needs, people_router
from aegis_authz.control.http import HttpProblem
from aegis_authz.control.pages.frame import frame_of
from aegis_authz.control.pages.oversight import USUAL_DAYS, oversight_page
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Seconds
from aegis_authz.evidence.oversight import Figures
from aegis_authz.people.permissions import Permission

By = Annotated[Dimension, Query(description="What to group by.")]
Days = Annotated[float, Query(gt=0, le=366, allow_inf_nan=False, description="Of the last so many days.")]
PageDays = Annotated[str, Query(pattern=r"^([0-9]{1,4}(\.[0-9]{1,6})?)?$")]
_DAY = 86_400.0
_MOST_DAYS = 366
_ON_PAGE = (Dimension.PERSON, Dimension.RULE, Dimension.CHANNEL)


def oversight_routes(overseer: Overseer, authentication: Authentication) -> list[APIRouter]:
    """`/v1/oversight` and `/oversight`."""
    people = people_router(authentication)
    reads = needs(Permission.READ_APPROVALS, Reach.EACH)

    async def seen(
        groupings: Collection[Dimension], days: float, visible: Callable[[Scope], bool]
    ) -> tuple[dict[Dimension, list[Figures]], list[Stamp]]:
        try:
            return await overseer.figures(groupings, Seconds(days * _DAY), visible), await overseer.stamps(visible)
        except TooManyEvents as fault:
            raise HttpProblem(400, str(fault)) from None

    @people.get("/v1/oversight", dependencies=[reads])
    async def get_oversight(caller: Asker, by: By = Dimension.PERSON, days: Days = USUAL_DAYS) -> OversightAnswer:
        """Tell how people decided, of the tenants that the caller may see, and who approves without reading."""
        tables, stamps = await seen([by], days, caller.may_for)
        return OversightAnswer(
            by=by.value,
            days=days,
            rows=tuple(OversightRow(**asdict(row)) for row in tables[by]),
            rubber_stamping=tuple(StampAnswer(**asdict(stamp)) for stamp in stamps),
        )

    @people.get("/approvals/oversight", include_in_schema=False, dependencies=[reads])
    async def lead_to_oversight_page(request: Request) -> Response:
        """Lead to where the page is now, with the question."""
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"/oversight{query}", status_code=308)

    @people.get("/oversight", include_in_schema=False, dependencies=[reads])
    async def show_oversight_page(caller: Asker, request: Request, days: PageDays = "") -> Response:
        """Show the same by person, rule and channel."""
        span = _span(days)
        tables, stamps = await seen(_ON_PAGE, span, caller.may_for)
        return oversight_page(span, {by.value: rows for by, rows in tables.items()}, stamps, frame_of(request))

    return [people]


def _span(days: str) -> float:
    """The days that an address says; where a filter leaves them empty, the usual ones."""
    span = float(days or USUAL_DAYS)
    if not 0 < span <= _MOST_DAYS:
        raise HttpProblem(400, f"days must be more than 0 and at most {_MOST_DAYS}")
    return span
