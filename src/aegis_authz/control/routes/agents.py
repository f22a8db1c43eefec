"""The routes that stop an agent at once, and let it go on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from aegis_authz.api.agents import RestoredAnswer, RevocationAnswer, RevocationRequest, RevocationsAnswer
from aegis_authz.control.http import guarded_router
from aegis_authz.control.revoking import Revoker
from aegis_authz.core.scope import NAME, Scope

_NAME = "^" + NAME.pattern.removesuffix(r"\Z") + "$"

Org = Annotated[str, Path(pattern=_NAME, description="The organisation.")]
Tenant = Annotated[str, Path(pattern=_NAME, description="The tenant.")]
Agent = Annotated[str, Path(pattern=_NAME, description="The agent.")]


def agent_routes(revoker: Revoker, admin_token: str) -> list[APIRouter]:
    """Everything under `/v1/agents`, for the bearer of the admin token."""
    admin = guarded_router(admin_token, "admin")

    @admin.get("/v1/agents/revoked")
    async def list_revoked() -> RevocationsAnswer:
        """List the revoked agents, newest first."""
        revocations = await revoker.list()
        return RevocationsAnswer(revocations=tuple(RevocationAnswer.of(revocation) for revocation in revocations))

    @admin.post("/v1/agents/{org}/{tenant}/{agent}/revoke")
    async def revoke(org: Org, tenant: Tenant, agent: Agent, request: RevocationRequest) -> RevocationAnswer:
        """Refuse every call of the agent, from the next one on."""
        return RevocationAnswer.of(await revoker.revoke(Scope(org, tenant, agent), request.by, request.note))

    @admin.post("/v1/agents/{org}/{tenant}/{agent}/restore")
    async def restore(org: Org, tenant: Tenant, agent: Agent, request: RevocationRequest) -> RestoredAnswer:
        """Let policy judge a revoked agent again."""
        at = await revoker.restore(Scope(org, tenant, agent), request.by, request.note)
        return RestoredAnswer(org=org, tenant=tenant, agent=agent, by=request.by, at=at)

    return [admin]
