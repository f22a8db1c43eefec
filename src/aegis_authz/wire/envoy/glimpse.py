"""The little of a CheckRequest that a refusal for load is counted by, and its answer chosen by.

To read all of it, headers, authority and what vouches for it, costs six times as much (`ext_authz.read_check_request`).
"""

from __future__ import annotations

from typing import NamedTuple

from envoy.service.auth.v3 import external_auth_pb2
from google.protobuf.message import DecodeError

from aegis_authz.wire.envoy.ext_authz import TOOL_EXTENSION


class Glimpse(NamedTuple):
    """`source` is the address it came from, "" where Envoy names none; `path` is without the query and as it was sent,
    that by which a tool is reached at the tool itself where a reverse route named the tool.
    """

    source: str
    path: str


_NOTHING = Glimpse("", "")


def glimpse(message: bytes) -> Glimpse:
    """What is seen of a message, whether or not all of it can be read: of one that is no CheckRequest nothing."""
    request = external_auth_pb2.CheckRequest()
    try:
        request.ParseFromString(message)
    except DecodeError:
        return _NOTHING
    attributes = request.attributes
    path = attributes.request.http.path.partition("?")[0]
    hint = attributes.context_extensions.get(TOOL_EXTENSION, "")
    if hint:
        path = path.removeprefix(f"/{hint}") or "/"
    return Glimpse(attributes.source.address.socket_address.address, path)
