"""Golden cases: a request in, the decision and its record out, through the whole pipeline and a real OPA.

The cases are in tests/cases; policies and tools are those of policies/ and of tests/cases/agents and tools.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from envoy.service.auth.v3 import external_auth_pb2
from pydantic import BaseModel, ConfigDict

from aegis_authz.adapters.files.credentials import CredentialFolder
from aegis_authz.adapters.files.sources import read_sources
from aegis_authz.adapters.opa.http import OpaHttp, OpaUnreachable
from aegis_authz.adapters.opa.pdp import OpaPdp
from aegis_authz.adapters.opa.snapshots import OpaSnapshots
from aegis_authz.adapters.system import SystemClock, SystemIds
from aegis_authz.check.authenticate import Acceptance, Authenticator
from aegis_authz.check.pipeline import Limits, Pipeline
from aegis_authz.check.record import Recorder
from aegis_authz.check.shares import Shares
from aegis_authz.check.slow_lane import SlowLane
from aegis_authz.core.catalogue import NO_ROUTE
from aegis_authz.core.decision_trace import DecisionTrace
from aegis_authz.core.grant import Narrowing
from aegis_authz.core.identity import Way
from aegis_authz.core.record import DecisionRecord
from aegis_authz.core.scope import Scope
from aegis_authz.core.unrecorded_refusal import UnrecordedRefusal
from aegis_authz.encoding.jwk import okp_jwk
from aegis_authz.evidence.document import record_to_json
from aegis_authz.identity.mint import mint_token
from aegis_authz.identity.session import session_owner, wrapped_id
from aegis_authz.policy.bundle.library import rego_library
from aegis_authz.policy.bundle.snapshot import trust_to_data
from aegis_authz.policy.compile.compiler import compile_policy
from aegis_authz.policy.load import load
from aegis_authz.testing.record_log import MemoryRecordLog
from aegis_authz.testing.store import MemoryStore
from aegis_authz.wire.envoy.ext_authz import LISTENER_EXTENSION, ROUTE_EXTENSION, write_check_response
from aegis_authz.wire.grant import read_tools
from tests.support import session_keys
from tests.support.hold_places import CountedPlaces
from tests.support.session_keys import StillSessionKeys

ROOT = Path(__file__).resolve().parents[2]
KEY = Ed25519PrivateKey.generate()
AGENTS = {**read_sources(ROOT / "policies" / "agents"), **read_sources(ROOT / "tests" / "cases" / "agents")}
TOOLS = {**read_sources(ROOT / "policies" / "tools"), **read_sources(ROOT / "tests" / "cases" / "tools")}
LOADED = load(AGENTS, TOOLS)
CATALOGUE_ROUTES = {tool.authority: tool.route for tool in LOADED.tools}
"""Where Envoy forwards a request, by its host."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Opened(_Strict):
    """The session that a call shows: who opened it on which tool, and with which key."""

    agent: str = "coding-agent"
    tenant: str = "emea"
    tool: str = "github"
    host: str = "github.mcp.example"
    key: str = "KEY"

    def id(self) -> str:
        owner = session_owner(Scope("acme", self.tenant, self.agent), self.tool, CATALOGUE_ROUTES[self.host])
        return wrapped_id("tool-id", owner, (getattr(session_keys, self.key),))


class Call(_Strict):
    agent: str = ""
    tenant: str = "emea"
    method: str
    host: str
    path: str
    headers: dict[str, str] = {}
    session: Opened | None = None
    grant: dict[str, Any] = {}
    body: Any = None
    raw: str = ""


class Expected(_Strict):
    effect: str
    status: int
    says: list[str] = []
    obligation: str = ""
    content_type_to_tool: str = ""
    session_to_tool: str = ""


class Case(_Strict):
    name: str
    call: Call
    answer: Expected
    record: dict[str, Any]


def cases() -> list[Case]:
    files = sorted((ROOT / "tests" / "cases").glob("*.yaml"))
    return [Case.model_validate(case) for file in files for case in yaml.safe_load(file.read_text("utf-8"))]


class _Quiet:
    def decided(self, record: DecisionRecord, trace: DecisionTrace) -> None:
        """Telemetry has tests of its own."""

    def refused(self, refusal: UnrecordedRefusal) -> None:
        """The same."""


@dataclass
class World:
    pipeline: Pipeline
    records: MemoryRecordLog


