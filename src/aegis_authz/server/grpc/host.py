"""The grpc.aio host: carries bytes between Envoy and the handlers, and nothing else."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import aclosing

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from aegis_authz.core.address import UnixAddress, read_address
from aegis_authz.server.authz import Check
from aegis_authz.server.ext_proc import StreamAborted
from aegis_authz.server.host import MAX_MESSAGE, Process
from aegis_authz.wire.envoy.access_log import LOG_SERVICE
from aegis_authz.wire.envoy.ext_authz import SERVICE
from aegis_authz.wire.envoy.ext_proc import BODY_SERVICE

_STATUS = {
    True: health_pb2.HealthCheckResponse.SERVING,
    False: health_pb2.HealthCheckResponse.NOT_SERVING,
}


class GrpcHost:
    """Serves the handlers on one address (`unix:/path` or `host:port`)."""

    def __init__(self, address: str, check: Check, process: Process, log: Process, mode: int = 0o600) -> None:
        """`mode` is that of a unix socket."""
        self._address = address
        self._mode = mode
        self._health = health.aio.HealthServicer()
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE),
                ("grpc.max_send_message_length", MAX_MESSAGE),
                ("grpc.so_reuseport", 0),
            ]
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._server.add_generic_rpc_handlers(
            (
                _check_service(check),
                _stream_service(BODY_SERVICE, "Process", process),
                _stream_service(LOG_SERVICE, "StreamAccessLogs", log),
            )
        )

    async def start(self) -> None:
        """Listen, NOT_SERVING. Raises RuntimeError when the address is taken."""
        await self.set_health(ready=False, serving=False)
        if self._server.add_insecure_port(self._address) == 0:
            raise RuntimeError(f"cannot listen on {self._address}")
        place = read_address(self._address)
        if isinstance(place, UnixAddress):
            os.chmod(place.path, self._mode)
        await self._server.start()

    async def set_health(self, ready: bool, serving: bool) -> None:
        """Tell everyone who watches grpc.health.v1: the service "" is `ready`, the two Envoy asks are `serving`."""
        await self._health.set("", _STATUS[ready])
        for service in (SERVICE, BODY_SERVICE):
            await self._health.set(service, _STATUS[serving])

    async def stop(self, grace: float) -> None:
        """Accept nothing new, wait at most `grace` seconds for what is under way."""
        await self._server.stop(grace)


def _check_service(check: Check) -> grpc.GenericRpcHandler:
    async def handle(message: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        traceparent = ""
        for key, value in context.invocation_metadata() or ():
            if key == "traceparent" and isinstance(value, str):
                traceparent = value
        # grpc.aio cancels the handler of a caller that gave up; the decision is settled and recorded all the same
        gone = asyncio.Event()
        checked = check(message, traceparent, context.time_remaining(), gone)
        if isinstance(checked, bytes):
            return checked
        task = asyncio.ensure_future(checked)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            gone.set()
            raise

    # no serializers: the handler takes and gives bytes
    return grpc.method_handlers_generic_handler(SERVICE, {"Check": grpc.unary_unary_rpc_method_handler(handle)})


def _stream_service(service: str, method: str, process: Process) -> grpc.GenericRpcHandler:
    async def handle(
        messages: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]
    ) -> AsyncIterator[bytes]:
        try:
            async with aclosing(process(messages)) as replies:
                async for reply in replies:
                    yield reply
        except StreamAborted as reason:
            # never a clean end: Envoy would let the rest of the body through unfiltered
            await context.abort(grpc.StatusCode.ABORTED, str(reason))

    return grpc.method_handlers_generic_handler(service, {method: grpc.stream_stream_rpc_method_handler(handle)})
