"""MSSP: analysts' agents of two tenants in two regions, on one mesh, that see nothing of each other."""

from __future__ import annotations

from aegis_authz.demo.agent import Agent, Reply
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import Row, row
from aegis_authz.demo.tools import EVENT
from aegis_authz.demo.use_cases.approver import approvals_of
from aegis_authz.demo.use_cases.use_case import UseCase

_SEARCH = "/search"
_SUBJECT = "emea searches the SIEM of amer"


async def _tenants(mesh: DemoMesh, agent: Agent) -> list[Row]:
    """Two tenants in two regions: neither reaches the other's data, and neither's people see the other's calls."""

    async def call(tenant: str, region: str, path: str, body: object) -> Reply:
        token = agent.tokens.mint("soc-triage", tenant, org="mssp")
        return await agent.call("soc-triage", "POST", f"http://siem.{region}.example{path}", body, token=token)

    async def search(tenant: str, region: str) -> tuple[Reply, bool]:
        mesh.tools.received.pop(_SEARCH, None)
        reply = await call(tenant, region, _SEARCH, {"customer": "globex", "query": "login"})
        return reply, _SEARCH in mesh.tools.received

    async def sight(tenant: str) -> bool:
        role = f"approver@mssp/{tenant}"
        return hold.approval_id in await approvals_of(mesh.control, mesh.admin_token, f"{tenant}-analyst", role)

    (emea, _), (amer, _) = await search("emea", "eu"), await search("amer", "us")
    abroad, is_abroad = await search("emea", "us")
    back, is_back = await search("amer", "eu")
    hold = await call("emea", "eu", "/isolations", {"customer": "globex", "host": "ws-1.endpoints.example"})
    sees_own, sees_foreign = await sight("emea"), await sight("amer")
    name = "mssp"
    return [
        row(name, "emea searches its SIEM, in the EU", emea, "sanitize", "SANITIZED", _is_clean(emea)),
        row(name, "amer searches its SIEM, in the US", amer, "sanitize", "SANITIZED", _is_clean(amer)),
        row(name, _SUBJECT, abroad, "deny", "POLICY_DENIED", not is_abroad),
        row(name, "amer searches the SIEM of emea", back, "deny", "POLICY_DENIED", not is_back),
        row(name, "emea isolates a host of a customer", hold, "approval_needed", "APPROVAL_NEEDED"),
        _sight("an approver of emea looks for it", "listed", sees_own),
        _sight("an approver of amer looks for it", "not there", sees_foreign),
    ]


def _is_clean(reply: Reply) -> bool:
    return reply.status == 200 and EVENT["rule"] in reply.body and EVENT["user"] not in reply.body


def _sight(call: str, expected: str, is_listed: bool) -> Row:
    answer = "listed" if is_listed else "not there"
    return Row("mssp", call, expected, answer, "", 0.0, "", answer == expected)


MSSP = UseCase(
    "mssp",
    _tenants,
    _SUBJECT,
    frozenset({"tool-never-used-before"}),
    frozenset({EVENT["user"], EVENT["callback"]}),
)
