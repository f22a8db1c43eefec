"""Who takes part in a run, and the start of them all."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import aegis_authz.proxy  # noqa: F401  # first: it imports Envoy's types, here and for `floor`, where it is quiet
from aegis_authz import native
from aegis_authz.config.authz import AuthzSettings, WorkerHost
from aegis_authz.config.proxy import ProxySettings
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.tools import DemoTools
from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.load.calls import Call, Signer
from aegis_authz.load.tokens import mesh_signer
from aegis_authz.local.mesh_facts import read_facts
from aegis_authz.local.settings import trusted_authorities
from aegis_authz.local.tcp_ports import choose_ports
from aegis_authz.policy.load import load
from benchmarks.contenders import peer
from benchmarks.contenders.documents import ALLOWED, FINANCE, REFUSED, SPENDER, peer_data, write_documents
from benchmarks.contenders.missing_part import PARTS
from benchmarks.contenders.workers import (
    AS_COMPILED,
    AS_DELIVERED,
    EQUAL_WORK,
    EQUAL_WORK_COMPILED,
    Kind,
    address_in,
    with_host,
    without,
)
from benchmarks.measure.bare_envoy import floor
from benchmarks.measure.cores import on
from benchmarks.measure.front_envoy import front
from benchmarks.measure.processes import process, proven
from benchmarks.measure.results import BOUND, COMPILED, EQUAL, EQUAL_COMPILED, FLOOR, LIMITED, NAIVE, PEER
from benchmarks.measure.rounds import Say
from benchmarks.measure.run import LineUp

DEFAULT = f"Aegis ({AuthzSettings.model_fields['host'].default.value})"
"""Aegis as it is delivered."""
_HOST_NAMES = {f"Aegis ({host.value})": host.value for host in WorkerHost}
_NOOP_GRPC = "no-op (grpc.aio)"
_COMPILED: Mapping[str, Kind] = {COMPILED: AS_COMPILED, EQUAL_COMPILED: EQUAL_WORK_COMPILED}
_KINDS: Mapping[str, Kind] = {
    **{name: with_host(host) for name, host in _HOST_NAMES.items()},
    BOUND: AS_DELIVERED,
    LIMITED: AS_DELIVERED,
    EQUAL: EQUAL_WORK,
    **_COMPILED,
    **{f"Aegis without {part}": without(part) for part in PARTS},
}
NAMES = (FLOOR, _NOOP_GRPC, PEER, NAIVE, *_KINDS)
"""Everyone, in the order of the table."""
QUICK = (FLOOR, PEER, DEFAULT)
"""Those of a quick run."""
_FROM_HERE = {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}


class _NotCompiled(Exception):
    """There are no compiled modules to run; the message says how to get them."""


@dataclass(frozen=True, slots=True)
class Member:
    """One that takes part: what `benchmarks.measure.rounds.Entrant` asks for."""

    name: str
    url: str
    pids: Mapping[str, tuple[int, ...]]
    judges: bool
    proves: bool = False
    agent: str = FINANCE.agent


@dataclass(frozen=True, slots=True)
class LiveLineUp:
    """Everyone up, the two calls they are all loaded with, and who signs the tokens.

    `peer` is the binary of the Go peer, None when it takes no part.
    """

    line_up: LineUp
    signer: Signer
    allowed: Call
    denied: Call
    peer: Path | None = None


@asynccontextmanager
async def line_up(
    folder: Path, names: Sequence[str], policies: int, cores: Collection[int], say: Say
) -> AsyncIterator[LiveLineUp]:
    """Start those of `NAMES` that are wanted, with so many other policies loaded; all are gone when the block ends.

    `folder` is an empty folder for everything, `cores` are those of the contenders; tool and collector are where this
    is. Raises CommandFailed, ServerMissing, NotUp, OSError.
    """
    async with AsyncExitStack() as stack:
        say(f"starting a mesh, {policies:,} other policies")
        world = await _world(folder, policies, cores, stack)
        members: list[Member] = []
        left_out: dict[str, str] = {}
        binary: Path | None = None
        for name in (name for name in NAMES if name in names):
            say(f"starting {name}")
            try:
                start = _Start(world, name, stack)
                with on(cores):
                    member = await start.member()
            except (peer.PeerMissing, _NotCompiled) as missing:
                left_out[name] = str(missing)
                say(f"left out: {name}. {missing}")
                continue
            binary = peer.find_peer() if name == PEER else binary
            calls = (ALLOWED, REFUSED) if member.judges else (ALLOWED,)
            signer = replace(world.signer, scope=replace(FINANCE, agent=member.agent))
            await proven(name, member.url, signer, calls, start.log)
            members.append(member)
        yield LiveLineUp(LineUp(members, DEFAULT, left_out), world.signer, ALLOWED, REFUSED, binary)


@dataclass(frozen=True, slots=True)
class _World:
    """What all share: the mesh with its OPA and Redis, the tool, and the Envoy alone."""

    folder: Path
    mesh: DemoMesh
    catalogue: Catalogue
    signer: Signer
    floor: Member
    policies: int
    collector: str

    @property
    def spans(self) -> str:
        """Where Envoys send theirs."""
        return self.collector.removeprefix("http://")

    def parts(self, *names: str) -> dict[str, tuple[int, ...]]:
        """Processes of the mesh by name."""
        pids = self.mesh.pids()
        return {name: (pids[name],) for name in names}


async def _world(folder: Path, policies: int, cores: Collection[int], stack: AsyncExitStack) -> _World:
    ports = choose_ports({"alone": 0, "tool": 0, "sink": 0, "unused": 0, "idle": 0}, {})
    mesh = DemoMesh(folder / "aegis", DemoTools(), ("--budget-ms", "40"))
    write_documents(mesh.policies, mesh.catalogue, policies, ports["tool"])
    catalogue = Catalogue.of(load({}, {p.name: p.read_text("utf-8") for p in mesh.catalogue.glob("*.yaml")}).tools)
    tool = _plain(folder, "tool", ports["unused"], ports["tool"])
    alone = _plain(folder, "floor", ports["alone"], ports["idle"])
    collector = f"http://127.0.0.1:{ports['sink']}"
    command = (sys.executable, "-m", "benchmarks.contenders.sink", str(ports["sink"]))
    await stack.enter_async_context(process(command, folder / "sink.log", _FROM_HERE))
    await stack.enter_async_context(floor(folder / "tool", tool, Catalogue.of(())))
    stack.push_async_callback(mesh.down)
    documents = ("--policies", str(mesh.policies), "--tools", str(mesh.catalogue))
    with on(cores):
        floor_pid = await stack.enter_async_context(floor(folder / "floor", alone, catalogue))
        await mesh.aegis("up", "--detach", "--dir", str(mesh.state), *documents, "--workers", "1", "--otlp", collector)
    signer = mesh_signer(mesh.state, FINANCE)
    member = Member(FLOOR, f"http://127.0.0.1:{ports['alone']}", {"envoy": (floor_pid,)}, judges=False)
    return _World(folder, mesh, catalogue, signer, member, policies, collector)


def _plain(folder: Path, name: str, forward: int, reverse: int) -> ProxySettings:
    """Of an Envoy that asks nobody, and of which one port may be all that is used."""
    return ProxySettings(
        forward_port=forward,
        reverse_port=reverse,
        admin_socket=str(folder / f"{name}.sock"),
        authz=("127.0.0.1:1",),
        xds=folder / name / "xds",
        access_log=folder / f"{name}.log",
        ca_file=trusted_authorities(),
    )


class _Start:
    """Starts one contender; what it starts ends with `stack`."""

    def __init__(self, world: _World, name: str, stack: AsyncExitStack) -> None:
        self._world = world
        self._name = name
        self._stack = stack
        self._folder = world.folder / "".join(letter if letter.isalnum() else "-" for letter in name)

    async def member(self) -> Member:
        """Start it. Raises PeerMissing, _NotCompiled, OSError."""
        world, name = self._world, self._name
        if name in _COMPILED and ((build := native.examine()) is None or build.trouble):
            raise _NotCompiled(f"{build.trouble if build else 'there are no compiled modules'}: run `make compiled`")
        if name == FLOOR:
            return world.floor
        self._folder.mkdir()
        if name == DEFAULT:
            worker = world.mesh.pids()["authz-0"]
            address = read_facts(world.mesh.state).authz[0]
            return await self._member(address, worker, ("opa", "redis"), True, joined=False)
        if name == PEER:
            return await self._peer()
        if name == NAIVE:
            return await self._naive()
        if name == _NOOP_GRPC:
            command = [sys.executable, "-m", "benchmarks.contenders.noop_grpc", self._address]
            return await self._behind(command, (), judges=False)
        return await self._variant(_KINDS[name])

    @property
    def log(self) -> Path:
        """What it has to say."""
        return self._folder / "log"

    @property
    def _address(self) -> str:
        return address_in(self._folder)

    async def _behind(
        self,
        command: Sequence[str],
        shared: Sequence[str],
        *,
        judges: bool,
        environment: Mapping[str, str] = _FROM_HERE,
    ) -> Member:
        started = process(command, self.log, environment)
        pid = await self._stack.enter_async_context(started)
        return await self._member(self._address, pid, shared, judges, joined=False)

    async def _member(self, address: str, pid: int, shared: Sequence[str], judges: bool, *, joined: bool) -> Member:
        envoy = front(
            self._folder / "front", address, self._world.catalogue, joined=joined, collector=self._world.spans
        )
        url, front_pid = await self._stack.enter_async_context(envoy)
        pids = {"authz": (pid,), **self._world.parts(*shared), "envoy": (front_pid,)}
        agent = SPENDER if self._name == LIMITED else FINANCE
        return Member(self._name, url, pids, judges, proves=self._name == BOUND, agent=agent.agent)

    async def _peer(self) -> Member:
        ports = choose_ports({"check": 0, "server": 0, "diagnostic": 0}, {})
        key = self._world.signer.key.public_key().public_bytes_raw()
        data = peer_data(key, thumbprint(key), self._world.policies)
        others, address = (ports["server"], ports["diagnostic"]), f"127.0.0.1:{ports['check']}"
        command = peer.command(peer.find_peer(), self._folder, data, address, others)
        pid = await self._stack.enter_async_context(process(command, self.log, peer.ENVIRONMENT))
        return await self._member(address, pid, (), True, joined=True)

    async def _naive(self) -> Member:
        facts = read_facts(self._world.mesh.state)
        public = self._world.signer.key.public_key()
        pem = self._folder / "key.pem"
        text = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        await asyncio.to_thread(pem.write_bytes, text)
        servers = (facts.opa.removeprefix("unix://"), facts.redis)
        command = [sys.executable, "-m", "benchmarks.contenders.naive", self._address, *servers, str(pem)]
        return await self._behind(command, ("opa", "redis"), judges=True)

    async def _variant(self, kind: Kind) -> Member:
        """Aegis otherwise than the mesh's worker, and beside it."""
        config = await asyncio.to_thread(kind.write_settings, self._world.mesh.state, self._folder)
        return await self._behind(kind.command(config), ("opa", "redis"), judges=True, environment=kind.environment)
