"""The routes that stop an agent at once, and let it go on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from aegis_authz.api.agents import RestoredAnswer, RevocationAnswer, RevocationRequest, RevocationsAnswer, TargetRequest
from aegis_authz.control.agents.revoking import Revoker
from aegis_authz.control.gate import Asker, Authentication, Caller, Reach, needs, people_router
from aegis_authz.control.http import HttpProblem
from aegis_authz.core.revocation import Revoked, RevokedKind
from aegis_authz.core.scope import NAME, Scope
from aegis_authz.people.permissions import Permission

_NAME = "^" + NAME.pattern.removesuffix(r"\Z") + "$"

Org = Annotated[str, Path(pattern=_NAME, description="The organisation.")]
Tenant = Annotated[str, Path(pattern=_NAME, description="The tenant.")]
Agent = Annotated[str, Path(pattern=_NAME, description="The agent.")]


def agent_routes(revoker: Revoker, authentication: Authentication) -> list[APIRouter]:
    """Everything under `/v1/agents`, for those who may."""
    people = people_router(authentication)

    @people.get("/v1/agents/revoked", dependencies=[needs(Permission.READ_AGENTS, Reach.EACH)])
    async def list_revoked(caller: Asker) -> RevocationsAnswer:
        """List the revoked agents, newest first."""
        revocations = [entry for entry in await revoker.list() if caller.may_in(entry.target.org, entry.target.tenant)]
        return RevocationsAnswer(revocations=tuple(RevocationAnswer.of(revocation) for revocation in revocations))

    @people.post("/v1/agents/{org}/{tenant}/{agent}/revoke", dependencies=[needs(Permission.STOP_AGENTS, Reach.PATH)])
    async def revoke(
        org: Org, tenant: Tenant, agent: Agent, request: RevocationRequest, caller: Asker
    ) -> RevocationAnswer:
        """Refuse every call of the agent, from the next one on."""
        return RevocationAnswer.of(await revoker.revoke(_agent(org, tenant, agent), caller.id, request.note))

    @people.post("/v1/agents/{org}/{tenant}/{agent}/restore", dependencies=[needs(Permission.STOP_AGENTS, Reach.PATH)])
    async def restore(
        org: Org, tenant: Tenant, agent: Agent, request: RevocationRequest, caller: Asker
    ) -> RestoredAnswer:
        """Let policy judge a revoked agent again."""
        at = await revoker.restore(_agent(org, tenant, agent), caller.id, request.note)
        return RestoredAnswer(org=org, tenant=tenant, agent=agent, by=caller.id, at=at)

    @people.post("/v1/revocations", dependencies=[needs(Permission.STOP_AGENTS, Reach.EACH)])
    async def revoke_target(request: TargetRequest, caller: Asker) -> RevocationAnswer:
        """Refuse every call of an agent or a tenant, or with a key or a token, from the next one on."""
        return RevocationAnswer.of(await revoker.revoke(_target(request, caller), caller.id, request.note))

    @people.post("/v1/revocations/restore", dependencies=[needs(Permission.STOP_AGENTS, Reach.EACH)])
    async def restore_target(request: TargetRequest, caller: Asker) -> RestoredAnswer:
        """Let policy judge it again."""
        at = await revoker.restore(_target(request, caller), caller.id, request.note)
        return RestoredAnswer(org=request.org, tenant=request.tenant, agent=request.name, by=caller.id, at=at)

    return [people]


def _agent(org: str, tenant: str, agent: str) -> Revoked:
    return Revoked.agent(Scope(org, tenant, agent))


def _target(request: TargetRequest, caller: Caller) -> Revoked:
    if not caller.may_in(request.org, request.tenant):
        raise HttpProblem(403, f"{caller.id} may not do this in {request.org}/{request.tenant}")
    try:
        return Revoked(RevokedKind(request.kind), request.org, request.tenant, request.name)
    except ValueError as fault:
        raise HttpProblem(400, str(fault)) from None
