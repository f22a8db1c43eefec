"""The routes that stop an agent at once, and let it go on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from aegis_authz.api.agents import RestoredAnswer, RevocationAnswer, RevocationRequest, RevocationsAnswer, TargetRequest
from aegis_authz.control.http import HttpProblem, guarded_router
from aegis_authz.control.revoking import Revoker
from aegis_authz.core.revocation import Revoked, RevokedKind
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
        return RevocationAnswer.of(await revoker.revoke(_agent(org, tenant, agent), request.by, request.note))

    @admin.post("/v1/agents/{org}/{tenant}/{agent}/restore")
    async def restore(org: Org, tenant: Tenant, agent: Agent, request: RevocationRequest) -> RestoredAnswer:
        """Let policy judge a revoked agent again."""
        at = await revoker.restore(_agent(org, tenant, agent), request.by, request.note)
        return RestoredAnswer(org=org, tenant=tenant, agent=agent, by=request.by, at=at)

    @admin.post("/v1/revocations")
    async def revoke_target(request: TargetRequest) -> RevocationAnswer:
        """Refuse every call of an agent or a tenant, or with a key or a token, from the next one on."""
        return RevocationAnswer.of(await revoker.revoke(_target(request), request.by, request.note))

    @admin.post("/v1/revocations/restore")
    async def restore_target(request: TargetRequest) -> RestoredAnswer:
        """Let policy judge it again."""
        at = await revoker.restore(_target(request), request.by, request.note)
        return RestoredAnswer(org=request.org, tenant=request.tenant, agent=request.name, by=request.by, at=at)

    return [admin]


def _agent(org: str, tenant: str, agent: str) -> Revoked:
    return Revoked.agent(Scope(org, tenant, agent))


def _target(request: TargetRequest) -> Revoked:
    try:
        return Revoked(RevokedKind(request.kind), request.org, request.tenant, request.name)
    except ValueError as fault:
        raise HttpProblem(400, str(fault)) from None
