"""Who takes part in the mix: one mesh of two issuer keys, the Go peer, and workers of each kind, asked by socket."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from enum import Enum
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from aegis_authz import native
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.tools import DemoTools
from aegis_authz.encoding.jwk import okp_jwk, thumbprint
from aegis_authz.load.calls import Call, Signer
from aegis_authz.load.tokens import mesh_signer
from aegis_authz.local.tcp_ports import choose_ports
from aegis_authz.policy.load import load
from benchmarks.contenders import documents, peer
from benchmarks.contenders.documents import FINANCE, TOOL
from benchmarks.contenders.lineup import DEFAULT
from benchmarks.contenders.lone_mesh import CALLS
from benchmarks.contenders.mix_calls import draw
from benchmarks.contenders.mix_world import World, make_world, mix_peer_data, write_world
from benchmarks.contenders.workers import (
    AS_COMPILED,
    AS_DELIVERED,
    EQUAL_WORK,
    EQUAL_WORK_COMPILED,
    Kind,
    address_in,
)
from benchmarks.measure.passes import AT_A_TIME, Check, Envelope, Question, WrongAnswer, check_of, play
from benchmarks.measure.processes import process
from benchmarks.measure.results import COMPILED, EQUAL, EQUAL_COMPILED, MIX_TWO, PEER, SIDECAR, SIDECAR_COMPILED
from benchmarks.measure.rounds import Say

NAMES = (PEER, DEFAULT, COMPILED, EQUAL, EQUAL_COMPILED, SIDECAR, SIDECAR_COMPILED)
"""Everyone, in the order of the table."""
KEY_LIFE = 270.0
"""Seconds for which tokens of the first key are shown: it verifies for 300 after the second has taken its place."""
_KINDS = {DEFAULT: AS_DELIVERED, EQUAL: EQUAL_WORK, SIDECAR: AS_DELIVERED}
_COMPILED = {COMPILED: AS_COMPILED, EQUAL_COMPILED: EQUAL_WORK_COMPILED, SIDECAR_COMPILED: AS_COMPILED}
_SIDECARS = (SIDECAR, SIDECAR_COMPILED)
_BUDGET = "2000"  # milliseconds: whoever else the machine works for, nothing is refused for lack of time
_PATIENCE, _PAUSE = 60.0, 0.2
_LAST_WORDS = 2000


class Load(Enum):
    """What a contender is asked: the mix, or the two calls of `make bench`."""

    MIX = "mix"
    TWO = MIX_TWO


@dataclass(frozen=True, slots=True)
class Place:
    """Where a contender is asked, and its processes by part."""

    check: Check
    pids: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class MixMesh:
    """A running mesh with the documents of the world and of the two calls.

    `signers` sign with one issuer key each, the former first, which is believed for some minutes after `began`
    (monotonic seconds). `listeners` stand for an agent each, `keys` is the folder of these agents' keys.
    """

    mesh: DemoMesh
    world: World
    signers: tuple[Signer, ...]
    began: float
    listeners: Mapping[Scope, str]
    keys: Path
    routes: Mapping[str, str]

    def workload(self) -> dict[str, Any]:
        """Settings of an authorizer whose listeners stand for the agents."""
        endpoint = f"{self.mesh.control}/v1/token"
        return {
            name: {"agent": str(scope), "token_endpoint": endpoint, "key": str(self.keys / f"{name}.pem")}
            for scope, name in self.listeners.items()
        }


@dataclass(frozen=True, slots=True)
class MixContender:
    """One that is asked: everywhere with tokens, or without any by listeners that stand for agents."""

    name: str
    mesh: MixMesh
    places: Mapping[Load, Place]

    @property
    def is_sidecar(self) -> bool:
        """Whether no call of it shows a token."""
        return self.name in _SIDECARS

    def questions(self, what: Load, count: int, seed: int) -> list[Question]:
        """So many questions, each with a token of its own where it takes tokens; those of a seed are the same."""
        world = self.mesh.world
        if what is Load.TWO:
            calls = [(FINANCE, TOOL, 1, call) for call in islice(cycle(CALLS), count)]
        else:
            agents = world.of_tenants if self.is_sidecar else world.agents
            drawn = draw(world, agents, count, seed)
            calls = [(each.rights.scope, each.tool.name, each.key, each.call) for each in drawn]
        return list(self._questions(calls))

    def _questions(self, calls: Sequence[tuple[Scope, str, int, Call]]) -> Iterator[Question]:
        run, now = os.urandom(8).hex(), Epoch(time.time())
        streams: dict[tuple[Scope, int], Iterator[str]] = {}
        for number, (scope, tool, key, call) in enumerate(calls):
            route = self.mesh.routes[tool]
            if self.is_sidecar:
                yield Envelope(listener=self.mesh.listeners[scope]).question(call, "", route, number)
                continue
            if (scope, key) not in streams:
                signer = replace(self.mesh.signers[key], scope=scope)
                streams[scope, key] = signer.tokens(f"{run}-{len(streams)}", now)
            envelope = Envelope(joined=self.name == PEER)
            yield envelope.question(call, next(streams[scope, key]), route, number)


@asynccontextmanager
async def mix_mesh(folder: Path, seed: int) -> AsyncIterator[MixMesh]:
    """Start it; it is gone when the block ends. Raises CommandFailed, ServerMissing, OSError."""
    ports = choose_ports({"tool": 0, "sink": 0}, {})
    world, keys = make_world(seed), folder / "agents"
    scopes = (FINANCE, *(rights.scope for rights in world.of_tenants))
    listeners = {scope: f"pod-{number}" for number, scope in enumerate(scopes)}
    keys.mkdir(mode=0o700)
    registered = {str(scope): _registered(keys / f"{name}.pem") for scope, name in listeners.items()}
    collector = f"http://127.0.0.1:{ports['sink']}"
    mesh = DemoMesh(folder / "aegis", DemoTools(), ("--workers", "1", "--budget-ms", _BUDGET, "--otlp", collector))
    documents.write_documents(mesh.policies, mesh.catalogue, 0, ports["tool"])
    write_world(world, mesh.policies, mesh.catalogue, ports["tool"], registered)
    tools = load({}, {file.name: file.read_text("utf-8") for file in mesh.catalogue.glob("*.yaml")}).tools
    routes = {name: tool.route for name, tool in Catalogue.of(tools).by_name.items()}
    async with AsyncExitStack() as stack:
        sink = (sys.executable, "-m", "benchmarks.contenders.sink", str(ports["sink"]))
        await stack.enter_async_context(process(sink, folder / "sink.log", AS_DELIVERED.environment))
        stack.push_async_callback(mesh.down)
        await mesh.up()
        former = mesh_signer(mesh.state, FINANCE)
        began = time.monotonic()
        await mesh.aegis("keys", "rotate", "issuer", "--dir", str(mesh.state), "--wait", "30")
        yield MixMesh(mesh, world, (former, mesh_signer(mesh.state, FINANCE)), began, listeners, keys, routes)


def _registered(path: Path) -> dict[str, Any]:
    """Make the key of an agent; returns what registers the agent."""
    key = Ed25519PrivateKey.generate()
    path.touch(0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    jwk = okp_jwk(key.public_key().public_bytes_raw())
    return {"owner": "platform", "ways": ["token", "workload"], "keys": [{m: jwk[m] for m in ("kty", "crv", "x")}]}


@asynccontextmanager
async def mix_line_up(mesh: MixMesh, names: Sequence[str], say: Say) -> AsyncIterator[list[MixContender]]:
    """Start those of `NAMES` that are wanted and can be had. Raises TimeoutError, OSError, WrongAnswer."""
    with tempfile.TemporaryDirectory(prefix="aegis-mix-") as folder:
        async with AsyncExitStack() as stack:
            contenders: list[MixContender] = []
            for number, name in enumerate(name for name in NAMES if name in names):
                place = Path(folder, str(number))
                place.mkdir()  # noqa: ASYNC240  # before anything is served
                if why := _missing(name):
                    say(f"LEFT OUT: {name}. {why}")
                    continue
                say(f"starting {name}")
                contenders.append(await _started(mesh, name, place, stack))
            yield contenders


def _missing(name: str) -> str:
    """Why this one cannot take part, "" if it can."""
    if name in _COMPILED:
        build = native.examine()
        return "run `make compiled`" if build is None else build.trouble
    if name == PEER:
        try:
            peer.find_peer()
        except peer.PeerMissing as missing:
            return str(missing)
    return ""


async def _started(mesh: MixMesh, name: str, folder: Path, stack: AsyncExitStack) -> MixContender:
    if name == PEER:
        return await _started_peer(mesh, folder, stack)
    kind = (_KINDS | _COMPILED)[name]
    if name in _SIDECARS:
        kind = Kind({**kind.settings, "identity": {"workload": mesh.workload()}}, kind.part, kind.modules)
    command = kind.command(kind.write_settings(mesh.mesh.state, folder))
    pid = await stack.enter_async_context(process(command, folder / "log", kind.environment))
    servers = mesh.mesh.pids()
    pids = {"authz": (pid,), "opa": (servers["opa"],), "redis": (servers["redis"],)}
    place = await _place(address_in(folder), pids, stack)
    contender = MixContender(name, mesh, dict.fromkeys(Load, place))
    await _until_it_answers(contender, Load.TWO, folder / "log")
    return contender


async def _started_peer(mesh: MixMesh, folder: Path, stack: AsyncExitStack) -> MixContender:
    """One for each load: that of the two calls judges as in `make bench`."""
    raws = [signer.key.public_key().public_bytes_raw() for signer in mesh.signers]
    keys = [(thumbprint(raw), raw) for raw in raws]
    others = len(mesh.world.agents)
    of_load = {
        Load.MIX: (mix_peer_data(mesh.world, keys), "mix.rego"),
        Load.TWO: (documents.peer_data(raws[1], keys[1][0], others), "peer.rego"),
    }
    places: dict[Load, Place] = {}
    for load_, (data, rules) in of_load.items():
        own = folder / load_.name
        own.mkdir()
        ports = choose_ports({"server": 0, "diagnostic": 0}, {})
        address = f"unix://{own}/peer.sock"
        words = peer.command(peer.find_peer(), own, data, address, (ports["server"], ports["diagnostic"]), rules)
        pid = await stack.enter_async_context(process(words, own / "log", peer.ENVIRONMENT))
        places[load_] = await _place(f"unix:{own}/peer.sock", {"authz": (pid,)}, stack)
    contender = MixContender(PEER, mesh, places)
    for load_ in Load:
        await _until_it_answers(contender, load_, folder / load_.name / "log")
    return contender


async def _place(address: str, pids: Mapping[str, tuple[int, ...]], stack: AsyncExitStack) -> Place:
    channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
    return Place(check_of(channel), pids)


async def _until_it_answers(contender: MixContender, what: Load, log: Path) -> None:
    """Ask a few calls that no pass asks until all are answered rightly: of the mix the first agents alone know some."""
    give_up, place = time.monotonic() + _PATIENCE, contender.places[what]
    while True:
        try:
            answers = await play(place.check, contender.questions(what, AT_A_TIME, 0), place.pids)
            if not answers.refused:
                return
            fault: Exception = WrongAnswer(str(answers.refused))
        except (grpc.RpcError, WrongAnswer) as problem:
            fault = problem
        if time.monotonic() > give_up:
            words = await asyncio.to_thread(log.read_text, "utf-8", "replace")
            raise TimeoutError(f"{contender.name}: {fault}; {words[-_LAST_WORDS:]}") from None
        await asyncio.sleep(_PAUSE)
