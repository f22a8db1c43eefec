"""The webhook that gives pods their gateway, put together and run until it is told to stop."""

from __future__ import annotations

import asyncio
import signal

import uvloop
import yaml

from aegis_authz.adapters.tls import ServerTls, TlsUnusable
from aegis_authz.bootstrap.lifetime import end_of
from aegis_authz.config.injection import InjectionSettings
from aegis_authz.server.injection import injection_app
from aegis_authz.server.pod_patch import Injection
from aegis_authz.server.status import StatusServer, shared_listener

_MOST_CONNECTIONS = 256


class InjectionFault(Exception):
    """The webhook cannot start or go on; the message is fit to show."""


def serve_injection(settings: InjectionSettings) -> None:
    """Serve until SIGTERM or SIGINT. Raises InjectionFault."""
    try:
        injection = Injection.of(yaml.safe_load(settings.injection.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, ValueError, yaml.YAMLError) as fault:
        raise InjectionFault(f"{settings.injection}: {fault}") from None
    try:
        uvloop.run(_run(settings, injection, ServerTls(settings.certificate, settings.key, None)))
    except (TlsUnusable, OSError) as fault:
        raise InjectionFault(str(fault)) from fault


async def _run(settings: InjectionSettings, injection: Injection, tls: ServerTls) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = StatusServer(injection_app(injection), tls.context, _MOST_CONNECTIONS)
    serving = asyncio.create_task(server.serve(sockets=[shared_listener(settings.listen)]))
    watching = asyncio.create_task(tls.watch())
    trouble = await end_of(stop, {"what answers the API server": serving, "what reads certificates again": watching})
    watching.cancel()
    server.end()
    await asyncio.gather(serving, watching, return_exceptions=True)
    if trouble:
        raise InjectionFault(trouble)
