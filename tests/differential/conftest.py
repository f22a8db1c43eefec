"""The real Envoy as it is rendered, the real pipeline behind it, and two tools that keep what they get."""

from __future__ import annotations

import base64
import socket
import ssl
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from aegis_authz.config.proxy import InterceptionSettings, TransparentSettings
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.units import Epoch
from aegis_authz.intercept.authority import new_authority
from aegis_authz.intercept.packet_rules import rules_text
from aegis_authz.intercept.redirection import Redirection
from aegis_authz.local.namespaces import inside, missing, namespace, run
from aegis_authz.policy.load import load
from aegis_authz.proxy.transparent import ANSWERS
from tests.differential.judge import Judge, socket_in
from tests.differential.recorders import Recorder, naive_tool, rpc_tool, strict_tool
from tests.proxy.conftest import Starter
from tests.proxy.test_real_envoy_https import certificates
from tests.support.descriptors import descriptor_set
from tests.support.inside_sockets import dialled, socket_inside

AGENT_UID = 10001
_NOWHERE = """
ip link set lo up
ip link add nowhere type veth peer name beyond
ip addr add 10.99.0.1/24 dev nowhere
ip link set nowhere up
ip link set beyond up
ip route add default dev nowhere
"""
STRICT, NAIVE = "strict.example", "simple.example"  # of one length: some requests count their bytes
RPC = "method.example"
"""The service of gRPC."""


@dataclass
class Gate:
    """All of it: where Envoy listens, what was judged, and what arrived at which host."""

    port: int
    judge: Judge
    tools: dict[str, Recorder]
    trusting: ssl.SSLContext
    pod: int

    def redirected(self, port: int) -> socket.socket:
        """A connection of an agent to nowhere, which rules lead to the gateway."""
        return socket_inside(self.pod, lambda: dialled(ANSWERS[0], port), AGENT_UID)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def gate(envoy_binary: Path) -> AsyncIterator[Gate]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="df-")))
        pod = 0 if missing() else await stack.enter_async_context(_pod())
        authority = new_authority(Epoch(time.time()))
        place = f"unix:{folder / 'sds.sock'}"
        async with (
            strict_tool(pod) as strict,
            naive_tool(pod) as naive,
            rpc_tool(pod) as rpc,
            certificates(place, authority),
        ):
            catalogue = _catalogue({STRICT: strict, NAIVE: naive}, rpc)
            judge = Judge(socket_in(folder), catalogue)
            opened = InterceptionSettings(certificates=place)
            async with (
                judge.serving(),
                Starter(envoy_binary, folder).running("gate", catalogue, judge.place, interception=opened) as proxy,
            ):
                if pod:
                    starter = Starter(envoy_binary, folder, inside(pod))
                    led = TransparentSettings(listeners={"pod": 15001})
                    running = starter.running("pod", catalogue, judge.place, interception=opened, transparent=led)
                    await stack.enter_async_context(running)
                trusting = ssl.create_default_context(cadata=authority.certificate.decode())
                yield Gate(proxy.forward, judge, {STRICT: strict, NAIVE: naive, RPC: rpc}, trusting, pod)


@asynccontextmanager
async def _pod() -> AsyncIterator[int]:
    """A network namespace with a way to nowhere, and rules that lead an agent to the gateway, whose user is root here."""
    async with namespace() as pod:
        await run(inside(pod, "sh", "-e"), _NOWHERE)
        await run(inside(pod, "nft", "-f", "-"), rules_text(Redirection((0,), {AGENT_UID: 15001}, is_pod=True)))
        yield pod


def _catalogue(tools: dict[str, Recorder], rpc: Recorder) -> Catalogue:
    texts: dict[str, str] = {}
    for host, tool in tools.items():
        name, upstream = host.partition(".")[0], f"http://127.0.0.1:{tool.port}"
        for file in ("tools", "ticker", "mcp"):
            entry: Any = yaml.safe_load((Path(__file__).parent / f"{file}.yaml").read_text("utf-8"))
            place = {"tool": name if file == "tools" else f"{name}-{file}", "host": host, "upstream": upstream}
            texts[f"{host}-{file}.yaml"] = yaml.safe_dump({**place, **entry})
    service: Any = yaml.safe_load((Path(__file__).parent / "rpc.yaml").read_text("utf-8"))
    head = {"tool": "rpc", "host": RPC, "upstream": f"http://127.0.0.1:{rpc.port}"}
    texts["rpc.yaml"] = yaml.safe_dump({**head, **service})
    texts["pay.binpb"] = base64.b64encode(descriptor_set()).decode()
    return Catalogue.of(load({}, texts).tools)


@pytest.fixture(scope="session")
def outcomes() -> dict[tuple[str, str], dict[str, str]]:
    """What became of each case (family and sentence) on each way, as the tests are played."""
    return {}
