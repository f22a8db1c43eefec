"""The pages on which agents are looked at, and stopped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aegis_authz.api.limits import LimitAnswer
from aegis_authz.control.agents.revoking import NotRevoked, Revoker
from aegis_authz.control.agents.roster import Roster
from aegis_authz.control.gate import Asker, Authentication, Caller, Reach, needs, on_record, people_router
from aegis_authz.control.http import HttpProblem
from aegis_authz.control.pages import Form, Pages
from aegis_authz.control.pages.agents import STATES, AgentSheet, RosterFilter, agent_page, agents_page
from aegis_authz.control.pages.frame import frame_of
from aegis_authz.control.routes.agents import Agent, Org, Tenant
from aegis_authz.control.spend.limit_accounts import LimitBook
from aegis_authz.control.spend.limiting import LimitKeeper, NotQuarantined
from aegis_authz.core.person import WHOLE_MESH, Domain
from aegis_authz.core.revocation import Revoked
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Seconds
from aegis_authz.people.permissions import Permission, may
from aegis_authz.ports.data_plane import StoreDown

Name = Annotated[str, Query(max_length=200)]
State = Annotated[str, Query(pattern=f"^({'|'.join(STATES)})?$")]
PageNumber = Annotated[int, Query(ge=1, le=100_000)]
Verb = Literal["revoke", "restore", "quarantine", "release"]
_VERBS: tuple[Verb, ...] = ("revoke", "restore", "quarantine", "release")
_MINUTE, _MOST_MINUTES = 60.0, 400 * 24 * 60
_UNKNOWN = "Redis does not answer, so that nobody can say how its limits stand."
_NOT_SHOWN = "You may not see limits here."


@dataclass(frozen=True, slots=True)
class AgentServices:
    """What the pages of agents are about."""

    roster: Roster
    revoker: Revoker
    limits: LimitKeeper
    book: LimitBook


def agent_page_routes(services: AgentServices, authentication: Authentication, pages: Pages) -> list[APIRouter]:
    """`/agents` and what is below."""
    people = people_router(authentication, takes_forms=True)
    reads_each = needs(Permission.READ_AGENTS, Reach.EACH)
    reads = needs(Permission.READ_AGENTS, Reach.PATH)

    @people.get("/agents", include_in_schema=False, dependencies=[reads_each])
    async def list_agents_on_page(
        caller: Asker, request: Request, name: Name = "", state: State = "", page: PageNumber = 1
    ) -> Response:
        """List the agents that the caller may see."""
        entries = await services.roster.entries(caller.may_for)
        return agents_page(entries, RosterFilter(name.strip(), state, page), frame_of(request))

    @people.get("/agents/open", include_in_schema=False, dependencies=[reads_each])
    async def open_agent_page(agent: Name) -> Response:
        """Lead to the page of the agent of that name."""
        try:
            scope = Scope.parse(agent.strip())
        except ValueError as fault:
            raise HttpProblem(400, f"{fault}: write org/tenant/agent") from None
        return RedirectResponse(f"/agents/{scope}", status_code=303)

    @people.get("/agents/{org}/{tenant}/{agent}", include_in_schema=False, dependencies=[reads])
    async def show_agent_page(
        org: Org, tenant: Tenant, agent: Agent, caller: Asker, request: Request, tool: Name = ""
    ) -> Response:
        """Show one agent."""
        sheet = await _sheet(services, Scope(org, tenant, agent), caller, pages, request, tool)
        return agent_page(sheet, 200, frame_of(request))

    @people.post(
        "/agents/{org}/{tenant}/{agent}/{verb}",
        include_in_schema=False,
        dependencies=[needs(Permission.STOP_AGENTS, Reach.PATH, is_logged=False)],
    )
    async def stop_agent_on_page(
        org: Org, tenant: Tenant, agent: Agent, verb: Verb, caller: Asker, request: Request
    ) -> Response:
        """Stop the agent, or let it go on; why that was not done is told on its page."""
        scope = Scope(org, tenant, agent)
        form = await Form.read(request)
        pages.require_seal_of(form, ("agents", verb, str(scope)), caller.person, request)
        note = form.text("note")
        life = _life(form) if verb == "quarantine" else Seconds(0.0)
        refusal = _missing(form, verb, scope)
        if not refusal:
            act = partial(_stop, services, verb, scope, life, caller.id, note)
            words = (str(scope), str(Domain.of(scope)), note)
            try:
                return await on_record(authentication, caller, verb, words, act)
            except (NotRevoked, NotQuarantined) as fault:
                refusal = str(fault)
        sheet = await _sheet(services, scope, caller, pages, request, "", refusal)
        return agent_page(sheet, 409, frame_of(request))

    return [people]


async def _stop(services: AgentServices, verb: Verb, scope: Scope, life: Seconds, by: str, note: str) -> Response:
    acts: dict[Verb, Callable[[], Awaitable[object]]] = {
        "revoke": partial(services.revoker.revoke, Revoked.agent(scope), by, note),
        "restore": partial(services.revoker.restore, Revoked.agent(scope), by, note),
        "quarantine": partial(services.limits.quarantine, scope, life, by, note),
        "release": partial(services.limits.release, scope, by, note),
    }
    await acts[verb]()
    return RedirectResponse(f"/agents/{scope}", status_code=303)


def _missing(form: Form, verb: Verb, scope: Scope) -> str:
    """What a form lacks for this to be done, "" for nothing."""
    if not form.text("note"):
        return "say why: the reason is kept in the change log"
    if verb == "revoke" and form.text("confirm") != scope.agent:
        return f"to revoke it, type its name, {scope.agent}, into the field above the reason"
    return ""


def _life(form: Form) -> Seconds:
    text = form.text("minutes")
    if not (text.isascii() and text.isdigit() and len(text) < 7 and 0 < int(text) <= _MOST_MINUTES):
        raise HttpProblem(400, f"minutes must be a number from 1 to {_MOST_MINUTES}")
    return Seconds(int(text) * _MINUTE)


async def _sheet(
    services: AgentServices,
    scope: Scope,
    caller: Caller,
    pages: Pages,
    request: Request,
    tool: str,
    refusal: str = "",
) -> AgentSheet:
    entry = await services.roster.entry(scope)
    revision, rights = await services.roster.rights(scope)
    limits, limits_note = await _limits(services.book, scope, caller)
    seals: dict[str, str] = {
        verb: pages.seal_of(("agents", verb, str(scope)), caller.person, request) for verb in _VERBS
    }
    return AgentSheet(
        entry=entry,
        revision=revision,
        rights=rights,
        sees_all_documents=may(caller.person, Permission.READ_POLICIES, WHOLE_MESH),
        limits=limits,
        limits_note=limits_note,
        seals=seals if may(caller.person, Permission.STOP_AGENTS, Domain.of(scope)) else {},
        sees_decisions=may(caller.person, Permission.READ_RECORDS, Domain.of(scope)),
        sees_spend=may(caller.person, Permission.READ_SPEND, Domain.of(scope)),
        tool=tool,
        refusal=refusal,
    )


async def _limits(book: LimitBook, scope: Scope, caller: Caller) -> tuple[list[LimitAnswer], str]:
    if not may(caller.person, Permission.READ_LIMITS, Domain.of(scope)):
        return [], _NOT_SHOWN
    try:
        return [LimitAnswer.of_charge(charge, account) for charge, account in await book.of(scope)], ""
    except StoreDown:
        return [], _UNKNOWN
