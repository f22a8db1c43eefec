"""A gateway beside a running mesh, its processes started one by one as containers start them: an Envoy of its own, with
routes of what the mesh's OPA runs.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from aegis_authz.bootstrap.settings import load_settings
from aegis_authz.config.proxy import ProxySettings
from aegis_authz.config.routes import RoutesSettings
from aegis_authz.demo.agent import Agent
from aegis_authz.local.mesh_facts import read_facts
from aegis_authz.local.settings import write_settings
from aegis_authz.local.tcp_ports import choose_ports

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATIENCE = 120.0


async def command(*words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "aegis_authz.cli", *words, stderr=asyncio.subprocess.PIPE
    )


@asynccontextmanager
async def process(*words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    running = await command("serve", *words)
    try:
        yield running
        running.send_signal(signal.SIGTERM)
        await asyncio.wait_for(running.communicate(), PATIENCE)
        assert running.returncode == 0
    finally:
        if running.returncode is None:
            running.kill()
            await running.communicate()


async def is_ready(address: str, path: str) -> None:
    """Ask as a health check does, until it is."""
    async with asyncio.timeout(PATIENCE):
        while True:
            asked = await command("ready", address, path)
            _, complaint = await asked.communicate()
            if asked.returncode == 0:
                return
            assert complaint.startswith(b"aegis ready: ")


async def test_an_envoy_beside_the_mesh_takes_its_routes_from_opa_alone(
    agent: Agent, state: Path, tmp_path: Path
) -> None:
    own = load_settings(state / "proxy.yaml", ProxySettings)
    ports = choose_ports({"forward": 0, "reverse": 0}, {})
    admin = tmp_path / "envoy.sock"
    settings = own.model_copy(
        update={
            "forward_port": ports["forward"],
            "reverse_port": ports["reverse"],
            "admin_socket": str(admin),
            "xds": tmp_path / "xds",
            "access_log": tmp_path / "access.log",
            "workload": {},
        }
    )
    opa = Path(read_facts(state).opa.removeprefix("unix://"))
    routes = RoutesSettings(
        opa_socket=opa, folder=tmp_path / "run", ready_socket=str(tmp_path / "routes.sock"), proxy=settings
    )
    file = write_settings(tmp_path / "routes.yaml", routes)
    start = ("envoy", "--config-path", str(tmp_path / "run" / "envoy.yaml"), "--concurrency", "1")
    async with process(*start) as envoy, process("routes", "--config", str(file)):  # in whatever order they come
        await is_ready(f"unix:{tmp_path}/routes.sock", "/readyz")
        await is_ready(f"unix:{admin}", "/ready")
        for name in ("rds-forward.yaml", "rds-reverse.yaml"):
            ours, theirs = (yaml.safe_load((folder / name).read_text("utf-8")) for folder in (settings.xds, own.xds))
            assert ours == theirs
        async with httpx.AsyncClient(proxy=f"http://127.0.0.1:{ports['forward']}") as client:
            headers = {"x-aegis-token": agent.tokens.mint("finance-agent")}
            allowed = await client.get("http://api.stripe.example/v1/payments/p-1", headers=headers)
            refused = await client.get("http://api.stripe.example/v1/payments/p-1", headers=headers)
        assert (allowed.headers["x-aegis-decision"], refused.json()["reason"]) == ("allow", "REPLAYED")
        assert envoy.returncode is None
