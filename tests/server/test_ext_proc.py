from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from collections.abc import AsyncIterator

import pytest
from envoy.service.ext_proc.v3 import external_processor_pb2 as pb

from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import Record, RedactionRecord
from aegis_authz.core.refused import Refused
from aegis_authz.server.ext_proc import BodyHandler, StreamAborted
from aegis_authz.wire.envoy.ext_proc import METADATA_NAMESPACE

SSN = "123-45-6789"
BODY = b'{"a":"123-45-6789"}'
CLEAN = b'{"a":"[REDACTED:us_ssn]"}'
EVENT = b'data: {"jsonrpc":"2.0","method":"n","params":{"x":"123-45-6789"}}\n\n'
STREAMED, BUFFERED, DUPLEX = 1, 2, 4
JSON_HEAD = {":status": "200", "content-type": "application/json"}
SSE_HEAD = {":status": "200", "content-type": "text/event-stream"}


class Clock:
    def now(self) -> float:
        return 5.0

    def monotonic(self) -> float:
        return 5.0


class Records:
    def __init__(self, fails: bool = False) -> None:
        self.kept: list[RedactionRecord] = []
        self.fails = fails

    async def append(self, record: Record) -> None:
        assert isinstance(record, RedactionRecord)
        if self.fails:
            raise Refused(Reason.RECORD_FAILED)
        self.kept.append(record)


def first(
    message: bytes, request: int = 0, response: int = DUPLEX, targets: str = "response", rpc: tuple[str, str] = ("", "")
) -> bytes:
    """The message as the first of a stream: with metadata and modes."""
    whole = pb.ProcessingRequest()
    whole.ParseFromString(message)
    whole.protocol_config.request_body_mode = request
    whole.protocol_config.response_body_mode = response
    redact: list[Json] = [
        {"kind": "redact", "target": target, "detectors": ["us_ssn"], "fields": []} for target in targets.split()
    ]
    texts = {"decision_id": "d-1", "obligations": json.dumps(redact), "rpc_id": rpc[0], "rpc_method": rpc[1]}
    for name, text in texts.items():
        whole.metadata_context.filter_metadata[METADATA_NAMESPACE].fields[name].string_value = text
    return bytes(whole.SerializeToString())


def head(headers: dict[str, str], end: bool = False, of: str = "response") -> bytes:
    message = pb.ProcessingRequest()
    part = getattr(message, f"{of}_headers")
    part.end_of_stream = end
    for name, value in headers.items():
        part.headers.headers.add(key=name, raw_value=value.encode())
    return bytes(message.SerializeToString())


def body(data: bytes, end: bool = False, of: str = "response") -> bytes:
    message = pb.ProcessingRequest()
    getattr(message, f"{of}_body").body = data
    getattr(message, f"{of}_body").end_of_stream = end
    return bytes(message.SerializeToString())


def trailers(**values: str) -> bytes:
    message = pb.ProcessingRequest()
    message.response_trailers.SetInParent()
    for name, value in values.items():
        message.response_trailers.trailers.headers.add(key=name, raw_value=value.encode())
    return bytes(message.SerializeToString())


async def feed(messages: tuple[bytes, ...]) -> AsyncIterator[bytes]:
    for message in messages:
        yield message


class Talk:
    """What came back, and whether the stream was aborted."""

    def __init__(self, records: Records | None = None) -> None:
        self.records = records or Records()
        self.handler = BodyHandler(self.records, Clock(), idle=0.05, work=5)
        self.replies: list[pb.ProcessingResponse] = []
        self.aborted = False

    async def __call__(self, *messages: bytes) -> Talk:
        return await self.over(feed(messages))

    async def over(self, messages: AsyncIterator[bytes]) -> Talk:
        try:
            async for reply in self.handler.process(messages):
                response = pb.ProcessingResponse()
                response.ParseFromString(reply)
                self.replies.append(response)
        except StreamAborted:
            self.aborted = True
        await self.handler.drain()
        return self

    @property
    def kinds(self) -> list[str | None]:
        return [reply.WhichOneof("response") for reply in self.replies]

    @property
    def shown(self) -> bytes:
        return b"".join(reply.response_body.response.body_mutation.streamed_response.body for reply in self.replies)

    def refusal(self) -> tuple[int, dict[str, Json]]:
        answer = self.replies[-1].immediate_response
        return answer.status.code, json.loads(answer.body)


