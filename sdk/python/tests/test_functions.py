"""Plain functions behind the real mesh: called when policy says so, and never otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count

import pytest
import pytest_asyncio

from aegis_agent import Aegis, AegisDenied, AegisUnavailable, ApprovalNeeded, ToolFailed
from aegis_agent.enrolment import KEY_FILE, find_enrolment
from aegis_agent.httpx import Client as AegisClient
from aegis_agent.key import load_key
from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.run import agent_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

AMOUNTS = count(6500)
"""Of calls that are held: an approval is for one."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def witness(mesh: DemoMesh) -> AsyncIterator[Agent]:
    """Reads records."""
    agent = agent_of(mesh)
    yield agent
    await agent.close()


class Payments:
    """Two functions of one shape, and what they were called with."""

    def __init__(self, aegis: Aegis) -> None:
        self.received: list[tuple[float, str]] = []
        self.pay = aegis.wrap(self._pay, tool="stripe-payments", action="create_payment")
        self.pay_async = aegis.wrap(self._pay_async, tool="stripe-payments", action="create_payment")

    def _pay(self, amount: float, payee: str = "ACME") -> dict[str, object]:
        self.received.append((amount, payee))
        return {"paid": amount}

    async def _pay_async(self, amount: float, payee: str = "ACME") -> dict[str, object]:
        return self._pay(amount, payee)


@pytest.fixture
def payments(aegis: Aegis) -> Payments:
    return Payments(aegis)


async def test_what_policy_allows_is_called_with_its_arguments(payments: Payments) -> None:
    assert await asyncio.to_thread(payments.pay, 4200) == {"paid": 4200}
    assert await payments.pay_async(4300, payee="Globex") == {"paid": 4300}
    assert payments.received == [(4200, "ACME"), (4300, "Globex")]


async def test_what_policy_denies_is_not_called(payments: Payments, witness: Agent) -> None:
    with pytest.raises(AegisDenied) as caught:
        await payments.pay_async(50000)
    denied = caught.value
    assert (denied.reason, denied.retryable) == ("POLICY_DENIED", False)
    assert denied.sentence.startswith("create_payment on stripe-payments was refused: ")
    record = witness.record(denied.decision_id)
    assert record is not None
    assert (record["effect"], record["way"], record["agent"]) == ("deny", "bound", "finance-agent")
    assert payments.received == []


async def test_a_held_function_is_called_once_a_person_approved_it(payments: Payments, mesh: DemoMesh) -> None:
    amount = next(AMOUNTS)
    with pytest.raises(ApprovalNeeded) as caught:
        await asyncio.to_thread(payments.pay, amount)
    assert payments.received == []
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(asyncio.to_thread(caught.value.wait, 60))
        group.create_task(mesh.approve(caught.value.approval_id))
    assert waiting.result() == {"paid": amount}
    assert payments.received == [(amount, "ACME")]
    with pytest.raises(ApprovalNeeded):  # it was good once
        await payments.pay_async(amount)


@pytest.mark.parametrize("name", ["pay", "pay_async"])
async def test_who_is_told_of_a_held_function_gets_its_result(
    name: str, environment: dict[str, str], mesh: DemoMesh
) -> None:
    held: asyncio.Queue[ApprovalNeeded] = asyncio.Queue()
    loop, amount = asyncio.get_running_loop(), next(AMOUNTS)

    def tell(needed: ApprovalNeeded) -> None:
        loop.call_soon_threadsafe(held.put_nowait, needed)

    async with Aegis.from_env(environment, on_pending=tell) as aegis, asyncio.TaskGroup() as group:
        payments = Payments(aegis)
        made = payments.pay_async(amount) if name == "pay_async" else asyncio.to_thread(payments.pay, amount)
        waiting = group.create_task(made)
        await mesh.approve((await held.get()).approval_id)
        assert await waiting == {"paid": amount}
        assert payments.received == [(amount, "ACME")]


async def test_arguments_that_the_catalogue_does_not_declare_are_refused(aegis: Aegis) -> None:
    received: list[object] = []

    async def create_payment(amount: float, **rest: object) -> None:
        received.append((amount, rest))

    judged = aegis.wrap(create_payment, tool="stripe-payments")
    with pytest.raises(AegisDenied) as caught:
        await judged(1, payee="ACME", to="me")
    assert (caught.value.reason, received) == ("PARAMETER_UNKNOWN", [])


@pytest.mark.parametrize("part", ["token_endpoint", "evaluation"])
async def test_without_a_token_or_a_mesh_nothing_is_called(
    part: str, environment: dict[str, str], mesh: DemoMesh
) -> None:
    enrolment = find_enrolment(environment, mesh.folder, mesh.folder)
    lost = replace(enrolment, **{part: "http://127.0.0.1:1/v1/token"})
    async with Aegis(lost, load_key(enrolment.folder / KEY_FILE)) as aegis:
        payments = Payments(aegis)
        with pytest.raises(AegisUnavailable):
            await payments.pay_async(1)
        with pytest.raises(AegisUnavailable):
            await asyncio.to_thread(payments.pay, 1)
    assert payments.received == []


async def test_calls_side_by_side_have_a_proof_each(payments: Payments) -> None:
    assert len(await asyncio.gather(*map(payments.pay_async, range(1, 7)))) == 6


async def test_what_cannot_be_judged_by_its_signature_is_not_wrapped(aegis: Aegis) -> None:
    def pieces() -> object:
        yield 1

    for function in (lambda *amounts: amounts, pieces):
        with pytest.raises(TypeError):
            aegis.wrap(function, tool="stripe-payments", action="create_payment")
    with pytest.raises(TypeError, match="has no parameter 'context'"):
        aegis.wrap(lambda amount: amount, tool="stripe-payments", action="create_payment", unjudged=["context"])


