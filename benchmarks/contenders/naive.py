"""The Python a good developer writes first: PyJWT, redis-py and httpx, one round trip each.

`python -m benchmarks.contenders.naive ADDRESS OPA_SOCKET REDIS_URL PUBLIC_KEY_PEM`
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import grpc
import httpx
import jwt
import redis.asyncio
import uvloop
from envoy.service.auth.v3 import external_auth_pb2
from grpc.aio import ServicerContext

from aegis_authz.wire.envoy.ext_authz import SERVICE
from benchmarks.contenders.answers import ALLOW, denial
from benchmarks.contenders.documents import ACTION, TOOL

_ANSWER = "http://opa/v1/data/aegis/authz/answer"


class Naive:
    """One check after another, each with all it needs."""

    def __init__(self, opa: str, store: str, key: str) -> None:
        self._opa = httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=opa))
        self._redis = redis.asyncio.from_url(store)
        self._key = key

    async def check(self, message: bytes, context: ServicerContext[bytes, bytes]) -> bytes:
        """Verify the token, ask OPA, spend the token."""
        request = external_auth_pb2.CheckRequest.FromString(message).attributes.request.http
        headers = {header.key: header.raw_value.decode() for header in request.header_map.headers}
        try:
            claims = jwt.decode(
                headers["x-aegis-token"], self._key, algorithms=["EdDSA"], audience="aegis-mesh", issuer="aegis"
            )
            parameters = json.loads(request.raw_body)
        except (jwt.InvalidTokenError, KeyError, ValueError):
            return denial(401)
        answer = await self._opa.post(_ANSWER, json={"input": {"calls": [_call(claims, parameters)]}})
        (decision,) = answer.json()["result"]["decisions"]
        if decision["effect"] != "allow":
            return denial(403)
        if not await self._redis.set(f"naive:{claims['jti']}", 1, nx=True, ex=360):
            return denial(401)
        return ALLOW


def _call(claims: dict[str, Any], parameters: Any) -> dict[str, Any]:
    caller = {name: claims[name] for name in ("org", "tenant", "agent")}
    return {
        "subject": {"type": "agent", "id": claims["sub"], "properties": caller},
        "action": {"name": ACTION, "properties": parameters},
        "resource": {"type": "http", "id": TOOL},
    }


async def serve(address: str, opa: str, store: str, key: Path) -> None:
    """Serve until killed."""
    naive = Naive(opa, store, key.read_text())  # noqa: ASYNC240  # before anything is served
    server = grpc.aio.server()
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Check": grpc.unary_unary_rpc_method_handler(naive.check)
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4])))
