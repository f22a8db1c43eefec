"""A check that does nothing, in grpc.aio: `python -m benchmarks.contenders.noop_grpc ADDRESS`."""

from __future__ import annotations

import sys

import grpc
import uvloop

from aegis_authz.wire.envoy.ext_authz import SERVICE
from benchmarks.contenders.answers import ALLOW


async def serve(address: str) -> None:
    """Allow everything until killed."""

    async def check(message: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        return ALLOW

    server = grpc.aio.server()
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {"Check": grpc.unary_unary_rpc_method_handler(check)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
