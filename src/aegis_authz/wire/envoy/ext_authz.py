"""Envoy's ext_authz messages and core values: bytes in, values out, and back.

Source: envoy/service/auth/v3/external_auth.proto and attribute_context.proto.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, MutableSequence, Sequence
from functools import lru_cache, partial

from envoy.config.core.v3 import base_pb2
from envoy.service.auth.v3 import attribute_context_pb2, external_auth_pb2
from google.protobuf.message import DecodeError

from aegis_authz.core.fault import Fault
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.envoy.answer import Answer
from aegis_authz.wire.envoy.foreign_gateway import GATEWAY_EXTENSION, JOINED, apart, is_replaced, refuse_unsaid
from aegis_authz.wire.http.call import HttpCall, Tunnel
from aegis_authz.wire.mcp.session import SESSION_HEADER

SERVICE = "envoy.service.auth.v3.Authorization"
CHECK_METHOD = f"/{SERVICE}/Check"
TOOL_EXTENSION = "aegis.tool"
"""The context extension by which a reverse route names its tool."""
ROUTE_EXTENSION = "aegis.route"
"""The context extension by which every route says where it leads (`Tool.route`, or `NO_ROUTE`)."""
LISTENER_EXTENSION = "aegis.listener"
"""The context extension by which every route says which listener it belongs to."""
REDIRECTED_EXTENSION = "aegis.redirected"
"""The context extension by which the routes of a transparent listener say that its client dialled somebody else."""
TUNNEL_EXTENSION = "aegis.tunnel"
"""The context extension by which a route says what it has to do with a tunnel: `OPENED` or `INSIDE`."""
UNREAD_EXTENSION = "aegis.unread"
"""The context extension by which a route says that a call is judged before its body is there."""
REDIRECTED = UNREAD = "yes"
OPENED, INSIDE = "opened", "inside"
"""A CONNECT whose tunnel Envoy ends, and a request that came by such a tunnel."""
TUNNEL_TARGET_HEADER = "x-aegis-connect"
TUNNEL_ID_HEADER = "x-aegis-connect-id"
TUNNEL_PROOF_HEADER = "x-aegis-connect-proof"
"""What Envoy says inside a tunnel of its CONNECT: target, request id and proof; no client's own copy is left."""
TLS_HEADER = "x-aegis-tls"
"""The header by which a listener says how its client's connection is encrypted; no client's own copy is left."""

ID_HEADER = "x-aegis-decision-id"
DECISION_METADATA = "decision_id"
PASSED_METADATA = "passed"
"""The metadata by which Envoy's access log tells the calls that were let through from all others."""
COST_METADATA = "cost"
"""The metadata by which the access log is told what a call was estimated to cost."""
USAGE_METADATA = "usage"
"""The metadata by which Envoy tells the calls whose answers are watched for their usage."""
TRACE_METADATA = "trace"
"""The metadata that says whose trace a decision continued, for who settles its cost; absent for a trace of its own."""
_OF_THE_CALL = frozenset((DECISION_METADATA, COST_METADATA, USAGE_METADATA, TRACE_METADATA))
_RAW_PATH = ":path"
_PASSED = "yes"

READ_HEADERS = frozenset(
    {
        _RAW_PATH,
        "content-encoding",
        "content-length",
        "content-type",
        "mcp-method",
        "mcp-name",
        SESSION_HEADER,
        "proxy-authorization",
        "traceparent",
        TUNNEL_PROOF_HEADER,
        TUNNEL_TARGET_HEADER,
        "x-aegis-approval",
        "x-aegis-proof",
        "x-aegis-session",
        TLS_HEADER,
        "x-aegis-token",
        "x-envoy-auth-partial-body",
        "x-forwarded-client-cert",
        "x-request-id",
    }
)
"""The headers some stage reads; others leave the protobuf only where the catalogue takes a parameter from them."""

_AUTHORITY = re.compile(r"(\[[0-9a-f:.]{2,64}\]|[a-z0-9._-]{1,253})(?::([1-9][0-9]{0,4}))?\Z")
"""RFC 1035, section 2.3.4: a name has at most 255 octets on the wire, which leaves 253 characters."""
_METHOD = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,32}\Z")
"""RFC 9110, section 5.6.2; the longest that is registered has 17 characters."""
_OVERWRITE = base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD
_PERMISSION_DENIED = 7
_IF_ABSENT = base_pb2.HeaderValueOption.ADD_IF_ABSENT
_IF_THERE = base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS


