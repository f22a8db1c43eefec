"""A pod and a world, each in a network namespace of its own: an agent, a real Envoy of ours, and a witness outside.

The namespaces have no name: they are those of processes that end with this one, whatever ends it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import shutil
import sys
import tempfile
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography import x509

from aegis_authz.config.proxy import InterceptionSettings, ProxySettings, TransparentSettings
from aegis_authz.core.catalogue import JSON_ALONE, ONE_OPERATION, Action, Catalogue, Tool
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.core.units import Epoch
from aegis_authz.intercept.authority import new_authority
from aegis_authz.intercept.packet_rules import removal_text, rules_text
from aegis_authz.intercept.redirection import Redirection
from aegis_authz.local.namespaces import inside, missing, namespace, run, running
from aegis_authz.proxy.render import write_config
from tests.bypass.frames import of_probe
from tests.proxy.conftest import Authorizer, Proxy, Starter
from tests.proxy.test_real_envoy_https import certificates
from tests.support import authority as public

PROGRAMS = Path(__file__).parent / "programs"
AGENT_UID, GATEWAY_UID = 10001, 1337
POD4, POD6 = "10.77.0.1", "fd77::1"
TOOL4, EVIL4, EVIL6 = "10.77.0.2", "10.77.0.66", "fd77::66"
RULES = Redirection((GATEWAY_UID,), {}, is_pod=True, inbound=(15021,), devices=("vp",))
TIMEOUT = 20.0
_LINKS = f"""
ip link set lo up
ip link add vp type veth peer name vw netns {{world}}
ip addr add {POD4}/24 dev vp
ip addr add {POD6}/64 dev vp nodad
ip link set vp up
echo 0 2147483647 > /proc/sys/net/ipv4/ping_group_range
"""
_WORLD = f"""
ip link set lo up
ip addr add {TOOL4}/24 dev vw
ip addr add {EVIL4}/24 dev vw
ip addr add {EVIL6}/64 dev vw nodad
ip link set vw up
"""
_ROUTES = f"ip route add default via {TOOL4}\nip -6 route add default via {EVIL6}\n"


class Program:
    """A program that answers each line it gets with one."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def ask(self, question: object) -> Any:
        """Its answer to a question; a text goes as it is."""
        await self.say(question)
        return await self.listen()

    async def say(self, question: object) -> None:
        """Send a line."""
        assert self._process.stdin is not None
        line = question if isinstance(question, str) else json.dumps(question)
        self._process.stdin.write(line.encode() + b"\n")
        await self._process.stdin.drain()

    async def listen(self) -> Any:
        """Its next line."""
        assert self._process.stdout is not None
        async with asyncio.timeout(TIMEOUT):
            return json.loads(await self._process.stdout.readline())