async def test_a_json_body_is_held_with_its_head_until_it_is_judged() -> None:
    talk = await Talk()(first(head({**JSON_HEAD, "etag": "x"})), body(BODY[:9]), body(BODY[9:], end=True))
    assert talk.kinds == ["response_headers", "response_body"] and not talk.aborted
    assert talk.shown == CLEAN
    assert talk.replies[-1].response_body.response.body_mutation.streamed_response.end_of_stream
    assert "etag" in talk.replies[0].response_headers.response.header_mutation.remove_headers
    assert talk.records.kept == [RedactionRecord("d-1", 5.0, "response", {"us_ssn": 1}, "done")]


async def test_the_head_of_an_event_stream_goes_at_once() -> None:
    seen: list[int] = []
    talk = Talk()

    async def watched() -> AsyncIterator[bytes]:
        for message in (first(head(SSE_HEAD)), body(EVENT[:20]), body(EVENT[20:]), body(b"", end=True)):
            yield message
            seen.append(len(talk.replies))

    await talk.over(watched())
    assert seen == [1, 1, 2, 3] and not talk.aborted
    assert talk.shown == EVENT.replace(SSN.encode(), b"[REDACTED:us_ssn]")


async def test_trailers_flush_what_is_held_and_are_removed() -> None:
    talk = await Talk()(first(head(JSON_HEAD)), body(BODY), trailers(note=SSN))
    assert talk.kinds == ["response_headers", "response_body", "response_trailers"] and not talk.aborted
    assert talk.shown == CLEAN
    assert not talk.replies[1].response_body.response.body_mutation.streamed_response.end_of_stream
    assert list(talk.replies[2].response_trailers.header_mutation.remove_headers) == ["note"]


@pytest.mark.parametrize("status", ["200", "202", "204", "304"])
async def test_a_head_without_a_body_passes(status: str) -> None:
    talk = await Talk()(first(head({":status": status, "content-type": "image/png"}, end=True)))
    assert talk.kinds == ["response_headers"] and not talk.aborted
    assert [record.outcome for record in talk.records.kept] == ["done"]


async def test_a_large_body_leaves_in_pieces_that_grpc_can_carry() -> None:
    data = json.dumps(["x" * 900_000]).encode()
    talk = await Talk()(first(head(JSON_HEAD)), body(data[:500_000]), body(data[500_000:], end=True))
    assert len(talk.replies) > 2 and max(reply.ByteSize() for reply in talk.replies) < 300_000
    assert json.loads(talk.shown) == ["x" * 900_000]
    ends = [reply.response_body.response.body_mutation.streamed_response.end_of_stream for reply in talk.replies[1:]]
    assert ends == [False] * (len(ends) - 1) + [True]


async def test_the_buffered_dialect_replaces_the_body_and_its_length() -> None:
    talk = await Talk()(first(head(JSON_HEAD), response=BUFFERED), body(BODY, end=True))
    assert talk.kinds == ["response_headers", "response_body"] and not talk.aborted
    common = talk.replies[1].response_body.response
    assert common.body_mutation.body == CLEAN
    lengths = [item.header.raw_value for item in common.header_mutation.set_headers]
    assert lengths == [str(len(CLEAN)).encode()]


async def test_a_request_is_replaced_with_or_without_its_head() -> None:
    for start in (
        (first(body(BODY, end=True, of="request"), BUFFERED, 0, "request"),),
        _request(body(BODY, of="request")),
    ):
        talk = await Talk()(*start)
        assert talk.replies[-1].request_body.response.body_mutation.body == CLEAN and not talk.aborted
        assert [record.target for record in talk.records.kept] == ["request"]


