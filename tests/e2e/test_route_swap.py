"""Two tools swap places under load: no call that is judged as one tool's reaches the other's place.

On a mesh of its own, published to by the API alone: nobody runs a command that would rewrite Envoy's routes.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from aegis_authz.adapters.files.keys import open_keys
from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import CommandFailed, DemoMesh
from aegis_authz.demo.run import agent_of
from aegis_authz.demo.serving import serving
from aegis_authz.demo.tools import DemoTools

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

TOOLS = ("staging", "prod")
SWAPS = 4
CALLERS = 4
GOOD_BETWEEN = 30
PATIENCE = 20.0
REFUSED_FOR_A_MOMENT = {
    "ROUTE_MISMATCH",
    "REVISION_CHANGED",
    "PDP_TIMEOUT",
    "STORE_TIMEOUT",
    "DEADLINE_EXCEEDED",
    "OVERLOADED",
}
_POLICY = """\
org: acme
tenant: emea
agent: finance-agent
allowed_tools:
  - {name: staging, actions: [write]}
  - {name: prod, actions: [write]}
"""
_TOOL = """\
tool: {name}
host: {name}.example
upstream: http://127.0.0.1:{port}
actions:
  write: {{match: "POST /{{number}}"}}
"""


@dataclass
class Place:
    """A server that notes the numbers of the calls that reach it."""

    port: int = 0
    numbers: list[int] = field(default_factory=list)

    async def write(self, request: Request) -> Response:
        self.numbers.append(int(request.path_params["number"]))
        return JSONResponse({"written": True}, 201)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Place]:
        async with serving(Starlette(routes=[Route("/{number}", self.write, methods=["POST"])])) as self.port:
            yield self


@dataclass
class World:
    """A mesh with two tools and two places."""

    mesh: DemoMesh
    agent: Agent
    places: tuple[Place, Place]
    where: dict[str, dict[str, int]] = field(default_factory=dict)
    """By revision, the port of each tool."""

    def documents(self, turn: int) -> tuple[dict[str, str], dict[str, int]]:
        """The tools' documents, at places that are swapped in every second turn, and the ports."""
        ports = {name: self.places[(number + turn) % 2].port for number, name in enumerate(TOOLS)}
        return {f"{name}.yaml": _TOOL.format(name=name, port=port) for name, port in ports.items()}, ports

    async def publish(self, turn: int, wait: float) -> dict[str, Any]:
        """POST /v1/policies, as anybody with the admin token may."""
        tools, ports = self.documents(turn)
        control = json.loads((self.mesh.state / "mesh.json").read_text("utf-8"))["control"]
        token = (self.mesh.state / "keys" / "admin.token").read_text("utf-8").strip()
        headers = {"authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=control, headers=headers, trust_env=False, timeout=PATIENCE) as client:
            change = {"policies": {"a.yaml": _POLICY}, "tools": tools}
            answer = await client.post("/v1/policies", params={"wait": wait}, json=change)
        assert answer.status_code == httpx.codes.OK, answer.text
        release: dict[str, Any] = answer.json()
        self.where[release["revision"]] = ports
        return release

    async def call(self, client: httpx.AsyncClient, tool: str, number: int) -> tuple[int, str]:
        """Call a tool; returns the status and the decision's id."""
        headers = {"x-aegis-token": self.agent.tokens.mint("finance-agent")}
        answer = await client.post(f"http://{tool}.example/{number}", headers=headers)
        return answer.status_code, answer.headers.get("x-aegis-decision-id", "")

    def records(self) -> dict[str, dict[str, Any]]:
        """Every decision, by its id."""
        lines = [line for path in self.mesh.state.glob("records/*/*.jsonl") for line in path.read_text().splitlines()]
        return {record["decision_id"]: record for record in map(json.loads, lines) if record.get("kind") == "decision"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with Place().serving() as first, Place().serving() as second:
        mesh = DemoMesh(tmp_path_factory.mktemp("swap"), DemoTools())
        mesh.policies.mkdir()
        mesh.catalogue.mkdir()
        try:
            empty = ("tool: nothing\nhost: nothing.example\nactions: {nothing: {match: GET /}}\n", "a.yaml")
            (mesh.catalogue / empty[1]).write_text(empty[0], "utf-8")
            (mesh.policies / "a.yaml").write_text(_POLICY.partition("allowed_tools")[0], "utf-8")
            await mesh.up()
            agent = agent_of(mesh)
            yield World(mesh, agent, (first, second))
            await agent.close()
        finally:
            await mesh.down()


async def test_hosts_that_swap_places_under_load_reach_only_the_place_they_were_judged_for(world: World) -> None:
    await world.publish(0, PATIENCE)
    statuses: Counter[int] = Counter()
    decisions: dict[int, tuple[str, int, str]] = {}
    over = asyncio.Event()

    async def calls(first: int) -> None:
        number = first
        async with httpx.AsyncClient(proxy=world.mesh.proxy, trust_env=False, timeout=10) as client:
            while not over.is_set():
                tool = TOOLS[number // CALLERS % 2]
                status, decision_id = await world.call(client, tool, number)
                statuses[status] += 1
                decisions[number] = tool, status, decision_id
                number += CALLERS

    async with asyncio.TaskGroup() as group:
        for caller in range(CALLERS):
            group.create_task(calls(caller))
        for turn in range(1, SWAPS + 1):
            # every second publisher does not wait: the routes follow all the same
            await world.publish(turn, 0 if turn % 2 else PATIENCE)
            await _until_served(world, turn)
            enough = statuses[201] + GOOD_BETWEEN
            while statuses[201] < enough:
                await asyncio.sleep(0.01)
        over.set()

    records = world.records()
    arrived = {number: place.port for place in world.places for number in place.numbers}
    assert sum(len(place.numbers) for place in world.places) == len(arrived) == statuses[201]
    for number, port in arrived.items():
        tool, _, decision_id = decisions[number]
        record = records[decision_id]
        assert (record["tool"], record["effect"]) == (tool, "allow")
        assert world.where[record["revision"]][tool] == port, (number, record)
    # Envoy may take the routes of a change before its clusters: such a call is allowed and reaches nobody
    reasons = {records[id_]["reason"] for _, status, id_ in decisions.values() if status != 201}
    assert reasons <= REFUSED_FOR_A_MOMENT | {"ALLOWED"}, reasons
    used = {(tool, arrived[number]) for number, (tool, _, _) in decisions.items() if number in arrived}
    assert len(used) == 4, used  # each tool was reached at each place


async def test_a_publication_that_opa_refuses_moves_no_route_and_a_good_one_moves_all(world: World) -> None:
    await world.publish(0, PATIENCE)
    await _until_served(world, 0)
    keys = world.mesh.state / "keys"
    kept = {name: (keys / name).read_bytes() for name in ("bundle.pem", "root.pem", "root.pub.pem")}
    routes = sorted(world.mesh.state.glob("envoy/xds/rds-*.yaml"))
    before = [path.read_bytes() for path in routes]
    try:
        for name in kept:
            (keys / name).unlink()
        open_keys(keys)  # keys that OPA does not know
        await _control_restarted(world)
        release = await world.publish(1, PATIENCE)
        assert release["refused"] and not release["active_on"], release
        assert [path.read_bytes() for path in routes] == before
        assert await _place_of(world, "staging") == world.documents(0)[1]["staging"]
    finally:
        for name, content in kept.items():
            (keys / name).write_bytes(content)
        await _control_restarted(world)
    await world.publish(0, PATIENCE)
    await world.publish(1, PATIENCE)
    await _until_served(world, 1)


async def test_doctor_and_status_say_that_envoy_runs_other_routes_than_opa(world: World) -> None:
    await world.publish(0, PATIENCE)
    await _until_served(world, 0)
    where = ("--dir", str(world.mesh.state))
    await world.mesh.aegis("doctor", *where)
    path = world.mesh.state / "envoy" / "xds" / "rds-forward.yaml"
    text = path.read_text("utf-8")
    try:
        foreign = path.with_suffix(".new")
        foreign.write_text(text.replace("version_info: ", "version_info: x", 1).replace("prod.example", "qa.example"))
        foreign.rename(path)
        async with asyncio.timeout(3 * PATIENCE):
            while "leads to" not in (told := await _failing(world, "doctor", "--json", *where)):
                pass
        assert "prod.example" in told and "qa.example" in told
        broken = path.with_suffix(".new")
        broken.write_text("version_info: broken\nresources: [{'@type': nothing}]\n", "utf-8")
        broken.rename(path)
        assert "rds-forward.yaml" in await _failing(world, "status", *where)
    finally:
        whole = path.with_suffix(".new")
        whole.write_text(text, "utf-8")
        whole.rename(path)
    await _until_served(world, 0)


async def _failing(world: World, *words: str) -> str:
    try:
        return await world.mesh.aegis(*words)
    except CommandFailed as failed:
        return str(failed)


async def _until_served(world: World, turn: int) -> None:
    """Return once both tools are reached where this turn puts them."""
    async with asyncio.timeout(PATIENCE):
        for tool in TOOLS:
            while await _place_of(world, tool) != world.documents(turn)[1][tool]:
                pass


async def _place_of(world: World, tool: str) -> int:
    """The port a call of a tool reaches now, 0 for none."""
    number = 1_000_000 + sum(len(place.numbers) for place in world.places)
    before = [list(place.numbers) for place in world.places]
    async with httpx.AsyncClient(proxy=world.mesh.proxy, trust_env=False, timeout=10) as client:
        await world.call(client, tool, number)
    reached = [place for place in world.places if number in place.numbers]
    for place, numbers in zip(world.places, before, strict=True):
        if number in place.numbers and number not in numbers:
            place.numbers.remove(number)
    return reached[0].port if reached else 0


async def _control_restarted(world: World) -> None:
    facts = json.loads((world.mesh.state / "mesh.json").read_text("utf-8"))
    old = facts["pids"]["control"]
    os.kill(old, signal.SIGKILL)
    async with asyncio.timeout(PATIENCE):
        while True:
            facts = json.loads((world.mesh.state / "mesh.json").read_text("utf-8"))
            control = next(process for process in facts["processes"] if process["name"] == "control")
            if control["state"] == "ready" and control["pid"] != old:
                return
            await asyncio.sleep(0.02)
