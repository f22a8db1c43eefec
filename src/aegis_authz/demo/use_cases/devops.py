"""DevOps: an agent that deploys to staging by itself, and to production when a person agrees."""

from __future__ import annotations

from aegis_authz.demo.agent import Agent, Reply
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import DEPLOYMENTS, Row, row
from aegis_authz.demo.use_cases.use_case import UseCase

_PATH = "/deployments"
_SUBJECT = "the same, approved on its page"


async def _deployments(mesh: DemoMesh, agent: Agent) -> list[Row]:
    """A deploy to production is held for a person, passes when approved, and passes once."""

    async def deploy(environment: str, version: str = "2.0") -> Reply:
        release = {"environment": environment, "service": "shop", "version": version}
        return await agent.call("deploy-agent", "POST", DEPLOYMENTS, release)

    staging = await deploy("staging")
    mesh.tools.received.pop(_PATH, None)
    hold = await deploy("production")
    is_unmoved = _PATH not in mesh.tools.received
    is_shown = await mesh.approve_on_page(hold.approval_id, "the release of today")
    newer = await deploy("production", "2.1")
    approved = await deploy("production")
    again = await deploy("production")
    unlisted = await deploy("production-eu")
    name = "devops"
    return [
        row(name, "deploy 2.0 to staging", staging, "allow", "ALLOWED", staging.status == 202),
        row(name, "deploy 2.0 to production", hold, "approval_needed", "APPROVAL_NEEDED", is_unmoved and is_shown),
        row(name, "approved; deploy 2.1", newer, "approval_needed", "APPROVAL_NEEDED"),
        row(name, _SUBJECT, approved, "allow", "APPROVED", approved.status == 202),
        row(name, "deploy 2.0 once more", again, "approval_needed", "APPROVAL_NEEDED"),
        row(name, "deploy to an environment nobody listed", unlisted, "deny", "POLICY_DENIED"),
    ]


DEVOPS = UseCase("devops", _deployments, _SUBJECT, frozenset({"tool-never-used-before"}))
