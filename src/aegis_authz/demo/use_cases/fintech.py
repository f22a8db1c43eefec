"""FinTech: an agent that pays suppliers, and a payment that a person has to look at."""

from __future__ import annotations

import asyncio
import json

from aegis_authz.demo.agent import Agent, Reply
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import Row, row
from aegis_authz.demo.use_cases.use_case import UseCase

_URL, _PATH = "http://bank.example/v1/payments", "/v1/payments"
_SUBJECT = "pay 50,000; a person refuses"


async def _payments(mesh: DemoMesh, agent: Agent) -> list[Row]:
    """A payment of 50,000 waits for a person, who refuses it; nothing of it reaches the bank."""

    async def pay(amount: object) -> Reply:
        token = agent.tokens.mint("treasury-agent", "bank")
        return await agent.call("treasury-agent", "POST", _URL, {"amount": amount, "payee": "Globex"}, token=token)

    small = await pay(4_200)
    has_paid = _amount(mesh) == 4_200
    mesh.tools.received.pop(_PATH, None)
    payment = asyncio.create_task(pay(50_000))
    await mesh.deny(await mesh.waiting("treasury-agent", "amount", 50_000), "no invoice for it")
    refused = await payment
    large, text = await pay(250_000), await pay("50,000")
    is_unpaid = _PATH not in mesh.tools.received
    has_advice = "100000" in large.body and "Do not retry" in large.body
    name = "fintech"
    return [
        row(name, "pay 4,200", small, "allow", "ALLOWED", small.status == 201 and has_paid),
        row(name, _SUBJECT, refused, "deny", "APPROVAL_DENIED", refused.status == 403 and is_unpaid),
        row(name, "pay 250,000: nobody can allow it", large, "deny", "POLICY_DENIED", has_advice and is_unpaid),
        row(name, 'pay "50,000" (text)', text, "deny", "PARAMETER_TYPE", is_unpaid),
    ]


def _amount(mesh: DemoMesh) -> object:
    """The amount of the payment that reached the bank."""
    return json.loads(str(mesh.tools.received[_PATH]["body"]))["amount"]


FINTECH = UseCase("fintech", _payments, _SUBJECT, frozenset({"tool-never-used-before"}))