async def test_a_value_that_json_does_not_say_is_no_argument(payments: Payments) -> None:
    for value in (object(), float("nan"), {1: 2}, b"5"):
        with pytest.raises(TypeError, match="JSON"):
            await payments.pay_async(value)
    assert payments.received == []


class People:
    """Functions of a tool that has no host: nobody but the agent reaches them."""

    def __init__(self, aegis: Aegis) -> None:
        self.received: list[object] = []
        self.find = aegis.wrap(self.find_person, tool="people")
        self.raise_salary = aegis.wrap(self._raise, tool="people", action="raise_salary")

    def find_person(self, name: str, remark: str | None = None) -> object:
        self.received.append((name, remark))
        if remark == "fail":
            raise LookupError(f"{name}: 536-90-4399 is not there")
        return {"name": name, "ssn": "536-90-4399", "notes": "likes tea", "age": 41}

    async def _raise(self, name: str, percent: float) -> str:
        self.received.append((name, percent))
        if percent > 50:
            raise ValueError("too much")
        return "536-90-4399"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def people_aegis(environment: dict[str, str]) -> AsyncIterator[Aegis]:
    async with Aegis.from_env({**environment, "AEGIS_AGENT": "acme/emea/people-agent"}) as agent:
        yield agent


@pytest.fixture
def people(people_aegis: Aegis) -> People:
    return People(people_aegis)


async def test_a_function_gets_what_policy_leaves_of_its_arguments_and_its_caller_of_the_result(people: People) -> None:
    answer = await asyncio.to_thread(people.find, "Ann", "her number is 536-90-4399")
    assert answer["name"] == "Ann"
    assert answer["age"] == 41
    assert "536-90-4399" not in str(answer)
    assert "tea" not in str(answer)
    [(name, remark)] = people.received
    assert name == "Ann"
    assert "536" not in remark


async def test_an_error_of_a_function_is_told_without_what_must_not_be_shown(people_aegis: Aegis) -> None:
    def write_letter(name: str) -> str:
        raise LookupError(f"{name}: 536-90-4399 is not there")

    with pytest.raises(ToolFailed) as caught:
        await asyncio.to_thread(people_aegis.wrap(write_letter, tool="people"), "Ann")
    assert str(caught.value).startswith("Ann: ")
    assert "536-90-4399" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


async def test_an_error_in_which_no_field_can_be_found_is_withheld_as_a_body_would_be(people: People) -> None:
    with pytest.raises(AegisDenied) as caught:
        await asyncio.to_thread(people.find, "Ann", "fail")
    assert caught.value.reason == "RESPONSE_WITHHELD"
    assert "536-90-4399" not in str(caught.value)
    assert caught.value.__context__ is None


async def test_a_result_that_cannot_be_looked_at_is_withheld(people_aegis: Aegis) -> None:
    judged = people_aegis.wrap(lambda name: object(), tool="people", action="find_person")
    with pytest.raises(TypeError, match="must be JSON"):
        await asyncio.to_thread(judged, "Ann")


async def test_what_is_not_redacted_is_returned_and_raised_as_it_is(people: People) -> None:
    assert await people.raise_salary("Ann", 3) == "536-90-4399"
    with pytest.raises(ValueError, match="too much"):
        await people.raise_salary("Ann", 60)


async def test_what_failed_or_was_not_called_is_not_charged_and_a_budget_ends_calls(people_aegis: Aegis) -> None:
    for _ in range(8):
        permit = await people_aegis.evaluate_async("people", "raise_salary", {"name": "Ann", "percent": 1})
        await asyncio.to_thread(permit.not_called)
    spent = []
    with pytest.raises(AegisDenied) as caught:
        for _ in range(8):
            permit = await people_aegis.evaluate_async("people", "raise_salary", {"name": "Ann", "percent": 1})
            spent.append(await asyncio.to_thread(permit.done, "done"))
    assert (caught.value.reason, len(spent)) == ("BUDGET_EXCEEDED", 4)  # one was charged in the test before
    assert (caught.value.retry_after or 0) > 0


async def test_a_question_that_is_kept_open_is_answered_once_a_person_decided(
    environment: dict[str, str], mesh: DemoMesh
) -> None:
    agent = {**environment, "AEGIS_AGENT": "acme/emea/people-agent"}
    async with Aegis.from_env(agent, approval_wait=30) as aegis, asyncio.TaskGroup() as group:
        asking = group.create_task(aegis.evaluate_async("people", "grant_leave", {"name": "Ann", "days": 9}))
        approval_id = await mesh.waiting("people-agent", "days", 9)
        assert not asking.done()
        await mesh.approve(approval_id)
        permit = await asking
        await asyncio.to_thread(permit.not_called)
    with pytest.raises(ApprovalNeeded):  # without it, the answer is given at once
        async with Aegis.from_env(agent) as aegis:
            await aegis.evaluate_async("people", "grant_leave", {"name": "Bob", "days": 9})


@pytest.mark.parametrize("seconds", [-1, 301, 2.5, True])
async def test_a_wait_that_is_none_is_refused(seconds: object, environment: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="approval_wait is a whole number of seconds from 0 to 300"):
        Aegis.from_env(environment, approval_wait=seconds)  # type: ignore[arg-type]


async def test_a_function_is_no_tool_that_a_request_reaches(people_aegis: Aegis) -> None:
    with AegisClient(people_aegis) as client, pytest.raises(AegisDenied):
        await asyncio.to_thread(client.post, f"{people_aegis.tool_url('people')}/find_person", json={})
