"""Runs a worker in this process."""

from __future__ import annotations

import asyncio
import signal

import uvloop

from aegis_authz.bootstrap.worker import run_worker
from aegis_authz.config import AuthzSettings, WorkerHost
from aegis_authz.server.authz import Check
from aegis_authz.server.grpc.host import GrpcHost
from aegis_authz.server.host import Host, Process
from aegis_authz.server.http2.host import Http2Host


def serve_worker(settings: AuthzSettings, worker: int) -> None:
    """Serve until SIGTERM or SIGINT. Raises WORKER_FAULTS when it cannot start."""
    uvloop.run(_run(settings, worker))


async def _run(settings: AuthzSettings, worker: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    kind = GrpcHost if settings.host is WorkerHost.GRPC else Http2Host

    def host_of(check: Check, process: Process) -> Host:
        return kind(settings.listen.format(worker=worker), check, process)

    await run_worker(settings, worker, host_of, stop)
