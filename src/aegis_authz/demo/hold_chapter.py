"""The chapter of holds: a request that is kept open while a person decides, and passes without a second one."""

from __future__ import annotations

import asyncio

from aegis_authz.demo.agent import Agent, Reply
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import PAYMENTS, Row, row

_LIFE = "expires_in: 900"
_HOLD = f"{_LIFE}\n      hold: 20s"


async def held_open(mesh: DemoMesh, agent: Agent) -> list[Row]:
    """A payment that waits for a person, approved and denied while it does."""

    async def pay(amount: int) -> Reply:
        return await agent.call("finance-agent", "POST", PAYMENTS, {"amount": amount})

    mesh.edit_policy("finance-agent", _LIFE, _HOLD)
    await mesh.publish()
    approved = asyncio.create_task(pay(7_400))
    await mesh.approve(await mesh.waiting("finance-agent", "amount", 7_400))
    denied = asyncio.create_task(pay(7_500))
    await mesh.deny(await mesh.waiting("finance-agent", "amount", 7_500), "paid already")
    paid, refused = await approved, await denied
    mesh.edit_policy("finance-agent", _HOLD, _LIFE)
    await mesh.publish()
    name = "holds"
    return [
        row(name, "pay 7,400; approved meanwhile", paid, "allow", "APPROVED", paid.status == 201),
        row(name, "pay 7,500; denied meanwhile", refused, "deny", "APPROVAL_DENIED"),
    ]
