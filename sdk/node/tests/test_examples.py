"""The examples, as they are, before a running mesh."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from aegis_authz.demo.mesh import DemoMesh
from sdk.node.tests.conftest import SDK

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

EXAMPLES = sorted((SDK.parents[1] / "examples").glob("*/*.mjs"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.parent.name)
async def test_what_policy_allows_is_paid_and_the_model_is_told_of_the_rest(
    example: Path, mesh: DemoMesh, frameworks: Path, node22: str
) -> None:
    program = frameworks / "tests" / f"{example.parent.name}.example.mjs"
    shutil.copy(example, program)  # where what it imports is found
    agent = {"AEGIS_DIR": str(mesh.state.resolve()), "AEGIS_AGENT": "acme/emea/finance-agent"}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        node22, str(program), env={**os.environ, **agent}, stdout=pipe, stderr=pipe
    )
    async with asyncio.timeout(120):
        printed, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    paid, refused, end = printed.decode().splitlines()
    assert "4200" in paid
    assert "create_payment on stripe-payments was refused: Policy does not allow this call" in refused
    assert end == "I paid what I may."


async def test_an_example_is_short() -> None:
    assert len(EXAMPLES) >= 3
    assert [path for path in EXAMPLES if len(path.read_text("utf-8").splitlines()) > 40] == []
