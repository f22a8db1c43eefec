"""The page on which finance sees what calls cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from aegis_authz.api.limits import LimitAnswer
from aegis_authz.control.gate import Asker, Authentication, Caller, Reach, needs, people_router
from aegis_authz.control.http import HttpProblem
from aegis_authz.control.pages.frame import frame_of
from aegis_authz.control.pages.spend import SPANS, USUAL_SPAN, SpendFilter, SpendPage, spend_page
from aegis_authz.control.routes.spend import read_spend, rows_for
from aegis_authz.control.spend.charts import BY, CurrencySheet, first_day, sheets_of
from aegis_authz.control.spend.limit_accounts import LimitBook
from aegis_authz.control.spend.spend_reading import SpendReader
from aegis_authz.core.person import Domain
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Seconds
from aegis_authz.evidence.spend import SpendRow
from aegis_authz.people.permissions import Permission, may
from aegis_authz.ports.data_plane import StoreDown

Word = Annotated[str, Query(max_length=200)]
Days = Annotated[str, Query(pattern=f"^({'|'.join(map(str, SPANS))})?$")]
_AGE = Seconds(15.0)
"""How old the sums of a page may be: whoever tries filters does not have all records read for each."""
_MOST_AGENTS = 5
_TENANT, _AGENT, _TOOL = 0, 1, 2
_UNKNOWN = "Redis does not answer, so that nobody can say how limits stand."


def spend_page_routes(reader: SpendReader, book: LimitBook, authentication: Authentication) -> list[APIRouter]:
    """`/spend`."""
    people = people_router(authentication)

    @people.get("/spend", include_in_schema=False, dependencies=[needs(Permission.READ_SPEND, Reach.EACH)])
    async def show_spend_page(
        caller: Asker, request: Request, tenant: Word = "", agent: Word = "", tool: Word = "", days: Days = ""
    ) -> Response:
        """Show charts of what calls cost, and what is left of budgets."""
        choice = SpendFilter(tenant.strip(), agent.strip(), tool.strip(), int(days or USUAL_SPAN))
        if choice.agent:
            _require_scope(choice.agent)
        since = first_day(book.clock.now(), choice.days)
        summary = await read_spend(reader, BY, since, _AGE, caller.id, partial(_summary, caller, choice, since))
        agents = [Scope.parse(choice.agent)] if choice.agent else summary.spenders
        limits, note = await _limits(book, agents, caller, is_whole=bool(choice.agent))
        content = SpendPage(choice, summary.sheets, summary.tenants, summary.tools, limits, note)
        return spend_page(content, frame_of(request))

    return [people]


@dataclass(frozen=True, slots=True)
class _Summary:
    """What a page is made of: charts of the choice, the tenants and tools there are to choose, and who spends most."""

    sheets: Sequence[CurrencySheet]
    tenants: Sequence[str]
    tools: Sequence[str]
    spenders: Sequence[Scope]


def _summary(caller: Caller, choice: SpendFilter, since: float, read: Sequence[SpendRow]) -> _Summary:
    rows = rows_for(caller, read)
    selection = [row for row in rows if _is_chosen(row, choice)]
    return _Summary(
        sheets_of(selection, since, choice.days),
        sorted({row.key[_TENANT] for row in rows}),
        sorted({row.key[_TOOL] for row in rows}),
        _spenders(selection),
    )


def _require_scope(agent: str) -> None:
    try:
        Scope.parse(agent)
    except ValueError as fault:
        raise HttpProblem(400, f"agent: {fault}") from None


def _is_chosen(row: SpendRow, choice: SpendFilter) -> bool:
    places = ((choice.tenant, _TENANT), (choice.agent, _AGENT), (choice.tool, _TOOL))
    return all(value in ("", row.key[place]) for value, place in places)


def _spenders(rows: Sequence[SpendRow]) -> list[Scope]:
    """The agents that spend most, whatever the currency; of what bears no agent's name nobody has a limit."""
    spent: dict[Scope, int] = {}
    for row in rows:
        try:
            scope = Scope.parse(row.key[_AGENT])
        except ValueError:
            continue
        spent[scope] = spent.get(scope, 0) + row.micros
    return sorted(spent, key=lambda scope: (-spent[scope], str(scope)))[:_MOST_AGENTS]


async def _limits(
    book: LimitBook, agents: Sequence[Scope], caller: Caller, *, is_whole: bool
) -> tuple[list[LimitAnswer], str]:
    """How the limits of these agents stand, of each account once; budgets alone unless the `is_whole` is asked for."""
    standing: dict[tuple[str, str], LimitAnswer] = {}
    try:
        for scope in agents:
            if not may(caller.person, Permission.READ_LIMITS, Domain.of(scope)):
                continue
            for charge, account in await book.of(scope):
                answer = LimitAnswer.of_charge(charge, account)
                if is_whole or answer.currency:
                    standing[answer.id, answer.holder] = answer
    except StoreDown:
        return [], _UNKNOWN
    return list(standing.values()), ""
