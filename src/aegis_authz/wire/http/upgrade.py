"""Calls that ask to become a WebSocket (RFC 6455): after its answer nothing of one is judged."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from aegis_authz.core.catalogue import Tool
from aegis_authz.core.fault import Fault
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.http.call import HttpCall

_HEADER, _WEBSOCKET = "upgrade", "websocket"

UPGRADED: Mapping[str, Json] = MappingProxyType({_HEADER: _WEBSOCKET})
"""What an approver sees of such a call, and an approval is bound to."""


def is_upgrade(http: HttpCall, tool: Tool) -> bool:
    """Whether a call asks to become a WebSocket.

    Raises Refused(UPGRADE_UNLISTED) for a tool that has none, and for whatever else a call may want to become.
    """
    if not tool.websocket:
        refuse_upgrade(http)
    values = http.values_of(_HEADER)
    if not values:
        return False
    if http.method != "GET" or http.body or [value.strip().lower() for value in values] != [_WEBSOCKET]:
        raise _refused("Only a GET without a body becomes a WebSocket, and nothing else than that.")
    return True


def refuse_upgrade(http: HttpCall) -> None:
    """Raises Refused(UPGRADE_UNLISTED) for a call that asks to become anything."""
    if http.values_of(_HEADER):
        raise _refused("The catalogue lists no WebSocket of this tool.")


def _refused(problem: str) -> Refused:
    return Refused(
        Reason.UPGRADE_UNLISTED, "the call asks to become something else", Fault("headers", _HEADER, problem)
    )
