"""The scenario's chapter of limits: the table of the pack `spending`, played by its three agents, and a breaker."""

from __future__ import annotations

import asyncio

from aegis_authz.demo.agent import Agent, Reply
from aegis_authz.demo.mesh import BREAKER_REFUSALS, SPENDING_TENANT, DemoMesh
from aegis_authz.demo.scenario import Row, row

SUPPLIERS = "http://suppliers.example/v1/payments"
MODEL = "http://api.openai.example/v1/chat/completions"
DEPLOYS = "http://deploy-service.example/deployments"
_QUESTION = {"model": "o1-pro", "max_completion_tokens": 10_000, "messages": [{"role": "user", "content": "Hello"}]}
_RELEASE = {"service": "shop", "version": "1.2"}
_AT_ONCE = 12
_OF_THE_RATE = 1.0  # seconds after which there is room for a deployment again, at two a second


async def limits(mesh: DemoMesh, agent: Agent) -> list[Row]:
    """What three agents may spend in a day and call in a second, and what becomes of the call beyond it.

    Then one that is refused too often: it is quarantined until an operator lets it go.
    """

    async def call(name: str, url: str, body: object, override: str = "") -> Reply:
        token = agent.tokens.mint(name, SPENDING_TENANT)
        return await agent.call(name, "POST", url, body, token=token, override=override)

    async def pay(amount: int, override: str = "") -> Reply:
        return await call("finance-agent", SUPPLIERS, {"amount": amount, "payee": "ACME"}, override)

    first, beyond = await pay(400), await pay(200)
    approved = await pay(200, await mesh.approve(beyond.approval_id))
    answers = [await call("llm-agent", MODEL, _QUESTION) for _ in range(4)]
    has_answers = all(answer.decision == "allow" for answer in answers[:3])
    deploys = await asyncio.gather(*(call("devops-agent", DEPLOYS, _RELEASE) for _ in range(_AT_ONCE)))
    room = asyncio.get_running_loop().time() + _OF_THE_RATE
    waiting = next((reply for reply in deploys if reply.decision != "allow"), deploys[0])
    refusals = [await call("devops-agent", SUPPLIERS, {"amount": 1}) for _ in range(BREAKER_REFUSALS)]
    are_refused = all(reply.reason == "POLICY_DENIED" for reply in refusals)
    quarantined = await call("devops-agent", DEPLOYS, _RELEASE)
    await mesh.aegis("agents", "release", f"acme/{SPENDING_TENANT}/devops-agent", "--dir", str(mesh.state))
    await asyncio.sleep(room - asyncio.get_running_loop().time())  # a fast machine was there before
    released = await call("devops-agent", DEPLOYS, _RELEASE)
    name = "limits"
    refused = answers[3]
    is_told = refused.status == 429 and "20" in refused.body
    return [
        row(name, "pay 400 of 500 USD a day", first, "allow", "ALLOWED", first.status == 201),
        row(name, "pay 200 more", beyond, "approval_needed", "APPROVAL_NEEDED", beyond.approval_id.startswith("apr_")),
        row(name, "approved; pay 200 more", approved, "allow", "APPROVED", approved.status == 201),
        row(name, "ask a model beyond 20 USD", refused, "deny", "BUDGET_EXCEEDED", has_answers and is_told),
        row(name, "deploy more than 2 a second", waiting, "approval_needed", "APPROVAL_NEEDED"),
        row(name, "deploy after 3 refusals", quarantined, "deny", "QUARANTINED", are_refused),
        row(name, "released by a person; deploy", released, "allow", "ALLOWED"),
    ]
