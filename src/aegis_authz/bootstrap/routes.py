"""The process that keeps Envoy's configuration: routes and clusters of what the OPA beside it runs, and of nothing
else.

A gateway so needs no disk in common with the control plane, and its routes change when its own authorizers' bundle
does.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from pathlib import Path

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from aegis_authz.adapters.opa.http import OpaHttp
from aegis_authz.adapters.opa.snapshots import OpaSnapshots
from aegis_authz.bootstrap.lifetime import end_of
from aegis_authz.config.proxy import ProxySettings
from aegis_authz.config.routes import RoutesSettings
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.units import NO_REVISION, Revision
from aegis_authz.proxy.render import BOOTSTRAP_FILE, is_bootstrap_of, write_bootstrap, write_xds
from aegis_authz.server.status import StatusServer, unix_listener
from aegis_authz.telemetry.standing_trouble import StandingTrouble

_log = logging.getLogger(__name__)
_LOOK_EVERY = 1.0
"""Seconds between two looks: for so long, at most, calls of a tool that moved are refused."""


class RoutesFault(Exception):
    """The process cannot start or go on; the message is fit to show."""


class RouteWriter:
    """Writes what Envoy starts from once, and its routes and clusters each time the revision is another one."""

    def __init__(self, folder: Path, settings: ProxySettings) -> None:
        self._folder = folder
        self._settings = settings
        self._revision = NO_REVISION
        self._trouble = StandingTrouble(_log, logging.ERROR, "nothing is written yet")

    @property
    def trouble(self) -> str:
        """Why Envoy's configuration is not that of the newest revision, "" when it is."""
        return self._trouble.text

    def begin(self) -> None:
        """Take away what an Envoy would start from by other settings than these; it waits then for what is written.

        Raises OSError.
        """
        start = self._folder / BOOTSTRAP_FILE
        if start.exists() and not is_bootstrap_of(self._folder, self._settings):
            start.unlink()
            _log.info("took away %s, which is of other settings", start)

    def follow(self, revision: Revision, catalogue: Catalogue) -> None:
        """Write the configuration of this revision, unless it is written; what stands in the way is logged."""
        if revision == self._revision:
            return
        try:
            self._write(catalogue)
        except (OSError, ValueError) as fault:
            self._trouble.begin(f"the routes of revision {revision} cannot be written: {fault}")
            return
        self._trouble.end()
        self._revision = revision
        _log.info("Envoy's routes are those of revision %s", revision)

    def _write(self, catalogue: Catalogue) -> None:
        # never without the clusters that routes in force still name: Envoy may run, and this process alone be new
        write_xds(self._settings, catalogue)
        if self._revision == NO_REVISION:
            write_bootstrap(self._folder, self._settings)  # last: Envoy starts once it is there


def serve_routes(settings: RoutesSettings) -> None:
    """Serve until SIGTERM or SIGINT. Raises RoutesFault."""
    try:
        uvloop.run(_run(settings))
    except (OSError, RuntimeError) as fault:
        raise RoutesFault(str(fault)) from fault


async def _run(settings: RoutesSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    snapshots = OpaSnapshots(OpaHttp(settings.opa_socket))
    writer = RouteWriter(settings.folder, settings.proxy)
    writer.begin()
    status = StatusServer(Starlette(routes=[Route("/readyz", _readyz(lambda: snapshots.trouble or writer.trouble))]))
    ready = asyncio.create_task(status.serve(sockets=[unix_listener(settings.ready_socket)]))
    watch = asyncio.create_task(_watch(snapshots, writer))
    _log.info("waits for the bundle of the OPA at %s", settings.opa_socket)
    trouble = await end_of(stop, {"what follows the bundle": watch, "what answers /readyz": ready})
    watch.cancel()
    status.end()
    await asyncio.gather(ready, watch, return_exceptions=True)
    await snapshots.close()
    if trouble:
        raise RoutesFault(trouble)


async def _watch(snapshots: OpaSnapshots, writer: RouteWriter) -> None:
    while True:
        await snapshots.look()
        if not snapshots.trouble:
            current = snapshots.current()
            await asyncio.to_thread(writer.follow, current.revision, current.catalogue)
        await asyncio.sleep(_LOOK_EVERY)


def _readyz(trouble: Callable[[], str]) -> Callable[[Request], Response]:
    def readyz(_: Request) -> Response:
        return PlainTextResponse(trouble() or "ready", 503 if trouble() else 200)

    return readyz