def read_check_request(message: bytes) -> HttpCall:
    """Decode a CheckRequest.

    Raises Refused(REQUEST_UNREADABLE) for bytes that are no CheckRequest of an HTTP request,
    whose body was not packed as bytes, or that nobody vouches for, Refused(AMBIGUOUS_HEADERS) for an unreadable
    authority or path.
    """
    request = external_auth_pb2.CheckRequest()
    try:
        request.ParseFromString(message)
    except DecodeError:
        raise Refused(Reason.REQUEST_UNREADABLE, "not a CheckRequest") from None
    attributes = request.attributes
    http = attributes.request.http
    if not http.method:
        raise Refused(Reason.REQUEST_UNREADABLE, "no HTTP request in it")
    if not _METHOD.match(http.method):
        detail = "the method is not a short token"
        raise Refused(
            Reason.REQUEST_UNREADABLE, detail, Fault("method", "", "The method is not a token of 1 to 32 characters.")
        )
    if http.body and not http.raw_body:
        raise Refused(Reason.REQUEST_UNREADABLE, "the body came as text: set pack_as_bytes in ext_authz")
    extensions = attributes.context_extensions
    listener = extensions.get(LISTENER_EXTENSION, "")
    raw, values_of = _raw_headers(http, "" if listener else extensions.get(GATEWAY_EXTENSION, ""), bool(listener))
    host, port = _authority(http.host, http.scheme)
    path, _, query = http.path.partition("?")
    headers = _headers(raw)
    if not "".join(headers.get(_RAW_PATH, ())).isascii():
        # Envoy sends the tool these bytes, and shows us "!" where they are not UTF-8
        problem = "The path or the query holds bytes beyond ASCII. Write them as percent escapes of UTF-8."
        raise Refused(Reason.AMBIGUOUS_HEADERS, "the path holds bytes beyond ASCII", Fault("path", "", problem))
    return HttpCall(
        # Envoy's own id, http.id, is a number that nobody else knows
        request_id=headers.get("x-request-id", (http.id,))[0],
        method=http.method,
        scheme=http.scheme,
        host=host,
        port=port,
        path=path,
        query=query,
        headers=headers,
        body=http.raw_body,
        source=attributes.source.address.socket_address.address,
        tool_hint=extensions.get(TOOL_EXTENSION, ""),
        route=extensions.get(ROUTE_EXTENSION, ""),
        listener=listener,
        principal=attributes.source.principal,
        opens_tunnel=_opens_tunnel(extensions, http.method),
        tunnel=_tunnel(extensions, headers),
        # our listeners alone take a client's own copy off
        over_tls=bool(listener) and headers.get(TLS_HEADER, ("",))[0].startswith("TLS"),
        is_redirected=extensions.get(REDIRECTED_EXTENSION, "") == REDIRECTED,
        is_unread=extensions.get(UNREAD_EXTENSION, "") == UNREAD,
        values_of=values_of,
        over_socket=attributes.source.address.HasField("pipe"),
    )


def _raw_headers(
    http: attribute_context_pb2.AttributeContext.HttpRequest, gateway: str, is_ours: bool
) -> tuple[Sequence[base_pb2.HeaderValue], Callable[[str], tuple[str, ...]]]:
    """Every header with a value of its own, and what gives the values of any by its name."""
    if not is_ours:
        refuse_unsaid(gateway)
    raw = http.header_map.headers
    if raw or not http.headers:
        return raw, partial(_values, raw)
    if is_ours or gateway != JOINED:
        raise Refused(Reason.REQUEST_UNREADABLE, "headers came joined: set encode_raw_headers in ext_authz")
    parts = apart(http.headers)
    return parts, partial(_whole_values, parts)


def _opens_tunnel(extensions: Mapping[str, str], method: str) -> bool:
    opens = extensions.get(TUNNEL_EXTENSION, "") == OPENED
    if opens and method != "CONNECT":
        raise Refused(Reason.REQUEST_UNREADABLE, "Envoy takes another method for a CONNECT")
    return opens


def _tunnel(extensions: Mapping[str, str], headers: Mapping[str, tuple[str, ...]]) -> Tunnel | None:
    if extensions.get(TUNNEL_EXTENSION, "") != INSIDE:
        return None
    targets, proofs = headers.get(TUNNEL_TARGET_HEADER, ()), headers.get(TUNNEL_PROOF_HEADER, ("",))
    if len(targets) != 1 or len(proofs) != 1:
        raise Refused(Reason.REQUEST_UNREADABLE, "Envoy does not say by which CONNECT the request came")
    return Tunnel(targets[0], proofs[0])


def _headers(raw: Sequence[base_pb2.HeaderValue]) -> Mapping[str, tuple[str, ...]]:
    headers: dict[str, tuple[str, ...]] = {}
    for header in raw:
        name = header.key.lower()
        if name in READ_HEADERS:
            headers[name] = (*headers.get(name, ()), _text(header))
    return headers


def _values(raw: Iterable[base_pb2.HeaderValue], name: str) -> tuple[str, ...]:
    return tuple(_text(header) for header in raw if header.key.lower() == name)


