"""What a call through the real mesh ends with, the same in every client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count

import pytest
import pytest_asyncio

from aegis_agent import Aegis, AegisDenied, AegisUnavailable, ApprovalNeeded
from aegis_agent.enrolment import KEY_FILE, find_enrolment
from aegis_agent.key import load_key
from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.run import agent_of
from sdk.python.tests.callers import CALLERS, Caller

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAYMENTS = "http://api.stripe.example/v1/payments"
AMOUNTS = count(5500)
"""Of calls that are held: an approval is for one."""


@pytest_asyncio.fixture(params=CALLERS, loop_scope="session")
async def caller(request: pytest.FixtureRequest, aegis: Aegis) -> AsyncIterator[Caller]:
    async with CALLERS[request.param](aegis) as caller:
        yield caller


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def witness(mesh: DemoMesh) -> AsyncIterator[Agent]:
    """Reads records."""
    agent = agent_of(mesh)
    yield agent
    await agent.close()


async def held_call(caller: Caller, amount: int) -> ApprovalNeeded:
    with pytest.raises(ApprovalNeeded) as caught:
        await caller.post(PAYMENTS, {"amount": amount, "payee": "ACME"})
    return caught.value


async def test_what_policy_allows_reaches_the_tool_and_its_answer_the_program(caller: Caller, mesh: DemoMesh) -> None:
    answer = await caller.post(PAYMENTS, {"amount": 4200, "payee": "ACME"})
    assert answer
    assert b"4200" in bytes(str(mesh.tools.received["/v1/payments"]["body"]), "utf-8")


async def test_a_denial_is_an_exception_with_a_sentence_for_the_model(caller: Caller, witness: Agent) -> None:
    with pytest.raises(AegisDenied) as caught:
        await caller.post(PAYMENTS, {"amount": 50000, "payee": "ACME"})
    denied = caught.value
    assert (denied.reason, denied.retryable, denied.retry_after) == ("POLICY_DENIED", False, None)
    assert str(denied) == denied.sentence
    assert denied.sentence.startswith("create_payment on stripe-payments was refused: ")
    record = witness.record(denied.decision_id)
    assert record is not None
    assert (record["effect"], record["way"], record["agent"]) == ("deny", "bound", "finance-agent")


async def test_a_held_call_gives_its_result_once_a_person_approved_it(
    caller: Caller, mesh: DemoMesh, witness: Agent
) -> None:
    amount = next(AMOUNTS)
    held = await held_call(caller, amount)
    assert (held.reason, held.sentence) == ("APPROVAL_NEEDED", str(held))
    assert (witness.record(held.decision_id) or {})["effect"] == "approval_needed"
    with pytest.raises(TimeoutError, match="Nobody has decided yet"):
        await caller.wait(held, 0)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(caller.wait(held, 60))
        group.create_task(mesh.approve(held.approval_id))
    assert waiting.result()
    assert str(amount) in str(mesh.tools.received["/v1/payments"]["body"])
    assert (await held_call(caller, amount)).approval_id != held.approval_id  # it was good once


async def test_a_held_call_that_a_person_denied_is_a_denial(caller: Caller, mesh: DemoMesh) -> None:
    held = await held_call(caller, next(AMOUNTS))
    await mesh.aegis("approvals", "deny", held.approval_id, "--dir", str(mesh.state), "--note", "no")
    with pytest.raises(AegisDenied, match=f"Approval {held.approval_id}: It was denied.") as caught:
        await caller.wait(held, 60)
    assert (caught.value.reason, caught.value.retryable) == ("APPROVAL_DENIED", False)


@pytest.mark.parametrize("name", CALLERS)
@pytest.mark.parametrize(
    ("part", "sentence"),
    [("token_endpoint", "the control plane does not answer"), ("proxy", "the mesh does not answer")],
)
async def test_without_a_token_or_a_mesh_nothing_reaches_the_tool(
    name: str, part: str, sentence: str, environment: dict[str, str], mesh: DemoMesh
) -> None:
    enrolment = find_enrolment(environment, mesh.folder, mesh.folder)
    nowhere = "http://127.0.0.1:1"
    lost = replace(enrolment, **{part: nowhere if part == "proxy" else f"{nowhere}/v1/token"})
    mesh.tools.received.pop("/v1/payments", None)
    async with Aegis(lost, load_key(enrolment.folder / KEY_FILE)) as aegis, CALLERS[name](aegis) as caller:
        with pytest.raises(AegisUnavailable, match=sentence):
            await caller.post(PAYMENTS, {"amount": 1, "payee": "ACME"})
    assert "/v1/payments" not in mesh.tools.received


@pytest.mark.parametrize("name", CALLERS)
async def test_nothing_is_sent_after_the_end(name: str, environment: dict[str, str]) -> None:
    aegis = Aegis.from_env(environment)
    async with CALLERS[name](aegis) as caller:
        await caller.post(PAYMENTS, {"amount": 1, "payee": "ACME"})
        await asyncio.to_thread(aegis.close)
        with pytest.raises(AegisUnavailable, match="this Aegis is closed"):
            await caller.post(PAYMENTS, {"amount": 1, "payee": "ACME"})


async def test_calls_side_by_side_have_a_proof_each(caller: Caller) -> None:
    calls = (caller.post(PAYMENTS, {"amount": amount, "payee": "ACME"}) for amount in range(1, 13))
    assert all(await asyncio.gather(*calls))


async def test_a_tool_of_the_reverse_routes_is_called_without_the_proxy(aegis: Aegis) -> None:
    url = f"{aegis.tool_url('stripe-payments')}/v1/payments"
    assert aegis.proxy_for(url) is None
    assert aegis.proxy_for(PAYMENTS) is not None
    for name in ("httpx", "requests", "httpx2 async"):
        async with CALLERS[name](aegis) as caller:
            assert await caller.post(url, {"amount": 4200, "payee": "ACME"})
            with pytest.raises(AegisDenied):
                await caller.post(url, {"amount": 50000, "payee": "ACME"})
