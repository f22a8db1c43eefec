"""Plain functions as tools of the OpenAI Agents SDK: judged once, interrupted when held, across processes."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from aegis_authz.demo.mesh import DemoMesh
from sdk.python.tests.frameworks import ENVIRONMENT, interpreter

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

PROGRAMS = Path(__file__).parent / "programs"
AMOUNTS = count(7500)
"""Of calls that are held: an approval is for one."""


class Run:
    """A run of the program in a process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def line(self) -> dict[str, Any]:
        """What it says next."""
        assert self._process.stdout is not None
        async with asyncio.timeout(120):
            text = await self._process.stdout.readline()
        assert text, "the program ended; its standard error says why"
        line: dict[str, Any] = json.loads(text)
        return line

    async def say(self, word: str) -> dict[str, Any]:
        """Has it go on; what it says then."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n".encode("ascii"))
        await self._process.stdin.drain()
        return await self.line()


@asynccontextmanager
async def running(environment: dict[str, str], *calls: Sequence[Any]) -> AsyncIterator[Run]:
    """A run whose model makes these calls in one turn."""
    pipe = asyncio.subprocess.PIPE
    command = [interpreter(), str(PROGRAMS / "runs.py"), json.dumps(calls)]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, env={**os.environ, **environment, **ENVIRONMENT}
    )
    try:
        yield Run(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(60):
            await process.wait()


def decisions(mesh: DemoMesh) -> int:
    """How many there are."""
    lines = (line for path in (mesh.state / "records").glob("*/*.jsonl") for line in path.read_text().splitlines())
    return sum(json.loads(line).get("kind") == "decision" for line in lines)


async def test_each_call_is_judged_once_and_the_model_reads_why_it_was_refused(
    mesh: DemoMesh, environment: dict[str, str]
) -> None:
    before = decisions(mesh)
    calls = [["pay", {"amount": amount, "payee": "ACME"}] for amount in (41, 50000)]
    async with running(environment, *calls) as run:
        line = await run.line()
    assert line["shown"]["call_0"] == "paid ACME"
    assert line["shown"]["call_1"].startswith("create_payment on stripe-payments was refused: Policy does not allow")
    assert line["called"] == [[41, "ACME"]]
    assert [(each["call_id"], each["reason"]) for each in line["refusals"]] == [("call_1", "POLICY_DENIED")]
    assert line["end"] == "done"
    assert decisions(mesh) - before == 2


async def test_a_guardrail_of_the_program_stops_what_policy_allows(environment: dict[str, str]) -> None:
    async with running(environment, ["pay", {"amount": 42, "payee": "nobody"}]) as run:
        line = await run.line()
    assert (line["shown"], line["called"]) == ({"call_0": "Not to nobody."}, [])


async def test_a_held_call_runs_in_another_process_once_a_person_approved_it(
    mesh: DemoMesh, environment: dict[str, str]
) -> None:
    amount = next(AMOUNTS)
    async with running(environment, ["pay", {"amount": amount, "payee": "ACME"}]) as run:
        line = await run.line()
        assert line["called"] == []
        assert "undecided" in await run.say("decide")
        await mesh.approve(line["held"]["call_0"]["approval_id"])
        line = await run.say("decide")
    assert (line["shown"], line["called"]) == ({"call_0": "paid ACME"}, [[amount, "ACME"]])


async def test_what_a_person_denied_is_not_called(mesh: DemoMesh, environment: dict[str, str]) -> None:
    async with running(environment, ["pay", {"amount": next(AMOUNTS), "payee": "ACME"}]) as run:
        approval_id = (await run.line())["held"]["call_0"]["approval_id"]
        await mesh.aegis("approvals", "deny", approval_id, "--dir", str(mesh.state), "--note", "no")
        line = await run.say("decide")
    assert line["shown"]["call_0"].startswith(f"Approval {approval_id}: It was denied")
    assert line["called"] == []


async def test_who_approves_in_the_framework_alone_calls_nothing(environment: dict[str, str]) -> None:
    async with running(environment, ["pay", {"amount": next(AMOUNTS), "payee": "ACME"}]) as run:
        await run.line()
        line = await run.say("approve")
    assert line["shown"]["call_0"].startswith("create_payment on stripe-payments is held: ")
    assert line["called"] == []


async def test_the_model_reads_what_policy_leaves_of_a_result_and_of_an_error(environment: dict[str, str]) -> None:
    agent = {**environment, "AEGIS_AGENT": "acme/emea/people-agent"}
    async with running(agent, ["find_person", {"name": "Ann"}], ["find_person", {"name": "trouble"}]) as run:
        line = await run.line()
    assert line["shown"]["call_0"] == {"name": "Ann", "ssn": "[REDACTED:us_ssn]", "notes": "[REDACTED]"}
    assert "078-05-1120" not in json.dumps(line["shown"])
    assert sorted(line["called"]) == [["Ann"], ["trouble"]]  # side by side, in whichever order


async def test_without_a_mesh_nothing_is_called(environment: dict[str, str]) -> None:
    nowhere = {**environment, "AEGIS_EVALUATION": "http://127.0.0.1:1"}
    async with running(nowhere, ["pay", {"amount": 43, "payee": "ACME"}]) as run:
        line = await run.line()
    assert line["shown"]["call_0"].startswith("the mesh does not answer at http://127.0.0.1:1")
    assert line["called"] == []


async def test_of_equal_calls_at_the_same_time_each_permit_that_nobody_uses_is_reported(
    environment: dict[str, str],
) -> None:
    process = await asyncio.create_subprocess_exec(
        interpreter(),
        str(PROGRAMS / "equal_calls.py"),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **environment, **ENVIRONMENT},
    )
    async with asyncio.timeout(120):
        printed, _ = await process.communicate()
    assert json.loads(printed) == {"answers": ["allow", "allow"], "reports": 2, "faults": []}
