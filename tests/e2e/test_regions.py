"""Two regions on one machine, each a whole mesh (Envoy, OPA, Redis, authorizers, control plane): nothing of a tenant that is
pinned to one of them is in the other, whichever way its calls came there. The access log of Envoy has request lines, as
docs/regions.md says, and no names.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
import redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.commands.tokens import issuer_key
from aegis_authz.core.scope import Scope
from aegis_authz.demo.agent import Agent, Reply, Tokens
from aegis_authz.demo.mesh import CommandFailed, DemoMesh
from aegis_authz.demo.serving import serving
from aegis_authz.demo.tools import DemoTools
from aegis_authz.local.mesh_facts import MeshFacts, read_facts

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

ACCESS_LOG = "state/logs/access.log"
POLICY = """
org: acme
tenant: {tenant}
agent: {agent}
description: Books for {tenant}.
allowed_tools:
  - {{name: books-eu, actions: [write], conditions: {{approval_needed_over: 100}}}}
  - {{name: books-us, actions: [write], conditions: {{approval_needed_over: 100}}}}
"""
TOOL = """
tool: books-{region}
host: books-{region}.example
upstream: http://127.0.0.1:{port}
region: {region}
actions: {{write: {{match: "POST /books/{{page}}"}}}}
"""
RESIDENCY = """
residency:
  {home}: {{tenants: [acme/{tenant}]}}
  {far}: {{gateway: "https://mesh.{far}.example"}}
"""
WAYS = ("forward", "reverse")
_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True)
class Region:
    """A mesh that runs, its own tenant, and what its tool was sent."""

    name: str
    agent: Scope
    secret: str
    """A word of the tenant's bodies."""
    page: str
    """A word of the tenant's paths."""
    mesh: DemoMesh
    at_tool: list[str]

    @property
    def names(self) -> tuple[str, ...]:
        """Words that only this tenant has; `page` is of its request lines."""
        return self.agent.tenant, self.agent.agent, self.secret

    @property
    def facts(self) -> MeshFacts:
        return read_facts(self.mesh.state)

    @property
    def caller(self) -> Agent:
        """One that holds this region's issuer key."""
        tokens = Tokens(issuer_key(self.mesh.state / "keys"), "aegis", f"aegis-mesh/{self.name}")
        return Agent(self.mesh.proxy, self.mesh.state / "records", tokens)


def tool(received: list[str]) -> Starlette:
    async def write(request: Request) -> JSONResponse:
        received.append(f"{request.url} {await request.body()!r} {request.headers!r}")
        return JSONResponse({"written": True})

    return Starlette(routes=[Route("/books/{page}", write, methods=["POST"])])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def regions(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mapping[str, Region]]:
    """The same policies and tools in both regions; of who is at home where, each has its own half."""
    tenants = {
        "eu": (Scope("acme", "nordwind", "kontorist"), "geheimbrief", "fjordblick"),
        "us": (Scope("acme", "prairie", "rancher"), "whispered", "canyonview"),
    }
    received: dict[str, list[str]] = {name: [] for name in tenants}
    async with AsyncExitStack() as stack:
        ports = {name: await stack.enter_async_context(serving(tool(received[name]))) for name in tenants}
        regions: dict[str, Region] = {}
        for (name, (agent, secret, page)), far in zip(tenants.items(), ("us", "eu"), strict=True):
            mesh = DemoMesh(tmp_path_factory.mktemp(f"region-{name}"), DemoTools(), ("--region", name))
            mesh.policies.mkdir()
            mesh.catalogue.mkdir()
            for region, port in ports.items():
                (mesh.catalogue / f"books-{region}.yaml").write_text(TOOL.format(region=region, port=port), "utf-8")
            for resident, _, _ in tenants.values():
                text = POLICY.format(tenant=resident.tenant, agent=resident.agent)
                (mesh.policies / f"{resident.tenant}.yaml").write_text(text, "utf-8")
            text = RESIDENCY.format(home=name, tenant=agent.tenant, far=far)
            (mesh.policies / "regions.yaml").write_text(text, "utf-8")
            stack.push_async_callback(mesh.down)
            await mesh.up()
            regions[name] = Region(name, agent, secret, page, mesh, received[name])
        yield regions


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["eu", "us"])
async def pair(request: pytest.FixtureRequest, regions: Mapping[str, Region]) -> tuple[Region, Region]:
    """A region and the other, after its tenant called at home and, in every way, where it is not at home."""
    home, far = regions[request.param], next(regions[name] for name in regions if name != request.param)
    for amount in (1, 500):
        await write(home, home.caller, home, amount)
    await write(home, home.caller, far, 1)  # a tool of the other region, called at home
    home_tokens, far_tokens = home.caller.tokens, far.caller.tokens
    for tokens in (home_tokens, far_tokens):
        for way in WAYS:
            for region in (home, far):
                token = tokens.mint(home.agent.agent, home.agent.tenant)
                status, reason = await misdirected(home, far, region, way, token)
                assert (status, reason) == (403, "WRONG_REGION")
    return home, far


