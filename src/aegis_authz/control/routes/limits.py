"""The routes by which operators quarantine and release agents, and reset limits."""

from __future__ import annotations

from fastapi import APIRouter

from aegis_authz.api.agents import RestoredAnswer, RevocationRequest
from aegis_authz.api.limits import (
    LimitAnswer,
    LimitsAnswer,
    LimitsResetAnswer,
    QuarantineAnswer,
    QuarantineRequest,
    QuarantinesAnswer,
)
from aegis_authz.control.gate import Asker, Authentication, Reach, needs, people_router
from aegis_authz.control.routes.agents import Agent, Org, Tenant
from aegis_authz.control.spend.limit_accounts import LimitBook
from aegis_authz.control.spend.limiting import LimitKeeper
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Seconds
from aegis_authz.people.permissions import Permission


def limit_routes(limits: LimitKeeper, book: LimitBook, authentication: Authentication) -> list[APIRouter]:
    """Quarantines, how limits stand, and their reset, for those who may."""
    people = people_router(authentication)

    @people.get("/v1/agents/quarantined", dependencies=[needs(Permission.READ_AGENTS, Reach.EACH)])
    async def list_quarantined(caller: Asker) -> QuarantinesAnswer:
        """List the quarantined agents, those that are for longest first."""
        quarantines = [entry for entry in await limits.list() if caller.may_for(entry.scope)]
        return QuarantinesAnswer(quarantines=tuple(QuarantineAnswer.of(entry) for entry in quarantines))

    @people.post(
        "/v1/agents/{org}/{tenant}/{agent}/quarantine", dependencies=[needs(Permission.STOP_AGENTS, Reach.PATH)]
    )
    async def quarantine(
        org: Org, tenant: Tenant, agent: Agent, request: QuarantineRequest, caller: Asker
    ) -> QuarantineAnswer:
        """Refuse every call of the agent for a while."""
        life = Seconds(float(request.seconds))
        return QuarantineAnswer.of(await limits.quarantine(Scope(org, tenant, agent), life, caller.id, request.note))

    @people.post("/v1/agents/{org}/{tenant}/{agent}/release", dependencies=[needs(Permission.STOP_AGENTS, Reach.PATH)])
    async def release(
        org: Org, tenant: Tenant, agent: Agent, request: RevocationRequest, caller: Asker
    ) -> RestoredAnswer:
        """Let policy judge a quarantined agent again."""
        at = await limits.release(Scope(org, tenant, agent), caller.id, request.note)
        return RestoredAnswer(org=org, tenant=tenant, agent=agent, by=caller.id, at=at)

    @people.get("/v1/limits/{org}/{tenant}/{agent}", dependencies=[needs(Permission.READ_LIMITS, Reach.PATH)])
    async def show_limits(org: Org, tenant: Tenant, agent: Agent) -> LimitsAnswer:
        """Show how the limits of an agent stand."""
        standing = await book.of(Scope(org, tenant, agent))
        return LimitsAnswer(limits=tuple(LimitAnswer.of_charge(charge, account) for charge, account in standing))

    @people.post("/v1/limits/reset", dependencies=[needs(Permission.RESET_LIMITS)])
    async def reset(request: RevocationRequest, caller: Asker) -> LimitsResetAnswer:
        """Count nothing that was charged to limits as forgotten, from now on."""
        return LimitsResetAnswer(by=caller.id, at=await limits.reset(caller.id, request.note))

    return [people]