@dataclass
class Bypass:
    """The pod and the world, without rules until a test puts some up."""

    pod: int
    agent: Program
    world: Program
    proxy: Proxy
    authorizer: Authorizer
    authority: str
    attempts: int = field(default=0)

    async def rules(self, redirection: Redirection | None) -> None:
        """Put rules up in the pod, or take them off."""
        text = removal_text() if redirection is None else rules_text(redirection)
        await run(inside(self.pod, "nft", "-f", "-"), text)

    async def attempt(self, probe: dict[str, Any], *hosts: str) -> tuple[str, set[str]]:
        """What the agent got, and at which addresses the world saw anything of it: its token, or a packet for a host that
        nobody listed, or for one of `hosts`.
        """
        self.attempts += 1
        token = f"tk{os.getpid()}n{self.attempts}z"
        await self.world.ask("seen")
        answer = await self.agent.ask({**self.placed(probe), "token": token})
        frames = [bytes.fromhex(frame) for frame in await self.world.ask("seen")]
        return answer, of_probe(frames, token, (EVIL4, EVIL6, *hosts))

    def placed(self, probe: dict[str, Any]) -> dict[str, Any]:
        """A probe with addresses in place of their names."""
        text = json.dumps(probe)
        for name, address in {"EVIL4": EVIL4, "EVIL6": EVIL6, "TOOL4": TOOL4, "POD4": POD4}.items():
            text = text.replace(name, address)
        text = text.replace('"FORWARD"', str(self.proxy.forward)).replace("ADMIN", self.proxy.settings.admin_socket)
        placed: dict[str, Any] = json.loads(text)
        if "authority" in placed:
            placed["authority"] = self.authority
        return placed


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that the gateway's user may enter, short enough for unix sockets."""
    folder = Path(tempfile.mkdtemp(prefix="by-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def catalogue() -> Catalogue:
    """Three tools: in the clear, in TLS, and one whose TLS is passed through."""
    connect = Action("connect", "CONNECT", ("",), (), False, JSON_ALONE, ONE_OPERATION)
    return Catalogue.of(
        (
            Tool("pay", "pay.example", None, f"http://{TOOL4}:9001", (), "", "", None, False, False, NO_INTERFACE),
            Tool("bank", "bank.example", None, f"https://{TOOL4}:9443", (), "", "", None, False, False, NO_INTERFACE),
            Tool(
                "pinned",
                "pinned.example",
                None,
                f"tls://{TOOL4}:9443",
                (connect,),
                "",
                "",
                None,
                False,
                False,
                NO_INTERFACE,
            ),
        )
    )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bypass_mesh(envoy_binary: Path, open_folder: Path) -> AsyncIterator[Bypass]:
    if missing():
        pytest.skip(f"NOT PROVEN that there is no way around: {missing()}")
    vouching = public.Authority(open_folder)
    leaf = vouching.leaf("tool.pem", x509.IPAddress(ipaddress.ip_address(TOOL4)))
    authority = new_authority(Epoch(time.time()))
    async with AsyncExitStack() as stack:
        pod, world = await stack.enter_async_context(namespace()), await stack.enter_async_context(namespace())
        await run(inside(pod, "sh", "-e"), _LINKS.format(world=world))
        await run(inside(world, "sh", "-e"), _WORLD)
        await run(inside(pod, "sh", "-e"), _ROUTES)
        outside = await stack.enter_async_context(
            running(*inside(world, sys.executable, str(PROGRAMS / "world.py"), "vw", str(leaf), TOOL4, EVIL4, EVIL6))
        )
        hostile = await stack.enter_async_context(
            running(*inside(pod, sys.executable, "-u", str(PROGRAMS / "agent.py")))
        )
        witness = Program(outside)
        assert await witness.listen() == "ready"
        authorizer = await stack.enter_async_context(Authorizer(open_folder / "authz.sock").serving())
        await stack.enter_async_context(certificates(f"unix:{open_folder / 'sds.sock'}", authority))
        for socket in ("authz.sock", "sds.sock"):
            os.chown(open_folder / socket, GATEWAY_UID, GATEWAY_UID)
        proxy = await stack.enter_async_context(gateway(pod, envoy_binary, open_folder, authorizer, vouching.file))
        yield Bypass(pod, Program(hostile), witness, proxy, authorizer, authority.certificate.decode())


@asynccontextmanager
async def gateway(pod: int, binary: Path, folder: Path, authorizer: Authorizer, ca_file: Path) -> AsyncIterator[Proxy]:
    """A real Envoy of ours in the pod, as the gateway's user."""
    own = folder / "envoy"
    settings = ProxySettings(
        forward_port=0,
        reverse_port=0,
        admin_socket=str(own / "admin.sock"),
        authz=(authorizer.place,),
        xds=own / "xds",
        access_log=own / "access.log",
        ca_file=ca_file,
        interception=InterceptionSettings(certificates=f"unix:{folder / 'sds.sock'}"),
        transparent=TransparentSettings(listeners={"pod": 15001, "job": 15002}),
    )
    config = write_config(own, settings, catalogue())
    for path in (own, *own.rglob("*")):
        os.chown(path, GATEWAY_UID, GATEWAY_UID)
    user = ("--reuid", str(GATEWAY_UID), "--regid", str(GATEWAY_UID), "--clear-groups", "--no-new-privs")
    prefix = inside(pod, "setpriv", *user, "--bounding-set=-all", "--inh-caps=-all")
    async with Starter(binary, folder, prefix).launched(config, settings) as proxy:
        yield proxy


@pytest_asyncio.fixture(loop_scope="session")
async def second(bypass_mesh: Bypass) -> AsyncIterator[Program]:
    """Another agent of the pod."""
    async with running(*inside(bypass_mesh.pod, sys.executable, "-u", str(PROGRAMS / "agent.py"))) as process:
        yield Program(process)


@pytest_asyncio.fixture(loop_scope="session")
async def bypass(bypass_mesh: Bypass) -> AsyncIterator[Bypass]:
    """All of it, without rules before and after."""
    bypass_mesh.authorizer.reset()
    await bypass_mesh.rules(None)
    yield bypass_mesh
    await bypass_mesh.rules(None)