def call_of(home: Region, amount: int) -> dict[str, object]:
    return {"amount": amount, "note": home.secret}


async def write(home: Region, caller: Agent, owner: Region, amount: int) -> Reply:
    """A call of this region's tenant through its own gateway, to the tool of the owner."""
    token = caller.tokens.mint(home.agent.agent, home.agent.tenant)
    url = f"http://books-{owner.name}.example/books/{home.page}"
    try:
        return await caller.call(home.agent.agent, "POST", url, call_of(home, amount), token)
    finally:
        await caller.close()


async def misdirected(home: Region, far: Region, owner: Region, way: str, token: str) -> tuple[int, str]:
    """The same call, sent to the gateway of the other region: the status, and the reason that its agent reads."""
    headers = {"x-aegis-token": token, "x-note": home.secret}
    proxy = far.mesh.proxy if way == "forward" else None
    base = f"http://books-{owner.name}.example" if proxy else f"{far.mesh.reverse}/books-{owner.name}"
    async with httpx.AsyncClient(proxy=proxy, trust_env=False, timeout=60) as client:
        answer = await client.post(f"{base}/books/{home.page}", json=call_of(home, 1), headers=headers)
    return answer.status_code, str(answer.json()["reason"])


def files_with(word: str, region: Region) -> set[str]:
    """The files of a running mesh that have this word in them, packed ones too; those of sockets and metrics included."""
    folders = {"state": region.mesh.state, "run": Path(region.facts.run)}
    return {
        f"{name}/{path.relative_to(folder)}"
        for name, folder in folders.items()
        for path in folder.rglob("*")
        if path.is_file() and word.encode() in content(path)
    }


def content(path: Path) -> bytes:
    """The bytes of a file, and those that are packed in it, though its end be missing: it may be in the writing."""
    packed = path.read_bytes()
    return packed + zlib.decompressobj(_GZIP).decompress(packed) if packed.startswith(b"\x1f\x8b") else packed


def redis_text(region: Region) -> str:
    """Every key that is in a region's Redis now, with what it holds."""
    read = {
        b"string": lambda client, key: client.get(key),
        b"hash": lambda client, key: client.hgetall(key),
        b"zset": lambda client, key: client.zrange(key, 0, -1),
    }
    with redis.Redis(unix_socket_path=region.facts.redis.removeprefix("unix://")) as client:
        return "\n".join(f"{key!r} {read[client.type(key)](client, key)!r}" for key in client.scan_iter(count=1000))


async def served_by(socket: str, path: str) -> str:
    transport = httpx.AsyncHTTPTransport(uds=socket.removeprefix("unix://"))
    async with httpx.AsyncClient(transport=transport, timeout=60) as client:
        return (await client.get(f"http://part{path}")).raise_for_status().text


async def test_at_home_a_tenant_is_judged_and_told_where_a_far_tool_is(pair: tuple[Region, Region]) -> None:
    home, far = pair
    assert (await write(home, home.caller, home, 2)).reason == "ALLOWED"
    assert (await write(home, home.caller, home, 600)).decision == "approval_needed"
    refused = await write(home, home.caller, far, 1)
    assert refused.reason == "WRONG_REGION"
    assert refused.json["region"] == {"name": far.name, "gateway": f"https://mesh.{far.name}.example"}


