"""The chapter of holds: a request that is kept open while a person decides, and passes without a second one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aegis_authz.demo.agent import Agent, Reply
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import PAYMENTS, Row, row

_LIFE = "expires_in: 900"
_HOLD = f"{_LIFE}\n      hold: 20s"
_PATIENCE, _AT_ONCE = 60.0, 1.0
"""Seconds in which a published hold is in Envoy, and in which a call that is not kept open is answered."""


async def held_open(mesh: DemoMesh, agent: Agent) -> list[Row]:
    """A payment that waits for a person, approved and denied while it does."""

    async def pay(amount: int) -> Reply:
        return await agent.call("finance-agent", "POST", PAYMENTS, {"amount": amount})

    mesh.edit_policy("finance-agent", _LIFE, _HOLD)
    await mesh.publish()
    approved = await _kept_open(pay, 7_400)
    await mesh.approve(await mesh.waiting("finance-agent", "amount", 7_400))
    denied = await _kept_open(pay, 7_500)
    await mesh.deny(await mesh.waiting("finance-agent", "amount", 7_500), "paid already")
    paid, refused = await approved, await denied
    mesh.edit_policy("finance-agent", _HOLD, _LIFE)
    await mesh.publish()
    name = "holds"
    return [
        row(name, "pay 7,400; approved meanwhile", paid, "allow", "APPROVED", paid.status == 201),
        row(name, "pay 7,500; denied meanwhile", refused, "deny", "APPROVAL_DENIED"),
    ]


async def _kept_open(pay: Callable[[int], Awaitable[Reply]], amount: int) -> asyncio.Future[Reply]:
    """The payment, once it is kept open: until Envoy has the routes of what was published, it is answered at once.

    Raises TimeoutError.
    """
    async with asyncio.timeout(_PATIENCE):
        while True:
            payment = asyncio.ensure_future(pay(amount))
            done, _ = await asyncio.wait({payment}, timeout=_AT_ONCE)
            if not done:
                return payment
