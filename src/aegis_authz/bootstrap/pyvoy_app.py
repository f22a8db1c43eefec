"""The ASGI application that Envoy loads when pyvoy hosts a worker: `aegis_authz.bootstrap.pyvoy_app:app`.

The process is an Envoy. It was started with SIGTERM and SIGINT blocked (`pyvoy_process`), so that they wait
for the thread here, the worker drains, and only then the process ends.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

from aegis_authz.bootstrap.pyvoy_process import CONFIG, STOPS, WORKER
from aegis_authz.bootstrap.settings import load_settings
from aegis_authz.bootstrap.worker import WORKER_FAULTS, run_worker
from aegis_authz.config import AuthzSettings
from aegis_authz.server.asgi_host import AsgiHost, Scope, Send
from aegis_authz.server.authz import Check
from aegis_authz.server.grpc_framing import Receive
from aegis_authz.server.host import Process

_log = logging.getLogger(__name__)


class _Worker:
    """The one worker of this process. It is put together in the lifespan, before Envoy listens."""

    def __init__(self) -> None:
        self._host: AsgiHost | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            if self._host is None:
                raise RuntimeError("called before the worker was there")
            await self._host(scope, receive, send)
            return
        await receive()
        started, stop = asyncio.Event(), asyncio.Event()
        worker = asyncio.ensure_future(self._run(started, stop))
        _stop_by_signal(asyncio.get_running_loop(), stop)
        await started.wait()
        await send({"type": "lifespan.startup.complete"})
        await worker

    async def _run(self, started: asyncio.Event, stop: asyncio.Event) -> None:
        """Run the worker; the process ends with it, whatever Envoy still has open."""
        code = 1
        try:
            settings = load_settings(Path(os.environ[CONFIG]), AuthzSettings)
            await run_worker(settings, int(os.environ[WORKER]), self._host_of, started, stop)
            code = 0
        except WORKER_FAULTS as fault:
            print(f"aegis serve authz: {fault}", file=sys.stderr)  # noqa: T201  # the command's own last word
            code = 2
        except BaseException:  # noqa: BLE001  # the process is about to end, and must say why
            _log.exception("the worker failed")
        finally:
            sys.stderr.flush()
            # Envoy's own end would wait for streams and for this very coroutine
            os._exit(code)

    def _host_of(self, check: Check, process: Process) -> AsgiHost:
        self._host = AsgiHost(check, process)
        return self._host


def _stop_by_signal(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    def wait() -> None:
        signal.sigwait(STOPS)
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait, name="signals", daemon=True).start()


Application = Callable[[Scope, Receive, Send], Awaitable[None]]

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
app: Application = _Worker()
