"""A mesh of its own with nobody beside it, for the benchmarks that compare a mesh with itself."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path

import aegis_authz.proxy  # noqa: F401  # first: it imports Envoy's types, here where it is quiet
from aegis_authz.config.proxy import ProxySettings
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.tools import DemoTools
from aegis_authz.load.calls import Signer, mixed, write_targets
from aegis_authz.load.tokens import mesh_signer
from aegis_authz.local.mesh_facts import read_facts
from aegis_authz.local.settings import trusted_authorities
from aegis_authz.local.tcp_ports import choose_ports
from benchmarks.contenders import documents
from benchmarks.contenders.documents import AGENT, ALLOWED, FINANCE, REFUSED
from benchmarks.measure.bare_envoy import floor

CALLS = mixed(ALLOWED, REFUSED)
"""One in 20 is to be denied. The tool is Envoy itself, which answers at once."""
_TO_A_FILE = 100
"""Policies: a folder holds 10,000 files at most."""


@dataclass(frozen=True, slots=True)
class LoneMesh:
    """A running mesh, and the tokens of its agents."""

    mesh: DemoMesh
    signer: Signer

    @property
    def url(self) -> str:
        """Of the Envoy in front."""
        return self.mesh.proxy

    def processes(self) -> dict[str, int]:
        """Every process by name, the supervisor too."""
        facts = read_facts(self.mesh.state)
        return {**self.mesh.pids(), "supervisor": facts.supervisor}

    def write_calls(self, path: Path, agents: Sequence[str], count: int, run: str, now: Epoch) -> None:
        """Write so many signed calls of these agents in turn; `run` and `now` as `Signer.tokens`. Raises OSError."""
        signers = [replace(self.signer, scope=replace(FINANCE, agent=agent)) for agent in agents]
        streams = cycle([signer.tokens(f"{run}-{number}", now) for number, signer in enumerate(signers)])
        write_targets(path, self.url, CALLS, islice((next(stream) for stream in streams), count))


@asynccontextmanager
async def lone_mesh(
    policies: int, ttl: Seconds | None = None, words: tuple[str, ...] = ("--budget-ms", "40")
) -> AsyncIterator[LoneMesh]:
    """Start a mesh with the policy of `AGENT` and so many others like it; it is gone when the block ends.

    `ttl` is the life of its tokens, None for the longest; `words` are further ones for `aegis up`.
    Raises CommandFailed, ServerMissing, OSError.
    """
    ports = choose_ports({"alone": 0, "tool": 0}, {})
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aegis-alone-")))
        mesh = DemoMesh(folder / "aegis", DemoTools(), words)
        write_documents(mesh, policies, ports["tool"])
        await stack.enter_async_context(floor(folder / "tool", _tool(folder, ports), Catalogue.of(())))
        stack.push_async_callback(mesh.down)
        await mesh.up()
        signer = mesh_signer(mesh.state, FINANCE)
        yield LoneMesh(mesh, signer if ttl is None else replace(signer, ttl=ttl))


def other_agent(number: int) -> str:
    """The name of one of the agents there are beside `AGENT`."""
    return f"other-agent-{number}"


def parts(processes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """Processes by part: the workers are one."""
    pids: dict[str, tuple[int, ...]] = {}
    for name, pid in processes.items():
        part = name.partition("-")[0]
        pids[part] = (*pids.get(part, ()), pid)
    return pids


def write_documents(mesh: DemoMesh, policies: int, tool_port: int) -> None:
    """Write the documents of the benchmark with so many other policies. Raises OSError."""
    documents.write_documents(mesh.policies, mesh.catalogue, 0, tool_port)
    model = (mesh.policies / f"{AGENT}.yaml").read_text("utf-8")
    for first in range(0, policies, _TO_A_FILE):
        numbers = range(first, min(first + _TO_A_FILE, policies))
        copies = [model.replace(f"agent: {AGENT}", f"agent: {other_agent(number)}") for number in numbers]
        (mesh.policies / f"others-{first}.yaml").write_text("---\n".join(copies), "utf-8")


def _tool(folder: Path, ports: Mapping[str, int]) -> ProxySettings:
    return ProxySettings(
        forward_port=ports["alone"],
        reverse_port=ports["tool"],
        admin_socket=str(folder / "tool.sock"),
        authz=("127.0.0.1:1",),
        xds=folder / "tool" / "xds",
        access_log=folder / "tool.log",
        ca_file=trusted_authorities(),
    )
