"""The process around the application: uvicorn, and a stop that does not wait for held polls."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import uvicorn

from aegis_authz.control.app import ControlServices, create_app
from aegis_authz.control.client_certificates import CertificateProtocol

_GRACE_SECONDS = 3
_TICK_SECONDS = 1.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class ControlHost(uvicorn.Server):
    """`await serve(sockets=[...])` serves the control plane until SIGTERM, SIGINT or `should_exit`."""

    def __init__(
        self, services: ControlServices, gateways: Sequence[str] = (), tls: ssl.SSLContext | None = None
    ) -> None:
        """`gateways` are the networks (CIDR) of proxies that say rightly who asks; without `tls` it speaks HTTP."""
        app = create_app(services)
        super().__init__(
            uvicorn.Config(
                app,
                http=CertificateProtocol,
                ssl_context_factory=None if tls is None else lambda _config, _default: tls,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                forwarded_allow_ips=list(gateways),
                timeout_graceful_shutdown=_GRACE_SECONDS,
                h11_max_incomplete_event_size=16 * 1024,
            )
        )
        self._notices = (services.bulletin, services.discovery, app.state.streams)
        self._ends: asyncio.Future[None] | None = None

    async def main_loop(self) -> None:
        """Tick once a second and not ten times: an idle control plane sleeps."""
        self._ends = asyncio.get_running_loop().create_future()
        while not await self.on_tick(0):
            await asyncio.wait({self._ends}, timeout=_TICK_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let held polls and live pages go first, then stop as uvicorn does."""
        for notice in self._notices:
            notice.close()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on a signal and return; uvicorn's own way ends by raising the signal again."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._stop)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    def _stop(self) -> None:
        self.should_exit = True
        if self._ends is not None and not self._ends.done():
            self._ends.set_result(None)