def _request(*more: bytes, **headers: str) -> tuple[bytes, ...]:
    named = {":path": "/x", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return (first(head(named, of="request"), BUFFERED, 0, "request"), *more)


async def test_mirrored_headers_follow_the_body() -> None:
    talk = await Talk()(
        *_request(
            body(BODY, of="request"), mcp_name=f"x {SSN}", mcp_param_a="=?base64?MTIzLTQ1LTY3ODk=?=", mcp_method="m"
        )
    )
    mutation = talk.replies[0].request_headers.response.header_mutation
    changed = {item.header.key: item.header.raw_value for item in mutation.set_headers}
    assert changed == {"mcp-name": b"x [REDACTED:us_ssn]", "mcp-param-a": b"=?base64?W1JFREFDVEVEOnVzX3Nzbl0=?="}


@pytest.mark.parametrize("path", [f"/p/{SSN}", "/p?a=123%2D45%2D6789", "/p?ssn=123+45+6789"])
async def test_an_address_that_would_have_to_be_redacted_is_refused(path: str) -> None:
    talk = await Talk()(first(head({":path": path}, of="request", end=True), BUFFERED, 0, "request"))
    status, told = talk.refusal()
    assert (status, told["reason"]) == (403, "POLICY_DENIED")


async def test_both_directions_share_a_stream() -> None:
    talk = await Talk()(
        first(head({":path": "/"}, of="request"), BUFFERED, DUPLEX, "request response"),
        body(BODY, end=True, of="request"),
        head(JSON_HEAD),
        body(BODY, end=True),
    )
    assert talk.kinds == ["request_headers", "request_body", "response_headers", "response_body"] and not talk.aborted
    assert [record.target for record in talk.records.kept] == ["request", "response"]


async def test_a_response_that_no_obligation_concerns_passes_by_its_head() -> None:
    talk = await Talk()(first(body(BODY, end=True, of="request"), BUFFERED, 0, "request"), head(JSON_HEAD))
    assert talk.kinds == ["request_body", "response_headers"] and not talk.aborted


FULL = (first(head(JSON_HEAD)), body(BODY[:9]), body(BODY[9:], end=True))
FULL_SSE = (first(head(SSE_HEAD)), body(EVENT), body(b"", end=True))


@pytest.mark.parametrize("messages", [FULL[:0], FULL[:1], FULL[:2], FULL_SSE[:1], FULL_SSE[:2], _request()])
async def test_a_stream_that_ends_before_its_bodies_is_aborted(messages: tuple[bytes, ...]) -> None:
    talk = await Talk()(*messages)
    assert talk.aborted
    assert all(record.outcome.startswith("cut") for record in talk.records.kept)
    assert len(talk.records.kept) == min(len(messages), 1)


async def test_a_request_done_is_not_the_end_of_a_stream_that_waits_for_a_response() -> None:
    talk = await Talk()(first(body(BODY, end=True, of="request"), BUFFERED, DUPLEX, "request response"))
    assert talk.aborted and talk.kinds == ["request_body"]


async def test_messages_that_cannot_be_read_abort() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield FULL[0]
        raise RuntimeError("connection lost")

    assert (await Talk().over(broken())).aborted


@pytest.mark.parametrize(
    "messages",
    [
        (b"\xff\xff",),
        (head(JSON_HEAD),),
        (first(head(JSON_HEAD), response=STREAMED),),
        (first(head(JSON_HEAD), response=0),),
        (first(head(JSON_HEAD), targets="request"),),
        (first(body(BODY)),),
        (first(head({"content-type": "application/json"})),),
        (first(head(JSON_HEAD), rpc=("{", "tools/call")),),
    ],
    ids=["noise", "no metadata", "streamed", "not shown", "wrong direction", "no head", "no status", "odd metadata"],
)
async def test_what_is_not_as_configured_is_refused_before_anything_passes(messages: tuple[bytes, ...]) -> None:
    talk = await Talk()(*messages)
    status, told = talk.refusal()
    assert talk.kinds == ["immediate_response"] and status in (400, 502, 503) and told["decision"] == "deny"


async def test_nothing_is_said_after_a_refusal() -> None:
    talk = await Talk()(first(head(JSON_HEAD)), body(b"{\0"), body(b"", end=True), trailers())
    assert talk.kinds == ["immediate_response"] and talk.refusal()[0] == 502
    assert [record.outcome[:24] for record in talk.records.kept] == ["withheld: MALFORMED_CALL"]


async def test_pieces_after_the_end_abort() -> None:
    talk = await Talk()(*FULL, body(b"more"))
    assert talk.aborted and talk.shown == CLEAN


async def test_mcp_gets_its_refusals_in_its_own_shape() -> None:
    call = await Talk()(first(head(JSON_HEAD), rpc=("7", "tools/call")), body(b"{\0", end=True))
    assert call.refusal()[0] == 200
    result = call.refusal()[1]["result"]
    assert isinstance(result, dict) and result["isError"] is True and call.refusal()[1]["id"] == 7
    lists = await Talk()(first(head(JSON_HEAD), rpc=('"a"', "tools/list")), body(b"{\0", end=True))
    error = lists.refusal()[1]["error"]
    assert isinstance(error, dict) and error["code"] == -31502


@pytest.mark.parametrize(
    ("rpc", "aborts"), [(("7", "tools/call"), False), (("", "notifications/x"), True), (("", ""), True)]
)
async def test_a_failure_inside_a_stream_ends_it_with_an_error_event_or_a_cut(
    rpc: tuple[str, str], aborts: bool
) -> None:
    talk = await Talk()(
        first(head(SSE_HEAD), rpc=rpc), body(EVENT), body(b"data: \xff\n\n" + EVENT), body(EVENT, end=True)
    )
    assert talk.aborted is aborts and SSN.encode() not in talk.shown
    if not aborts:
        last = talk.replies[-1].response_body.response.body_mutation.streamed_response
        assert last.end_of_stream and json.loads(last.body.partition(b"data: ")[2])["id"] == 7
    assert [record.counts for record in talk.records.kept] == [{"us_ssn": 1}]


async def test_the_end_of_a_body_is_not_released_without_its_record() -> None:
    talk = await Talk(Records(fails=True))(*FULL)
    assert talk.kinds == ["immediate_response"] and talk.refusal()[0] == 502
    stream = await Talk(Records(fails=True))(*FULL_SSE)
    assert (
        stream.aborted and not stream.replies[-1].response_body.response.body_mutation.streamed_response.end_of_stream
    )


async def test_where_records_are_best_effort_a_body_passes_without_one() -> None:
    talk = Talk(Records(fails=True))
    talk.handler = BodyHandler(talk.records, Clock(), require_record=False)
    assert (await talk(*FULL)).shown == CLEAN


async def test_a_held_body_that_pauses_too_long_is_refused_and_envoy_must_hang_up() -> None:
    async def pausing() -> AsyncIterator[bytes]:
        yield FULL[0]
        await asyncio.Event().wait()

    talk = await Talk().over(pausing())
    assert talk.kinds == ["immediate_response"] and talk.aborted


async def test_cancellation_is_passed_on_and_leaves_a_record() -> None:
    started = asyncio.Event()

    async def pausing() -> AsyncIterator[bytes]:
        yield FULL_SSE[0]
        started.set()
        await asyncio.Event().wait()

    talk = Talk()
    task = asyncio.create_task(talk.over(pausing()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await talk.handler.drain()
    assert [record.outcome[:3] for record in talk.records.kept] == ["cut"]


async def test_what_must_be_redacted_does_not_pass_in_a_response_header() -> None:
    told = {
        "location": f"/records/{SSN}",
        "set-cookie": f"who={SSN}",
        "x-ssn": "78051120",
        "x-request-id": SSN,
        "x-a": "b",
    }
    talk = await Talk()(first(head({**JSON_HEAD, **told})), body(b"{}", end=True))
    mutation = talk.replies[0].response_headers.response.header_mutation
    changed = {item.header.key: item.header.raw_value.decode() for item in mutation.set_headers}
    del changed["cache-control"]
    assert changed == {
        "location": "/records/[REDACTED:us_ssn]",
        "set-cookie": "who=[REDACTED:us_ssn]",
        "x-ssn": "[REDACTED:us_ssn]",
    }
    assert talk.records.kept[0].counts == {"us_ssn": 3}


async def test_headers_given_several_times_go_when_one_of_them_must_be_redacted() -> None:
    message = pb.ProcessingRequest()
    message.ParseFromString(first(head(JSON_HEAD)))
    for value in (b"a=1", b"who=" + SSN.encode()):
        message.response_headers.headers.headers.add(key="set-cookie", raw_value=value)
    talk = await Talk()(bytes(message.SerializeToString()), body(b"{}", end=True))
    assert "set-cookie" in talk.replies[0].response_headers.response.header_mutation.remove_headers


async def test_a_request_header_is_redacted_and_the_credentials_of_the_caller_are_not() -> None:
    told = {":path": "/x", "x-note": f"is {SSN}", "authorization": f"Basic {SSN}", "cookie": f"a={SSN}"}
    talk = await Talk()(first(head(told, of="request", end=True), BUFFERED, 0, "request"))
    mutation = talk.replies[0].request_headers.response.header_mutation
    assert {item.header.key: item.header.raw_value for item in mutation.set_headers} == {
        "x-note": b"is [REDACTED:us_ssn]"
    }


async def test_a_header_in_other_digits_is_redacted_too() -> None:
    message = pb.ProcessingRequest()
    message.ParseFromString(first(head({":path": "/x"}, of="request", end=True), BUFFERED, 0, "request"))
    dressed = SSN.translate({ord("0") + n: 0xFF10 + n for n in range(10)})
    message.request_headers.headers.headers.add(key="x-note", raw_value=f"né {dressed}".encode())
    talk = await Talk()(bytes(message.SerializeToString()))
    mutation = talk.replies[0].request_headers.response.header_mutation
    assert [item.header.raw_value for item in mutation.set_headers] == ["né [REDACTED:us_ssn]".encode()]


async def test_a_header_whose_name_holds_what_must_be_redacted_goes_and_a_content_type_loses_its_parameters() -> None:
    headers = {**JSON_HEAD, "content-type": f"application/json; name={SSN}", f"x-{SSN}": "y"}
    talk = await Talk()(first(head(headers)), body(b"{}", end=True))
    mutation = talk.replies[0].response_headers.response.header_mutation
    changed = {item.header.key: item.header.raw_value.decode() for item in mutation.set_headers}
    assert changed["content-type"] == "application/json"
    assert f"x-{SSN}" in mutation.remove_headers
    assert talk.records.kept[0].counts["us_ssn"] >= 2


@pytest.mark.parametrize("name", [":authority", "referer"])
async def test_a_host_that_would_have_to_be_redacted_is_refused(name: str) -> None:
    headers = {":path": "/x", name: f"{SSN}.example"}
    talk = await Talk()(first(head(headers, of="request", end=True), BUFFERED, 0, "request"))
    assert talk.refusal()[0] == 403


# Bodies that go on decoded.

ENCODED_HEAD = {
    ":method": "POST",
    "content-type": "application/json",
    "content-encoding": "gzip",
    "content-digest": "x",
}


def first_encoded(
    headers: dict[str, str] = ENCODED_HEAD,
    judged: bytes = BODY,
    *,
    redacts: str = "",
    coding: str = "gzip",
    mode: int = BUFFERED,
    end: bool = False,
) -> bytes:
    """The head of a request whose body ext_authz judged decoded."""
    whole = pb.ProcessingRequest()
    whole.ParseFromString(first(head(headers, end=end, of="request"), mode, 0, redacts))
    fields = whole.metadata_context.filter_metadata[METADATA_NAMESPACE].fields
    fields["coding"].string_value = coding
    fields["body_sha256"].string_value = hashlib.sha256(judged).hexdigest()
    return bytes(whole.SerializeToString())


async def test_a_body_that_was_judged_decoded_goes_on_decoded_and_the_head_says_so() -> None:
    talk = await Talk()(first_encoded(), body(gzip.compress(BODY), end=True, of="request"))
    assert talk.kinds == ["request_headers", "request_body"] and not talk.aborted
    removed = talk.replies[0].request_headers.response.header_mutation.remove_headers
    assert {"content-encoding", "content-digest"} <= set(removed)
    response = talk.replies[1].request_body.response
    assert response.body_mutation.body == BODY
    lengths = [option.header.raw_value for option in response.header_mutation.set_headers]
    assert lengths == [str(len(BODY)).encode()]
    assert talk.records.kept == [RedactionRecord("d-1", 5.0, "request", {}, "done")]


async def test_what_is_to_be_redacted_is_redacted_in_the_decoded_body() -> None:
    talk = await Talk()(first_encoded(redacts="request"), body(gzip.compress(BODY), end=True, of="request"))
    assert talk.replies[1].request_body.response.body_mutation.body == CLEAN


async def test_content_that_nobody_looks_into_goes_on_decoded_where_nothing_is_to_be_redacted() -> None:
    content = bytes(range(256))
    first_piece = first_encoded({**ENCODED_HEAD, "content-type": "image/png"}, content)
    talk = await Talk()(first_piece, body(gzip.compress(content), end=True, of="request"))
    assert talk.replies[1].request_body.response.body_mutation.body == content


@pytest.mark.parametrize(
    ("head_piece", "encoded"),
    [
        (first_encoded(judged=b"{}"), gzip.compress(BODY)),
        (first_encoded(), gzip.compress(BODY) + b"x"),
        (first_encoded(), gzip.compress(BODY)[:-1]),
        (first_encoded(), BODY),
        (first_encoded(), b""),
        (first_encoded(coding="br"), gzip.compress(BODY)),
        (first_encoded({**ENCODED_HEAD, "content-encoding": "br"}), gzip.compress(BODY)),
        (first_encoded({":method": "POST"}), gzip.compress(BODY)),
        (first_encoded(mode=DUPLEX), gzip.compress(BODY)),
        (first_encoded(mode=STREAMED), gzip.compress(BODY)),
        (first_encoded(mode=0), gzip.compress(BODY)),
        (first_encoded(end=True), b""),
    ],
    ids=[
        *("another body", "bytes behind it", "cut off", "not encoded", "nothing", "another coding"),
        *("another head", "no coding in the head", "duplex", "streamed", "unseen", "a head alone"),
    ],
)
async def test_no_body_but_the_one_that_was_judged_goes_on(head_piece: bytes, encoded: bytes) -> None:
    talk = await Talk()(head_piece, body(encoded, end=True, of="request"))
    assert talk.kinds[-1] == "immediate_response"
    assert "request_body" not in talk.kinds
    assert talk.refusal()[1]["decision"] == "deny"


async def test_an_encoded_body_without_its_head_is_withheld() -> None:
    whole, alone = pb.ProcessingRequest(), pb.ProcessingRequest()
    whole.ParseFromString(first_encoded())
    alone.ParseFromString(body(gzip.compress(BODY), end=True, of="request"))
    alone.metadata_context.CopyFrom(whole.metadata_context)
    alone.protocol_config.CopyFrom(whole.protocol_config)
    talk = await Talk()(bytes(alone.SerializeToString()))
    assert talk.kinds == ["immediate_response"]
