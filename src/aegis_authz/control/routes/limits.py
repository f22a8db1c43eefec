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
from aegis_authz.control.http import guarded_router
from aegis_authz.control.limit_accounts import LimitBook
from aegis_authz.control.limiting import LimitKeeper
from aegis_authz.control.routes.agents import Agent, Org, Tenant
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Seconds


def limit_routes(limits: LimitKeeper, book: LimitBook, admin_token: str) -> list[APIRouter]:
    """Quarantines, how limits stand, and their reset, for the bearer of the admin token."""
    admin = guarded_router(admin_token, "admin")

    @admin.get("/v1/agents/quarantined")
    async def list_quarantined() -> QuarantinesAnswer:
        """List the quarantined agents, those that are for longest first."""
        return QuarantinesAnswer(quarantines=tuple(QuarantineAnswer.of(entry) for entry in await limits.list()))

    @admin.post("/v1/agents/{org}/{tenant}/{agent}/quarantine")
    async def quarantine(org: Org, tenant: Tenant, agent: Agent, request: QuarantineRequest) -> QuarantineAnswer:
        """Refuse every call of the agent for a while."""
        life = Seconds(float(request.seconds))
        return QuarantineAnswer.of(await limits.quarantine(Scope(org, tenant, agent), life, request.by, request.note))

    @admin.post("/v1/agents/{org}/{tenant}/{agent}/release")
    async def release(org: Org, tenant: Tenant, agent: Agent, request: RevocationRequest) -> RestoredAnswer:
        """Let policy judge a quarantined agent again."""
        at = await limits.release(Scope(org, tenant, agent), request.by, request.note)
        return RestoredAnswer(org=org, tenant=tenant, agent=agent, by=request.by, at=at)

    @admin.get("/v1/limits/{org}/{tenant}/{agent}")
    async def show_limits(org: Org, tenant: Tenant, agent: Agent) -> LimitsAnswer:
        """Show how the limits of an agent stand."""
        standing = await book.of(Scope(org, tenant, agent))
        return LimitsAnswer(limits=tuple(LimitAnswer.of_charge(charge, account) for charge, account in standing))

    @admin.post("/v1/limits/reset")
    async def reset(request: RevocationRequest) -> LimitsResetAnswer:
        """Count nothing that was charged to limits as forgotten, from now on."""
        return LimitsResetAnswer(by=request.by, at=await limits.reset(request.by, request.note))

    return [admin]
