"""Calls whose messages follow when they are judged already: streams of gRPC, of which nobody reads any."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from aegis_authz.core.call import ToolCall
from aegis_authz.core.json_value import Json

STREAMED: Mapping[str, Json] = MappingProxyType({"stream": "opaque"})
"""What an approver sees of such a call, and an approval is bound to."""


def is_streamed(call: ToolCall) -> bool:
    """Whether the messages of a call are read by nobody. No pointer and no name of a query is called so."""
    return STREAMED.items() <= call.besides.items()
