"""Who takes part in a run, and the start of them all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aegis_authz.proxy  # noqa: F401  # first: it imports Envoy's types, here and for `floor`, where it is quiet
from aegis_authz.bench.calls import DENIED, Call, Signer
from aegis_authz.bench.tokens import mesh_signer
from aegis_authz.config import AuthzSettings, ProxySettings
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.tools import DemoTools
from aegis_authz.local.documents import example_documents
from aegis_authz.local.ports import choose_ports
from aegis_authz.local.settings import trusted_authorities
from aegis_authz.policy.read import load
from benchmarks.floor import floor
from benchmarks.results import FLOOR
from benchmarks.rounds import Say
from benchmarks.run import LineUp

DEFAULT = f"Aegis ({AuthzSettings.model_fields['host'].default.value})"
"""Aegis as it is delivered."""
NAMES = (FLOOR, DEFAULT)
"""Everyone, in the order of the table."""
QUICK = (FLOOR, DEFAULT)
"""Those of a quick run."""

_HOST = "api.stripe.example"
_ALLOWED = Call("/v1/payments", host=_HOST, body=b'{"amount":4200}')
_DENIED = Call("/v1/payments", DENIED, host=_HOST, body=b'{"amount":50000}')


@dataclass(frozen=True, slots=True)
class Member:
    """One that takes part: what `benchmarks.rounds.Entrant` asks for."""

    name: str
    url: str
    pids: Mapping[str, tuple[int, ...]]
    judges: bool


@dataclass(frozen=True, slots=True)
class Started:
    """Everyone up, the two calls they are all loaded with, and who signs the tokens.

    `peer` is the binary of the Go peer, None when it takes no part.
    """

    who: LineUp
    signer: Signer
    allowed: Call
    denied: Call
    peer: Path | None = None


@asynccontextmanager
async def line_up(folder: Path, wanted: Sequence[str], policies: int, say: Say) -> AsyncIterator[Started]:
    """Start those of `NAMES` that are wanted, with so many other policies loaded; all are gone when the block ends.

    `folder` is an empty folder for everything. Raises CommandFailed, ServerMissing, OSError.
    """
    ports = choose_ports({"alone": 0, "tool": 0}, {})
    mesh = DemoMesh(folder / "aegis", DemoTools())
    _write_documents(mesh, ports["tool"], policies)
    settings = ProxySettings(
        forward_port=ports["alone"],
        reverse_port=ports["tool"],
        admin_socket=str(folder / "admin.sock"),
        authz=("127.0.0.1:1",),
        xds=folder / "floor" / "xds",
        access_log=folder / "access.log",
        ca_file=trusted_authorities(),
    )
    say(f"starting {', '.join(wanted)}, {policies:,} other policies")
    async with floor(folder / "floor", settings, _catalogue(mesh)) as floor_pid, _up(mesh):
        everyone = (
            Member(FLOOR, f"http://127.0.0.1:{ports['alone']}", {"envoy": (floor_pid,)}, judges=False),
            Member(DEFAULT, mesh.proxy, _parts(mesh.pids()), judges=True),
        )
        taking_part = [one for one in everyone if one.name in wanted]
        signer = mesh_signer(mesh.state, "acme", "emea", "finance-agent")
        yield Started(LineUp(taking_part, DEFAULT, {}), signer, _ALLOWED, _DENIED)


@asynccontextmanager
async def _up(mesh: DemoMesh) -> AsyncIterator[None]:
    try:
        await mesh.up()
        yield
    finally:
        await mesh.down()


def _parts(pids: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    workers = tuple(pid for name, pid in pids.items() if name.startswith("authz"))
    return {"authz": workers, **{part: (pids[part],) for part in ("opa", "redis", "envoy")}}


def _write_documents(mesh: DemoMesh, tool_port: int, policies: int) -> None:
    for source, target in (("agents", mesh.policies), ("tools", mesh.catalogue)):
        target.mkdir(parents=True)
        for path in sorted((example_documents() / source).glob("*.yaml")):
            (target / path.name).write_text(path.read_text("utf-8").replace(":9001", f":{tool_port}"), "utf-8")
    model = (mesh.policies / "finance-agent.yaml").read_text("utf-8")
    for number in range(policies):
        other = model.replace("agent: finance-agent", f"agent: other-agent-{number}")
        (mesh.policies / f"other-agent-{number}.yaml").write_text(other, "utf-8")


def _catalogue(mesh: DemoMesh) -> Catalogue:
    texts = {path.name: path.read_text("utf-8") for path in sorted(mesh.catalogue.glob("*.yaml"))}
    return Catalogue.of(load({}, texts).tools)