async def test_what_is_searched_is_where_a_tenant_at_home_is(pair: tuple[Region, Region]) -> None:
    """The search is not blind: each place that holds nothing of the other's tenant has its own one's words."""
    home, _ = pair
    places = {path.split("/")[1] for word in home.names for path in files_with(word, home)}
    assert {"records", "control", "opa", "redis", "agents"} <= places
    assert home.agent.tenant in redis_text(home)
    assert home.agent.tenant in await served_by(home.facts.opa, "/v1/data")
    assert any(home.secret in call for call in home.at_tool)


async def test_no_file_of_the_other_region_has_a_word_of_the_tenant(pair: tuple[Region, Region]) -> None:
    home, far = pair
    assert {word: files_with(word, far) for word in home.names} == {word: set() for word in home.names}
    assert files_with(home.page, far) <= {ACCESS_LOG}


async def test_its_redis_has_neither_a_word_nor_a_key_of_the_tenant(pair: tuple[Region, Region]) -> None:
    home, far = pair
    keys = redis_text(far)
    assert not [word for word in (*home.names, home.page) if word in keys]
    spent = f"aegis:{{{redis_keys.partition_of(home.agent)}}}:jti:"
    assert redis_keys.partition_of(home.agent) != redis_keys.partition_of(far.agent)
    assert spent in redis_text(home)
    assert spent not in keys


async def test_its_bundle_and_its_engine_know_nothing_of_the_tenant(pair: tuple[Region, Region]) -> None:
    home, far = pair
    held = await served_by(far.facts.opa, "/v1/data")
    assert not [word for word in home.names if word in held]


async def test_its_envoy_has_no_way_to_the_tenants_tool(pair: tuple[Region, Region]) -> None:
    home, far = pair
    routes = await served_by(str(Path(far.facts.run) / "envoy.sock"), "/config_dump")
    upstream = (home.mesh.catalogue / f"books-{home.name}.yaml").read_text("utf-8").split("127.0.0.1:")[1].split()[0]
    assert f'"port_value": {upstream}' not in routes
    assert f'"port_value": {upstream}' in await served_by(str(Path(home.facts.run) / "envoy.sock"), "/config_dump")


async def test_its_tool_was_sent_nothing_of_the_tenant(pair: tuple[Region, Region]) -> None:
    home, far = pair
    assert not [call for call in far.at_tool for word in (*home.names, home.page) if word in call]


async def test_its_records_say_of_each_call_that_there_was_one(pair: tuple[Region, Region]) -> None:
    home, far = pair
    await misdirected(home, far, far, "forward", home.caller.tokens.mint(home.agent.agent, home.agent.tenant))
    lines = [line for path in (far.mesh.state / "records").glob("*/*.jsonl") for line in path.read_text().splitlines()]
    records = [json.loads(line) for line in lines]
    foreign = [entry for entry in records if entry.get("reason") == "WRONG_REGION" and not entry["tool"]]
    assert len(foreign) > len(WAYS)
    words = ("org", "tenant", "agent", "issuer", "jti", "tool", "digest", "parameters", "host", "path", "source")
    assert not [entry[word] for entry in foreign for word in words if entry[word]]


async def test_its_control_plane_invites_nobody_of_the_tenant_and_shows_nothing_of_it(
    pair: tuple[Region, Region],
) -> None:
    home, far = pair
    where = ("--dir", str(far.mesh.state))
    with pytest.raises(CommandFailed, match="at home in another region"):
        await far.mesh.aegis("agents", "invite", str(home.agent), *where)
    listed = await asyncio.gather(
        far.mesh.aegis("agents", "list", "--json", *where),
        far.mesh.aegis("approvals", "list", "--json", *where),
        far.mesh.aegis("policy", "status", "--json", *where),
    )
    assert not [word for word in home.names for text in listed if word in text]
