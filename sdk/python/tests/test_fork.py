"""A program that forks, as web servers and task queues do: both halves call, each over connections of its own."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from aegis_authz.demo.mesh import DemoMesh

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROGRAM = """
import os, sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 on, of the thread that renews
from aegis_agent import Aegis, AegisDenied
from aegis_agent.{module} import {name}

client = {name}(Aegis.from_env())

def pay(amount):
    return client.post("http://api.stripe.example/v1/payments", json={{"amount": amount, "payee": "ACME"}}).status_code

assert pay(1) == 201
child = os.fork()
if child == 0:
    assert [pay(amount) for amount in (2, 3)] == [201, 201]
    try:
        pay(50000)
    except AegisDenied as denied:
        assert denied.reason == "POLICY_DENIED"
        os._exit(7)
    os._exit(1)
assert [pay(amount) for amount in (4, 5)] == [201, 201]
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
client.aegis.close()
"""


@pytest.mark.parametrize(("module", "name"), [("httpx", "Client"), ("httpx2", "Client"), ("requests", "Session")])
async def test_both_halves_of_a_fork_call(module: str, name: str, mesh: DemoMesh, environment: dict[str, str]) -> None:
    program = PROGRAM.format(module=module, name=name)
    paths = os.pathsep.join(path for path in sys.path if path.endswith("sdk/python/src"))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", program),
        env={**os.environ, **environment, "PYTHONPATH": paths},
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    assert (process.returncode, printed) == (0, b"7\n")