def _whole_values(raw: Iterable[base_pb2.HeaderValue], name: str) -> tuple[str, ...]:
    values = _values(raw, name)
    if any(is_replaced(value) for value in values):
        problem = f"The header {name} may hold bytes that are no UTF-8, or a '!'. Neither can be judged here."
        raise Refused(
            Reason.AMBIGUOUS_HEADERS, f"{name} may have been replaced in part", Fault("headers", name, problem)
        )
    return values


def _text(header: base_pb2.HeaderValue) -> str:
    text: str = header.raw_value.decode("latin-1") if header.raw_value else header.value
    return text


def _authority(authority: str, scheme: str) -> tuple[str, int | None]:
    match = _AUTHORITY.match(authority.lower())
    if match is None:
        raise _unreadable_authority(
            "the authority is not host[:port]", "The host is not a name or an address with a port, if any."
        )
    host, port_text = match.group(1), match.group(2)
    port = int(port_text) if port_text else None
    if port is not None and not 0 < port < 65536:
        raise _unreadable_authority(
            "the authority's port is out of range", "The port of the host is not between 1 and 65535."
        )
    return host, None if port == (443 if scheme == "https" else 80) else port


def _unreadable_authority(detail: str, problem: str) -> Refused:
    return Refused(Reason.AMBIGUOUS_HEADERS, detail, Fault("headers", "host", problem))


def write_check_response(answer: Answer) -> bytes:
    """Encode a CheckResponse. A denial is always a denied_response: failure_mode_allow cannot touch it."""
    if answer.effect.lets_through and answer.metadata.keys() <= _OF_THE_CALL and answer.is_followed:
        # the most frequent answer: but for its id, its cost, and that of an MCP session, it is always the same message.
        # Encoded messages that follow each other are one message (protobuf encoding, "Last One Wins" and repeated
        # fields).
        upstream = tuple(pair for pair in answer.upstream_headers.items() if pair[0] != SESSION_HEADER)
        rest = tuple(pair for pair in answer.client_headers.items() if pair[0] != ID_HEADER)
        decision_id = answer.client_headers.get(ID_HEADER, "")
        if answer.metadata.get(DECISION_METADATA) == decision_id:
            return _let_through(upstream, rest, answer.removed_headers) + _own_message(decision_id, answer)
    return _encoded(answer)


@lru_cache(256)
def _let_through(
    upstream: tuple[tuple[str, str], ...], client: tuple[tuple[str, str], ...], removed: tuple[str, ...]
) -> bytes:
    response = external_auth_pb2.CheckResponse()
    ok = response.ok_response
    _set_headers(ok.headers, dict(upstream), _OVERWRITE)
    _set_headers(ok.response_headers_to_add, dict(client), _IF_ABSENT)
    ok.headers_to_remove.extend(removed)
    response.dynamic_metadata.fields[PASSED_METADATA].string_value = _PASSED
    return bytes(response.SerializeToString())


def _own_message(decision_id: str, answer: Answer) -> bytes:
    response = external_auth_pb2.CheckResponse()
    ok = response.ok_response
    if SESSION_HEADER in answer.upstream_headers:
        _set_headers(ok.headers, {SESSION_HEADER: answer.upstream_headers[SESSION_HEADER]}, _OVERWRITE)
    _set_headers(ok.response_headers_to_add, {ID_HEADER: decision_id}, _IF_ABSENT)
    _set_headers(ok.response_headers_to_add, answer.client_replacements, _IF_THERE)
    for name, value in answer.metadata.items():
        response.dynamic_metadata.fields[name].string_value = value
    return bytes(response.SerializeToString())


def _encoded(answer: Answer) -> bytes:
    response = external_auth_pb2.CheckResponse()
    if answer.effect.lets_through:
        if answer.is_followed:
            response.dynamic_metadata.fields[PASSED_METADATA].string_value = _PASSED
        ok = response.ok_response
        _set_headers(ok.headers, answer.upstream_headers, _OVERWRITE)
        # A processor that withholds the body says so in the same headers; what a tool says in them Envoy's routes
        # remove.
        _set_headers(ok.response_headers_to_add, answer.client_headers, _IF_ABSENT)
        _set_headers(ok.response_headers_to_add, answer.client_replacements, _IF_THERE)
        ok.headers_to_remove.extend(answer.removed_headers)
    else:
        # Envoy takes status 0 for an allow, whatever else the message says
        response.status.code = answer.grpc_code or _PERMISSION_DENIED
        refusal = response.denied_response
        refusal.status.code = answer.status
        _set_headers(refusal.headers, answer.client_headers, _OVERWRITE)
        refusal.body = answer.body.decode("utf-8")
    for name, value in answer.metadata.items():
        response.dynamic_metadata.fields[name].string_value = value
    encoded: bytes = response.SerializeToString()
    return encoded


def _set_headers(target: MutableSequence[base_pb2.HeaderValueOption], headers: Mapping[str, str], action: int) -> None:
    for name, value in headers.items():
        option = base_pb2.HeaderValueOption(append_action=action)
        option.header.key = name
        option.header.value = value
        target.append(option)
