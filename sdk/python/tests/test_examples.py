"""The programs of `examples`, each run against a mesh as its page says, and short enough to be read at once."""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path

import pytest

from aegis_authz.demo.mesh import DemoMesh
from sdk.python.tests.frameworks import ENVIRONMENT, ROOT, interpreter, quiet

EXAMPLES = ROOT / "examples"
on_a_mesh = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


async def run(example: str, folder: Path, environment: dict[str, str]) -> str:
    """What an example prints, run in a folder of its own."""
    process = await asyncio.create_subprocess_exec(
        interpreter(),
        str(EXAMPLES / example),
        cwd=folder,
        env={**os.environ, **environment, **ENVIRONMENT},
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0
    return printed.decode("utf-8")


def test_no_example_is_longer_than_40_lines() -> None:
    examples = list(EXAMPLES.glob("*/*.py"))
    assert len(examples) >= 2
    assert [str(path) for path in examples if len(path.read_text("utf-8").splitlines()) > 40] == []


class TestOnAMesh:
    pytestmark = on_a_mesh

    async def test_a_model_of_langchain_is_told_why_it_may_not_pay(
        self, mesh: DemoMesh, environment: dict[str, str], tmp_path: Path
    ) -> None:
        first, second, last = (await run("langchain/pay.py", tmp_path, environment)).splitlines()
        assert first.startswith("success ")
        assert json.loads(first.removeprefix("success "))["amount"] == 4200
        assert second.startswith("error create_payment on stripe-payments was refused: Policy does not allow this call")
        assert last == "I paid what I may."
        assert "4200" in str(mesh.tools.received["/v1/payments"]["body"])

    async def test_a_graph_goes_on_in_another_process_once_a_person_approved(
        self, mesh: DemoMesh, environment: dict[str, str], tmp_path: Path
    ) -> None:
        mesh.tools.received.pop("/v1/payments", None)
        held = await run("langgraph/pay.py", tmp_path, environment)
        assert held.startswith("held create_payment on stripe-payments is held: ")
        undecided = await run("langgraph/pay.py", tmp_path, environment)
        assert undecided.startswith("held Nobody has decided yet.")
        assert "/v1/payments" not in mesh.tools.received
        await mesh.approve(next(word for word in held.replace(",", " ").split() if word.startswith("apr_")).rstrip("."))
        assert '"status":"paid"' in await run("langgraph/pay.py", tmp_path, environment)
        assert "5600" in str(mesh.tools.received["/v1/payments"]["body"])

    @pytest.mark.parametrize(
        ("framework", "amount"), [("agent_framework", "6100"), ("openai-agents", "5800"), ("pydantic_ai", "5700")]
    )
    async def test_a_run_goes_on_with_what_a_person_decided(
        self, framework: str, amount: str, mesh: DemoMesh, environment: dict[str, str], tmp_path: Path
    ) -> None:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            interpreter(),
            str(EXAMPLES / framework / "pay.py"),
            cwd=tmp_path,
            env={**os.environ, **environment, **ENVIRONMENT},
            stdin=pipe,
            stdout=pipe,
        )
        assert process.stdout is not None
        held = (await process.stdout.readline()).decode("utf-8")
        assert held.startswith("create_payment on stripe-payments is held: ")
        await mesh.approve(next(word for word in held.replace(",", " ").split() if word.startswith("apr_")).rstrip("."))
        rest, _ = await process.communicate(b"\n")
        assert process.returncode == 0
        paid, refused, granted = rest.decode("utf-8").splitlines()
        assert "4200" in paid
        assert refused.startswith("create_payment on stripe-payments was refused: Policy does not allow this call")
        assert amount in granted

    async def test_a_run_of_google_adk_goes_on_once_a_person_confirmed(
        self, mesh: DemoMesh, environment: dict[str, str], tmp_path: Path
    ) -> None:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            interpreter(),
            str(EXAMPLES / "google_adk" / "pay.py"),
            cwd=tmp_path,
            env={**os.environ, **environment, **ENVIRONMENT},
            stdin=pipe,
            stdout=pipe,
        )
        assert process.stdout is not None
        paid, refused, held = [(await process.stdout.readline()).decode("utf-8") for _ in range(3)]
        assert "4200" in paid
        assert "create_payment on stripe-payments was refused: Policy does not allow this call" in refused
        approval_id = re.search(r"apr_[\w-]+", held)
        assert approval_id is not None
        await mesh.approve(approval_id[0])
        granted, _ = await process.communicate(b"\n")
        assert process.returncode == 0
        assert "5900" in granted.decode("utf-8")
        assert "5900" in str(mesh.tools.received["/v1/payments"]["body"])

    @pytest.mark.parametrize(
        ("framework", "python", "amount", "end"),
        [
            ("crewai", ".sdk-crewai", "6300", "POLICY_DENIED"),
            ("claude-agent-sdk", ".sdk", "6400", "The tool has no such action in the catalogue. "),
        ],
    )
    async def test_a_held_call_waits_in_place_until_a_person_approved(
        self,
        framework: str,
        python: str,
        amount: str,
        end: str,
        mesh: DemoMesh,
        environment: dict[str, str],
        tmp_path: Path,
    ) -> None:
        process = await asyncio.create_subprocess_exec(
            interpreter(python),
            str(EXAMPLES / framework / "pay.py"),
            cwd=tmp_path,
            env={**os.environ, **environment, **ENVIRONMENT, **quiet(tmp_path)},
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        printed: list[str] = []
        while not (approval_id := re.search(r" held: .*(apr_[\w-]+)", "".join(printed[-1:]))):
            printed.append((await process.stdout.readline()).decode("utf-8"))
            assert printed[-1], "it ended; its standard error says why"
        await mesh.approve(approval_id[1].rstrip("."))
        rest, _ = await process.communicate()
        assert process.returncode == 0
        paid, refused, granted, last = [*printed[:-1], *rest.decode("utf-8").splitlines()]
        assert "4200" in paid
        assert refused.startswith("create_payment on stripe-payments was refused: Policy does not allow this call")
        assert amount in granted
        assert last.startswith(end)
        assert amount in str(mesh.tools.received["/v1/payments"]["body"])
