"""The routes by which agents are invited, listed, and bring their keys."""

from __future__ import annotations

import logging
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
from aegis_authz.control.agents.enrolling import Enroller
from aegis_authz.control.agents.issuing import TokenTerms
from aegis_authz.control.gate import Asker, Authentication, Reach, needs, people_router
from aegis_authz.control.http import strict_router
from aegis_authz.control.policies.directory import Directory, RegisteredAgent
from aegis_authz.control.routes.agents import Agent, Org, Tenant
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Seconds
from aegis_authz.intercept.authority import AuthorityUnreadable, MeshAuthorities
from aegis_authz.intercept.endorsements import fingerprint_of
from aegis_authz.people.permissions import Permission

_log = logging.getLogger(__name__)


def enrolment_routes(
    enroller: Enroller,
    directory: Callable[[], Directory],
    terms: TokenTerms,
    mesh: MeshPlace,
    authorities: Callable[[], MeshAuthorities] | None,
    authentication: Authentication,
) -> list[APIRouter]:
    """`/v1/agents`, invitations, and `POST /v1/enroll`, which is open: the code is the right to it."""
    people, everyone = people_router(authentication), strict_router()

    @people.get("/v1/agents", dependencies=[needs(Permission.READ_AGENTS, Reach.EACH)])
    async def list_agents(caller: Asker) -> RegisteredAgentsAnswer:
        """List the registered agents with the thumbprints of their keys."""
        agents = sorted(directory().agents.items(), key=lambda pair: str(pair[0]))
        return RegisteredAgentsAnswer(
            agents=tuple(_answer(scope, agent) for scope, agent in agents if caller.may_for(scope))
        )

    @people.post("/v1/agents/{org}/{tenant}/{agent}/invite", dependencies=[needs(Permission.INVITE_AGENTS, Reach.PATH)])
    async def invite_agent(
        org: Org, tenant: Tenant, agent: Agent, request: InvitationRequest, caller: Asker
    ) -> InvitationAnswer:
        """Make a code that lets the agent bring its own key, once."""
        scope = Scope(org, tenant, agent)
        invited = await enroller.invite(scope, Seconds(request.ttl), caller.id, request.note)
        return InvitationAnswer(
            agent=str(scope),
            code=invited.code,
            expires_at=invited.expires_at,
            control=terms.endpoint.removesuffix("/v1/token"),
            authority=_first_fingerprint(authorities),
        )

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

    return [people, everyone]


def _first_fingerprint(authorities: Callable[[], MeshAuthorities] | None) -> str:
    """That of the authority which signs now, "" where there is none: who enrols knows by it whom to trust."""
    if authorities is None:
        return ""
    try:
        trusted = authorities().trusted
        return fingerprint_of(trusted[0]) if trusted else ""
    except (OSError, AuthorityUnreadable):
        _log.exception("the mesh's authorities cannot be read")
        return ""


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
