"""The floor: the same Envoy without Aegis, and a tool that costs nothing, both in one process."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from envoy_data_plane.envoy.config.bootstrap.v3 import Bootstrap
from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.config.route.v3 import (
    DirectResponseAction,
    Route,
    RouteConfiguration,
    RouteMatch,
    VirtualHost,
)
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager
from envoy_data_plane.google.protobuf import Any

from aegis_authz.config.proxy import ProxySettings
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.local.servers import find_envoy
from aegis_authz.proxy.bootstrap import bootstrap
from aegis_authz.proxy.render import to_yaml, write_xds


@asynccontextmanager
async def floor(folder: Path, settings: ProxySettings, catalogue: Catalogue) -> AsyncIterator[int]:
    """Run it while the block lasts; gives its pid.

    The forward port of `settings` proxies to the tools without asking anybody, the reverse port is the tool.
    """
    folder.mkdir(parents=True)  # noqa: ASYNC240  # before anything is served
    write_xds(settings, catalogue)
    async with envoy_running(folder, _without_aegis(bootstrap(settings)), settings.admin_socket) as pid:
        yield pid


@asynccontextmanager
async def envoy_running(folder: Path, message: Bootstrap, admin_socket: str) -> AsyncIterator[int]:
    """Run an Envoy with this bootstrap while the block lasts; gives its pid once it is ready."""
    config = folder / "envoy.yaml"
    config.write_text(to_yaml(message), "utf-8")
    arguments = [str(find_envoy()), "-c", str(config), "--concurrency", "2", "--use-dynamic-base-id"]
    process = _start([*arguments, "--log-level", "warning"], folder / "envoy.log")
    try:
        await _until_ready(admin_socket)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _start(arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as log_file:
        return subprocess.Popen(arguments, stdout=log_file, stderr=log_file)


def _without_aegis(message: Bootstrap) -> Bootstrap:
    if message.static_resources is None:
        raise ValueError("a bootstrap without listeners")
    for listener in message.static_resources.listeners:
        network = listener.filter_chains[0].filters[0]
        if network.typed_config is None:
            raise ValueError("a listener without a connection manager")
        manager = network.typed_config.unpack()
        if not isinstance(manager, HttpConnectionManager):
            raise TypeError("the listener's filter is no connection manager")
        manager.http_filters = manager.http_filters[-1:]  # the router
        if listener.name == "reverse":
            manager.rds, manager.route_config = None, _answers()
        network.typed_config = Any.pack(manager)
    return message


def _answers() -> RouteConfiguration:
    paid = DirectResponseAction(status=200, body=DataSource(inline_string='{"status":"paid"}'))
    route = Route(match=RouteMatch(prefix="/"), direct_response=paid)
    return RouteConfiguration(name="tool", virtual_hosts=[VirtualHost(name="tool", domains=["*"], routes=[route])])


async def _until_ready(socket: str) -> None:
    transport = httpx.AsyncHTTPTransport(uds=socket)
    async with asyncio.timeout(20), httpx.AsyncClient(transport=transport) as client:
        while not await _is_ready(client):  # noqa: ASYNC110  # another process: nothing to wait on but its answer
            await asyncio.sleep(0.02)


async def _is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("http://envoy/ready")).status_code == 200
    except httpx.HTTPError:
        return False
