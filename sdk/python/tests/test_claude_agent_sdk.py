"""Calls of Claude's own tools, judged by hooks before they are made."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from aegis_authz.demo.mesh import DemoMesh
from sdk.python.tests.frameworks import ENVIRONMENT, interpreter

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

PROGRAM = Path(__file__).parent / "programs" / "hooked.py"


async def start(
    environment: dict[str, str], tool: str, *calls: Sequence[Any], how: str = ""
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        interpreter(),
        str(PROGRAM),
        tool,
        json.dumps(calls),
        how,
        env={**os.environ, **environment, **ENVIRONMENT},
        stdout=asyncio.subprocess.PIPE,
    )


async def shown(environment: dict[str, str], tool: str, *calls: Sequence[Any], how: str = "") -> list[str]:
    """What the model was shown of these calls of one turn."""
    process = await start(environment, tool, *calls, how=how)
    async with asyncio.timeout(120):
        printed, _ = await process.communicate()
    assert process.returncode == 0
    texts: list[str] = json.loads(printed)
    return texts


async def test_what_policy_allows_is_made_and_what_it_denies_or_does_not_know_is_not(
    environment: dict[str, str],
) -> None:
    payment = {"amount": 44, "payee": "ACME"}
    calls = [["create_payment", payment], ["create_payment", {**payment, "amount": 50000}], ["Bash", {"command": "ls"}]]
    made, refused, unknown = await shown(environment, "stripe-payments", *calls)
    assert made == "create_payment did nothing"
    assert refused.startswith("create_payment on stripe-payments was refused: Policy does not allow this call")
    assert "Bash" in unknown
    assert "did nothing" not in unknown


async def test_what_policy_redacts_is_not_made(environment: dict[str, str]) -> None:
    agent = {**environment, "AEGIS_AGENT": "acme/emea/people-agent"}
    [refused] = await shown(agent, "people", ["write_letter", {"name": "Ann"}])
    assert refused == "write_letter on people was refused: policy redacts it, and a hook cannot do that."


async def test_what_became_of_a_call_is_told_to_the_mesh(mesh: DemoMesh, environment: dict[str, str]) -> None:
    agent = {**environment, "AEGIS_AGENT": "acme/emea/people-agent"}
    before = outcomes(mesh)
    [made] = await shown(agent, "people", ["grant_leave", {"name": "Ann", "days": 1}])
    assert made == "grant_leave did nothing"
    assert outcomes(mesh) == before + 1


def outcomes(mesh: DemoMesh) -> int:
    """How many are on record."""
    lines = (line for path in (mesh.state / "records").glob("*/*.jsonl") for line in path.read_text().splitlines())
    return sum(json.loads(line).get("kind") == "outcome" for line in lines)


async def test_a_held_call_is_told_to_the_model_or_waits_for_its_person(
    mesh: DemoMesh, environment: dict[str, str]
) -> None:
    [held] = await shown(environment, "stripe-payments", ["create_payment", {"amount": 7601, "payee": "ACME"}])
    assert held.startswith("create_payment on stripe-payments is held: ")
    call = ["create_payment", {"amount": 7602, "payee": "ACME"}]
    process = await start(environment, "stripe-payments", call, how="wait")
    assert process.stdout is not None
    async with asyncio.timeout(120):
        await mesh.approve(json.loads(await process.stdout.readline()))
        printed, _ = await process.communicate()
    assert json.loads(printed) == ["create_payment did nothing"]


async def test_without_a_mesh_or_with_a_hook_that_fails_nothing_is_made(environment: dict[str, str]) -> None:
    call = ["create_payment", {"amount": 45, "payee": "ACME"}]
    [refused] = await shown({**environment, "AEGIS_EVALUATION": "http://127.0.0.1:1"}, "stripe-payments", call)
    assert refused.startswith("the mesh does not answer at http://127.0.0.1:1")
    [blocked] = await shown(environment, "stripe-payments", call, how="broken")
    assert blocked == "A hook failed: broken"


async def test_a_server_is_not_taken_for_another_whose_name_it_begins_with(environment: dict[str, str]) -> None:
    calls = [[name, {}] for name in ("mcp__bank__shop__pay", "mcp__bank___pay", "mcp__bank__a__b", "mcp__banks__pay")]
    for text in await shown(environment, "stripe-payments", *calls, how="bank"):
        assert text.startswith("The tool has no such action in the catalogue.")
