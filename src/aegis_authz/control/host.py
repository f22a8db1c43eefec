"""The process around the application: uvicorn, and a stop that does not wait for held polls."""

from __future__ import annotations

import socket

import uvicorn

from aegis_authz.control.app import create_app
from aegis_authz.control.services import ControlServices

_GRACE_SECONDS = 3


class ControlHost(uvicorn.Server):
    """Serves the control plane until SIGTERM or SIGINT (uvicorn's own handlers), or `should_exit`."""

    def __init__(self, services: ControlServices) -> None:
        super().__init__(
            uvicorn.Config(
                create_app(services),
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                timeout_graceful_shutdown=_GRACE_SECONDS,
                h11_max_incomplete_event_size=16 * 1024,
            )
        )
        self._bulletin = services.bulletin

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let held polls go first, then stop as uvicorn does."""
        self._bulletin.close()
        await super().shutdown(sockets)
