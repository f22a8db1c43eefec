"""Plain functions of the SDK for Node at the evaluation endpoint of a real mesh."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest
import pytest_asyncio

from aegis_authz.demo.mesh import DemoMesh
from sdk.node.tests.conftest import OpenPlayer, Player
from sdk.node.tests.test_calls import of_mesh

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

AMOUNTS = count(8500)
"""Of calls that are held: an approval is for one."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def player(mesh: DemoMesh, open_player: OpenPlayer) -> AsyncIterator[Player]:
    async with open_player(of_mesh(mesh, "finance-agent")) as player:
        yield player


async def pay(player: Player, amount: int) -> dict[str, Any]:
    order = {"amount": amount, "payee": "ACME"}
    return await player.play("wrapped", tool="stripe-payments", action="create_payment", args=order, result="paid")


async def test_what_policy_allows_is_called_once_and_what_it_denies_never(player: Player) -> None:
    assert (await pay(player, 4200))["result"] == "paid"
    denied = await pay(player, 50000)
    assert (denied["error"], denied["reason"], denied["received"]) == ("AegisDenied", "POLICY_DENIED", [])
    assert denied["message"].startswith(
        "create_payment on stripe-payments was refused: Policy does not allow this call"
    )


async def test_a_held_function_is_called_once_a_person_approved_it(player: Player, mesh: DemoMesh) -> None:
    held = await pay(player, next(AMOUNTS))
    assert (held["error"], held["received"]) == ("ApprovalNeeded", [])
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(player.play("result", approval=held["approvalId"], seconds=60))
        group.create_task(mesh.approve(held["approvalId"]))
    assert waiting.result()["result"] == "paid"


async def test_a_function_and_its_caller_have_what_policy_leaves(mesh: DemoMesh, open_player: OpenPlayer) -> None:
    found = {"name": "Ann", "ssn": "219-09-9999", "notes": "shy"}
    arguments = {"name": "Ann", "remark": "SSN 078-05-1120"}
    async with open_player(of_mesh(mesh, "people-agent")) as player:
        answer = await player.play("wrapped", tool="people", action="find_person", args=arguments, result=found)
        unknown = await player.play("wrapped", tool="people", action="find_person", args={"who": "Ann"}, result=found)
    assert answer["received"] == [{"name": "Ann", "remark": "SSN [REDACTED:us_ssn]"}]
    assert answer["result"] == {"name": "Ann", "ssn": "[REDACTED:us_ssn]", "notes": "[REDACTED]"}
    assert (unknown["reason"], unknown["received"]) == ("PARAMETER_UNKNOWN", [])
    assert "219-09-9999" not in json.dumps([answer, unknown])


async def test_without_an_evaluation_endpoint_no_function_is_called(mesh: DemoMesh, open_player: OpenPlayer) -> None:
    lost = {**of_mesh(mesh, "finance-agent"), "AEGIS_EVALUATION": "http://127.0.0.1:1"}
    async with open_player(lost) as player:
        refused = await pay(player, 4200)
    assert (refused["error"], refused["received"]) == ("AegisUnavailable", [])
