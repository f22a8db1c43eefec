"""grpc.health.v1, message in, message out: the servicer of grpcio-health-checking is bound to grpc.aio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2

from aegis_authz.server.grpc.framing import NOT_FOUND, UNIMPLEMENTED, StreamBroken

CHECK: Final = "/grpc.health.v1.Health/Check"
WATCH: Final = "/grpc.health.v1.Health/Watch"


class Health:
    """Which services are serving, for those who ask and those who watch."""

    def __init__(self) -> None:
        self._serving: Mapping[str, bool] = {}
        self._changed = asyncio.Event()
        self._closed = False

    def set(self, serving: Mapping[str, bool]) -> None:
        """The verdict on each service from now on."""
        if serving != self._serving:
            self._serving = serving
            self._wake()

    def close(self) -> None:
        """End every watch."""
        self._closed = True
        self._wake()

    def answer(self, message: bytes) -> bytes:
        """A HealthCheckResponse to a HealthCheckRequest. Raises StreamBroken."""
        service = _service(message)
        if service not in self._serving:
            raise StreamBroken(NOT_FOUND, "no such service")
        return self._status(service)

    async def watch(self, message: bytes, departure: asyncio.Future[Any]) -> AsyncGenerator[bytes, None]:
        """The status now and at each change, until `close` or until `departure` is done. Raises StreamBroken."""
        service, last_status = _service(message), b""
        while not self._closed and not departure.done():
            change = self._changed
            if (status := self._status(service)) != last_status:
                last_status = status
                yield status
            changed = asyncio.ensure_future(change.wait())
            try:
                await asyncio.wait((departure, changed), return_when=asyncio.FIRST_COMPLETED)
            finally:
                changed.cancel()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _status(self, service: str) -> bytes:
        kinds = health_pb2.HealthCheckResponse
        status = {True: kinds.SERVING, False: kinds.NOT_SERVING, None: kinds.SERVICE_UNKNOWN}
        return bytes(kinds(status=status[self._serving.get(service)]).SerializeToString())


def _service(message: bytes) -> str:
    try:
        return str(health_pb2.HealthCheckRequest.FromString(message).service)
    except DecodeError as fault:
        raise StreamBroken(UNIMPLEMENTED, "not a health check") from fault
