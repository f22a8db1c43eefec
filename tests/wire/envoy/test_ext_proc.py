from __future__ import annotations

import pytest
from envoy.config.core.v3 import base_pb2
from envoy.service.ext_proc.v3 import external_processor_pb2 as pb

from aegis_authz.core.decision import Target
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.envoy.ext_proc import (
    METADATA_NAMESPACE,
    BodyMode,
    MessagePart,
    headers_reply,
    immediate_reply,
    read_piece,
    replaced_reply,
    streamed_reply,
    trailers_reply,
)


def read_back(reply: bytes) -> pb.ProcessingResponse:
    response = pb.ProcessingResponse()
    response.ParseFromString(reply)
    return response


def set_headers(mutation: pb.HeaderMutation) -> dict[str, bytes]:
    assert all(
        option.append_action == base_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD for option in mutation.set_headers
    )
    return {option.header.key: option.header.raw_value for option in mutation.set_headers}


def test_the_first_message_tells_headers_modes_and_metadata() -> None:
    request = pb.ProcessingRequest()
    for key, value in (("Content-Type", b"a"), ("content-type", b"b"), (":status", b"200")):
        request.response_headers.headers.headers.add(key=key, raw_value=value)
    request.response_headers.end_of_stream = True
    request.protocol_config.response_body_mode = 4
    fields = request.metadata_context.filter_metadata[METADATA_NAMESPACE].fields
    fields["decision_id"].string_value = "d-1"
    fields["odd"].number_value = 1
    piece = read_piece(request.SerializeToString())
    assert (piece.target, piece.part, piece.end_of_stream, piece.body) == (
        Target.RESPONSE,
        MessagePart.HEADERS,
        True,
        b"",
    )
    assert piece.headers == {"content-type": ("a", "b"), ":status": ("200",)}
    assert piece.modes == {Target.REQUEST: BodyMode.NONE, Target.RESPONSE: BodyMode.FULL_DUPLEX_STREAMED}
    assert piece.metadata == {"decision_id": "d-1"}


@pytest.mark.parametrize("target", list(Target))
def test_bodies_and_trailers_know_their_direction(target: Target) -> None:
    request = pb.ProcessingRequest()
    body = request.request_body if target is Target.REQUEST else request.response_body
    body.body = b"\xff"
    piece = read_piece(request.SerializeToString())
    assert (piece.target, piece.part, piece.body, piece.end_of_stream) == (target, MessagePart.BODY, b"\xff", False)
    assert piece.modes is None and piece.metadata is None
    trailers = request.request_trailers if target is Target.REQUEST else request.response_trailers
    trailers.trailers.headers.add(key="x", raw_value=b"y")
    piece = read_piece(request.SerializeToString())
    assert (piece.target, piece.part, piece.end_of_stream) == (target, MessagePart.TRAILERS, True)
    assert piece.headers == {"x": ("y",)}


@pytest.mark.parametrize("message", [b"", b"\xff\xff\xff", pb.ProcessingResponse().SerializeToString()])
def test_what_is_no_request_is_refused(message: bytes) -> None:
    with pytest.raises(Refused) as refused:
        read_piece(message)
    assert refused.value.reason is Reason.REQUEST_UNREADABLE


def test_replies_speak_the_dialect_of_their_mode() -> None:
    streamed = read_back(streamed_reply(Target.RESPONSE, b"x", True)).response_body.response.body_mutation
    assert (streamed.streamed_response.body, streamed.streamed_response.end_of_stream) == (b"x", True)
    replaced = read_back(replaced_reply(Target.REQUEST, b"abc", {"a": "b"})).request_body.response
    assert replaced.body_mutation.body == b"abc"
    assert set_headers(replaced.header_mutation) == {"a": b"b", "content-length": b"3"}
    empty = read_back(replaced_reply(Target.RESPONSE, b"", {})).response_body.response
    assert empty.body_mutation.clear_body and set_headers(empty.header_mutation) == {"content-length": b"0"}


@pytest.mark.parametrize("target", list(Target))
def test_heads_and_trailers_are_changed_in_their_direction(target: Target) -> None:
    head = read_back(headers_reply(target, {"a": "b"}, ("etag",)))
    assert head.WhichOneof("response") == f"{target.value}_headers"
    mutation = getattr(head, f"{target.value}_headers").response.header_mutation
    assert set_headers(mutation) == {"a": b"b"} and list(mutation.remove_headers) == ["etag"]
    trailers = read_back(trailers_reply(target, ("x",)))
    assert trailers.WhichOneof("response") == f"{target.value}_trailers"
    assert list(getattr(trailers, f"{target.value}_trailers").header_mutation.remove_headers) == ["x"]


def test_an_immediate_reply_carries_status_headers_and_body() -> None:
    answer = read_back(immediate_reply(502, {"content-type": "x"}, b"y", "why")).immediate_response
    assert (answer.status.code, answer.body, answer.details) == (502, b"y", "why")
    assert set_headers(answer.headers) == {"content-type": b"x"}
