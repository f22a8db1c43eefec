"""Gateways that are none of ours and ask by ext_authz: what they must say of themselves before they are believed.

Every route of our own Envoy names its listener. Where none is named the configuration of somebody else asks, and all
that we know of it is what its context extensions say (docs/other-gateways.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from envoy.config.core.v3 import base_pb2

from aegis_authz.core.fault import Fault
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused

GATEWAY_EXTENSION = "aegis.gateway"
"""The context extension by which such a gateway says that it sends bodies whole and as bytes: `WHOLE`, or `JOINED`
where it cannot send headers but joined.
"""
WHOLE, JOINED = "whole", "joined"

_REPLACED = ("!", "\N{REPLACEMENT CHARACTER}")
"""What gateways write in a text in place of bytes that are no UTF-8; the tool gets the bytes."""
_PATH = ":path"


def refuse_unsaid(gateway: str) -> None:
    """Raise Refused(REQUEST_UNREADABLE) unless a gateway says that it sends whole bodies: of one that sends none, a
    request with a body looks like one without.
    """
    if gateway not in (WHOLE, JOINED):
        detail = "asked by a gateway that is none of ours and does not say in aegis.gateway that it sends bodies whole"
        raise Refused(Reason.REQUEST_UNREADABLE, detail)


def apart(joined: Mapping[str, str]) -> Sequence[base_pb2.HeaderValue]:
    """Headers of which all values of a name came joined by commas, each value apart.

    A value that holds a comma itself is two here, so that what may be given once alone is refused. Raises
    Refused(AMBIGUOUS_HEADERS) for a path that may not be what the tool gets.
    """
    path = joined.get(_PATH, "")
    if any(sign in path for sign in _REPLACED):
        problem = "The path or the query may hold bytes beyond ASCII, or a '!'. Write them as percent escapes."
        raise Refused(Reason.AMBIGUOUS_HEADERS, "the path may have been replaced in part", Fault("path", "", problem))
    return [
        base_pb2.HeaderValue(key=name, value=value if name.startswith(":") else value.strip())
        for name, values in joined.items()
        for value in ([values] if name.startswith(":") else values.split(","))
    ]


def is_replaced(value: str) -> bool:
    """Whether a header's value may not be what the tool gets."""
    return any(sign in value for sign in _REPLACED)
