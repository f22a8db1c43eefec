"""What contenders of our own making answer."""

from __future__ import annotations

from envoy.service.auth.v3 import external_auth_pb2

ALLOW: bytes = external_auth_pb2.CheckResponse(
    ok_response=external_auth_pb2.OkHttpResponse(headers_to_remove=["x-aegis-token"])
).SerializeToString()


def denial(status: int) -> bytes:
    """A refusal with this HTTP status."""
    response = external_auth_pb2.CheckResponse()
    response.status.code = 7
    response.denied_response.status.code = status
    response.denied_response.body = '{"decision": "deny"}'
    # without one, Envoy takes the refusal for its own and says so in place of us
    response.dynamic_metadata.update({"decision_id": "none"})
    return bytes(response.SerializeToString())
