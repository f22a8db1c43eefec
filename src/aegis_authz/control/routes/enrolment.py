"""The routes by which agents are invited, listed, and bring their keys."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Request

from aegis_authz.api.enrolment import (
    EnrolmentAnswer,
    EnrolmentRequest,
    InvitationAnswer,
    InvitationRequest,
    MeshPlace,
    RegisteredAgentAnswer,
    RegisteredAgentsAnswer,
    RegisteredKey,
)
from aegis_authz.control.directory import Directory, RegisteredAgent
from aegis_authz.control.enrolling import Enroller
from aegis_authz.control.http import guarded_router, strict_router
from aegis_authz.control.issuing import TokenTerms
from aegis_authz.control.routes.agents import Agent, Org, Tenant
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Seconds


def enrolment_routes(
    enroller: Enroller, directory: Callable[[], Directory], terms: TokenTerms, mesh: MeshPlace, admin_token: str
) -> list[APIRouter]:
    """`/v1/agents`, invitations, and `POST /v1/enroll`, which is open: the code is the right to it."""
    admin, everyone = guarded_router(admin_token, "admin"), strict_router()

    @admin.get("/v1/agents")
    async def list_agents() -> RegisteredAgentsAnswer:
        """List the registered agents with the thumbprints of their keys."""
        agents = sorted(directory().agents.items(), key=lambda pair: str(pair[0]))
        return RegisteredAgentsAnswer(agents=tuple(_answer(scope, agent) for scope, agent in agents))

    @admin.post("/v1/agents/{org}/{tenant}/{agent}/invite")
    async def invite_agent(org: Org, tenant: Tenant, agent: Agent, request: InvitationRequest) -> InvitationAnswer:
        """Make a code that lets the agent bring its own key, once."""
        scope = Scope(org, tenant, agent)
        invited = await enroller.invite(scope, Seconds(request.ttl), request.by, request.note)
        control = terms.endpoint.removesuffix("/v1/token")
        return InvitationAnswer(agent=str(scope), code=invited.code, expires_at=invited.expires_at, control=control)

    @everyone.post("/v1/enroll")
    async def enrol_agent(body: EnrolmentRequest, request: Request) -> EnrolmentAnswer:
        """Bring a key for a code."""
        source = request.client.host if request.client is not None else ""
        agent = await enroller.enrol(body.code, dict(body.jwk), body.proof, source)
        return EnrolmentAnswer(
            agent=str(agent),
            issuer=terms.issuer,
            audience=terms.audience,
            token_endpoint=terms.endpoint,
            mesh=mesh,
        )

    return [admin, everyone]


def _answer(scope: Scope, agent: RegisteredAgent) -> RegisteredAgentAnswer:
    return RegisteredAgentAnswer(
        agent=str(scope),
        owner=agent.owner,
        ways=tuple(sorted(way.value for way in agent.ways)),
        keys=tuple(
            RegisteredKey(kid=key_id, enrolled_at=key.enrolled_at, invited_by=key.invited_by)
            if (key := agent.enrolled.get(key_id)) is not None
            else RegisteredKey(kid=key_id)
            for key_id in agent.keys
        ),
    )
