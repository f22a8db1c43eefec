"""Envoy's ext_proc messages: bytes in, values out, and back.

Source: envoy/service/ext_proc/v3/external_processor.proto.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from envoy.config.core.v3 import base_pb2
from envoy.service.ext_proc.v3 import external_processor_pb2 as pb
from google.protobuf.message import DecodeError

from aegis_authz.core.decision import Target
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused

BODY_SERVICE = "envoy.service.ext_proc.v3.ExternalProcessor"

METADATA_NAMESPACE = "envoy.filters.http.ext_authz"
"""Where ext_authz leaves its dynamic metadata."""

_OVERWRITE = base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD


class MessagePart(Enum):
    """Which part of a message Envoy shows."""

    HEADERS = "headers"
    BODY = "body"
    TRAILERS = "trailers"


class BodyMode(Enum):
    """How Envoy sends a body, and so in which dialect it must be answered (ProcessingMode.BodySendMode)."""

    NONE = 0
    STREAMED = 1
    BUFFERED = 2
    BUFFERED_PARTIAL = 3
    FULL_DUPLEX_STREAMED = 4
    GRPC = 5


@dataclass(frozen=True, slots=True)
class Piece:
    """One ProcessingRequest.

    `headers` are those of a head or the trailers, names in lower case, each with every value.
    `modes` is set in the first message of a stream alone. `metadata` is the text of ext_authz, None
    when there is none. `observed` says that Envoy will not wait for answers.
    """

    target: Target
    part: MessagePart
    headers: Mapping[str, tuple[str, ...]]
    body: bytes
    end_of_stream: bool
    modes: Mapping[Target, BodyMode] | None
    metadata: Mapping[str, str] | None
    observed: bool


_PIECES = {
    "request_headers": (Target.REQUEST, MessagePart.HEADERS),
    "response_headers": (Target.RESPONSE, MessagePart.HEADERS),
    "request_body": (Target.REQUEST, MessagePart.BODY),
    "response_body": (Target.RESPONSE, MessagePart.BODY),
    "request_trailers": (Target.REQUEST, MessagePart.TRAILERS),
    "response_trailers": (Target.RESPONSE, MessagePart.TRAILERS),
}


def read_piece(message: bytes) -> Piece:
    """Decode a ProcessingRequest. Raises Refused(REQUEST_UNREADABLE) for bytes that are none."""
    request = pb.ProcessingRequest()
    try:
        request.ParseFromString(message)
    except DecodeError:
        raise Refused(Reason.REQUEST_UNREADABLE, "not a ProcessingRequest") from None
    kind = request.WhichOneof("request")
    if kind is None:
        raise Refused(Reason.REQUEST_UNREADABLE, "a ProcessingRequest of no known kind")
    target, part = _PIECES[kind]
    content = getattr(request, kind)
    headers = {MessagePart.HEADERS: "headers", MessagePart.TRAILERS: "trailers"}.get(part)
    return Piece(
        target=target,
        part=part,
        headers=_headers(getattr(content, headers).headers) if headers is not None else {},
        body=bytes(content.body) if part is MessagePart.BODY else b"",
        end_of_stream=part is MessagePart.TRAILERS or bool(content.end_of_stream),
        modes=_modes(request),
        metadata=_metadata(request),
        observed=bool(request.observability_mode),
    )


def _headers(raw: Sequence[base_pb2.HeaderValue]) -> Mapping[str, tuple[str, ...]]:
    headers: dict[str, tuple[str, ...]] = {}
    for header in raw:
        name = header.key.lower()
        value = header.raw_value.decode("latin-1") if header.raw_value else header.value
        headers[name] = (*headers.get(name, ()), value)
    return headers


def _modes(request: pb.ProcessingRequest) -> Mapping[Target, BodyMode] | None:
    if not request.HasField("protocol_config"):
        return None
    config = request.protocol_config
    try:
        return {
            Target.REQUEST: BodyMode(int(config.request_body_mode)),
            Target.RESPONSE: BodyMode(int(config.response_body_mode)),
        }
    except ValueError:
        raise Refused(Reason.REQUEST_UNREADABLE, "a body mode that is not known") from None


def _metadata(request: pb.ProcessingRequest) -> Mapping[str, str] | None:
    spaces = request.metadata_context.filter_metadata
    if METADATA_NAMESPACE not in spaces:
        return None
    fields = spaces[METADATA_NAMESPACE].fields
    return {name: value.string_value for name, value in fields.items() if value.WhichOneof("kind") == "string_value"}


def headers_reply(target: Target, changed: Mapping[str, str], removed: Sequence[str]) -> bytes:
    """Let a head go on, with these headers overwritten and those removed."""
    answer = pb.HeadersResponse()
    _mutate(answer.response.header_mutation, changed, removed)
    if target is Target.REQUEST:
        return _encoded(pb.ProcessingResponse(request_headers=answer))
    return _encoded(pb.ProcessingResponse(response_headers=answer))


def streamed_reply(target: Target, body: bytes, end_of_stream: bool) -> bytes:
    """Send bytes on, in the dialect of FULL_DUPLEX_STREAMED. After `end_of_stream` nothing more passes."""
    answer = pb.BodyResponse()
    answer.response.body_mutation.streamed_response.body = body
    answer.response.body_mutation.streamed_response.end_of_stream = end_of_stream
    return _body_reply(target, answer)


def replaced_reply(target: Target, body: bytes, changed: Mapping[str, str]) -> bytes:
    """Replace a whole body, in the dialect of BUFFERED; content-length follows it."""
    answer = pb.BodyResponse()
    _mutate(answer.response.header_mutation, {**changed, "content-length": str(len(body))}, ())
    if body:
        answer.response.body_mutation.body = body
    else:
        answer.response.body_mutation.clear_body = True
    return _body_reply(target, answer)


def trailers_reply(target: Target, removed: Sequence[str]) -> bytes:
    """Let trailers go on without the removed ones."""
    answer = pb.TrailersResponse()
    _mutate(answer.header_mutation, {}, removed)
    if target is Target.REQUEST:
        return _encoded(pb.ProcessingResponse(request_trailers=answer))
    return _encoded(pb.ProcessingResponse(response_trailers=answer))


def immediate_reply(status: int, headers: Mapping[str, str], body: bytes, details: str) -> bytes:
    """Answer the client instead of the tool. `details` goes to Envoy's access log."""
    answer = pb.ImmediateResponse(body=body, details=details)
    answer.status.code = status
    _mutate(answer.headers, headers, ())
    return _encoded(pb.ProcessingResponse(immediate_response=answer))


def _body_reply(target: Target, answer: pb.BodyResponse) -> bytes:
    if target is Target.REQUEST:
        return _encoded(pb.ProcessingResponse(request_body=answer))
    return _encoded(pb.ProcessingResponse(response_body=answer))


def _mutate(mutation: pb.HeaderMutation, changed: Mapping[str, str], removed: Sequence[str]) -> None:
    for name, value in changed.items():
        option = mutation.set_headers.add(append_action=_OVERWRITE)
        option.header.key = name
        option.header.raw_value = value.encode("utf-8")
    mutation.remove_headers.extend(removed)


def _encoded(response: pb.ProcessingResponse) -> bytes:
    return bytes(response.SerializeToString())
