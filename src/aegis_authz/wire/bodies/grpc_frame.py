"""gRPC over HTTP/2: one message to a method (gRPC over HTTP2, "Length-Prefixed-Message")."""

from __future__ import annotations

import hashlib

from aegis_authz.core.fault import Fault, quoted
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused

GRPC_FACTS = frozenset({"service", "method", "size", "sha256"})
_PREFIX = 5


def read_grpc(data: bytes, path: str) -> dict[str, Json]:
    """What is known of a call without its schema: `service`, `method`, and `size` and `sha256` of its one message.

    Raises Refused(MESSAGE_MALFORMED) for another number of messages than one, a compressed one, and a path that is not
    `/service/method`.
    """
    message = message_of(data)
    return {**read_path(path), "size": len(message), "sha256": hashlib.sha256(message).hexdigest()}


def read_path(path: str) -> dict[str, Json]:
    """The `service` and `method` of a call. Raises Refused(MESSAGE_MALFORMED) for a path that names none."""
    service, mark, method = path[1:].partition("/")
    if not mark or not service or not method or "/" in method:
        raise _malformed(f"The path {quoted(path)} is not /service/method.")
    return {"service": service, "method": method}


def message_of(data: bytes) -> bytes:
    """The one message of a call. Raises Refused(MESSAGE_MALFORMED) for another number of them, and a compressed one."""
    length = int.from_bytes(data[1:_PREFIX], "big")
    if len(data) < _PREFIX or len(data) < _PREFIX + length:
        raise _malformed("The message is cut off.")
    if len(data) > _PREFIX + length:
        raise _malformed("The call sends a stream of messages, which cannot be judged one by one. Send one message.")
    if data[0] != 0:
        raise _malformed("The message is compressed. Send it with grpc-encoding: identity.")
    return data[_PREFIX:]


def _malformed(problem: str) -> Refused:
    return Refused(Reason.MESSAGE_MALFORMED, "the gRPC call cannot be judged", Fault("body", "", problem))