@pytest.fixture(scope="module")
def opa_socket(tmp_path_factory: pytest.TempPathFactory, opa_binary: Path) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("opa")
    tokens, approvals = (okp_jwk(key.public_key().public_bytes_raw()) for key in (KEY, Ed25519PrivateKey.generate()))
    trust = trust_to_data("aegis", "mesh", [tokens], [approvals], 300, 5)
    compiled = compile_policy(LOADED.compiled, LOADED.tools, trust, "")
    bundle = folder / "bundle"
    (bundle / "rego").mkdir(parents=True)
    (bundle / "data.json").write_text(json.dumps(compiled.data))
    (bundle / ".manifest").write_text(json.dumps({"revision": compiled.revision, "roots": ["aegis"]}))
    for name, text in rego_library().items():
        (bundle / "rego" / Path(name).name).write_text(text)
    socket = folder / "opa.sock"
    arguments = [str(opa_binary), "run", "--server", "--addr", f"unix://{socket}", "--log-level", "error"]
    process = subprocess.Popen([*arguments, "--disable-telemetry", "--bundle", str(bundle)])
    try:
        asyncio.run(_answering(socket))
        yield socket
    finally:
        process.kill()
        process.wait()


async def _answering(socket: Path) -> None:
    http = OpaHttp(socket)
    async with asyncio.timeout(20):
        while not await _is_healthy(http):
            await asyncio.sleep(0.02)
    await http.close()


async def _is_healthy(http: OpaHttp) -> bool:
    try:
        return (await http.get("/health?bundles"))[0] == 200
    except OpaUnreachable:
        return False


@pytest.fixture
async def world(opa_socket: Path) -> AsyncIterator[World]:
    clock = SystemClock()
    snapshots = OpaSnapshots(OpaHttp(opa_socket), 1)
    await snapshots.look()
    assert snapshots.trouble == ""
    pdp = OpaPdp(OpaHttp(opa_socket), 2, 32)
    limits = Limits(total=10, pdp=10, environment="test", region="")
    async with MemoryRecordLog(for_tests=True) as records:
        recorder = Recorder(records, _Quiet(), clock, required=True)
        yield World(
            Pipeline(
                snapshots,
                Authenticator(Acceptance(frozenset({Way.TOKEN, Way.BOUND}), {}), lambda: "f" * 32),
                pdp,
                MemoryStore(clock, 60, for_tests=True),
                recorder,
                clock,
                SystemIds(),
                CredentialFolder(None),
                StillSessionKeys(),
                limits,
                SlowLane(),
                Shares(lambda: 8),
                CountedPlaces(),
            ),
            records,
        )
    await pdp.close()
    await snapshots.close()


def narrowings(tools: dict[str, Any], now: float) -> tuple[Narrowing, ...]:
    """A grant of these tools from now on, for ten minutes and two calls."""
    return (
        (Narrowing("g" * 22, int(now * 1000) / 1000, float(int(now) + 600), 0, 2, read_tools(tools), ""),)
        if tools
        else ()
    )


def check_headers(call: Call) -> dict[str, str]:
    """The headers a call has beside its token."""
    return dict(call.headers) if call.session is None else {**call.headers, "mcp-session-id": call.session.id()}


def token(call: Call) -> str:
    """A token of the agent that makes the call."""
    now = time.time()
    return mint_token(
        KEY,
        issuer="aegis",
        audience="mesh",
        scope=Scope("acme", call.tenant, call.agent),
        now=now,
        ttl=60,
        jti=secrets.token_hex(16),
        grant=narrowings(call.grant, now),
    )


def check_request(call: Call) -> bytes:
    request = external_auth_pb2.CheckRequest()
    request.attributes.context_extensions[ROUTE_EXTENSION] = CATALOGUE_ROUTES.get(call.host, NO_ROUTE)
    request.attributes.context_extensions[LISTENER_EXTENSION] = "forward"
    http = request.attributes.request.http
    http.method, http.host, http.path, http.scheme = call.method, call.host, call.path, "http"
    http.raw_body = call.raw.encode() if call.raw else b"" if call.body is None else orjson.dumps(call.body)
    headers = check_headers(call)
    if call.agent:
        headers["x-aegis-token"] = token(call)
    for key, value in headers.items():
        http.header_map.headers.add(key=key, raw_value=value.encode())
    return request.SerializeToString()


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
async def test_the_case_is_decided_and_recorded_as_written(case: Case, world: World) -> None:
    answer = await world.pipeline.check(check_request(case.call), "", time.monotonic() + 10)
    response = external_auth_pb2.CheckResponse.FromString(write_check_response(answer))
    assert (answer.effect.value, answer.status) == (case.answer.effect, case.answer.status)
    assert response.HasField("ok_response") == (case.answer.effect in ("allow", "sanitize"))
    for words in case.answer.says:
        assert words in answer.body.decode()
    assert answer.upstream_headers.get("x-aegis-obligation", "") == case.answer.obligation
    assert answer.upstream_headers.get("mcp-session-id", "") == case.answer.session_to_tool
    if case.answer.content_type_to_tool:
        assert answer.upstream_headers["content-type"] == case.answer.content_type_to_tool
    record = record_to_json(world.records.records[-1])
    session = check_headers(case.call).get("mcp-session-id")
    assert record["mcp_session"] == ("" if session is None else hashlib.sha256(session.encode()).hexdigest())
    assert {name: record[name] for name in case.record} == case.record
    assert answer.client_headers["x-aegis-decision-id"] == record["decision_id"]
