"""The service of certificates, put together and run until it is told to stop: the one process that has the authority's
key."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from aegis_authz.adapters.files.authority_folder import SIGNING, AuthorityFile
from aegis_authz.adapters.system import SystemClock
from aegis_authz.bootstrap.lifetime import end_of
from aegis_authz.config.certificates import CertificateSettings
from aegis_authz.core.units import Seconds
from aegis_authz.intercept.authority import AuthorityUnreadable
from aegis_authz.intercept.leaves import Allowance, Leaves
from aegis_authz.server.certificates import CertificateServer, CertificateService
from aegis_authz.server.status import StatusServer, unix_listener

_GRACE = 1.0


class CertificatesFault(Exception):
    """The service cannot start or go on; the message is fit to show."""


def serve_certificates(settings: CertificateSettings) -> None:
    """Serve until SIGTERM or SIGINT. Raises CertificatesFault."""
    try:
        uvloop.run(_run(settings))
    except (AuthorityUnreadable, OSError, RuntimeError) as fault:
        raise CertificatesFault(str(fault)) from fault


async def _run(settings: CertificateSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    authority = AuthorityFile(settings.authority / SIGNING)
    try:
        authority()  # without a key there is nothing to start
    except FileNotFoundError as fault:
        raise CertificatesFault(f"{fault.filename}: no such file; an authority is made once, by: aegis init") from None
    service = CertificateService(
        authority,
        Leaves(settings.most_names, Seconds(settings.leaf_hours * 3600)),
        Allowance(settings.most_names, settings.names_per_minute),
        SystemClock(),
    )
    server = CertificateServer(service, settings.listen, int(settings.listen_mode, 8))
    await server.start()
    status = StatusServer(Starlette(routes=[Route("/readyz", _readyz(service))]))
    ready = asyncio.create_task(status.serve(sockets=[unix_listener(settings.ready_socket)]))
    watch = asyncio.create_task(service.watch())
    trouble = await end_of(stop, {"what renews certificates": watch, "what answers /readyz": ready})
    watch.cancel()
    await server.stop(_GRACE)
    status.end()
    await asyncio.gather(ready, watch, return_exceptions=True)
    if trouble:
        raise CertificatesFault(trouble)


def _readyz(service: CertificateService) -> Callable[[Request], Awaitable[Response]]:
    async def readyz(_: Request) -> Response:
        trouble = service.trouble
        return PlainTextResponse(trouble or "ready", 503 if trouble else 200)

    return readyz
