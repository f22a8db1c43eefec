"""The JSON-RPC shape of a message: what an answer in place of the tool's must look like.

Source: JSON-RPC 2.0, sections 4 and 5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import orjson

from aegis_authz.core.call import Rpc, RpcShape
from aegis_authz.core.json_value import Json
from aegis_authz.wire.http.call import HttpCall

TOOLS_CALL = "tools/call"
MOST_READ_TO_ANSWER = 16 * 1024
"""Bytes of a refused message that are read for its id: the densest of this size costs half a millisecond."""
STATUS_ONLY = Rpc(RpcShape.NOTIFICATION, None, "")
"""What carries no message, or none that can be read: it is answered by status alone."""
REPLY = Rpc(RpcShape.REPLY, None, "")
"""A client's answer to a request of the server."""
_LONGEST_ENDS = 512
_MEMBERS = rb'"(?:jsonrpc|id|method)"[ \t\r\n]*:[ \t\r\n]*(?:"[^"\\]{0,128}"|-?[0-9]{1,18})[ \t\r\n]*'
_BEGIN = re.compile(rb"[ \t\r\n]*\{[ \t\r\n]*((?:" + _MEMBERS + rb",[ \t\r\n]*)*)(\"(?:result|error)\")?")
_END = re.compile(rb"((?:,[ \t\r\n]*" + _MEMBERS + rb")+)\}[ \t\r\n]*\Z")


def rpc_of(http: HttpCall) -> Rpc:
    """What a refusal on an MCP endpoint must look like, for a request that may not have been parsed.

    Used to answer only, never to decide. Of a message that is longer than what anybody may have read before it is known
    who asks, the members at both ends are read: clients write its id and method there.
    """
    if not http.body or http.method != "POST":
        return STATUS_ONLY
    try:
        message = _ends(http.body) if len(http.body) > MOST_READ_TO_ANSWER else orjson.loads(http.body)
    except orjson.JSONDecodeError:
        return STATUS_ONLY
    if not isinstance(message, dict):
        return STATUS_ONLY
    if "method" not in message and message.keys() & {"result", "error"}:
        return REPLY
    return rpc_in(message) or STATUS_ONLY


def rpc_in(message: Mapping[str, Json]) -> Rpc | None:
    """The shape of a request or notification, None for a message that is neither."""
    method, identifier = message.get("method"), message.get("id")
    if not isinstance(method, str) or not 0 < len(method) <= 128:
        return None
    if "id" not in message:
        return Rpc(RpcShape.NOTIFICATION, None, method)
    if isinstance(identifier, bool) or not isinstance(identifier, str | int):
        return None
    return Rpc(RpcShape.CALL if method == TOOLS_CALL else RpcShape.REQUEST, identifier, method)


def _ends(body: bytes) -> dict[str, Json]:
    """The members of an object that stand at its very beginning and end: in JSON no others can be there.

    Empty where a request's id may stand in the middle. Raises JSONDecodeError for members that are none.
    """
    begin, end = _BEGIN.match(body[:_LONGEST_ENDS]), _END.search(body[-_LONGEST_ENDS:])
    if begin is None:
        return {}
    members: dict[str, Json] = orjson.loads(b"{" + begin[1].rstrip(b", \t\r\n") + b"}")
    if end is not None:
        members |= orjson.loads(b"{" + end[1][1:] + b"}")
    if begin[2] is not None:
        members["result"] = None
    method = members.get("method")
    is_notification = isinstance(method, str) and method.startswith("notifications/")
    return members if "id" in members or is_notification else {}
